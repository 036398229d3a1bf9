// A child's address space at fork (spec shm.md section 3.28; vm.md section 5, "fork"), made in bounded steps.
//
// Page tables are not copied: the child's first use of each page is a fault on a page that is usually present.
//
// Between two steps the parent's map does not change (AddressSpace+Edit.swift); what reclaim, and others who share its objects,
// do to translations and pages meanwhile is of no consequence: a translation that was restricted stays
// so until the thread runs again, and the entries that the child has hold their objects themselves.
public import ABI
import Primitives

/// How far the copying of an address space is.
public struct ForkPosition: BitwiseCopyable, Sendable {
  /// The start of the entry that is next.
  fileprivate var entry: UInt64 = 0
  /// Where the restriction of that entry's translations goes on.
  fileprivate var page: UInt64 = 0
  /// Whether shared mappings of which the child has copies are to become private in the parent too.
  fileprivate var makesPrivate = false
  /// Whether the child has all entries.
  fileprivate var isCopied = false
  /// The child's map.
  fileprivate var assembly = MapAssembly()

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
    if !position.isCopied {
      do throws(Errno) {
        guard try copyEntries(into: child, from: &position, &budget) else { return false }
        child.finish(&position.assembly)
      } catch {
        if position.makesPrivate { takeReservationsBack() }
        throw error
      }
      position.isCopied = true
      position.entry = 0
    }
    return !position.makesPrivate || makePrivate(&position, &budget)
  }

  private func copyEntries(
    into child: AddressSpace, from position: inout ForkPosition, _ budget: inout Int
  ) throws(Errno) -> Bool {
    var handle = position.entry == 0 ? first : findFirst(endingAfter: position.entry) ?? .none
    while !handle.isNone {
      let entry = system.entries.pin(handle)
      position.entry = entry.value.start
      if budget <= 0 { return false }
      switch entry.value.inheritance {
      case .share: try prepareSharing(handle, entry)
      case .copy:
        guard makeCopyOnWrite(entry, &position, &budget) else { return false }
        if entry.value.sharing == .shared {
          try prepareToBePrivate(handle)
          position.makesPrivate = true
        }
      default: break
      }
      if entry.value.inheritance != .none { try forkEntry(entry, into: child, &position.assembly) }
      budget -= AddressSpace.unitsPerForkedEntry
      handle = entry.value.next
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
    _ entry: PinnedRecord<MapEntry>, _ position: inout ForkPosition, _ budget: inout Int
  ) -> Bool {
    guard !entry.value.needsCopy, !entry.value.objectReference.isEmpty else { return true }
    let end = entry.value.end
    let start = max(entry.value.start, position.page)
    if start < end {
      position.page = tables.restrict(
        AddressRange(uncheckedStart: start, end: end), taking: .write, &budget, system)
      guard position.page >= end else { return false }
    }
    // A shared one is the last to change: nothing has, if the fork fails.
    if entry.value.sharing == .private { entry.value.needsCopy = true }
    return true
  }

  /// Private memory that a child is to share (minherit(2)) needs an object that both see. It is reserved for each of them.
  private func prepareSharing(_ handle: Handle<MapEntry>, _ entry: PinnedRecord<MapEntry>) throws(Errno) {
    if entry.value.isGuard { return }
    if entry.value.needsCopy || entry.value.objectReference.isEmpty {
      guard system.hasHeapReserve else { throw .enomem }
      ownObject(of: handle)
    }
  }

  // MARK: Shared mappings that are copied

  /// A shared mapping of which a child gets a copy (minherit(2)) is one in the parent too from then on: what either stores, only
  /// it sees. What that needs is reserved first.
  private func prepareToBePrivate(_ handle: Handle<MapEntry>) throws(Errno) {
    let entries = system.entries
    guard !entries[handle].isGuard, entries[handle].protection.contains(.write), entries[handle].charge == 0 else {
      return
    }
    try system.reserve(entries[handle].pageCount, for: account)
    entries[handle].charge = entries[handle].pageCount
    entries[handle].account = account
  }

  /// Gives up what was reserved for shared mappings that stay shared, because the fork has failed.
  private func takeReservationsBack() {
    let entries = system.entries
    var handle = first
    while !handle.isNone {
      if entries[handle].sharing == .shared && entries[handle].charge != 0 {
        system.release(entries[handle].charge, of: entries[handle].account)
        entries[handle].charge = 0
        entries[handle].account = nil
      }
      handle = entries[handle].next
    }
  }

  /// Goes on making shared mappings private of which the child has copies. Returns whether all are.
  private func makePrivate(_ position: inout ForkPosition, _ budget: inout Int) -> Bool {
    let entries = system.entries
    var handle = position.entry == 0 ? first : findFirst(endingAfter: position.entry) ?? .none
    while !handle.isNone {
      position.entry = entries[handle].start
      if budget <= 0 { return false }
      budget -= 1
      if entries[handle].sharing == .shared && entries[handle].inheritance == .copy && !entries[handle].isGuard {
        entries[handle].sharing = .private
        entries[handle].needsCopy = entries[handle].objectOrNil != nil
        if entries[handle].countsAsWritable {
          entries[handle].countsAsWritable = false
          entries[handle].objectOrNil?.writableMappingByteCount -= entries[handle].end - entries[handle].start
        }
      }
      handle = entries[handle].next
    }
    return true
  }

  private func forkEntry(
    _ entry: PinnedRecord<MapEntry>, into child: AddressSpace, _ assembly: inout MapAssembly
  ) throws(Errno) {
    let object = entry.value.objectReference
    let inheritance = entry.value.inheritance
    let isGuard = entry.value.isGuard
    // Fresh memory is private, whatever it is in place of; so is a copy.
    let isFresh = inheritance == .zero && !isGuard
    let isCopy = inheritance == .copy && !isGuard
    let isPrivate = isFresh || isCopy
    let charge =
      isFresh && entry.value.sharing == .shared && entry.value.protection.contains(.write)
      ? entry.value.pageCount : entry.value.charge
    guard child.mayHaveMoreEntries else { throw .enomem }
    if charge != 0 { try system.reserve(charge, for: child.account) }
    if !isFresh && !object.isEmpty { object.borrow { $0.isSeenOnce = false } }
    let countsAsWritable = entry.value.countsAsWritable && !isPrivate
    let new = MapEntry(
      start: entry.value.start, end: entry.value.end, offset: entry.value.offset,
      object: isFresh ? nil : entry.value.copyReference(), charge: charge,
      account: charge == 0 ? nil : child.account, protection: entry.value.protection,
      maximum: entry.value.maximum, kind: entry.value.kind,
      sharing: isPrivate ? .private : entry.value.sharing, inheritance: inheritance,
      needsCopy: isFresh ? false : entry.value.needsCopy || isCopy && !object.isEmpty,
      countsAsWritable: countsAsWritable, advice: entry.value.advice)
    guard let copy = system.entries.allocate(new, system) else {
      if charge != 0 { system.release(charge, of: child.account) }
      throw .enomem
    }
    child.append(copy, to: &assembly)
    if countsAsWritable && !object.isEmpty {
      object.borrow { $0.writableMappingByteCount += entry.value.end - entry.value.start }
    }
  }
}
