// open(2): from a path to one of the few files that exist, /dev/null, /dev/zero, /dev/console and /bin/NAME.

public import ABI
public import Memory

/// What a path leads to.
enum Place {
  case root
  case devices
  case programs
  case null
  case zero
  case console
  case program(BootFileContent)
}

extension FileSystem {
  /// Adds a file to /bin; at boot only. A name that exists already hides the new file.
  public func addBootFile(name: Span<UInt8>, start: PhysicalAddress, byteCount: UInt64) {
    var copy: [UInt8] = []
    for index in name.indices { copy.append(name[index]) }
    bootFiles.append(
      BootFileContent(name: copy, start: start, byteCount: byteCount, inode: UInt64(bootFiles.count + 2)))
  }

  /// The content of a program for execve(2).
  ///
  /// Throws ENOENT, ENOTDIR, ENAMETOOLONG; EACCES for what is not a program.
  public func program(path: Span<UInt8>) throws(Errno) -> BootFileContent {
    guard case .program(let content) = try resolve(path) else { throw .eacces }
    return content
  }

  /// open(2).
  ///
  /// Throws EINVAL for both access modes at once; ENFILE, EMFILE; ENOENT, ENOTDIR, ENAMETOOLONG for the path; EEXIST for
  /// O_CREAT and O_EXCL; EISDIR for a directory, ENOTDIR when one is demanded; EROFS for writing to /bin or making a file.
  public func open(
    path: Span<UInt8>, _ flags: OpenFlags, _ caller: Credentials, into table: FileTable
  ) throws(Errno) -> Int32 {
    guard flags.accessMode.reads || flags.accessMode.writes else { throw .einval }
    try admitFile(caller)
    let descriptor = try table.reserveLowest()
    do throws(Errno) {
      let file = try makeFile(path, flags)
      table.fill(descriptor, file, closeOnExec: flags.contains(.closeOnExec))
    } catch {
      table.abandon(descriptor)
      throw error
    }
    return descriptor
  }

  /// Opens the console for process 1.
  ///
  /// Throws EMFILE.
  public func openConsole(into table: FileTable) throws(Errno) -> Int32 {
    try table.install(ConsoleFile(self, [.read, .write]), closeOnExec: false)
  }

  private func makeFile(_ path: Span<UInt8>, _ flags: OpenFlags) throws(Errno) -> OpenFile {
    let place: Place
    do throws(Errno) {
      place = try resolve(path)
    } catch {
      throw error == .enoent && flags.contains(.create) && isMissingInPrograms(path) ? .erofs : error
    }
    if flags.isSuperset(of: [.create, .exclusive]) { throw .eexist }
    let fileFlags = FileFlags(flags)
    switch place {
    case .root, .devices, .programs: throw .eisdir
    case _ where flags.contains(.directory): throw .enotdir
    case .null: return NullFile(self, fileFlags)
    case .zero: return ZeroFile(self, fileFlags)
    case .console: return ConsoleFile(self, fileFlags)
    case .program(let content):
      guard !flags.accessMode.writes, !flags.contains(.truncate) else { throw .erofs }
      return BootFile(self, content, fileFlags)
    }
  }
}

// MARK: Paths

extension FileSystem {
  private static let maximumComponentByteCount = 255

  /// Follows a path from the root, which is also every process' current directory.
  private func resolve(_ path: Span<UInt8>) throws(Errno) -> Place {
    guard !path.isEmpty else { throw .enoent }
    var place = Place.root
    var start = 0
    while start < path.count {
      var end = start
      while end < path.count && path[end] != UInt8(ascii: "/") { end += 1 }
      if end > start {
        let name = path.extracting(start..<end)
        place = try enter(name, of: place)
      }
      if end < path.count, !place.isDirectory { throw .enotdir }
      start = end + 1
    }
    return place
  }

  private func enter(_ name: Span<UInt8>, of place: Place) throws(Errno) -> Place {
    guard name.count <= FileSystem.maximumComponentByteCount else { throw .enametoolong }
    guard place.isDirectory else { throw .enotdir }
    if name.spells(".") { return place }
    if name.spells("..") { return .root }
    switch place {
    case .root:
      if name.spells("dev") { return .devices }
      if name.spells("bin") { return .programs }
    case .devices:
      if name.spells("null") { return .null }
      if name.spells("zero") { return .zero }
      if name.spells("console") { return .console }
    case .programs:
      for file in bootFiles where file.isNamed(name) { return .program(file) }
    default: break
    }
    throw .enoent
  }

  /// Whether a path that leads nowhere names a file that /bin does not have: it exists, but is read-only.
  private func isMissingInPrograms(_ path: Span<UInt8>) -> Bool {
    var end = path.count
    while end > 0 && path[end - 1] != UInt8(ascii: "/") { end -= 1 }
    guard end > 0, end < path.count, case .some(.programs) = try? resolve(path.extracting(0..<end)) else {
      return false
    }
    return true
  }
}

extension Place {
  var isDirectory: Bool {
    switch self {
    case .root, .devices, .programs: true
    default: false
    }
  }
}
