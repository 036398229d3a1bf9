// Calls that are for files of a file system, kcmp(2), and the lists of sysctl(3).

import ABI

extension SimulatedCalls {
  static let fileSystemCalls: [any SimulatedCall.Type] = [
    FileSystemCall.self, TruncatePathCall.self, CompareResourcesCall.self, ListingCall.self,
  ]
}

/// A call that shared memory is no file for, nor most of what else there is
struct FileSystemCall: SimulatedCall {
  enum Kind: Int, Codable, CaseIterable {
    case flock, changeFlags, changeTimes, changeTimesExactly, fileSystemStatus, changeDirectory, pathConfiguration
  }

  var kind: Kind
  var descriptor: Int32

  static var weight: Int { 3 }
  static var examples: [CallExample] { Kind.allCases.map { ("\($0)", FileSystemCall(kind: $0, descriptor: 3)) } }

  var number: SystemCallNumber {
    switch kind {
    case .flock: .flock
    case .changeFlags: .fchflags
    case .changeTimes: .futimes
    case .changeTimesExactly: .futimens
    case .fileSystemStatus: .fstatfs
    case .changeDirectory: .fchdir
    case .pathConfiguration: .fpathconf
    }
  }
  var arguments: [CallArgument] {
    switch kind {
    case .flock: [.int(descriptor), .word(2)]
    case .changeTimes, .changeTimesExactly: [.int(descriptor), .input([UInt8](repeating: 0, count: 32))]
    case .pathConfiguration: [.int(descriptor), .word(6)]
    default: [.int(descriptor), .word(0)]
    }
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if kind == .changeTimes || kind == .changeTimesExactly, !model.reaches(process, .input, 32, write: false) {
      return .error(.efault)
    }
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    if kind == .flock { return .error(.eopnotsupp) }
    if kind == .pathConfiguration { return file.object != nil ? .error(.eopnotsupp) : .value(512) }
    if file.isObject { return .error(.einval) }
    if kind == .changeDirectory { return .error(.enotdir) }
    if case .program = file.kind { return .error(.erofs) }
    return .error(.eopnotsupp)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    FileSystemCall(
      kind: generator.random.pick(Kind.allCases) ?? .flock, descriptor: generator.anyDescriptor(process))
  }
}

/// truncate(2)
struct TruncatePathCall: SimulatedCall {
  var path: String
  var length: Int64 = 0

  static var examples: [CallExample] { [("truncate", TruncatePathCall(path: "/dev/null"))] }

  var number: SystemCallNumber { .truncate }
  var arguments: [CallArgument] { [.path(path), .word(length)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if length < 0 { return .error(.einval) }
    if let error = model.pathError(process, path) { return .error(error) }
    switch path {
    case "/dev/null": return .value(0)
    case "/bin/script": return .error(.erofs)
    case "/tmp": return .error(.eisdir)
    default: return .error(.enoent)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    TruncatePathCall(
      path: generator.random.pick(["/dev/null", "/bin/script", "/tmp", "/none"]) ?? "/none",
      length: generator.random.pick([0, 5, -1]) ?? 0)
  }
}

/// kcmp(2) of two descriptors of the caller
struct CompareResourcesCall: SimulatedCall {
  var identifier: Int32
  var first: Int32
  var second: Int32

  static var examples: [CallExample] { [("kcmp", CompareResourcesCall(identifier: 1, first: 3, second: 3))] }

  var number: SystemCallNumber { .kcmp }
  var arguments: [CallArgument] { [.int(identifier), .int(identifier), .int(100), .word(first), .word(second)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let subject = model.process(identifier), subject.state == .running else { return .error(.esrch) }
    guard let one = subject.file(first), let other = subject.file(second) else { return .error(.ebadf) }
    // How two differ is for nobody to know.
    return one === other ? .value(0) : .anything
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CompareResourcesCall(
      identifier: generator.random.chance(oneIn: 8) ? 77_777 : process.identifier,
      first: generator.descriptor(process), second: generator.descriptor(process))
  }
}

/// How long a list is that sysctl(3) gives of the caller: its descriptors, its mappings, or all processes. What is in it is left to
/// InformationTests.swift.
struct ListingCall: SimulatedCall {
  enum Kind: Int32, Codable, CaseIterable {
    case processes = 0
    case mappings = 32
    case descriptors = 33
  }

  var kind: Kind
  var identifier: Int32

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    Kind.allCases.map { ("a list of \($0)", ListingCall(kind: $0, identifier: 1)) }
  }

  var number: SystemCallNumber { .sysctl }
  var arguments: [CallArgument] {
    let numbers = [1, 14, kind.rawValue, identifier].flatMap { KernelMachine.bytes(of: UInt32(bitPattern: $0)) }
    return [.input(numbers, at: .path), .word(4), .null, .output(8, at: .second), .null, .word(0)]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !model.reaches(process, .path, 16, write: false) { return .error(.efault) }
    if !model.reaches(process, .second, 8, write: false) { return .error(.efault) }
    return model.reaches(process, .second, 8, write: true) ? .value(0) : .error(.efault)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ListingCall(kind: generator.random.pick(Kind.allCases) ?? .processes, identifier: process.identifier)
  }
}
