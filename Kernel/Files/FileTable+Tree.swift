// Finding free and used descriptors, and growing and shrinking the tree behind the first 64.

import ABI
import Memory
import Primitives

extension FileTable {
  /// The lowest free descriptor that is not below `minimum`, with room for a file made; `fill` or `abandon` it in the same
  /// event.
  ///
  /// Throws EMFILE when the limit is reached, or when memory for a larger table cannot be had.
  @inline(__always)
  func reserveLowest(atOrAbove minimum: Int32 = 0) throws(Errno) -> Int32 {
    if minimum < 64, let slot = (~near.used).lowestBit(from: Int(minimum)) {
      guard slot < limit else { throw .emfile }
      return Int32(truncatingIfNeeded: slot)
    }
    return try reserveFar(from: max(Int(minimum), FileLimits.leafDescriptorCount))
  }

  private func reserveFar(from minimum: Int) throws(Errno) -> Int32 {
    let descriptor = lowestFarFree(from: minimum)
    guard descriptor < limit else { throw .emfile }
    try prepare(descriptor)
    return Int32(truncatingIfNeeded: descriptor)
  }

  /// Gives back what `reserveLowest` made.
  @inline(__always)
  func abandon(_ descriptor: Int32) {
    if limitLeafCount != 0 { releaseLimitLeaf(of: descriptor) }
    if descriptor >= 64 { prune(Int(descriptor)) }
  }

  /// Puts a file into an empty slot that has room.
  @inline(__always)
  func fill(_ descriptor: Int32, _ file: consuming OpenFile, closeOnExec: Bool) {
    var held = HeldReference<OpenFile>()
    held.fill(file)
    fill(descriptor, held, closeOnExec: closeOnExec)
  }

  /// The same of a file that is handed over.
  @inline(__always)
  func fill(_ descriptor: Int32, _ file: HeldReference<OpenFile>, closeOnExec: Bool) {
    if descriptor < 64 {
      count &+= 1
      near.fill(Int(descriptor), file, closeOnExec: closeOnExec)
    } else {
      fillFar(Int(descriptor), file, closeOnExec: closeOnExec)
    }
  }

  private func fillFar(_ descriptor: Int, _ file: HeldReference<OpenFile>, closeOnExec: Bool) {
    guard let leaf = farLeaf(of: Int32(descriptor)) else { preconditionFailure("no room was made") }
    count += 1
    fileServices.leaves[leaf].fill(descriptor & 63, file, closeOnExec: closeOnExec)
    if fileServices.leaves[leaf].used == UInt64.max { setFull(true, descriptor) }
  }

  /// Puts a file into a slot in place of the one that is there.
  func replace(_ descriptor: Int32, by file: consuming OpenFile, closeOnExec: Bool) {
    if !firstQueue.isEmpty { forgetNotes(on: descriptor) }
    if limitLeafCount != 0 { dropLimits(of: descriptor) }
    let slot = Int(descriptor & 63)
    let replaced =
      if descriptor < 64 { near.replace(slot, by: file, closeOnExec: closeOnExec) } else {
        fileServices.leaves[openLeaf(of: descriptor)].replace(slot, by: file, closeOnExec: closeOnExec)
      }
    _ = consume replaced
  }

  /// Sets or clears FD_CLOEXEC of a descriptor that is open.
  func setCloseOnExec(_ isSet: Bool, of descriptor: Int32) {
    let slot = Int(descriptor & 63)
    if descriptor < 64 {
      near.setCloseOnExec(isSet, slot)
    } else {
      fileServices.leaves[openLeaf(of: descriptor)].setCloseOnExec(isSet, slot)
    }
  }

  private func openLeaf(of descriptor: Int32) -> Handle<DescriptorLeaf> {
    guard let leaf = farLeaf(of: descriptor) else { preconditionFailure("no such descriptor") }
    return leaf
  }

  /// Empties a slot and hands its file to the caller; nil when the descriptor is not open.
  @inline(__always)
  func clear(_ descriptor: Int32) -> OpenFile? {
    if !firstQueue.isEmpty { forgetNotes(on: descriptor) }
    if limitLeafCount != 0 { dropLimits(of: descriptor) }
    if UInt32(bitPattern: descriptor) < 64 {
      guard let file = near.clear(Int(descriptor)) else { return nil }
      count &-= 1
      return file
    }
    return clearFar(descriptor)
  }

  /// The queues of the table forget what they watch through a descriptor that goes.
  @inline(never)
  private func forgetNotes(on descriptor: Int32) {
    var place = firstQueue
    while let queue = place.instance {
      place = queue.nextOfTable
      queue.forget(descriptor: descriptor)
    }
  }

  private func clearFar(_ descriptor: Int32) -> OpenFile? {
    guard let leaf = farLeaf(of: descriptor) else { return nil }
    let wasFull = fileServices.leaves[leaf].used == UInt64.max
    guard let file = fileServices.leaves[leaf].clear(Int(descriptor) & 63) else { return nil }
    count -= 1
    if wasFull { setFull(false, Int(descriptor)) }
    prune(Int(descriptor))
    return file
  }
}

// MARK: The tree

extension FileTable {
  private static var branchDescriptorCount: Int { 64 * 64 }
  /// Bytes of a branch or the trunk.
  static var branchByteCount: Int { MemoryLayout<DescriptorBranch<DescriptorLeaf>>.stride }
  /// Bytes of a leaf.
  static var leafByteCount: Int { MemoryLayout<DescriptorLeaf>.stride }

  func farLeaf(of descriptor: Int32) -> Handle<DescriptorLeaf>? {
    guard descriptor >= 64, Int(descriptor) < FileLimits.descriptorCount, let branch = branch(of: Int(descriptor))
    else {
      return nil
    }
    let leaf = fileServices.branches[branch].children[Int(descriptor) >> 6 & 63]
    return leaf.isNone ? nil : leaf
  }

  private func branch(of descriptor: Int) -> Handle<DescriptorBranch<DescriptorLeaf>>? {
    if trunk.isNone { return nil }
    let branch = fileServices.trunks[trunk].children[descriptor >> 12]
    return branch.isNone ? nil : branch
  }

  /// Makes the leaf of a descriptor and what is above it.
  ///
  /// Throws EMFILE when memory cannot be had, or the user has as much of the kernel's as one may have; then nothing has
  /// changed.
  func prepare(_ descriptor: Int) throws(Errno) {
    if descriptor < 64 || farLeaf(of: Int32(descriptor)) != nil { return }
    guard account?.mayMakeKernelMemory ?? true else { throw .emfile }
    let system = fileServices.memory
    if trunk.isNone {
      guard let new = fileServices.trunks.allocate(DescriptorBranch(), system) else { throw .emfile }
      trunk = new
      count(nodeByteCount: FileTable.branchByteCount)
    }
    let branchSlot = descriptor >> 12
    if fileServices.trunks[trunk].children[branchSlot].isNone {
      var new = DescriptorBranch<DescriptorLeaf>()
      // The leaf of descriptors 0 to 63 is not in the tree.
      if branchSlot == 0 { new.full = 1 }
      guard let branch = fileServices.branches.allocate(new, system) else {
        prune(descriptor)
        throw .emfile
      }
      fileServices.trunks[trunk].add(branch, at: branchSlot)
      count(nodeByteCount: FileTable.branchByteCount)
    }
    guard let leaf = fileServices.leaves.allocate(DescriptorLeaf(), system) else {
      prune(descriptor)
      throw .emfile
    }
    let branch = fileServices.trunks[trunk].children[branchSlot]
    fileServices.branches[branch].add(leaf, at: descriptor >> 6 & 63)
    count(nodeByteCount: FileTable.leafByteCount)
  }

  /// Gives back the nodes on the way to a descriptor that hold nothing any more.
  func prune(_ descriptor: Int) {
    let system = fileServices.memory
    if let branch = branch(of: descriptor) {
      let leaf = fileServices.branches[branch].children[descriptor >> 6 & 63]
      if !leaf.isNone {
        guard fileServices.leaves[leaf].used == 0 else { return }
        releaseLimitLeaf(of: Int32(truncatingIfNeeded: descriptor))
        _ = fileServices.leaves.take(leaf, system)
        count(nodeByteCount: -FileTable.leafByteCount)
        fileServices.branches[branch].remove(at: descriptor >> 6 & 63)
      }
      guard fileServices.branches[branch].present == 0 else { return }
      _ = fileServices.branches.take(branch, system)
      count(nodeByteCount: -FileTable.branchByteCount)
      fileServices.trunks[trunk].remove(at: descriptor >> 12)
    }
    guard !trunk.isNone, fileServices.trunks[trunk].present == 0 else { return }
    _ = fileServices.trunks.take(trunk, system)
    count(nodeByteCount: -FileTable.branchByteCount)
    trunk = .none
  }

  func setFull(_ isFull: Bool, _ descriptor: Int) {
    guard let branch = branch(of: descriptor) else { preconditionFailure("no such descriptor") }
    fileServices.branches[branch].setFull(isFull, at: descriptor >> 6 & 63)
    fileServices.trunks[trunk].setFull(fileServices.branches[branch].full == UInt64.max, at: descriptor >> 12)
  }

  /// The lowest free descriptor at or above `minimum`, which is at least 64; at most a few steps.
  func lowestFarFree(from minimum: Int) -> Int {
    var descriptor = minimum
    while descriptor < FileLimits.descriptorCount {
      guard let branch = branch(of: descriptor) else { return descriptor }
      guard let leaf = farLeaf(of: Int32(descriptor)) else { return descriptor }
      if let slot = (~fileServices.leaves[leaf].used).lowestBit(from: descriptor & 63) {
        return descriptor & ~63 | slot
      }
      let leafSlot = descriptor >> 6 & 63
      if let next = (~fileServices.branches[branch].full).lowestBit(from: leafSlot + 1) {
        descriptor = descriptor & ~(FileTable.branchDescriptorCount - 1) | next << 6
      } else if let next = (~fileServices.trunks[trunk].full).lowestBit(from: descriptor >> 12 + 1) {
        descriptor = next << 12
        if let branch = self.branch(of: descriptor),
          let first = (~fileServices.branches[branch].full).lowestBit(from: 0)
        {
          descriptor |= first << 6
        }
      } else {
        return FileLimits.descriptorCount
      }
    }
    return FileLimits.descriptorCount
  }

  /// The lowest open descriptor at or above `minimum`, if there is one.
  public func lowestUsed(from minimum: Int) -> Int? {
    if minimum < 64, let slot = near.used.lowestBit(from: minimum) { return slot }
    var descriptor = max(minimum, 64)
    while !trunk.isNone && descriptor < FileLimits.descriptorCount {
      if let leaf = farLeaf(of: Int32(descriptor)),
        let slot = fileServices.leaves[leaf].used.lowestBit(from: descriptor & 63)
      {
        return descriptor & ~63 | slot
      }
      if let branch = branch(of: descriptor),
        let next = fileServices.branches[branch].present.lowestBit(from: descriptor >> 6 & 63 + 1)
      {
        descriptor = descriptor & ~(FileTable.branchDescriptorCount - 1) | next << 6
      } else if let next = fileServices.trunks[trunk].present.lowestBit(from: descriptor >> 12 + 1) {
        descriptor = next << 12
      } else {
        return nil
      }
    }
    return nil
  }

  /// A multiple of 64 that is above every open descriptor.
  public var descriptorEnd: Int {
    if trunk.isNone { return 64 }
    let branchSlot = 63 - fileServices.trunks[trunk].present.leadingZeroBitCount
    let branch = fileServices.trunks[trunk].children[branchSlot]
    let leafSlot = 63 - fileServices.branches[branch].present.leadingZeroBitCount
    return (branchSlot << 12 | leafSlot << 6) + 64
  }
}
