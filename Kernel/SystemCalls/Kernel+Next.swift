// What happens between two events: memory is reclaimed, somebody is given the processor, and whatever stands between that thread
// and ring 3 is done, in bounded steps.
//
// Invariant: before every step, who goes before the current thread takes its place; the clock is looked at before every few
// steps, and after each that is long. So nobody is kept waiting for 100,000 instructions, and interrupts are let in as often.

import ABI
import Files
import Memory
import Primitives
import Processes

extension Kernel {
  /// Units of released work done at a time.
  private static let teardownBudget = 192
  /// Steps before the clock is looked at.
  private static let stepsBeforeLook = 2
  /// Steps before interrupts are let in …
  private static let stepsBeforeInterrupts = 16
  /// … unless they have taken so long by then.
  private static let nanosecondsBeforeInterrupts: UInt64 = 25_000

  /// Decides what runs next; does the work that is due between events first, and comes back for interrupts while it does.
  public func next() -> Next {
    // A page that was compressed, or brought back, is enough for one event.
    if memory.takeLongWork() { return .again }
    let begin = processes.lookAtClock()
    if begin &- houseKeptNanoseconds >= ProcessLimits.turnNanoseconds { keepHouse(now: begin) }
    processes.beginKernelWork()
    if !processes.processor.thread.isEmpty {
      processes.processor.thread.borrow { processes.releaseAwaitedFrameAfterTurn($0) }
    }
    var steps = 0
    while true {
      if let next = step(isFirst: steps == 0) { return next }
      steps += 1
      if memory.takeLongWork() { return .again }
      // (A long step has looked at the clock itself.)
      if steps % Kernel.stepsBeforeLook == 0 { processes.lookAtClock() }
      let elapsed = processes.scheduler.now &- begin
      if steps >= Kernel.stepsBeforeInterrupts || elapsed >= Kernel.nanosecondsBeforeInterrupts { return .again }
    }
  }

  /// One bounded step; nil when another is to follow. Before the first one the clock has just been looked at.
  private func step(isFirst: Bool) -> Next? {
    processes.noteTeardown()
    makeRoom()
    processes.processor.needsAttention = false
    processes.giveWay(isCharged: isFirst)
    if processes.current == nil && !processes.takeTurn() {
      if processes.isEmpty {
        // A device that still uses frames of what is gone is waited for.
        if memory.hasTransfers { return .idle(until: nil) }
        // So is a host that reads slowly: it gets every byte.
        if files.console.output.count > 0 { return .idle(until: nil) }
        return .finished(finish())
      }
      return idle()
    }
    if let context = contextToEnter() { return .run(context: context) }
    guard let thread = processes.current, let process = processes.currentProcess else { return nil }
    if thread.teardownDebt > 0 {
      payTeardown(thread)
      return nil
    }
    guard isReady(thread, process) else { return nil }
    processes.noteTeardown()
    if thread.teardownDebt > 0 || processes.current !== thread || processes.endsRaise(thread) { return nil }
    return .run(context: enter(thread, process))
  }

  /// The context of the current thread, if nothing stands between it and ring 3. The usual case, without counting references:
  /// nothing here ends a thread.
  @inline(__always)
  private func contextToEnter() -> PhysicalAddress? {
    if processes.processor.thread.isEmpty { return nil }
    return processes.processor.thread.borrow { thread in
      processes.processor.process.borrow { process in
        guard thread.teardownDebt <= 0, thread.continuation.isNone, !thread.isEnding, !process.isStopped,
          thread.signals.sleepEnd == .none, !thread.signals.hasSuspendedMask, !process.timers.useIsDue,
          !processes.hasDueSignal(thread, process),
          !processes.scheduler.runningIsRaised
        else { return nil }
        return enter(thread, process)
      }
    }
  }

  /// The current thread goes on in ring 3 with these registers.
  @inline(__always)
  private func enter(_ thread: Thread, _ process: Process) -> PhysicalAddress {
    process.space.borrow { $0.activate() }
    processes.takeFloatingPoint(for: thread)
    processes.processor.needsAttention = false
    nextLookNanoseconds = processes.endKernelWork()
    thread.hasRun = false
    return thread.record.address
  }

  // MARK: Room

  /// Reclaims memory while it is short, and does what is due about a shortage.
  @inline(__always)
  private func makeRoom() {
    if memory.isShort || hasShortage { makeRoomIfDue() }
  }

  /// Whoever takes frames pays for it, step by step. What is done for those who wait for frames is done while nobody else
  /// could run, and in half of the time otherwise: nobody who needs no memory is late by all that others need.
  @inline(never)
  private func makeRoomIfDue() {
    // Before those are woken who wait for what they may not have.
    if memory.hasUserOverLimit { guardLimit() }
    wakeForFreeFrames()
    let begin = services.nanoseconds
    let hasTaken = memory.freeFrameCount < room.freeFrameCount
    let isIdle = processes.current == nil && !processes.scheduler.hasReady
    guard hasTaken || isIdle || begin >= room.dueNanoseconds else { return }
    processes.charge()
    if memory.isShort {
      // What is being torn down first: nobody is refused what is about to be free.
      if memory.hasTeardown { workOffTeardown() }
      memory.reclaim(budget: SystemCallLimits.reclaimLooks)
    }
    // One long piece of work at a time.
    if !memory.hasWorkedLong { serveShortage() }
    if !hasTaken { processes.forgiveWork() }
    room.freeFrameCount = memory.freeFrameCount
    let end = processes.lookAtClock()
    room.dueNanoseconds = end &+ (end &- begin)
  }

  // MARK: Teardown

  /// Works off some of what a thread owes.
  private func payTeardown(_ thread: Thread) {
    thread.teardownDebt = memory.payTeardown(thread.teardownDebt, budget: Kernel.teardownBudget)
    teardownWasWorkedOff()
    guard thread.teardownDebt > 0 else { return }
    processes.lookAtClock()
    processes.endUsedTurn()
  }

  /// Works off some of what has been released, whoever owes it.
  func workOffTeardown() {
    _ = memory.payTeardown(Kernel.teardownBudget, budget: Kernel.teardownBudget)
    teardownWasWorkedOff()
  }

  private func teardownWasWorkedOff() {
    // What died may have left the heap with pages to give back.
    if !memory.hasTeardown { _ = hasHeapReserve() }
  }

  /// Goes on with whatever stands between the current thread and ring 3; whether nothing does any more.
  private func isReady(_ thread: Thread, _ process: Process) -> Bool {
    if case .exit(let phase) = thread.continuation {
      if processes.continueExit(process, thread, phase) { processes.endUsedTurn() }
      return false
    }
    if thread.isEnding && !processes.outlastsKill(thread, process) {
      processes.endAfterCall(thread, process)
      return false
    }
    if process.timers.useIsDue { processes.fireUseTimers(of: process) }
    if process.isStopped && !thread.continuation.outlastsStop && !thread.isEnding {
      processes.suspend(thread, of: process)
      return false
    }
    let end = processes.takeSleepEnd(thread)
    if end != .none {
      concludeInterrupted(end, thread, process)
      return false
    }
    // A stopped process looks at its signals when it is continued.
    if !process.isStopped && actOnSignal(thread, process) { return false }
    if thread.continuation.isNone {
      guard thread.signals.hasSuspendedMask else { return true }
      processes.restoreMask(of: thread, process)
      return false
    }
    if let monitor { watchResume(thread, process, monitor) } else { resume(thread, process) }
    return false
  }

  /// Nobody is ready. Nil when that has changed.
  private func idle() -> Next? {
    let scheduler = processes.scheduler
    if memory.hasTeardown {
      workOffTeardown()
      return nil
    }
    processes.lookAtClock()
    if scheduler.hasReady { return nil }
    if shortage.search != nil { return nil }
    if memory.launder(budget: SystemCallLimits.reclaimLooks) { return nil }
    if scheduler.frameWaiterCount > 0 && !waitsForTransfers() { return nil }
    processes.beginIdling()
    return .idle(until: scheduler.earliestDeadlineNanoseconds)
  }

  /// Tells what becomes of a process.
  func report(_ process: Int32, _ what: String) {
    report { line in
      line.append("process ")
      line.append(UInt64(process))
      line.append(what)
    }
  }

  /// Writes a line about the kernel's own doings to the console, unless the kernel is quiet.
  func report(_ write: (inout ConsoleLine) -> Void) {
    if !isQuiet { services.report(write) }
  }
}
