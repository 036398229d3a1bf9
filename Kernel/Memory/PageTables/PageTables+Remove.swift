// Taking translations out of the tables, or rights from them, and giving tables back; in bounded steps where a range may be
// large.
import ABI
import Primitives

/// What becomes of tables in which nothing is left.
enum EmptyTables {
  /// They go.
  case giveBack
  /// They stay until the mapping goes.
  case keep
}

extension PageTables {
  /// Removes the translations of a range, about `budget` of them at most, which are taken off it, and, if so wanted, the tables
  /// that become empty. Returns where to go on, `range.end` when none is left.
  mutating func remove(
    _ range: AddressRange, emptyTables: EmptyTables = .giveBack, _ budget: inout Int, _ system: MemorySystem
  ) -> UInt64 {
    noteResidentPages()
    var stale = StaleTranslations(processors)
    if largeLeafCount > 0 { splitEnds(of: range, &stale, system) }
    let position = visitLeaves(range, &budget, system) { tables, slot, table, address, level, _ in
      stale.note(address)
      return tables.removeLeaf(slot, table, level, system)
    } leaving: { tables, table in
      guard emptyTables == .giveBack && system.frames[table].count == 0 else { return 0 }
      tables.detach(table, &stale, system)
      return 1
    }
    forget(&stale, system)
    return position
  }

  /// Takes the rights to store or to execute away from the translations of a range, as far as they are among `lost`. Looks at
  /// about `budget` of them at most, which are taken off it, and returns where to go on, `range.end` when all are done.
  mutating func restrict(
    _ range: AddressRange, taking lost: Protection, _ budget: inout Int, _ system: MemorySystem
  ) -> UInt64 {
    let clear = lost.contains(.write) ? PageTableEntry.writable : 0
    let set = lost.contains(.execute) ? PageTableEntry.noExecute : 0
    var stale = StaleTranslations(processors)
    if largeLeafCount > 0 { splitEnds(of: range, &stale, system) }
    let position = visitLeaves(range, &budget, system) { _, slot, _, address, _, entry in
      guard entry & clear != 0 || entry & set != set else { return 0 }
      if clear != 0 { _ = system.physical.clear(bits: clear, at: slot) }
      if set != 0 { system.physical.set(bits: set, at: slot) }
      stale.note(address)
      return 0
    } leaving: { _, table in
      system.frames[table].count == 0 ? 1 : 0
    }
    forget(&stale, system)
    return position
  }

  /// Removes the leaf whose entry lies at `slot`.
  @inline(__always)
  mutating func removeLeaf(at slot: PhysicalAddress, _ system: MemorySystem) {
    let table = slot.frame
    noteResidentPages()
    if system.frames[table].order > 0 || system.frames[table].count == 1 {
      return removeLastOrLargeLeaf(slot, table, system)
    }
    _ = removeLeaf(slot, table, 0, system)
    if !processors.isEmpty { system.issue(page: system.address(of: slot, level: 0), to: processors) }
  }

  /// Removes a leaf of 4 KiB that has been taken off its frame's set.
  mutating func dropLeaf(at slot: PhysicalAddress, of frame: FrameNumber, _ system: MemorySystem) {
    let table = slot.frame
    noteResidentPages()
    let old = system.physical.exchange(0, at: slot)
    system.frames[table].count &-= 1
    residentPageCount &-= 1
    system.noteMarks(old, frame)
    if old & PageTableEntry.wired != 0 { system.unwire(frame) }
    if system.frames[table].count == 0 {
      var stale = StaleTranslations(processors)
      stale.note(system.address(of: slot, level: 0))
      detach(table, &stale, system)
      forget(&stale, system)
    } else if !processors.isEmpty {
      system.issue(page: system.address(of: slot, level: 0), to: processors)
    }
  }

  private mutating func removeLastOrLargeLeaf(
    _ slot: PhysicalAddress, _ table: FrameNumber, _ system: MemorySystem
  ) {
    let level = Int(system.frames[table].order)
    var stale = StaleTranslations(processors)
    stale.note(system.address(of: slot, level: level))
    _ = removeLeaf(slot, table, level, system)
    if system.frames[table].count == 0 { detach(table, &stale, system) }
    forget(&stale, system)
  }

  /// Takes a leaf out of its table. Returns what that cost more than usual.
  @inline(__always)
  mutating func removeLeaf(
    _ slot: PhysicalAddress, _ table: FrameNumber, _ level: Int, _ system: MemorySystem
  ) -> Int {
    let old = system.physical.exchange(0, at: slot)
    system.frames[table].count &-= 1
    if level > 0 { return removeLargeLeaf(slot, level, old, system) }
    residentPageCount &-= 1
    return system.removeMapping(slot, from: PageTableEntry.frame(old), .small, old)
  }

  private mutating func removeLargeLeaf(
    _ slot: PhysicalAddress, _ level: Int, _ old: UInt64, _ system: MemorySystem
  ) -> Int {
    let size = PageSize(level: level)
    largeLeafCount -= 1
    residentPageCount -= Int(size.frameCount)
    return system.removeMapping(slot, from: PageTableEntry.frame(old), size, old)
  }

  /// Unlinks an empty table, and every table above that becomes empty by it.
  mutating func detach(_ empty: FrameNumber, _ stale: inout StaleTranslations, _ system: MemorySystem) {
    let frames = system.frames
    var table = empty
    while table != root && frames[table].count == 0 {
      if hasCached(table) { forgetCachedTables() }
      let above = frames[table].parentTable
      let slot = PageTableEntry.slot(above, frames[table].index, level: Int(frames[above].order))
      FrameList.markFree(table, frames)
      stale.tables.append(table, frames)
      system.physical.store(0, at: slot)
      frames[above].count &-= 1
      table = above
    }
  }
}
