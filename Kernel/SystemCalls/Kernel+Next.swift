// What happens between two events: releases are worked off, memory is reclaimed, and somebody is given the processor.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// Units of released work done at a time.
  private static let teardownBudget = 256
  /// Frames that must be free before those who wait for some are woken.
  private static let frameBatch = 32
  /// How long threads may wait for frames that nothing can free while others run.
  private static let starvationLimitNanoseconds: UInt64 = 1_000_000_000

  /// Steps of longer work, each bounded, before interrupts are let in.
  private static let stepsBeforeInterrupts = 16

  /// Decides what runs next; does the work that is due between events first, and comes back for interrupts while it does.
  public func next() -> Next {
    var steps = 0
    while true {
      if steps >= Kernel.stepsBeforeInterrupts { return .again }
      steps += 1
      if memory.hasTeardown {
        if !memory.drainTeardown(budget: Kernel.teardownBudget) { continue }
        // What died may have left the heap with pages to give back.
        _ = hasHeapReserve()
      }
      if memory.isShort { memory.reclaim(budget: 64) }
      if processes.scheduler.frameWaiterCount > 0 { serveFrameWaiters() } else { starvedSinceNanoseconds = nil }
      processes.needsAttention = false
      if processes.current == nil && !processes.takeTurn() {
        if processes.isEmpty {
          // A device that still uses frames of what is gone is waited for.
          if memory.hasTransfers { return .idle(until: nil) }
          // So is a host that reads slowly: it gets every byte.
          if files.console.output.count > 0 { return .idle(until: nil) }
          return .finished(finish())
        }
        guard let idle = idle() else { continue }
        return idle
      }
      guard let thread = processes.current, let process = processes.currentProcess else { continue }
      if isReady(thread, process) {
        if memory.hasTeardown || processes.current !== thread { continue }
        process.addressSpace?.activate()
        processes.takeFloatingPoint(for: thread)
        processes.needsAttention = false
        return .run(context: thread.record.address)
      }
    }
  }

  /// Goes on with whatever stands between the current thread and ring 3; whether nothing does any more.
  private func isReady(_ thread: Thread, _ process: Process) -> Bool {
    if case .exit(let phase) = thread.continuation {
      if processes.continueExit(process, thread, phase) && processes.scheduler.hasReady { processes.endTurn() }
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
    switch memory.makeAvailable(Kernel.frameBatch) {
    case .ready:
      processes.scheduler.wake(.frames)
      starvedSinceNanoseconds = nil
    case .pending: starvedSinceNanoseconds = nil
    case .exhausted:
      if starvedSinceNanoseconds == nil { starvedSinceNanoseconds = memory.nanoseconds }
    }
  }

  /// Those who wait for frames must not wait for ever because somebody else always runs: after a second in which nothing
  /// could be reclaimed, the largest process goes, as it would if nobody ran. Called at every tick.
  func endStarvation(now: UInt64) {
    guard let start = starvedSinceNanoseconds, now &- start >= Kernel.starvationLimitNanoseconds else { return }
    starvedSinceNanoseconds = now
    memory.forgetFutility()
    guard case .exhausted = memory.makeAvailable(Kernel.frameBatch) else { return }
    if processes.endKilledWaiter() { return }
    if let victim = processes.killLargest() {
      report(victim.identifier, " killed: out of memory")
    }
  }

  /// Nobody is ready. Nil when that has changed.
  private func idle() -> Next? {
    let scheduler = processes.scheduler
    let now = memory.nanoseconds
    scheduler.fireTimers(now: now)
    if scheduler.hasReady { return nil }
    if scheduler.frameWaiterCount > 0 {
      switch memory.makeAvailable(Kernel.frameBatch) {
      case .ready:
        scheduler.wake(.frames)
        return nil
      case .pending: break
      case .exhausted:
        killForMemory()
        return nil
      }
    }
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
