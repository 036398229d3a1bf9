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
  /// and changes nothing, when memory for their table cannot be had.
  mutating func split(
    _ table: FrameNumber, _ address: UInt64, _ level: Int, _ stale: inout StaleTranslations, _ system: MemorySystem
  ) -> Bool {
    let physical = system.physical
    let start = address & ~(PageTableEntry.coverage(level: level) - 1)
    guard let new = newTable(covering: start, level: level - 1, below: table, system) else { return false }
    let slot = PageTableEntry.slot(table, address, level: level)
    let whole = physical.load(slot)
    var part = level == 1 ? whole & ~PageTableEntry.large : whole
    for index in 0..<512 as Range<UInt64> {
      physical.store(part, at: new.address + index * 8)
      part += PageTableEntry.coverage(level: level - 1)
    }
    // The processor may have marked the leaf since it was read.
    let marks = physical.exchange(PageTableEntry.table(new), at: slot) & ~whole
    moveMappings(from: slot, to: new, marks, system)
    system.frames[new].count = 512
    system.frames[new].usedGroups = ~0
    largeLeafCount += level == 1 ? -1 : 511
    stale.note(start)
    return true
  }

  /// Notes for each frame that its mapping is an entry of a table now.
  private func moveMappings(
    from slot: PhysicalAddress, to table: FrameNumber, _ marks: UInt64, _ system: MemorySystem
  ) {
    let size = PageSize(level: Int(system.frames[table].order))
    for index in 0..<512 as Range<UInt64> {
      let part = table.address + index * 8
      if marks != 0 { system.physical.set(bits: marks, at: part) }
      system.replaceMapping(slot, by: part, of: PageTableEntry.frame(system.physical.load(part)), size)
    }
  }

  /// Makes one leaf of the 512 around `address` if they map a whole run of frames with the same rights and every one is marked
  /// as much as it can be, so that no processor changes one meanwhile. Returns whether they did.
  mutating func promote(_ address: UInt64, _ system: MemorySystem) -> Bool {
    guard let (table, level) = find(address, system), level < PageSize.huge.rawValue,
      system.frames[table].count == 512
    else { return false }
    let physical = system.physical
    let first = physical.load(table.address)
    let (part, size) = (PageSize(level: level), PageSize(level: level + 1))
    guard PageTableEntry.isLeaf(first, level: level), first & PageTableEntry.accessed != 0,
      first & PageTableEntry.writable == 0 || first & PageTableEntry.dirty != 0,
      PageTableEntry.frame(first).raw & (size.frameCount - 1) == 0
    else { return false }
    for index in 1..<512 as Range<UInt64> {
      if physical.load(table.address + index * 8) != first + index * part.byteCount { return false }
    }
    let above = system.frames[table].parentTable
    let slot = PageTableEntry.slot(above, address, level: level + 1)
    physical.store(first | PageTableEntry.large, at: slot)
    var frame = PageTableEntry.frame(first)
    for index in 0..<512 as Range<UInt64> {
      system.replaceMapping(table.address + index * 8, by: slot, of: frame, part)
      frame = FrameNumber(frame.raw + part.frameCount)
    }
    largeLeafCount += level == 0 ? 1 : -511
    forgetCachedTable()
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
}
