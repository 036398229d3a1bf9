// shm_open, shm_unlink, ftruncate, fstat, fchmod, fchown (spec shm.md sections 2 and 3), naively.
import ABI

extension ReferenceModel {
  /// Spec shm.md 2.1: `wanted` is 1 for reading, 2 for writing, 3 for both.
  func mayAccess(_ process: ModelProcess, _ object: ModelObject, _ wanted: UInt16) -> Bool {
    mayAccess(process, object.owner, object.group, object.mode, wanted)
  }

  func mayAccess(_ process: ModelProcess, _ owner: UInt32, _ group: UInt32, _ mode: UInt16, _ wanted: UInt16) -> Bool {
    let who = process.credentials
    if who.effectiveUser == 0 { return true }
    let shift: UInt16 = who.effectiveUser == owner ? 6 : who.isMember(group) ? 3 : 0
    let bits = (mode >> shift) & 7
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
    if let name {
      if let error = pathError(process, name) { return .error(error) }
      if name.utf8.first != 0x2F { return .error(.einval) }
    }
    if let error = fileLimitError(process) { return .error(error) }
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
        // Section 3.2: every open without SHM_ALLOW_SEALING.
        if extra & 1 == 0 { existing.seals |= 1 }
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

  /// What copying a path in gives (spec shm.md 2.2).
  func pathError(_ process: ModelProcess, _ path: String) -> Errno? {
    if !reaches(process, .path, min(1024, path.utf8.count + 1), write: false) { return .efault }
    return path.utf8.count >= 1024 ? .enametoolong : nil
  }

  private func create(_ process: ModelProcess, _ mode: UInt16, _ extra: UInt32) -> ModelObject {
    let object = ModelObject()
    object.creator = process.credentials.realUser
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
    if let error = pathError(process, name) { return .error(error) }
    if name.utf8.first != 0x2F { return .error(.einval) }
    guard let object = names[name] else { return .error(.enoent) }
    if !mayAccess(process, object, 3) { return .error(.eacces) }
    names[name] = nil
    return .value(0)
  }

  func truncate(_ process: ModelProcess, _ descriptor: Int32, _ length: Int64) -> Expectation {
    if length < 0 { return .error(.einval) }
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    // What is not shared memory and can be written is a device, which has no size.
    guard file.isWritable else { return .error(.einval) }
    if file.pipe != nil { return .error(.einval) }
    guard let object = file.object else { return .value(0) }
    if length < object.size && object.seals & 2 != 0 { return .error(.eperm) }
    if length > object.size && object.seals & 4 != 0 { return .error(.eperm) }
    if isGrowthRefused(object, to: length, by: process) { return .error(.enomem) }
    object.resize(to: length, at: now)
    return .value(0)
  }

  func changeMode(_ process: ModelProcess, _ descriptor: Int32, _ mode: UInt16) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    let user = process.credentials.effectiveUser
    if file.pipe != nil { return .error(.einval) }
    guard let object = file.object else {
      guard file.isDevice, let name = file.kind.name, let owner = devices[name] else { return .error(.erofs) }
      if user != 0 && user != owner.user { return .error(.eperm) }
      devices[name]?.mode = mode & 0o7777
      return .value(0)
    }
    if user != 0 && user != object.owner { return .error(.eperm) }
    object.mode = mode & 0o777
    return .value(0)
  }

  func changeOwner(_ process: ModelProcess, _ descriptor: Int32, _ user: Int32, _ group: Int32) -> Expectation {
    guard let file = process.file(descriptor) else { return .error(.ebadf) }
    if file.pipe != nil { return .error(.einval) }
    guard let object = file.object else { return changeDeviceOwner(process, file, user, group) }
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

  /// devfs(5): the owner may give it to one of his groups, the superuser to anybody; to leave all as it is everybody may.
  private func changeDeviceOwner(
    _ process: ModelProcess, _ file: ModelFile, _ user: Int32, _ group: Int32
  ) -> Expectation {
    guard file.isDevice, let name = file.kind.name, let old = devices[name] else { return .error(.erofs) }
    var new = old
    if user != -1 { new.user = UInt32(bitPattern: user) }
    if group != -1 { new.group = UInt32(bitPattern: group) }
    if new.user == old.user && new.group == old.group { return .value(0) }
    let who = process.credentials
    let mayGive = who.effectiveUser == old.user && new.user == old.user && who.isMember(new.group)
    if who.effectiveUser != 0 && !mayGive { return .error(.eperm) }
    devices[name] = new
    return .value(0)
  }
}
