// Deadlines in order: a binary heap with one place for every thread, so that setting a timer can not fail.
//
// Invariants
// - `heap[0 ..< count]` are slots; the deadline of an element is not later than those of its two children.
// - `places[slot]` is the slot's index in `heap` plus one, or 0.

/// The deadlines of parked threads, at most one each.
struct TimerQueue {
  private var heap: [ThreadSlot]
  private var places: [UInt32]
  private var deadlines: [UInt64]
  private var count = 0

  /// Makes an empty queue for `slotCount` threads.
  init(slotCount: Int) {
    heap = Array(repeating: .none, count: slotCount)
    places = Array(repeating: 0, count: slotCount)
    deadlines = Array(repeating: 0, count: slotCount)
  }

  /// The earliest deadline, in nanoseconds since boot.
  var earliest: UInt64? { count == 0 ? nil : deadlines[heap[0].index] }

  /// Sets the deadline of a thread that has none.
  mutating func insert(_ slot: ThreadSlot, deadlineNanoseconds: UInt64) {
    precondition(places[slot.index] == 0)
    deadlines[slot.index] = deadlineNanoseconds
    count += 1
    rise(slot, from: count - 1)
  }

  /// Forgets the deadline of a thread, if it has one.
  mutating func remove(_ slot: ThreadSlot) {
    let place = Int(places[slot.index])
    guard place != 0 else { return }
    places[slot.index] = 0
    count -= 1
    let last = heap[count]
    guard last != slot else { return }
    rise(last, from: place - 1)
    sink(last, from: Int(places[last.index]) - 1)
  }

  /// Takes out a thread whose deadline is not after `now`, or gives nil.
  mutating func popDue(_ now: UInt64) -> ThreadSlot? {
    guard count > 0, deadlines[heap[0].index] <= now else { return nil }
    let slot = heap[0]
    remove(slot)
    return slot
  }

  private mutating func put(_ slot: ThreadSlot, at index: Int) {
    heap[index] = slot
    places[slot.index] = UInt32(index + 1)
  }

  private mutating func rise(_ slot: ThreadSlot, from start: Int) {
    var index = start
    let deadline = deadlines[slot.index]
    while index > 0 {
      let parent = (index - 1) / 2
      guard deadlines[heap[parent].index] > deadline else { break }
      put(heap[parent], at: index)
      index = parent
    }
    put(slot, at: index)
  }

  private mutating func sink(_ slot: ThreadSlot, from start: Int) {
    var index = start
    let deadline = deadlines[slot.index]
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count && deadlines[heap[child + 1].index] < deadlines[heap[child].index] { child += 1 }
      guard deadlines[heap[child].index] < deadline else { break }
      put(heap[child], at: index)
      index = child
    }
    put(slot, at: index)
  }
}
