// The descriptor table of a process (spec fd.md, sections 1 to 4).
//
// Invariants
// - Descriptors 0 to 63 are in `near`, the others in the tree under `trunk`, whose first leaf (0 to 63) does not exist and
//   counts as full. Nothing is allocated while a process has no more than 64 descriptors.
// - A table owns its files. A file that leaves the table is dropped only when the table is in order again, because the last
//   reference may run code of the file's type.
// - A table is empty before it goes (`closeAll`).

public import ABI
public import Memory
public import Primitives

/// A descriptor table.
public final class FileTable: Nameable {
  /// The kernel's files.
  public let fileServices: FileServices
  var near = DescriptorLeaf()
  var trunk = Handle<DescriptorBranch<DescriptorBranch<DescriptorLeaf>>>.none
  /// Open descriptors.
  public internal(set) var count = 0
  /// Descriptors at or above this are refused: the soft limit of RLIMIT_NOFILE, capped by `kern.maxfilesperproc`.
  /// Lowering it closes nothing.
  public private(set) var limit: Int
  /// Who pays for the nodes of the tree: the process's real user.
  public var account: UserAccount? {
    willSet {
      account?.countKernelMemory(-nodeByteCount)
      newValue?.countKernelMemory(nodeByteCount)
    }
  }
  /// What the nodes of the tree take.
  public private(set) var nodeByteCount = 0
  /// The queues that were made in this table: descriptors that go take their notes with them.
  var firstQueue = BackReference<EventQueue>()
  /// Records of limits beside leaves.
  var limitLeafCount = 0
  /// Where fork(2), copying into this table, or exec goes on.
  var copyPosition = 0

  /// Makes an empty table that only `kern.maxfilesperproc` limits.
  public init(_ fileServices: FileServices) {
    self.fileServices = fileServices
    limit = fileServices.maximumFilesPerProcess
    fileServices.liveTableCount += 1
  }

  deinit {
    precondition(count == 0 && trunk.isNone, "a table was dropped before it was emptied")
    releaseLimitLeaf(of: 0)
    // Those are left whose files something else holds: a call, or a note of a queue that is being taken apart.
    while let queue = firstQueue.instance {
      firstQueue = queue.nextOfTable
      queue.table = BackReference()
    }
    fileServices.liveTableCount -= 1
  }

  /// Counts a node that has come, or, negative, gone.
  func count(nodeByteCount byteCount: Int) {
    nodeByteCount += byteCount
    account?.countKernelMemory(byteCount)
  }

  /// Follows a change of the soft limit of RLIMIT_NOFILE.
  public func setLimit(_ softLimit: Int64) {
    limit = softLimit < 0 ? 0 : Int(min(softLimit, Int64(fileServices.maximumFilesPerProcess)))
  }

  /// The file behind a descriptor, whatever that is limited to.
  ///
  /// Throws EBADF when there is none.
  @inline(__always)
  func file(at descriptor: Int32) throws(Errno) -> OpenFile {
    guard let file = try reference(at: descriptor).instance else { throw .ebadf }
    return file
  }

  /// The same, to be borrowed while the descriptor stays open.
  ///
  /// Throws EBADF when there is none.
  @inline(__always)
  func reference(at descriptor: Int32) throws(Errno) -> BackReference<OpenFile> {
    let file =
      if UInt32(bitPattern: descriptor) < UInt32(FileLimits.leafDescriptorCount) {
        near.files[Int(descriptor)].borrowed
      } else {
        farReference(at: descriptor)
      }
    if file.isEmpty { throw .ebadf }
    return file
  }

  private func farReference(at descriptor: Int32) -> BackReference<OpenFile> {
    farLeaf(of: descriptor).map { fileServices.leaves[$0].files[Int(descriptor) & 63].borrowed } ?? BackReference()
  }

  /// Gives a file the lowest free descriptor that is not below `minimum`.
  ///
  /// Throws EMFILE when the limit is reached, or when memory for a larger table cannot be had.
  @inline(__always)
  public func install(_ file: consuming OpenFile, atOrAbove minimum: Int32 = 0, closeOnExec: Bool) throws(Errno)
    -> Int32
  {
    let descriptor = try reserveLowest(atOrAbove: minimum)
    fill(descriptor, file, closeOnExec: closeOnExec)
    return descriptor
  }

  /// close(2).
  ///
  /// Throws EBADF when the descriptor is not open.
  @inline(__always)
  public func close(_ descriptor: Int32) throws(Errno) {
    guard let file = clear(descriptor) else { throw .ebadf }
    _ = consume file
  }

  /// Closes a descriptor unless it means another file by now.
  func close(_ descriptor: Int32, ifStill file: OpenFile) {
    if let present = try? self.file(at: descriptor), present === file { _ = clear(descriptor) }
  }

  /// FD_CLOEXEC of a descriptor.
  ///
  /// Throws EBADF when the descriptor is not open.
  public func flags(of descriptor: Int32) throws(Errno) -> FileDescriptorFlags {
    _ = try reference(at: descriptor)
    let bits =
      if descriptor < 64 { near.closeOnExec } else {
        farLeaf(of: descriptor).map { fileServices.leaves[$0].closeOnExec } ?? 0
      }
    return bits >> UInt64(descriptor & 63) & 1 == 1 ? .closeOnExec : []
  }

  /// Sets or clears FD_CLOEXEC.
  ///
  /// Throws EBADF when the descriptor is not open.
  public func setFlags(_ flags: FileDescriptorFlags, of descriptor: Int32) throws(Errno) {
    _ = try reference(at: descriptor)
    setCloseOnExec(flags.contains(.closeOnExec), of: descriptor)
  }
}

// MARK: dup(2), dup2(2), F_DUPFD and F_DUP2FD (spec fd.md, section 4)

extension FileTable {
  /// dup(2): the lowest free descriptor for the same file.
  ///
  /// Throws EBADF when the descriptor is not open, EMFILE.
  @inline(__always)
  public func duplicate(_ descriptor: Int32) throws(Errno) -> Int32 {
    let new = try install(try file(at: descriptor), closeOnExec: false)
    if limitLeafCount != 0 { try give(limits(of: descriptor), to: new) }
    return new
  }

  /// F_DUPFD: the lowest free descriptor that is not below `minimum` for the same file.
  ///
  /// Throws EBADF when the descriptor is negative, EINVAL for a minimum that is not below the limit, EBADF when the
  /// descriptor is not open, EMFILE.
  public func duplicate(_ descriptor: Int32, atOrAbove minimum: Int32, closeOnExec: Bool) throws(Errno) -> Int32 {
    guard descriptor >= 0 else { throw .ebadf }
    guard minimum >= 0, minimum < limit else { throw .einval }
    let new = try install(try file(at: descriptor), atOrAbove: minimum, closeOnExec: closeOnExec)
    if limitLeafCount != 0 { try give(limits(of: descriptor), to: new) }
    return new
  }

  /// dup2(2) and F_DUP2FD: makes `target` mean the same file, in place of what it meant. When both are the same descriptor,
  /// nothing changes but that `closeOnExec` may be set.
  ///
  /// Throws EBADF when `descriptor` is not open or `target` is not below the limit; EMFILE when memory for a larger table
  /// cannot be had.
  public func duplicate(_ descriptor: Int32, onto target: Int32, closeOnExec: Bool) throws(Errno) {
    guard descriptor >= 0, target >= 0, target < limit else { throw .ebadf }
    let file = try file(at: descriptor)
    if descriptor == target {
      if closeOnExec { setCloseOnExec(true, of: target) }
      return
    }
    let limits = limitLeafCount == 0 ? nil : limits(of: descriptor)
    if (try? reference(at: target)) != nil {
      if limits != nil && !prepareLimits(target) { throw .emfile }
      replace(target, by: file, closeOnExec: closeOnExec)
    } else {
      try prepare(Int(target))
      fill(target, file, closeOnExec: closeOnExec)
    }
    try give(limits, to: target)
  }
}
