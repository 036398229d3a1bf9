// Walking page tables: what is mapped in a range, in ascending order, at a cost that grows with what is mapped and not with the
// range (`PageFrame.usedGroups`).
import ABI
import Primitives

extension PageTables {
  /// What is done with a leaf; returns what that cost more than usual.
  typealias LeafVisitor = (
    _ tables: inout PageTables, _ slot: PhysicalAddress, _ table: FrameNumber, _ address: UInt64, _ level: Int,
    _ entry: UInt64
  ) -> Int

  /// The first table with a leaf at or behind `address`, or the first one in which there is nothing, which covers anything of
  /// `address ..< end`. Moves `address` up to what the table covers, or to a large leaf.
  private mutating func next(
    _ address: inout UInt64, _ end: UInt64, _ system: MemorySystem
  ) -> (table: FrameNumber, level: Int)? {
    if address < end && address & ~(PageTableEntry.coverage(level: 1) &- 1) == cachedBase {
      return (cachedTable, 0)
    }
    while address < end {
      var current = root
      var level = PageTableEntry.rootLevel
      while level > 0 {
        var entry = system.physical.load(PageTableEntry.slot(current, address, level: level))
        if entry & PageTableEntry.present == 0 {
          guard let index = nextUsed(current, level, address, system) else {
            if system.frames[current].count == 0 && current != root { return (current, level) }
            // Nothing more in this table: go on behind what it covers.
            let covered = PageTableEntry.coverage(level: level &+ 1)
            address = (address & ~(covered &- 1)) &+ covered
            break
          }
          let covered = PageTableEntry.coverage(level: level)
          address = (address & ~((covered &<< 9) &- 1)) &+ index &* covered
          if address >= end { return nil }
          entry = system.physical.load(current.address + index &* 8)
        }
        if entry & PageTableEntry.large != 0 { return (current, level) }
        current = PageTableEntry.frame(entry)
        level &-= 1
      }
      if level == 0 {
        cache(current, at: address & ~(PageTableEntry.coverage(level: 1) &- 1))
        return (current, 0)
      }
    }
    return nil
  }

  /// The index of the first present entry of a table at or behind that of `address`.
  private func nextUsed(
    _ table: FrameNumber, _ level: Int, _ address: UInt64, _ system: MemorySystem
  ) -> UInt64? {
    let first = PageTableEntry.index(address, level: level)
    var groups = system.frames[table].usedGroups & (~0 &<< (first >> 3))
    while groups != 0 {
      let group = UInt64(truncatingIfNeeded: groups.trailingZeroBitCount)
      var index = max(first, group &<< 3)
      let end = (group &<< 3) &+ 8
      while index < end {
        if system.physical.load(table.address + index &* 8) & PageTableEntry.present != 0 { return index }
        index &+= 1
      }
      if first <= group &<< 3 { system.frames[table].usedGroups &= ~(1 &<< group) }
      groups &= groups &- 1
    }
    return nil
  }

  /// Calls `body` with the first address, the size and the entry of every leaf that maps something of a range.
  mutating func forEachLeaf(
    in range: AddressRange, _ system: MemorySystem,
    _ body: (_ address: UInt64, _ size: PageSize, _ entry: UInt64) -> Void
  ) {
    var budget = Int.max
    _ = visitLeaves(range, &budget, system) { _, _, _, address, level, entry in
      body(address, PageSize(level: level), entry)
      return 0
    } leaving: { _, _ in
      0
    }
  }

  /// Calls `body` with the leaves that map something of a range, about `budget` of them at most (eight more
  /// can be, and with any budget at all there is progress), which are taken off it, with what `body` says that it cost more.
  /// Calls `leaving` with each table when its part of the range is done, or the budget is, and takes off the budget what it
  /// returns. Returns where to go on; the end of the range when nothing is left.
  @inline(__always)
  mutating func visitLeaves(
    _ range: AddressRange, _ budget: inout Int, _ system: MemorySystem,
    _ body: LeafVisitor, leaving: (_ tables: inout PageTables, _ table: FrameNumber) -> Int
  ) -> UInt64 {
    var address = range.start
    while let (table, level) = next(&address, range.end, system) {
      if budget <= 0 { return address }
      let covered = PageTableEntry.coverage(level: level &+ 1)
      let base = address & ~(covered &- 1)
      let end = min(range.end, base &+ covered)
      var position = end
      if level == 0 {
        position = visitTable(table, base, address, end, &budget, system, body)
      } else if system.frames[table].count > 0 {
        let slot = PageTableEntry.slot(table, address, level: level)
        let byteCount = PageTableEntry.coverage(level: level)
        let first = address & ~(byteCount &- 1)
        budget &-= 1 &+ body(&self, slot, table, first, level, system.physical.load(slot))
        position = first &+ byteCount
      }
      budget &-= leaving(&self, table)
      if position < end && budget <= 0 { return position }
      address = position
    }
    return range.end
  }

  /// The part of `visitLeaves` in one lowest table, which covers what is from `base` on.
  @inline(__always)
  private mutating func visitTable(
    _ table: FrameNumber, _ base: UInt64, _ start: UInt64, _ end: UInt64, _ budget: inout Int, _ system: MemorySystem,
    _ body: LeafVisitor
  ) -> UInt64 {
    var groups = system.frames[table].usedGroups & (~0 &<< (PageTableEntry.index(start, level: 0) >> 3))
    while groups != 0 {
      let group = UInt64(truncatingIfNeeded: groups.trailingZeroBitCount)
      groups &= groups &- 1
      let first = base &+ group &<< 15
      var address = max(first, start)
      if address >= end { break }
      let groupEnd = min(first &+ 8 &* Page.byteCount, end)
      var isUsed = false
      while address < groupEnd {
        let slot = PageTableEntry.slot(table, address, level: 0)
        let entry = system.physical.load(slot)
        if entry & PageTableEntry.present != 0 {
          isUsed = true
          budget &-= 1 &+ body(&self, slot, table, address, 0, entry)
        }
        address &+= Page.byteCount
      }
      if !isUsed && start <= first && groupEnd &- first == 8 &* Page.byteCount {
        system.frames[table].usedGroups &= ~(1 &<< group)
      }
      // Only where something was found: whoever begins again at the same place has to get further.
      if isUsed && budget <= 0 { return groupEnd }
    }
    return end
  }
}
