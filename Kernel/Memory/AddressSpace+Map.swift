// Making a mapping (spec shm.md section 3.11, step 16g and 17; vm.md section 5, "insert").
public import ABI

extension AddressSpace {
  /// Makes a mapping and returns its address. On failure nothing changed, and the request's reference is dropped.
  ///
  /// - Throws: `ENOMEM` when there is no room, `.exclusive` hits a mapping, `vm.overcommit` refuses the reservation, or
  ///   memory for the entry cannot be had.
  public func map(_ request: consuming MapRequest) throws(Errno) -> VirtualAddress {
    let byteCount = request.byteCount
    precondition(byteCount > 0 && byteCount & Page.offsetMask == 0 && request.address & Page.offsetMask == 0)
    var address = request.address
    switch request.placement {
    case .anywhere:
      guard byteCount < UserSpace.end else { throw .enomem }
      guard
        let found = findSpace(byteCount, from: address, alignment: request.alignment)
          ?? findSpace(byteCount, from: UserSpace.start, alignment: request.alignment)
      else { throw .enomem }
      address = found
    case .fixed, .exclusive:
      guard address >= UserSpace.start, address < UserSpace.end, byteCount <= UserSpace.end - address else {
        throw .enomem
      }
      if request.placement == .exclusive, let other = findFirst(endingAfter: address),
        system.entries[other].start < address + byteCount
      {
        throw .enomem
      }
    }
    let charge = request.sharing == .private && request.protection.contains(.write) ? byteCount >> Page.shift : 0
    try system.reserveSwap(charge)
    var object = request.object.take()
    if request.sharing == .shared && object == nil {
      // Children share it from the first fork on, whether or not it was touched before: it needs its object now.
      object = try VMObject.make(system, .anonymous, pageCount: byteCount >> Page.shift)
    }
    let isPrivateView = request.sharing == .private && object != nil
    let new = MapEntry(
      start: address, end: address + byteCount, offset: request.offset, object: object, charge: charge,
      protection: request.protection, maximum: request.maximum, sharing: request.sharing,
      inheritance: request.sharing == .shared ? .share : .copy, needsCopy: isPrivateView,
      countsAsWritable: request.countsAsWritable)
    guard let handle = system.entries.allocate(new, system) else {
      system.accounting.release(charge)
      throw .enomem
    }
    if request.placement == .fixed {
      do throws(Errno) {
        try unmap(AddressRange(uncheckedStart: address, end: address + byteCount))
      } catch {
        system.accounting.release(charge)
        _ = system.entries.take(handle, system)
        throw error
      }
    }
    insert(handle)
    if request.countsAsWritable, let object = system.entries[handle].objectOrNil {
      object.writableMappingByteCount += byteCount
    }
    return VirtualAddress(address)
  }
}
