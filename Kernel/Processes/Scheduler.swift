// Who runs: a round-robin queue of ready threads, hashed queues of parked ones, and their deadlines.
//
// Invariants
// - A thread is in exactly one place: running (in no list), ready (in the run queue), parked (in the list of its channel's
//   bucket), or absent. A parked thread may also be in `timers`; no other is.
// - Lists are linked through `nexts` and `previouses` by slot number; nothing here allocates after `init`.
// - Waking costs what hashes to the channel's bucket; everything else is constant, timers logarithmic.

public import Memory

/// The scheduler of one kernel.
public final class Scheduler: Waker {
  private static let none = UInt32.max
  private static let bucketCount = 256

  private enum Place: UInt8 {
    case absent
    case ready
    case parked
  }

  private struct List {
    var head = Scheduler.none
    var tail = Scheduler.none
  }

  private var places: [Place]
  private var channels: [WaitChannel]
  private var nexts: [UInt32]
  private var previouses: [UInt32]
  private var ready = List()
  private var buckets: [List]
  private var timers: TimerQueue
  /// Threads in the run queue.
  public private(set) var readyCount = 0
  /// Threads parked until frames can be had.
  public private(set) var frameWaiterCount = 0
  /// How often those who wait for frames were woken.
  public private(set) var frameWakeCount: UInt64 = 0
  /// What `frameWakeCount` was when a thread last began to wait for frames.
  private var frameWaits: [UInt64]
  /// Threads parked on any channel.
  public private(set) var parkedCount = 0

  /// Makes a scheduler for threads in slots below `slotCount`.
  public init(slotCount: Int) {
    places = Array(repeating: .absent, count: slotCount)
    channels = Array(repeating: .frames, count: slotCount)
    frameWaits = Array(repeating: 0, count: slotCount)
    nexts = Array(repeating: Scheduler.none, count: slotCount)
    previouses = Array(repeating: Scheduler.none, count: slotCount)
    buckets = Array(repeating: List(), count: Scheduler.bucketCount)
    timers = TimerQueue(slotCount: slotCount)
    super.init()
  }

  /// Whether another thread than the running one could run.
  public var hasReady: Bool { readyCount != 0 }
  /// The earliest deadline of a parked thread, in nanoseconds since boot.
  public var earliestDeadlineNanoseconds: UInt64? { timers.earliest }

  /// Puts a thread that is in no list at the end of the run queue.
  public func enqueue(_ slot: UInt32) {
    precondition(places[Int(slot)] == .absent)
    places[Int(slot)] = .ready
    append(slot, to: &ready)
    readyCount += 1
  }

  /// Takes the thread whose turn it is out of the run queue.
  public func dequeue() -> UInt32? {
    let slot = ready.head
    guard slot != Scheduler.none else { return nil }
    unlink(slot, from: &ready)
    places[Int(slot)] = .absent
    readyCount -= 1
    return slot
  }

  /// Parks a thread that is in no list until its channel is woken or the deadline has passed.
  public func park(_ slot: UInt32, on channel: WaitChannel, deadlineNanoseconds: UInt64? = nil) {
    precondition(places[Int(slot)] == .absent)
    places[Int(slot)] = .parked
    channels[Int(slot)] = channel
    append(slot, to: &buckets[bucket(channel)])
    parkedCount += 1
    if channel == .frames {
      frameWaiterCount += 1
      frameWaits[Int(slot)] = frameWakeCount
    }
    if let deadlineNanoseconds { timers.insert(slot, deadlineNanoseconds: deadlineNanoseconds) }
  }

  /// Makes a parked thread ready whatever it waits for; others are left as they are.
  public func unpark(_ slot: UInt32) {
    guard places[Int(slot)] == .parked else { return }
    timers.remove(slot)
    leaveBucket(slot)
    enqueue(slot)
  }

  /// Takes a thread out of every list: it has ended or stopped.
  public func remove(_ slot: UInt32) {
    switch places[Int(slot)] {
    case .absent: break
    case .ready:
      unlink(slot, from: &ready)
      places[Int(slot)] = .absent
      readyCount -= 1
    case .parked:
      timers.remove(slot)
      leaveBucket(slot)
    }
  }

  /// Whether the thread is ready or parked.
  func isListed(_ slot: UInt32) -> Bool { places[Int(slot)] != .absent }

  /// Whether the thread began to wait for frames after they were woken so often.
  func hasWaitedForFrames(_ slot: UInt32, since wakeCount: UInt64) -> Bool { frameWaits[Int(slot)] >= wakeCount }

  /// Whether the thread is in the run queue.
  func isReady(_ slot: UInt32) -> Bool { places[Int(slot)] == .ready }

  /// Whether the thread is parked on this channel.
  public func isParked(_ slot: UInt32, on channel: WaitChannel) -> Bool {
    places[Int(slot)] == .parked && channels[Int(slot)] == channel
  }

  /// The channel that a thread is parked on; nil when it is not parked.
  func parkedChannel(_ slot: UInt32) -> WaitChannel? {
    places[Int(slot)] == .parked ? channels[Int(slot)] : nil
  }

  /// Whether any thread is parked on this channel.
  public func hasWaiter(on channel: WaitChannel) -> Bool {
    guard parkedCount != 0 else { return false }
    var slot = buckets[bucket(channel)].head
    while slot != Scheduler.none {
      if channels[Int(slot)] == channel { return true }
      slot = nexts[Int(slot)]
    }
    return false
  }

  /// Makes every thread that is parked on the channel ready, in the order in which they parked.
  public override func wake(_ channel: WaitChannel) {
    guard parkedCount != 0 else { return }
    if channel == .frames { frameWakeCount &+= 1 }
    var slot = buckets[bucket(channel)].head
    while slot != Scheduler.none {
      let next = nexts[Int(slot)]
      if channels[Int(slot)] == channel { unpark(slot) }
      slot = next
    }
  }

  /// Makes every parked thread ready whose deadline is not after `now`.
  public func fireTimers(now: UInt64) {
    while let slot = timers.popDue(now) {
      leaveBucket(slot)
      enqueue(slot)
    }
  }

  private func bucket(_ channel: WaitChannel) -> Int {
    Int((channel.raw &* 0x9e37_79b9_7f4a_7c15) >> 56) & (Scheduler.bucketCount - 1)
  }

  private func leaveBucket(_ slot: UInt32) {
    unlink(slot, from: &buckets[bucket(channels[Int(slot)])])
    places[Int(slot)] = .absent
    parkedCount -= 1
    if channels[Int(slot)] == .frames { frameWaiterCount -= 1 }
  }

  private func append(_ slot: UInt32, to list: inout List) {
    nexts[Int(slot)] = Scheduler.none
    previouses[Int(slot)] = list.tail
    if list.tail == Scheduler.none { list.head = slot } else { nexts[Int(list.tail)] = slot }
    list.tail = slot
  }

  private func unlink(_ slot: UInt32, from list: inout List) {
    let next = nexts[Int(slot)]
    let previous = previouses[Int(slot)]
    if previous == Scheduler.none { list.head = next } else { nexts[Int(previous)] = next }
    if next == Scheduler.none { list.tail = previous } else { previouses[Int(next)] = previous }
  }
}
