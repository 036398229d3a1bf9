// The scheduler's lists: turns in order, waking by channel, deadlines.

import Primitives
import Testing

@testable public import Processes

@Suite struct SchedulerTests {
  @Test func `threads take turns in the order in which they became ready`() {
    let scheduler = Scheduler(slotCount: 8)
    #expect(scheduler.dequeue() == nil)
    for slot in [3, 1, 2] as [ThreadSlot] { scheduler.enqueue(slot) }
    #expect(scheduler.readyCount == 3)
    #expect(scheduler.dequeue() == 3)
    scheduler.enqueue(3)
    #expect(scheduler.dequeue() == 1)
    #expect(scheduler.dequeue() == 2)
    #expect(scheduler.dequeue() == 3)
    #expect(!scheduler.hasReady)
  }

  @Test func `waking concerns one channel only`() {
    let scheduler = Scheduler(slotCount: 64)
    for slot in 0..<UInt32(32) { scheduler.park(ThreadSlot(slot), on: .page(FrameNumber(slot % 4))) }
    #expect(scheduler.hasWaiter(on: .page(FrameNumber(2))))
    scheduler.wake(.page(FrameNumber(2)))
    #expect(!scheduler.hasWaiter(on: .page(FrameNumber(2))))
    var woken: [ThreadSlot] = []
    while let slot = scheduler.dequeue() { woken.append(slot) }
    #expect(woken == [2, 6, 10, 14, 18, 22, 26, 30])
    #expect(scheduler.parkedCount == 24)
  }

  @Test func `channels that share a bucket are told apart`() {
    // More channels than there are buckets.
    let count: UInt32 = 2000
    let scheduler = Scheduler(slotCount: Int(count))
    for slot in 0..<count { scheduler.park(ThreadSlot(slot), on: .page(FrameNumber(slot))) }
    for slot in stride(from: 0, to: count, by: 3) {
      scheduler.wake(.page(FrameNumber(slot)))
      #expect(scheduler.dequeue() == ThreadSlot(slot) && !scheduler.hasReady)
    }
    for slot in 0..<count { #expect(scheduler.hasWaiter(on: .page(FrameNumber(slot))) == (slot % 3 != 0)) }
    #expect(!scheduler.hasWaiter(on: .page(FrameNumber(count))))
  }

  @Test func `so many are woken as is asked, in the order in which they parked`() {
    let scheduler = Scheduler(slotCount: 8)
    let channel = WaitChannel.turn(7)
    for slot in [5, 2, 6, 1] as [ThreadSlot] { scheduler.park(slot, on: channel) }
    scheduler.park(3, on: .turn(8))
    #expect(scheduler.wake(channel, atMost: 0) == 0 && !scheduler.hasReady)
    #expect(scheduler.wake(channel, atMost: 1) == 1)
    #expect(scheduler.dequeue() == 5 && !scheduler.hasReady)
    #expect(scheduler.wake(channel, atMost: 2) == 2)
    #expect(scheduler.dequeue() == 2 && scheduler.dequeue() == 6 && !scheduler.hasReady)
    #expect(scheduler.wake(channel, atMost: 5) == 1)
    #expect(scheduler.dequeue() == 1 && scheduler.parkedCount == 1)
  }

  @Test func `places in one thing are channels of their own`() {
    let scheduler = Scheduler(slotCount: 1024)
    let kind = WaitChannel.Kind(200)
    for slot in 0..<UInt32(1000) {
      scheduler.park(ThreadSlot(slot), on: WaitChannel(kind, 9, offset: UInt64(slot) * 4))
    }
    #expect(scheduler.wake(WaitChannel(kind, 9, offset: 4000), atMost: 9) == 0)
    #expect(scheduler.wake(WaitChannel(kind, 8, offset: 400), atMost: 9) == 0)
    #expect(scheduler.wake(WaitChannel(kind, 9, offset: 400), atMost: 9) == 1)
    #expect(scheduler.dequeue() == 100 && scheduler.parkedCount == 999)
  }

  @Test func `those who wait for frames are counted`() {
    let scheduler = Scheduler(slotCount: 8)
    scheduler.park(1, on: .frames)
    scheduler.park(2, on: .frames)
    scheduler.park(3, on: .consoleInput)
    #expect(scheduler.frameWaiterCount == 2)
    scheduler.unpark(1)
    #expect(scheduler.frameWaiterCount == 1)
    scheduler.remove(2)
    #expect(scheduler.frameWaiterCount == 0)
    #expect(scheduler.isParked(3, on: .consoleInput))
    #expect(!scheduler.isParked(3, on: .frames))
  }

  @Test func `deadlines wake who is due and nobody else`() {
    let scheduler = Scheduler(slotCount: 8)
    scheduler.park(1, on: .sleep(slot: 1), deadlineNanoseconds: 30)
    scheduler.park(2, on: .sleep(slot: 2), deadlineNanoseconds: 10)
    scheduler.park(3, on: .sleep(slot: 3), deadlineNanoseconds: 20)
    #expect(scheduler.earliestDeadlineNanoseconds == 10)
    scheduler.fireTimers(now: 20)
    #expect(scheduler.dequeue() == 2)
    #expect(scheduler.dequeue() == 3)
    #expect(scheduler.dequeue() == nil)
    #expect(scheduler.earliestDeadlineNanoseconds == 30)
    scheduler.wake(.sleep(slot: 1))
    #expect(scheduler.earliestDeadlineNanoseconds == nil)
  }

  @Test func `removing takes a thread out of whatever list it is in`() {
    let scheduler = Scheduler(slotCount: 8)
    scheduler.enqueue(1)
    scheduler.enqueue(2)
    scheduler.park(3, on: .frames, deadlineNanoseconds: 5)
    scheduler.remove(1)
    scheduler.remove(3)
    scheduler.remove(4)
    #expect(scheduler.dequeue() == 2)
    #expect(scheduler.dequeue() == nil)
    #expect(scheduler.earliestDeadlineNanoseconds == nil)
    #expect(scheduler.parkedCount == 0)
  }

  // MARK: Turns

  private let turn: UInt64 = 10_000_000

  /// Lets the threads in these slots be ready, in the middle of a round in which nobody has used anything.
  private func scheduler(_ slots: ThreadSlot...) -> Scheduler {
    let scheduler = Scheduler(slotCount: 8, turnNanoseconds: turn)
    for slot in slots { scheduler.enqueue(slot) }
    return scheduler
  }

  /// The thread that goes first uses so much time; it is left running.
  private func run(_ scheduler: Scheduler, _ nanoseconds: UInt64) -> ThreadSlot? {
    guard let slot = scheduler.dequeue() else { return nil }
    use(scheduler, slot, nanoseconds)
    return slot
  }

  private func use(_ scheduler: Scheduler, _ slot: ThreadSlot, _ nanoseconds: UInt64) {
    scheduler.now += nanoseconds
    scheduler.use(nanoseconds: nanoseconds)
    scheduler.settle(slot)
  }

  @Test func `who has used its turn is behind those who have not however they yield`() {
    let scheduler = scheduler(1, 2)
    #expect(run(scheduler, turn) == 1)
    #expect(scheduler.hasUsedTurn(1))
    scheduler.enqueue(1)
    for _ in 0..<10 {
      #expect(run(scheduler, turn / 10) == 2)
      scheduler.enqueue(2)
    }
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `whoever runs gives way to a thread that wakes and then goes on`() {
    let scheduler = scheduler(1, 2, 3)
    #expect(run(scheduler, 1000) == 1)
    scheduler.park(1, on: .frames)
    #expect(run(scheduler, turn / 2) == 2)
    #expect(!scheduler.givesWay(2))
    scheduler.wake(.frames)
    #expect(scheduler.givesWay(2))
    scheduler.giveWay(2)
    #expect(scheduler.dequeue() == 1)
    scheduler.park(1, on: .frames)
    #expect(scheduler.dequeue() == 2)
    #expect(!scheduler.hasUsedTurn(2))
    use(scheduler, 2, turn / 2)
    #expect(scheduler.hasUsedTurn(2))
  }

  @Test func `waking does not give time`() {
    let scheduler = scheduler(1, 2)
    #expect(run(scheduler, turn) == 1)
    scheduler.park(1, on: .frames)
    #expect(scheduler.dequeue() == 2)
    scheduler.wake(.frames)
    #expect(!scheduler.givesWay(2))
    use(scheduler, 2, turn)
    #expect(scheduler.hasUsedTurn(2))
    scheduler.enqueue(2)
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `a thread that woke is like everybody after a millisecond`() {
    let scheduler = scheduler(1, 2)
    scheduler.park(3, on: .frames)
    #expect(scheduler.dequeue() == 1)
    scheduler.wake(.frames)
    scheduler.giveWay(1)
    #expect(run(scheduler, ProcessLimits.burstNanoseconds / 2) == 3)
    scheduler.park(4, on: .frames)
    use(scheduler, 3, 1)
    scheduler.wake(.frames)
    #expect(!scheduler.givesWay(3))
    use(scheduler, 3, ProcessLimits.burstNanoseconds / 2)
    #expect(scheduler.givesWay(3))
  }

  @Test func `who sleeps shortly goes before those who have waited long`() {
    let scheduler = Scheduler(slotCount: 8, turnNanoseconds: turn)
    scheduler.park(1, on: .sleep(slot: 1), deadlineNanoseconds: 1_000_000_000)
    scheduler.fireTimers(now: 999_000_000)
    scheduler.park(2, on: .sleep(slot: 2), deadlineNanoseconds: 1_000_000_000)
    scheduler.fireTimers(now: 1_000_000_000)
    #expect(scheduler.dequeue() == 2)
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `a child uses the turn of a parent that waits for it`() {
    let scheduler = scheduler(1, 2)
    #expect(run(scheduler, turn / 10 * 6) == 1)
    scheduler.enqueue(3, childOf: 1)
    scheduler.park(1, on: .child(ofSlot: 1))
    #expect(run(scheduler, ProcessLimits.childNanoseconds) == 3)
    #expect(!scheduler.hasUsedTurn(3))
    use(scheduler, 3, turn / 10 * 4 - ProcessLimits.childNanoseconds)
    #expect(scheduler.hasUsedTurn(3))
    // Nothing is left for the parent in this round.
    scheduler.giveBack(3)
    scheduler.wake(.child(ofSlot: 1))
    #expect(run(scheduler, turn) == 2)
    scheduler.enqueue(2)
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `a child that ends gives back what it has left`() {
    let scheduler = scheduler(1, 2)
    #expect(run(scheduler, 0) == 1)
    for _ in 0..<100 {
      scheduler.enqueue(3, childOf: 1)
      scheduler.park(1, on: .child(ofSlot: 1))
      #expect(run(scheduler, 1000) == 3)
      scheduler.giveBack(3)
      scheduler.wake(.child(ofSlot: 1))
      #expect(scheduler.dequeue() == 1)
    }
    use(scheduler, 1, turn - 100 * 1000 - 1)
    #expect(!scheduler.hasUsedTurn(1))
    use(scheduler, 1, 2 * turn)
    #expect(scheduler.hasUsedTurn(1))
  }

  @Test func `the timer is set for the end of the turn or the next who is due`() {
    let scheduler = scheduler(1, 2)
    #expect(run(scheduler, turn / 4) == 1)
    #expect(scheduler.nextLook(1) == turn)
    scheduler.park(3, on: .sleep(slot: 3), deadlineNanoseconds: turn / 2)
    #expect(scheduler.nextLook(1) == turn / 2)
    scheduler.fireTimers(now: turn / 2)
    #expect(scheduler.givesWay(1))
  }
}

extension ThreadSlot: ExpressibleByIntegerLiteral {
  /// A slot by its number, as tests name them.
  public init(integerLiteral value: UInt32) { self.init(value) }
}
