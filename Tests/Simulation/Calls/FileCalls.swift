// Calls on files whatever their type: open(2), fstat(2), fchmod(2), fchown(2), ioctl(2), fsync(2).

import ABI

extension SimulatedCalls {
  static let fileCalls: [any SimulatedCall.Type] = [
    OpenCall.self, StatusCall.self, ChangeModeCall.self, ChangeOwnerCall.self, DeviceControlCall.self,
    SynchronizeCall.self,
  ]
}

/// open(2), or openat(2) with a directory descriptor
struct OpenCall: SimulatedCall {
  var path: String
  var flags: UInt32
  var directory: Int32?

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("open", OpenCall(path: "/bin/notes", flags: .readOnlyFile)),
      ("open of a descriptor", OpenCall(path: "/dev/fd/3", flags: .readWriteFile)),
      ("open of /dev/random", OpenCall(path: "/dev/random", flags: .readOnlyFile)),
      ("openat", OpenCall(path: "dev/zero", flags: .readWriteFile, directory: -100)),
    ]
  }

  var number: SystemCallNumber { directory == nil ? .open : .openat }
  var arguments: [CallArgument] {
    (directory.map { [.int($0)] } ?? []) + [.path(path), .word(flags), .word(0o666)]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enfile, .emfile, .enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.open(process, path, flags, directory)
  }

  private static let paths = [
    "/dev/null", "/dev/zero", "/dev/console", "/bin/script", "/bin/notes", "/dev/null", "/dev/zero", "/dev/console",
    "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/fd/0", "/dev/fd/3", "/dev/fd/4", "/dev/fd/77",
    "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd", "/dev/fd/03", "/dev/fd/x", "/dev/fd/3/", "/dev/tty/x",
    "/", "/bin", "/dev/none", "/bin/none", "/none", "", "dev/zero", "/dev/null/x", "/bin/notes/", "//bin//notes",
    "/" + String(repeating: "n", count: 256), "/dev/" + String(repeating: "n", count: 1100),
  ]

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.isFull(process) { return nil }
    // What can be mapped comes up more often than the rest.
    var call = OpenCall(path: "/bin/notes", flags: .readOnlyFile)
    if !generator.random.chance(oneIn: 8) { call.path = generator.random.pick(paths) ?? call.path }
    let isProgram = call.path.hasPrefix("/bin/") && !generator.random.chance(oneIn: 3)
    if !isProgram { call.flags = generator.random.pick([0, 0, 1, 2, 2, 3]) ?? 0 }
    for bit in [0x4, 0x8, 0x200, 0x400, 0x800, 0x2_0000, 0x10_0000] as [UInt32] {
      if generator.random.chance(oneIn: 8) { call.flags |= bit }
    }
    if generator.random.chance(oneIn: 3) { call.directory = generator.random.pick([-100, -100, 0, 3, 99]) }
    return call
  }
}

/// fstat(2), or with `is2008` the call 189
struct StatusCall: SimulatedCall {
  var descriptor: Int32
  var is2008 = false

  static var weight: Int { 0 }
  static var examples: [CallExample] {
    [
      ("fstat", StatusCall(descriptor: 3)), ("fstat of 2008", StatusCall(descriptor: 3, is2008: true)),
      ("fstat of a file of /bin", StatusCall(descriptor: 4)),
    ]
  }

  var number: SystemCallNumber { is2008 ? .fstat2008 : .fstat }
  var arguments: [CallArgument] {
    [.int(descriptor), .output(is2008 ? Stat2008.byteCount : Stat.byteCount)]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.status(process, descriptor, is2008)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    StatusCall(
      descriptor: generator.anyDescriptor(process),
      is2008: !generator.isMemoryOnly && generator.random.chance(oneIn: 4))
  }
}

/// fchmod(2)
struct ChangeModeCall: SimulatedCall {
  var descriptor: Int32
  var mode: UInt16

  static var examples: [CallExample] {
    [
      ("fchmod", ChangeModeCall(descriptor: 3, mode: 0o640)),
      ("fchmod of a file of /bin", ChangeModeCall(descriptor: 4, mode: 0o640)),
    ]
  }

  var number: SystemCallNumber { .fchmod }
  var arguments: [CallArgument] { [.int(descriptor), .word(mode)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.changeMode(process, descriptor, mode)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ChangeModeCall(
      descriptor: generator.anyDescriptor(process), mode: UInt16(generator.random.number(below: 0o10000)))
  }
}

/// fchown(2); −1 leaves a value
struct ChangeOwnerCall: SimulatedCall {
  var descriptor: Int32
  var user: Int32
  var group: Int32

  static var examples: [CallExample] {
    [
      ("fchown", ChangeOwnerCall(descriptor: 3, user: 1, group: 1)),
      ("fchown of the console", ChangeOwnerCall(descriptor: 0, user: 1, group: 1)),
    ]
  }

  var number: SystemCallNumber { .fchown }
  var arguments: [CallArgument] { [.int(descriptor), .int(user), .int(group)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.changeOwner(process, descriptor, user, group)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ChangeOwnerCall(
      descriptor: generator.anyDescriptor(process), user: Int32(generator.random.number(in: -1...2)),
      group: Int32(generator.random.number(in: -1...2)))
  }
}

/// ioctl(2); the word is what a request that reads finds
struct DeviceControlCall: SimulatedCall {
  var descriptor: Int32
  var request: UInt32
  var word: UInt32 = 0

  static var examples: [CallExample] {
    [
      ("ioctl", DeviceControlCall(descriptor: 3, request: 0x8004_667E, word: 1)),
      ("ioctl of the console", DeviceControlCall(descriptor: 0, request: 0x402C_7413)),
    ]
  }

  var number: SystemCallNumber { .ioctl }
  var arguments: [CallArgument] {
    let request = InputOutputControl(rawValue: request)
    let byteCount = request.parameterByteCount
    let parameter = KernelMachine.bytes(of: word) + [UInt8](repeating: 0, count: byteCount)
    return [
      .int(descriptor), .word(request.rawValue),
      request.copiesIn ? .input(Array(parameter.prefix(byteCount))) : .output(request.copiesOut ? byteCount : 0),
    ]
  }

  /// FIOSETOWN and FIOGETOWN of devices.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    process.isNoObject(descriptor) && (request == 0x4004_667B || request == 0x8004_667C)
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.deviceControl(process, descriptor, request, word)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let requests: [UInt32] = [
      0x2000_6601, 0x2000_6602, 0x4004_667F, 0x4004_667A, 0x4004_741A, 0x2000_7461, 0x4004_7473, 0x2000_745E,
      0xC008_6662, 0x8004_667E, 0x8004_667D, 0x8004_667C, 0x4004_667B, 0xC008_6661, 0x8030_6664, 0x4030_6665,
      0x402C_7413, 0x4008_7468, 0x4004_7400, 0x2000_0001, 0x4000_0001, 0x2008_0001, 0x1, 0x8080_0001, 0x4100_0001,
    ]
    let descriptor =
      generator.random.chance(oneIn: 2)
      ? Int32(generator.random.number(below: 3)) : generator.descriptor(process)
    return DeviceControlCall(
      descriptor: descriptor, request: generator.random.pick(requests) ?? 0,
      word: UInt32(generator.random.number(below: 2)))
  }
}

/// fsync(2) or fdatasync(2)
struct SynchronizeCall: SimulatedCall {
  var descriptor: Int32
  var onlyData = false

  static var examples: [CallExample] {
    [
      ("fsync", SynchronizeCall(descriptor: 3)), ("fsync of a file of /bin", SynchronizeCall(descriptor: 4)),
      ("fdatasync", SynchronizeCall(descriptor: 3, onlyData: true)),
    ]
  }

  var number: SystemCallNumber { onlyData ? .fdatasync : .fsync }
  var arguments: [CallArgument] { [.int(descriptor)] }

  /// Shared memory is no vnode (spec shm.md section 3.30); of files and devices nothing is ever behind.
  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    return file.isObject ? .error(.einval) : .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SynchronizeCall(descriptor: generator.anyDescriptor(process), onlyData: generator.random.chance(oneIn: 2))
  }
}
