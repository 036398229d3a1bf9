// The end of a machine in which fail points let nobody get on.
//
// A fault has no error to give, so a thread whose fault is refused waits and tries again. When what refuses it is a fail point
// that fails every time, it tries for ever, and where everybody does, or waits for somebody who does, the machine would run for
// ever and do nothing. Process 1 then ends with SIGBUS, and with it the machine.
//
// Nobody leaves that state by himself: a fault that such a point refuses is refused at every try, and no other thread runs.
// Looked for now and then (`keepHouse`) while any fail point is set; without one it costs nothing.

import ABI
import Memory
import Primitives
import Processes

/// Since when nobody can get on.
struct Standstill {
  /// How long it must last: nothing else that could help may be under way.
  static let limitNanoseconds: UInt64 = 1_000_000_000

  /// Nanoseconds since boot; nil while somebody can get on.
  private var since: UInt64?
  /// How often those who wait for frames had been woken at the last tick.
  fileprivate private(set) var wakeCount: UInt64 = 0

  /// A tick. Returns whether it has lasted too long.
  fileprivate mutating func observe(isStanding: Bool, wakeCount: UInt64, now: UInt64) -> Bool {
    self.wakeCount = wakeCount
    guard isStanding, let since else {
      self.since = isStanding ? now : nil
      return false
    }
    guard now &- since >= Standstill.limitNanoseconds else { return false }
    self.since = nil
    return true
  }
}

extension Kernel {
  /// Ends process 1 when fail points have kept everybody from getting on for too long.
  func endStandstill(now: UInt64) {
    let scheduler = processes.scheduler
    let isStanding =
      scheduler.earliestDeadlineNanoseconds == nil && !scheduler.hasWaiter(on: .consoleInput) && !memory.hasTransfers
      && processes.onlyFaultsRun(since: standstill.wakeCount)
    guard
      standstill.observe(isStanding: isStanding, wakeCount: scheduler.frameWakeCount, now: now),
      let initial = processes[.initial]
    else { return }
    processes.beginExit(initial, .terminated(.sigbus))
    report(initial.identifier, " ended: fail points let nobody get on")
  }
}
