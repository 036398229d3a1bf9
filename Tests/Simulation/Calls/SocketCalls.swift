// Calls on sockets: on one, or on one of a pair, that a step makes and closes again, so that scripts need not know of sockets.

import ABI

extension SimulatedCalls {
  static let socketCalls: [any SimulatedCall.Type] = [
    SocketMakingCall.self, SocketAskingCall.self, SocketMessageCall.self, SocketNameCall.self,
    CredentialsCall.self, SendFileCall.self,
  ]
}

/// What a step makes first.
enum SocketSetting: Int, Codable, CaseIterable {
  /// A socket that is not connected.
  case alone
  /// Two that are.
  case pair
  /// Nothing: the descriptor is not open.
  case nothing
}

extension SimulatedCall {
  /// Where a pair's descriptors go.
  fileprivate var pairAddress: UInt64 { Program.output + 0x2E0 }

  /// Makes what the call is made on, makes it, and closes everything again.
  func make(
    on setting: SocketSetting, _ type: UInt64, _ machine: KernelMachine, by process: Int, first: Int32? = nil,
    before: (Int, [UInt64]) throws(Difference) -> Void = { _, _ in }
  ) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    var descriptors: [UInt64] = []
    switch setting {
    case .alone:
      let made = try machine.call(process, .socket, [1, type, 0])
      guard case .value(let descriptor) = made else { return made }
      descriptors = [descriptor]
    case .pair:
      let made = try machine.call(process, .socketpair, [1, type, 0, pairAddress])
      guard case .value = made else { return made }
      try machine.fetch(process, at: pairAddress, .third, 8)
      guard let told = machine.outputs.last?.bytes, told.count == 8 else { return .ended }
      descriptors = [UInt64(told[0]) | UInt64(told[1]) << 8, UInt64(told[4]) | UInt64(told[5]) << 8]
    case .nothing: break
    }
    try before(process, descriptors)
    let front = first.map { [UInt64(bitPattern: Int64($0))] } ?? []
    let observation = try machine.call(process, number, front + [descriptors.first ?? 77] + registers)
    try collect(machine, by: process, observation)
    if case .ended = observation { return observation }
    for descriptor in descriptors { _ = try machine.call(process, .close, [descriptor]) }
    return observation
  }

  /// What making that gives when it is refused.
  fileprivate func settingError(
    _ setting: SocketSetting, _ type: UInt64, _ model: ReferenceModel, _ process: ModelProcess
  ) -> Errno? {
    let count = setting == .pair ? 2 : setting == .alone ? 1 : 0
    return count == 0 ? nil : model.socketError(process, count: count, type: type)
  }
}

/// socket(2) or socketpair(2); what they make is closed at once
struct SocketMakingCall: SimulatedCall {
  var isPair: Bool
  var domain: Int32 = 1
  var type: UInt32

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [("socket", SocketMakingCall(isPair: false, type: 1)), ("socketpair", SocketMakingCall(isPair: true, type: 5))]
  }

  var number: SystemCallNumber { isPair ? .socketpair : .socket }
  var arguments: [CallArgument] { [.int(domain), .word(type), .int(0)] + (isPair ? [.output(8)] : []) }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile] }

  private var typeError: Errno? {
    if domain != 1 { return .eafnosupport }
    switch type & ~0x3000_0000 {
    case 1, 2, 5: return nil
    case 0: return .eprotonosupport
    default: return .eprototype
    }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if isPair, let error = typeError { return .error(error) }
    let error = model.socketError(process, count: isPair ? 2 : 1, type: UInt64(type))
    if let error, error != .enobufs { return .error(error) }
    if let error = typeError ?? error { return .error(error) }
    let first = process.freeDescriptor()
    guard isPair else { return .value(UInt64(first)) }
    if !model.reaches(process, .output, 8, write: true) { return .error(.efault) }
    let bytes = try model.output(.output, 8)
    try model.check("the first end", bytes, 0, 4, UInt64(first))
    try model.check("the second end", bytes, 4, 4, UInt64(process.freeDescriptor(from: first + 1)))
    return .value(0)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let observation = try machine.call(process, number, registers)
    try collect(machine, by: process, observation)
    guard case .value(let descriptor) = observation else { return observation }
    if !isPair {
      _ = try machine.call(process, .close, [descriptor])
    } else if let told = machine.outputs.last?.bytes, told.count == 8 {
      _ = try machine.call(process, .close, [UInt64(told[0]) | UInt64(told[1]) << 8])
      _ = try machine.call(process, .close, [UInt64(told[4]) | UInt64(told[5]) << 8])
    }
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SocketMakingCall(
      isPair: generator.random.chance(oneIn: 2), domain: generator.random.chance(oneIn: 12) ? 2 : 1,
      type: generator.random.pick([1, 2, 5, 1, 2, 5, 0x1000_0001, 0x2000_0005, 0x3000_0002, 3, 0, 0x4000_0001]) ?? 1)
  }
}

/// shutdown(2), listen(2), getsockname(2), getpeername(2), getsockopt(2) or setsockopt(2)
struct SocketAskingCall: SimulatedCall {
  enum Kind: Int, Codable, CaseIterable { case shut, listen, accept, accept4, ownName, peerName, option, setOption }

  var kind: Kind
  var setting: SocketSetting
  var type: UInt64 = 1
  /// How, or which option.
  var argument: Int32 = 0

  static var weight: Int { 6 }
  static var examples: [CallExample] {
    Kind.allCases.map {
      ("\($0) of a socket", SocketAskingCall(kind: $0, setting: .pair, argument: $0 == .option ? 0x1008 : 4))
    }
  }

  var number: SystemCallNumber {
    switch kind {
    case .shut: .shutdown
    case .listen: .listen
    case .accept: .accept
    case .accept4: .accept4
    case .ownName: .getsockname
    case .peerName: .getpeername
    case .option: .getsockopt
    case .setOption: .setsockopt
    }
  }
  /// Behind the descriptor.
  var arguments: [CallArgument] {
    let length = KernelMachine.bytes(of: UInt32(16))
    return switch kind {
    case .shut, .listen: [.int(argument)]
    case .accept: [.null, .null]
    case .accept4: [.null, .null, .int(argument)]
    case .ownName, .peerName: [.output(16), .input(length, at: .second)]
    case .option: [.int(0xFFFF), .int(argument), .output(4), .input(KernelMachine.bytes(of: UInt32(4)), at: .second)]
    case .setOption: [.int(0xFFFF), .int(argument), .input(KernelMachine.bytes(of: UInt32(1))), .word(4)]
    }
  }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile] }
  /// Making the pair stores two descriptors.
  var transferErrors: [Errno] { [.efault] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if let error = settingError(setting, type, model, process) { return .error(error) }
    if kind == .shut && !(0...2).contains(argument) { return .error(.einval) }
    if kind == .accept4 && argument & ~0x3000_0000 != 0 { return .error(.einval) }
    let hasLength = kind == .ownName || kind == .peerName || kind == .option
    if hasLength && !model.reaches(process, .second, 4, write: false) { return .error(.efault) }
    if setting == .nothing { return .error(.ebadf) }
    if let error = error(model, process) { return .error(error) }
    if kind == .ownName || kind == .peerName {
      if !model.reaches(process, .output, 16, write: true) { return .error(.efault) }
      let bytes = try model.output(.output, 16)
      try model.check("the name of a socket", bytes, 0, 8, 0x0110)
    }
    if kind == .option {
      if !model.reaches(process, .output, 4, write: true) { return .error(.efault) }
      try model.check("an option", try model.output(.output, 4), 0, 4, value)
    }
    if hasLength && !model.reaches(process, .second, 4, write: true) { return .error(.efault) }
    return .value(0)
  }

  private func error(_ model: ReferenceModel, _ process: ModelProcess) -> Errno? {
    let isPair = setting == .pair
    switch kind {
    case .shut, .peerName: return isPair ? nil : .enotconn
    case .listen: return type == 2 ? .eopnotsupp : isPair ? .einval : .edestaddrreq
    case .accept, .accept4: return .einval
    case .ownName: return nil
    case .option: return Self.options[argument] == nil ? .enoprotoopt : nil
    case .setOption:
      if argument == 0x7777 || argument == 0x1008 { return .enoprotoopt }
      return model.reaches(process, .input, 4, write: false) ? nil : .efault
    }
  }

  /// What options say of a new stream; 0: something else.
  private static let options: [Int32: UInt64] = [0x1002: 8192, 0x1004: 1, 0x1007: 0, 0x1008: 0, 0x1019: 1, 4: 0, 2: 0]

  private var value: UInt64 {
    if argument == 0x1008 { return type }
    if argument == 0x1002 && type == 2 { return 16_384 }
    return Self.options[argument] ?? 0
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    try make(on: setting, type, machine, by: process)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    switch kind {
    case .ownName, .peerName: try machine.fetch(process, observation, .output, 16)
    case .option: try machine.fetch(process, observation, .output, 4)
    default: return
    }
    try machine.fetch(process, observation, .second, 4)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let kind = generator.random.pick(Kind.allCases) ?? .shut
    let arguments: [Int32] =
      switch kind {
      case .option: [0x1002, 0x1004, 0x1007, 0x1008, 0x1019, 4, 2, 0x7777]
      case .setOption: [4, 8, 0x800, 0x1008, 0x7777]
      default: [0, 1, 2, 3]
      }
    return SocketAskingCall(
      kind: kind, setting: generator.random.pick([.alone, .pair, .pair, .nothing]) ?? .pair,
      type: generator.random.pick([1, 2, 5]) ?? 1, argument: generator.random.pick(arguments) ?? 0)
  }
}

/// sendto(2), recvfrom(2), sendmsg(2) or recvmsg(2) of a few bytes; what is received was sent before
struct SocketMessageCall: SimulatedCall {
  enum Kind: Int, Codable, CaseIterable { case send, receive, sendMessage, receiveMessage }

  var kind: Kind
  var setting: SocketSetting
  var type: UInt64 = 1
  var byteCount: Int

  static var weight: Int { 8 }
  static var examples: [CallExample] {
    Kind.allCases.flatMap { kind in
      [100, 700].map { ("\(kind) of \($0) bytes", SocketMessageCall(kind: kind, setting: .pair, byteCount: $0)) }
    }
  }

  var number: SystemCallNumber {
    switch kind {
    case .send: .sendto
    case .receive: .recvfrom
    case .sendMessage: .sendmsg
    case .receiveMessage: .recvmsg
    }
  }
  private static let doNotWait: Int32 = 0x80
  private var isSend: Bool { kind == .send || kind == .sendMessage }
  private var isMessage: Bool { kind == .sendMessage || kind == .receiveMessage }
  private var piece: UInt64 { isSend ? Program.buffer : Program.buffer + 4096 }

  /// Behind the descriptor.
  var arguments: [CallArgument] {
    if !isMessage { return [.word(piece), .word(byteCount), .int(Self.doNotWait), .null, .null] }
    let pieces = KernelMachine.bytes(of: piece) + KernelMachine.bytes(of: UInt64(byteCount))
    return [.input(header(Program.place(.second))), .int(Self.doNotWait), .input(pieces, at: .second)]
  }

  /// struct msghdr, with where the vector lies.
  private func header(_ vector: UInt64) -> [UInt8] {
    [0, 0, vector, 1, 0, 0].flatMap { KernelMachine.bytes(of: $0 as UInt64) }
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile, .eagain] }
  var transferErrors: [Errno] { [.efault, .eagain] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    // The buffer is that of the program as it was loaded, or nothing is known of it.
    process.access(Program.buffer, 8192, write: true) != .fine
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if let error = settingError(setting, type, model, process) { return .error(error) }
    if isMessage {
      if !model.reaches(process, .input, 48, write: false) || !model.reaches(process, .second, 16, write: false) {
        return .error(.efault)
      }
    }
    if setting == .nothing { return .error(.ebadf) }
    if setting == .alone {
      if type != 2 { return .error(.enotconn) }
      return .error(isSend ? .edestaddrreq : .eagain)
    }
    if isSend {
      _ = model.load(process, [ModelPiece(address: piece, byteCount: UInt64(byteCount))], byteCount)
      return .value(UInt64(byteCount))
    }
    let sent = model.load(process, [ModelPiece(address: Program.buffer, byteCount: UInt64(byteCount))], byteCount)
    model.store(process, sent, in: [ModelPiece(address: piece, byteCount: UInt64(byteCount))])
    if isMessage && !model.reaches(process, .input, 48, write: true) { return .error(.efault) }
    try model.compare([ModelPiece(address: piece, byteCount: UInt64(byteCount))], sent)
    return .value(UInt64(byteCount))
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    try make(on: setting, type, machine, by: process) { process, descriptors throws(Difference) in
      let vector = machine.place(.second)
      if isMessage && vector != Program.place(.second) { _ = try machine.prepare(process, header(vector), at: .input) }
      guard descriptors.count == 2, !isSend else { return }
      _ = try machine.call(
        process, .sendto, [descriptors[1], Program.buffer, UInt64(byteCount), UInt64(Self.doNotWait), 0, 0])
    }
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    guard !isSend else { return }
    if case .value(let count) = observation { try machine.fetch(process, at: piece, .output, Int(count)) }
    if isMessage { try machine.fetch(process, observation, .input, 48) }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SocketMessageCall(
      kind: generator.random.pick(Kind.allCases) ?? .send,
      setting: generator.random.pick([.pair, .pair, .pair, .alone, .nothing]) ?? .pair,
      type: generator.random.pick([1, 2, 5]) ?? 1, byteCount: 1 + generator.random.number(below: 3000))
  }
}

/// bind(2), connect(2), bindat(2) or connectat(2) of a socket that is closed afterwards: the name stays
struct SocketNameCall: SimulatedCall {
  var binds: Bool
  var path: String
  /// Where a relative path would begin (bindat(2), connectat(2)).
  var start: Int32?

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [
      ("bind", SocketNameCall(binds: true, path: "/tmp/a")), ("connect", SocketNameCall(binds: false, path: "/tmp/a")),
      ("bindat", SocketNameCall(binds: true, path: "/tmp/a", start: -100)),
      ("connectat", SocketNameCall(binds: false, path: "/tmp/a", start: 99)),
    ]
  }

  var number: SystemCallNumber {
    start == nil ? binds ? .bind : .connect : binds ? .bindat : .connectat
  }
  private var address: [UInt8] { [0, 1] + Array(path.utf8) }
  /// Behind the descriptor.
  var arguments: [CallArgument] { [.input(address), .word(address.count)] }
  var memoryErrors: [Errno] { [.enobufs, .enfile, .emfile] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if let error = settingError(.alone, 1, model, process) { return .error(error) }
    if !model.reaches(process, .input, address.count, write: false) { return .error(.efault) }
    let name = model.socketNames[path]
    if !binds {
      guard let name else { return .error(path == "/dev/null" ? .enotsock : .enoent) }
      return .error(name.mayWrite(process) ? .econnrefused : .eacces)
    }
    if path == "/dev/null" || name != nil { return .error(.eaddrinuse) }
    if path == "/x" { return .error(.erofs) }
    if path == "/no/x" { return .error(.enoent) }
    if path.hasPrefix("/var/run") && process.credentials.effectiveUser != 0 { return .error(.eacces) }
    model.socketNames[path] = ModelSocketName(
      user: process.credentials.effectiveUser, group: 0, mode: 0o777 & ~process.mask)
    return .value(0)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    try make(on: .alone, 1, machine, by: process, first: start)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let paths = ["/tmp/a", "/tmp/b", "/tmp/c", "/var/run/d", "/dev/null", "/x", "/no/x", "/tmp/../tmp//a"]
    return SocketNameCall(
      binds: generator.random.chance(oneIn: 2), path: generator.random.pick(Array(paths.dropLast())) ?? "/tmp/a",
      start: generator.random.pick([nil, nil, -100, 99]) ?? nil)
  }
}
