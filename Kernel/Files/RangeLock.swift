// The byte-range reader/writer lock of a shared memory object (spec vm.md, section 12): first come, first served.
//
// An event runs to its end undisturbed, so an operation that completes in one event needs no entry: it only has to see that
// nobody is in its way (`isFree`). Entries exist for operations that are parked or cut in the middle, and for those that
// wait for them.
//
// Invariants
// - Entries stand in order of arrival. An entry has its turn when no earlier one conflicts with it.
// - Two conflicting entries never both have their turn, and an entry that has its turn keeps it: later ones queue behind.

import Memory

/// A range of bytes and what is done with it.
struct LockedRange: BitwiseCopyable {
  var start: UInt64
  /// The first byte behind the range.
  var end: UInt64
  var isExclusive: Bool

  static let whole = LockedRange(start: 0, end: UInt64.max, isExclusive: true)

  @inline(__always)
  func conflicts(with other: LockedRange) -> Bool {
    (isExclusive || other.isExclusive) && start < other.end && other.start < end
  }
}

/// Names an entry of a range lock; not reused.
struct RangeLockTicket: Equatable, BitwiseCopyable {
  let raw: UInt64
}

/// The parked and waiting holders of ranges of one object.
struct RangeLock {
  private final class Entry {
    let range: LockedRange
    let ticket: RangeLockTicket
    var next: Entry?

    init(_ range: LockedRange, _ ticket: RangeLockTicket) {
      self.range = range
      self.ticket = ticket
    }
  }

  private var first: Entry?
  private var lastTicket: UInt64 = 0

  /// Whether nobody holds or awaits anything.
  @inline(__always)
  var isEmpty: Bool { first == nil }

  /// Whether `range` could be had at once.
  @inline(__always)
  func isFree(_ range: LockedRange) -> Bool {
    first == nil || !hasConflict(range, before: RangeLockTicket(raw: UInt64.max))
  }

  /// Whether no entry ahead of this one is in its way.
  func hasTurn(_ ticket: RangeLockTicket) -> Bool {
    var entry = first
    while let candidate = entry, candidate.ticket != ticket { entry = candidate.next }
    guard let mine = entry else { preconditionFailure("no such entry in the range lock") }
    return !hasConflict(mine.range, before: ticket)
  }

  /// Queues up for `range`, or marks it as held when it is free. Allocates one small object.
  mutating func enter(_ range: LockedRange) -> RangeLockTicket {
    lastTicket += 1
    let entry = Entry(range, RangeLockTicket(raw: lastTicket))
    guard var last = first else {
      first = entry
      return entry.ticket
    }
    while let next = last.next { last = next }
    last.next = entry
    return entry.ticket
  }

  /// Takes an entry out. Whoever waits behind it may have its turn now.
  mutating func leave(_ ticket: RangeLockTicket) {
    guard let head = first else { preconditionFailure("no such entry in the range lock") }
    if head.ticket == ticket {
      first = head.next
      return
    }
    var previous = head
    while let entry = previous.next {
      if entry.ticket == ticket {
        previous.next = entry.next
        return
      }
      previous = entry
    }
    preconditionFailure("no such entry in the range lock")
  }

  /// Counts the entries for an inspection.
  func inspect(_ memory: inout MemoryInspector) -> Int {
    var count = 0
    var entry = first
    while let current = entry {
      count += 1
      memory.count(current)
      entry = current.next
    }
    return count
  }

  private func hasConflict(_ range: LockedRange, before ticket: RangeLockTicket) -> Bool {
    var entry = first
    while let candidate = entry, candidate.ticket != ticket {
      if candidate.range.conflicts(with: range) { return true }
      entry = candidate.next
    }
    return false
  }
}
