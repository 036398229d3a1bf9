// The sizes of all objects that are mapped, or lie behind such (sysctl vm.vmtotal; FreeBSD's vmtotal), counted in bounded steps by
// the mappings of one process after the other.
//
// Invariant: an object whose `inspection` is the number of a count has been counted in that. (An inspection, or another count, that
// comes in between makes it count once more where another process shows it.)

public import ABI

extension MemorySystem {
  /// Begins a count; its number.
  public func beginTotals() -> UInt32 {
    inspections &+= 1
    return inspections
  }
}

extension AddressSpace {
  /// Counts the objects that mappings from an address on show, and those behind them, which have not been counted yet. Takes what
  /// it looks at off `budget`. Returns whether everything was counted.
  public func count(
    from address: inout UInt64, _ number: UInt32, _ totals: inout SystemTotals, _ budget: inout Int
  ) -> Bool {
    var handle = findFirst(endingAfter: address) ?? .none
    while !handle.isNone {
      if budget <= 0 { return false }
      budget -= 1
      var next = system.entries[handle].objectOrNil
      while let object = next, object.inspection != number {
        budget -= 1
        object.inspection = number
        object.count(&totals)
        next = object.backingObject
      }
      address = system.entries[handle].end
      handle = system.entries[handle].next
    }
    return true
  }
}

extension VMObject {
  /// Counts the object. Active is what others than its shadows refer to, shared what several shadow.
  fileprivate func count(_ totals: inout SystemTotals) {
    let resident = UInt64(residentCount)
    let isActive = referenceCount > Int(shadowCount)
    totals.virtual &+= pageCount
    totals.resident += resident
    if isActive {
      totals.activeVirtual &+= pageCount
      totals.activeResident += resident
    }
    guard shadowCount > 1 else { return }
    totals.sharedVirtual &+= pageCount
    totals.sharedResident += resident
    guard isActive else { return }
    totals.activeSharedVirtual &+= pageCount
    totals.activeSharedResident += resident
  }
}
