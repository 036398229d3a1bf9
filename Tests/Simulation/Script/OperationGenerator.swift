// Chooses what scripted processes do next: mostly sensible, sometimes wrong, from what the model says exists.

import Memory
import Primitives

/// Draws steps from a seed.
struct OperationGenerator {
  var random: SeededGenerator
  /// Only operations that concern memory objects and mappings, with valid arguments.
  var isMemoryOnly = false
  /// How many pages of content the scripts may keep alive.
  var pageBudget = 200
  var processLimit = 5
  /// Half of the operations are drawn from the rarer ones.
  var drawsEveryCall = false
  /// Whether vm.overcommit is set, and reserved swap brought close to what it allows.
  var limitsReservations = false
  /// Frames that the machine could page out when it was fresh, roughly.
  var pageableFrameCount = 0
  /// One step in this many has something fail; 0: none.
  var failsOneIn = 0
  private var nextProcess = 1
  private var pagesInUse = 0
  private var stepCount = 0

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  /// The next steps are for a fresh machine.
  mutating func startMachine() {
    nextProcess = 1
    stepCount = 0
  }

  /// A step of `process`, or nil when the draw came out as something that the specification leaves open.
  mutating func step(_ model: ReferenceModel, _ process: ModelProcess) -> ScriptStep? {
    stepCount += 1
    if stepCount % 8 == 1 { pagesInUse = model.contentPageCount }
    guard var operation = operation(model, process) else { return nil }
    if !isMemoryOnly { operation = varied(operation, process) }
    if model.leavesOpen(operation, process) { return nil }
    // What ends the process is rare, and process 1 does none of it: everything would end with it.
    if model.endsProcess(operation, process), process.number == 0 || !random.chance(oneIn: 25) { return nil }
    if case .fork = operation.innermost { nextProcess += 1 }
    return ScriptStep(
      process.number, operation, noise: random.next(), failure: failure(operation, model, process))
  }

  /// Now and then something fails; process 1 is spared what would end it, and so are those who wait for others.
  private mutating func failure(
    _ operation: Operation, _ model: ReferenceModel, _ process: ModelProcess
  ) -> InjectedFailure? {
    guard failsOneIn > 0, random.chance(oneIn: failsOneIn), let point = random.pick(FailurePoint.allCases) else {
      return nil
    }
    if point.isTransfer && (process.number == 0 || !random.chance(oneIn: 8)) { return nil }
    if case .misplaced = operation { return nil }
    if model.running.contains(where: { $0.blocked != nil }) { return nil }
    return InjectedFailure(point, number: UInt32(random.number(in: 1...4)))
  }

  private mutating func operation(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    if let operation = reserving(model, process) { return operation }
    if drawsEveryCall && random.chance(oneIn: 2) { return various(model, process) }
    if pagesInUse > pageBudget * 5 / 4 || pagesInUse > pageBudget && random.chance(oneIn: 2) {
      return releasing(model, process)
    }
    if pagesInUse < pageBudget * 3 / 4 && random.chance(oneIn: 3) { return filling(process) }
    switch random.number(below: 100) {
    case 0..<14: return load(process)
    case 14..<33: return store(process)
    case 33..<42: return map(process)
    case 42..<47: return unmap(process)
    case 47..<52: return protect(process)
    case 52..<58: return process.descriptors.count > 24 ? .close(descriptor: descriptor(process)) : open(model)
    case 58..<65: return resize(process)
    case 65..<70: return readOrWrite(process, writes: false)
    case 70..<75: return readOrWrite(process, writes: true)
    case 75..<77: return .status(descriptor: anyDescriptor(process), is2008: !isMemoryOnly && random.chance(oneIn: 4))
    case 77..<79: return .close(descriptor: descriptor(process))
    case 79..<82: return fork(model, process)
    case 82:
      return random.chance(oneIn: 4)
        ? .evict : !isMemoryOnly && random.chance(oneIn: 3) ? execute() : .status(descriptor: descriptor(process))
    case 83: return process.number == 0 ? nil : .exit(status: Int32(random.number(below: 256)))
    default: return isMemoryOnly ? nil : various(model, process)
    }
  }

  mutating func fork(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    let isAllowed = model.running.count < processLimit && (isMemoryOnly || model.processes.count < 9)
    return isAllowed
      ? .fork(child: nextProcess, isPartial: !isMemoryOnly && random.chance(oneIn: 6)) : releasing(model, process)
  }

  private mutating func releasing(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    switch random.number(below: 6) {
    case 0, 1: return unmap(process)
    case 2: return .truncate(descriptor: descriptor(process), length: Int64(random.number(below: 6000)))
    case 3: return .close(descriptor: descriptor(process))
    case 4: return process.number == 0 || random.chance(oneIn: 2) ? nil : .exit(status: 0)
    default:
      guard !isMemoryOnly, let name = random.pick(model.names.keys.sorted()) else { return nil }
      return .sharedMemoryUnlink(name: name)
    }
  }

  /// A store into a page that nobody has touched yet, or a mapping that brings such pages: machines are to be short of
  /// memory most of the time.
  private mutating func filling(_ process: ModelProcess) -> Operation? {
    let untouched = process.memory.filter { _, view in
      view.protection & 2 != 0 && view.copy == nil && !view.isUncertain && !view.isBeyondEnd
        && (view.object.map { view.isShared && $0.pages[view.objectPage] == nil } ?? true)
    }
    if let page = random.pick(untouched.keys.sorted()) {
      return .store(
        address: page * 4096 + UInt64(random.number(below: 4096 - 16)), byteCount: 16,
        pattern: UInt8(random.number(below: 256)))
    }
    let count = 8 + random.number(below: 17)
    let first = random.number(below: Program.windowPageCount - count)
    return .map(
      address: Program.window + UInt64(first) * 4096, byteCount: UInt64(count) * 4096, protection: 3,
      flags: random.chance(oneIn: 2) ? 0x1012 : 0x1011, descriptor: -1, offset: 0)
  }

  // MARK: Arguments

  /// A descriptor of shared memory, most of the time.
  mutating func descriptor(_ process: ModelProcess) -> Int32 {
    if !isMemoryOnly && random.chance(oneIn: 8) { return Int32(random.number(in: -1...12)) }
    if !isMemoryOnly && random.chance(oneIn: 25), let device = device(process) { return device }
    return random.pick(process.descriptors.filter { $0.value.file.object != nil }.keys.sorted()) ?? 99
  }

  /// A descriptor of a device or a file of /bin; the console is always there, so the others come first.
  mutating func device(_ process: ModelProcess) -> Int32? {
    let devices = process.descriptors.filter { $0.value.file.object == nil }
    let others = devices.filter { !$0.value.file.isConsole }
    return random.pick((random.chance(oneIn: 4) || others.isEmpty ? devices : others).keys.sorted())
  }

  /// A descriptor of shared memory or of something else.
  mutating func anyDescriptor(_ process: ModelProcess) -> Int32 {
    (isMemoryOnly || random.chance(oneIn: 2) ? nil : device(process)) ?? descriptor(process)
  }

  private mutating func mappedPage(_ process: ModelProcess) -> UInt64 {
    if random.chance(oneIn: 400) {
      return Program.window / 4096 + UInt64(random.number(below: Program.windowPageCount))
    }
    let pages = process.memory.keys.sorted()
    return random.pick(pages) ?? Program.buffer / 4096
  }

  private mutating func windowRange() -> (address: UInt64, byteCount: UInt64) {
    let first = random.number(below: Program.windowPageCount)
    let count = 1 + min(random.number(below: 8), random.number(below: 12))
    let end = min(Program.windowPageCount, first + count)
    return (Program.window + UInt64(first) * 4096, UInt64(end - first) * 4096)
  }

  // MARK: Operations

  private mutating func load(_ process: ModelProcess) -> Operation {
    if !isMemoryOnly && random.chance(oneIn: 8) { return fetch(process) }
    let page = mappedPage(process)
    let offset = random.number(below: 4096)
    let count = 1 + random.number(below: min(64, 4096 - offset))
    return .load(address: page * 4096 + UInt64(offset), byteCount: count)
  }

  /// From where it is allowed, most of the time.
  private mutating func fetch(_ process: ModelProcess) -> Operation {
    let executable = process.memory.filter { $0.value.protection & 4 != 0 && $0.key >= Program.window / 4096 }
    let page = random.chance(oneIn: 12) ? nil : random.pick(executable.keys.sorted())
    return .fetch(address: (page ?? mappedPage(process)) * 4096 + UInt64(random.number(below: 4096)))
  }

  private mutating func store(_ process: ModelProcess) -> Operation {
    let page = mappedPage(process)
    let offset = random.number(below: 4096)
    let count = 1 + random.number(below: min(64, 4096 - offset))
    return .store(
      address: page * 4096 + UInt64(offset), byteCount: count, pattern: UInt8(random.number(below: 256)))
  }

  private mutating func map(_ process: ModelProcess) -> Operation? {
    let range = windowRange()
    let isAnonymous = random.chance(oneIn: 3)
    var flags: UInt32 = random.chance(oneIn: 2) ? 1 : 2
    if isAnonymous { flags |= 0x1000 }
    let isFixed = !random.chance(oneIn: 4)
    if isFixed { flags |= 0x10 }
    if isFixed && random.chance(oneIn: 6) { flags |= 0x4000 }
    var protection = random.pick([3, 3, 3, 3, 1, 1, 0, 5] as [UInt32]) ?? 3
    var descriptor = isAnonymous ? -1 : descriptor(process)
    if !isMemoryOnly && !isAnonymous && random.chance(oneIn: 12) {
      // A file of /bin, or a device.
      let files = process.descriptors.filter { if case .program = $0.value.file.kind { true } else { false } }
      if files.isEmpty && random.chance(oneIn: 2) { return .open(path: "/bin/notes", flags: 0) }
      descriptor = random.pick(files.keys.sorted()) ?? device(process) ?? descriptor
    }
    if isMemoryOnly && !isAnonymous && process.file(descriptor)?.object == nil { return nil }
    var offset = isAnonymous ? 0 : Int64(random.number(below: 6)) * 4096
    var address = isFixed ? range.address : 0
    if !isFixed && !isMemoryOnly && random.chance(oneIn: 3) { address = hint(range.address) }
    if !isMemoryOnly && random.chance(oneIn: 5) { rarelyMap(&address, &protection, &flags, &offset, isAnonymous) }
    let guardDescriptor = flags & 0x2400 != 0 && !random.chance(oneIn: 8) ? -1 : descriptor
    return .map(
      address: address, byteCount: range.byteCount, protection: protection, flags: flags,
      descriptor: guardDescriptor, offset: offset)
  }

  /// Where a mapping that may be anywhere would like to be: mostly there, now and then around the program.
  private mutating func hint(_ address: UInt64) -> UInt64 {
    if !random.chance(oneIn: 6) { return address }
    return random.pick([0x1000, Program.text - 8 * 4096, Program.text, Program.dataEnd, 32 << 30]) ?? 0
  }

  /// What mmap(2) is rarely told.
  private mutating func rarelyMap(
    _ address: inout UInt64, _ protection: inout UInt32, _ flags: inout UInt32, _ offset: inout Int64,
    _ isAnonymous: Bool
  ) {
    let wanted: [UInt32] = [0x200, 0x800, 0x20_000, 0x40_000, 0x20, 0x40, 0x80, 0x100, 0x8000, 0x4000, 3, 0x80_000]
    switch random.number(below: 10) {
    case 0: flags ^= random.pick(wanted) ?? 0
    case 1: flags = flags & 0x10 | 0x80_000 | 0x1002
    case 2: flags |= UInt32(random.pick([1, 12, 13, 16, 21, 22, 11, 64, 2]) ?? 12) << 24
    case 3:
      // A guard, or nearly.
      flags = flags & 0x4010 | 0x2000
      protection = random.chance(oneIn: 6) ? 1 : 0
      offset = 0
    case 4:
      flags = flags & 0x4013 | 0x400
      offset = 0
    case 5: offset += Int64(random.number(below: 4096))
    case 6: protection |= UInt32(random.number(below: 8)) << 16
    case 7: protection = random.pick([8, 0x80, 0x8_0000, 7, 6, 2, 4]) ?? 8
    case 8: address = random.pick([0, 0x1000, 0x3FFF_FFFF_F000, 1 << 46, UInt64.max & ~4095, address + 5]) ?? 0
    default:
      if !isAnonymous { offset = random.pick([1 << 33, -4096, Int64.max & ~4095, Int64(3) << 40]) ?? 0 }
    }
  }

  private mutating func unmap(_ process: ModelProcess) -> Operation {
    if random.chance(oneIn: 3), let page = random.pick(process.memory.keys.filter { !Self.isProgram($0) }.sorted()) {
      return .unmap(address: page * 4096, byteCount: UInt64(1 + random.number(below: 4)) * 4096)
    }
    let range = windowRange()
    return .unmap(address: range.address, byteCount: range.byteCount)
  }

  private mutating func protect(_ process: ModelProcess) -> Operation {
    let range = windowRange()
    var protection = random.pick([3, 3, 3, 1, 1, 0] as [UInt32]) ?? 3
    if !isMemoryOnly && random.chance(oneIn: 6) { protection = random.pick([5, 5, 7, 4]) ?? 5 }
    if !isMemoryOnly && random.chance(oneIn: 20) {
      protection = random.pick([5, 7, 8, 0x3_0001, 0x1_0003, 0x7_0003, 0x3_0003]) ?? 7
    }
    return .protect(address: range.address, byteCount: range.byteCount, protection: protection)
  }

  /// An address of no memory, most of the time.
  mutating func badAddress(_ process: ModelProcess) -> UInt64 {
    switch random.number(below: 8) {
    case 0: 8
    case 1: 1 << 46
    case 2: UInt64.max - 3
    case 3: 0xFFFF_8000_0000_0000
    case 4: Program.text + 16
    case 5: Program.dataEnd
    default: Program.window + UInt64(random.number(below: Program.windowPageCount)) * 4096
    }
  }

  static func isProgram(_ page: UInt64) -> Bool { page < Program.window / 4096 && page < 0x1000 }

  private mutating func open(_ model: ReferenceModel) -> Operation {
    if isMemoryOnly || random.chance(oneIn: 4) {
      return .sharedMemoryOpen(
        name: nil, flags: 2, mode: 0o600, sharedMemoryFlags: isMemoryOnly ? 0 : UInt32(random.number(below: 4)))
    }
    if random.chance(oneIn: 7) { return openFile() }
    let name = "/" + (random.pick(["a", "b", "c", "longer name/with a slash", "é"]) ?? "a")
    var flags: UInt32 = random.pick([0, 2, 2, 2]) ?? 2
    if !random.chance(oneIn: 5) { flags |= 0x200 }
    if random.chance(oneIn: 6) { flags |= 0x800 }
    if random.chance(oneIn: 6) { flags |= 0x400 }
    if random.chance(oneIn: 4) { flags |= 0x10_0000 }
    if random.chance(oneIn: 30) { flags |= 0x1000 }
    let is2008 = random.chance(oneIn: 8)
    return .sharedMemoryOpen(
      name: name, flags: flags, mode: random.pick([0o600, 0o644, 0o666, 0o777, 0, 0o4755]) ?? 0o600,
      sharedMemoryFlags: is2008 ? 0 : random.chance(oneIn: 4) ? UInt32(random.number(below: 5)) : 0, is2008: is2008)
  }

  private mutating func resize(_ process: ModelProcess) -> Operation {
    var length: Int64 =
      random.chance(oneIn: 3)
      ? Int64(random.number(below: 10)) * 4096 : Int64(random.number(below: 40_000))
    if !isMemoryOnly && random.chance(oneIn: limitsReservations ? 200 : 50) {
      length = random.pick([-1, 1 << 33, 1 << 45, Int64.max, 1]) ?? 0
    }
    return .truncate(descriptor: descriptor(process), length: length)
  }

  mutating func readOrWrite(_ process: ModelProcess, writes: Bool) -> Operation? {
    let descriptor = descriptor(process)
    if isMemoryOnly && process.file(descriptor)?.object == nil { return nil }
    var count = random.chance(oneIn: 3) ? 1 + random.number(below: 9000) : 1 + random.number(below: 200)
    var address = Program.buffer + UInt64(random.number(below: 4096))
    if random.chance(oneIn: 3) { address = mappedPage(process) * 4096 + UInt64(random.number(below: 4096)) }
    var offset: Int64? = isMemoryOnly || random.chance(oneIn: 2) ? Int64(random.number(below: 30_000)) : nil
    if !isMemoryOnly && random.chance(oneIn: 25) {
      switch random.number(below: 4) {
      case 0: count = random.pick([0, -1]) ?? 0
      case 1: offset = random.pick([-1, 1 << 33, Int64.max - 10]) ?? 0
      case 2: address = badAddress(process)
      default: address = Program.dataEnd - UInt64(random.number(below: 6000))
      }
    }
    return writes
      ? .write(descriptor: descriptor, address: address, byteCount: count, offset: offset)
      : .read(descriptor: descriptor, address: address, byteCount: count, offset: offset)
  }
}
