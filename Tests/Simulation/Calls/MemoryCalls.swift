// mmap(2), munmap(2), mprotect(2), break(2) and mincore(2), as the simulation knows them. (The others are in AdviceCalls.swift.)

import ABI

extension SimulatedCalls {
  static let memoryCalls: [any SimulatedCall.Type] = [
    MapCall.self, UnmapCall.self, ProtectCall.self, BreakCall.self, ResidenceCall.self, SynchronizeMappingCall.self,
    AdviseCall.self, InheritCall.self, LockCall.self, LockAllCall.self,
  ]
}

/// mmap(2)
struct MapCall: SimulatedCall {
  var address: UInt64 = 0
  var byteCount: UInt64
  var protection: UInt32
  var flags: UInt32
  var descriptor: Int32 = -1
  var offset: Int64 = 0

  static var weight: Int { 0 }
  static var examples: [CallExample] {
    [
      (
        "mmap",
        MapCall(
          address: Program.window + 60 * 4096, byteCount: 8192, protection: .readWrite, flags: .fixedPrivateMemory)
      ),
      ("mmap of a guard", MapCall(byteCount: 8192, protection: .noAccess, flags: .guardRange)),
      ("mmap of a file of /bin", MapCall(byteCount: 8192, protection: .readOnly, flags: .privateFile, descriptor: 4)),
    ]
  }

  var number: SystemCallNumber { .mmap }
  var arguments: [CallArgument] {
    [.word(address), .word(byteCount), .word(protection), .word(flags), .int(descriptor), .word(offset)]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.map(process, self, observed)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let range = generator.windowRange()
    let isAnonymous = generator.random.chance(oneIn: 3)
    let isFixed = !generator.random.chance(oneIn: 4)
    var call = MapCall(
      address: isFixed ? range.address : 0, byteCount: range.byteCount,
      protection: generator.random.pick([3, 3, 3, 3, 1, 1, 0, 5]) ?? 3,
      flags: generator.random.chance(oneIn: 2) ? 1 : 2)
    if isAnonymous { call.flags |= 0x1000 }
    if isFixed { call.flags |= 0x10 }
    if isFixed && generator.random.chance(oneIn: 6) { call.flags |= 0x4000 }
    if !isAnonymous {
      call.descriptor = generator.descriptor(process)
      if !generator.isMemoryOnly && generator.random.chance(oneIn: 12) {
        call.descriptor = generator.program(process) ?? generator.device(process) ?? call.descriptor
      }
      if generator.isMemoryOnly && process.file(call.descriptor)?.object == nil { return nil }
      call.offset = Int64(generator.random.number(below: 6)) * 4096
    }
    if generator.isMemoryOnly { return call }
    if !isFixed && generator.random.chance(oneIn: 3) { call.address = hint(&generator, range.address) }
    if generator.random.chance(oneIn: 5) { call.drawRarely(&generator, isAnonymous) }
    if call.flags & 0x2400 != 0 && !generator.random.chance(oneIn: 8) { call.descriptor = -1 }
    return call
  }

  /// Where a mapping that may be anywhere would like to be: mostly there, now and then around the program.
  private static func hint(_ generator: inout OperationGenerator, _ address: UInt64) -> UInt64 {
    if !generator.random.chance(oneIn: 6) { return address }
    return generator.random.pick([0x1000, Program.text - 8 * 4096, Program.text, Program.dataEnd, 32 << 30]) ?? 0
  }

  /// What mmap(2) is rarely told.
  private mutating func drawRarely(_ generator: inout OperationGenerator, _ isAnonymous: Bool) {
    let wanted: [UInt32] = [0x200, 0x800, 0x20_000, 0x40_000, 0x20, 0x40, 0x80, 0x100, 0x8000, 0x4000, 3, 0x80_000]
    let addresses = [0, 0x1000, 0x3FFF_FFFF_F000, 1 << 46, UInt64.max & ~4095, address + 5]
    switch generator.random.number(below: 10) {
    case 0: flags ^= generator.random.pick(wanted) ?? 0
    case 1: flags = flags & 0x10 | 0x80_000 | 0x1002
    case 2: flags |= UInt32(generator.random.pick([1, 12, 13, 16, 21, 22, 11, 64, 2]) ?? 12) << 24
    case 3:
      // A guard, or nearly.
      flags = flags & 0x4010 | 0x2000
      protection = generator.random.chance(oneIn: 6) ? 1 : 0
      offset = 0
    case 4:
      flags = flags & 0x4013 | 0x400
      offset = 0
    case 5: offset += Int64(generator.random.number(below: 4096))
    case 6: protection |= UInt32(generator.random.number(below: 8)) << 16
    case 7: protection = generator.random.pick([8, 0x80, 0x8_0000, 7, 6, 2, 4]) ?? 8
    case 8: address = generator.random.pick(addresses) ?? 0
    default:
      if !isAnonymous { offset = generator.random.pick([1 << 33, -4096, Int64.max & ~4095, Int64(3) << 40]) ?? 0 }
    }
  }
}

/// munmap(2)
struct UnmapCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64

  static var weight: Int { 0 }
  static var examples: [CallExample] {
    [("munmap", UnmapCall(address: Program.window + 4096, byteCount: 4096))]
  }

  var number: SystemCallNumber { .munmap }
  var arguments: [CallArgument] { [.word(address), .word(byteCount)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.unmap(process, address, byteCount)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.random.chance(oneIn: 3) {
      let pages = process.memory.keys.filter { !OperationGenerator.isProgram($0) }.sorted()
      if let page = generator.random.pick(pages) {
        return UnmapCall(address: page * 4096, byteCount: UInt64(1 + generator.random.number(below: 4)) * 4096)
      }
    }
    let range = generator.windowRange()
    return UnmapCall(address: range.address, byteCount: range.byteCount)
  }
}

/// mprotect(2)
struct ProtectCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var protection: UInt32

  static var weight: Int { 0 }
  static var examples: [CallExample] {
    [("mprotect", ProtectCall(address: Program.window + 4096, byteCount: 4096, protection: .readOnly))]
  }

  var number: SystemCallNumber { .mprotect }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .word(protection)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { protection & 2 == 0 }

  /// What mprotect(2) says of guards is open.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    protection & 7 != 0 && ModelProcess.pages(address, byteCount).contains { process.memory[$0]?.maximum == 0 }
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.protect(process, address, byteCount, protection)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let range = generator.windowRange()
    var protection = generator.random.pick([3, 3, 3, 1, 1, 0] as [UInt32]) ?? 3
    if !generator.isMemoryOnly && generator.random.chance(oneIn: 6) {
      protection = generator.random.pick([5, 5, 7, 4]) ?? 5
    }
    if !generator.isMemoryOnly && generator.random.chance(oneIn: 20) {
      protection = generator.random.pick([5, 7, 8, 0x3_0001, 0x1_0003, 0x7_0003, 0x3_0003]) ?? 7
    }
    return ProtectCall(address: range.address, byteCount: range.byteCount, protection: protection)
  }
}

/// break(2)
struct BreakCall: SimulatedCall {
  var address: UInt64

  static var examples: [CallExample] { [("break", BreakCall(address: Program.dataEnd + 9000))] }

  var number: SystemCallNumber { .break }
  var arguments: [CallArgument] { [.word(address)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { address <= process.breakAddress }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.setBreak(process, address)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    switch generator.random.number(below: 8) {
    case 0: BreakCall(address: Program.dataEnd - 1)
    case 1: BreakCall(address: generator.random.pick([Program.dataEnd + (33 << 30), 1 << 46, UInt64.max]) ?? 0)
    case 2: BreakCall(address: Program.dataEnd)
    default: BreakCall(address: Program.dataEnd + UInt64(generator.random.number(below: 12 * 4096)))
    }
  }
}

/// mincore(2)
struct ResidenceCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64

  static var examples: [CallExample] {
    [
      ("mincore", ResidenceCall(address: Program.window, byteCount: 16 * 4096)),
      ("mincore of a hole", ResidenceCall(address: Program.window + 60 * 4096, byteCount: 4096)),
    ]
  }

  var number: SystemCallNumber { .mincore }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .output(pages?.count ?? 1)] }

  /// The pages asked for; nil when the range is none.
  private var pages: Range<UInt64>? {
    let start = address & ~4095
    let end = (address &+ byteCount &+ 4095) & ~4095
    return start <= end && end <= ReferenceModel.userEnd ? start / 4096..<end / 4096 : nil
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    guard let pages, process.memory[address / 4096] != nil, pages.allSatisfy({ process.memory[$0] != nil }) else {
      return .error(.enomem)
    }
    if pages.isEmpty { return .value(0) }
    if !model.reaches(process, .output, pages.count, write: true) { return .error(.efault) }
    for (byte, page) in zip(try model.output(.output, pages.count), pages) {
      // A call that failed may have seen to it that it could store to where its pointer was misplaced to: the data segment.
      let isData = page >= Program.data / 4096 && page < Program.dataEnd / 4096
      guard let view = process.memory[page], !Self.isPossible(byte, view, mayBePrepared: isData) else { continue }
      throw Difference("mincore says \(byte) of page \(page)")
    }
    return .value(0)
  }

  /// Whether a page may be told so: what is in memory is the kernel's choice, but nothing is modified that was never stored
  /// to, and what cannot be reached is not there.
  private static func isPossible(_ byte: UInt8, _ view: ModelView, mayBePrepared: Bool) -> Bool {
    let told = PageResidence(rawValue: byte)
    if told.isEmpty { return true }
    let isStored = view.copy != nil || view.isShared && view.object?.isPerhapsModified(view.objectPage) == true
    let isReachable = view.protection != 0 && !view.isGuard && !(view.copy == nil && view.isBeyondEnd)
    return told.contains(.inCore) && isReachable && told.isDisjoint(with: .superMask)
      && told.contains(.referenced) == told.contains(.referencedByOther)
      && told.contains(.modified) == told.contains(.modifiedByOther)
      && (!told.contains(.modified) || view.protection & 2 != 0 && (isStored || view.isUncertain || mayBePrepared))
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let range = generator.windowRange()
    switch generator.random.number(below: 6) {
    case 0: return ResidenceCall(address: range.address + 5, byteCount: UInt64(generator.random.number(below: 9000)))
    case 1: return ResidenceCall(address: generator.badAddress(process), byteCount: range.byteCount)
    case 2, 3: return ResidenceCall(address: Program.data, byteCount: Program.dataPageCount * 4096)
    default:
      let page = generator.mappedPage(process)
      return ResidenceCall(address: page * 4096, byteCount: UInt64(generator.random.number(below: 4)) * 4096)
    }
  }
}
