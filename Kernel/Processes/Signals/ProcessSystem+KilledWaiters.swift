// Killed processes whose calls cannot go on for want of memory.

import ABI
import Files
import Primitives

extension ProcessSystem {
  /// Ends threads of a killed process, of a user if one is given, whose calls have begun but cannot go on for want of memory that
  /// nobody can free, or that the user may not have: what they were to do cannot be done. Whether there was one.
  public func endKilledWaiter(of user: UInt32? = nil) -> Bool {
    guard scheduler.frameWaiterCount + scheduler.limitWaiterCount > 0 else { return false }
    var next = 0
    while case let slot = usedSlots.next(from: next), slot < slots.count {
      next = slot + 1
      guard let process = slots[slot], process.state != .zombie,
        process.state == .exiting || process.pendingSignals.contains(.sigkill),
        user == nil || process.credentials.user == user, endFrameWaiters(of: process)
      else { continue }
      beginExit(process, .terminated(.sigkill))
      return true
    }
    return false
  }

  /// Ends the threads of a process that wait for frames in the middle of a call; the others finish what has to be. Whether there
  /// was one.
  private func endFrameWaiters(of process: Process) -> Bool {
    var found = false
    forEachThread(of: process) { thread in
      if case .exit = thread.continuation { return }
      guard scheduler.parkedChannel(thread.slot)?.isFrames ?? false else { return }
      end(thread, process, isForced: true)
      found = true
    }
    return found
  }
}
