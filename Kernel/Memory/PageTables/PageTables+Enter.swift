// Entering translations, and making the tables that they need.
import ABI
import Primitives

extension PageTables {
  /// Maps a page of `size` from `frame` on at `address`, both aligned to it, in place of what is mapped there now. Returns
  /// false, and changes nothing visible, when memory cannot be had.
  @inline(__always)
  mutating func enter(
    _ frame: FrameNumber, at address: UInt64, _ size: PageSize = .small, allowing protection: Protection,
    for access: AccessType, isWired: Bool = false, _ system: MemorySystem
  ) -> Bool {
    let level = size.rawValue
    if level > 0 { prepareLargeLeaf(frame, address, size, system) }
    guard let table = makeTable(covering: address, level: level, system) else { return false }
    let physical = system.physical
    let slot = PageTableEntry.slot(table, address, level: level)
    let new = PageTableEntry.leaf(frame, level: level, allowing: protection, for: access, isWired: isWired)
    let old = physical.load(slot)
    if old & PageTableEntry.present == 0 {
      guard system.addMapping(slot, to: frame, size) else { return false }
      physical.store(new, at: slot)
      system.frames[table].count &+= 1
      system.frames[table].usedGroups |= PageTableEntry.group(address, level: level)
      residentPageCount &+= Int(size.frameCount)
      if level > 0 { largeLeafCount &+= 1 }
      if isWired { system.wire(frame) }
      return true
    }
    let oldFrame = PageTableEntry.frame(old)
    if oldFrame == frame {
      let replaced = physical.exchange(new, at: slot)
      if replaced & PageTableEntry.dirty != 0 { physical.set(bits: PageTableEntry.dirty, at: slot) }
      if isWired { system.wire(frame) }
      if replaced & PageTableEntry.wired != 0 { system.unwire(frame) }
    } else {
      guard system.addMapping(slot, to: frame, size) else { return false }
      let replaced = physical.exchange(new, at: slot)
      system.removeMapping(slot, from: oldFrame, size, replaced)
      if isWired { system.wire(frame) }
    }
    if !processors.isEmpty { system.issue(page: address, to: processors) }
    return true
  }

  /// Takes smaller leaves and their tables out of the way of a larger one.
  private mutating func prepareLargeLeaf(
    _ frame: FrameNumber, _ address: UInt64, _ size: PageSize, _ system: MemorySystem
  ) {
    precondition(address & (size.byteCount - 1) == 0 && frame.raw & (size.frameCount - 1) == 0, "not aligned")
    if let (_, level) = find(address, system), level == size.rawValue { return }
    var budget = Int.max
    _ = remove(AddressRange(uncheckedStart: address, end: address + size.byteCount), &budget, system)
  }

  /// The table of a level that covers `address`, made if need be with those above it, after large leaves in its place were
  /// split. Nil when memory cannot be had (tables made on the way stay, empty, until they are used or what is around them
  /// goes).
  @inline(__always)
  private mutating func makeTable(
    covering address: UInt64, level: Int, _ system: MemorySystem
  ) -> FrameNumber? {
    if level == 0, let (table, found) = find(address, system), found == 0 { return table }
    return makeTables(covering: address, level: level, system)
  }

  private mutating func makeTables(
    covering address: UInt64, level target: Int, _ system: MemorySystem
  ) -> FrameNumber? {
    let physical = system.physical
    var table = root
    var level = PageTableEntry.rootLevel
    while level > target {
      let slot = PageTableEntry.slot(table, address, level: level)
      var entry = physical.load(slot)
      if entry & PageTableEntry.present == 0 {
        let start = address & ~(PageTableEntry.coverage(level: level) &- 1)
        guard let new = newTable(covering: start, level: level &- 1, below: table, system) else { return nil }
        entry = PageTableEntry.table(new)
        physical.store(entry, at: slot)
        system.frames[table].count &+= 1
        system.frames[table].usedGroups |= PageTableEntry.group(address, level: level)
      } else if entry & PageTableEntry.large != 0 {
        var stale = StaleTranslations(processors)
        guard split(table, address, level, &stale, system) else { return nil }
        forget(&stale, system)
        entry = physical.load(slot)
      }
      table = PageTableEntry.frame(entry)
      level &-= 1
    }
    return table
  }

  /// A table that no entry names yet; nil when memory cannot be had.
  mutating func newTable(
    covering start: UInt64, level: Int, below parent: FrameNumber, _ system: MemorySystem
  ) -> FrameNumber? {
    guard payer.isEmpty || payer.borrow({ system.admitsKernelMemory(for: $0) }), let new = system.takeTable() else {
      return nil
    }
    count(tables: 1)
    let frames = system.frames
    frames[new].owner = frames[root].owner
    frames[new].index = start
    frames[new].count = 0
    frames[new].usedGroups = 0
    frames[new].order = UInt8(level)
    frames[new].parentTable = parent
    return new
  }
}
