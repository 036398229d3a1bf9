// What the simulation has to know of a system call. Each is a type that says it all in one place: its number and arguments,
// how it is drawn, what the reference model answers, what may fail. The files beside this one hold them by kind, and
// `SimulatedCalls.all` lists them.
//
// Number, arguments and answer are enough for most. From the arguments follow how the machine makes the call, which of its
// pointers may point elsewhere, and what is read back afterwards.

import ABI

/// A system call with its arguments, as scripts make it.
protocol SimulatedCall: Equatable, Sendable, Codable {
  /// How often it is drawn among the rarer operations, compared with the others; 0: only where the generator wants it.
  static var weight: Int { get }
  /// Draws one; nil when there is none to make at the moment.
  static func draw(
    _ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess
  ) -> Self?
  /// One for each way in which it allocates or transfers, for exhaustive failure. They find descriptor 3 on an object that is
  /// mapped at `Program.window`, 4 on a file of /bin, and a child with the number 2.
  static var examples: [CallExample] { get }

  /// Its number.
  var number: SystemCallNumber { get }
  /// Its arguments.
  var arguments: [CallArgument] { get }
  /// What the specification says that it gives; takes over its effects.
  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation

  // MARK: What most leave as it is

  /// Whether it changes maps, objects, names or memory.
  var changesState: Bool { get }
  /// Its errors for want of memory.
  var memoryErrors: [Errno] { get }
  /// Its errors when a page cannot be read from swap or written there. A page of the caller's is a bad address.
  var transferErrors: [Errno] { get }
  /// Whether it only gives back, so that it is never refused for want of memory.
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool
  /// Whether the specification leaves open what it gives, or what it leaves behind.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool
  /// Whether it waits for another process or for input.
  func waits(_ model: ReferenceModel, _ process: ModelProcess) -> Bool
  /// Makes it on a machine.
  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation
  /// Reads back what the kernel stored, once it has returned.
  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference)
}

/// A call for exhaustive failure, and what that case is called.
typealias CallExample = (name: String, call: any SimulatedCall)

/// An argument of a call.
enum CallArgument: Equatable {
  /// A whole register.
  case register(UInt64)
  /// An int: what is above its 32 bits is noise.
  case int(Int32)
  /// A process or processes, as an int.
  case processes(ProcessTarget)
  /// A thread of the script (`Actor`), by the kernel's number for it.
  case thread(Int)
  /// A thread of the caller's process, by its number in the script.
  case ownThread(Int)
  /// Whatever is in the register.
  case anything
  /// The address of a string.
  case path(String)
  /// The address of bytes that the call reads.
  case input([UInt8], at: CallPointer = .input)
  /// The address of so many bytes that the call fills; 0: the address only.
  case output(Int, at: CallPointer = .output)

  /// A number that takes the whole register.
  static func word(_ value: some BinaryInteger) -> CallArgument { .register(UInt64(truncatingIfNeeded: value)) }
  /// The null pointer.
  static var null: CallArgument { .register(0) }

  /// The pointer that it is, if it is one that may point elsewhere.
  var use: (pointer: CallPointer, bytes: PointerUse)? {
    switch self {
    case .path(let text): (.path, PointerUse(byteCount: text.utf8.count + 1, isFilled: false))
    case .input(let bytes, let pointer):
      bytes.isEmpty ? nil : (pointer, PointerUse(byteCount: bytes.count, isFilled: false))
    case .output(let byteCount, let pointer):
      byteCount == 0 ? nil : (pointer, PointerUse(byteCount: byteCount, isFilled: true))
    default: nil
    }
  }
}

/// What a pointer of a call points to: how many bytes, and whether the kernel fills them.
struct PointerUse: Equatable {
  var byteCount: Int
  var isFilled: Bool
}

extension SimulatedCall {
  static var weight: Int { 2 }
  var changesState: Bool { false }
  var memoryErrors: [Errno] { [] }
  var transferErrors: [Errno] { arguments.contains { $0.use != nil } ? [.efault] : [] }
  func givesBack(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { false }
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { false }
  func waits(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { false }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let observation = try machine.call(process, number, registers)
    try collect(machine, by: process, observation)
    return observation
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    for case .output(let byteCount, let pointer) in arguments {
      try machine.fetch(process, observation, pointer, byteCount)
    }
  }
}

/// Every call of the simulation.
enum SimulatedCalls {
  static let all: [any SimulatedCall.Type] =
    memoryCalls + sharedMemoryCalls + fileCalls + transferCalls + pipeCalls + descriptorCalls + fileSystemCalls
    + capabilityCalls
    + processCalls
    + threadCalls + priorityCalls + signalCalls + queueCalls + pollCalls + socketCalls + packetCalls + pathCalls
    + identityCalls + timeCalls + timerCalls
    + systemCalls + [ValueCall.self]

  static let totalWeight = all.reduce(0) { $0 + $1.weight }
}

/// A call of whichever kind.
public struct MadeCall: Equatable, Sendable, Codable, CustomStringConvertible {
  let call: any SimulatedCall

  init(_ call: any SimulatedCall) { self.call = call }

  /// The call as Swift source, nearly.
  public var description: String { "\(call)" }

  /// Whether kind and arguments are the same.
  public static func == (left: MadeCall, right: MadeCall) -> Bool {
    func isRight<Call: SimulatedCall>(_ call: Call) -> Bool { right.call as? Call == call }
    return isRight(left.call)
  }

  private enum Key: CodingKey { case kind, call }

  /// Reads a call by the name of its kind.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    let name = try container.decode(String.self, forKey: .kind)
    guard let kind = SimulatedCalls.all.first(where: { "\($0)" == name }) else {
      throw DecodingError.dataCorruptedError(forKey: .kind, in: container, debugDescription: name)
    }
    call = try kind.init(from: container.superDecoder(forKey: .call))
  }

  /// Writes it with the name of its kind.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode("\(type(of: call))", forKey: .kind)
    try call.encode(to: container.superEncoder(forKey: .call))
  }
}
