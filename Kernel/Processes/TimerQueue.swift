// Deadlines in order: a binary heap with one place for every thread, so that setting a timer can not fail.
//
// Invariants
// - `heap[0 ..< count]` are slots; the deadline of an element is not later than those of its two children.
// - `places[slot]` is the slot's index in `heap` plus one, or 0.

/// The deadlines of parked threads, at most one each.
struct TimerQueue {
  private var heap: [UInt32]
  private var places: [UInt32]
  private var deadlines: [UInt64]
  private var count = 0

  /// Makes an empty queue for `slotCount` threads.
  init(slotCount: Int) {
    heap = Array(repeating: 0, count: slotCount)
    places = Array(repeating: 0, count: slotCount)
    deadlines = Array(repeating: 0, count: slotCount)
  }

  /// The earliest deadline, in nanoseconds since boot.
  var earliest: UInt64? { count == 0 ? nil : deadlines[Int(heap[0])] }

  /// Sets the deadline of a thread that has none.
  mutating func insert(_ slot: UInt32, deadlineNanoseconds: UInt64) {
    precondition(places[Int(slot)] == 0)
    deadlines[Int(slot)] = deadlineNanoseconds
    count += 1
    rise(slot, from: count - 1)
  }

  /// Forgets the deadline of a thread, if it has one.
  mutating func remove(_ slot: UInt32) {
    let place = Int(places[Int(slot)])
    guard place != 0 else { return }
    places[Int(slot)] = 0
    count -= 1
    let last = heap[count]
    guard last != slot else { return }
    rise(last, from: place - 1)
    sink(last, from: Int(places[Int(last)]) - 1)
  }

  /// Takes out a thread whose deadline is not after `now`, or gives nil.
  mutating func popDue(_ now: UInt64) -> UInt32? {
    guard count > 0, deadlines[Int(heap[0])] <= now else { return nil }
    let slot = heap[0]
    remove(slot)
    return slot
  }

  private mutating func put(_ slot: UInt32, at index: Int) {
    heap[index] = slot
    places[Int(slot)] = UInt32(index + 1)
  }

  private mutating func rise(_ slot: UInt32, from start: Int) {
    var index = start
    let deadline = deadlines[Int(slot)]
    while index > 0 {
      let parent = (index - 1) / 2
      guard deadlines[Int(heap[parent])] > deadline else { break }
      put(heap[parent], at: index)
      index = parent
    }
    put(slot, at: index)
  }

  private mutating func sink(_ slot: UInt32, from start: Int) {
    var index = start
    let deadline = deadlines[Int(slot)]
    while true {
      var child = 2 * index + 1
      guard child < count else { break }
      if child + 1 < count && deadlines[Int(heap[child + 1])] < deadlines[Int(heap[child])] { child += 1 }
      guard deadlines[Int(heap[child])] < deadline else { break }
      put(heap[child], at: index)
      index = child
    }
    put(slot, at: index)
  }
}
