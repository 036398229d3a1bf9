// What calls do by a path: looking at what is there, its mode and owner; removing and renaming, which only names of sockets can be
// (spec sockets.md section 3.3).
//
// /tmp and /var/run are one file system that can be written to; the root, /bin and /var are one that cannot, and for these calls
// /dev is like that.

public import ABI
public import Primitives

/// Where a relative path begins.
public enum PathStart {
  /// At the root, which is every process' current directory (AT_FDCWD).
  case root
  /// At an open descriptor. Nothing that can be open is a directory.
  case open(BackReference<OpenFile>)
  /// At a descriptor that is not open, or may not be used for that: EBADF or ENOTCAPABLE.
  case closed(Errno)

  /// Whether a path can begin there: one from the root always can.
  ///
  /// Throws EBADF, ENOTCAPABLE, ENOTDIR.
  func check(_ path: Span<UInt8>) throws(Errno) {
    if path.isEmpty || path[0] == UInt8(ascii: "/") { return }
    switch self {
    case .root: return
    case .open: throw .enotdir
    case .closed(let error): throw error
    }
  }
}

/// The last component of a path.
struct DirectoryEntry {
  var directory: Place
  /// Where its name is in the path.
  var name: Range<Int>
  /// What is there.
  var found: Place?
}

extension FileServices {
  /// Looks up what the last component of a path names, which need not be there.
  ///
  /// Throws ENOENT, ENOTDIR, ENAMETOOLONG; ENOENT for a slash behind what is not there.
  func lookUpEntry(_ path: Span<UInt8>) throws(Errno) -> DirectoryEntry {
    if path.isEmpty { throw .enoent }
    var end = path.count
    let hasTrailingSlash = end > 1 && path[end - 1] == UInt8(ascii: "/")
    while end > 0 && path[end - 1] == UInt8(ascii: "/") { end -= 1 }
    var start = end
    while start > 0 && path[start - 1] != UInt8(ascii: "/") { start -= 1 }
    let directory = start == 0 ? Place.root : try resolve(path.extracting(0..<start))
    var found: Place?
    do throws(Errno) {
      found = try resolve(path)
    } catch {
      guard error == .enoent else { throw error }
    }
    if found == nil && hasTrailingSlash { throw .enoent }
    return DirectoryEntry(directory: directory, name: start..<end, found: found)
  }

  /// What a path of a call leads to that takes it from a descriptor on.
  ///
  /// - Parameter takesEmpty: whether an empty path means the descriptor itself (AT_EMPTY_PATH).
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG.
  func resolve(_ path: Span<UInt8>, from start: PathStart, takesEmpty: Bool) throws(Errno) -> Place {
    if path.isEmpty && takesEmpty {
      switch start {
      case .root: return .root
      case .closed(let error): throw error
      case .open(let file):
        if let device = file.instance as? DeviceFile { return .device(device.device) }
        if let program = file.instance as? BootFile { return .program(program.content) }
        throw .enotdir
      }
    }
    try start.check(path)
    return try resolve(path)
  }

  // MARK: Looking

  /// stat(2) and fstatat(2).
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG.
  public func status(
    path: Span<UInt8>, from start: PathStart, takesEmpty: Bool, in table: FileTable
  ) throws(Errno) -> Stat {
    if path.isEmpty, takesEmpty, case .open(let file) = start {
      return try file.tryBorrow { file throws(Errno) in try file.status() }
    }
    let place = try resolve(path, from: start, takesEmpty: takesEmpty)
    switch place {
    case .device(let device): return status(of: device)
    case .program(let content): return status(of: content)
    case .descriptor(let number): return try table.file(at: number, needing: .status).status()
    case .node(let node): return status(of: node)
    default: return status(ofDirectory: place)
    }
  }

  private func status(of node: SocketNode) -> Stat {
    var stat = Stat()
    stat.device = FileLimits.nameDevice
    stat.inode = node.inode
    stat.linkCount = 1
    stat.mode = node.ownership.mode.union(.socket)
    stat.userIdentifier = node.ownership.user
    stat.groupIdentifier = node.ownership.group
    let birth = Timespec(nanoseconds: node.birthNanoseconds)
    stat.accessTime = birth
    stat.modificationTime = birth
    stat.changeTime = Timespec(nanoseconds: node.changeNanoseconds)
    stat.birthTime = birth
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    return stat
  }

  /// A directory, or the terminal that nobody has.
  func status(ofDirectory place: Place) -> Stat {
    let ownership = ownership(of: place)
    var stat = Stat()
    stat.linkCount = place.isDirectory ? 2 : 1
    stat.mode = ownership.mode.union(place.isDirectory ? .directory : .characterDevice)
    stat.userIdentifier = ownership.user
    stat.groupIdentifier = ownership.group
    (stat.device, stat.inode) = FileServices.directoryNumbers(place)
    let start = Timespec(nanoseconds: services.processor.realTimeOffsetNanoseconds)
    stat.accessTime = start
    stat.modificationTime = start
    stat.changeTime = start
    stat.birthTime = start
    stat.preferredBlockByteCount = UInt32(Page.byteCount)
    return stat
  }

  /// st_dev and st_ino of a directory; its entries have other numbers.
  private static func directoryNumbers(_ place: Place) -> (UInt64, UInt64) {
    let last = UInt64.max
    switch place {
    case .devices: return (FileLimits.deviceDirectoryDevice, last)
    case .descriptors: return (FileLimits.deviceDirectoryDevice, last - 1)
    case .terminal: return (FileLimits.deviceDirectoryDevice, last - 2)
    case .bindable(let directory): return (FileLimits.nameDevice, last - UInt64(directory.rawValue))
    case .programs: return (FileLimits.programDirectoryDevice, last)
    case .variable: return (FileLimits.programDirectoryDevice, last - 1)
    default: return (FileLimits.programDirectoryDevice, last - 2)
    }
  }

  /// Who may do what with what is at a place.
  private func ownership(of place: Place) -> Ownership {
    switch place {
    case .device(let device): return deviceOwnership[device.rawValue]
    case .program: return Ownership(user: 0, group: 0, mode: BootFileContent.mode)
    case .node(let node): return node.ownership
    case .bindable(let directory):
      var ownership = directory.ownership
      if directory.isSticky { ownership.mode.insert(.sticky) }
      return ownership
    case .terminal, .descriptor: return Ownership(user: 0, group: 0, mode: FileMode(rawValue: 0o666))
    default: return Ownership(user: 0, group: 0, mode: FileMode(rawValue: 0o755))
    }
  }

  /// access(2), eaccess(2) and faccessat(2).
  ///
  /// - Parameter isEffective: whether the effective identity counts, or the real one.
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG; EROFS; EACCES.
  public func checkAccess(
    path: Span<UInt8>, from start: PathStart, takesEmpty: Bool, _ mode: AccessCheckMode, _ caller: Credentials,
    isEffective: Bool
  ) throws(Errno) {
    let place = try resolve(path, from: start, takesEmpty: takesEmpty)
    if mode.isEmpty { return }
    if mode.contains(.write) {
      switch place {
      case .root, .programs, .program, .variable: throw .erofs
      default: break
      }
    }
    let ownership = ownership(of: place)
    let bits = ownership.mode.rawValue
    let user = isEffective ? caller.effectiveUser : caller.user
    if user == 0 {
      // The superuser executes what anybody may execute.
      if mode.contains(.execute) && !place.isDirectory && bits & 0o111 == 0 { throw .eacces }
      return
    }
    let isMember = isEffective ? caller.isMember(of: ownership.group) : caller.isReallyMember(of: ownership.group)
    let granted = user == ownership.user ? bits >> 6 : isMember ? bits >> 3 : bits
    guard UInt32(granted) & mode.rawValue == mode.rawValue else { throw .eacces }
  }

  // MARK: Changing

  /// chmod(2), lchmod(2) and fchmodat(2).
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG; EROFS; EPERM; EFTYPE for the sticky bit, which is the superuser's.
  public func changeMode(
    path: Span<UInt8>, from start: PathStart, takesEmpty: Bool, _ mode: FileMode, _ caller: Credentials
  ) throws(Errno) {
    switch try resolve(path, from: start, takesEmpty: takesEmpty) {
    case .device(let device): try changeMode(of: device, mode, caller)
    case .node(let node):
      try node.ownership.check(.administer, by: caller)
      if !caller.isSuperuser {
        if mode.contains(.sticky) { throw .eftype }
        if mode.contains(.setGroupIdentifier) && !caller.isMember(of: node.ownership.group) { throw .eperm }
      }
      node.ownership.mode = mode.intersection(.allPermissions)
      node.changeNanoseconds = timestamp
    default: throw .erofs
    }
  }

  /// chown(2), lchown(2) and fchownat(2); nil leaves an identifier as it is.
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG; EROFS; EPERM unless the superuser asks, or the owner for one of his groups.
  public func changeOwner(
    path: Span<UInt8>, from start: PathStart, takesEmpty: Bool, user: UInt32?, group: UInt32?, _ caller: Credentials
  ) throws(Errno) {
    switch try resolve(path, from: start, takesEmpty: takesEmpty) {
    case .device(let device): try changeOwner(of: device, user: user, group: group, caller)
    case .node(let node):
      if user == nil && group == nil { return }
      try node.ownership.check(.administer, by: caller)
      let newUser = user ?? node.ownership.user
      let newGroup = group ?? node.ownership.group
      if !caller.isSuperuser {
        guard newUser == node.ownership.user, newGroup == node.ownership.group || caller.isMember(of: newGroup) else {
          throw .eperm
        }
        node.ownership.mode.subtract([.setUserIdentifier, .setGroupIdentifier])
      }
      node.ownership.user = newUser
      node.ownership.group = newGroup
      node.changeNanoseconds = timestamp
    default: throw .erofs
    }
  }

  /// truncate(2): a device takes any length and does nothing.
  ///
  /// Throws ENOENT, ENOTDIR, ENAMETOOLONG; EISDIR, EROFS for a file of /bin, EOPNOTSUPP for a name of a socket.
  public func truncate(path: Span<UInt8>) throws(Errno) {
    let place = try resolve(path)
    if place.isDirectory { throw .eisdir }
    switch place {
    case .program: throw .erofs
    case .node: throw .eopnotsupp
    default: return
    }
  }

  // MARK: Removing and renaming

  /// The name of a socket that is to be removed or renamed.
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG; EROFS for what is no name of a socket; EACCES when the directory may not be
  /// written to, EPERM when it is sticky and neither it nor the name is the caller's.
  private func removableNode(
    _ path: Span<UInt8>, from start: PathStart, _ caller: Credentials
  ) throws(Errno) -> SocketNode {
    try start.check(path)
    guard let found = try lookUpEntry(path).found else { throw .enoent }
    guard case .node(let node) = found else { throw .erofs }
    try checkRemoval(of: node, caller)
    return node
  }

  private func checkRemoval(of node: SocketNode, _ caller: Credentials) throws(Errno) {
    let directory = node.directory.ownership
    try directory.check(.write, by: caller)
    if !node.directory.isSticky || caller.isSuperuser { return }
    guard caller.effectiveUser == directory.user || caller.effectiveUser == node.ownership.user else { throw .eperm }
  }

  /// unlink(2) and unlinkat(2), or rmdir(2).
  ///
  /// Throws what `removableNode` throws; ENOTDIR for a name of a socket where a directory is to be removed.
  public func removeEntry(
    path: Span<UInt8>, from start: PathStart, isDirectory: Bool, _ caller: Credentials
  ) throws(Errno) {
    let node = try removableNode(path, from: start, caller)
    if isDirectory { throw .enotdir }
    sockets.names.remove(node)
  }

  /// A name of a socket that is to be renamed, between the looking up of the old and of the new one.
  public struct RenamedEntry {
    fileprivate let node: SocketNode
  }

  /// The first half of rename(2) and renameat(2).
  ///
  /// Throws what `removableNode` throws.
  public func beginRename(
    path: Span<UInt8>, from start: PathStart, _ caller: Credentials
  ) throws(Errno) -> RenamedEntry { RenamedEntry(node: try removableNode(path, from: start, caller)) }

  /// The second half: what has the new name already is removed; if it is what is renamed, nothing happens.
  ///
  /// Throws EBADF, ENOENT, ENOTDIR, ENAMETOOLONG; EROFS, EXDEV for directories in which there are no names of sockets; EISDIR;
  /// EACCES and EPERM as for a removal.
  public func rename(
    _ entry: RenamedEntry, to path: Span<UInt8>, from start: PathStart, _ caller: Credentials
  ) throws(Errno) {
    try start.check(path)
    let target = try lookUpEntry(path)
    if let found = target.found, found.isDirectory { throw .eisdir }
    let directory: SocketDirectory
    switch target.directory {
    case .bindable(let place): directory = place
    case .devices, .descriptors: throw .exdev
    default: throw .erofs
    }
    if case .node(let old) = target.found {
      try checkRemoval(of: old, caller)
      if old === entry.node { return }
      sockets.names.remove(old)
    } else {
      try directory.ownership.check(.write, by: caller)
    }
    sockets.names.rename(entry.node, to: directory, path.extracting(target.name), timestamp)
  }
}

extension Credentials {
  /// Whether `group` is the real group or a supplementary one.
  fileprivate func isReallyMember(of group: UInt32) -> Bool {
    if group == self.group { return true }
    for index in 1..<groupCount where self.group(at: index) == group { return true }
    return false
  }
}
