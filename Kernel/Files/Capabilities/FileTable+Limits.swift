// The limits of the descriptors of a table, and what calls ask of them.
//
// A limited descriptor has its limits in a record beside its leaf, which goes with the last of them; a table without such records
// asks nothing. `limitLeafCount` counts them.

public import ABI
import Memory
public import Primitives

extension FileTable {
  /// The file behind a descriptor, for a call that needs these rights.
  ///
  /// Throws EBADF when there is none, ENOTCAPABLE when the descriptor is limited to others.
  @inline(__always)
  public func file(at descriptor: Int32, needing rights: CapabilityRights) throws(Errno) -> OpenFile {
    guard let file = try reference(at: descriptor, needing: rights).instance else { throw .ebadf }
    return file
  }

  /// The same, to be borrowed while the descriptor stays open.
  ///
  /// Throws EBADF, ENOTCAPABLE.
  @inline(__always)
  public func reference(
    at descriptor: Int32, needing rights: CapabilityRights
  ) throws(Errno) -> BackReference<OpenFile> {
    let file = try reference(at: descriptor)
    if limitLeafCount != 0 { try check(rights, of: descriptor) }
    return file
  }

  /// The file behind a descriptor, for fcntl(2) with a command that a right of its own allows.
  ///
  /// Throws EBADF, ENOTCAPABLE.
  public func file(at descriptor: Int32, for command: FileControlCommand) throws(Errno) -> OpenFile {
    let file = try file(at: descriptor, needing: .fileControl)
    let commands = limits(of: descriptor)?.fileCommands ?? .all
    guard commands.contains(FileCommandRights(command)) else { throw .enotcapable }
    return file
  }

  /// Whether a descriptor may be used for a request of ioctl(2).
  ///
  /// Throws EBADF, ENOTCAPABLE.
  public func check(_ request: InputOutputControl, of descriptor: Int32) throws(Errno) {
    _ = try reference(at: descriptor, needing: .inputOutputControl)
    guard limits(of: descriptor)?.allows(request) ?? true else { throw .enotcapable }
  }

  @inline(never)
  private func check(_ rights: CapabilityRights, of descriptor: Int32) throws(Errno) {
    guard let limits = limits(of: descriptor) else { return }
    guard limits.rights.isSuperset(of: rights) else { throw .enotcapable }
  }

  /// The limits of a descriptor; nil when it has none, or is not open.
  public func limits(of descriptor: Int32) -> DescriptorLimits? {
    let leaf = limitLeaf(of: descriptor)
    return leaf.isNone ? nil : fileServices.limitLeaves[leaf].limits[Int(descriptor & 63)].borrowed.instance
  }

  // MARK: Limiting

  /// cap_rights_limit(2)
  ///
  /// Throws EBADF; ENOTCAPABLE for a right that the descriptor has not; ENOMEM.
  public func limit(_ descriptor: Int32, to rights: CapabilityRights, _ caller: Credentials) throws(Errno) {
    let present = try presentLimits(of: descriptor)
    try setLimits(.narrow(present, to: rights, fileServices, caller.account), of: descriptor)
  }

  /// cap_fcntls_limit(2)
  ///
  /// Throws EBADF; ENOTCAPABLE for a command that the descriptor has not; ENOMEM.
  public func limit(_ descriptor: Int32, to commands: FileCommandRights, _ caller: Credentials) throws(Errno) {
    let present = try presentLimits(of: descriptor)
    try setLimits(.narrow(present, to: commands, fileServices, caller.account), of: descriptor)
  }

  /// cap_ioctls_limit(2)
  ///
  /// Throws EBADF; ENOTCAPABLE for a request that the descriptor has not; ENOMEM.
  public func limit(_ descriptor: Int32, to requests: RequestList, _ caller: Credentials) throws(Errno) {
    let present = try presentLimits(of: descriptor)
    try setLimits(.narrow(present, to: requests, fileServices, caller.account), of: descriptor)
  }

  /// Throws EBADF.
  private func presentLimits(of descriptor: Int32) throws(Errno) -> DescriptorLimits? {
    _ = try reference(at: descriptor)
    return limits(of: descriptor)
  }

  /// Throws ENOMEM when memory cannot be had, or the user has as much of the kernel's as one may have.
  private func setLimits(_ limits: consuming DescriptorLimits, of descriptor: Int32) throws(Errno) {
    guard account?.mayMakeKernelMemory ?? true, prepareLimits(descriptor) else { throw .enomem }
    putLimits(limits, of: descriptor)
  }

  /// Makes room for limits of a descriptor, which has a leaf; false when memory cannot be had.
  func prepareLimits(_ descriptor: Int32) -> Bool {
    if !limitLeaf(of: descriptor).isNone { return true }
    guard let new = fileServices.limitLeaves.allocate(LimitLeaf(), fileServices.memory) else { return false }
    setLimitLeaf(new, of: descriptor)
    limitLeafCount += 1
    count(nodeByteCount: FileTable.limitLeafByteCount)
    return true
  }

  /// Gives a descriptor limits, for which room has been made.
  func putLimits(_ limits: consuming DescriptorLimits, of descriptor: Int32) {
    let leaf = limitLeaf(of: descriptor)
    let slot = Int(descriptor & 63)
    let replaced = fileServices.limitLeaves[leaf].limits[slot].take()
    if replaced == nil { fileServices.limitLeaves[leaf].count += 1 }
    fileServices.limitLeaves[leaf].limits[slot].fill(limits)
    _ = replaced
  }

  /// Gives a descriptor that has just come the limits of the one that it comes from, if that has some.
  ///
  /// Throws EMFILE when memory cannot be had; then the descriptor is closed.
  func give(_ limits: DescriptorLimits?, to descriptor: Int32) throws(Errno) {
    guard let limits else { return }
    guard prepareLimits(descriptor) else {
      _ = clear(descriptor)
      throw .emfile
    }
    putLimits(limits, of: descriptor)
  }

  /// A descriptor goes, or means another file: its limits go, and the record with the last of them.
  @inline(never)
  func dropLimits(of descriptor: Int32) {
    let leaf = limitLeaf(of: descriptor)
    if leaf.isNone { return }
    let dropped = fileServices.limitLeaves[leaf].limits[Int(descriptor & 63)].take()
    if dropped != nil { fileServices.limitLeaves[leaf].count -= 1 }
    if fileServices.limitLeaves[leaf].count == 0 { releaseLimitLeaf(of: descriptor) }
    _ = dropped
  }

  /// Gives the record of a leaf back in which nothing is.
  func releaseLimitLeaf(of descriptor: Int32) {
    let leaf = limitLeaf(of: descriptor)
    guard !leaf.isNone, fileServices.limitLeaves[leaf].count == 0 else { return }
    setLimitLeaf(.none, of: descriptor)
    _ = fileServices.limitLeaves.take(leaf, fileServices.memory)
    limitLeafCount -= 1
    count(nodeByteCount: -FileTable.limitLeafByteCount)
  }

  // MARK: Where they are

  /// Bytes of a record.
  static var limitLeafByteCount: Int { MemoryLayout<LimitLeaf>.stride }

  private func limitLeaf(of descriptor: Int32) -> Handle<LimitLeaf> {
    if UInt32(bitPattern: descriptor) < 64 { return near.limits }
    return farLeaf(of: descriptor).map { fileServices.leaves[$0].limits } ?? .none
  }

  private func setLimitLeaf(_ leaf: Handle<LimitLeaf>, of descriptor: Int32) {
    if descriptor < 64 {
      near.limits = leaf
    } else if let far = farLeaf(of: descriptor) {
      fileServices.leaves[far].limits = leaf
    }
  }
}
