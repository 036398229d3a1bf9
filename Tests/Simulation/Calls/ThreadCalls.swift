// Threads: thr_self(2), thr_exit(2), thr_suspend(2) and their like, and calls on threads as they are refused.

import ABI

extension SimulatedCalls {
  static let threadCalls: [any SimulatedCall.Type] = [
    ThreadIdentifierCall.self, NewThreadCall.self, CreateThreadCall.self, ThreadExitCall.self, ThreadNameCall.self,
    ThreadSuspensionCall.self,
    ThreadWakeCall.self, AffinityCall.self, SetAffinityCall.self, UserMutexCall.self, MakeThreadCall.self,
    ThreadSignalCall.self, WakeThreadCall.self, WordWaitCall.self, WordWakeCall.self,
  ]
}

/// thr_self(2)
struct ThreadIdentifierCall: SimulatedCall {
  static var examples: [CallExample] { [("thr_self", ThreadIdentifierCall())] }

  var number: SystemCallNumber { .thrSelf }
  var arguments: [CallArgument] { [.output(8)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.threadIdentifier(process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ThreadIdentifierCall()
  }
}

/// thr_new(2), as it is refused
struct NewThreadCall: SimulatedCall {
  var byteCount: Int32 = 104

  static var weight: Int { 1 }
  static var examples: [CallExample] {
    [("thr_new with a bad base", NewThreadCall()), ("thr_new with a bad size", NewThreadCall(byteCount: 105))]
  }

  var number: SystemCallNumber { .thrNew }
  var memoryErrors: [Errno] { [.enomem] }
  private var parameters: [UInt8] {
    // The stack is where output goes, the base of the fs segment where no program is.
    let words: [UInt64] = [0x1000, 0, Program.output, 0x80, UInt64.max, 0, 0, 0, 0, 0, 0, 0, 0]
    return Array(words.flatMap { KernelMachine.bytes(of: $0) }.prefix(max(0, Int(byteCount))))
  }
  var arguments: [CallArgument] { [.input(parameters), .int(byteCount)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if byteCount < 0 || byteCount > 104 { return .error(.einval) }
    if !model.reaches(process, .input, Int(byteCount), write: false) { return .error(.efault) }
    return .error(byteCount < 40 ? .efault : .einval)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    NewThreadCall(byteCount: generator.random.pick([104, -1, 105, 0, 16]) ?? 104)
  }
}

/// thr_create(2), as it is refused: a context of another length
struct CreateThreadCall: SimulatedCall {
  static var weight: Int { 1 }
  static var examples: [CallExample] { [("thr_create with a bad context", CreateThreadCall())] }

  var number: SystemCallNumber { .thrCreate }
  var memoryErrors: [Errno] { [.enomem] }
  var arguments: [CallArgument] { [.input([UInt8](repeating: 0, count: 880)), .null, .int(0)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.reaches(process, .input, 880, write: false) ? .error(.einval) : .error(.efault)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CreateThreadCall()
  }
}

/// thr_exit(2); the last thread of a process stays
struct ThreadExitCall: SimulatedCall {
  static var weight: Int { 2 }
  static var examples: [CallExample] { [("thr_exit", ThreadExitCall())] }

  var number: SystemCallNumber { .thrExit }
  var arguments: [CallArgument] { [.null] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.exitThread(process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ThreadExitCall()
  }
}

/// thr_set_name(2) of the caller, if it knows its identifier, or of nobody
struct ThreadNameCall: SimulatedCall {
  var identifier: UInt64
  var name: String

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("thr_set_name", ThreadNameCall(identifier: 7, name: "name"))] }

  var number: SystemCallNumber { .thrSetName }
  var arguments: [CallArgument] { [.register(identifier), .path(name)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !model.reaches(process, .path, min(19, name.utf8.count + 1), write: false) { return .error(.efault) }
    return process.threads.contains { $0.identifier == identifier } ? .value(0) : .error(.esrch)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ThreadNameCall(
      identifier: generator.random.chance(oneIn: 4) ? 7 : process.thread.identifier ?? UInt64.max,
      name: generator.random.pick(["", "worker", "a name of more than nineteen bytes"]) ?? "")
  }
}

/// thr_suspend(2), until its time is over or, without one, another thread wakes it
struct ThreadSuspensionCall: SimulatedCall {
  var seconds: Int64 = 0
  var nanoseconds: Int64
  var isEndless = false

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("thr_suspend", ThreadSuspensionCall(nanoseconds: 1_000_000))] }

  var number: SystemCallNumber { .thrSuspend }
  var arguments: [CallArgument] {
    if isEndless { return [.null] }
    return [.input([seconds, nanoseconds].flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) })]
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    isEndless && process.number == 0 && !process.thread.hasWake
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !isEndless {
      if !model.reaches(process, .input, 16, write: false) { return .error(.efault) }
      if seconds < 0 || nanoseconds < 0 || nanoseconds >= 1_000_000_000 { return .error(.einval) }
    }
    if process.thread.hasWake {
      process.thread.hasWake = false
      return .value(0)
    }
    return isEndless
      ? .blocked : seconds < 0 || nanoseconds < 0 || nanoseconds >= 1_000_000_000 ? .error(.einval) : .error(.etimedout)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.mayBlock(model, process) && generator.random.chance(oneIn: 2) {
      return ThreadSuspensionCall(nanoseconds: 0, isEndless: true)
    }
    return ThreadSuspensionCall(
      seconds: generator.random.pick([0, 0, 0, -1]) ?? 0,
      nanoseconds: generator.random.pick([0, 1, 20_000_000, -1, 1_000_000_000]) ?? 0)
  }
}

/// thr_wake(2) of nobody
struct ThreadWakeCall: SimulatedCall {
  var identifier: Int64

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("thr_wake", ThreadWakeCall(identifier: 1))] }

  var number: SystemCallNumber { .thrWake }
  var arguments: [CallArgument] { [.word(identifier)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    .error(.esrch)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ThreadWakeCall(identifier: generator.random.pick([0, -1, 1, Int64.max]) ?? 0)
  }
}

/// cpuset_getaffinity(2) of the caller
struct AffinityCall: SimulatedCall {
  var level: Int32 = 3
  var kind: Int32 = 1
  var identifier: Int64 = -1
  var byteCount = 8

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("cpuset_getaffinity", AffinityCall())] }

  var number: SystemCallNumber { .cpusetGetaffinity }
  var arguments: [CallArgument] {
    [.int(level), .int(kind), .word(identifier), .word(byteCount), .output(byteCount)]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if level < 1 || level > 3 || ![1, 2, 3, 5, 9].contains(kind) { return .error(.einval) }
    if identifier != -1 { return .error(.esrch) }
    if byteCount == 0 { return .error(.erange) }
    if !model.reaches(process, .output, byteCount, write: true) { return .error(.efault) }
    try model.check("processors", model.output(.output, byteCount), 0, 8, 1)
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    AffinityCall(
      level: generator.random.pick([3, 3, 1, 2, 0, 4]) ?? 3, kind: generator.random.pick([1, 2, 3, 5, 9, 4]) ?? 1,
      identifier: generator.random.pick([-1, -1, -1, 55_555]) ?? -1,
      byteCount: generator.random.pick([8, 8, 0, 200]) ?? 8)
  }
}

/// cpuset_setaffinity(2) of the caller
struct SetAffinityCall: SimulatedCall {
  var mask: UInt64
  var level: Int32 = 3

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("cpuset_setaffinity", SetAffinityCall(mask: 1))] }

  var number: SystemCallNumber { .cpusetSetaffinity }
  var arguments: [CallArgument] {
    [.int(level), .int(1), .word(Int64(-1)), .word(8), .input(KernelMachine.bytes(of: mask))]
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !model.reaches(process, .input, 8, write: false) { return .error(.efault) }
    if mask == 0 { return .error(.edeadlk) }
    return level == 3 && mask == 1 ? .value(0) : .error(.einval)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SetAffinityCall(
      mask: generator.random.pick([1, 1, 0, 2, 3]) ?? 1, level: generator.random.pick([3, 3, 3, 7]) ?? 3)
  }
}

/// _umtx_op(2) of a thread that nobody wakes, on a word or structure of its own
struct UserMutexCall: SimulatedCall {
  var operation: Int32
  var words: [UInt32]
  var value: UInt64 = 0
  var nanoseconds: Int64?

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("_umtx_op that sleeps", UserMutexCall(operation: 15, words: [7], value: 7, nanoseconds: 1_000_000)),
      ("_umtx_op of a shared word", UserMutexCall(operation: 3, words: [7])),
      ("_umtx_op that makes an object", UserMutexCall(operation: 25, words: [0], value: 1)),
      ("_umtx_op that locks", UserMutexCall(operation: 5, words: [0, 1, 0, 0, 0, 0, 0, 0])),
    ]
  }

  var number: SystemCallNumber { .umtxOp }
  var arguments: [CallArgument] {
    let time = [0, nanoseconds ?? 0].flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) }
    return [
      .input(words.flatMap { KernelMachine.bytes(of: $0) }), .int(operation), .word(value),
      operation == 25 ? .word(Program.input) : nanoseconds == nil ? .null : .word(16),
      nanoseconds == nil ? .null : .input(time, at: .second),
    ]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem, .enfile] }
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { operation == 25 }

  /// What it leaves in the first word of a free object that it locks, or of a semaphore that it waits for: the caller's
  /// identifier, or this. Nil: what was there.
  private var stored: UInt32? {
    switch operation {
    case 12: 1
    case 13: 0x8000_0000
    case 23: words[0] == 0 ? 0x8000_0000 : nil
    default: nil
    }
  }
  private var locksMutex: Bool { operation == 4 || operation == 5 }

  /// Whether it has left something there.
  private func hasStored(_ observed: Observation) -> Bool {
    let isDone = observed == .value(0) || operation == 23 && observed == .error(Errno.etimedout.rawValue)
    return isDone && (locksMutex || stored != nil)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    if hasStored(observation) { try machine.fetch(process, at: machine.place(.input), .input, 4) }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if operation == 25 { return .anything }
    let usesTime = [2, 5, 11, 15, 17, 23].contains(operation)
    if usesTime, let nanoseconds {
      if !model.reaches(process, .second, 16, write: false) { return .error(.efault) }
      if nanoseconds < 0 || nanoseconds >= 1_000_000_000 { return .error(.einval) }
    }
    func reads(_ byteCount: Int) -> Bool { model.reaches(process, .input, byteCount, write: false) }
    func writes(_ byteCount: Int) -> Bool { model.reaches(process, .input, byteCount, write: true) }
    switch operation {
    case 0, 1, 19, 20: return .error(.eopnotsupp)
    case 16: return .value(0)
    case 15:
      if !reads(4) { return .error(.efault) }
      return value == UInt64(words[0]) ? .error(.etimedout) : .value(0)
    // The word is not looked at, only where it begins.
    case 3: return writes(1) ? .value(0) : .error(.efault)
    case 6: return reads(8) ? .error(.eperm) : .error(.efault)
    case 14: return reads(8) ? .error(.eperm) : .error(.efault)
    case 4, 5, 12, 13, 23:
      if !writes(8) { return .error(.efault) }
      try checkStored(model, process, observed)
      return operation == 23 && words[0] == 0 ? .error(.etimedout) : .value(0)
    default: return .error(.einval)
    }
  }

  /// Looks at what it left behind.
  private func checkStored(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) {
    guard hasStored(observed) else { return }
    let bytes = try model.output(.input, 4)
    if let stored { return try model.check("the word", bytes, 0, 4, UInt64(stored)) }
    try model.learn(identifier: littleEndian(bytes, 0, byteCount: 4), of: process.thread)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let free = [UInt32](repeating: 0, count: 8)
    var call = UserMutexCall(
      operation: generator.random.pick([3, 4, 5, 6, 12, 13, 14, 15, 16, 23, 0, 19, 29, -1]) ?? 3, words: free)
    call.words[1] = UInt32(generator.random.number(below: 2))
    if call.operation == 15 || call.operation == 23 {
      call.words[0] = UInt32(generator.random.number(below: 3))
      call.value = UInt64(generator.random.number(below: 3))
      call.nanoseconds = Int64(generator.random.pick([0, 1, 15_000_000, -1, 1_000_000_000]) ?? 0)
    }
    return call
  }
}
