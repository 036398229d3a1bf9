// A child's address space at fork (spec shm.md section 3.28; vm.md section 5, "fork"), made in bounded steps.
//
// Page tables are not copied: the child's first use of each page is a fault on a page that is usually present.
//
// Between two steps the parent's map does not change (AddressSpace+Edit.swift); what reclaim, and others who share its objects,
// do to translations and pages meanwhile is of no consequence: a translation that was restricted stays
// so until the thread runs again, and the entries that the child has hold their objects themselves.
public import ABI

/// How far the copying of an address space is.
public struct ForkPosition: BitwiseCopyable, Sendable {
  /// The start of the entry that is next.
  fileprivate var entry: UInt64 = 0
  /// Where the restriction of that entry's translations goes on.
  fileprivate var page: UInt64 = 0

  /// The beginning.
  public init() {}
}

extension AddressSpace {
  /// An entry that is copied takes as long as so many translations or pages.
  private static let unitsPerForkedEntry = 4

  /// Goes on making a child's space, which was empty at first: shared mappings refer to the same objects, private ones
  /// become copy-on-write in both. Takes the entries and translations that it looks at off `budget`. Returns whether the
  /// child is complete.
  ///
  /// - Throws: `ENOMEM` when the child's private memory cannot be reserved or memory cannot be had. The parent is unharmed
  ///   then (its private pages may be copied on the next store), and the caller retires the child.
  public func copy(
    into child: AddressSpace, from position: inout ForkPosition, _ budget: inout Int
  ) throws(Errno) -> Bool {
    var handle = position.entry == 0 ? first : findFirst(endingAfter: position.entry) ?? .none
    while !handle.isNone {
      position.entry = system.entries[handle].start
      if budget <= 0 { return false }
      if system.entries[handle].inheritance != .none {
        guard makeCopyOnWrite(handle, &position, &budget) else { return false }
        try forkEntry(handle, into: child)
      }
      budget -= AddressSpace.unitsPerForkedEntry
      handle = system.entries[handle].next
    }
    return true
  }

  /// Makes the child's space in one go.
  ///
  /// - Throws: what `copy` throws; what was made is torn down then.
  public func fork() throws(Errno) -> AddressSpace {
    let child = try AddressSpace.make(system)
    var position = ForkPosition()
    var budget = Int.max
    do throws(Errno) {
      _ = try copy(into: child, from: &position, &budget)
    } catch {
      child.retire()
      throw error
    }
    return child
  }

  /// Takes the right to store from the translations of an entry that is to be copied, and then notes that it needs copying;
  /// false when the budget is used up before.
  private func makeCopyOnWrite(
    _ handle: Handle<MapEntry>, _ position: inout ForkPosition, _ budget: inout Int
  ) -> Bool {
    let entries = system.entries
    guard entries[handle].inheritance == .copy, !entries[handle].needsCopy else { return true }
    guard entries[handle].objectOrNil != nil else { return true }
    let end = entries[handle].end
    let start = max(entries[handle].start, position.page)
    if start < end {
      position.page = tables.restrict(
        AddressRange(uncheckedStart: start, end: end), taking: .write, &budget, system)
      guard position.page >= end else { return false }
    }
    entries[handle].needsCopy = true
    return true
  }

  private func forkEntry(_ handle: Handle<MapEntry>, into child: AddressSpace) throws(Errno) {
    let entries = system.entries
    let inheritance = entries[handle].inheritance
    let charge = entries[handle].charge
    guard child.mayHaveMoreEntries else { throw .enomem }
    try system.reserve(charge, for: child.account)
    if inheritance != .zero { entries[handle].objectOrNil?.isSeenOnce = false }
    let new = MapEntry(
      start: entries[handle].start, end: entries[handle].end, offset: entries[handle].offset,
      object: inheritance == .zero ? nil : entries[handle].copyReference(), charge: charge,
      account: charge == 0 ? nil : child.account, protection: entries[handle].protection,
      maximum: entries[handle].maximum, kind: entries[handle].kind, sharing: entries[handle].sharing,
      inheritance: inheritance, needsCopy: inheritance == .zero ? false : entries[handle].needsCopy,
      countsAsWritable: entries[handle].countsAsWritable)
    guard let copy = entries.allocate(new, system) else {
      system.release(charge, of: child.account)
      throw .enomem
    }
    child.append(copy)
    if entries[handle].countsAsWritable, let object = entries[handle].objectOrNil {
      object.writableMappingByteCount += entries[handle].end - entries[handle].start
    }
  }
}
