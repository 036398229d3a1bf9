// A child's address space at fork (spec shm.md section 3.28; vm.md section 5, "fork").
//
// Page tables are not copied: the child's first use of each page is a fault on a page that is usually present.
public import ABI

extension AddressSpace {
  /// Makes the child's space: shared mappings refer to the same objects, private ones become copy-on-write in both.
  ///
  /// - Throws: `ENOMEM` when the child's private memory cannot be reserved or memory cannot be had. The parent is unharmed
  ///   then (its private pages may be copied on the next store), and what was made is torn down.
  public func fork() throws(Errno) -> AddressSpace {
    let child = try AddressSpace.make(system)
    do throws(Errno) {
      var handle = first
      while !handle.isNone {
        try forkEntry(handle, into: child)
        handle = system.entries[handle].next
      }
    } catch {
      child.retire()
      throw error
    }
    return child
  }

  private func forkEntry(_ handle: Handle<MapEntry>, into child: AddressSpace) throws(Errno) {
    let entries = system.entries
    let inheritance = entries[handle].inheritance
    if inheritance == .none { return }
    let isCopy = inheritance == .copy
    if isCopy, entries[handle].objectOrNil != nil, !entries[handle].needsCopy {
      entries[handle].needsCopy = true
      restrictTranslations(
        AddressRange(uncheckedStart: entries[handle].start, end: entries[handle].end),
        clear: PageTableEntry.writable, set: 0)
    }
    let charge = entries[handle].charge
    try system.reserveSwap(charge)
    let new = MapEntry(
      start: entries[handle].start, end: entries[handle].end, offset: entries[handle].offset,
      object: inheritance == .zero ? nil : entries[handle].copyReference(), charge: charge,
      protection: entries[handle].protection, maximum: entries[handle].maximum, sharing: entries[handle].sharing,
      inheritance: inheritance, needsCopy: inheritance == .zero ? false : entries[handle].needsCopy,
      countsAsWritable: entries[handle].countsAsWritable)
    guard let copy = entries.allocate(new, system) else {
      system.accounting.release(charge)
      throw .enomem
    }
    child.insert(copy)
    if entries[handle].countsAsWritable, let object = entries[handle].objectOrNil {
      object.writableMappingByteCount += entries[handle].end - entries[handle].start
    }
  }
}
