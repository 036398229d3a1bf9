// shm_open, shm_unlink, ftruncate, fstat, fchmod, fchown (spec shm.md sections 2 and 3), naively.
import ABI

extension ReferenceModel {
  /// Spec shm.md 2.1: `wanted` is 1 for reading, 2 for writing, 3 for both.
  private func mayAccess(_ process: ModelProcess, _ object: ModelObject, _ wanted: UInt16) -> Bool {
    let who = process.credentials
    if who.effectiveUser == 0 { return true }
    let shift: UInt16 = who.effectiveUser == object.owner ? 6 : who.isMember(object.group) ? 3 : 0
    let bits = (object.mode >> shift) & 7
    // Mode bits have read as 4 and write as 2.
    let granted = (bits & 4 != 0 ? 1 : 0) | (bits & 2 != 0 ? 2 : 0)
    return wanted & ~UInt16(granted) == 0
  }

  func sharedMemoryOpen(
    _ process: ModelProcess, _ name: String?, _ flags: UInt32, _ mode: UInt16, _ extra: UInt32, _ is2008: Bool
  ) -> Expectation {
    if extra & ~7 != 0 { return .error(.einval) }
    let access = flags & 3
    if access != 0 && access != 2 { return .error(.einval) }
    if flags & ~(3 | 0x200 | 0x400 | 0x800 | 0x10_0000) != 0 { return .error(.einval) }
    if extra & 4 != 0 { return .error(.enotty) }
    if let name {
      if name.utf8.count >= 1024 { return .error(.enametoolong) }
      if name.utf8.first != 0x2F { return .error(.einval) }
    }
    let object: ModelObject
    if let name {
      if let existing = names[name] {
        if flags & 0xA00 == 0xA00 { return .error(.eexist) }
        if extra != 0 && extra != existing.creationFlags { return .error(.einval) }
        if !mayAccess(process, existing, access == 2 ? 3 : 1) { return .error(.eacces) }
        if access == 2 && flags & 0x400 != 0 {
          if existing.size > 0 && existing.seals & 2 != 0 { return .error(.eperm) }
          existing.resize(to: 0, at: now)
        }
        object = existing
      } else {
        if flags & 0x200 == 0 { return .error(.enoent) }
        object = create(process, mode, extra)
        names[name] = object
      }
    } else {
      if access == 0 { return .error(.einval) }
      object = create(process, mode, extra)
    }
    let number = process.freeDescriptor()
    let file = ModelFile(kind: .sharedMemory(object, is2008: is2008), isReadable: true, isWritable: access == 2)
    process.descriptors[number] = ModelDescriptor(file: file, closesOnExec: is2008 || flags & 0x10_0000 != 0)
    return .value(UInt64(number))
  }

  private func create(_ process: ModelProcess, _ mode: UInt16, _ extra: UInt32) -> ModelObject {
    let object = ModelObject()
    object.owner = process.credentials.effectiveUser
    object.group = process.credentials.effectiveGroup
    object.mode = mode & ~process.mask & 0o777
    object.creationFlags = extra
    object.seals = extra & 1 != 0 ? 0 : 1
    object.accessTime = now
    object.modificationTime = now
    object.changeTime = now
    object.birthTime = now
    return object
  }

  func sharedMemoryUnlink(_ process: ModelProcess, _ name: String) -> Expectation {
    if name.utf8.count >= 1024 { return .error(.enametoolong) }
    if name.utf8.first != 0x2F { return .error(.einval) }
    guard let object = names[name] else { return .error(.enoent) }
    if !mayAccess(process, object, 3) { return .error(.eacces) }
    names[name] = nil
    return .value(0)
  }

  func truncate(_ process: ModelProcess, _ descriptor: Int32, _ length: Int64) -> Expectation {
    if length < 0 { return .error(.einval) }
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard file.isWritable, let object = file.object else { return .error(.einval) }
    if length < object.size && object.seals & 2 != 0 { return .error(.eperm) }
    if length > object.size && object.seals & 4 != 0 { return .error(.eperm) }
    object.resize(to: length, at: now)
    return .value(0)
  }

  func changeMode(_ process: ModelProcess, _ descriptor: Int32, _ mode: UInt16) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard let object = file.object else { return .anything }
    let user = process.credentials.effectiveUser
    if user != 0 && user != object.owner { return .error(.eperm) }
    object.mode = mode & 0o777
    return .value(0)
  }

  func changeOwner(_ process: ModelProcess, _ descriptor: Int32, _ user: Int32, _ group: Int32) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard let object = file.object else { return .anything }
    let newUser = user == -1 ? object.owner : UInt32(bitPattern: user)
    let newGroup = group == -1 ? object.group : UInt32(bitPattern: group)
    let who = process.credentials
    let isPlain =
      (newUser == object.owner || newUser == who.effectiveUser) && (newGroup == object.group || who.isMember(newGroup))
    if !isPlain && who.effectiveUser != 0 { return .error(.eperm) }
    object.owner = newUser
    object.group = newGroup
    return .value(0)
  }

  func status(_ process: ModelProcess, _ descriptor: Int32) throws(Difference) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    guard let object = file.object else { return .anything }
    if output.count < 224 { return .value(0) }
    func field(_ name: String, _ offset: Int, _ byteCount: Int, _ wanted: UInt64) throws(Difference) {
      let got = littleEndian(output, offset, byteCount: byteCount)
      if got != wanted { throw Difference("\(name) is \(got), expected \(wanted)") }
    }
    try field("st_mode", 24, 2, UInt64(0o100000 | object.mode))
    try field("st_uid", 28, 4, UInt64(object.owner))
    try field("st_gid", 32, 4, UInt64(object.group))
    try field("st_rdev", 40, 8, 0)
    try field("st_size", 112, 8, UInt64(object.size))
    try field("st_blksize", 128, 4, 4096)
    try field("st_flags", 132, 4, 0)
    try field("padding", 26, 2, 0)
    try field("padding", 36, 4, 0)
    for offset in stride(from: 136, to: 224, by: 8) { try field("spare", offset, 8, 0) }
    let blocks = Int(littleEndian(output, 120))
    let certain = object.pages.count
    if blocks < certain || blocks > certain + object.perhapsAllocated.count {
      throw Difference("st_blocks is \(blocks), expected \(certain) and perhaps \(object.perhapsAllocated.count) more")
    }
    let inode = littleEndian(output, 8)
    if object.inode == nil {
      // Numbers grow with every object, whether its number was ever asked for or not.
      if inode == 0 { throw Difference("st_ino is 0") }
      object.inode = inode
    }
    try field("st_ino", 8, 8, object.inode ?? 0)
    let links = littleEndian(output, 16)
    let isMapped = processes.values.contains { $0.memory.values.contains { $0.object === object } }
    if isMapped ? links < 2 : links != 1 { throw Difference("st_nlink is \(links), mapped: \(isMapped)") }
    try instant("st_atim", 48, &object.accessTime)
    try instant("st_mtim", 64, &object.modificationTime)
    try instant("st_ctim", 80, &object.changeTime)
    try instant("st_birthtim", 96, &object.birthTime)
    return .value(0)
  }

  /// A time of microsecond resolution inside the known range; what is seen is known exactly from then on.
  private func instant(_ name: String, _ offset: Int, _ known: inout ModelInstant) throws(Difference) {
    let got = littleEndian(output, offset) * 1_000_000_000 + littleEndian(output, offset + 8)
    if got % 1000 != 0 || got < known.earliest / 1000 * 1000 || got > known.latest {
      throw Difference("\(name) is \(got), expected \(known.earliest)...\(known.latest)")
    }
    known = ModelInstant(earliest: got, latest: got)
  }
}
