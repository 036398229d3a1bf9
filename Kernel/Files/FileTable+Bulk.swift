// What happens to whole tables: fork copies them, exec and closefrom close parts, exit closes everything; in bounded steps.

public import ABI
import Memory
import Primitives

extension FileTable {
  /// Goes on copying the descriptors of `parent` into this table, which was empty at first; takes them off `budget`.
  /// Returns whether all are copied.
  ///
  /// Throws ENOMEM when memory cannot be had; the caller then empties this table and drops it.
  public func copy(from parent: FileTable, budget: inout Int) throws(Errno) -> Bool {
    setLimit(Int64(parent.limit))
    while let descriptor = parent.lowestUsed(from: copyPosition) {
      if budget <= 0 { return false }
      if descriptor < FileLimits.leafDescriptorCount {
        try copyNear(from: parent, &budget)
      } else {
        try copyLeaf(at: descriptor, from: parent, &budget)
      }
    }
    copyPosition = 0
    return true
  }

  /// Copies some of the first descriptors, from the position on.
  private func copyNear(from parent: FileTable, _ budget: inout Int) throws(Errno) {
    var left = parent.near.used & (~0 << UInt64(copyPosition))
    while left != 0 && budget > 0 {
      let slot = left.trailingZeroBitCount
      left &= left &- 1
      budget -= 1
      copyPosition = slot + 1
      guard let file = parent.near.files[slot].borrowed.instance, !file.isForOneProcess else { continue }
      fill(Int32(slot), file, closeOnExec: parent.near.closeOnExec >> UInt64(slot) & 1 == 1)
      if parent.limitLeafCount != 0 { try copyLimits(of: slot, from: parent) }
    }
    if left == 0 { copyPosition = FileLimits.leafDescriptorCount }
  }

  /// Copies some of the descriptors that share a leaf, from one on.
  private func copyLeaf(at descriptor: Int, from parent: FileTable, _ budget: inout Int) throws(Errno) {
    do throws(Errno) {
      try prepare(descriptor)
    } catch {
      throw .enomem
    }
    guard let source = parent.farLeaf(of: Int32(descriptor)), let leaf = farLeaf(of: Int32(descriptor)) else {
      preconditionFailure("no such descriptor")
    }
    let leaves = fileServices.leaves
    let base = descriptor & ~63
    defer {
      // (Where there are only descriptors that a child does not get, there is no leaf.)
      if leaves[leaf].used == 0 {
        prune(descriptor)
      } else if leaves[leaf].used == UInt64.max {
        setFull(true, descriptor)
      }
    }
    var left = leaves[source].used & (~0 << UInt64(descriptor & 63))
    while left != 0 && budget > 0 {
      let slot = left.trailingZeroBitCount
      left &= left &- 1
      budget -= 1
      copyPosition = base + slot + 1
      guard let file = leaves[source].files[slot].borrowed.instance, !file.isForOneProcess else { continue }
      count += 1
      leaves[leaf].fill(slot, file, closeOnExec: leaves[source].closeOnExec >> UInt64(slot) & 1 == 1)
      if parent.limitLeafCount != 0 { try copyLimits(of: base + slot, from: parent) }
    }
    if left == 0 { copyPosition = base + FileLimits.leafDescriptorCount }
  }

  private func copyLimits(of descriptor: Int, from parent: FileTable) throws(Errno) {
    guard let limits = parent.limits(of: Int32(descriptor)) else { return }
    guard prepareLimits(Int32(descriptor)) else { throw .enomem }
    putLimits(limits, of: Int32(descriptor))
  }

  /// The pages of the object behind an open descriptor that the process being measured has not been counted for yet
  /// (ProcessSize.swift); 0 for files that hold none.
  public func countSize(at descriptor: Int, _ budget: inout Int) -> Int {
    guard let file = try? file(at: Int32(descriptor)) else { return 0 }
    if let file = file as? SharedMemoryFile2008 {
      return fileServices.memory.countSize(of: file.object.vmObject, &budget)
    }
    guard let pipe = file as? PipeFile else { return 0 }
    return fileServices.memory.countSize(of: pipe.object, &budget)
  }

  /// Closes the descriptors from `low` to `high`, both included, and takes them off `budget`. Returns whether none is left.
  public func closeRange(_ low: UInt32, _ high: UInt32, budget: inout Int) -> Bool {
    while let descriptor = lowestUsed(from: Int(low)), descriptor <= Int(high) {
      if budget <= 0 { return false }
      if descriptor >= FileLimits.leafDescriptorCount && firstQueue.isEmpty && limitLeafCount == 0 {
        closeLeaf(from: descriptor, to: Int(high), &budget)
      } else {
        budget -= 1
        _ = clear(Int32(descriptor))
      }
    }
    return true
  }

  /// Closes some of the descriptors that share a leaf, none of which has limits or notes, from one that is open on.
  private func closeLeaf(from descriptor: Int, to high: Int, _ budget: inout Int) {
    guard let leaf = farLeaf(of: Int32(descriptor)) else { preconditionFailure("no such descriptor") }
    let leaves = fileServices.leaves
    if leaves[leaf].used == UInt64.max { setFull(false, descriptor) }
    let last = UInt64(min(high, descriptor | 63) & 63)
    var left = leaves[leaf].used & (~0 << UInt64(descriptor & 63)) & (~0 >> (63 - last))
    while left != 0 && budget > 0 {
      let slot = left.trailingZeroBitCount
      left &= left &- 1
      budget -= 1
      let file = leaves[leaf].clear(slot)
      count -= 1
      // The table is in order before the file goes, which may be its end.
      if leaves[leaf].used == 0 { prune(descriptor) }
      _ = consume file
    }
  }

  /// Marks the descriptors from `low` to `high`, both included, as close-on-exec. Takes leaves of the table off `budget` and
  /// moves `low` to where to go on. Returns whether none is left.
  public func markCloseOnExec(from low: inout UInt32, to high: UInt32, budget: inout Int) -> Bool {
    while let descriptor = lowestUsed(from: Int(low)), descriptor <= Int(high) {
      if budget <= 0 { return false }
      budget -= 1
      let first = UInt64(descriptor & 63)
      let last = UInt64(min(Int(high), descriptor | 63) & 63)
      let range: UInt64 = (~0 << first) & (~0 >> (63 - last))
      if descriptor < FileLimits.leafDescriptorCount {
        near.closeOnExec |= near.used & range
      } else if let leaf = farLeaf(of: Int32(descriptor)) {
        fileServices.leaves[leaf].closeOnExec |= fileServices.leaves[leaf].used & range
      }
      low = UInt32(descriptor | 63) + 1
    }
    return true
  }

  /// Closes every descriptor; see `closeRange`.
  public func closeAll(budget: inout Int) -> Bool { closeRange(0, UInt32.max, budget: &budget) }

  /// Closes the descriptors that exec closes, and takes those it looks at off `budget`. Returns whether none is left.
  public func closeOnExec(budget: inout Int) -> Bool {
    while near.closeOnExec != 0 {
      if budget <= 0 { return false }
      budget -= 1
      _ = clear(Int32(near.closeOnExec.trailingZeroBitCount))
    }
    var position = max(copyPosition, FileLimits.leafDescriptorCount)
    while let descriptor = lowestUsed(from: position) {
      if budget <= 0 {
        copyPosition = position
        return false
      }
      budget -= 1
      let leaf = farLeaf(of: Int32(descriptor))
      let bits = (leaf.map { fileServices.leaves[$0].closeOnExec } ?? 0) >> UInt64(descriptor & 63)
      if bits == 0 {
        position = (descriptor | 63) + 1
        continue
      }
      position = descriptor + bits.trailingZeroBitCount + 1
      _ = clear(Int32(position - 1))
    }
    copyPosition = 0
    return true
  }
}
