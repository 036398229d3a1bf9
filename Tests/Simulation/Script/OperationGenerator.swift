// Chooses what scripted processes do next: mostly sensible, sometimes wrong, from what the model says exists.

/// Draws steps from a seed.
struct OperationGenerator {
  var random: SeededGenerator
  /// Only operations that concern memory objects and mappings, with valid arguments.
  var isMemoryOnly = false
  /// How many pages of content the scripts may keep alive.
  var pageBudget = 200
  var processLimit = 5
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
    guard let operation = operation(model, process), !model.leavesOpen(operation, process) else { return nil }
    // Accesses that end the process are rare, and process 1 makes none: everything would end with it.
    if model.endsProcess(operation, process), process.number == 0 || !random.chance(oneIn: 25) { return nil }
    if case .fork = operation { nextProcess += 1 }
    return ScriptStep(process.number, operation, noise: random.next(), failure: failure(process))
  }

  /// Now and then something fails; process 1 is spared what would end it.
  private mutating func failure(_ process: ModelProcess) -> InjectedFailure? {
    guard failsOneIn > 0, random.chance(oneIn: failsOneIn), let kind = random.pick(InjectedFailure.Kind.allCases) else {
      return nil
    }
    if kind.isTransfer && (process.number == 0 || !random.chance(oneIn: 8)) { return nil }
    return InjectedFailure(kind, number: UInt32(random.number(in: 1...4)))
  }

  private mutating func operation(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    if pagesInUse > pageBudget * 5 / 4 || pagesInUse > pageBudget && random.chance(oneIn: 2) {
      return releasing(model, process)
    }
    if pagesInUse < pageBudget * 3 / 4 && random.chance(oneIn: 3) { return filling(process) }
    switch random.number(below: 100) {
    case 0..<18: return load(process)
    case 18..<38: return store(process)
    case 38..<48: return map(process)
    case 48..<53: return unmap(process)
    case 53..<58: return protect(process)
    // The descriptor limit of a small machine is not a matter for the model.
    case 58..<64: return process.descriptors.count > 24 ? .close(descriptor: descriptor(process)) : open(model)
    case 64..<71: return resize(process)
    case 71..<76: return readOrWrite(process, writes: false)
    case 76..<82: return readOrWrite(process, writes: true)
    case 82..<86: return .status(descriptor: descriptor(process))
    case 86..<88: return .close(descriptor: descriptor(process))
    case 88..<91:
      return model.running.count < processLimit && (isMemoryOnly || model.processes.count < 9)
        ? .fork(child: nextProcess) : releasing(model, process)
    case 91:
      return random.chance(oneIn: 4)
        ? .evict : !isMemoryOnly && random.chance(oneIn: 3) ? .execute : .status(descriptor: descriptor(process))
    case 92: return process.number == 0 ? nil : .exit(status: Int32(random.number(below: 256)))
    default: return isMemoryOnly ? nil : various(model, process)
    }
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
    if !isMemoryOnly && random.chance(oneIn: 12) { return Int32(random.number(in: -1...12)) }
    return random.pick(process.descriptors.filter { $0.value.file.object != nil }.keys.sorted()) ?? 99
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
    let page = mappedPage(process)
    let offset = random.number(below: 4096)
    let count = 1 + random.number(below: min(64, 4096 - offset))
    return .load(address: page * 4096 + UInt64(offset), byteCount: count)
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
    let protection = random.pick([3, 3, 3, 3, 1, 1, 0, 5] as [UInt32]) ?? 3
    let descriptor = isAnonymous ? -1 : descriptor(process)
    if isMemoryOnly && !isAnonymous && process.file(descriptor)?.object == nil { return nil }
    let offset = isAnonymous ? 0 : Int64(random.number(below: 6)) * 4096
    return .map(
      address: isFixed ? range.address : 0, byteCount: range.byteCount, protection: protection, flags: flags,
      descriptor: descriptor, offset: offset)
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
    let protection = random.pick([3, 3, 3, 1, 1, 0] as [UInt32]) ?? 3
    return .protect(address: range.address, byteCount: range.byteCount, protection: protection)
  }

  static func isProgram(_ page: UInt64) -> Bool { page < Program.window / 4096 && page < 0x1000 }

  private mutating func open(_ model: ReferenceModel) -> Operation {
    if isMemoryOnly || random.chance(oneIn: 4) {
      return .sharedMemoryOpen(
        name: nil, flags: 2, mode: 0o600, sharedMemoryFlags: isMemoryOnly ? 0 : UInt32(random.number(below: 4)))
    }
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
    let length: Int64 =
      random.chance(oneIn: 3)
      ? Int64(random.number(below: 10)) * 4096 : Int64(random.number(below: 40_000))
    return .truncate(descriptor: descriptor(process), length: !isMemoryOnly && random.chance(oneIn: 60) ? -1 : length)
  }

  private mutating func readOrWrite(_ process: ModelProcess, writes: Bool) -> Operation? {
    let descriptor = descriptor(process)
    if isMemoryOnly && process.file(descriptor)?.object == nil { return nil }
    let count = random.chance(oneIn: 3) ? 1 + random.number(below: 9000) : 1 + random.number(below: 200)
    var address = Program.buffer + UInt64(random.number(below: 4096))
    if random.chance(oneIn: 3) { address = mappedPage(process) * 4096 + UInt64(random.number(below: 4096)) }
    let offset: Int64? = isMemoryOnly || random.chance(oneIn: 2) ? Int64(random.number(below: 30_000)) : nil
    return writes
      ? .write(descriptor: descriptor, address: address, byteCount: count, offset: offset)
      : .read(descriptor: descriptor, address: address, byteCount: count, offset: offset)
  }
}
