// open, and what ioctl says about the files that can be opened (spec shm.md 3.22, abi.md section 6), naively.
import ABI

extension ReferenceModel {
  /// What a path leads to, or why nowhere. The root is every process' current directory.
  enum Place {
    case directory
    case file(ModelFileKind)
    /// /dev/tty
    case terminal
    /// /dev/fd/N
    case descriptor(Int32)
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
    if first == "dev" && name == "fd" && parts.count < 4 {
      if parts.count == 2 { return .directory }
      let number = String(parts[2])
      if number.utf8.count > 255 { return .error(.enametoolong) }
      guard let value = Int32(number), String(value) == number, value >= 0 else { return .error(.enoent) }
      return endsWithSlash ? .error(.enotdir) : .descriptor(value)
    }
    let special: [String: Place] = [
      "tty": .terminal, "stdin": .descriptor(0), "stdout": .descriptor(1), "stderr": .descriptor(2),
    ]
    if first == "dev", let place = special[name] {
      return parts.count > 2 || endsWithSlash ? .error(.enotdir) : place
    }
    let kind: ModelFileKind
    switch (first, name) {
    case ("dev", "null"): kind = .null
    case ("dev", "zero"): kind = .zero
    case ("dev", "full"): kind = .full
    case ("dev", "random"), ("dev", "urandom"): kind = .random
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
    // The file is made before, its number given after the path is followed.
    if isOutOfFiles(process) { return .error(.enfile) }
    let place = resolve(path)
    if case .error(let error) = place {
      return .error(error == .enoent && flags & 0x200 != 0 ? creationError(path) : error)
    }
    if flags & 0xA00 == 0xA00 { return .error(.eexist) }
    if case .directory = place { return .error(.eisdir) }
    if flags & 0x2_0000 != 0 { return .error(.enotdir) }
    let number = process.freeDescriptor()
    let isOutOfDescriptors = Int(number) >= descriptorLimit(process)
    let file: ModelFile
    switch place {
    case .error, .directory: return .anything
    case .terminal: return .error(mayUse(process, ModelOwnership(), access, flags) ? .enxio : .eacces)
    case .descriptor(let other):
      guard let open = process.file(other) else { return .error(.ebadf) }
      if isOutOfDescriptors { return .error(.emfile) }
      if access != 1 && !open.isReadable || access != 0 && !open.isWritable { return .error(.eacces) }
      file = open
    case .file(let kind):
      if case .program = kind, access != 0 || flags & 0x400 != 0 { return .error(.erofs) }
      if let owner = devices[kind.name ?? ""], !mayUse(process, owner, access, flags) { return .error(.eacces) }
      if isOutOfDescriptors { return .error(.emfile) }
      file = ModelFile(kind: kind, isReadable: access != 1, isWritable: access != 0)
      file.statusFlags = flags & ModelFile.openFlags
    }
    process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: flags & 0x10_0000 != 0)
    return .value(UInt64(number))
  }

  /// Why no file can be made at a path that leads nowhere: by where its last name would be.
  private func creationError(_ path: String) -> Errno {
    let parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    if path.isEmpty || path.hasSuffix("/") { return .enoent }
    switch parts.dropLast() {
    case [], ["bin"]: return .erofs
    case ["dev"], ["dev", "fd"]: return .eopnotsupp
    default: return .enoent
    }
  }

  /// Spec shm.md section 2.1, for devices.
  private func mayUse(_ process: ModelProcess, _ owner: ModelOwnership, _ access: UInt32, _ flags: UInt32) -> Bool {
    let wanted: UInt16 = (access != 1 ? 1 : 0) | (access != 0 || flags & 0x400 != 0 ? 2 : 0)
    return mayAccess(process, owner.user, owner.group, owner.mode, wanted)
  }

  func deviceControl(
    _ process: ModelProcess, _ descriptor: Int32, _ request: UInt32, _ word: UInt32
  ) throws(Difference) -> Expectation {
    let byteCount = Int(request >> 16 & 0x1FFF)
    let direction = request & 0xE000_0000
    let isVoid = direction & 0x2000_0000 != 0
    if direction == 0 || !isVoid && byteCount == 0 || isVoid && byteCount != 0 && byteCount != 4 {
      return .error(.enotty)
    }
    if direction & 0x8000_0000 != 0 && !isVoid && !reaches(process, .input, byteCount, write: false) {
      return .error(.efault)
    }
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    switch request {
    case 0x2000_6601, 0x2000_6602:
      process.descriptors[descriptor]?.closesOnExec = request == 0x2000_6601
      return .value(0)
    case 0x8004_667E, 0x8004_667D:
      let flag: UInt32 = request == 0x8004_667E ? 4 : 0x40
      file.statusFlags = word != 0 ? file.statusFlags | flag : file.statusFlags & ~flag
      if flag == 0x40 && word != 0 && file.refusesAsynchronous { return .error(.einval) }
      return file.is2008 ? .error(.eopnotsupp) : .value(0)
    default: break
    }
    if file.is2008 { return .error(.eopnotsupp) }
    if file.isDevice && request == 0x4004_667A {
      // FIODTYPE: the console is a terminal, the others are nothing special.
      if !reaches(process, .output, 4, write: true) { return .error(.efault) }
      try check("FIODTYPE", output(.output, 4), 0, 4, file.isConsole ? 4 : 0)
      return .value(0)
    }
    if let end = file.pipe { return try pipeControl(process, end, request) }
    if case .program(let content) = file.kind { return try programControl(process, file, content.count, request, word) }
    guard file.isConsole else { return .error(.enotty) }
    switch request {
    case 0x2000_7461: return .error(.eperm)
    case 0x4004_741A:
      if !reaches(process, .output, 4, write: true) { return .error(.efault) }
      try check("TIOCGETD", output(.output, 4), 0, 4, 0)
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

  /// FIONREAD, FIOSEEKDATA and FIOSEEKHOLE of a file of /bin, where all is data.
  private func programControl(
    _ process: ModelProcess, _ file: ModelFile, _ byteCount: Int, _ request: UInt32, _ word: UInt32
  ) throws(Difference) -> Expectation {
    switch request {
    case 0x4004_667F:
      if !reaches(process, .output, 4, write: true) { return .error(.efault) }
      let left = UInt32(truncatingIfNeeded: Int64(byteCount) &- file.offset)
      try check("FIONREAD", output(.output, 4), 0, 4, UInt64(left))
      return .value(0)
    case 0xC008_6661, 0xC008_6662:
      if Int(word) >= byteCount { return .error(.enxio) }
      return reaches(process, .input, 8, write: true) ? .value(0) : .error(.efault)
    default: return .error(.enotty)
    }
  }
}
