// Making a mapping (spec shm.md section 3.11, step 16g and 17; vm.md section 5, "insert").
public import ABI
public import Primitives

/// A mapping that is about to take the place of others, once those are gone. Everything that can fail has been done: going
/// on can only take time. It counts among its object's writable mappings from the beginning. Dropping it releases the
/// mapping; what it was to replace may be gone in part then.
public final class PendingMapping {
  private let space: AddressSpace
  /// Where it goes.
  let range: AddressRange
  private var handle: Handle<MapEntry>
  /// What a new stack may grow into, if it is one.
  private let gap: Handle<MapEntry>

  fileprivate init(
    _ space: AddressSpace, _ range: AddressRange, _ handle: Handle<MapEntry>, _ gap: Handle<MapEntry>
  ) {
    self.space = space
    self.range = range
    self.handle = handle
    self.gap = gap
  }

  deinit {
    if handle.isNone { return }
    space.abandon(handle)
    if !gap.isNone { space.abandon(gap) }
  }

  /// The mapping, for invariant checkers; nil once it is made.
  public var inspected: MapEntryInspection? { handle.isNone ? nil : space.inspect(handle) }
  /// What goes with it if it is a stack; nil once it is made.
  public var inspectedGap: MapEntryInspection? { handle.isNone || gap.isNone ? nil : space.inspect(gap) }

  /// Goes on.
  public func step(_ budget: inout Int) -> Progress {
    let outcome = space.unmap(range, &budget)
    if case .complete = outcome {
      if !gap.isNone { space.insert(gap) }
      space.enter(handle)
      handle = .none
    }
    return outcome
  }
}

/// What making a mapping came to.
public enum MapOutcome {
  /// It is there.
  case complete
  /// It is to replace so much that this is done in steps.
  case pending(PendingMapping)
}

extension AddressSpace {
  /// Makes a mapping and returns its address. On failure nothing changed, and the request's reference is dropped.
  ///
  /// - Throws: `ENOMEM` when there is no room, `.exclusive` hits a mapping, `vm.overcommit` refuses the reservation, or
  ///   memory for the entry cannot be had, or the user has as much kernel memory as one may have; `EINVAL` for a stack
  ///   without room for more than its guard.
  public func map(_ request: consuming MapRequest) throws(Errno) -> VirtualAddress {
    if request.placement == .fixed {
      let (end, overflow) = request.address.addingReportingOverflow(request.byteCount)
      if !overflow { try prepareHole(AddressRange(uncheckedStart: request.address, end: end)) }
    }
    var budget = Int.max
    let (address, outcome) = try map(request, &budget)
    guard case .complete = outcome else { preconditionFailure("a mapping that replaces others takes no end") }
    return address
  }

  /// Makes a mapping, or prepares it where it replaces others at a cost of more than `budget`, and returns its address.
  ///
  /// - Throws: what `map` throws.
  public func map(
    _ request: consuming MapRequest, _ budget: inout Int
  ) throws(Errno) -> (VirtualAddress, MapOutcome) {
    let whole = request.byteCount
    var byteCount = whole
    if let stack = request.stack {
      guard let initial = stack.initialByteCount(of: whole) else { throw .einval }
      byteCount = initial
    }
    precondition(byteCount > 0 && byteCount & Page.offsetMask == 0 && request.address & Page.offsetMask == 0)
    let place = try place(request)
    let address = place + (whole - byteCount)
    guard mayHaveMoreEntries else { throw .enomem }
    let charge = request.sharing == .private && request.protection.contains(.write) ? byteCount >> Page.shift : 0
    try system.reserve(charge, for: account)
    var object = request.object.take()
    if request.sharing == .shared && object == nil {
      // Children share it from the first fork on, whether or not it was touched before: it needs its object now.
      do throws(Errno) {
        object = try VMObject.make(system, .anonymous, pageCount: byteCount >> Page.shift, account: account)
        object?.object.setColour(showing: 0, at: address)
      } catch {
        system.release(charge, of: account)
        throw error
      }
    }
    let isPrivateView = request.sharing == .private && object != nil
    let new = MapEntry(
      start: address, end: address + byteCount, offset: request.offset, object: object, charge: charge,
      account: charge == 0 ? nil : account, protection: request.protection, maximum: request.maximum,
      kind: request.isGuard ? .guardRange : request.stack == nil ? .memory : .stack, sharing: request.sharing,
      inheritance: request.sharing == .shared ? .share : .copy, needsCopy: isPrivateView,
      countsAsWritable: request.countsAsWritable)
    guard let handle = system.entries.allocate(new, system) else {
      system.release(charge, of: account)
      throw .enomem
    }
    if request.countsAsWritable, let object = system.entries[handle].objectOrNil {
      object.writableMappingByteCount += byteCount
    }
    var gap = Handle<MapEntry>.none
    if let stack = request.stack, byteCount < whole {
      guard let new = makeGap(place, address, stack, request.protection, request.maximum) else {
        abandon(handle)
        throw .enomem
      }
      gap = new
    }
    if request.placement == .fixed {
      let range = AddressRange(uncheckedStart: place, end: place + whole)
      switch unmap(range, &budget) {
      case .complete: break
      case .again, .wait: return (VirtualAddress(place), .pending(PendingMapping(self, range, handle, gap)))
      }
    }
    if !gap.isNone { insert(gap) }
    enter(handle)
    return (VirtualAddress(place), .complete)
  }

  /// Makes the entry of what a stack may grow into; nil when memory for it cannot be had.
  private func makeGap(
    _ start: UInt64, _ end: UInt64, _ stack: StackRequest, _ protection: Protection, _ maximum: Protection
  ) -> Handle<MapEntry>? {
    let description = StackGap(guardPageCount: stack.guardPageCount, protection: protection, maximum: maximum)
    let new = MapEntry(
      start: start, end: end, offset: description.word, object: nil, charge: 0, account: nil, protection: [],
      maximum: [], kind: .stackGap, sharing: .private, inheritance: .copy, needsCopy: false, countsAsWritable: false)
    return system.entries.allocate(new, system)
  }

  /// Puts a new entry, whose range is free, into the map, or lets the one in front of it have the range.
  @inline(__always)
  fileprivate func enter(_ handle: Handle<MapEntry>) {
    let entry = system.entries.pin(handle)
    let (previous, next) = neighbours(of: entry.value.start)
    if !previous.isNone && extend(previous, by: entry.value, before: next) {
      _ = system.entries.take(handle, system)
      return
    }
    insert(handle, between: previous, next)
    mergeWithNext(handle)
  }

  /// The address of a request.
  private func place(_ request: borrowing MapRequest) throws(Errno) -> UInt64 {
    let byteCount = request.byteCount
    let address = request.address
    switch request.placement {
    case .anywhere:
      guard byteCount < UserSpace.end else { throw .enomem }
      if !request.isWish, let found = findPlaceForLargeLeaves(request) { return found }
      guard
        let found = findSpace(byteCount, from: address, alignment: request.alignment, below: request.limit)
          ?? findSpace(byteCount, from: request.fallback, alignment: request.alignment, below: request.limit)
      else { throw .enomem }
      return found
    case .fixed, .exclusive:
      guard address >= UserSpace.start, address < UserSpace.end, byteCount <= UserSpace.end - address else {
        throw .enomem
      }
      if request.placement == .exclusive, let other = findFirst(endingAfter: address),
        system.entries[other].start < address + byteCount
      {
        throw .enomem
      }
      return address
    }
  }

  /// Drops a new entry that did not get into the map.
  fileprivate func abandon(_ handle: Handle<MapEntry>) {
    let entry = system.entries.take(handle, system)
    system.release(entry.charge, of: entry.account)
    if entry.countsAsWritable, let object = entry.objectOrNil {
      object.writableMappingByteCount -= entry.end - entry.start
    }
  }
}
