// Whether a call may begin while memory is short (DESIGN, "Running out of memory").
//
// Calls that can refuse leave some frames to those that can not: what a program piles up in the kernel must not take the last
// pages from everybody's faults.

import ABI
import Files
import Memory
import Primitives
import Processes

extension Kernel {
  /// Fills the heap's reserve; false when it cannot be filled.
  @inline(__always)
  func hasHeapReserve() -> Bool { services.hasHeapReserve }

  /// Decides about a call that allocates while memory is short; false when it was refused or is parked.
  func admitShort(_ entry: SystemCallEntry, _ thread: Thread, _ process: Process) -> Bool {
    let call = SystemCall(kernel: self, thread: thread, process: process)
    if entry.declaration.borrow({ $0.givesBack(call) }) { return true }
    let demand = entry.declaration.borrow { $0.demand }
    if case .refuses = demand {
      switch memory.makeAvailable(frameHeadroom, looks: Kernel.headroomLooks) {
      case .ready: break
      case .pending: return parkWholeCall(thread)
      case .unfinished: return tryAgain(thread)
      case .exhausted: return waitOrRefuse(demand, thread)
      }
    }
    if hasHeapReserve() { return true }
    return waitOrRefuse(demand, thread)
  }

  /// Calls wait for what those give back who have ended; the superuser's, for what a process of a user leaves that has to go
  /// for them.
  private func waitOrRefuse(_ demand: MemoryDemand, _ thread: Thread) -> Bool {
    guard case .refuses(let error, _) = demand else { return parkWholeCall(thread) }
    if processes.isGivingBack { return tryAgain(thread) }
    let isPrivileged = processes.currentProcess?.credentials.isSuperuser ?? false
    if isPrivileged && expectsFrames() { return parkWholeCall(thread) }
    _ = fail(error, thread)
    return false
  }

  /// Pages that are looked at for a call before others have a turn.
  private static var headroomLooks: Int { 40 }

  /// Begins the whole call anew once others have had their turns: there are more pages to look at, or somebody who has ended
  /// is about to give memory back.
  private func tryAgain(_ thread: Thread) -> Bool {
    thread.continuation = .phase(.whole)
    // To look at pages takes long.
    processes.lookAtClock()
    if processes.isGivingBack {
      if memory.hasTeardown { workOffTeardown() }
      processes.yield()
    } else {
      processes.endUsedTurn()
    }
    return false
  }

  private func parkWholeCall(_ thread: Thread) -> Bool {
    thread.continuation = .phase(.whole)
    thread.place = nil
    processes.park(thread, on: .frames)
    return false
  }
}
