// Sockets (spec sockets.md section 3), as far as scripts know of them: the names that stay, and how many there may be.

import ABI

/// A name that a socket was bound to.
struct ModelSocketName {
  var user: UInt32
  var group: UInt32
  var mode: UInt16

  func mayWrite(_ process: ModelProcess) -> Bool {
    let credentials = process.credentials
    if credentials.effectiveUser == 0 { return true }
    if credentials.effectiveUser == user { return mode & 0o200 != 0 }
    return mode & (credentials.isMember(group) ? 0o020 : 0o002) != 0
  }
}

extension ModelSocketName {
  /// Whether somebody may do with it what the bits of a triplet say.
  func grants(_ bits: UInt16, _ process: ModelProcess, isEffective: Bool) -> Bool {
    let credentials = process.credentials
    let asker = isEffective ? credentials.effectiveUser : credentials.realUser
    if asker == 0 { return bits & 1 == 0 || mode & 0o111 != 0 }
    let isMember =
      isEffective
      ? credentials.isMember(group) : group == credentials.realGroup || credentials.groups.contains(group)
    let granted = asker == user ? mode >> 6 : isMember ? mode >> 3 : mode
    return granted & bits == bits
  }
}

extension ReferenceModel {
  /// What calls by a path say where no socket has a name.
  func errorWithoutName(_ path: String) -> Errno { path == "/dev/null" ? .erofs : .enoent }

  /// Why a name may not be removed, or, if there is none, be made.
  func removalError(_ path: String, _ process: ModelProcess) -> Errno? {
    let asker = process.credentials.effectiveUser
    if asker == 0 { return nil }
    if path.hasPrefix("/var/run") { return .eacces }
    guard let name = socketNames[path] else { return nil }
    return name.user == asker ? nil : .eperm
  }

  /// Why so many sockets cannot be made.
  func socketError(_ process: ModelProcess, count: Int, type: UInt64) -> Errno? {
    let limit = process.limits[9].soft
    let size: UInt64 = type & 0xFF == 2 ? 32_768 : 16_384
    if count == 2 && limit != ModelLimit.infinity && UInt64(limit) < 2 * size { return .enobufs }
    for index in 0..<count {
      if isOutOfFiles(process, beside: index) { return .enfile }
      let first = process.freeDescriptor()
      let descriptor = index == 0 ? first : process.freeDescriptor(from: first + 1)
      if Int(descriptor) >= descriptorLimit(process) { return .emfile }
    }
    if count == 1 && limit != ModelLimit.infinity && UInt64(limit) < size { return .enobufs }
    return nil
  }
}
