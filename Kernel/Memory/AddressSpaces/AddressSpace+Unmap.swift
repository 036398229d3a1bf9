// Removing mappings, and cutting entries at an address (spec shm.md section 3.13; vm.md section 5, "delete").
public import ABI
public import Primitives

extension AddressSpace {
  /// An entry that goes takes as long as so many translations or pages.
  private static let unitsPerRemovedEntry = 6

  /// Goes on removing every mapping in a range, in steps that take what they touch off `budget`: present translations, page
  /// tables, pages that nobody else can see, and entries. Holes are fine. Between two steps an entry is whole until all that
  /// it shows in the range is gone, so nothing has to be remembered: a step begins where there is something left.
  ///
  /// It can wait for memory, for the second half of an entry that is cut in two, but it cannot fail.
  public func unmap(_ range: AddressRange, _ budget: inout Int) -> Progress {
    let entries = system.entries
    var following = findFirst(endingAfter: range.start) ?? .none
    while !following.isNone && entries[following].start < range.end {
      if budget <= 0 { return .again }
      let handle = following
      let start = max(entries[handle].start, range.start)
      let end = min(entries[handle].end, range.end)
      let part = AddressRange(uncheckedStart: start, end: end)
      // (What has no object was never touched.)
      if !entries[handle].objectReference.isEmpty {
        guard tables.remove(part, &budget, system) == end else { return .again }
      }
      guard removePages(of: handle, start, end, &budget) else { return .again }
      if start > entries[handle].start && end < entries[handle].end {
        // The only case that needs memory: the reserve is there for it.
        guard admitsKernelMemory, split(handle, at: end, .reserve) else { return .wait(.frames) }
      }
      following = entries[handle].next
      if start > entries[handle].start {
        trimEnd(handle, to: start)
      } else if end < entries[handle].end {
        trimStart(handle, to: end)
      } else {
        remove(handle)
        release(handle)
      }
      budget -= AddressSpace.unitsPerRemovedEntry
    }
    return .complete
  }

  /// Removes every mapping in a range in one go.
  ///
  /// - Throws: `ENOMEM` when an entry has to be cut in two and not even the reserve has memory for the second part; then
  ///   nothing changed.
  public func unmap(_ range: AddressRange) throws(Errno) {
    try prepareHole(range)
    var budget = Int.max
    _ = unmap(range, &budget)
  }

  /// Cuts the entry in which the whole range lies, if there is one, so that `unmap` needs no memory.
  ///
  /// - Throws: `ENOMEM` when memory for the second part cannot be had; then nothing changed.
  func prepareHole(_ range: AddressRange) throws(Errno) {
    guard let handle = find(range.start), system.entries[handle].start < range.start,
      range.end < system.entries[handle].end
    else { return }
    guard split(handle, at: range.end, .reserve) else { throw .enomem }
  }

  /// Removes the pages of an entry between two addresses, if this entry and no other shows them and their object stays.
  /// Returns whether none is left.
  private func removePages(of handle: Handle<MapEntry>, _ start: UInt64, _ end: UInt64, _ budget: inout Int) -> Bool {
    guard let object = system.entries[handle].objectOrNil, object.isSeenOnce,
      start > system.entries[handle].start || end < system.entries[handle].end || object.referenceCount > 1
    else { return true }
    // Looking for translations may have used up the budget, each time again: there has to be progress.
    budget = max(budget, 1)
    return object.removePages(
      from: system.entries[handle].index(of: start), to: system.entries[handle].index(of: end - 1) + 1, &budget, system)
  }

  /// Shortens an entry from behind.
  func trimEnd(_ handle: Handle<MapEntry>, to address: UInt64) {
    discount(handle, system.entries[handle].end - address)
    system.entries[handle].end = address
    refreshGap(of: system.entries[handle].next)
  }

  /// Shortens an entry from the front. Its place in the order stays.
  private func trimStart(_ handle: Handle<MapEntry>, to address: UInt64) {
    discount(handle, address - system.entries[handle].start)
    system.entries[handle].offset = system.entries[handle].offset(from: address)
    system.entries[handle].start = address
    refreshGap(of: handle)
  }

  /// Takes bytes that an entry is about to lose out of what is counted.
  private func discount(_ handle: Handle<MapEntry>, _ byteCount: UInt64) {
    if !system.entries[handle].isGuard { virtualByteCount -= byteCount }
    if system.entries[handle].wiring != .none { countWired(-Int(byteCount >> Page.shift)) }
    if system.entries[handle].charge != 0 {
      let pages = byteCount >> Page.shift
      system.entries[handle].charge -= pages
      system.release(pages, of: system.entries[handle].account)
    }
    if system.entries[handle].countsAsWritable, let object = system.entries[handle].objectOrNil {
      object.writableMappingByteCount -= byteCount
    }
  }

  /// Cuts an entry for memory in two at an address inside it. Memory without an object gets one first, if the heap has room
  /// for it: then both parts go on showing the same object when they are touched, and can become one entry again. Returns
  /// whether it was cut; a guard is not, nor is an entry that does not go across the address.
  ///
  /// - Throws: `ENOMEM` when memory for the second part cannot be had; then nothing changed.
  func clip(_ handle: Handle<MapEntry>, at address: UInt64, _ want: CutWant) throws(Errno) -> Bool {
    let entry = system.entries.pin(handle)
    guard entry.value.start < address, address < entry.value.end, !entry.value.isGuard else { return false }
    guard want == .refused ? mayHaveMoreEntries : admitsKernelMemory else { throw .enomem }
    if entry.value.objectReference.isEmpty && system.hasHeapReserve { makeObject(for: handle) }
    guard split(handle, at: address, .reserve) else { throw .enomem }
    return true
  }

  /// Cuts an entry in two at an address inside it. Returns false, and changes nothing, when memory for the second part
  /// cannot be had.
  private func split(_ handle: Handle<MapEntry>, at address: UInt64, _ priority: AllocationPriority) -> Bool {
    let entries = system.entries
    let end = entries[handle].end
    let upperPages = (end - address) >> Page.shift
    let upperCharge = entries[handle].charge == 0 ? 0 : upperPages
    let upper = MapEntry(
      start: address, end: end, offset: entries[handle].offset(from: address), object: entries[handle].copyReference(),
      charge: upperCharge, account: entries[handle].account, protection: entries[handle].protection,
      maximum: entries[handle].maximum, kind: entries[handle].kind,
      sharing: entries[handle].sharing, inheritance: entries[handle].inheritance,
      needsCopy: entries[handle].needsCopy, countsAsWritable: entries[handle].countsAsWritable,
      advice: entries[handle].advice, wiring: entries[handle].wiring)
    guard let new = entries.allocate(upper, system, priority) else { return false }
    entries[handle].end = address
    entries[handle].charge -= upperCharge
    virtualByteCount -= entries[new].countedByteCount
    insert(new, between: handle, entries[handle].next)
    return true
  }
}
