// kqueue(2), kqueuex(2), kevent(2): a queue that a step makes, uses and closes, so that scripts need not know of queues. And
// sigfastblock(2), and wait6(2) as it is refused.

import ABI

extension SimulatedCalls {
  static let queueCalls: [any SimulatedCall.Type] = [
    QueueCall.self, QueueEventsCall.self, FastBlockCall.self, SelectiveWaitCall.self,
  ]
}

/// kqueue(2) or kqueuex(2); the queue is closed at once
struct QueueCall: SimulatedCall {
  /// Nil: kqueue(2).
  var flags: UInt32?

  static var weight: Int { 2 }
  static var examples: [CallExample] { [("kqueue", QueueCall()), ("kqueuex", QueueCall(flags: 1))] }

  var number: SystemCallNumber { flags == nil ? .kqueue : .kqueuex }
  var arguments: [CallArgument] { flags.map { [.word($0)] } ?? [] }
  var memoryErrors: [Errno] { [.enomem, .enfile, .emfile] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if let flags, flags > 1 { return .error(.einval) }
    if let error = model.fileLimitError(process) { return .error(error) }
    return .value(UInt64(process.freeDescriptor()))
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let observation = try machine.call(process, number, registers)
    guard case .value(let descriptor) = observation else { return observation }
    _ = try machine.call(process, .close, [descriptor])
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    QueueCall(flags: generator.random.pick([nil, 0, 1, 2]) ?? nil)
  }
}

/// kevent(2), or that of FreeBSD 11, on a queue that is made before and closed afterwards: one trigger is registered, pulled, and
/// told
struct QueueEventsCall: SimulatedCall {
  var isOld = false
  var identifier: UInt64 = 7

  /// EVFILT_USER
  private static let filter: Int16 = -11

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [
      ("kevent", QueueEventsCall()), ("kevent of FreeBSD 11", QueueEventsCall(isOld: true)),
    ]
  }

  var number: SystemCallNumber { isOld ? .kevent2008 : .kevent }
  private var size: Int { isOld ? 32 : 64 }
  private func change(_ flags: UInt16, _ notes: UInt32) -> [UInt8] {
    let kind = UInt64(UInt16(bitPattern: Self.filter)) | UInt64(flags) << 16 | UInt64(notes) << 32
    let words = [identifier, kind, 3, 9] + [UInt64](repeating: 0, count: size / 8 - 4)
    return words.flatMap { KernelMachine.bytes(of: $0) }
  }
  /// Added, then pulled.
  private var changes: [UInt8] { change(1, 0) + change(0, 0xc100_0005) }
  var arguments: [CallArgument] {
    let time = [UInt8](repeating: 0, count: 16)
    return [.input(changes), .int(2), .output(size), .int(1), .input(time, at: .second)]
  }
  /// A note that cannot be made is told in the list, and what is to be pulled is not there then.
  var memoryErrors: [Errno] { [.enomem, .enfile, .emfile, .enoent] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    // The call before it has said that there is no queue.
    if let error = model.fileLimitError(process) { return .error(error) }
    if !model.reaches(process, .second, 16, write: false) || !model.reaches(process, .input, 2 * size, write: false)
      || !model.reaches(process, .output, size, write: true)
    {
      return .error(.efault)
    }
    let bytes = try model.output(.output, size)
    try model.check("ident", bytes, 0, 8, identifier)
    try model.check("filter", bytes, 8, 2, UInt64(UInt16(bitPattern: Self.filter)))
    try model.check("fflags", bytes, 12, 4, 5)
    try model.check("data", bytes, 16, 8, 3)
    try model.check("udata", bytes, 24, 8, 9)
    return .value(1)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let made = try machine.call(process, .kqueue, [])
    guard case .value(let descriptor) = made else { return made }
    let observation = try machine.call(process, number, [descriptor] + registers)
    try collect(machine, by: process, observation)
    if case .ended = observation { return observation }
    _ = try machine.call(process, .close, [descriptor])
    return observation
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    try machine.fetch(process, observation, .output, size)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    QueueEventsCall(
      isOld: generator.random.chance(oneIn: 2),
      identifier: generator.random.pick([0, 7, UInt64.max]) ?? 0)
  }
}

/// sigfastblock(2) where nothing was set, or with what cannot be a word; or while a word is set that says this, which is taken away
/// again afterwards
struct FastBlockCall: SimulatedCall {
  var operation: Int32
  var word: UInt32?

  static var weight: Int { 1 }
  static var examples: [CallExample] {
    [("sigfastblock", FastBlockCall(operation: 2)), ("sigfastblock of a word", FastBlockCall(operation: 2, word: 1))]
  }

  var number: SystemCallNumber { .sigfastblock }
  var arguments: [CallArgument] { [.int(operation), .register(operation == 1 ? 0x1001 : 0)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let word else { return .error(.einval) }
    switch operation {
    case 1: return .error(.ebusy)
    case 2: return word == 1 ? .value(0) : .error(.ebusy)
    case 3: return word <= 1 ? .value(0) : .error(.ebusy)
    default: return .error(.einval)
    }
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let word else { return try machine.call(process, number, machine.prepare(arguments, by: process) ?? []) }
    func call(_ operation: UInt64) throws(Difference) -> Observation {
      try machine.call(process, number, [operation, operation == 1 ? Program.place(.third) : 0])
    }
    func put(_ word: UInt32) throws(Difference) -> Bool {
      try machine.prepare(process, KernelMachine.bytes(of: word), at: .third)
    }
    guard try call(1) == .value(0), try put(word) else { return .ended }
    let observation = try call(UInt64(operation))
    if operation == 2 && observation == .value(0) {
      guard try machine.load(process, Program.place(.third), byteCount: 4) == [0, 0, 0, 0] else {
        throw Difference("the word of sigfastblock is not 0")
      }
    }
    guard try put(0) else { return .ended }
    if operation != 3 || observation != .value(0) { _ = try call(3) }
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    FastBlockCall(
      operation: generator.random.pick([1, 2, 2, 3, 3, 4, 0]) ?? 0,
      word: generator.random.pick([nil, 0, 1, 1, 16, 17]) ?? nil)
  }
}

/// wait6(2) for nobody, or for nothing
struct SelectiveWaitCall: SimulatedCall {
  var type: Int32
  var options: UInt32

  static var weight: Int { 2 }
  static var examples: [CallExample] { [("wait6", SelectiveWaitCall(type: 0, options: 16))] }

  var number: SystemCallNumber { .wait6 }
  var arguments: [CallArgument] { [.int(type), .word(99_999), .output(4), .word(options), .null, .null] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    options & ~63 != 0 || options & 0x36 == 0 ? .error(.einval) : .error(.echild)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SelectiveWaitCall(
      type: generator.random.pick([0, 2, 3, 1, 9]) ?? 0, options: generator.random.pick([16, 17, 6, 0, 1, 64, 24]) ?? 0)
  }
}
