// msync(2), madvise(2) and minherit(2), as the simulation knows them.

import ABI

/// msync(2)
struct SynchronizeMappingCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var flags: UInt32 = 0

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [("msync", SynchronizeMappingCall(address: Program.window, byteCount: 2 * 4096, flags: 2))]
  }

  var number: SystemCallNumber { .msync }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .word(flags)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    if start &+ size < start { return .error(.einval) }
    if flags & ~3 != 0 || flags == 3 { return .error(.einval) }
    // What lies beyond is cut off.
    let end = min(start + size, ReferenceModel.userEnd)
    let first = max(start, 0x1000) / 4096
    if start >= ReferenceModel.userEnd || process.memory[first] == nil { return .error(.enomem) }
    for page in first..<max(first, end / 4096) where process.memory[page] == nil { return .error(.enomem) }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let flags = generator.random.pick([0, 0, 1, 2, 2, 2, 3, 4] as [UInt32]) ?? 0
    if generator.random.chance(oneIn: 8) {
      return SynchronizeMappingCall(address: generator.badAddress(process), byteCount: 4096, flags: flags)
    }
    let page = generator.mappedPage(process)
    let byteCount = UInt64(generator.random.number(below: 5) * 4096 + generator.random.number(below: 2))
    return SynchronizeMappingCall(
      address: page * 4096 + UInt64(generator.random.number(below: 3)), byteCount: byteCount,
      flags: flags)
  }
}

/// madvise(2)
struct AdviseCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var advice: Int32

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("madvise, kept", AdviseCall(address: Program.window + 4096, byteCount: 4096, advice: 1)),
      ("madvise, wanted", AdviseCall(address: Program.window, byteCount: 8 * 4096, advice: 3)),
      ("madvise, free", AdviseCall(address: Program.window, byteCount: 8 * 4096, advice: 5)),
    ]
  }

  var number: SystemCallNumber { .madvise }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .int(advice)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { advice == 4 || advice == 5 }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if advice == 10 { return process.credentials.effectiveUser == 0 ? .value(0) : .error(.eperm) }
    let (end, wraps) = address.addingReportingOverflow(byteCount)
    if advice < 0 || advice > 9 || wraps || address < 0x1000 || end > ReferenceModel.userEnd { return .error(.einval) }
    if advice == 5 {
      // Old content or zeros: nobody may rely on either.
      for page in address / 4096..<max(address / 4096, (end + 4095) / 4096) {
        guard let view = process.memory[page], !view.isShared, view.copy != nil, !OperationGenerator.isProgram(page)
        else { continue }
        process.memory[page]?.isUncertain = true
      }
    }
    return .value(0)
  }

  /// The program itself is not freed.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    advice == 5 && ModelProcess.pages(address, byteCount).contains { OperationGenerator.isProgram($0) }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let advice = Int32(generator.random.number(in: -1...11))
    if generator.random.chance(oneIn: 10) {
      return AdviseCall(address: generator.badAddress(process), byteCount: 4096, advice: advice)
    }
    let range = generator.windowRange()
    return AdviseCall(
      address: range.address + UInt64(generator.random.number(below: 2)), byteCount: range.byteCount, advice: advice)
  }
}

/// minherit(2)
struct InheritCall: SimulatedCall {
  var address: UInt64
  var byteCount: UInt64
  var inheritance: Int32

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("minherit", InheritCall(address: Program.window + 4096, byteCount: 4096, inheritance: 2))]
  }

  var number: SystemCallNumber { .minherit }
  var arguments: [CallArgument] { [.word(address), .word(byteCount), .int(inheritance)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }

  private var pages: Range<UInt64> {
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    return ModelProcess.pages(start, min(size, ReferenceModel.userEnd - min(start, ReferenceModel.userEnd)))
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    let start = address & ~4095
    let size = (byteCount &+ (address & 4095) &+ 4095) & ~4095
    if start &+ size < start { return .error(.einval) }
    let kind = Int32(Int8(truncatingIfNeeded: inheritance))
    if kind < 0 || kind > 3 { return .error(.einval) }
    for page in pages where process.memory[page]?.isGuard == false { process.memory[page]?.inheritance = kind }
    return .value(0)
  }

  /// Private memory that is shared with children, which the model cannot tell, is left to other tests; so are guards.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    pages.contains { page in
      guard let view = process.memory[page] else { return false }
      return view.isGuard || !view.isShared && inheritance & 255 == 0 || OperationGenerator.isProgram(page)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let inheritance = generator.random.pick([0, 1, 1, 2, 3, 3, 4, -1, 258] as [Int32]) ?? 0
    if generator.random.chance(oneIn: 12) {
      return InheritCall(address: UInt64.max - 5000, byteCount: 16_384, inheritance: inheritance)
    }
    let range = generator.windowRange()
    return InheritCall(address: range.address, byteCount: range.byteCount, inheritance: inheritance)
  }
}
