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
  /// Whether processes have several threads, and handlers.
  var catchesSignals = false
  /// The number that the script gives to the next child.
  private(set) var nextProcess = 1
  private var nextThread = 1
  private var pagesInUse = 0
  private var stepCount = 0

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
  }

  /// The next steps are for a fresh machine.
  mutating func startMachine() {
    nextProcess = 1
    nextThread = 1
    stepCount = 0
  }

  /// The number that the script gives to a thread.
  mutating func takeThreadNumber() -> Int {
    nextThread += 1
    return nextThread - 1
  }

  /// A step of `process`, or nil when the draw came out as something that the specification leaves open.
  mutating func step(_ model: ReferenceModel, _ process: ModelProcess) -> ScriptStep? {
    if process.threads.count > 1, let thread = random.pick(process.threads.filter(\.isRunnable)) {
      process.thread = thread
    }
    stepCount += 1
    if stepCount % 8 == 1 { pagesInUse = model.contentPageCount }
    guard var operation = operation(model, process) else { return nil }
    if !isMemoryOnly { operation = varied(operation, process) }
    if model.leavesOpen(operation, process) { return nil }
    // What ends the process is rare, and process 1 does none of it: everything would end with it.
    if model.endsProcess(operation, process), process.number == 0 || !random.chance(oneIn: 25) { return nil }
    if operation.call is ForkCall { nextProcess += 1 }
    return ScriptStep(
      process.number, thread: process.thread.number, operation, noise: random.next(),
      failure: failure(operation, model, process))
  }

  /// Now and then something fails; process 1 is spared what would end it, and so are those who wait for others.
  private mutating func failure(
    _ operation: Operation, _ model: ReferenceModel, _ process: ModelProcess
  ) -> InjectedFailure? {
    guard failsOneIn > 0, random.chance(oneIn: failsOneIn), let point = random.pick(FailurePoint.allCases) else {
      return nil
    }
    // What cannot be stored for a handler is the end of its process.
    let hasHandlers = process.threads.count > 1 || !process.thread.frames.isEmpty || !process.signals.caught.isEmpty
    if point.isTransfer && (process.number == 0 || hasHandlers || !random.chance(oneIn: 8)) { return nil }
    if case .misplaced = operation { return nil }
    if model.running.contains(where: \.isBlocked) { return nil }
    // A pipe that cannot grow says nothing, and a console tells how far it got.
    if let write = operation.call as? WriteCall, process.file(write.descriptor)?.pipe != nil { return nil }
    if let vector = operation.call as? VectorCall, let file = process.file(vector.descriptor),
      file.pipe != nil || file.isConsole
    {
      return nil
    }
    return InjectedFailure(point, number: UInt32(random.number(in: 1...4)))
  }

  private mutating func operation(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    if let call = handling(model, process) { return .call(call) }
    if let call = reserving(model, process) { return .call(call) }
    if drawsEveryCall && random.chance(oneIn: 2) { return various(model, process) }
    if pagesInUse > pageBudget * 5 / 4 || pagesInUse > pageBudget && random.chance(oneIn: 2) {
      return releasing(model, process)
    }
    if pagesInUse < pageBudget * 3 / 4 && random.chance(oneIn: 3) { return filling(process) }
    switch random.number(below: 100) {
    case 0..<14: return load(process)
    case 14..<33: return store(process)
    case 33..<42: return drawn(MapCall.self, model, process)
    case 42..<47: return drawn(UnmapCall.self, model, process)
    case 47..<52: return drawn(ProtectCall.self, model, process)
    case 52..<58:
      if isFull(process) { return drawn(CloseCall.self, model, process) }
      let opensOther = !isMemoryOnly && random.chance(oneIn: 9)
      return opensOther ? drawn(OpenCall.self, model, process) : drawn(SharedMemoryOpenCall.self, model, process)
    case 58..<65: return drawn(TruncateCall.self, model, process)
    case 65..<70: return readOrWrite(process, writes: false)
    case 70..<75: return readOrWrite(process, writes: true)
    case 75..<77: return drawn(StatusCall.self, model, process)
    case 77..<79: return drawn(CloseCall.self, model, process)
    case 79..<82: return drawn(ForkCall.self, model, process) ?? releasing(model, process)
    case 82:
      if random.chance(oneIn: 4) { return .evict }
      let executes = !isMemoryOnly && random.chance(oneIn: 3)
      return executes ? drawn(ExecuteCall.self, model, process) : drawn(StatusCall.self, model, process)
    case 83: return drawn(ExitCall.self, model, process)
    default: return isMemoryOnly ? nil : various(model, process)
    }
  }

  /// A call of this kind.
  mutating func drawn<Call: SimulatedCall>(
    _ kind: Call.Type, _ model: ReferenceModel, _ process: ModelProcess
  ) -> Operation? {
    kind.draw(&self, model, process).map { .call($0) }
  }

  /// One of the rarer calls.
  private mutating func various(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    if let rescue = rescue(model, process) { return rescue }
    var place = random.number(below: SimulatedCalls.totalWeight)
    for kind in SimulatedCalls.all {
      place -= kind.weight
      if place < 0 { return drawn(kind, model, process) }
    }
    return nil
  }

  /// Those who are stopped, or wait for input, are not left alone for long.
  private mutating func rescue(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    let reader = model.running.first { $0.blockedCalls.contains { $0 is ReadCall } }
    if let reader, let read = reader.blockedCalls.lazy.compactMap({ $0 as? ReadCall }).first,
      let end = reader.file(read.descriptor)?.pipe
    {
      guard random.chance(oneIn: 4) else { return nil }
      let writer = process.descriptors.first { $0.value.file.pipe != nil && $0.value.file.pipe === end.peer }
      if let writer {
        return .call(WriteCall(descriptor: writer.key, address: Program.buffer, byteCount: 1 + reader.number))
      }
      return random.chance(oneIn: 10) ? .call(KillCall(target: .process(reader.number), signal: 9)) : nil
    }
    if let reader, random.chance(oneIn: 10) {
      return .type(String(repeating: "input ", count: 1 + reader.number))
    }
    let stopped = model.running.filter(\.signals.isStopped)
    guard random.chance(oneIn: 8), let target = random.pick(stopped) else { return nil }
    return .call(KillCall(target: .process(target.number), signal: random.chance(oneIn: 12) ? 9 : 19))
  }

  /// Handlers return some time, and so do those who wait for another thread.
  private mutating func handling(_ model: ReferenceModel, _ process: ModelProcess) -> (any SimulatedCall)? {
    guard catchesSignals else { return nil }
    let depth = process.thread.frames.count
    if depth > 0 && random.chance(oneIn: depth > 3 ? 1 : 8) { return SignalReturnCall.draw(&self, model, process) }
    guard random.chance(oneIn: 12), let (other, thread) = random.pick(model.blockedThreads) else { return nil }
    switch thread.blocked?.call {
    case let call as WordWaitCall where other === process || call.operation != 15:
      return WordWakeCall(operation: call.operation == 15 ? 16 : 3, address: call.address, count: 1)
    case is ThreadSuspensionCall where other === process: return WakeThreadCall(thread: thread.number)
    case let call as PollCall where random.chance(oneIn: 2):
      let ends = call.entries.compactMap { other.file($0.descriptor)?.pipe }
      let writer = process.descriptors.first { _, entry in
        ends.contains { $0 === entry.file.pipe?.peer }
      }
      return writer.map { WriteCall(descriptor: $0.key, address: Program.buffer, byteCount: 10 + process.number) }
    case is PollCall, is SuspendCall, is TakeSignalCall, is WordWaitCall, is ThreadSuspensionCall, is WaitCall,
      is ReadCall:
      let awaited = thread.awaited.union(other.signals.caught.subtracting(thread.mask)).subtracting([19])
      let signal = random.pick(awaited.sorted()) ?? (random.chance(oneIn: 10) ? 9 : 0)
      return random.chance(oneIn: 2)
        ? ThreadSignalCall(process: other.number, thread: thread.number, signal: signal, tellsProcess: true)
        : KillCall(target: .process(other.number), signal: signal)
    default: return nil
    }
  }

  /// Whether there may be another process.
  func mayFork(_ model: ReferenceModel) -> Bool {
    model.running.count < processLimit && (isMemoryOnly || model.processes.count < 9)
  }

  private mutating func releasing(_ model: ReferenceModel, _ process: ModelProcess) -> Operation? {
    switch random.number(below: 6) {
    case 0, 1: return drawn(UnmapCall.self, model, process)
    case 2:
      return .call(TruncateCall(descriptor: descriptor(process), length: Int64(random.number(below: 6000))))
    case 3: return drawn(CloseCall.self, model, process)
    case 4: return process.number == 0 || random.chance(oneIn: 2) ? nil : .call(ExitCall(status: 0))
    default:
      guard !isMemoryOnly, let name = random.pick(model.names.keys.sorted()) else { return nil }
      return .call(SharedMemoryUnlinkCall(name: name))
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
    return .call(
      MapCall(
        address: Program.window + UInt64(first) * 4096, byteCount: UInt64(count) * 4096, protection: .readWrite,
        flags: random.chance(oneIn: 2) ? .fixedPrivateMemory : .fixedSharedMemory))
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
    let devices = process.descriptors.filter { $0.value.file.object == nil && $0.value.file.socket == nil }
    let others = devices.filter { !$0.value.file.isConsole }
    return random.pick((random.chance(oneIn: 4) || others.isEmpty ? devices : others).keys.sorted())
  }

  /// A descriptor of shared memory or of something else.
  mutating func anyDescriptor(_ process: ModelProcess) -> Int32 {
    (isMemoryOnly || random.chance(oneIn: 2) ? nil : device(process)) ?? descriptor(process)
  }

  /// A descriptor of a file of /bin, if there is one.
  mutating func program(_ process: ModelProcess) -> Int32? {
    let files = process.descriptors.filter { if case .program = $0.value.file.kind { true } else { false } }
    return random.pick(files.keys.sorted())
  }

  /// A lasting socket; now and then anything.
  mutating func socket(_ process: ModelProcess) -> Int32? {
    let sockets = process.descriptors.filter { $0.value.file.socket != nil }
    return sockets.isEmpty || random.chance(oneIn: 20) ? nil : random.pick(sockets.keys.sorted())
  }

  /// Whether the process has as many descriptors as it should.
  func isFull(_ process: ModelProcess) -> Bool { process.descriptors.count > 24 }

  /// A process of the script, dead or alive, now and then none.
  mutating func target(_ model: ReferenceModel) -> ProcessTarget {
    if random.chance(oneIn: 12) {
      return random.pick([.caller, .raw(0), .raw(77_777), .raw(-77_777), .raw(Int32.min), .process(1000)]) ?? .caller
    }
    return .process(random.pick(model.identifiers.keys.sorted().suffix(12)) ?? 0)
  }

  mutating func mappedPage(_ process: ModelProcess) -> UInt64 {
    if random.chance(oneIn: 400) {
      return Program.window / 4096 + UInt64(random.number(below: Program.windowPageCount))
    }
    let pages = process.memory.keys.sorted()
    return random.pick(pages) ?? Program.buffer / 4096
  }

  mutating func windowRange() -> (address: UInt64, byteCount: UInt64) {
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

  // MARK: How a call is made

  /// Now and then a call is made through `syscall` or `__syscall`, or with a pointer that points elsewhere.
  mutating func varied(_ operation: Operation, _ process: ModelProcess) -> Operation {
    if operation.systemCalls.isEmpty { return operation }
    if random.chance(oneIn: 30) { return .through(isWide: random.chance(oneIn: 2), operation) }
    guard random.chance(oneIn: 12) else { return operation }
    let pointers = CallPointer.allCases.filter { operation.use(of: $0) != nil }
    guard let pointer = random.pick(pointers), let use = operation.use(of: pointer) else { return operation }
    var address = badAddress(process)
    if random.chance(oneIn: 3) {
      address = Program.dataEnd - UInt64(1 + random.number(below: max(1, use.byteCount)))
    } else if use.isFilled && random.chance(oneIn: 2), let page = random.pick(process.memory.keys.sorted()) {
      address = page * 4096 + UInt64(random.number(below: 4096))
    }
    return .misplaced(pointer, address, operation)
  }
}
