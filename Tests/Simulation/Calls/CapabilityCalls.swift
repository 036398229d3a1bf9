// Capsicum, as the simulation knows it: descriptors are limited to all rights there are. That changes nothing of what they are good
// for, but they have limits from then on, which go along with them wherever they go.

import ABI

extension SimulatedCalls {
  static let capabilityCalls: [any SimulatedCall.Type] = [
    LimitRightsCall.self, RightsCall.self, LimitFileCommandsCall.self, FileCommandsCall.self, LimitRequestsCall.self,
    RequestsCall.self, CapabilityModeCall.self,
  ]
}

/// cap_rights_limit(2)
struct LimitRightsCall: SimulatedCall {
  var descriptor: Int32
  var isWrong = false

  static var weight: Int { 4 }
  static var examples: [CallExample] { [("cap_rights_limit", LimitRightsCall(descriptor: 3))] }

  private var words: (UInt64, UInt64) { isWrong ? (0, 0) : CapabilityRights.all.words }
  var number: SystemCallNumber { .capRightsLimit }
  var arguments: [CallArgument] {
    [.int(descriptor), .input(KernelMachine.bytes(of: words.0) + KernelMachine.bytes(of: words.1))]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !model.reaches(process, .input, CapabilityRights.byteCount, write: false) { return .error(.efault) }
    if isWrong { return .error(.einval) }
    return process.file(descriptor) == nil ? .error(.ebadf) : .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    LimitRightsCall(
      descriptor: generator.descriptor(process), isWrong: generator.random.chance(oneIn: 10))
  }
}

/// cap_rights_get(3)
struct RightsCall: SimulatedCall {
  var descriptor: Int32
  var version: Int32 = 0

  static var examples: [CallExample] { [("__cap_rights_get", RightsCall(descriptor: 3))] }

  var number: SystemCallNumber { .capRightsGet }
  var arguments: [CallArgument] { [.int(version), .int(descriptor), .output(CapabilityRights.byteCount)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if version != 0 { return .error(.einval) }
    if process.file(descriptor) == nil { return .error(.ebadf) }
    let words = CapabilityRights.all.words
    return try model.stores(KernelMachine.bytes(of: words.0) + KernelMachine.bytes(of: words.1), process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    RightsCall(descriptor: generator.descriptor(process), version: generator.random.chance(oneIn: 8) ? 1 : 0)
  }
}

/// cap_fcntls_limit(2)
struct LimitFileCommandsCall: SimulatedCall {
  var descriptor: Int32
  var commands: UInt32 = 0x78

  static var weight: Int { 3 }
  static var examples: [CallExample] { [("cap_fcntls_limit", LimitFileCommandsCall(descriptor: 3))] }

  var number: SystemCallNumber { .capFcntlsLimit }
  var arguments: [CallArgument] { [.int(descriptor), .word(commands)] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if commands & ~0x78 != 0 { return .error(.einval) }
    return process.file(descriptor) == nil ? .error(.ebadf) : .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    LimitFileCommandsCall(
      descriptor: generator.descriptor(process), commands: generator.random.chance(oneIn: 8) ? 0xF8 : 0x78)
  }
}

/// cap_fcntls_get(2)
struct FileCommandsCall: SimulatedCall {
  var descriptor: Int32

  static var examples: [CallExample] { [("cap_fcntls_get", FileCommandsCall(descriptor: 3))] }

  var number: SystemCallNumber { .capFcntlsGet }
  var arguments: [CallArgument] { [.int(descriptor), .output(4)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    process.file(descriptor) == nil ? .error(.ebadf) : try model.stores([0x78, 0, 0, 0], process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    FileCommandsCall(descriptor: generator.descriptor(process))
  }
}

/// cap_ioctls_limit(2), which here fails: a list of requests limits, however long it is.
struct LimitRequestsCall: SimulatedCall {
  var descriptor: Int32
  var count: UInt64

  static var examples: [CallExample] { [("cap_ioctls_limit", LimitRequestsCall(descriptor: 99, count: 2))] }

  var number: SystemCallNumber { .capIoctlsLimit }
  var arguments: [CallArgument] {
    [.int(descriptor), .input([UInt8](repeating: 0, count: count > 256 ? 0 : 8 * Int(count))), .word(count)]
  }
  var memoryErrors: [Errno] { [.enomem] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if count > 256 { return .error(.einval) }
    return .error(model.reaches(process, .input, 8 * Int(count), write: false) ? .ebadf : .efault)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    LimitRequestsCall(descriptor: 99, count: generator.random.pick([0, 1, 5, 257]) ?? 0)
  }
}

/// cap_ioctls_get(2): CAP_IOCTLS_ALL
struct RequestsCall: SimulatedCall {
  var descriptor: Int32

  static var examples: [CallExample] { [("cap_ioctls_get", RequestsCall(descriptor: 3))] }

  var number: SystemCallNumber { .capIoctlsGet }
  var arguments: [CallArgument] { [.int(descriptor), .null, .word(0)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    process.file(descriptor) == nil ? .error(.ebadf) : .value(UInt64(Int64.max))
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    RequestsCall(descriptor: generator.descriptor(process))
  }
}

/// cap_getmode(2)
struct CapabilityModeCall: SimulatedCall {
  static var examples: [CallExample] { [("cap_getmode", CapabilityModeCall())] }

  var number: SystemCallNumber { .capGetmode }
  var arguments: [CallArgument] { [.output(4)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.stores([0, 0, 0, 0], process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CapabilityModeCall()
  }
}

extension ReferenceModel {
  /// A call that stores these bytes at its output and gives 0.
  fileprivate func stores(_ bytes: [UInt8], _ process: ModelProcess) throws(Difference) -> Expectation {
    if !reaches(process, .output, bytes.count, write: true) { return .error(.efault) }
    let stored = try output(.output, bytes.count)
    if stored.prefix(bytes.count) != bytes[...] { throw Difference("stored \(stored), expected \(bytes)") }
    return .value(0)
  }
}
