// Removing mappings, and cutting entries at an address (spec shm.md section 3.13; vm.md section 5, "delete").
public import ABI

extension AddressSpace {
  /// Removes every mapping in a range; holes are fine.
  ///
  /// - Throws: `ENOMEM` when an entry has to be cut in two and not even the reserve has memory for the second part; then
  ///   nothing visible changed.
  public func unmap(_ range: AddressRange) throws(Errno) {
    try clip(at: range.start)
    try clip(at: range.end)
    removeTranslations(range)
    while let handle = findFirst(endingAfter: range.start), system.entries[handle].start < range.end {
      remove(handle)
      release(handle)
    }
  }

  /// Makes sure that no entry spans `address`.
  ///
  /// - Throws: `ENOMEM` when memory for the second part cannot be had; then nothing changed.
  func clip(at address: UInt64) throws(Errno) {
    guard let handle = find(address), system.entries[handle].start < address else { return }
    let entries = system.entries
    let end = entries[handle].end
    let upperPages = (end - address) >> Page.shift
    let upperCharge = entries[handle].charge == 0 ? 0 : upperPages
    let upper = MapEntry(
      start: address, end: end, offset: entries[handle].index(of: address), object: entries[handle].copyReference(),
      charge: upperCharge, protection: entries[handle].protection, maximum: entries[handle].maximum,
      sharing: entries[handle].sharing, inheritance: entries[handle].inheritance,
      needsCopy: entries[handle].needsCopy, countsAsWritable: entries[handle].countsAsWritable)
    guard let new = entries.allocate(upper, system, .reserve) else { throw .enomem }
    entries[handle].end = address
    entries[handle].charge -= upperCharge
    virtualByteCount -= end - address
    insert(new)
  }
}
