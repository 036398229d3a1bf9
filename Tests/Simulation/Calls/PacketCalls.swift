// socketpair(2), sendmsg(2) and recvmsg(2) on pairs that last: packets stay in their queues over steps, and with them the open
// files that nobody else may refer to any more.

import ABI

extension SimulatedCalls {
  static let packetCalls: [any SimulatedCall.Type] = [PairCall.self, SendPacketCall.self, ReceivePacketCall.self]
}

/// socketpair(2) of a pair for packets that stays open
struct PairCall: SimulatedCall {
  var closesOnExec = false

  static var weight: Int { 3 }
  static var examples: [CallExample] { [("socketpair that lasts", PairCall())] }

  var number: SystemCallNumber { .socketpair }
  var arguments: [CallArgument] { [.int(1), .word(closesOnExec ? 0x1000_0005 : 5), .int(0), .output(8)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.makePair(process, closesOnExec: closesOnExec)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let count = process.descriptors.values.count { $0.file.socket != nil }
    if generator.isFull(process) || count > 3 { return nil }
    return PairCall(closesOnExec: generator.random.chance(oneIn: 4))
  }
}

/// Where the parts of a message lie: the vector with what it points to, and what is received.
private enum PacketPlace {
  static let vector = Program.place(.third)
  static let bytes = vector + 16
  static let control = vector + 32
  static let receivedBytes = Program.output
  static let receivedControl = Program.output + 64

  /// struct msghdr
  static func header(control: UInt64, _ controlByteCount: Int) -> [UInt8] {
    [0, 0, vector, 1, control, UInt64(controlByteCount)].flatMap { KernelMachine.bytes(of: $0 as UInt64) }
  }

  /// struct iovec
  static func vector(_ address: UInt64, _ byteCount: Int) -> [UInt8] {
    KernelMachine.bytes(of: address) + KernelMachine.bytes(of: UInt64(byteCount))
  }
}

/// sendmsg(2) of a packet with descriptors
struct SendPacketCall: SimulatedCall {
  var descriptor: Int32
  var files: [Int32]
  /// Its bytes, at most sixteen.
  var bytes: [UInt8]

  static var weight: Int { 10 }
  static var examples: [CallExample] {
    [("sendmsg with a descriptor to no socket", SendPacketCall(descriptor: 3, files: [3], bytes: [1, 2]))]
  }

  var number: SystemCallNumber { .sendmsg }
  private var controlByteCount: Int { files.isEmpty ? 0 : 16 + 4 * files.count }
  var arguments: [CallArgument] {
    let control = files.isEmpty ? 0 : PacketPlace.control
    // MSG_DONTWAIT, MSG_NOSIGNAL
    return [.int(descriptor), .input(PacketPlace.header(control: control, controlByteCount)), .int(0x2_0080)]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enobufs, .enomem] }

  private var parts: [UInt8] {
    let payload = bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
    let control = [UInt32(controlByteCount), 0xFFFF, 1, 0] + files.map { UInt32(bitPattern: $0) }
    return PacketPlace.vector(PacketPlace.bytes, bytes.count) + payload
      + control.flatMap { KernelMachine.bytes(of: $0) }
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let peer = process.file(descriptor)?.socket?.peer else { return false }
    // How many there is room for; and who is only in packets that nobody can receive is found some time.
    return peer.packets.count >= 8 || files.contains { process.file($0)?.socket != nil }
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.send(process, descriptor, bytes, files)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard try machine.prepare(process, parts, at: .third), let registers = try machine.prepare(arguments, by: process)
    else { return .ended }
    return try machine.call(process, number, registers)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard let descriptor = generator.socket(process) else { return nil }
    let files = (0..<generator.random.number(below: 4)).map { _ in generator.anyDescriptor(process) }
    return SendPacketCall(
      descriptor: descriptor, files: files,
      bytes: (0...generator.random.number(below: 16)).map { UInt8($0 + process.number) })
  }
}

/// recvmsg(2) of a packet, if there is one
struct ReceivePacketCall: SimulatedCall {
  var descriptor: Int32
  var room: Int
  var controlRoom: Int
  var closesOnExec = false

  static var weight: Int { 8 }
  static var examples: [CallExample] {
    [("recvmsg from no socket", ReceivePacketCall(descriptor: 3, room: 16, controlRoom: 64))]
  }

  var number: SystemCallNumber { .recvmsg }
  var arguments: [CallArgument] {
    // MSG_DONTWAIT, MSG_CMSG_CLOEXEC
    [
      .int(descriptor), .input(PacketPlace.header(control: PacketPlace.receivedControl, controlRoom)),
      .int(closesOnExec ? 0x4_0080 : 0x80),
    ]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enobufs, .enomem, .emfile] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.receive(process, descriptor, room: room, controlRoom: controlRoom, closesOnExec: closesOnExec)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    let vector = PacketPlace.vector(PacketPlace.receivedBytes, room)
    guard try machine.prepare(process, vector, at: .third), let registers = try machine.prepare(arguments, by: process)
    else { return .ended }
    let observation = try machine.call(process, number, registers)
    try collect(machine, by: process, observation)
    return observation
  }

  /// What arrived may lie there although the call has failed.
  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    if case .ended = observation { return }
    try machine.fetch(process, at: Program.output, .output, 128)
    try machine.fetch(process, observation, .input, 48)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard let descriptor = generator.socket(process) else { return nil }
    return ReceivePacketCall(
      descriptor: descriptor, room: generator.random.pick([16, 16, 16, 3]) ?? 16,
      controlRoom: generator.random.pick([64, 64, 64, 16, 28]) ?? 64, closesOnExec: generator.random.chance(oneIn: 3))
  }
}
