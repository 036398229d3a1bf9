// Changing what mappings allow (spec shm.md section 3.14; vm.md section 5, "protect").
public import ABI

extension AddressSpace {
  /// Sets the protection of every mapping in a range; holes are skipped. Taking rights away reaches the page tables at
  /// once, granting them is left to the next fault.
  ///
  /// - Parameter maximum: the new limit for later changes, or nil to leave it.
  /// - Throws: `EACCES` when an entry's maximum does not allow it, `ENOMEM` when a private mapping that becomes writable
  ///   cannot be reserved or memory for a cut cannot be had. Nothing visible changed then.
  public func protect(_ range: AddressRange, _ protection: Protection, maximum: Protection?) throws(Errno) {
    var first = findFirst(endingAfter: range.start) ?? .none
    var uncharged: UInt64 = 0
    var needsCut = false
    var handle = first
    while !handle.isNone {
      let entry = system.entries.pin(handle)
      guard entry.value.start < range.end else { break }
      let limit = entry.value.maximum
      if !limit.isSuperset(of: protection) { throw .eacces }
      if let maximum, !limit.isSuperset(of: maximum) { throw .eacces }
      let start = max(entry.value.start, range.start)
      let end = min(entry.value.end, range.end)
      if start != entry.value.start || end != entry.value.end { needsCut = true }
      if entry.value.sharing == .private && entry.value.charge == 0 { uncharged += (end - start) >> Page.shift }
      handle = entry.value.next
    }
    if needsCut {
      try clip(at: range.start)
      try clip(at: range.end)
      first = findFirst(endingAfter: range.start) ?? .none
    }
    let charges = protection.contains(.write)
    if charges { try system.reserve(uncharged, for: account) }
    var lost = Protection()
    handle = first
    while !handle.isNone {
      let entry = system.entries.pin(handle)
      guard entry.value.start < range.end else { break }
      if charges && entry.value.sharing == .private && entry.value.charge == 0 {
        entry.value.charge = entry.value.pageCount
        entry.value.account = account
      }
      lost.formUnion(entry.value.protection.subtracting(protection))
      entry.value.protection = protection
      if let maximum { entry.value.maximum = maximum }
      handle = entry.value.next
    }
    if protection.isEmpty || (lost.contains(.read) && !protection.contains(.read)) {
      // The mapping stays: its tables are soon used again.
      removeTranslations(range, emptyTables: .keep)
    } else if !lost.isDisjoint(with: [.write, .execute]) {
      restrictTranslations(
        range, clear: lost.contains(.write) ? PageTableEntry.writable : 0,
        set: lost.contains(.execute) ? PageTableEntry.noExecute : 0)
    }
  }
}
