// open(2) of what exists: devices, descriptors once more, and files of /bin.

public import ABI
import Memory
public import Primitives

extension FileServices {
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

  /// The program whose content starts at an address.
  public func program(at start: PhysicalAddress) -> BootFileContent? {
    for file in bootFiles where file.start == start { return file }
    return nil
  }

  /// open(2).
  ///
  /// Throws, in this order: EINVAL for both access modes at once; ENFILE; ENOENT, ENOTDIR, ENAMETOOLONG for the path, EROFS
  /// and EOPNOTSUPP where a file would have to be made; EEXIST for O_CREAT and O_EXCL; EISDIR for a directory, ENOTDIR when
  /// one is demanded; EROFS for writing to /bin, EACCES for a device that the caller may not use, ENXIO for a terminal that
  /// it does not have, EBADF for a descriptor that is not open; EMFILE.
  public func open(
    path: Span<UInt8>, _ flags: OpenFlags, _ caller: Credentials, into table: FileTable
  ) throws(Errno) -> Int32 {
    guard flags.accessMode.reads || flags.accessMode.writes else { throw .einval }
    try admitFile(caller)
    let place: Place
    do throws(Errno) {
      place = try resolve(path)
    } catch {
      throw error == .enoent && flags.contains(.create) ? creationError(path) : error
    }
    if flags.isSuperset(of: [.create, .exclusive]) { throw .eexist }
    if place.isDirectory { throw .eisdir }
    if flags.contains(.directory) { throw .enotdir }
    if case .descriptor(let number) = place { return try open(descriptor: number, flags, in: table) }
    return try table.install(try makeFile(place, flags, caller), closeOnExec: flags.contains(.closeOnExec))
  }

  /// Opens the console for process 1.
  ///
  /// Throws EMFILE.
  public func openConsole(into table: FileTable) throws(Errno) -> Int32 {
    try table.install(ConsoleFile(self, [.read, .write]), closeOnExec: false)
  }

  /// /dev/fd/N: another descriptor for the same open file, whose access mode has to allow what is asked for (fd(4)).
  ///
  /// Throws EBADF, EMFILE, then EACCES.
  private func open(descriptor number: Int32, _ flags: OpenFlags, in table: FileTable) throws(Errno) -> Int32 {
    let file = try table.file(at: number)
    let descriptor = try table.reserveLowest()
    guard file.flags.isSuperset(of: FileFlags(flags).intersection([.read, .write])) else {
      table.abandon(descriptor)
      throw .eacces
    }
    table.fill(descriptor, file, closeOnExec: flags.contains(.closeOnExec))
    try table.give(table.limits(of: number), to: descriptor)
    return descriptor
  }

  private func makeFile(_ place: Place, _ flags: OpenFlags, _ caller: Credentials) throws(Errno) -> OpenFile {
    let fileFlags = FileFlags(flags)
    switch place {
    case .program(let content):
      guard !flags.accessMode.writes, !flags.contains(.truncate) else { throw .erofs }
      return BootFile(self, content, fileFlags)
    case .device(let device):
      var request: AccessRequest = flags.accessMode.reads ? .read : []
      if flags.accessMode.writes || flags.contains(.truncate) { request.insert(.write) }
      try deviceOwnership[device.rawValue].check(request, by: caller)
      switch device {
      case .console: return ConsoleFile(self, fileFlags)
      case .null: return NullFile(self, fileFlags)
      case .zero: return ZeroFile(self, .zero, fileFlags)
      case .full: return FullFile(self, .full, fileFlags)
      case .random: return RandomFile(self, fileFlags)
      }
    // A name of a socket is no way to it.
    case .node: throw .eopnotsupp
    // No session has a terminal.
    case .terminal: throw .enxio
    default: throw .eisdir
    }
  }
}
