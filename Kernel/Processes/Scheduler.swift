// Who runs: queues of ready threads, hashed queues of parked ones, and their deadlines.
//
// The rule
// - Real-time threads go before all others, and those of the idle class after all others; within a class the lower level goes
//   first (Scheduler+Classes.swift). In between, threads share the processor by turns, and those who sleep are favoured over
//   those who spin: who woke runs at once while its turn lasts.
//
// The rule of turns
// - Time goes in rounds. In each round a thread has one turn (10 ms of the processor), which it may use in pieces; whatever
//   it does, time is charged to who used it.
// - Who has something left of its turn goes before those who have used it up. When no ready thread has anything left, the
//   next round begins. So of n threads that always want the processor each gets one n-th of it, however they sleep, yield
//   or cut their work: waking gives promptness, never time.
// - Among those with something left, who woke goes first (in this round, or with its turn used up in the last), those before
//   the others who waited shortly and used less than they waited. That holds for a millisecond from the time they run; then
//   they are like everybody, and so is who ends at once. Whoever runs gives way to somebody who goes before.
// - yield: behind everybody who has something left.
// - A child has no turn of its own in the round in which it is made: it gets a little of what its parent has left, and more
//   while that waits for its children. When it ends it gives back its rest, or the parent pays for what the child used of a
//   turn that the round gave it. So a family that comes and goes has one turn together.
// - What a thread used beyond its turn is taken off its next. Those who mostly wait may go a little beyond.
// - A thread of a process whose nice value is n is charged 10^(n/20) times what it used: beside one of nice 0, nice 20 has a
//   tenth, and nice -20 ten times as much. Nobody is left out of a round.
//
// Invariants
// - A thread is in exactly one place: running (in no list), ready (in the list that its node names), parked (in the list of its
//   channel's bucket), or absent. A parked thread may also be in one of the two queues of timers; no other is.
// - Lists are linked through `nodes` by slot number; nothing here allocates after `init`.
// - Waking costs what hashes to the channel's bucket; everything else is constant, timers logarithmic.
// - Where turns have no length (tests), there are no classes either: only the order of coming counts.

public import Files
public import Primitives

/// The scheduler of one kernel.
public final class Scheduler: Waker {
  private static let bucketCount = 256
  /// The most threads whose deadlines are looked at between two looks at who goes first, of each kind.
  private static let timersPerLook = 64

  enum Place: UInt8 {
    case absent
    case ready
    case parked
  }

  struct List {
    var head = ThreadSlot.none
    var tail = ThreadSlot.none

    var isEmpty: Bool { head == .none }
  }

  /// The order in which ready threads that have something left of their turns go.
  enum Precedence: UInt8 {
    /// Woke after a short wait.
    case hurried
    /// Woke.
    case woken
    /// Goes on.
    case ordinary
  }

  /// The place of a thread, and its neighbours there.
  struct Node: BitwiseCopyable {
    var next = ThreadSlot.none
    var previous = ThreadSlot.none
    var place = Place.absent
    /// Of a ready thread, the queue.
    var queue: UInt8 = 0
    /// Whether a parked thread is in one of the queues of timers.
    var hasDeadline = false
  }

  /// The places of the threads, by slot.
  var nodes: [Node]
  private var channels: [WaitChannel]
  /// One for those in a hurry, two each for those that woke and those that go on: one of the two holds those who have used up
  /// their turns, and takes the other's place when a round begins.
  var ready = [5 of List](repeating: List())
  private var buckets: [List]
  /// Deadlines of short waits: they are looked at first, so that no crowd of others delays them.
  private var shortTimers: TimerQueue<ThreadSlot>
  private var timers: TimerQueue<ThreadSlot>
  /// When the next timer of each process goes off.
  private var processTimers: TimerQueue<ProcessSlot>
  /// The turns of the threads, by slot.
  var turns: [Turn]
  /// How long a turn is, in nanoseconds.
  let turnNanoseconds: UInt64
  /// The round.
  var round: UInt64 = 1
  /// Nanoseconds that the running thread used and that are not taken off its turn yet.
  var runningNanoseconds: UInt64 = 0
  /// As what the running thread was picked.
  var running = Precedence.ordinary
  /// In which class it was picked.
  var runningRank = Rank.sharing
  /// Whether the running thread is of the idle class and goes on like the others until it enters ring 3.
  public internal(set) var runningIsRaised = false
  /// Ready threads of the real-time classes by level, then those of the idle class.
  var levels: [List]
  /// Which of those queues hold somebody.
  var realTimeLevels: UInt32 = 0
  var idleLevels: UInt32 = 0
  /// Ready threads that do not share the processor by turns.
  var outsideCount = 0
  /// When somebody last looked at the clock, in nanoseconds since boot.
  public internal(set) var now: UInt64 = 0
  /// Who has the timers of queues of events.
  public var watchers = BackReference<EventWatchers>()
  /// Whose attention is drawn when somebody wakes.
  var system = BackReference<ProcessSystem>()
  /// Ready threads.
  public private(set) var readyCount = 0
  /// Threads parked until their users may have more kernel memory.
  public private(set) var limitWaiterCount = 0
  /// Threads parked until frames can be had.
  public private(set) var frameWaiterCount = 0
  /// The superuser's among them.
  public private(set) var privilegedFrameWaiterCount = 0
  /// How often those who wait for frames were woken.
  public private(set) var frameWakeCount: UInt64 = 0
  /// What `frameWakeCount` was when a thread last began to wait for frames.
  private var frameWaits: [UInt64]
  /// Threads parked on any channel.
  public private(set) var parkedCount = 0

  /// Makes a scheduler for threads in slots below `slotCount`, of processes in slots below `processSlotCount`.
  public init(
    slotCount: Int, processSlotCount: Int = 0, turnNanoseconds: UInt64 = ProcessLimits.turnNanoseconds
  ) {
    self.turnNanoseconds = turnNanoseconds
    turns = Array(repeating: Turn(), count: slotCount)
    levels = Array(repeating: List(), count: 2 * Scheduler.levelCount)
    nodes = Array(repeating: Node(), count: slotCount)
    shortTimers = TimerQueue(slotCount: slotCount)
    channels = Array(repeating: .frames, count: slotCount)
    frameWaits = Array(repeating: 0, count: slotCount)
    buckets = Array(repeating: List(), count: Scheduler.bucketCount)
    timers = TimerQueue(slotCount: slotCount)
    processTimers = TimerQueue(slotCount: processSlotCount)
    super.init()
  }

  /// Whether another thread than the running one could run.
  public var hasReady: Bool { readyCount != 0 }
  /// The earliest deadline of a parked thread or of a timer of a process, in nanoseconds since boot.
  @inline(__always)
  public var earliestDeadlineNanoseconds: UInt64? {
    var earliest = min(min(shortTimers.next, timers.next), processTimers.next)
    if !watchers.isEmpty { earliest = min(earliest, watchers.borrow { $0.nextTimerNanoseconds }) }
    return earliest == .max ? nil : earliest
  }

  /// Puts a thread that is in no list into a queue of ready ones, behind the others or before them.
  func enter(_ slot: ThreadSlot, _ queue: Int, isFirst: Bool = false) {
    precondition(nodes[slot.index].place == .absent)
    let number = UInt8(truncatingIfNeeded: queue)
    if isFirst {
      prepend(slot, to: &ready[queue], number)
    } else {
      append(slot, to: &ready[queue], .ready, number)
    }
    readyCount += 1
  }

  /// The same for a queue of `levels`.
  func enter(_ slot: ThreadSlot, level: Int, isFirst: Bool) {
    precondition(nodes[slot.index].place == .absent)
    let number = UInt8(truncatingIfNeeded: ready.count + level)
    if isFirst {
      prepend(slot, to: &levels[level], number)
    } else {
      append(slot, to: &levels[level], .ready, number)
    }
    readyCount += 1
    outsideCount += 1
  }

  /// Takes a ready thread out of its queue.
  func leave(_ slot: ThreadSlot) {
    let queue = Int(nodes[slot.index].queue)
    readyCount -= 1
    if queue < ready.count { return unlink(slot, from: &ready[queue]) }
    unlink(slot, from: &levels[queue - ready.count])
    outsideCount -= 1
    noteEmptied(level: queue - ready.count)
  }

  /// Parks a thread that is in no list until its channel is woken or the deadline has passed.
  public func park(_ slot: ThreadSlot, on channel: WaitChannel, deadlineNanoseconds: UInt64? = nil) {
    precondition(nodes[slot.index].place == .absent)
    channels[slot.index] = channel
    append(slot, to: &buckets[bucket(channel)], .parked)
    parkedCount += 1
    if channel.isFrames {
      countFrameWaiter(channel, 1)
      frameWaits[slot.index] = frameWakeCount
    }
    turns[slot.index].park(at: now, waitsForChildren: channel.isForChildren || channel.isLentMemory)
    guard let deadlineNanoseconds else { return }
    nodes[slot.index].hasDeadline = true
    if deadlineNanoseconds <= now + ProcessLimits.shortWaitNanoseconds {
      shortTimers.insert(slot, deadlineNanoseconds: deadlineNanoseconds)
    } else {
      timers.insert(slot, deadlineNanoseconds: deadlineNanoseconds)
    }
  }

  /// Makes a parked thread ready whatever it waits for; others are left as they are.
  public func unpark(_ slot: ThreadSlot) {
    guard nodes[slot.index].place == .parked else { return }
    forgetDeadline(slot)
    leaveBucket(slot)
    wakeUp(slot)
  }

  /// Takes a thread out of every list: it has ended or stopped.
  public func remove(_ slot: ThreadSlot) {
    switch nodes[slot.index].place {
    case .absent: break
    case .ready: leave(slot)
    case .parked:
      forgetDeadline(slot)
      leaveBucket(slot)
    }
  }

  /// Whether the thread is ready or parked.
  func isListed(_ slot: ThreadSlot) -> Bool { nodes[slot.index].place != .absent }

  /// Whether the thread began to wait for frames after they were woken so often.
  func hasWaitedForFrames(_ slot: ThreadSlot, since wakeCount: UInt64) -> Bool { frameWaits[slot.index] >= wakeCount }

  /// Whether the thread is in the run queue.
  func isReady(_ slot: ThreadSlot) -> Bool { nodes[slot.index].place == .ready }

  /// Whether the thread is parked on this channel.
  public func isParked(_ slot: ThreadSlot, on channel: WaitChannel) -> Bool {
    nodes[slot.index].place == .parked && channels[slot.index] == channel
  }

  /// The channel that a thread is parked on; nil when it is not parked.
  public func parkedChannel(_ slot: ThreadSlot) -> WaitChannel? {
    nodes[slot.index].place == .parked ? channels[slot.index] : nil
  }

  /// Whether any thread is parked on this channel.
  public func hasWaiter(on channel: WaitChannel) -> Bool {
    guard parkedCount != 0 else { return false }
    var slot = buckets[bucket(channel)].head
    while slot != .none {
      if channels[slot.index] == channel { return true }
      slot = nodes[slot.index].next
    }
    return false
  }

  /// Makes threads that are parked on the channel ready, at most so many, in the order in which they parked; returns how many.
  @discardableResult
  public override func wake(_ channel: WaitChannel, atMost count: Int) -> Int {
    guard parkedCount != 0 else { return 0 }
    if channel.isFrames { frameWakeCount &+= 1 }
    var woken = 0
    var slot = buckets[bucket(channel)].head
    while slot != .none, woken < count {
      let next = nodes[slot.index].next
      if channels[slot.index] == channel {
        unpark(slot)
        woken += 1
      }
      slot = next
    }
    return woken
  }

  /// Looks at the clock: makes parked threads ready whose deadline is not after `now`, a bounded number of them. Those that
  /// are left over are still due. Whether there were any.
  @discardableResult
  public func fireTimers(now: UInt64) -> Bool {
    self.now = max(self.now, now)
    guard let earliest = earliestDeadlineNanoseconds, earliest <= now else { return false }
    fire(&shortTimers)
    fire(&timers)
    return true
  }

  private func fire(_ queue: inout TimerQueue<ThreadSlot>) {
    for _ in 0..<Scheduler.timersPerLook {
      guard let slot = queue.popDue(now) else { return }
      leaveBucket(slot)
      wakeUp(slot)
    }
  }

  /// Sets or forgets when the next timer of a process goes off, in nanoseconds since boot.
  func setTimer(of process: ProcessSlot, _ deadlineNanoseconds: UInt64?) {
    processTimers.remove(process)
    if let deadlineNanoseconds { processTimers.insert(process, deadlineNanoseconds: deadlineNanoseconds) }
  }

  /// Takes out a process of which a timer is due.
  func popProcess(dueAt now: UInt64) -> ProcessSlot? { processTimers.popDue(now) }

  @inline(__always)
  private func forgetDeadline(_ slot: ThreadSlot) {
    if nodes[slot.index].hasDeadline { takeDeadline(slot) }
  }

  @inline(never)
  private func takeDeadline(_ slot: ThreadSlot) {
    shortTimers.remove(slot)
    timers.remove(slot)
  }

  private func bucket(_ channel: WaitChannel) -> Int {
    Int(channel.hash >> 56) & (Scheduler.bucketCount - 1)
  }

  @inline(__always)
  private func leaveBucket(_ slot: ThreadSlot) {
    let channel = channels[slot.index]
    unlink(slot, from: &buckets[bucket(channel)])
    parkedCount -= 1
    if channel.isFrames { countFrameWaiter(channel, -1) }
  }

  private func countFrameWaiter(_ channel: WaitChannel, _ count: Int) {
    if channel == .kernelMemory { return limitWaiterCount += count }
    frameWaiterCount += count
    if channel == .privilegedFrames { privilegedFrameWaiterCount += count }
  }

  @inline(__always)
  private func append(_ slot: ThreadSlot, to list: inout List, _ place: Place, _ queue: UInt8 = 0) {
    nodes[slot.index] = Node(previous: list.tail, place: place, queue: queue)
    if list.tail == .none { list.head = slot } else { nodes[list.tail.index].next = slot }
    list.tail = slot
  }

  @inline(__always)
  private func prepend(_ slot: ThreadSlot, to list: inout List, _ queue: UInt8) {
    nodes[slot.index] = Node(next: list.head, place: .ready, queue: queue)
    if list.head == .none { list.tail = slot } else { nodes[list.head.index].previous = slot }
    list.head = slot
  }

  private func unlink(_ slot: ThreadSlot, from list: inout List) {
    let node = nodes[slot.index]
    nodes[slot.index].place = .absent
    if node.previous == .none { list.head = node.next } else { nodes[node.previous.index].next = node.next }
    if node.next == .none { list.tail = node.previous } else { nodes[node.next.index].previous = node.previous }
  }
}
