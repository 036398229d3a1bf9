// Changing what mappings allow (spec shm.md section 3.14; vm.md section 5, "protect"), in bounded steps.
//
// Everything is checked before anything changes. Between two steps the map stays as it is (AddressSpace+Edit.swift). An entry
// gets its new protection when its translations allow no more than that. Swap is only reserved on behalf of entries: what is
// meant for those that are still to come is given up between two steps. An entry that is done becomes one with the one in
// front of it if it is like it now.
public import ABI
public import Primitives

/// How far a change of protection is.
public struct PendingProtection: BitwiseCopyable, Sendable {
  fileprivate let range: AddressRange
  fileprivate let protection: Protection
  fileprivate let maximum: Protection?
  /// Where the walk goes on.
  fileprivate var position: UInt64
  fileprivate var isChecked = false
  /// Whether the range begins or ends inside an entry.
  fileprivate var needsCut = false
  /// Pages of private mappings for which no swap is reserved yet.
  fileprivate var unchargedPageCount: UInt64 = 0
  /// Whether those are to be reserved now.
  fileprivate var charges = false

  /// The change of a range; `maximum` is the new limit for later changes, or nil to leave it.
  public init(_ range: AddressRange, _ protection: Protection, maximum: Protection?) {
    self.range = range
    self.protection = protection
    self.maximum = maximum
    position = range.start
  }
}

extension AddressSpace {
  /// Goes on setting the protection of every mapping in a range; holes are skipped, and guards stay guards. Taking rights
  /// away reaches the page tables at once, granting them is left to the next fault. Takes the entries and translations that
  /// it looks at off `budget`. A change that makes nothing writable gives back, or costs nothing: it waits for memory that a
  /// cut needs, where others are refused.
  ///
  /// - Throws: `EACCES` when an entry's maximum does not allow it, `ENOMEM` when a private mapping that becomes writable
  ///   cannot be reserved or memory for a cut cannot be had. Nothing visible changed then.
  public func protect(_ pending: inout PendingProtection, _ budget: inout Int) throws(Errno) -> Progress {
    var first = findFirst(endingAfter: pending.position) ?? .none
    if !pending.isChecked {
      guard try check(&pending, from: first, &budget) else { return .again }
      pending.charges = pending.protection.contains(.write) && pending.unchargedPageCount > 0
      if pending.charges { try system.reserve(pending.unchargedPageCount, for: account) }
      if pending.position != pending.range.start {
        pending.position = pending.range.start
        first = findFirst(endingAfter: pending.position) ?? .none
      }
      if pending.needsCut {
        do throws(Errno) { first = try cut(pending, from: first) } catch {
          if pending.protection.contains(.write) { throw error }
          pending = PendingProtection(pending.range, pending.protection, maximum: pending.maximum)
          return .wait(.frames)
        }
      }
      pending.isChecked = true
    } else if pending.charges {
      pending.charges = system.reserveAgain(pending.unchargedPageCount, for: account)
    }
    if apply(&pending, from: first, &budget) { return .complete }
    if pending.charges { system.release(pending.unchargedPageCount, of: account) }
    return .again
  }

  /// Sets the protection of every mapping in a range in one go.
  ///
  /// - Throws: what the steps throw, and `ENOMEM` where they would wait.
  public func protect(_ range: AddressRange, _ protection: Protection, maximum: Protection?) throws(Errno) {
    var pending = PendingProtection(range, protection, maximum: maximum)
    var budget = Int.max
    if case .wait = try protect(&pending, &budget) { throw .enomem }
  }

  /// Cuts the entries that the range begins and ends in. Returns the first entry that lies in it.
  private func cut(
    _ pending: PendingProtection, from first: Handle<MapEntry>
  ) throws(Errno) -> Handle<MapEntry> {
    do throws(Errno) {
      return try cutEnds(of: pending.range, from: first, pending.protection.contains(.write) ? .refused : .waits)
    } catch {
      if pending.charges { system.release(pending.unchargedPageCount, of: account) }
      throw error
    }
  }

  @inline(__always)
  private func check(
    _ pending: inout PendingProtection, from first: Handle<MapEntry>, _ budget: inout Int
  ) throws(Errno) -> Bool {
    var handle = first
    while !handle.isNone {
      let entry = system.entries.pin(handle)
      guard entry.value.start < pending.range.end else { break }
      if budget <= 0 {
        pending.position = entry.value.start
        return false
      }
      budget -= 1
      let limit = entry.value.maximum
      var isAllowed = limit.isSuperset(of: pending.protection)
      if let maximum = pending.maximum, !limit.isSuperset(of: maximum) { isAllowed = false }
      if !isAllowed {
        // A guard's maximum is nothing at all; what asks for nothing changes nothing of it either.
        guard entry.value.isGuard else { throw .eacces }
        handle = entry.value.next
        continue
      }
      let start = max(entry.value.start, pending.range.start)
      let end = min(entry.value.end, pending.range.end)
      if start != entry.value.start || end != entry.value.end { pending.needsCut = true }
      if entry.value.sharing == .private && entry.value.charge == 0 {
        pending.unchargedPageCount += (end - start) >> Page.shift
      }
      handle = entry.value.next
    }
    return true
  }

  @inline(__always)
  private func apply(
    _ pending: inout PendingProtection, from first: Handle<MapEntry>, _ budget: inout Int
  ) -> Bool {
    let protection = pending.protection
    var handle = first
    while !handle.isNone {
      let entry = system.entries.pin(handle)
      guard entry.value.start < pending.range.end else {
        if entry.value.start == pending.range.end { mergeWithPrevious(handle, entry) }
        break
      }
      if budget <= 0 { return false }
      if entry.value.isGuard {
        budget -= 1
        pending.position = entry.value.end
        handle = entry.value.next
        continue
      }
      let end = entry.value.end
      let rest = AddressRange(uncheckedStart: max(entry.value.start, pending.position), end: end)
      let lost = entry.value.protection.subtracting(protection)
      pending.position = takeRights(lost, leaving: protection, of: rest, &budget)
      if pending.position < end { return false }
      budget -= 1
      if pending.charges && entry.value.sharing == .private && entry.value.charge == 0 {
        entry.value.charge = entry.value.pageCount
        entry.value.account = account
        pending.unchargedPageCount -= entry.value.charge
      }
      entry.value.protection = protection
      if let maximum = pending.maximum { entry.value.maximum = maximum }
      let next = entry.value.next
      mergeWithPrevious(handle, entry)
      handle = next
    }
    return true
  }

  /// Takes rights away from the translations of a range. Returns where to go on, the end of the range when it is done.
  @inline(__always)
  private func takeRights(
    _ lost: Protection, leaving protection: Protection, of range: AddressRange, _ budget: inout Int
  ) -> UInt64 {
    if lost.isEmpty { return range.end }
    if protection.isEmpty || lost.contains(.read) {
      // The mapping stays: its tables are soon used again.
      return tables.remove(range, emptyTables: .keep, &budget, system)
    }
    return tables.restrict(range, taking: lost, &budget, system)
  }
}
