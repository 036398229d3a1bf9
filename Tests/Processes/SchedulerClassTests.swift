// Classes and nice values in the scheduler: who goes first, who gives way, what nice costs.

import ABI
import Primitives
import Testing

@testable import Processes

@Suite struct SchedulerClassTests {
  private let turn: UInt64 = 10_000_000
  private let scheduler = Scheduler(slotCount: 80, turnNanoseconds: 10_000_000)

  private func ready(_ slot: ThreadSlot, _ kind: ThreadPriority.Kind, _ level: UInt16 = 0) {
    scheduler.setPriority(slot, ThreadPriority(kind: kind, level: level), isRunning: false)
    scheduler.enqueue(slot)
  }

  private func use(_ slot: ThreadSlot, _ nanoseconds: UInt64) {
    scheduler.now += nanoseconds
    scheduler.use(nanoseconds: nanoseconds)
    scheduler.settle(slot)
  }

  @Test func `real-time goes before sharing and that before idle, in each class the lower level first`() {
    for level in (0..<32 as Range<UInt16>).reversed() {
      ready(ThreadSlot(UInt32(level)), .realTime, level)
      ready(ThreadSlot(UInt32(40 + level)), .idle, level)
    }
    ready(35, .normal)
    for slot in 0..<32 as Range<UInt32> { #expect(scheduler.dequeue() == ThreadSlot(slot)) }
    #expect(scheduler.dequeue() == 35)
    for slot in 40..<72 as Range<UInt32> { #expect(scheduler.dequeue() == ThreadSlot(slot)) }
    #expect(scheduler.dequeue() == nil && !scheduler.hasReady && scheduler.outsideCount == 0)
  }

  @Test func `real-time threads of a level take turns and those of the FIFO class do not`() {
    for slot in [1, 2] as [ThreadSlot] { ready(slot, .realTime, 5) }
    #expect(scheduler.dequeue() == 1)
    use(1, turn - 1)
    #expect(!scheduler.hasUsedTurn(1))
    use(1, 1)
    #expect(scheduler.hasUsedTurn(1))
    scheduler.enqueue(1)
    #expect(scheduler.dequeue() == 2)
    scheduler.remove(1)
    ready(1, .firstInFirstOut, 5)
    ready(3, .realTime, 5)
    #expect(scheduler.hasUsedTurn(2) == false)
    scheduler.enqueue(2)
    #expect(scheduler.dequeue() == 1)
    use(1, 5 * turn)
    #expect(!scheduler.hasUsedTurn(1))
    // A yield is what puts it behind the others.
    scheduler.enqueue(1)
    #expect(scheduler.dequeue() == 3)
  }

  @Test func `who gives way to a better level goes on before its own`() {
    for slot in [1, 2] as [ThreadSlot] { ready(slot, .realTime, 5) }
    #expect(scheduler.dequeue() == 1)
    use(1, 1000)
    #expect(!scheduler.givesWay(1))
    ready(3, .realTime, 4)
    #expect(scheduler.givesWay(1))
    scheduler.giveWay(1)
    #expect(scheduler.dequeue() == 3)
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `a real-time thread that wakes takes the processor at once whatever turn is left`() {
    scheduler.setPriority(2, ThreadPriority(kind: .realTime, level: 31), isRunning: false)
    scheduler.park(2, on: .frames)
    ready(1, .normal)
    #expect(scheduler.dequeue() == 1)
    scheduler.wake(.frames)
    #expect(scheduler.mayHaveBetter && scheduler.givesWay(1))
  }

  @Test func `an idle thread runs only when nobody else is ready`() {
    ready(1, .idle, 3)
    #expect(scheduler.dequeue() == 1)
    #expect(!scheduler.givesWay(1) && !scheduler.hasUsedTurn(1))
    ready(2, .normal)
    #expect(scheduler.givesWay(1))
    scheduler.giveWay(1)
    #expect(scheduler.dequeue() == 2)
    for _ in 0..<20 {
      use(2, turn)
      #expect(!scheduler.hasUsedTurn(2))
    }
    scheduler.park(2, on: .frames)
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `an idle thread that wakes shares until it leaves the kernel`() {
    scheduler.setPriority(1, ThreadPriority(kind: .idle, level: 0), isRunning: false)
    scheduler.park(1, on: .frames)
    ready(2, .normal)
    #expect(scheduler.dequeue() == 2)
    scheduler.wake(.frames)
    #expect(scheduler.givesWay(2))
    scheduler.giveWay(2)
    #expect(scheduler.dequeue() == 1)
    #expect(scheduler.runningIsRaised && scheduler.endRaise(1))
    scheduler.enqueue(1)
    #expect(scheduler.dequeue() == 2)
    // One that is to end does not wait for the others.
    scheduler.raise(ready: 1)
    use(2, turn)
    #expect(scheduler.hasUsedTurn(2))
    scheduler.enqueue(2)
    #expect(scheduler.dequeue() == 1)
  }

  @Test func `a nice thread has a smaller part of every round`() {
    scheduler.setNiceness(2, Niceness(clamping: 20), isRunning: false)
    for slot in [1, 2] as [ThreadSlot] { scheduler.enqueue(slot) }
    var used: [UInt32: UInt64] = [:]
    for _ in 0..<4000 {
      guard let slot = scheduler.dequeue() else { break }
      let step = min(scheduler.nextLook(slot) - scheduler.now, 100_000)
      use(slot, step)
      used[slot.raw, default: 0] += step
      if scheduler.hasUsedTurn(slot) { scheduler.enqueue(slot) } else { scheduler.giveWay(slot) }
    }
    let share = used[2, default: 0] * 1000 / (used[1, default: 0] + used[2, default: 0])
    #expect((80...105).contains(share), "\(share) of 1000")
  }

  @Test func `charges grow tenfold from nice 0 to nice 20 and fall to a tenth at nice -20`() {
    #expect(Niceness.ordinary.charge == Niceness.unit)
    #expect((10_000...10_300).contains(Niceness(clamping: 20).charge))
    #expect((95...110).contains(Niceness(clamping: -20).charge))
    var last: UInt32 = 0
    for value in -20...20 as ClosedRange<Int32> {
      let charge = Niceness(clamping: value).charge
      #expect(charge > last)
      last = charge
    }
    #expect(Niceness(clamping: 1000) == Niceness(clamping: 20) && Niceness(clamping: Int32.min).rawValue == -20)
  }

  @Test func `a child begins in the class that it is given`() {
    ready(1, .normal)
    #expect(scheduler.dequeue() == 1)
    scheduler.enqueue(2, childOf: 1, ThreadPriority(kind: .realTime, level: 1), Niceness(clamping: 3))
    scheduler.enqueue(3, childOf: 1, ThreadPriority(kind: .idle, level: 1), .ordinary)
    scheduler.enqueue(4, childOf: 1)
    #expect(scheduler.dequeue() == 2)
    #expect(scheduler.dequeue() == 4)
    #expect(scheduler.dequeue() == 3)
  }
}
