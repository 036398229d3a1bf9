// The walk itself: from the nearest cached upper-level entry down to the leaf (Intel SDM volume 3, 4.5 and 4.10.3).

extension SoftwareMMU {
  /// The tables of a walk, from the top: level 4 is the PML4, level 1 the page table.
  static func index(_ address: UInt64, level: Int) -> UInt64 {
    (address >> (12 + 9 * UInt64(level - 1))) & 511
  }

  /// The region that a table of `level` translates around `address`.
  static func region(_ address: UInt64, level: Int) -> UInt64 {
    address >> (12 + 9 * UInt64(level))
  }

  /// Where the walk for `address` starts: the deepest cached table, else the root.
  private func start(_ address: UInt64) -> CachedTable? {
    for level in 1...3 {
      if let table = cache.table(level: level, region: Self.region(address, level: level)) { return table }
    }
    guard let root else { return nil }
    return CachedTable(level: 4, region: 0, table: root, isWritable: true, isUser: true, isNoExecute: false)
  }

  /// Walks the tables for a user access and returns what the processor caches; sets accessed bits on the way and the
  /// dirty bit at the end.
  func walk(_ address: UInt64, _ access: MemoryAccess) throws(PageFault) -> CachedTranslation {
    walkCount += 1
    guard var at = start(address) else {
      violations.append("user access before any root was loaded")
      throw fault(address, access, [])
    }
    while true {
      if let isPageTable, !isPageTable(at.table) {
        violations.append("walk of \(hexadecimal(address)) entered \(hexadecimal(at.table)), which is no table")
        throw fault(address, access, [])
      }
      let slot = at.table + 8 * Self.index(address, level: at.level)
      var entry = HardwareEntry(raw: memory.word(at: slot))
      if !entry.isPresent { throw fault(address, access, []) }
      if entry.hasReservedBits || (at.level == 4 && entry.isLarge) {
        throw fault(address, access, [.present, .reserved])
      }
      at.isWritable = at.isWritable && entry.isWritable
      at.isUser = at.isUser && entry.isUser
      at.isNoExecute = at.isNoExecute || entry.isNoExecute
      if at.level > 1 && !entry.isLarge {
        markAccessed(&entry, at: slot)
        at.level -= 1
        at.region = Self.region(address, level: at.level)
        at.table = entry.address
        cache.insert(at, &generator)
        continue
      }
      var translation = leaf(entry, at, address)
      if !Self.permits(translation, access) { throw fault(address, access, .present) }
      markAccessed(&entry, at: slot)
      if access == .write && !entry.isDirty {
        entry.raw |= HardwareEntry.dirty
        memory.setWord(entry.raw, at: slot)
        translation.isDirty = true
      }
      return translation
    }
  }

  private func markAccessed(_ entry: inout HardwareEntry, at slot: UInt64) {
    if entry.isAccessed { return }
    entry.raw |= HardwareEntry.accessed
    memory.setWord(entry.raw, at: slot)
  }

  /// The translation of one 4 KiB page under a leaf entry of any size.
  func leaf(_ entry: HardwareEntry, _ at: CachedTable, _ address: UInt64) -> CachedTranslation {
    let pageMask = (UInt64(1) << (12 + 9 * UInt64(at.level - 1))) - 1
    let physical = (entry.address & ~pageMask) | (address & pageMask & ~0xFFF)
    return CachedTranslation(
      page: address >> 12, leafPageCount: (pageMask + 1) >> 12, physical: physical, isWritable: at.isWritable,
      isUser: at.isUser,
      isNoExecute: at.isNoExecute, isDirty: entry.isDirty, isGlobal: entry.isGlobal)
  }
}
