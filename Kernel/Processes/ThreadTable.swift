// All threads of one kernel, by slot and by identifier.
//
// Invariants
// - The table never grows. `slots[0 ..< capacity]` are threads or nil; the empty ones are chained from `firstFree`.
// - Every thread is in `identifiers`. Its slot is its place in the scheduler's tables too.
// - So many slots are kept for the first threads of processes that a process which has a place of its own always finds one
//   for its thread: only what is beyond one thread a process is taken from the rest (`extraCapacity`).

/// Names a thread by its place in the table. Owns nothing.
public struct ThreadSlot: Equatable, BitwiseCopyable, Sendable {
  /// The index.
  public let raw: UInt32

  /// Wraps an index.
  @inline(__always)
  public init(_ raw: UInt32) { self.raw = raw }

  /// Names no thread.
  public static let none = ThreadSlot(UInt32.max)

  /// The index into tables by slot.
  @inline(__always)
  var index: Int { Int(raw) }
}

/// The threads of one kernel.
struct ThreadTable {
  private var slots: [Thread?]
  private var nextFree: [ThreadSlot]
  private var firstFree: ThreadSlot
  private var identifiers: SlotIndex
  private var lastIdentifier = ProcessLimits.firstThreadIdentifier - 1
  /// Threads that there may be beyond one for each process.
  let extraCapacity: Int
  /// Threads.
  private(set) var count = 0

  /// Makes an empty table with room for one thread of each process and so many more.
  init(processCapacity: Int, extraCapacity: Int) {
    let capacity = processCapacity + extraCapacity
    self.extraCapacity = extraCapacity
    slots = Array(repeating: nil, count: capacity)
    nextFree = Array(repeating: .none, count: capacity)
    for index in 0..<capacity - 1 { nextFree[index] = ThreadSlot(UInt32(index + 1)) }
    firstFree = ThreadSlot(0)
    identifiers = SlotIndex(slotCount: capacity)
  }

  /// Slots, empty ones included.
  var capacity: Int { slots.count }

  /// The thread in a slot, if there is one.
  subscript(slot: ThreadSlot) -> Thread? { slot == .none ? nil : slots[slot.index] }

  /// The thread with this identifier, if there is one.
  func thread(_ identifier: Int32) -> Thread? {
    guard let slot = identifiers.first(identifier) else { return nil }
    return slots[Int(slot)]
  }

  /// The slot for the next thread; there must be a free one.
  var freeSlot: ThreadSlot {
    precondition(firstFree != .none, "no place for a thread")
    return firstFree
  }

  /// An identifier that no thread goes by, ascending.
  mutating func takeIdentifier() -> Int32 {
    repeat {
      lastIdentifier = lastIdentifier == Int32.max ? ProcessLimits.firstThreadIdentifier : lastIdentifier + 1
    } while identifiers.first(lastIdentifier) != nil
    return lastIdentifier
  }

  /// Enters a thread, whose slot must be `freeSlot`.
  mutating func insert(_ thread: Thread) {
    precondition(thread.slot == firstFree)
    firstFree = nextFree[thread.slot.index]
    slots[thread.slot.index] = thread
    identifiers.insert(thread.slot.raw, key: thread.identifier)
    count += 1
  }

  /// Takes a thread out.
  mutating func remove(_ thread: Thread) {
    identifiers.remove(thread.slot.raw)
    slots[thread.slot.index] = nil
    nextFree[thread.slot.index] = firstFree
    firstFree = thread.slot
    count -= 1
  }
}
