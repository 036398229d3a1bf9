// Threads that scripts make, signal, suspend, wake and end: thr_new(2), thr_kill(2), thr_kill2(2), thr_wake(2), and _umtx_op(2) on
// words that others wake.

import ABI

extension OperationGenerator {
  /// Whether one more thread may wait for others: process 1 and somebody else are left to wake it.
  func mayBlock(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard process.number != 0, !isMemoryOnly, catchesSignals else { return false }
    return model.running.contains { other in
      other.number != 0 && other.isRunnable && (other !== process || other.threads.filter(\.isRunnable).count > 1)
    }
  }

  /// A word that threads of a process, or others, might wait for.
  mutating func word(_ process: ModelProcess) -> UInt64 {
    let shared = process.memory.filter { page, view in
      view.isShared && view.object != nil && view.protection & 3 == 3 && view.inheritance == nil && !view.isBeyondEnd
        && !view.isLocked && page >= Program.window / 4096
    }
    let place = UInt64(random.number(below: 3)) * 64
    if random.chance(oneIn: 2), let page = random.pick(shared.keys.sorted()) { return page * 4096 + place }
    return Program.words + place
  }

  /// A thread of the process, now and then of another.
  fileprivate mutating func threadTarget(_ model: ReferenceModel, _ process: ModelProcess) -> (Int, Int)? {
    let owner = random.chance(oneIn: 8) ? random.pick(model.running.filter { $0.number != 0 }) ?? process : process
    return random.pick(owner.threads).map { (owner.number, $0.number) }
  }
}

/// thr_new(2) of a thread that goes by `thread` in the script
struct MakeThreadCall: SimulatedCall {
  var thread: Int
  /// Which stack it has.
  var stack: Int
  var argument: UInt64 = 0
  var base: UInt64 = 0

  static var weight: Int { 3 }
  static var examples: [CallExample] { [("thr_new", MakeThreadCall(thread: 1, stack: 1, argument: 7))] }

  var number: SystemCallNumber { .thrNew }
  var memoryErrors: [Errno] { [.enomem] }
  var changesState: Bool { true }
  private var top: UInt64 { Program.stack(stack) + Program.threadStackByteCount }
  private var parameters: [UInt8] {
    let words: [UInt64] = [
      Program.text, argument, Program.stack(stack), Program.threadStackByteCount, base, 0, Program.output,
      Program.output + 0x300, 0, 0, 0, 0, 0,
    ]
    return words.flatMap { KernelMachine.bytes(of: $0) }
  }
  var arguments: [CallArgument] { [.input(parameters), .int(104)] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.number == 0 || process.threads.count > Program.threadLimit || process.thread(thread) != nil
      || process.threads.contains { $0.stackSlot == stack }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !model.reaches(process, .input, 104, write: false) { return .error(.efault) }
    if base >= ReferenceModel.userEnd { return .error(.einval) }
    let made = ModelThread(number: thread)
    made.mask = process.thread.mask
    made.segmentBases = [base, process.thread.segmentBases[1]]
    made.stackSlot = stack
    process.threads.append(made)
    process.hasHadThreads = true
    guard observed == .value(0) else { return .value(0) }
    let told = littleEndian(try model.output(.output, 8), 0)
    if told != littleEndian(try model.output(.second, 8), 0) { throw Difference("thr_new gives two identifiers") }
    try model.learn(identifier: told, of: made)
    return .value(0)
  }

  func make(_ machine: KernelMachine, by actor: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: actor) else { return .ended }
    let made = Actor.number(process: Actor.process(actor), thread: thread)
    machine.childBeingMade = made
    machine.threadStart = ThreadStart(
      maker: actor,
      registers: [(.rip, Program.text), (.rdi, argument), (.rsp, top - 8), (.rbp, 0)])
    let observation = try machine.call(actor, number, registers)
    guard observation == .value(0) else {
      machine.childBeingMade = nil
      machine.threadStart = nil
      return observation
    }
    // It has to be met before another can be made.
    guard try machine.schedule(made) else { throw Difference("a thread ended before it began") }
    try machine.fetch(actor, at: Program.output, .output, 8)
    try machine.fetch(actor, at: Program.output + 0x300, .second, 8)
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard generator.catchesSignals, process.number != 0 else { return nil }
    let free = (1...Program.threadLimit).filter { slot in !process.threads.contains { $0.stackSlot == slot } }
    guard let stack = free.first else { return nil }
    return MakeThreadCall(
      thread: generator.takeThreadNumber(), stack: stack, argument: generator.random.next(),
      base: generator.random.pick([0, 0, 0x60_0010, 1 << 46]) ?? 0)
  }
}

/// thr_kill(2), or thr_kill2(2) with the process; no thread: all but the caller
struct ThreadSignalCall: SimulatedCall {
  var process: Int
  var thread: Int?
  var signal: Int32
  var tellsProcess = false

  static var weight: Int { 6 }
  static var examples: [CallExample] {
    [
      ("thr_kill of a thread", ThreadSignalCall(process: 2, thread: 0, signal: 0)),
      ("thr_kill2 of a thread", ThreadSignalCall(process: 2, thread: 0, signal: 17, tellsProcess: true)),
    ]
  }

  var number: SystemCallNumber { tellsProcess ? .thrKill2 : .thrKill }
  var arguments: [CallArgument] {
    let target = thread.map { CallArgument.thread(Actor.number(process: process, thread: $0)) } ?? .word(-1)
    return (tellsProcess ? [.processes(.process(process))] : []) + [target, .int(signal)]
  }

  func leavesOpen(_ model: ReferenceModel, _ caller: ModelProcess) -> Bool {
    if process == 0 && signal != 0 { return true }
    return KillCall(target: .process(process), signal: signal).leavesOpen(model, caller)
  }

  func answer(_ model: ReferenceModel, _ caller: ModelProcess, _ observed: Observation) -> Expectation {
    model.signalThread(caller, tellsProcess ? process : caller.number, process, thread, signal)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    try machine.settleSignals()
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard generator.catchesSignals, let (owner, thread) = generator.threadTarget(model, process) else { return nil }
    let signals: [Int32] = [0, 30, 30, 30, 1, 16, 65, 15, 31, 28, 19, 129, 17]
    return ThreadSignalCall(
      process: owner, thread: generator.random.chance(oneIn: 6) ? nil : thread,
      signal: generator.random.pick(signals) ?? 0,
      tellsProcess: owner != process.number || generator.random.chance(oneIn: 4))
  }
}

/// thr_wake(2) of another thread of the process
struct WakeThreadCall: SimulatedCall {
  var thread: Int

  static var weight: Int { 2 }
  static var examples: [CallExample] { [("thr_wake of a thread that is not there", WakeThreadCall(thread: 5))] }

  var number: SystemCallNumber { .thrWake }
  var arguments: [CallArgument] { [.ownThread(thread)] }

  /// Its own next sleep would be over at once, whatever it is.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { process.thread.number == thread }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let target = process.thread(thread) else { return .error(.esrch) }
    target.hasWake = true
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.random.pick(process.threads).map { WakeThreadCall(thread: $0.number) }
  }
}

/// _umtx_op(2): waits for a word, without a time
struct WordWaitCall: SimulatedCall {
  var operation: Int32
  var address: UInt64
  var value: UInt64

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [("_umtx_op on a word that is another", WordWaitCall(operation: 11, address: Program.words, value: 77))]
  }

  var number: SystemCallNumber { .umtxOp }
  var arguments: [CallArgument] { [.register(address), .int(operation), .register(value), .null, .null] }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.efault] }
  private var byteCount: Int { operation == 2 ? 8 : 4 }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    if process.access(address, byteCount, write: true) != .fine || !model.isPlainWord(process, address) { return true }
    return process.number == 0 && littleEndian(process.load(address, byteCount), 0, byteCount: byteCount) == value
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    let thread = process.thread
    if thread.isWoken {
      thread.isWoken = false
      thread.key = nil
      return .value(0)
    }
    let key = model.key(process, address, isPrivate: operation == 15)
    guard littleEndian(process.load(address, byteCount), 0, byteCount: byteCount) == value else { return .value(0) }
    model.sleepCount += 1
    thread.sleepNumber = model.sleepCount
    thread.key = key
    return .blocked
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard generator.catchesSignals else { return nil }
    let address = generator.word(process)
    let operation = generator.random.pick([2, 11, 15, 15] as [Int32]) ?? 15
    let byteCount = operation == 2 ? 8 : 4
    guard process.access(address, byteCount, write: true) == .fine, model.isPlainWord(process, address) else {
      return nil
    }
    var value = littleEndian(process.load(address, byteCount), 0, byteCount: byteCount)
    if !generator.mayBlock(model, process) || generator.random.chance(oneIn: 6) { value ^= 5 }
    return WordWaitCall(operation: operation, address: address, value: value)
  }
}

/// _umtx_op(2): wakes those who wait for a word
struct WordWakeCall: SimulatedCall {
  var operation: Int32
  var address: UInt64
  var count: Int32

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("_umtx_op that wakes nobody", WordWakeCall(operation: 3, address: Program.words, count: 1))]
  }

  var number: SystemCallNumber { .umtxOp }
  var arguments: [CallArgument] { [.register(address), .int(operation), .word(count), .null, .null] }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.efault] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.access(address, 4, write: true) != .fine || !model.isPlainWord(process, address)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.wake(model.key(process, address, isPrivate: operation == 16), atMost: max(1, Int(count)))
    // The place is looked for as if it were to be written.
    if operation == 3 { _ = process.load(address, 4) }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard generator.catchesSignals else { return nil }
    return WordWakeCall(
      operation: generator.random.pick([3, 16, 16]) ?? 16, address: generator.word(process),
      count: generator.random.pick([1, 1, 2, 0, -1, Int32.max]) ?? 1)
  }
}
