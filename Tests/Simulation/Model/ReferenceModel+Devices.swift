// open, and what ioctl says about the files that can be opened (spec shm.md 3.22, abi.md section 6), naively.
import ABI

extension ReferenceModel {
  /// What a path leads to, or why nowhere. The root is every process' current directory.
  enum Place {
    case directory
    case file(ModelFileKind)
    case error(Errno)
  }

  func resolve(_ path: String) -> Place {
    if path.isEmpty { return .error(.enoent) }
    let parts = path.split(separator: "/", omittingEmptySubsequences: true)
    let endsWithSlash = path.hasSuffix("/")
    guard let first = parts.first else { return .directory }
    if first.utf8.count > 255 { return .error(.enametoolong) }
    guard first == "dev" || first == "bin" else { return .error(.enoent) }
    if parts.count == 1 { return .directory }
    let name = String(parts[1])
    if name.utf8.count > 255 { return .error(.enametoolong) }
    let kind: ModelFileKind
    switch (first, name) {
    case ("dev", "null"): kind = .null
    case ("dev", "zero"): kind = .zero
    case ("dev", "console"): kind = .console
    case ("bin", "script"): kind = .program(Program.image)
    case ("bin", "notes"): kind = .program(Program.notes)
    default: return .error(.enoent)
    }
    return parts.count > 2 || endsWithSlash ? .error(.enotdir) : .file(kind)
  }

  func open(_ process: ModelProcess, _ path: String, _ flags: UInt32, _ directory: Int32?) -> Expectation {
    if let error = pathError(process, path) { return .error(error) }
    let access = flags & 3
    if access == 3 { return .error(.einval) }
    if let directory, directory != -100, !path.isEmpty, !path.hasPrefix("/") {
      // Nothing that can be open is a directory.
      return .error(process.file(directory) == nil ? .ebadf : .enotdir)
    }
    if let error = fileLimitError(process) { return .error(error) }
    switch resolve(path) {
    case .error(let error):
      let isNewInPrograms = error == .enoent && flags & 0x200 != 0 && path.hasPrefix("/bin/")
      return .error(isNewInPrograms ? .erofs : error)
    case .directory: return .error(flags & 0xA00 == 0xA00 ? .eexist : .eisdir)
    case .file(let kind):
      if flags & 0xA00 == 0xA00 { return .error(.eexist) }
      if flags & 0x2_0000 != 0 { return .error(.enotdir) }
      if case .program = kind, access != 0 || flags & 0x400 != 0 { return .error(.erofs) }
      let file = ModelFile(kind: kind, isReadable: access != 1, isWritable: access != 0)
      file.statusFlags = flags & ModelFile.openFlags
      let number = process.freeDescriptor()
      process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: flags & 0x10_0000 != 0)
      return .value(UInt64(number))
    }
  }

  func deviceControl(
    _ process: ModelProcess, _ descriptor: Int32, _ request: UInt32, _ word: UInt32
  ) throws(Difference) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    let byteCount = Int(request >> 16 & 0x1FFF)
    let direction = request & 0xE000_0000
    let isVoid = direction & 0x2000_0000 != 0
    if direction == 0 || !isVoid && byteCount == 0 || isVoid && byteCount != 0 && byteCount != 4 {
      return .error(.enotty)
    }
    if direction & 0x8000_0000 != 0 && !reaches(process, .input, byteCount, write: false) { return .error(.efault) }
    switch request {
    case 0x2000_6601, 0x2000_6602:
      process.descriptors[descriptor]?.closesOnExec = request == 0x2000_6601
      return .value(0)
    case 0x8004_667E, 0x8004_667D:
      let flag: UInt32 = request == 0x8004_667E ? 4 : 0x40
      file.statusFlags = word != 0 ? file.statusFlags | flag : file.statusFlags & ~flag
      return file.is2008 ? .error(.eopnotsupp) : .value(0)
    default: break
    }
    if file.is2008 { return .error(.eopnotsupp) }
    guard file.isConsole else { return .error(.enotty) }
    switch request {
    case 0x4004_667F:
      if !reaches(process, .output, 4, write: true) { return .error(.efault) }
      try check("FIONREAD", output(.output, 4), 0, 4, UInt64(consoleInput.count))
    case 0x4004_7473:
      if !reaches(process, .output, 4, write: true) { return .error(.efault) }
      let waiting = littleEndian(try output(.output, 4), 0, byteCount: 4)
      if waiting > UInt64(consoleWritten.count) { throw Difference("TIOCOUTQ is \(waiting)") }
    case 0x2000_745E:
      // TIOCDRAIN: everything is out now.
      if consoleOutput.count < consoleWritten.count { throw Difference("TIOCDRAIN did not wait") }
    case 0x402C_7413: if !reaches(process, .output, 44, write: true) { return .error(.efault) }
    case 0x4008_7468:
      if !reaches(process, .output, 8, write: true) { return .error(.efault) }
      // 24 rows, 80 columns.
      try check("TIOCGWINSZ", output(.output, 8), 0, 8, 80 << 16 | 24)
    default: return .error(.enotty)
    }
    return .value(0)
  }
}
