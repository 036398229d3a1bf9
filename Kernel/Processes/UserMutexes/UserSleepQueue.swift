// Threads that sleep on words of user memory, each until somebody wakes it by the word (spec signals.md sections 3.2, 3.4).
//
// A thread that was woken is one that is in no queue any more: whether its time is over by then does not matter, nor that it is
// stopped, which leaves it in its place.
//
// Invariants
// - Only a thread whose continuation is a sleep on a word is queued, once. Who takes the continuation away takes the thread out.
// - Sleepers are woken in the order in which they came. Lists are linked through the places of the threads; nothing here
//   allocates after `init`.
// - Waking costs what hashes to the key's bucket.

import Primitives

/// The sleepers of one kernel.
public struct UserSleepQueue {
  private static let bucketCount = 256

  /// The place of a thread, and its neighbours there.
  private struct Place: BitwiseCopyable {
    var key = WaitChannel.frames
    var next = ThreadSlot.none
    var previous = ThreadSlot.none
    var isQueued = false
  }

  private struct List: BitwiseCopyable {
    var head = ThreadSlot.none
    var tail = ThreadSlot.none
  }

  private var places: [Place]
  private var lists: [List]
  /// Sleepers.
  public private(set) var count = 0

  /// Makes an empty queue for threads in slots below `slotCount`.
  init(slotCount: Int) {
    places = Array(repeating: Place(), count: slotCount)
    lists = Array(repeating: List(), count: UserSleepQueue.bucketCount)
  }

  private static func bucket(_ key: WaitChannel) -> Int {
    Int(truncatingIfNeeded: key.hash >> 56) & (bucketCount - 1)
  }

  /// Whether somebody sleeps on what hashes like a key.
  @inline(__always)
  func mayContain(_ key: WaitChannel) -> Bool {
    count != 0 && lists[UserSleepQueue.bucket(key)].head != .none
  }

  /// Whether a thread sleeps and nobody has woken it.
  public func contains(_ slot: ThreadSlot) -> Bool { places[slot.index].isQueued }

  /// Whether nobody else sleeps on the key of a thread.
  func isAlone(_ slot: ThreadSlot) -> Bool { count(on: places[slot.index].key, atMost: 2) == 1 }

  /// Adds a thread as the last.
  mutating func append(_ slot: ThreadSlot, on key: WaitChannel) {
    precondition(!places[slot.index].isQueued, "a thread that sleeps twice")
    let bucket = UserSleepQueue.bucket(key)
    let last = lists[bucket].tail
    lists[bucket] = List(head: last == .none ? slot : lists[bucket].head, tail: slot)
    places[slot.index] = Place(key: key, previous: last, isQueued: true)
    if last != .none { places[last.index].next = slot }
    count += 1
  }

  /// Takes a thread out, if it is in.
  mutating func remove(_ slot: ThreadSlot) {
    let place = places[slot.index]
    guard place.isQueued else { return }
    let bucket = UserSleepQueue.bucket(place.key)
    places[slot.index].isQueued = false
    if place.previous == .none {
      lists[bucket].head = place.next
    } else {
      places[place.previous.index].next = place.next
    }
    if place.next == .none {
      lists[bucket].tail = place.previous
    } else {
      places[place.next.index].previous = place.previous
    }
    count -= 1
  }

  /// Takes the first thread out that sleeps on a key.
  mutating func removeFirst(on key: WaitChannel) -> ThreadSlot? {
    guard count != 0 else { return nil }
    var slot = lists[UserSleepQueue.bucket(key)].head
    while slot != .none {
      if places[slot.index].key == key {
        remove(slot)
        return slot
      }
      slot = places[slot.index].next
    }
    return nil
  }

  /// How many threads sleep on a key; counts no further than asked.
  func count(on key: WaitChannel, atMost most: Int = .max) -> Int {
    guard count != 0 else { return 0 }
    var found = 0
    var slot = lists[UserSleepQueue.bucket(key)].head
    while slot != .none, found < most {
      if places[slot.index].key == key { found += 1 }
      slot = places[slot.index].next
    }
    return found
  }
}
