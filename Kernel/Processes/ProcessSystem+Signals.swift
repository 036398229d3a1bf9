// Posting signals and acting on them: who may, to whom, and the default actions (kill(2), sigaction(2)).
//
// Invariants
// - Posting never ends a process on the spot: it marks it and makes its thread ready; the process ends in its own turn.
// - A call that has begun to change what others may see finishes before a signal ends or stops the process (`Continuation`).
// - Otherwise stopping and continuing take effect at once, because the parent may be waiting to see it, and a stopped thread
//   is in no list of the scheduler and keeps nothing from others.

public import ABI
import Files
import Primitives

extension ProcessSystem {
  // MARK: Permission

  /// Whether `sender` may send `signal` to `target` (kill(2)): the superuser, a sender whose real or effective user is the
  /// target's real or saved one, and SIGCONT inside a session.
  public func maySend(_ signal: Signal, from sender: Process, to target: Process) -> Bool {
    if sender === target { return true }
    if signal == .sigcont && sender.sessionIdentifier == target.sessionIdentifier { return true }
    let source = sender.credentials
    let destination = target.credentials
    if source.isSuperuser { return true }
    return source.user == destination.user || source.user == destination.savedUser
      || source.effectiveUser == destination.user || source.effectiveUser == destination.savedUser
  }

  // MARK: Posting

  /// Posts a signal. Process 1 is spared the default action of signals that others send it.
  public func post(_ signal: Signal, to process: Process, from sender: Process? = nil) {
    guard process.state == .running else { return }
    if signal == .sigcont || signal == .sigkill { resume(process, isContinuation: signal == .sigcont) }
    if process.ignoredSignals.contains(signal) && signal != .sigkill && signal != .sigstop { return }
    let isForced = sender === process || process.slot != .initial
    switch signal.defaultAction {
    case .ignore, .resume: break
    case .stop:
      if isForced { stop(process, signal) }
    case .terminate:
      if isForced { terminate(process, signal) }
    }
  }

  /// Posts a signal that the processor raised for something the process did: it can not be ignored, by process 1 neither.
  public func raise(_ signal: Signal, in process: Process) {
    guard process.state == .running else { return }
    terminate(process, signal)
  }

  private func terminate(_ process: Process, _ signal: Signal) {
    process.pendingSignals.insert(signal)
    attend(process)
  }

  /// Makes the threads of a process look at its signals soon.
  private func attend(_ process: Process) {
    var slot = process.firstThread
    while let thread = threads[slot] {
      slot = thread.next
      if thread === current { needsAttention = true }
      scheduler.unpark(thread.slot)
    }
  }

  // MARK: Stopping and continuing

  private func stop(_ process: Process, _ signal: Signal) {
    guard !process.isStopped else { return }
    process.isStopped = true
    process.stopSignal = signal
    process.continuationIsUnreported = false
    process.stopIsAhead = true
    forEachThread(of: process) { thread in
      if thread === current {
        needsAttention = true
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
    tellParent(of: process)
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

  private func resume(_ process: Process, isContinuation: Bool) {
    guard process.isStopped else { return }
    process.isStopped = false
    process.stopIsAhead = false
    process.stopIsUnreported = false
    if isContinuation { process.continuationIsUnreported = true }
    forEachThread(of: process) { thread in if thread.isSuspended { wakeSuspended(thread, process) } }
    if isContinuation { tellParent(of: process) }
  }

  /// Makes a thread ready that was set aside.
  func wakeSuspended(_ thread: Thread, _ process: Process) {
    thread.isSuspended = false
    process.suspendedThreadCount -= 1
    scheduler.wakeUp(thread.slot)
  }

  /// Wakes the parent if it waits for children.
  func tellParent(of process: Process) {
    guard let parent = self[process.parent] else { return }
    scheduler.wake(.child(ofSlot: parent.slot.raw))
  }

  /// Ends threads of a killed process, of a user if one is given, whose calls have begun but cannot go on for want of memory that
  /// nobody can free, or that the user may not have: what they were to do cannot be done. Whether there was one.
  public func endKilledWaiter(of user: UInt32? = nil) -> Bool {
    guard scheduler.frameWaiterCount + scheduler.limitWaiterCount > 0 else { return false }
    for index in slots.indices {
      guard let process = slots[index], process.state != .zombie,
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

  /// The signal that ends a running process, if one is pending.
  public func terminatingSignal(_ process: Process) -> Signal? {
    process.pendingSignals.contains(.sigkill) ? .sigkill : process.pendingSignals.first
  }
}
