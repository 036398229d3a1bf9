// Walking the page tables of an address space: what is present in a range, in ascending order, at a cost that grows with
// what is present and not with the range (`PageFrame.usedGroups`).
import ABI
import Primitives

extension AddressSpace {
  /// The first table that covers anything of `address ..< end`: one of the lowest level with an entry or not, or a higher
  /// one in which there is none (memory for what it was made for could not be had). Moves `address` up to what it covers.
  func nextTable(_ address: inout UInt64, _ end: UInt64) -> (table: FrameNumber, level: Int)? {
    if address < end && address & ~(PageTableEntry.coverage(level: 1) &- 1) == cachedTableBase {
      return (cachedTable, 0)
    }
    while address < end {
      var table = root
      var level = 3
      while level > 0 {
        guard let index = nextUsed(table, level, address) else {
          if system.frames[table].count == 0 && level < 3 { return (table, level) }
          // Nothing more in this table: go on behind what it covers.
          let covered = PageTableEntry.coverage(level: level &+ 1)
          address = (address & ~(covered &- 1)) &+ covered
          break
        }
        let covered = PageTableEntry.coverage(level: level)
        let start = (address & ~((covered &<< 9) &- 1)) &+ index &* covered
        if start > address { address = start }
        if address >= end { return nil }
        table = PageTableEntry.frame(system.physical.load(table.address + index &* 8))
        level &-= 1
      }
      if level == 0 {
        cachedTableBase = address & ~(PageTableEntry.coverage(level: 1) &- 1)
        cachedTable = table
        return (table, 0)
      }
    }
    return nil
  }

  /// The index of the first present entry of a table at or behind that of `address`.
  private func nextUsed(_ table: FrameNumber, _ level: Int, _ address: UInt64) -> UInt64? {
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

  /// Calls `body` with the present translations of a range, about `budget` of them at most (eight more can be, and with any
  /// budget at all there is progress), which are taken off it, with what `body` says that it cost more. Calls `leaving` with each table when its part of the range
  /// is done, or the budget is, and takes off the budget what it returns. Returns where to go on; the end of the range when
  /// nothing is left.
  @inline(__always)
  func visitTranslations(
    _ range: AddressRange, _ budget: inout Int,
    _ body: (_ slot: PhysicalAddress, _ table: FrameNumber, _ address: UInt64, _ entry: UInt64) -> Int,
    leaving: (_ table: FrameNumber, _ address: UInt64) -> Int
  ) -> UInt64 {
    var address = range.start
    while let (table, level) = nextTable(&address, range.end) {
      if budget <= 0 { return address }
      let covered = PageTableEntry.coverage(level: level &+ 1)
      let base = address & ~(covered &- 1)
      if level == 0 {
        let end = min(range.end, base &+ covered)
        let position = visitTable(table, base, address, end, &budget, body)
        budget &-= leaving(table, base)
        if position < end { return position }
      }
      address = base &+ covered
    }
    return range.end
  }

  /// The part of `visitTranslations` in one table, which covers what is from `base` on.
  @inline(__always)
  private func visitTable(
    _ table: FrameNumber, _ base: UInt64, _ start: UInt64, _ end: UInt64, _ budget: inout Int,
    _ body: (_ slot: PhysicalAddress, _ table: FrameNumber, _ address: UInt64, _ entry: UInt64) -> Int
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
        let slot = table.address + PageTableEntry.index(address, level: 0) &* 8
        let entry = system.physical.load(slot)
        if entry & PageTableEntry.present != 0 {
          isUsed = true
          budget &-= 1 &+ body(slot, table, address, entry)
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

  func forgetCachedTable() {
    cachedTableBase = UInt64.max
    cachedTable = .none
  }
}
