// The byte-range reader/writer lock of a shared memory object (spec vm.md, section 12): first come, first served.
//
// An event runs to its end undisturbed, so an operation that completes in one event needs no entry: it only has to see that
// nobody is in its way (`isFree`). Entries exist for operations that are cut in the middle or that sleep, and for those that
// wait for them.
//
// Invariants
// - Entries stand in order of arrival. An entry has its turn when no earlier one conflicts with it.
// - Two conflicting entries never both have their turn, and an entry that has its turn keeps it: later ones queue behind.
// - An entry without its turn knows the latest earlier one that conflicts with it, and follows that one only. So whoever
//   leaves looks at its own followers and at nobody else, each of which goes on looking where it stopped: among n writers of
//   the whole object entering and leaving is constant work.
// - Whoever owns an entry keeps it until it has left; links between entries do not own.

import Memory
import Primitives

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

/// A place in a range lock.
final class RangeLockEntry: Nameable {
  fileprivate let range: LockedRange
  /// Names whoever waits here among wait channels.
  let number: UInt32
  fileprivate var previous = BackReference<RangeLockEntry>()
  fileprivate var next = BackReference<RangeLockEntry>()
  fileprivate var blocker = BackReference<RangeLockEntry>()
  fileprivate var firstFollower = BackReference<RangeLockEntry>()
  fileprivate var nextFollower = BackReference<RangeLockEntry>()
  fileprivate var previousFollower = BackReference<RangeLockEntry>()

  fileprivate init(_ range: LockedRange, _ number: UInt32) {
    self.range = range
    self.number = number
  }

  /// Whether no entry ahead of this one is in its way.
  @inline(__always)
  var hasTurn: Bool { blocker.isEmpty }

  fileprivate func follow(_ entry: BackReference<RangeLockEntry>) {
    blocker = entry
    previousFollower = BackReference()
    nextFollower = BackReference()
    guard let entry = entry.instance else { return }
    nextFollower = entry.firstFollower
    nextFollower.instance?.previousFollower = BackReference(self)
    entry.firstFollower = BackReference(self)
  }

  fileprivate func stopFollowing() {
    guard let entry = blocker.instance else { return }
    if let previous = previousFollower.instance {
      previous.nextFollower = nextFollower
    } else {
      entry.firstFollower = nextFollower
    }
    nextFollower.instance?.previousFollower = previousFollower
    blocker = BackReference()
  }
}

/// The parked and waiting holders of ranges of one object.
struct RangeLock {
  private var last = BackReference<RangeLockEntry>()
  private var exclusiveCount: Int32 = 0

  /// Whether nobody holds or awaits anything.
  @inline(__always)
  var isEmpty: Bool { last.isEmpty }

  /// Whether `range` could be had at once.
  @inline(__always)
  func isFree(_ range: LockedRange) -> Bool {
    last.isEmpty || latestConflict(with: range, from: last).isEmpty
  }

  /// Queues up for `range`, or marks it as held when it is free. Allocates one small object, which the caller keeps.
  mutating func enter(_ range: LockedRange, number: UInt32) -> RangeLockEntry {
    let entry = RangeLockEntry(range, number)
    entry.follow(latestConflict(with: range, from: last))
    entry.previous = last
    last.instance?.next = BackReference(entry)
    last = BackReference(entry)
    if range.isExclusive { exclusiveCount += 1 }
    return entry
  }

  /// Takes an entry out, and calls `wake` with each that has its turn by that.
  mutating func leave(_ entry: RangeLockEntry, _ wake: (RangeLockEntry) -> Void) {
    let ahead = entry.previous
    let behind = entry.next
    precondition((behind.instance?.previous ?? last) == BackReference(entry), "a place in a range lock left twice")
    ahead.instance?.next = behind
    if let next = behind.instance { next.previous = ahead } else { last = ahead }
    entry.previous = BackReference()
    entry.next = BackReference()
    if entry.range.isExclusive { exclusiveCount -= 1 }
    entry.stopFollowing()
    var follower = entry.firstFollower
    entry.firstFollower = BackReference()
    while let waiting = follower.instance {
      follower = waiting.nextFollower
      waiting.follow(latestConflict(with: waiting.range, from: ahead))
      if waiting.hasTurn { wake(waiting) }
    }
  }

  /// The last entry up to `start` that conflicts with `range`.
  private func latestConflict(
    with range: LockedRange, from start: BackReference<RangeLockEntry>
  ) -> BackReference<RangeLockEntry> {
    if exclusiveCount == 0 && !range.isExclusive { return BackReference() }
    var position = start
    while let entry = position.instance {
      if entry.range.conflicts(with: range) { return position }
      position = entry.previous
    }
    return BackReference()
  }

  /// Counts the entries for an inspection, and sees that each follows whom it should.
  func inspect(_ memory: inout MemoryInspector) -> Int {
    var count = 0
    var position = last
    while let entry = position.instance {
      count += 1
      memory.count(entry)
      memory.require(
        latestConflict(with: entry.range, from: entry.previous).instance === entry.blocker.instance,
        "range lock: an entry waits for another than it should", UInt64(entry.number))
      position = entry.previous
    }
    return count
  }
}
