// Calls on sockets with more to them than their bytes: who sent a message, and sendfile(2).

import ABI

/// recvmsg(2) of a message that tells who sent it: because the sender asked for that, or the receiver wants to know
struct CredentialsCall: SimulatedCall {
  enum Kind: Int, Codable, CaseIterable { case asked, once, always }

  var kind: Kind
  var type: UInt64 = 1
  var byteCount: Int

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    Kind.allCases.map { ("recvmsg of credentials, \($0)", CredentialsCall(kind: $0, byteCount: 30)) }
  }

  var number: SystemCallNumber { .recvmsg }
  private static let doNotWait: UInt64 = 0x80
  private static let control = Program.output
  private static let controlRoom = 0x100
  private var target: UInt64 { Program.buffer + 4096 }
  /// Behind the descriptor.
  var arguments: [CallArgument] {
    let pieces = KernelMachine.bytes(of: target) + KernelMachine.bytes(of: UInt64(byteCount))
    return [.input(header(Program.place(.second))), .word(Self.doNotWait), .input(pieces, at: .second)]
  }

  /// struct msghdr, with where the vector lies.
  private func header(_ vector: UInt64) -> [UInt8] {
    [0, 0, vector, 1, Self.control, UInt64(Self.controlRoom)].flatMap { KernelMachine.bytes(of: $0 as UInt64) }
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile, .eagain] }
  var transferErrors: [Errno] { [.efault, .eagain] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.access(Program.buffer, 8192, write: true) != .fine
      || process.access(Program.output, 0x400, write: true) != .fine
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if let error = model.socketError(process, count: 2, type: type) { return .error(error) }
    if !model.reaches(process, .input, 48, write: false) || !model.reaches(process, .second, 16, write: false) {
      return .error(.efault)
    }
    let sent = model.load(process, [ModelPiece(address: Program.buffer, byteCount: UInt64(byteCount))], byteCount)
    model.store(process, sent, in: [ModelPiece(address: target, byteCount: UInt64(byteCount))])
    if !model.reaches(process, .input, 48, write: true) { return .error(.efault) }
    try model.compare([ModelPiece(address: target, byteCount: UInt64(byteCount))], sent)
    guard let bytes = model.outputs.first(where: { $0.address == Self.control })?.bytes else {
      throw Difference("no control message was stored")
    }
    let expected = message(process)
    for (index, byte) in expected.enumerated() where index >= bytes.count || bytes[index] != byte {
      throw Difference("byte \(index) of the credentials differs from \(byte)")
    }
    return .value(UInt64(byteCount))
  }

  /// The control message that arrives.
  private func message(_ process: ModelProcess) -> [UInt8] {
    let credentials = process.credentials
    let groups = Array(([credentials.effectiveGroup] + credentials.groups).prefix(16))
    var words: [UInt32]
    switch kind {
    case .asked:
      words = [
        UInt32(process.identifier), credentials.realUser, credentials.effectiveUser, credentials.realGroup,
        UInt32(groups.count),
      ]
      words += groups + [UInt32](repeating: 0, count: 16 - groups.count)
    case .once, .always:
      words = [
        credentials.realUser, credentials.effectiveUser, credentials.realGroup, credentials.effectiveGroup,
        UInt32(groups.count),
      ]
      if kind == .always { words = [0, UInt32(process.identifier)] + words }
      words += groups
    }
    let type: UInt32 = kind == .always ? 8 : 3
    return ([UInt32(16 + 4 * words.count), 0xFFFF, type, 0] + words).flatMap { KernelMachine.bytes(of: $0) }
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    try make(on: .pair, type, machine, by: process) { process, descriptors throws(Difference) in
      let vector = machine.place(.second)
      if vector != Program.place(.second) { _ = try machine.prepare(process, header(vector), at: .input) }
      guard descriptors.count == 2 else { return }
      let place = Program.place(.third)
      guard kind == .asked else {
        _ = try machine.prepare(process, KernelMachine.bytes(of: UInt32(1)), at: .third)
        _ = try machine.call(process, .setsockopt, [descriptors[0], 0, kind == .once ? 2 : 3, place, 4])
        let bytes = [descriptors[1], Program.buffer, UInt64(byteCount), Self.doNotWait, 0, 0]
        _ = try machine.call(process, .sendto, bytes)
        return
      }
      let words: [UInt64] = [
        0, 0, place + 48, 1, place + 64, 16, Program.buffer, UInt64(byteCount), 16 | 0xFFFF << 32, 3,
      ]
      _ = try machine.prepare(process, words.flatMap { KernelMachine.bytes(of: $0) }, at: .third)
      _ = try machine.call(process, .sendmsg, [descriptors[1], place, Self.doNotWait])
    }
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    if case .value(let count) = observation { try machine.fetch(process, at: target, .output, Int(count)) }
    if case .ended = observation { return }
    try machine.fetch(process, at: Self.control, .output, Self.controlRoom)
    try machine.fetch(process, observation, .input, 48)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CredentialsCall(
      kind: generator.random.pick(Kind.allCases) ?? .asked, type: generator.random.pick([1, 2, 5]) ?? 1,
      byteCount: 1 + generator.random.number(below: 600))
  }
}

/// sendfile(2) to a socket that is closed afterwards
struct SendFileCall: SimulatedCall {
  var descriptor: Int32
  var setting = SocketSetting.pair
  var offset: Int64 = 0
  var byteCount: UInt64 = 0

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("sendfile", SendFileCall(descriptor: 3, byteCount: 5000)),
      ("sendfile of a program", SendFileCall(descriptor: 4, byteCount: 100)),
    ]
  }

  var number: SystemCallNumber { .sendfile }
  /// A stream that does not wait.
  private var type: UInt64 { 0x2000_0001 }
  private static let sent = Program.output + 0x200
  /// Behind the descriptors.
  var arguments: [CallArgument] { [.word(offset), .word(byteCount), .null, .word(Self.sent)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile] }
  var transferErrors: [Errno] { [.eio, .efault] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.access(Program.output, 0x400, write: true) != .fine
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if let error = model.socketError(process, count: setting == .pair ? 2 : 1, type: type), setting != .nothing {
      return .error(error)
    }
    if offset < 0 { return .error(.einval) }
    // A number that is free is that of a socket by now, which is no source.
    let first = process.freeDescriptor()
    let isPair = setting == .pair && descriptor == process.freeDescriptor(from: first + 1)
    if setting != .nothing && descriptor == first || isPair { return .error(.einval) }
    guard let file = process.file(descriptor), file.isReadable else { return .error(.ebadf) }
    let size: Int64
    switch file.kind {
    case .sharedMemory(let object, _): size = object.size
    case .program(let content): size = Int64(content.count)
    default: return .error(.einval)
    }
    if setting == .nothing { return .error(.ebadf) }
    let wanted = byteCount == 0 ? UInt64(Int64.max) : byteCount > UInt64(Int64.max) ? 0 : byteCount
    let rest = offset < size ? min(wanted, UInt64(size - offset)) : 0
    if rest > 0 && setting == .alone { return .error(.enotconn) }
    guard let bytes = model.outputs.first(where: { $0.address == Self.sent })?.bytes else {
      throw Difference("how much was sent was not stored")
    }
    try model.check("what sendfile has sent", bytes, 0, 8, min(rest, 8192))
    return rest > 8192 ? .error(.eagain) : .value(0)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    try make(on: setting, type, machine, by: process, first: descriptor) { process, _ throws(Difference) in
      // The flags are on the stack, above the slot of a return address, or above the sixth argument.
      _ = try machine.store(
        process, [UInt8](repeating: 0, count: machine.indirection == nil ? 8 : 16), at: machine.register(.rsp) + 8)
    }
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    if case .ended = observation { return }
    try machine.fetch(process, at: Self.sent, .output, 8)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SendFileCall(
      descriptor: generator.anyDescriptor(process),
      setting: generator.random.pick([.pair, .pair, .pair, .alone, .nothing]) ?? .pair,
      offset: Int64(generator.random.number(below: 20_000)) - (generator.random.chance(oneIn: 10) ? 20_000 : 0),
      byteCount: generator.random.chance(oneIn: 3)
        ? 0 : generator.random.chance(oneIn: 20) ? 1 << 63 : UInt64(generator.random.number(below: 12_000)))
  }
}
