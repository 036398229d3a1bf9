// Keeping the pages of mappings in memory: mlock(2), munlock(2) and their like (FreeBSD's vm_map_wire and vm_map_unwire), in
// bounded steps.
//
// Invariants
// - The pages of a mapping that is wired are there, but for those that its object has lost since; every translation of it is
//   marked (PageTables+Wire.swift), so its pages stay.
// - `wiredPageCount` of a space and of the system count the pages of the mappings whose `wiring` is not `none`.
// - While a range is being wired nobody else changes the map (AddressSpace+Edit.swift). Either all of it is wired in the end or
//   nothing is: what cannot be brought in takes back what the call has done. A child has nothing wired.
public import ABI
public import Primitives

/// What the wiring of a range is about to do.
private enum WiringPhase: UInt8, BitwiseCopyable, Sendable {
  case check
  case wire
  case conclude
  case takeBack
}

/// How far the wiring of a range is.
public struct PendingWiring: BitwiseCopyable, Sendable {
  fileprivate let range: AddressRange
  /// Whether holes and what cannot be reached are skipped; otherwise they are an error.
  fileprivate let skipsHoles: Bool
  /// What the call gives when a page cannot be had; nil: success.
  fileprivate let failure: Errno?
  fileprivate var phase = WiringPhase.check
  /// Where the walk goes on.
  fileprivate var position: UInt64
  /// Pages that are not wired yet.
  fileprivate var newPageCount: UInt64 = 0

  private init(_ range: AddressRange, skipsHoles: Bool, failure: Errno?) {
    self.range = range
    self.skipsHoles = skipsHoles
    self.failure = failure
    position = range.start
  }

  /// mlock(2) of a range.
  public init(_ range: AddressRange) { self.init(range, skipsHoles: false, failure: .enomem) }

  /// mlockall(2) of what there is.
  public static var everything: PendingWiring {
    PendingWiring(
      AddressRange(uncheckedStart: UserSpace.start, end: UserSpace.end), skipsHoles: true, failure: .eagain)
  }

  /// A new mapping where all that is mapped is to be wired: nobody is told if that cannot be done.
  public init(future range: AddressRange) { self.init(range, skipsHoles: true, failure: nil) }

  fileprivate mutating func enter(_ phase: WiringPhase) {
    self.phase = phase
    position = range.start
  }
}

/// How far the unwiring of a range is.
public struct PendingUnwiring: BitwiseCopyable, Sendable {
  fileprivate let range: AddressRange
  fileprivate var position: UInt64
  /// Whether holes are an error, and were not looked for yet.
  fileprivate var looksForHoles: Bool
  fileprivate var isCut = false

  /// munlock(2) of a range.
  public init(_ range: AddressRange) { self.init(range, looksForHoles: true) }

  private init(_ range: AddressRange, looksForHoles: Bool) {
    self.range = range
    self.looksForHoles = looksForHoles
    position = range.start
  }

  /// munlockall(2)
  public static var everything: PendingUnwiring {
    PendingUnwiring(AddressRange(uncheckedStart: UserSpace.start, end: UserSpace.end), looksForHoles: false)
  }
}

extension AddressSpace {
  /// Counts pages of mappings that are wired, or, negative, no more.
  func countWired(_ pages: Int) {
    wiredPageCount = UInt64(Int(wiredPageCount) + pages)
    system.wiredPageCount = UInt64(Int(system.wiredPageCount) + pages)
  }

  /// Whether so many pages more may be wired.
  func mayWire(_ pages: UInt64) -> Bool {
    pages <= system.mostWiredPageCount - min(system.wiredPageCount, system.mostWiredPageCount)
  }

  // MARK: Wiring

  /// Goes on wiring a range. Takes the entries and pages that it looks at off `budget`.
  ///
  /// - Throws: `ENOMEM` for a hole or what cannot be reached, unless they are skipped, for more than `vm.max_user_wired`, when
  ///   memory for a cut cannot be had, or a page lies behind the end of its object (for mlockall(2) that is `EAGAIN`). Nothing
  ///   has changed then.
  public func wire(_ pending: inout PendingWiring, _ budget: inout Int) throws(Errno) -> Progress {
    while true {
      switch pending.phase {
      case .check:
        guard try check(&pending, &budget) else { return .again }
        guard mayWire(pending.newPageCount) else {
          if let failure = pending.failure { throw failure == .eagain ? .enomem : failure }
          return .complete
        }
        _ = try cutEnds(of: pending.range, from: findFirst(endingAfter: pending.range.start) ?? .none, .refused)
        pending.enter(.wire)
      case .wire:
        switch bringIn(&pending, &budget) {
        case .complete: pending.enter(.conclude)
        case let unfinished: return unfinished
        }
      case .conclude:
        guard setWiring(.wired, &pending, &budget) else { return .again }
        return .complete
      case .takeBack:
        guard setWiring(.none, &pending, &budget) else { return .again }
        if let failure = pending.failure { throw failure }
        return .complete
      }
    }
  }

  /// Looks for holes, and counts what is to be wired. Returns whether all was looked at.
  private func check(_ pending: inout PendingWiring, _ budget: inout Int) throws(Errno) -> Bool {
    var handle = findFirst(endingAfter: pending.position) ?? .none
    while pending.position < pending.range.end {
      if budget <= 0 { return false }
      budget -= 1
      guard !handle.isNone, system.entries[handle].start < pending.range.end else { break }
      let entry = system.entries.pin(handle)
      let isThere = entry.value.start <= pending.position && entry.value.mayBeWired
      if !isThere && !pending.skipsHoles { throw .enomem }
      if entry.value.mayBeWired && entry.value.wiring == .none {
        let start = max(entry.value.start, pending.range.start)
        pending.newPageCount += (min(entry.value.end, pending.range.end) - start) >> Page.shift
      }
      pending.position = entry.value.end
      handle = entry.value.next
    }
    if pending.position < pending.range.end && !pending.skipsHoles { throw .enomem }
    return true
  }

  /// Brings the pages in and marks their translations.
  private func bringIn(_ pending: inout PendingWiring, _ budget: inout Int) -> Progress {
    while let handle = findFirst(endingAfter: pending.position), system.entries[handle].start < pending.range.end {
      let entry = system.entries.pin(handle)
      if !entry.value.mayBeWired || entry.value.wiring == .wired {
        if budget <= 0 { return .again }
        budget -= 1
        pending.position = entry.value.end
        continue
      }
      if entry.value.wiring == .none {
        entry.value.wiring = .begun
        countWired(Int(entry.value.pageCount))
      }
      var position = max(pending.position, entry.value.start)
      let end = min(entry.value.end, pending.range.end)
      let access = entry.value.wiringAccess
      while position < end {
        pending.position = position
        if budget <= 0 { return .again }
        budget -= 4
        switch resolve(at: VirtualAddress(position), access) {
        case .resolved: position += Page.byteCount
        case .wait(let wait): return .wait(wait)
        case .signal:
          pending.enter(.takeBack)
          return .again
        }
      }
      pending.position = end
    }
    return .complete
  }

  /// Ends the wiring of what this call has begun to wire. Returns whether that is done.
  private func setWiring(_ wiring: EntryWiring, _ pending: inout PendingWiring, _ budget: inout Int) -> Bool {
    while let handle = findFirst(endingAfter: pending.position), system.entries[handle].start < pending.range.end {
      if budget <= 0 { return false }
      let entry = system.entries.pin(handle)
      let end = entry.value.end
      if entry.value.wiring == .begun {
        if wiring == .none {
          guard unwire(entry, from: &pending.position, &budget) else { return false }
        } else {
          entry.value.wiring = .wired
        }
      }
      budget -= 1
      pending.position = end
      mergeWithPrevious(handle, entry)
    }
    if let handle = find(pending.range.end) { mergeWithPrevious(handle, system.entries.pin(handle)) }
    return true
  }

  // MARK: Unwiring

  /// Takes the marks of an entry's translations away from where it has come to; then it is not wired any more. Returns whether
  /// that is done.
  private func unwire(_ entry: PinnedRecord<MapEntry>, from position: inout UInt64, _ budget: inout Int) -> Bool {
    let range = AddressRange(uncheckedStart: max(position, entry.value.start), end: entry.value.end)
    position = tables.unwire(range, &budget, system)
    guard position >= range.end else { return false }
    countWired(-Int(entry.value.pageCount))
    entry.value.wiring = .none
    return true
  }

  /// Goes on unwiring a range. It gives back: it waits for memory that a cut needs.
  ///
  /// - Throws: `ENOMEM` for a hole. Nothing has changed then.
  public func unwire(_ pending: inout PendingUnwiring, _ budget: inout Int) throws(Errno) -> Progress {
    if pending.looksForHoles {
      guard try hasNoHole(&pending, &budget) else { return .again }
      pending.looksForHoles = false
      pending.position = pending.range.start
    }
    if !pending.isCut {
      do throws(Errno) {
        _ = try cutEnds(of: pending.range, from: findFirst(endingAfter: pending.range.start) ?? .none, .waits)
      } catch {
        return .wait(.frames)
      }
      pending.isCut = true
    }
    while let handle = findFirst(endingAfter: pending.position), system.entries[handle].start < pending.range.end {
      if budget <= 0 { return .again }
      let entry = system.entries.pin(handle)
      let end = entry.value.end
      if entry.value.wiring != .none {
        guard unwire(entry, from: &pending.position, &budget) else { return .again }
      }
      budget -= 1
      pending.position = end
      mergeWithPrevious(handle, entry)
    }
    if let handle = find(pending.range.end) { mergeWithPrevious(handle, system.entries.pin(handle)) }
    return .complete
  }

  private func hasNoHole(_ pending: inout PendingUnwiring, _ budget: inout Int) throws(Errno) -> Bool {
    while pending.position < pending.range.end {
      guard let handle = find(pending.position) else { throw .enomem }
      if budget <= 0 { return false }
      budget -= 1
      pending.position = system.entries[handle].end
    }
    return true
  }
}

extension MapEntry {
  /// Whether its pages can be brought in.
  fileprivate var mayBeWired: Bool { !isGuard && !protection.isEmpty }

  /// How they are: what may be stored to gets its own pages now.
  fileprivate var wiringAccess: AccessType {
    protection.contains(.write) ? .write : protection.contains(.read) ? .read : .execute
  }
}
