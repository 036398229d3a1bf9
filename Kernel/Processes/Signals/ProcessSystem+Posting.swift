// Posting signals: who may, to whom, and what follows at once (spec signals.md sections 1.5 and 1.6).
//
// Invariants
// - Posting never ends a process on the spot, and runs no handler: it makes the signal pending and sees that a thread looks.
//   That acts in its own turn, when it is about to enter ring 3 (ProcessSystem+Acting.swift).
// - A signal that would be dropped is never pending.

public import ABI
import Files
import Primitives

extension ProcessSystem {
  // MARK: Permission

  /// Whether `sender` may send `signal` to `target` (kill(2)): the superuser, a sender whose real or effective user is the
  /// target's real or saved one, and SIGCONT inside a session. Who has changed its identity since it executed its program takes
  /// only signals that a user at a terminal sends.
  public func maySend(_ signal: Signal?, from sender: Process, to target: Process) -> Bool {
    if sender === target { return true }
    if signal == .sigcont && sender.sessionIdentifier == target.sessionIdentifier { return true }
    let source = sender.credentials
    let destination = target.credentials
    if source.isSuperuser { return true }
    if target.hasChangedIdentity, let signal, !SignalSet.ofUsers.contains(signal) { return false }
    return source.user == destination.user || source.user == destination.savedUser
      || source.effectiveUser == destination.user || source.effectiveUser == destination.savedUser
  }

  // MARK: Posting

  /// Posts a signal of another process, or of the kernel's own. Process 1 is spared the default action of signals that others
  /// send it.
  public func post(_ signal: Signal, to process: Process, from sender: Process? = nil) {
    let information = sender.map { SignalInformation(signal, .user, from: $0) } ?? SignalInformation(signal)
    _ = post(information, to: process, isItsOwn: sender === process)
  }

  /// Posts a signal to a process, or to one of its threads.
  ///
  /// - Parameters:
  ///   - isItsOwn: whether it comes from something the process did itself, so that process 1 is not spared either.
  ///   - needsPlace: whether it is to be refused rather than posted without what is known of it.
  ///
  /// Returns false when it was refused for want of a place in the queue.
  public func post(
    _ information: SignalInformation, to process: Process, _ thread: Thread? = nil, isItsOwn: Bool,
    needsPlace: Bool = false
  ) -> Bool {
    guard let decider = prepare(information.signal, process, thread, isItsOwn: isItsOwn) else { return true }
    guard enqueue(information, process, thread, needsPlace: needsPlace) else { return false }
    act(onPosted: information.signal, process, thread, decider)
    return true
  }

  /// Tells a parent what became of its child: a signal of which there is one instance for each child at most.
  func notify(_ parent: Process, of child: Process, _ signal: Signal, _ code: SignalCode, status: Int32) {
    guard signal.isValid, let decider = prepare(signal, parent, nil, isItsOwn: false) else { return }
    var information = SignalInformation(signal, code, from: child)
    information.status = status
    enqueueNotice(information, of: child, to: parent)
    act(onPosted: signal, parent, nil, decider)
  }

  /// What comes before a signal is pending: nil when it is dropped, else the thread whose mask counts.
  private func prepare(_ signal: Signal, _ process: Process, _ thread: Thread?, isItsOwn: Bool) -> Thread? {
    guard process.state == .running else { return nil }
    watchers.instance?.signalPosted(signal, to: process.identifier)
    let isCaught = process.caughtSignals.contains(signal)
    if process.ignores(signal) && discardsIgnoredSignals { return nil }
    if !isItsOwn && process.slot == .initial && !isCaught {
      // Spared the action, not the continuation.
      if signal == .sigcont { resume(process, isContinuation: true) }
      return nil
    }
    if signal == .sigcont { discard(.stops, of: process) }
    if SignalSet.stops.contains(signal) {
      discard(.continuation, of: process)
      if process.continuationIsUnreported {
        process.continuationIsUnreported = false
        withdrawNotice(of: process)
      }
      if !isCaught && signal != .sigstop && isOrphaned(group: process.groupIdentifier) { return nil }
    }
    return thread ?? decidingThread(signal, process)
  }

  /// The thread of a process whose mask decides what becomes of a signal: the current one, if it does not hold the signal back,
  /// or the oldest that does not, or the oldest.
  private func decidingThread(_ signal: Signal, _ process: Process) -> Thread? {
    if let current, current.process == process.slot, !current.signals.holdsBack(signal) { return current }
    var oldest: Thread?
    var willing: Thread?
    var slot = process.firstThread
    // The newest comes first.
    while let thread = threads[slot] {
      slot = thread.next
      oldest = thread
      if !thread.isEnding && !thread.signals.holdsBack(signal) { willing = thread }
    }
    return willing ?? oldest
  }

  /// What follows at once from a signal that is pending now.
  private func act(onPosted signal: Signal, _ process: Process, _ thread: Thread?, _ decider: Thread) {
    let isCaught = process.caughtSignals.contains(signal)
    if signal == .sigkill {
      resume(process, isContinuation: false)
      return attendAll(process)
    }
    if signal == .sigcont {
      resume(process, isContinuation: true)
      // Its default action is done by that.
      if !isCaught && !decider.signals.awaited.contains(signal) && !decider.signals.holdsBack(signal) {
        return discard(.continuation, process, thread)
      }
    }
    // What is new is asked for anew.
    decider.signals.isFastBlocked = false
    if decider.signals.awaited.contains(signal) { return attend(decider) }
    if decider.signals.holdsBack(signal) { return }
    // It is forgotten in the thread's turn, where ignored ones are kept until then.
    if process.ignores(signal) { return attend(decider) }
    if !isCaught && SignalSet.stops.contains(signal) {
      // Who runs in lent memory stops when it has given that back.
      if process.lender != .none { return }
      discard(SignalSet(of: signal), process, thread)
      return stop(process, signal)
    }
    // What else is pending when a stopped process goes on is looked at then.
    if process.isStopped { return }
    if isCaught { endSleep(of: decider, signal, process) } else { attend(decider) }
  }

  /// Makes a thread look at its signals soon, whatever it waits for.
  func attend(_ thread: Thread) {
    if thread === current { processor.needsAttention = true }
    scheduler.unpark(thread.slot)
    scheduler.raise(ready: thread.slot)
  }

  private func attendAll(_ process: Process) {
    var slot = process.firstThread
    while let thread = threads[slot] {
      slot = thread.next
      attend(thread)
    }
  }

  /// Takes a thread out of a sleep that a signal which is caught may end.
  private func endSleep(of thread: Thread, _ signal: Signal, _ process: Process) {
    if thread === current {
      processor.needsAttention = true
      return
    }
    guard let channel = scheduler.parkedChannel(thread.slot), mayEndSleep(of: thread, on: channel) else { return }
    thread.signals.sleepEnd = process.restartsCalls(signal) ? .restart : .fail
    scheduler.unpark(thread.slot)
  }

  private func mayEndSleep(of thread: Thread, on channel: WaitChannel) -> Bool {
    !channel.comesByItself && !channel.isTurn && thread.continuation.interruption != .none
  }

  /// Whether a thread may not go to sleep because of a signal that is there. Of those that are caught the lowest decides what
  /// becomes of its call.
  func isKeptAwake(_ thread: Thread, _ process: Process, by channel: WaitChannel) -> Bool {
    if mustActFirst(thread, process) { return true }
    if thread.hasOwnWake && mayEndSleep(of: thread, on: channel) {
      thread.hasOwnWake = false
      // Nothing but a handler ends sigsuspend(2), whose frame has the old mask.
      if !thread.signals.hasSuspendedMask {
        thread.signals.sleepEnd = .fail
        return true
      }
    }
    let caught = dueSignals(thread, process).intersection(process.caughtSignals)
    guard let signal = caught.first, mayEndSleep(of: thread, on: channel) else { return false }
    thread.signals.sleepEnd = process.restartsCalls(signal) ? .restart : .fail
    return true
  }

  // MARK: Masks

  /// Changes what a thread holds back. What it holds back from now on, and is on its way to the process, may be for another.
  public func setMask(_ mask: SignalSet, of thread: Thread, _ process: Process) {
    let old = thread.signals.mask
    thread.signals.mask = mask.subtracting(.unblockable)
    if hasDueSignal(thread, process) { processor.needsAttention = true }
    if process.threadCount > 1 { passOn(mask.subtracting(old), of: process) }
  }

  /// What is on its way to a process of some signals, which one of its threads does not take any more, may be for another.
  func passOn(_ signals: SignalSet, of process: Process) {
    var left = process.signalQueue.pending.intersection(signals)
    while let signal = left.first {
      left.remove(signal)
      guard let other = decidingThread(signal, process), !other.signals.holdsBack(signal) else { continue }
      if process.caughtSignals.contains(signal) { endSleep(of: other, signal, process) } else { attend(other) }
    }
  }
}

extension Process {
  /// Whether calls that this signal interrupts begin anew (SA_RESTART).
  func restartsCalls(_ signal: Signal) -> Bool { actions?.flags(signal).contains(.restart) ?? true }
}

extension SignalSet {
  /// What may be sent to who has changed its identity (security.bsd.conservative_signals): SIGHUP, SIGINT, SIGKILL, SIGALRM,
  /// SIGTERM, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2.
  static let ofUsers = SignalSet(
    low: 1 << 0 | 1 << 1 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 16 | 1 << 17 | 1 << 20 | 1 << 21 | 1 << 29 | 1 << 30)
}
