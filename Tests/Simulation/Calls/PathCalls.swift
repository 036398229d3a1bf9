// Calls on names of sockets: fstatat(2), access(2), chmod(2), chown(2), unlink(2), rename(2) and their like.

import ABI

extension SimulatedCalls {
  static let pathCalls: [any SimulatedCall.Type] = [PathCall.self]
}

/// A call on what is at a path, which is often the name of a socket
struct PathCall: SimulatedCall {
  enum Kind: Int, Codable, CaseIterable {
    case status, access, eaccess, accessAt, chmod, lchmod, chmodAt, chown, lchown, chownAt, unlink, unlinkAt, rename
    case renameAt
  }

  var kind: Kind
  var path: String
  /// The new name.
  var target = "/tmp/b"
  var mode: UInt16 = 0o640
  var user: Int32 = -1
  var group: Int32 = -1

  static var weight: Int { 6 }
  static var examples: [CallExample] { Kind.allCases.map { ("\($0) of a name", PathCall(kind: $0, path: "/tmp/a")) } }

  var number: SystemCallNumber {
    switch kind {
    case .status: .fstatat
    case .access: .access
    case .eaccess: .eaccess
    case .accessAt: .faccessat
    case .chmod: .chmod
    case .lchmod: .lchmod
    case .chmodAt: .fchmodat
    case .chown: .chown
    case .lchown: .lchown
    case .chownAt: .fchownat
    case .unlink: .unlink
    case .unlinkAt: .unlinkat
    case .rename: .rename
    case .renameAt: .renameat
    }
  }

  var arguments: [CallArgument] {
    let (current, new) = (CallArgument.int(-100), CallArgument.input(Array(target.utf8) + [0], at: .second))
    return switch kind {
    case .status: [current, .path(path), .output(Stat.byteCount), .word(0)]
    case .access, .eaccess: [.path(path), .word(mode & 7)]
    case .accessAt: [current, .path(path), .word(mode & 7), .word(isEffective ? 0x100 : 0)]
    case .chmod, .lchmod: [.path(path), .word(mode)]
    case .chmodAt: [current, .path(path), .word(mode), .word(0)]
    case .chown, .lchown: [.path(path), .int(user), .int(group)]
    case .chownAt: [current, .path(path), .int(user), .int(group), .word(0)]
    case .unlink: [.path(path)]
    case .unlinkAt: [current, .path(path), .word(0)]
    case .rename: [.path(path), new]
    case .renameAt: [current, .path(path), current, new]
    }
  }
  var changesState: Bool { true }

  private var isEffective: Bool { kind == .eaccess || kind == .accessAt && mode & 8 != 0 }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if let error = model.pathError(process, path) { return .error(error) }
    guard let name = model.socketNames[path] else { return .error(model.errorWithoutName(path)) }
    switch kind {
    case .status:
      if !model.reaches(process, .output, Stat.byteCount, write: true) { return .error(.efault) }
      let bytes = try model.output(.output, Stat.byteCount)
      try model.check("st_mode of a name", bytes, 24, 2, UInt64(0o140000 | name.mode))
      try model.check("st_uid of a name", bytes, 28, 4, UInt64(name.user))
      try model.check("st_gid of a name", bytes, 32, 4, UInt64(name.group))
      return .value(0)
    case .access, .eaccess, .accessAt:
      return name.grants(mode & 7, process, isEffective: isEffective) ? .value(0) : .error(.eacces)
    case .chmod, .lchmod, .chmodAt: return changeMode(name, model, process)
    case .chown, .lchown, .chownAt: return changeOwner(name, model, process)
    case .unlink, .unlinkAt:
      if let error = model.removalError(path, process) { return .error(error) }
      model.socketNames[path] = nil
      return .value(0)
    case .rename, .renameAt: return rename(name, model, process)
    }
  }

  private var removes: Bool {
    switch kind {
    case .unlink, .unlinkAt, .rename, .renameAt: true
    default: false
    }
  }

  private func changeMode(_ name: ModelSocketName, _ model: ReferenceModel, _ process: ModelProcess) -> Expectation {
    let credentials = process.credentials
    if credentials.effectiveUser != 0 {
      if credentials.effectiveUser != name.user { return .error(.eperm) }
      if mode & 0o1000 != 0 { return .error(.eftype) }
      if mode & 0o2000 != 0 && !credentials.isMember(name.group) { return .error(.eperm) }
    }
    model.socketNames[path]?.mode = mode & 0o7777
    return .value(0)
  }

  private func changeOwner(_ name: ModelSocketName, _ model: ReferenceModel, _ process: ModelProcess) -> Expectation {
    if user == -1 && group == -1 { return .value(0) }
    let credentials = process.credentials
    let newUser = user == -1 ? name.user : UInt32(bitPattern: user)
    let newGroup = group == -1 ? name.group : UInt32(bitPattern: group)
    var mode = name.mode
    if credentials.effectiveUser != 0 {
      guard credentials.effectiveUser == name.user, newUser == name.user,
        newGroup == name.group || credentials.isMember(newGroup)
      else { return .error(.eperm) }
      mode &= ~0o6000
    }
    model.socketNames[path] = ModelSocketName(user: newUser, group: newGroup, mode: mode)
    return .value(0)
  }

  private func rename(_ name: ModelSocketName, _ model: ReferenceModel, _ process: ModelProcess) -> Expectation {
    if let error = model.removalError(path, process) { return .error(error) }
    if !model.reaches(process, .second, target.utf8.count + 1, write: false) { return .error(.efault) }
    if target == "/no/x" { return .error(.enoent) }
    if target.hasPrefix("/dev/") { return .error(.exdev) }
    if target == "/x" { return .error(.erofs) }
    if let error = model.removalError(target, process) { return .error(error) }
    model.socketNames[path] = nil
    model.socketNames[target] = name
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let paths = ["/tmp/a", "/tmp/b", "/tmp/c", "/var/run/d", "/dev/null", "/x", "/no/x"]
    let named = model.socketNames.keys.sorted()
    var path = generator.random.pick(paths) ?? "/tmp/a"
    if !named.isEmpty && !generator.random.chance(oneIn: 3) { path = generator.random.pick(named) ?? path }
    var call = PathCall(kind: generator.random.pick(Kind.allCases) ?? .status, path: path)
    // A device has a mode and an owner, of which the calls on descriptors know.
    if call.path == "/dev/null" && !call.removes { call.path = "/tmp/a" }
    call.target = generator.random.pick(paths) ?? "/tmp/b"
    call.mode = UInt16(generator.random.number(below: 0o10000))
    if generator.random.chance(oneIn: 2) { call.user = Int32(generator.random.number(below: 4)) }
    if generator.random.chance(oneIn: 2) { call.group = Int32(generator.random.number(below: 4)) }
    return call
  }
}
