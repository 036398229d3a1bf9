// The page tables of an address space: all that knows how a processor translates addresses (what FreeBSD calls a pmap). The
// space says what may be seen where; what the tables hold of that is a cache, filled by faults: taking away more than was asked
// for is always right, and so is entering nothing.
//
// Invariants
// - `root` and every table below it (user half) are frames in state `.pageTable` with the space as owner; the frame's record
//   holds the first address covered, the level, the table above and the number of entries in use (user half, for the root).
// - A leaf maps as many frames, aligned, as its size says, with no more rights than the map entry grants, and stands in the
//   set of mappings of each of them.
// - What concerns a part of a leaf splits it first, or, where there is no memory for that, takes all of it away.
// - Only `processors` have translations of these tables. Whatever goes or loses a right or a mark is forgotten by all of them
//   before the operation ends, so before a frame or a table can be reused.
// - `cachedTable`, if there is one, is the lowest table that covers what begins at `cachedBase`; `otherTable` is the one that was
//   remembered before it: a program's stack and its data are far apart.
import ABI
import Primitives

/// The page tables of one address space.
struct PageTables: ~Copyable {
  /// The frame of the top-level table.
  let root: FrameNumber
  /// Those that use the tables, and may have translations of theirs.
  var processors = ProcessorSet()
  /// Pages of 4 KiB that leaves map.
  var residentPageCount = 0
  /// The largest `residentPageCount` that was noted before it became less.
  private var notedResidentPageCount = 0
  /// Leaves of more than 4 KiB.
  var largeLeafCount = 0
  /// Frames of tables, the root among them.
  private(set) var tableCount = 1
  /// Who pays for tables.
  var payer = BackReference<UserAccount>()
  private(set) var cachedBase = UInt64.max
  private(set) var cachedTable = FrameNumber.none
  private var otherBase = UInt64.max
  private var otherTable = FrameNumber.none

  /// Tables that translate nothing, in a root from `MemorySystem.takeRoot`. The caller makes itself the root's owner.
  init(root: FrameNumber, _ system: MemorySystem) {
    self.root = root
    system.frames[root].index = 0
    system.frames[root].count = 0
    system.frames[root].usedGroups = 0
    system.frames[root].order = UInt8(PageTableEntry.rootLevel)
  }

  /// The most pages that were mapped at a time.
  var largestResidentPageCount: Int { max(notedResidentPageCount, residentPageCount) }

  /// Pages are about to go: so the maximum needs no attention where they come.
  @inline(__always)
  mutating func noteResidentPages() {
    if residentPageCount > notedResidentPageCount { notedResidentPageCount = residentPageCount }
  }

  /// Counts tables that have come, or, negative, gone.
  @inline(__always)
  mutating func count(tables: Int) {
    tableCount &+= tables
    if !payer.isEmpty { payer.borrow { $0.countKernelMemory(tables &* Int(Page.byteCount)) } }
  }

  /// Where the way to the translation of `address` ends: at a leaf, or in a lowest table, where its entry may be absent. Nil
  /// where there is no table.
  @inline(__always)
  mutating func find(_ address: UInt64, _ system: MemorySystem) -> (table: FrameNumber, level: Int)? {
    let base = address & ~(PageTableEntry.coverage(level: 1) &- 1)
    if base == cachedBase { return (cachedTable, 0) }
    if base == otherBase {
      swap(&cachedBase, &otherBase)
      swap(&cachedTable, &otherTable)
      return (cachedTable, 0)
    }
    return walk(to: address, base, system)
  }

  /// The same from the root.
  @inline(never)
  private mutating func walk(
    to address: UInt64, _ base: UInt64, _ system: MemorySystem
  ) -> (table: FrameNumber, level: Int)? {
    let physical = system.physical
    var table = root
    var level = PageTableEntry.rootLevel
    while level > 0 {
      let entry = physical.load(PageTableEntry.slot(table, address, level: level))
      if entry & (PageTableEntry.present | PageTableEntry.large) != PageTableEntry.present {
        return entry & PageTableEntry.present == 0 ? nil : (table, level)
      }
      table = PageTableEntry.frame(entry)
      level &-= 1
    }
    cache(table, at: base)
    return (table, 0)
  }

  /// Remembers a lowest table, which covers what begins at `base`.
  @inline(__always)
  mutating func cache(_ table: FrameNumber, at base: UInt64) {
    otherBase = cachedBase
    otherTable = cachedTable
    cachedBase = base
    cachedTable = table
  }

  /// Whether a table is remembered.
  @inline(__always)
  func hasCached(_ table: FrameNumber) -> Bool { table == cachedTable || table == otherTable }

  /// Forgets the tables that are remembered: they may be about to go.
  @inline(__always)
  mutating func forgetCachedTables() {
    cache(.none, at: UInt64.max)
    cache(.none, at: UInt64.max)
  }

  /// The frame and offset that a user address is translated to, if the tables allow the access now; marks the page as the
  /// processor would.
  @inline(__always)
  mutating func translate(_ address: UInt64, _ access: AccessType, _ system: MemorySystem) -> PhysicalAddress? {
    guard let (table, level) = find(address, system) else { return nil }
    if level > 0 { return PageTables.translateLarge(address, access, table, level, system) }
    return PageTables.translate(address, access, table, 0, system)
  }

  private static func translateLarge(
    _ address: UInt64, _ access: AccessType, _ table: FrameNumber, _ level: Int, _ system: MemorySystem
  ) -> PhysicalAddress? {
    translate(address, access, table, level, system)
  }

  @inline(__always)
  private static func translate(
    _ address: UInt64, _ access: AccessType, _ table: FrameNumber, _ level: Int, _ system: MemorySystem
  ) -> PhysicalAddress? {
    let slot = PageTableEntry.slot(table, address, level: level)
    let entry = system.physical.load(slot)
    var needed = PageTableEntry.present | PageTableEntry.user
    var marks = PageTableEntry.accessed
    if access == .write {
      needed |= PageTableEntry.writable
      marks |= PageTableEntry.dirty
    }
    guard entry & needed == needed else { return nil }
    if entry & marks != marks { system.physical.set(bits: marks, at: slot) }
    let offsetMask = PageTableEntry.coverage(level: level) &- 1
    return PhysicalAddress(entry & PageTableEntry.addressMask & ~offsetMask | address & offsetMask)
  }

  /// Has the processors forget what has become stale, then gives back the tables that went.
  @inline(__always)
  mutating func forget(_ stale: inout StaleTranslations, _ system: MemorySystem) {
    if !processors.isEmpty && !stale.isEmpty { system.issue(stale, to: processors) }
    if !stale.tables.isEmpty { free(&stale.tables, system) }
  }

  private mutating func free(_ tables: inout FrameList, _ system: MemorySystem) {
    count(tables: -tables.count)
    while !tables.isEmpty {
      let table = tables.first
      tables.remove(table, system.frames)
      system.giveTable(table)
    }
  }
}
