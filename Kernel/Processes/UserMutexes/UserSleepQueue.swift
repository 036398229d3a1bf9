// Threads that sleep on words of user memory, each until somebody wakes it by the word (spec signals.md sections 3.2, 3.4).
//
// A thread that was woken is one that is in no queue any more: whether its time is over by then does not matter, nor that it is
// stopped, which leaves it in its place.
//
// Invariants
// - Only a thread whose continuation is a sleep on a word is queued, once. Who takes the continuation away takes the thread out.
// - Sleepers are woken in the order in which they came. Lists are linked through `nexts` and `previouses`; nothing here
//   allocates after `init`.
// - Waking costs what hashes to the key's bucket.

import Primitives

/// The sleepers of one kernel.
public struct UserSleepQueue {
  private static let bucketCount = 256

  private var keys: [WaitChannel]
  private var nexts: [ThreadSlot]
  private var previouses: [ThreadSlot]
  private var queued: [Bool]
  private var heads: [ThreadSlot]
  private var tails: [ThreadSlot]
  /// Sleepers.
  public private(set) var count = 0

  /// Makes an empty queue for threads in slots below `slotCount`.
  init(slotCount: Int) {
    keys = Array(repeating: .frames, count: slotCount)
    nexts = Array(repeating: .none, count: slotCount)
    previouses = Array(repeating: .none, count: slotCount)
    queued = Array(repeating: false, count: slotCount)
    heads = Array(repeating: .none, count: UserSleepQueue.bucketCount)
    tails = Array(repeating: .none, count: UserSleepQueue.bucketCount)
  }

  private static func bucket(_ key: WaitChannel) -> Int {
    Int(truncatingIfNeeded: key.hash >> 56) & (bucketCount - 1)
  }

  /// Whether somebody sleeps on what hashes like a key.
  @inline(__always)
  func mayContain(_ key: WaitChannel) -> Bool {
    count != 0 && heads[UserSleepQueue.bucket(key)] != .none
  }

  /// Whether a thread sleeps and nobody has woken it.
  public func contains(_ slot: ThreadSlot) -> Bool { queued[slot.index] }

  /// Whether nobody else sleeps on the key of a thread.
  func isAlone(_ slot: ThreadSlot) -> Bool { count(on: keys[slot.index], atMost: 2) == 1 }

  /// Adds a thread as the last.
  mutating func append(_ slot: ThreadSlot, on key: WaitChannel) {
    precondition(!queued[slot.index], "a thread that sleeps twice")
    let bucket = UserSleepQueue.bucket(key)
    let last = tails[bucket]
    queued[slot.index] = true
    keys[slot.index] = key
    nexts[slot.index] = .none
    previouses[slot.index] = last
    if last == .none { heads[bucket] = slot } else { nexts[last.index] = slot }
    tails[bucket] = slot
    count += 1
  }

  /// Takes a thread out, if it is in.
  mutating func remove(_ slot: ThreadSlot) {
    guard queued[slot.index] else { return }
    let bucket = UserSleepQueue.bucket(keys[slot.index])
    let next = nexts[slot.index]
    let previous = previouses[slot.index]
    if previous == .none { heads[bucket] = next } else { nexts[previous.index] = next }
    if next == .none { tails[bucket] = previous } else { previouses[next.index] = previous }
    queued[slot.index] = false
    count -= 1
  }

  /// Takes the first thread out that sleeps on a key.
  mutating func removeFirst(on key: WaitChannel) -> ThreadSlot? {
    guard count != 0 else { return nil }
    var slot = heads[UserSleepQueue.bucket(key)]
    while slot != .none {
      if keys[slot.index] == key {
        remove(slot)
        return slot
      }
      slot = nexts[slot.index]
    }
    return nil
  }

  /// How many threads sleep on a key; counts no further than asked.
  func count(on key: WaitChannel, atMost most: Int = .max) -> Int {
    guard count != 0 else { return 0 }
    var found = 0
    var slot = heads[UserSleepQueue.bucket(key)]
    while slot != .none, found < most {
      if keys[slot.index] == key { found += 1 }
      slot = nexts[slot.index]
    }
    return found
  }
}
