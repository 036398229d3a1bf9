// Stopping and continuing processes.
//
// Invariants
// - A call that has begun to change what others may see finishes before a signal ends or stops the process (`Continuation`).
// - Otherwise stopping and continuing take effect at once, because the parent may be waiting to see it, and a stopped thread
//   is in no list of the scheduler and keeps nothing from others.

public import ABI
import Files
import Primitives

extension ProcessSystem {
  /// Stops a process.
  public func stop(_ process: Process, _ signal: Signal) {
    guard !process.isStopped else { return }
    process.isStopped = true
    process.stopSignal = signal
    process.continuationIsUnreported = false
    process.stopIsAhead = true
    forEachThread(of: process) { thread in
      if thread === current {
        processor.needsAttention = true
      } else if !thread.continuation.outlastsStop && !thread.isEnding {
        setAside(thread, process)
      }
    }
    tellOfStopIfComplete(process)
  }

  /// Tells the parent of a stop once all threads are set aside.
  func tellOfStopIfComplete(_ process: Process) {
    guard process.stopIsAhead, process.suspendedThreadCount == process.threadCount else { return }
    process.stopIsAhead = false
    process.stopIsUnreported = true
    tellParent(of: process, .childStopped, status: process.stopSignal.rawValue)
  }

  /// Stops the current thread, which has come to where the stop of its process acts.
  public func suspend(_ thread: Thread, of process: Process) {
    setAside(thread, process)
    tellOfStopIfComplete(process)
  }

  /// Takes the thread of a stopped process out of the scheduler, whatever it waits for, with all that it keeps from others.
  /// When the process goes on, the thread looks again at what it waited for.
  private func setAside(_ thread: Thread, _ process: Process) {
    if thread === current { leaveTurn(thread) } else { scheduler.remove(thread.slot) }
    thread.isSuspended = true
    process.suspendedThreadCount += 1
    releaseAwaitedFrame(thread)
    giveUpPlaces(thread)
  }

  /// Gives up what a call keeps from others, unless it has begun.
  public func giveUpPlaces(_ thread: Thread) {
    thread.place = nil
    if !thread.continuation.outlastsStop { thread.continuation.giveUpPlace() }
  }

  func resume(_ process: Process, isContinuation: Bool) {
    guard process.isStopped else { return }
    process.isStopped = false
    process.stopIsAhead = false
    process.stopIsUnreported = false
    if isContinuation { process.continuationIsUnreported = true }
    forEachThread(of: process) { thread in if thread.isSuspended { wakeSuspended(thread, process) } }
    if isContinuation { tellParent(of: process, .childContinued, status: Signal.sigcont.rawValue) }
  }

  /// Makes a thread ready that was set aside.
  func wakeSuspended(_ thread: Thread, _ process: Process) {
    thread.isSuspended = false
    process.suspendedThreadCount -= 1
    scheduler.wakeUp(thread.slot)
  }

  /// Tells the parent that its child has stopped or goes on, and wakes it if it waits for children.
  private func tellParent(of process: Process, _ code: SignalCode, status: Int32) {
    guard let parent = self[process.parent] else { return }
    if !parent.ignoresChildStops { notify(parent, of: process, .sigchld, code, status: status) }
    scheduler.wake(.child(ofSlot: parent.slot.raw))
  }
}
