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
    let entries = system.entries
    var handle = findFirst(endingAfter: range.start) ?? .none
    while !handle.isNone && entries[handle].start < range.end {
      let limit = entries[handle].maximum
      if !limit.isSuperset(of: protection) { throw .eacces }
      if let maximum, !limit.isSuperset(of: maximum) { throw .eacces }
      handle = entries[handle].next
    }
    try clip(at: range.start)
    try clip(at: range.end)
    try reserveForWriting(range, protection)
    var lost = Protection()
    handle = findFirst(endingAfter: range.start) ?? .none
    while !handle.isNone && entries[handle].start < range.end {
      lost.formUnion(entries[handle].protection.subtracting(protection))
      entries[handle].protection = protection
      if let maximum { entries[handle].maximum = maximum }
      handle = entries[handle].next
    }
    if protection.isEmpty || (lost.contains(.read) && !protection.contains(.read)) {
      removeTranslations(range)
    } else if !lost.isDisjoint(with: [.write, .execute]) {
      restrictTranslations(
        range, clear: lost.contains(.write) ? PageTableEntry.writable : 0,
        set: lost.contains(.execute) ? PageTableEntry.noExecute : 0)
    }
  }

  /// Charges the private entries of a range that become writable, all or none.
  private func reserveForWriting(_ range: AddressRange, _ protection: Protection) throws(Errno) {
    guard protection.contains(.write) else { return }
    let entries = system.entries
    var total: UInt64 = 0
    var handle = findFirst(endingAfter: range.start) ?? .none
    while !handle.isNone && entries[handle].start < range.end {
      if entries[handle].sharing == .private && entries[handle].charge == 0 { total += entries[handle].pageCount }
      handle = entries[handle].next
    }
    try system.reserve(total, for: account)
    handle = findFirst(endingAfter: range.start) ?? .none
    while !handle.isNone && entries[handle].start < range.end {
      if entries[handle].sharing == .private && entries[handle].charge == 0 {
        entries[handle].charge = entries[handle].pageCount
        entries[handle].account = account
      }
      handle = entries[handle].next
    }
  }
}
