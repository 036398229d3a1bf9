// What happens between two events: memory is reclaimed, somebody is given the processor, and whatever stands between that thread
// and ring 3 is done, in bounded steps.
//
// Invariant: before every step, who goes before the current thread takes its place; the clock is looked at before every few
// steps, and after each that is long. So nobody is kept waiting for a million instructions, and interrupts are let in as often.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// Units of released work done at a time.
  private static let teardownBudget = 256
  /// Pages that are looked at at a time when everything is looked through for one to reclaim.
  private static let reclaimLooks = 256
  /// The same before somebody is killed, at each tick.
  private static let lastReclaimLooks = 2048
  /// Frames that must be free before those who wait for some are woken.
  private static let frameBatch = 32
  /// How long threads may wait for frames that nothing can free while others run.
  private static let starvationLimitNanoseconds: UInt64 = 1_000_000_000
  /// Steps before the clock is looked at.
  private static let stepsBeforeLook = 4
  /// Steps before interrupts are let in …
  private static let stepsBeforeInterrupts = 16
  /// … unless they have taken so long by then.
  private static let nanosecondsBeforeInterrupts: UInt64 = 300_000

  /// Decides what runs next; does the work that is due between events first, and comes back for interrupts while it does.
  public func next() -> Next {
    let begin = processes.lookAtClock()
    if begin &- houseKeptNanoseconds >= ProcessLimits.turnNanoseconds { keepHouse(now: begin) }
    processes.beginKernelWork()
    var steps = 0
    while true {
      if let next = step() { return next }
      steps += 1
      if steps % Kernel.stepsBeforeLook != 0 { continue }
      let now = processes.lookAtClock()
      if steps >= Kernel.stepsBeforeInterrupts || now &- begin >= Kernel.nanosecondsBeforeInterrupts { return .again }
    }
  }

  /// One bounded step; nil when another is to follow.
  private func step() -> Next? {
    processes.noteTeardown()
    makeRoom()
    processes.needsAttention = false
    processes.giveWay()
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
    guard let thread = processes.current, let process = processes.currentProcess else { return nil }
    if thread.teardownDebt > 0 {
      payTeardown(thread)
      return nil
    }
    guard isReady(thread, process) else { return nil }
    processes.noteTeardown()
    if thread.teardownDebt > 0 || processes.current !== thread { return nil }
    process.addressSpace?.activate()
    processes.takeFloatingPoint(for: thread)
    processes.needsAttention = false
    nextLookNanoseconds = processes.endKernelWork()
    return .run(context: thread.record.address)
  }

  /// Reclaims memory while it is short, what is being torn down first: nobody is refused what is about to be free.
  private func makeRoom() {
    if memory.isShort {
      if memory.hasTeardown { workOffTeardown() }
      memory.reclaim(budget: 64)
    }
    if processes.scheduler.frameWaiterCount > 0 { serveFrameWaiters() } else { starvedSinceNanoseconds = nil }
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
    // A stopped process looks at its other signals when it is continued. What has begun finishes before either.
    if let signal = processes.terminatingSignal(process), signal == .sigkill || !process.isStopped {
      if !processes.outlastsKill(thread, process) {
        processes.beginExit(process, .terminated(signal))
        return false
      }
    } else if process.isStopped && !thread.continuation.outlastsStop {
      processes.suspend(thread, of: process)
      return false
    }
    if thread.continuation.isNone { return true }
    if let monitor { monitoredResume(thread, process, monitor) } else { resume(thread, process) }
    return false
  }

  /// Wakes those who wait for frames once there are some.
  private func serveFrameWaiters() {
    if memory.freeFrameCount > memory.reserveFrameCount + Kernel.frameBatch {
      processes.scheduler.wake(.frames)
      starvedSinceNanoseconds = nil
      return
    }
    if memory.hasTeardown { return workOffTeardown() }
    switch memory.makeAvailable(Kernel.frameBatch, looks: Kernel.reclaimLooks) {
    case .ready:
      processes.scheduler.wake(.frames)
      starvedSinceNanoseconds = nil
    case .pending: starvedSinceNanoseconds = nil
    case .unfinished, .exhausted:
      if starvedSinceNanoseconds == nil { starvedSinceNanoseconds = memory.nanoseconds }
    }
  }

  /// Those who wait for frames must not wait for ever because somebody else always runs: after a second in which nothing
  /// could be reclaimed, the largest process goes, as it would if nobody ran. Called at every tick.
  func endStarvation(now: UInt64) {
    guard let start = starvedSinceNanoseconds, now &- start >= Kernel.starvationLimitNanoseconds else {
      isLookingForLastTime = false
      return
    }
    if !isLookingForLastTime { memory.forgetFutility() }
    isLookingForLastTime = true
    let found = memory.makeAvailable(Kernel.frameBatch, looks: Kernel.lastReclaimLooks)
    if case .unfinished = found { return }
    isLookingForLastTime = false
    starvedSinceNanoseconds = now
    guard case .exhausted = found, !memory.hasTeardown else { return }
    if processes.endKilledWaiter() { return }
    if let victim = processes.killLargest() {
      report(victim.identifier, " killed: out of memory")
    }
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
    if scheduler.frameWaiterCount > 0 {
      switch memory.makeAvailable(Kernel.frameBatch, looks: Kernel.reclaimLooks) {
      case .ready:
        scheduler.wake(.frames)
        return nil
      case .unfinished: return nil
      case .pending: break
      case .exhausted:
        killForMemory()
        return nil
      }
    }
    processes.beginIdling()
    return .idle(until: scheduler.earliestDeadlineNanoseconds)
  }

  /// The last resort: nothing can run and nothing can be reclaimed.
  private func killForMemory() {
    if processes.endKilledWaiter() { return }
    if let victim = processes.killLargest() {
      report(victim.identifier, " killed: out of memory")
    } else if let initial = processes[.initial] {
      processes.raise(.sigbus, in: initial)
      report(initial.identifier, " ended: out of memory")
    }
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
    if !isQuiet { memory.report(write) }
  }
}
