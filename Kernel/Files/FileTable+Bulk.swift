// What happens to whole tables: fork copies them, exec and closefrom close parts, exit closes everything; in bounded steps.

public import ABI
import Memory

extension FileTable {
  /// Goes on copying the descriptors of `parent` into this table, which was empty at first; takes them off `budget`.
  /// Returns whether all are copied.
  ///
  /// Throws ENOMEM when memory cannot be had; the caller then empties this table and drops it.
  public func copy(from parent: FileTable, budget: inout Int) throws(Errno) -> Bool {
    setLimit(Int64(parent.limit))
    while let descriptor = parent.lowestUsed(from: copyPosition) {
      if budget <= 0 { return false }
      budget -= 1
      copyPosition = descriptor + 1
      let number = Int32(descriptor)
      let file = try parent.file(at: number)
      if file.isForOneProcess { continue }
      do throws(Errno) {
        try prepare(descriptor)
      } catch {
        throw .enomem
      }
      fill(number, file, closeOnExec: try parent.flags(of: number).contains(.closeOnExec))
      guard parent.limitLeafCount != 0, let limits = parent.limits(of: number) else { continue }
      guard prepareLimits(number) else { throw .enomem }
      putLimits(limits, of: number)
    }
    copyPosition = 0
    return true
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
      budget -= 1
      _ = clear(Int32(descriptor))
    }
    return true
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
      position = descriptor + 1
      let leaf = farLeaf(of: Int32(descriptor))
      let bits = leaf.map { fileServices.leaves[$0].closeOnExec } ?? 0
      if bits >> UInt64(descriptor & 63) & 1 == 1 { _ = clear(Int32(descriptor)) }
    }
    copyPosition = 0
    return true
  }
}
