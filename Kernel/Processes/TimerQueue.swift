// Deadlines in order: a binary heap with one place for every thread, or every process, so that setting a timer can not fail.
//
// Invariants
// - `heap[0 ..< count]` are slots; the deadline of an element is not later than those of its two children.
// - `next` is the deadline of `heap[0]`.
// - `places[slot]` is the slot's index in `heap` plus one, or 0.

/// A place in a table, whose user can have a deadline.
protocol TimerSlot: Equatable, BitwiseCopyable {
  /// No place.
  static var none: Self { get }
  /// The index into tables by slot.
  var index: Int { get }
}

extension ThreadSlot: TimerSlot {}

extension ProcessSlot: TimerSlot {
  @inline(__always)
  var index: Int { Int(raw) }
}

/// The deadlines of parked threads, or of the timers of processes: at most one each.
struct TimerQueue<Slot: TimerSlot> {
  private var heap: [Slot]
  private var places: [UInt32]
  private var deadlines: [UInt64]
  private var count = 0
  /// The earliest deadline, in nanoseconds since boot; the largest number while there is none.
  private(set) var next = UInt64.max

  /// Makes an empty queue for `slotCount` slots.
  init(slotCount: Int) {
    heap = Array(repeating: .none, count: slotCount)
    places = Array(repeating: 0, count: slotCount)
    deadlines = Array(repeating: 0, count: slotCount)
  }

  /// The earliest deadline, in nanoseconds since boot.
  var earliest: UInt64? { count == 0 ? nil : next }

  /// Sets the deadline of a slot that has none.
  mutating func insert(_ slot: Slot, deadlineNanoseconds: UInt64) {
    precondition(places[slot.index] == 0)
    deadlines[slot.index] = deadlineNanoseconds
    count += 1
    rise(slot, from: count - 1)
    next = deadlines[heap[0].index]
  }

  /// Forgets the deadline of a slot, if it has one.
  mutating func remove(_ slot: Slot) {
    let place = Int(places[slot.index])
    guard place != 0 else { return }
    places[slot.index] = 0
    count -= 1
    let last = heap[count]
    if last != slot {
      rise(last, from: place - 1)
      sink(last, from: Int(places[last.index]) - 1)
    }
    next = count == 0 ? .max : deadlines[heap[0].index]
  }

  /// Takes out a slot whose deadline is not after `now`, or gives nil.
  mutating func popDue(_ now: UInt64) -> Slot? {
    guard count > 0, next <= now else { return nil }
    let slot = heap[0]
    remove(slot)
    return slot
  }

  private mutating func put(_ slot: Slot, at index: Int) {
    heap[index] = slot
    places[slot.index] = UInt32(index + 1)
  }

  private mutating func rise(_ slot: Slot, from start: Int) {
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

  private mutating func sink(_ slot: Slot, from start: Int) {
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
