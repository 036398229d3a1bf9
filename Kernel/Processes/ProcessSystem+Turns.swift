// Giving the processor to threads, and charging them for the time in which they have it (the rule is in Scheduler.swift).
//
// Invariants
// - `processor.chargedNanoseconds` is when the last charge was made, or nobody was ready any more; every way of leaving the processor
//   charges the thread first. So switching is paid for by the thread that gets the processor, and all time that was not idle
//   is charged to somebody.
// - Work that a thread's events left on the list of what is being torn down is counted in its `teardownDebt` before it leaves
//   the processor.

import ABI
import Files
import Memory
import Primitives

extension ProcessSystem {
  /// Gives the processor to the thread that goes first; whether there is one.
  @inline(__always)
  public func takeTurn() -> Bool {
    guard let slot = scheduler.dequeue(), let thread = threads[slot] else { return false }
    guard let process = self[thread.process] else { preconditionFailure("thread without a process") }
    setCurrent(thread, of: process)
    counters.switches &+= 1
    return true
  }

  // MARK: Time

  /// Looks at the clock: charges the current thread, and wakes who is due. Returns the time in nanoseconds since boot.
  @discardableResult
  public func lookAtClock() -> UInt64 {
    let now = services.nanoseconds
    charge(now)
    // What it takes to wake many is nobody's.
    if scheduler.fireTimers(now: now) {
      fireProcessTimers(now)
      watchers.instance?.fireTimers(now)
      processor.chargedNanoseconds = services.nanoseconds
    }
    return now
  }

  /// Charges the current thread for what it has used up to now.
  public func charge() { charge(services.nanoseconds) }

  /// What was done since the last charge is nobody's.
  public func forgiveWork() { processor.chargedNanoseconds = services.nanoseconds }

  @inline(__always)
  private func charge(_ now: UInt64) {
    scheduler.now = now
    if now >= load.dueNanoseconds { load.add(processor.isIdle ? 0 : runnableCount, until: now) }
    if processor.isIdle {
      processor.isIdle = false
      processor.times.idle &+= now &- processor.times.idleSince
      processor.chargedNanoseconds = now
    }
    guard !processor.thread.isEmpty else { return }
    let elapsed = now &- processor.chargedNanoseconds
    processor.chargedNanoseconds = now
    scheduler.use(nanoseconds: elapsed)
    processor.thread.borrow { $0.frame.value.attributes.usage.charge(elapsed, asSystem: processor.isChargedAsSystem) }
    processor.process.borrow { process in
      process.usage.charge(elapsed, asSystem: processor.isChargedAsSystem)
      processor.times.charge(elapsed, asSystem: processor.isChargedAsSystem, isNice: process.niceness > .ordinary)
      if process.timers.countsUse { noteUse(process) }
    }
  }

  /// What follows is done by the kernel between events.
  public func beginKernelWork() { processor.isChargedAsSystem = true }

  /// Nobody has the processor until somebody looks at the clock again.
  public func beginIdling() {
    processor.isIdle = true
    processor.times.idleSince = scheduler.now
    scheduler.beginRound()
  }

  /// The current thread goes on in ring 3. Returns when to look at the clock again at the latest, in nanoseconds since boot.
  @inline(__always)
  public func endKernelWork() -> UInt64 {
    processor.isChargedAsSystem = false
    let look = processor.thread.borrow { scheduler.nextLook($0.slot) }
    return processor.process.borrow { process in
      guard process.timers.countsUse else { return look }
      return min(look, scheduler.now &+ max(useUntilTimer(process), ProcessLimits.shortestRunNanoseconds))
    }
  }

  // MARK: Leaving the processor

  /// The current thread lets everybody go first who has something left of a turn (sched_yield(2)).
  public func yield() {
    guard let thread = current, scheduler.hasReady else { return }
    countSwitch(of: thread, isVoluntary: true)
    leaveTurn(thread)
    scheduler.enqueue(thread.slot)
  }

  /// A thread of the idle class that leaves the processor in the middle of a call goes on like the others: it may keep what
  /// they wait for.
  @inline(__always)
  private func raiseInCall(_ thread: Thread) {
    if scheduler.runningRank.isIdle && !thread.continuation.isNone { scheduler.raise(running: thread.slot) }
  }

  /// The current thread is about to enter ring 3. One of the idle class that went on like the others until now is again what it
  /// was: whether it has to let others go first.
  @inline(__always)
  public func endsRaise(_ thread: Thread) -> Bool { scheduler.runningIsRaised && endRaise(thread) }

  @inline(never)
  private func endRaise(_ thread: Thread) -> Bool {
    guard scheduler.endRaise(thread.slot) else { return false }
    // It keeps nothing for a turn that may never come.
    releaseAwaitedFrame(thread)
    countSwitch(of: thread, isVoluntary: false)
    leaveTurn(thread)
    scheduler.enqueue(thread.slot)
    return true
  }

  /// Ends the current thread's turn if it is used up and another thread is ready.
  public func endUsedTurn() {
    guard !processor.thread.isEmpty, processor.thread.borrow({ scheduler.hasUsedTurn($0.slot) }),
      let thread = current
    else { return }
    countSwitch(of: thread, isVoluntary: false)
    leaveTurn(thread)
    raiseInCall(thread)
    scheduler.enqueue(thread.slot)
  }

  /// Takes the processor from the current thread if another goes before it.
  ///
  /// - Parameter isCharged: whether the clock was looked at just now.
  @inline(__always)
  public func giveWay(isCharged: Bool) {
    guard !processor.thread.isEmpty, scheduler.mayHaveBetter else { return }
    processor.thread.borrow { giveWay($0, isCharged) }
  }

  private func giveWay(_ thread: Thread, _ isCharged: Bool) {
    guard scheduler.givesWay(thread.slot) else { return }
    countSwitch(of: thread, isVoluntary: false)
    leaveTurn(thread, isCharged: isCharged)
    raiseInCall(thread)
    scheduler.giveWay(thread.slot)
  }

  /// The current thread gives the processor away.
  func countSwitch(of thread: Thread, isVoluntary: Bool) {
    thread.frame.value.attributes.usage.countSwitch(isVoluntary: isVoluntary)
    processor.process.borrow { $0.usage.countSwitch(isVoluntary: isVoluntary) }
  }

  /// The thread is not the current one any more.
  func leaveTurn(_ thread: Thread, isCharged: Bool = false) {
    guard processor.thread == BackReference(thread) else { return }
    releaseAwaitedFrameAfterTurn(thread)
    if !isCharged { charge() }
    scheduler.settle(thread.slot)
    thread.teardownDebt &+= memory.takeNewTeardown()
    forgetCurrent()
  }

  /// Notes what the current thread left to be torn down; what nobody left is nobody's.
  public func noteTeardown() {
    let units = memory.takeNewTeardown()
    if units != 0, let thread = current { thread.teardownDebt &+= units }
  }

  /// Whether somebody who has ended has memory that is not free yet.
  public var isGivingBack: Bool { endingCount > 0 || memory.hasTeardown }

  // MARK: The processor

  /// Forgets what the processor still holds of threads that are gone.
  public func leaveProcessor() {
    processor.floatingPointOwner = .none
  }

  /// Gives back every frame that is only kept for speed, so that frames can be counted exactly.
  public func trim() {
    records.trim(memory)
    signalRecords.trim(memory)
    actionRecords.trim(memory)
  }
}
