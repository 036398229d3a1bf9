// Leaves of more than 4 KiB: splitting one into 512 smaller ones (demotion), and making one of them again (promotion).
import ABI
import Primitives

extension PageTables {
  /// Makes sure that no leaf lies across an end of a range.
  @inline(never)
  mutating func splitEnds(of range: AddressRange, _ stale: inout StaleTranslations, _ system: MemorySystem) {
    splitLeaf(at: range.start, &stale, system)
    splitLeaf(at: range.end, &stale, system)
  }

  private mutating func splitLeaf(
    at address: UInt64, _ stale: inout StaleTranslations, _ system: MemorySystem
  ) {
    while address < UserSpace.end, let (table, level) = find(address, system), level > 0,
      address & (PageTableEntry.coverage(level: level) - 1) != 0
    {
      if split(table, address, level, &stale, system) { continue }
      // There is no memory for a table: faults bring back what should not have gone.
      stale.note(address)
      _ = removeLeaf(PageTableEntry.slot(table, address, level: level), table, level, system)
    }
  }

  /// Splits the large leaf that maps `address` in a table of a level into 512 with the same rights and marks. Returns false,
  /// and changes nothing, when memory for their table, or for noting them, cannot be had.
  mutating func split(
    _ table: FrameNumber, _ address: UInt64, _ level: Int, _ stale: inout StaleTranslations, _ system: MemorySystem
  ) -> Bool {
    let physical = system.physical
    let start = address & ~(PageTableEntry.coverage(level: level) - 1)
    guard let new = newTable(covering: start, level: level - 1, below: table, system) else { return false }
    let slot = PageTableEntry.slot(table, address, level: level)
    let whole = physical.load(slot)
    let first = level == 1 ? whole & ~PageTableEntry.large : whole
    let part = PageTableEntry.coverage(level: level - 1)
    for index in 0..<512 as Range<UInt64> { physical.store(first + index * part, at: new.address + index * 8) }
    guard noteParts(of: whole, slot, new, level, system) else {
      for index in 0..<512 as Range<UInt64> { physical.store(0, at: new.address + index * 8) }
      count(tables: -1)
      system.giveTable(new)
      return false
    }
    // The processor may have marked the leaf since it was read.
    let marks = physical.exchange(PageTableEntry.table(new), at: slot) & ~whole
    if marks != 0 {
      for index in 0..<512 as Range<UInt64> { physical.set(bits: marks, at: new.address + index * 8) }
    }
    system.frames[new].count = 512
    system.frames[new].usedGroups = ~0
    largeLeafCount += level == 1 ? -1 : 511
    system.counters.demotions &+= 1
    stale.note(start)
    return true
  }

  /// Has the entries of a new table stand in the place of a leaf in the sets of what that maps. Returns false, and changes nothing,
  /// when there is no memory for that.
  private func noteParts(
    of whole: UInt64, _ slot: PhysicalAddress, _ table: FrameNumber, _ level: Int, _ system: MemorySystem
  ) -> Bool {
    let first = PageTableEntry.frame(whole)
    if level > 1 {
      for index in 0..<512 as Range<UInt32> {
        let block = FrameNumber(first.block.raw + index)
        system.replaceMapping(slot, by: table.address + UInt64(index) * 8, of: block, system.blocks)
      }
      return true
    }
    for index in 0..<512 as Range<UInt32> {
      let part = table.address + UInt64(index) * 8
      guard !system.addMapping(part, to: FrameNumber(first.raw + index), system.frames) else { continue }
      for added in 0..<index {
        system.removeMapping(table.address + UInt64(added) * 8, from: FrameNumber(first.raw + added), system.frames)
      }
      return false
    }
    system.removeMapping(slot, from: first.block, system.blocks)
    return true
  }

  /// Makes one leaf of those around a page of a full block, if it can be done.
  @inline(__always)
  mutating func promoteFull(_ page: UInt64, _ frame: FrameNumber, _ system: MemorySystem) {
    guard let (table, level) = find(page, system), level == 0, system.frames[table].count == 512,
      UInt64(frame.raw) & 511 == page >> Page.shift & 511
    else { return }
    promoteBlock(page, frame.block, system)
  }

  @inline(never)
  private mutating func promoteBlock(_ page: UInt64, _ block: FrameNumber, _ system: MemorySystem) {
    guard promote(page, system) else {
      system.counters.promotionFailures &+= 1
      return
    }
    if system.hasMark(.dirty, block: block) { system.blocks[block].isAllDirty = true }
  }

  /// Makes one leaf of the 512 around `address` if they map a whole run of frames with the same rights and every one is marked
  /// as much as it can be, so that no processor changes one meanwhile. Returns whether they did, and there was memory.
  mutating func promote(_ address: UInt64, _ system: MemorySystem) -> Bool {
    guard let (table, level) = find(address, system), level < PageSize.huge.rawValue,
      system.frames[table].count == 512
    else { return false }
    let physical = system.physical
    let first = physical.load(table.address)
    let (part, size) = (PageSize(level: level), PageSize(level: level + 1))
    guard PageTableEntry.isLeaf(first, level: level), first & PageTableEntry.accessed != 0,
      first & PageTableEntry.writable == 0 || first & PageTableEntry.dirty != 0,
      first & PageTableEntry.wired == 0, PageTableEntry.frame(first).raw & (size.frameCount - 1) == 0
    else { return false }
    // From the end: where pages are used in order, that is what differs.
    var index: UInt64 = 511
    while index > 0 {
      if physical.load(table.address + index * 8) != first + index * part.byteCount { return false }
      index -= 1
    }
    let above = system.frames[table].parentTable
    let slot = PageTableEntry.slot(above, address, level: level + 1)
    guard noteWhole(slot, of: table, first, level, system) else { return false }
    physical.store(first | PageTableEntry.large, at: slot)
    largeLeafCount += level == 0 ? 1 : -511
    system.counters.promotions &+= 1
    forgetCachedTables()
    var stale = StaleTranslations(processors)
    // What was remembered of each part has to go, not only of one: so everything.
    let start = address & ~(size.byteCount - 1)
    stale.note(start)
    stale.note(start + size.byteCount - part.byteCount)
    forget(&stale, system)
    count(tables: -1)
    FrameList.markFree(table, system.frames)
    system.free(table)
    return true
  }

  /// Has a leaf stand in the place of all entries of a table in the sets of what those map. Returns false, and changes nothing, when
  /// there is no memory for that.
  private func noteWhole(
    _ slot: PhysicalAddress, of table: FrameNumber, _ first: UInt64, _ level: Int, _ system: MemorySystem
  ) -> Bool {
    let frame = PageTableEntry.frame(first)
    if level > 0 {
      for index in 0..<512 as Range<UInt32> {
        let block = FrameNumber(frame.block.raw + index)
        system.replaceMapping(table.address + UInt64(index) * 8, by: slot, of: block, system.blocks)
      }
      return true
    }
    guard system.addMapping(slot, to: frame.block, system.blocks) else { return false }
    for index in 0..<512 as Range<UInt32> {
      let part = table.address + UInt64(index) * 8
      system.removeMapping(part, from: FrameNumber(frame.raw + index), system.frames)
    }
    return true
  }
}
