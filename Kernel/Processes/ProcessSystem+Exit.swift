// The end of a process, in bounded steps of the turns of its threads (_exit(2)), and of process 1, which ends everything.
//
// Invariant: once `beginExit` has run, the process runs no program any more; each step leaves it in a state from which the
// next can go on, and none of them can fail. The thread that is left last gives back what the process owns.

public import ABI
import Files
import Primitives

extension ProcessSystem {
  /// Ends a running process. What its threads were waiting for is released at once, but for calls that have to finish first
  /// (`outlastsKill`), unless it is forced; everything else goes in their own turns.
  public func beginExit(_ process: Process, _ status: WaitStatus, isForced: Bool = false) {
    guard process.state == .running else { return }
    process.state = .exiting
    endingCount += 1
    process.exitStatus = status
    process.isStopped = false
    process.stopIsAhead = false
    discard(.all, of: process)
    endTimers(of: process)
    endThreads(of: process, isForced: isForced)
    if process.slot == .initial { beginEnd(status) }
  }

  /// Does one step of the end of a thread. Returns false when nothing of it is left.
  public func continueExit(_ process: Process, _ thread: Thread, _ phase: ExitPhase) -> Bool {
    switch phase {
    case .unfinishedFiles(let files):
      if files.closeSome() { thread.continuation = .exit(firstPhase(thread)) }
      return true
    case .words:
      if leaveWords(process, thread) { thread.continuation = .exit(.thread) }
      return true
    case .thread:
      if let watchers = watchers.instance, !watchers.threadEnds(thread.identifier) { return true }
      guard process.threadCount == 1 else {
        forget(thread, of: process)
        return false
      }
      // The last threads may have left at the same time.
      if process.state == .running { beginExit(process, .exited(0)) }
      thread.continuation = .exit(.files)
      return continueExit(process, thread, .files)
    case .files:
      if let files = process.files, !files.closeSome() { return true }
      process.files = nil
      thread.continuation = .exit(.memory)
      return true
    case .memory:
      process.leaveAddressSpace()
      returnMemory(process)
      thread.continuation = .exit(.children)
      return true
    case .children:
      let group = handOverChildren(of: process)
      let hasChildren = process.firstChild != .none || process.firstZombie != .none
      if let group = group ?? (hasChildren ? nil : leaveGroup(process)) {
        thread.continuation = .exit(.hangUp(group))
        return true
      }
      if hasChildren { return true }
      becomeZombie(process, thread)
      return false
    case .hangUp(var group):
      thread.continuation = .exit(hangUp(&group) ? .children : .hangUp(group))
      return true
    }
  }

  /// Gives some children to process 1. Returns the group of the last one, if that is to be told that it is alone.
  private func handOverChildren(of process: Process) -> OrphanedGroup? {
    var budget = ProcessLimits.childrenPerTurn
    var zombies = false
    var group: OrphanedGroup?
    while budget > 0, group == nil {
      budget -= 1
      let slot = process.firstChild == .none ? process.firstZombie : process.firstChild
      guard let child = self[slot] else { break }
      withdrawNotice(of: child)
      unlink(child, from: process)
      if let initial = self[.initial], initial !== process, initial.state != .zombie, !isEnding,
        child.state != .zombie || !initial.ignoresChildren
      {
        if child.state == .zombie { zombies = true }
        child.endSignal = .sigchld
        adopt(child, by: initial)
        if child.state != .zombie {
          var looks = 0
          group = groupLeft(by: process, child, &looks)
          budget -= looks
        }
      } else {
        child.parent = .none
        if child.state == .zombie { forget(child) }
      }
    }
    if zombies { scheduler.wake(.child(ofSlot: ProcessSlot.initial.raw)) }
    return group
  }

  /// The last step: only identity, status and usage remain, and not even those when nobody will ask.
  private func becomeZombie(_ process: Process, _ thread: Thread) {
    endingCount -= 1
    watchers.instance?.processEnded(process.identifier, status: process.exitStatus.rawValue)
    leaveActions(process)
    let parent = self[process.parent]
    forget(thread, of: process)
    markZombie(process, of: parent)
    guard let parent, !isEnding, process.slot != .initial else {
      if let parent { unlink(process, from: parent) }
      forget(process)
      return
    }
    if parent.ignoresChildren {
      // SIG_IGN for SIGCHLD, or SA_NOCLDWAIT: nobody wants the status, nor a signal (sigaction(2)).
      reap(process)
    } else {
      let signal = process.exitStatus.terminationSignal
      notify(
        parent, of: process, process.endSignal, signal == nil ? .childExited : .childKilled,
        status: signal?.rawValue ?? process.exitValue)
    }
    scheduler.wake(.child(ofSlot: parent.slot.raw))
  }

  // MARK: The end of everything

  /// Process 1 is ending: everybody else is killed, and statuses are of interest to nobody any more.
  public func beginEnd(_ status: WaitStatus) {
    guard !isEnding else { return }
    isEnding = true
    initialStatus = status
    var next = 0
    while case let slot = usedSlots.next(from: next), slot < slots.count {
      next = slot + 1
      guard let process = slots[slot] else { continue }
      if process.state == .zombie {
        if let parent = self[process.parent] { unlink(process, from: parent) }
        forget(process)
      } else if process.state == .exiting {
        endThreads(of: process, isForced: true)
      } else {
        beginExit(process, .terminated(.sigkill), isForced: true)
      }
    }
  }

  /// Whether every process is gone.
  public var isEmpty: Bool { processCount == 0 }
}
