// The scheduler's lists: turns in order, waking by channel, deadlines.

import Memory
import Testing

@testable import Processes

@Suite struct SchedulerTests {
  @Test func threadsTakeTurnsInTheOrderInWhichTheyBecameReady() {
    let scheduler = Scheduler(slotCount: 8)
    #expect(scheduler.dequeue() == nil)
    for slot in [3, 1, 2] as [UInt32] { scheduler.enqueue(slot) }
    #expect(scheduler.readyCount == 3)
    #expect(scheduler.dequeue() == 3)
    scheduler.enqueue(3)
    #expect(scheduler.dequeue() == 1)
    #expect(scheduler.dequeue() == 2)
    #expect(scheduler.dequeue() == 3)
    #expect(!scheduler.hasReady)
  }

  @Test func wakingConcernsOneChannelOnly() {
    let scheduler = Scheduler(slotCount: 64)
    for slot in 0..<UInt32(32) { scheduler.park(slot, on: .page(FrameNumber(slot % 4))) }
    #expect(scheduler.hasWaiter(on: .page(FrameNumber(2))))
    scheduler.wake(.page(FrameNumber(2)))
    #expect(!scheduler.hasWaiter(on: .page(FrameNumber(2))))
    var woken: [UInt32] = []
    while let slot = scheduler.dequeue() { woken.append(slot) }
    #expect(woken == [2, 6, 10, 14, 18, 22, 26, 30])
    #expect(scheduler.parkedCount == 24)
  }

  @Test func channelsThatShareABucketAreToldApart() {
    // More channels than there are buckets.
    let count: UInt32 = 2000
    let scheduler = Scheduler(slotCount: Int(count))
    for slot in 0..<count { scheduler.park(slot, on: .page(FrameNumber(slot))) }
    for slot in stride(from: 0, to: count, by: 3) {
      scheduler.wake(.page(FrameNumber(slot)))
      #expect(scheduler.dequeue() == slot && !scheduler.hasReady)
    }
    for slot in 0..<count { #expect(scheduler.hasWaiter(on: .page(FrameNumber(slot))) == (slot % 3 != 0)) }
    #expect(!scheduler.hasWaiter(on: .page(FrameNumber(count))))
  }

  @Test func thoseWhoWaitForFramesAreCounted() {
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

  @Test func deadlinesWakeWhoIsDueAndNobodyElse() {
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

  @Test func removingTakesAThreadOutOfWhateverListItIsIn() {
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
}
