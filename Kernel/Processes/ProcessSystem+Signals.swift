// Posting signals and acting on them: who may, to whom, and the default actions (kill(2), sigaction(2)).
//
// Invariants
// - Posting never ends a process on the spot: it marks it and makes its thread ready; the process ends in its own turn.
// - Stopping and continuing take effect at once, because the parent may be waiting to see it.

public import ABI
import Files
import Memory

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

  /// Makes the thread of a process look at its signals soon.
  private func attend(_ process: Process) {
    guard let thread = process.thread else { return }
    if thread === current { needsAttention = true }
    scheduler.unpark(thread.slot)
  }

  // MARK: Stopping and continuing

  private func stop(_ process: Process, _ signal: Signal) {
    guard !process.isStopped else { return }
    process.isStopped = true
    process.stopSignal = signal
    process.stopIsUnreported = true
    process.continuationIsUnreported = false
    if let thread = process.thread, thread === current { needsAttention = true }
    tellParent(of: process)
  }

  private func resume(_ process: Process, isContinuation: Bool) {
    guard process.isStopped else { return }
    process.isStopped = false
    process.stopIsUnreported = false
    if isContinuation { process.continuationIsUnreported = true }
    if let thread = process.thread, thread.isSuspended {
      thread.isSuspended = false
      scheduler.wakeUp(thread.slot)
    }
    if isContinuation { tellParent(of: process) }
  }

  /// Wakes the parent if it waits for children.
  func tellParent(of process: Process) {
    guard let parent = self[process.parent] else { return }
    scheduler.wake(.child(ofSlot: parent.slot.raw))
  }

  /// The signal that ends a running process, if one is pending.
  public func terminatingSignal(_ process: Process) -> Signal? {
    process.pendingSignals.contains(.sigkill) ? .sigkill : process.pendingSignals.first
  }
}
