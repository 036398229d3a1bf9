// Advice on pages that is acted upon at once, and msync(2) (spec shm.md sections 3.15 and 3.17), in bounded steps that change
// nothing of the map.
//
// MADV_FREE: what is private and seen by nobody else goes at once, and reads as zeros. FreeBSD lets the page stay until memory
// is short, so that it shows its old content or zeros; programs have to be ready for either. Nothing of shared memory goes.
// MADV_DONTNEED: the pages are the next to be reclaimed; their content stays. MADV_WILLNEED: pages in memory are mapped.
// msync(2) has nothing to write; MS_INVALIDATE takes the translations away, and what the processor noted in them stays noted.
public import ABI
public import Primitives

/// What is done with the pages of a range.
public enum PageAdvice: BitwiseCopyable, Sendable {
  /// MADV_WILLNEED
  case willNeed
  /// MADV_DONTNEED
  case dontNeed
  /// MADV_FREE
  case free
  /// msync(2) with MS_INVALIDATE
  case invalidate
  /// msync(2) without it
  case nothing
}

/// How far advice on a range is acted upon.
public struct PendingAdvice: BitwiseCopyable, Sendable {
  fileprivate let advice: PageAdvice
  fileprivate var start: UInt64
  fileprivate var end: UInt64
  /// Where the walk goes on.
  fileprivate var position: UInt64
  /// Whether holes are an error, and were not looked for yet.
  fileprivate var looksForHoles: Bool

  /// Advice on a range of whole pages.
  public init(_ advice: PageAdvice, _ range: AddressRange) {
    self.advice = advice
    start = range.start
    end = range.end
    position = start
    looksForHoles = false
  }

  /// An msync(2) of the pages from `start` up to `end`; if both are the same, of the mapping that is there.
  public init(synchronizing start: UInt64, to end: UInt64, invalidates: Bool) {
    advice = invalidates ? .invalidate : .nothing
    self.start = start
    self.end = end
    position = start
    looksForHoles = true
  }
}

extension AddressSpace {
  /// Goes on acting upon advice. Takes entries, pages and translations that it looks at off `budget`.
  ///
  /// - Throws: `ENOMEM` when the range of an msync(2) has a hole, `EBUSY` when translations that are to go are wired; then nothing
  ///   has changed.
  public func act(on pending: inout PendingAdvice, _ budget: inout Int) throws(Errno) -> Progress {
    if let wait = editWait { return .wait(wait) }
    if pending.looksForHoles {
      guard try isWhole(&pending, &budget) else { return .again }
      pending.looksForHoles = false
      pending.position = pending.start
    }
    if pending.advice == .nothing { return .complete }
    var handle = findFirst(endingAfter: pending.position) ?? .none
    while !handle.isNone && system.entries[handle].start < pending.end {
      if budget <= 0 { return .again }
      let start = max(system.entries[handle].start, pending.position)
      let end = min(system.entries[handle].end, pending.end)
      if !system.entries[handle].isGuard && system.entries[handle].objectOrNil != nil {
        pending.position = act(pending.advice, handle, AddressRange(uncheckedStart: start, end: end), &budget)
        guard pending.position >= end else { return .again }
      }
      budget -= 1
      pending.position = end
      handle = system.entries[handle].next
    }
    return .complete
  }

  /// Whether nothing of the range is left to be looked at for holes.
  private func isWhole(_ pending: inout PendingAdvice, _ budget: inout Int) throws(Errno) -> Bool {
    var handle = findFirst(endingAfter: pending.position) ?? .none
    if pending.start == pending.end, !handle.isNone, system.entries[handle].start <= pending.start {
      pending.start = system.entries[handle].start
      pending.end = system.entries[handle].end
      try checkWiring(handle, pending)
      return true
    }
    repeat {
      guard !handle.isNone, system.entries[handle].start <= pending.position else { throw .enomem }
      if budget <= 0 { return false }
      budget -= 1
      try checkWiring(handle, pending)
      pending.position = system.entries[handle].end
      handle = system.entries[handle].next
    } while pending.position < pending.end
    return true
  }

  private func checkWiring(_ handle: Handle<MapEntry>, _ pending: PendingAdvice) throws(Errno) {
    if pending.advice == .invalidate && system.entries[handle].wiring != .none { throw .ebusy }
  }

  /// Acts upon advice on a part of an entry that has an object. Returns where to go on, the end of the part when it is done.
  private func act(
    _ advice: PageAdvice, _ handle: Handle<MapEntry>, _ range: AddressRange, _ budget: inout Int
  ) -> UInt64 {
    switch advice {
    case .nothing: range.end
    case .invalidate: tables.remove(range, emptyTables: .keep, &budget, system)
    case .free: free(handle, range, &budget) ? range.end : range.start
    case .dontNeed: forEachPage(of: handle, range, &budget) { frame, _ in system.deactivate(frame) }
    case .willNeed: enterPages(of: handle, range, &budget)
    }
  }

  /// Removes the pages that nobody else sees; whether none is left.
  private func free(_ handle: Handle<MapEntry>, _ range: AddressRange, _ budget: inout Int) -> Bool {
    guard let object = system.entries[handle].objectOrNil, object.kind == .anonymous, object.isSeenOnce,
      object.backingObject == nil, system.entries[handle].sharing == .private, !system.entries[handle].needsCopy,
      system.entries[handle].wiring == .none
    else { return true }
    return object.removePages(
      from: system.entries[handle].index(of: range.start), to: system.entries[handle].index(of: range.end - 1) + 1,
      &budget, system)
  }

  private func enterPages(of handle: Handle<MapEntry>, _ range: AddressRange, _ budget: inout Int) -> UInt64 {
    let protection = system.entries[handle].protection.subtracting(.write)
    // (Large pages are entered whole, when they are used.)
    guard protection.contains(.read), !(system.entries[handle].objectOrNil?.hasLargePages ?? false) else {
      return range.end
    }
    var hasRoom = true
    let position = forEachPage(of: handle, range, &budget) { frame, address in
      if hasRoom && tables.translate(address, .read, system) == nil {
        let isWired = system.entries[handle].wiring != .none
        hasRoom = tables.enter(frame, at: address, allowing: protection, for: .read, isWired: isWired, system)
      }
    }
    // What cannot be entered now is entered when it is used.
    return hasRoom ? position : range.end
  }

  /// Visits the pages of an entry's own object that are in memory and can be used. Returns where to go on.
  private func forEachPage(
    of handle: Handle<MapEntry>, _ range: AddressRange, _ budget: inout Int, _ body: (FrameNumber, UInt64) -> Void
  ) -> UInt64 {
    guard let object = system.entries[handle].objectOrNil else { return range.end }
    let base = system.entries[handle].index(of: range.start)
    let end = base + (range.end - range.start) >> Page.shift
    var index = base
    while let page = object.pages.next(from: index, system.indexNodes), page.index < end {
      let address = range.start + (page.index - base) << Page.shift
      if budget <= 0 { return address }
      budget -= 1
      if case .resident(let frame) = page.entry, object.waitForShrinking(page.index) == nil,
        system.frames[frame].flags.isDisjoint(with: .withoutContent)
      {
        body(frame, address)
      }
      index = page.index + 1
    }
    return range.end
  }
}

extension MemorySystem {
  /// Makes a page one of the next to be reclaimed.
  fileprivate func deactivate(_ frame: FrameNumber) {
    guard frames[frame].queue == .active else { return }
    settleMarks(of: frame)
    _ = takeMark(.referenced, frame)
    frames[frame].flags.remove(.referenced)
    queues.move(frame, to: .inactive, frames)
  }
}
