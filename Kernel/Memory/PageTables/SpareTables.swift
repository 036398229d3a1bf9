// Page-table frames that became empty, kept for the next table: their entries are all zero already, and clearing a frame is
// most of what making a table costs.
//
// Invariants
// - The frames are in state `.spareTable`. The lower 1 KiB of all of them is zero; so is the rest of those in `tables`, while
//   those in `roots` have the kernel's half.
// - None is kept while memory is short, and reclaim takes them first; `trim` gives them back, so that frames can be counted.

import Primitives

/// A few empty tables.
struct SpareTables {
  /// The most of either kind.
  static let limit = 8

  fileprivate(set) var tables = FrameList()
  fileprivate(set) var roots = FrameList()

  var isEmpty: Bool { tables.isEmpty && roots.isEmpty }
}

extension MemorySystem {
  /// A table without entries; nil when no frame is to be had.
  @inline(__always)
  func takeTable() -> FrameNumber? {
    if spareTables.tables.isEmpty || services.failures.isArmed { return allocateZeroedFrame(.pageTable) }
    return take(from: &spareTables.tables)
  }

  /// A top-level table with the kernel's half only; nil when no frame is to be had.
  func takeRoot() -> FrameNumber? {
    if !spareTables.roots.isEmpty && !services.failures.isArmed { return take(from: &spareTables.roots) }
    guard let root = allocateFrame(.pageTable) else { return nil }
    physical.zero(root.address, byteCount: 1024)
    physical.copy(kernelRoot.address + 1024, to: root.address + 1024, byteCount: 3072)
    return root
  }

  private func take(from list: inout FrameList) -> FrameNumber {
    let frame = list.first
    list.remove(frame, frames)
    frames[frame].state = .pageTable
    return frame
  }

  /// Gives back a table all of whose entries are zero, and which the processor has forgotten.
  @inline(__always)
  func giveTable(_ frame: FrameNumber) { give(frame, to: &spareTables.tables) }

  /// Gives back a top-level table whose user half is all zero, and which the processor has forgotten.
  func giveRoot(_ frame: FrameNumber) { give(frame, to: &spareTables.roots) }

  private func give(_ frame: FrameNumber, to list: inout FrameList) {
    FrameList.markFree(frame, frames)
    guard list.count < SpareTables.limit && !isShort else { return free(frame) }
    frames[frame].state = .spareTable
    frames[frame].owner = OwnerReference()
    list.prepend(frame, frames)
  }

  /// Frees the tables that are kept. Returns how many there were.
  @discardableResult
  func freeSpareTables() -> Int {
    let count = spareTables.tables.count + spareTables.roots.count
    while !spareTables.tables.isEmpty { free(take(from: &spareTables.tables)) }
    while !spareTables.roots.isEmpty { free(take(from: &spareTables.roots)) }
    return count
  }
}
