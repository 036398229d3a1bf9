// shm_rename, posix_fallocate and fspacectl (spec shm.md 3.4, 3.25, 3.26), naively.
import ABI

extension ReferenceModel {
  func sharedMemoryRename(
    _ process: ModelProcess, _ name: String, _ newName: String, _ flags: UInt32
  ) -> Expectation {
    if flags & ~3 != 0 || flags == 3 { return .error(.einval) }
    if let error = pathError(process, name) { return .error(error) }
    if name.utf8.first != 0x2F { return .error(.einval) }
    if !reaches(process, .second, newName.utf8.count + 1, write: false) { return .error(.efault) }
    if newName.utf8.first != 0x2F { return .error(.einval) }
    if name == newName { return .value(0) }
    guard let object = names[name] else { return .error(.enoent) }
    let other = names[newName]
    if other != nil && flags == 1 { return .error(.eexist) }
    if !mayAccess(process, object, 3) { return .error(.eacces) }
    if let other, !mayAccess(process, other, 3) { return .error(.eacces) }
    names[newName] = object
    names[name] = flags == 2 ? other : nil
    return .value(0)
  }

  /// Whether pages are locked that an object is about to lose: how many stay, and count, is left to other tests.
  func losesLockedPages(_ object: ModelObject, shrinkingTo length: Int64) -> Bool {
    let end = ModelObject.pages(length)
    return running.contains { process in
      process.memory.values.contains { $0.isLocked && $0.object === object && $0.objectPage >= end }
    }
  }

  func allocateSpace(
    _ process: ModelProcess, _ descriptor: Int32, _ offset: Int64, _ length: Int64
  ) -> Expectation {
    // The error is the value.
    func refused(_ error: Errno) -> Expectation { .value(UInt64(error.rawValue)) }
    if offset < 0 || length <= 0 { return refused(.einval) }
    if offset > Int64.max - length { return refused(.efbig) }
    guard let file = process.file(descriptor) else { return refused(.ebadf) }
    if file.isStream && !file.isConsole { return refused(.espipe) }
    guard file.isWritable else { return refused(.ebadf) }
    guard let object = file.object else { return refused(.enodev) }
    let end = offset + length
    if end <= object.size { return .value(0) }
    if object.seals & 4 != 0 { return refused(.eperm) }
    // Where that hangs on frames that came and went, the kernel decides.
    if observed == .value(UInt64(Errno.enospc.rawValue)) { observed = .error(Errno.enomem.rawValue) }
    if isGrowthRefused(object, to: end, by: process) { return refused(.enospc) }
    object.resize(to: end, at: now)
    return .value(0)
  }

  /// What fspacectl(2) gives, and what is left to do afterwards.
  func punchHole(
    _ process: ModelProcess, _ call: PunchHoleCall
  ) -> (Expectation, left: (offset: Int64, length: Int64)) {
    let (offset, length) = (call.offset, call.length)
    func refused(_ error: Errno) -> (Expectation, left: (offset: Int64, length: Int64)) {
      (.error(error), (offset, length))
    }
    if call.command != 1 || call.flags != 0 || offset < 0 || length <= 0 { return refused(.einval) }
    if offset > Int64.max - length { return refused(.einval) }
    guard let file = process.file(call.descriptor), file.isWritable else { return refused(.ebadf) }
    guard let object = file.object, !file.is2008 else { return refused(.enodev) }
    if object.seals & 8 != 0 { return refused(.eperm) }
    let end = min(offset + length, object.size)
    if offset < end { object.punch(Int(offset)..<Int(end)) }
    return (.value(0), (max(offset, end), 0))
  }
}

extension ModelObject {
  /// Zeroes bytes; whole pages are gone.
  func punch(_ bytes: Range<Int>) {
    for page in bytes.lowerBound / 4096...(bytes.upperBound - 1) / 4096 {
      let start = max(bytes.lowerBound, page * 4096)
      let end = min(bytes.upperBound, (page + 1) * 4096)
      if end - start == 4096 {
        pages[page] = nil
        perhapsAllocated.remove(page)
      } else if var content = pages[page] {
        content.replaceSubrange(start % 4096..<start % 4096 + end - start, with: repeatElement(0, count: end - start))
        pages[page] = content
      }
    }
  }
}
