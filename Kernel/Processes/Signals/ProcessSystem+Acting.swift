// Acting on signals: a thread that is about to enter ring 3 looks at what is due to it (spec signals.md section 1.8).
//
// Invariant: no thread enters ring 3 while a signal is due to it. The lowest number comes first; of one number what is for the
// thread comes before what is for the process.

public import ABI
import Files
public import Memory
import Primitives

/// What a thread does about a signal.
public enum SignalStep {
  /// Nothing is due.
  case nothing
  /// It is done: dropped, or the process stops.
  case done
  /// It ended the process.
  case ended(SignalInformation)
  /// A handler is to run.
  case handler(SignalInformation)
}

extension ProcessSystem {
  /// The signals that a thread would act on now.
  @inline(__always)
  func dueSignals(_ thread: Thread, _ process: Process) -> SignalSet {
    let pending = thread.signals.queue.pending.union(process.signalQueue.pending)
    if pending.isEmpty { return pending }
    return due(pending, thread, process)
  }

  @inline(never)
  private func due(_ pending: SignalSet, _ thread: Thread, _ process: Process) -> SignalSet {
    var due = pending.subtracting(thread.signals.mask.union(thread.signals.awaited))
    if thread.signals.isFastBlocked { due = due.intersection(.unblockable) }
    // Who runs in lent memory stops when it has given that back.
    if process.lender != .none { due = due.subtracting(.stops.subtracting(process.caughtSignals)) }
    return due
  }

  /// Whether a signal is due to a thread.
  @inline(__always)
  public func hasDueSignal(_ thread: Thread, _ process: Process) -> Bool { !dueSignals(thread, process).isEmpty }

  /// Whether a signal is due to a thread that a handler is for.
  public func hasDueHandler(_ thread: Thread, _ process: Process) -> Bool {
    !dueSignals(thread, process).intersection(process.caughtSignals).isEmpty
  }

  /// The signal that ends the process of a thread before that enters ring 3 again, if there is one.
  @inline(__always)
  public func fatalSignal(_ thread: Thread, _ process: Process) -> Signal? {
    let due = dueSignals(thread, process)
    return due.isEmpty ? nil : fatal(due, process)
  }

  /// Whether a signal that is posted to a thread now will end its process.
  public func isFatal(_ signal: Signal, _ thread: Thread, _ process: Process) -> Bool {
    let set = SignalSet(of: signal)
    return due(set, thread, process) == set && fatal(set, process) == signal
  }

  @inline(never)
  private func fatal(_ due: SignalSet, _ process: Process) -> Signal? {
    if due.contains(.sigkill) { return .sigkill }
    let harmless = process.caughtSignals.union(process.ignoredSignals)
      .union(.stops).union(.continuation).union(.ignoredByDefault)
    return due.subtracting(harmless).first
  }

  /// Acts on the next signal of a thread that is about to enter ring 3.
  public func actOnSignal(_ thread: Thread, _ process: Process) -> SignalStep {
    guard let signal = dueSignals(thread, process).first else { return .nothing }
    let isOwn = thread.signals.queue.pending.contains(signal)
    let information = dequeue(signal, process, isOwn ? thread : nil)
    if process.caughtSignals.contains(signal) { return .handler(information) }
    guard !process.ignoredSignals.contains(signal) else { return .done }
    switch signal.defaultAction {
    case .ignore, .resume: break
    case .stop: if !(signal != .sigstop && isOrphaned(group: process.groupIdentifier)) { stop(process, signal) }
    case .terminate:
      beginExit(process, .terminated(signal))
      return .ended(information)
    }
    return .done
  }

  /// Acts on what is due to a thread in the middle of a call: what would end or stop its process does so, the lowest number
  /// first, unless the call has to finish; handlers run when the call has stored its result. Whether something was done.
  public func actOnSignalInCall(_ thread: Thread, _ process: Process) -> Bool {
    guard let signal = signalBeforeCall(thread, process) else { return false }
    if SignalSet.stops.contains(signal) { return discardsOrStops(signal, thread, process) }
    beginExit(process, .terminated(signal))
    return true
  }

  /// The signal that ends or stops the process of a thread before its call goes on, if there is one.
  private func signalBeforeCall(_ thread: Thread, _ process: Process) -> Signal? {
    let due = dueSignals(thread, process)
    if due.isEmpty { return nil }
    var signal = outlastsKill(thread, process) ? nil : fatal(due, process)
    if !thread.continuation.outlastsStop,
      let stop = due.intersection(.stops).subtracting(process.caughtSignals).first,
      signal == nil || signal != .sigkill && stop.rawValue < (signal?.rawValue ?? 0)
    {
      signal = stop
    }
    return signal
  }

  private func discardsOrStops(_ signal: Signal, _ thread: Thread, _ process: Process) -> Bool {
    discard(SignalSet(of: signal), process, thread)
    discard(SignalSet(of: signal), process, nil)
    if process.ignoredSignals.contains(signal) { return true }
    if signal == .sigstop || !isOrphaned(group: process.groupIdentifier) { stop(process, signal) }
    return true
  }

  /// Forgets what is due to a thread that has looked at its signals, and would do nothing.
  public func forgetHarmless(_ thread: Thread, _ process: Process) {
    let harmless = process.ignoredSignals.union(.ignoredByDefault).subtracting(process.caughtSignals)
    let due = dueSignals(thread, process).intersection(harmless)
    if due.isEmpty { return }
    discard(due, process, thread)
    discard(due, process, nil)
  }

  /// Whether a signal is due that ends or stops the process before a thread may sleep.
  func mustActFirst(_ thread: Thread, _ process: Process) -> Bool { signalBeforeCall(thread, process) != nil }

  /// The processor found something wrong with what a thread did. Its handler runs at once; who holds the signal back or
  /// ignores it dies of it. Whether a handler is to run.
  public func raise(_ signal: Signal, _ thread: Thread, _ process: Process) -> Bool {
    guard process.state == .running else { return false }
    if process.caughtSignals.contains(signal) && !thread.signals.mask.contains(signal) { return true }
    process.caughtSignals.remove(signal)
    process.ignoredSignals.remove(signal)
    beginExit(process, .terminated(signal))
    return false
  }

  // MARK: sigfastblock(2)

  /// Looks at the word with which the program of a thread holds signals back, before one is acted on. What it holds back it is
  /// told of, and nothing but SIGKILL and SIGSTOP is due until it asks for the rest.
  public func lookAtFastBlock(_ thread: Thread, in space: AddressSpace) throws(WordFailure) {
    let address = VirtualAddress(thread.signals.fastBlockAddress)
    let word = try space.load(UInt32.self, at: address)
    guard word & ~FastSignalBlock.flags != 0 else { return }
    if word & FastSignalBlock.pending == 0 { try space.store(word | FastSignalBlock.pending, at: address) }
    thread.signals.isFastBlocked = true
  }

  /// Whether a signal other than SIGKILL and SIGSTOP is due to a thread whose program may hold it back.
  public func mayBeFastBlocked(_ thread: Thread, _ process: Process) -> Bool {
    thread.signals.fastBlockAddress != 0 && !dueSignals(thread, process).subtracting(.unblockable).isEmpty
  }

  /// What was held back by the word is due again.
  public func endFastBlock(_ thread: Thread, _ process: Process) {
    thread.signals.isFastBlocked = false
    if hasDueSignal(thread, process) { processor.needsAttention = true }
  }

  // MARK: Handlers

  /// Whether a signal that the current thread sends its own process now, or itself, would be the next thing that is due, and
  /// its handler run in that thread before anything else: then it need not be posted.
  @inline(__always)
  public func runsHandler(of signal: Signal, _ thread: Thread, _ process: Process) -> Bool {
    guard process.caughtSignals.contains(signal), !SignalSet.withConsequences.contains(signal),
      thread.signals.queue.pending.union(process.signalQueue.pending).isEmpty,
      !thread.signals.mask.union(thread.signals.awaited).contains(signal)
    else { return false }
    return !thread.isEnding && !process.isStopped && process.state == .running && process.lender == .none
      && thread.signals.fastBlockAddress == 0 && !thread.signals.isFastBlocked && !thread.signals.hasSuspendedMask
      && thread.teardownDebt <= 0
  }

  /// Tells who watches a process of a signal that is not posted.
  @inline(__always)
  public func tellWatchers(of signal: Signal, _ process: Process) {
    if !watchers.isEmpty { watchers.borrow { $0.signalPosted(signal, to: process.identifier) } }
  }

  /// What a handler that begins finds, and what is changed by its beginning: the mask, and the action if it is for once.
  public func enterHandler(_ signal: Signal, _ thread: Thread, _ process: Process) -> HandlerEntry {
    guard let owned = process.actions else { preconditionFailure("handler without an action") }
    return BackReference(owned).borrow { enterHandler(signal, thread, process, $0) }
  }

  @inline(__always)
  private func enterHandler(
    _ signal: Signal, _ thread: Thread, _ process: Process, _ actions: SignalActions
  ) -> HandlerEntry {
    let flags = actions.flags(signal)
    let oldMask = thread.signals.hasSuspendedMask ? thread.signals.suspendedMask : thread.signals.mask
    thread.signals.hasSuspendedMask = false
    var mask = thread.signals.mask.union(actions.mask(signal))
    if !flags.contains(.noDefer) { mask.insert(signal) }
    setMask(mask, of: thread, process)
    let entry = HandlerEntry(
      handler: actions.handler(signal), mask: oldMask, usesAlternateStack: flags.contains(.onStack),
      wantsInformation: flags.contains(.information))
    if flags.contains(.resetHandler) { process.caughtSignals.remove(signal) }
    process.usage.signalCount &+= 1
    thread.frame.value.attributes.usage.signalCount &+= 1
    return entry
  }

  /// sigsuspend(2): installs a mask until a handler has run.
  public func suspendMask(_ mask: SignalSet, of thread: Thread, _ process: Process) {
    if !thread.signals.hasSuspendedMask { thread.signals.suspendedMask = thread.signals.mask }
    thread.signals.hasSuspendedMask = true
    setMask(mask, of: thread, process)
  }

  /// A call is over that had installed a mask for as long as it took (ppoll(2), pselect(2)), and what that mask lets through was
  /// acted on: the mask is what it was.
  public func restoreMask(of thread: Thread, _ process: Process) {
    thread.signals.hasSuspendedMask = false
    setMask(thread.signals.suspendedMask, of: thread, process)
  }

  // MARK: Waiting for signals

  /// Takes the lowest pending signal of a set; nil when none is pending (sigtimedwait(2)).
  public func takePending(_ set: SignalSet, _ thread: Thread, _ process: Process) -> SignalInformation? {
    let own = thread.signals.queue.pending.intersection(set)
    guard let signal = own.union(process.signalQueue.pending.intersection(set)).first else { return nil }
    return dequeue(signal, process, own.contains(signal) ? thread : nil)
  }

  /// A thread waits for signals, or, with an empty set, does not any more.
  public func setAwaited(_ set: SignalSet, of thread: Thread) {
    thread.signals.awaited = set.subtracting(.unblockable)
  }

  /// Takes note of what a signal did to the sleep of a thread.
  public func takeSleepEnd(_ thread: Thread) -> SleepEnd {
    let end = thread.signals.sleepEnd
    thread.signals.sleepEnd = .none
    return end
  }

  // MARK: Programs and threads

  /// A new program: handlers are gone, and so is what was on its way to them and is of no interest now; the thread has no
  /// alternate stack.
  func resetSignals(_ process: Process, _ thread: Thread) {
    let caught = process.caughtSignals
    process.caughtSignals = SignalSet()
    process.forgetsChildren = false
    process.ignoredSignals.remove(.sigchld)
    if !caught.isEmpty { discard(caught.intersection(.ignoredByDefault.union(.continuation)), of: process) }
    thread.signals.alternateStack = AlternateStack()
    thread.signals.fastBlockAddress = 0
    thread.signals.isFastBlocked = false
    thread.signals.awaited = SignalSet()
    thread.signals.hasSuspendedMask = false
  }
}

/// How a handler begins.
public struct HandlerEntry: BitwiseCopyable {
  /// The handler.
  public let handler: UInt64
  /// The mask that sigreturn(2) restores.
  public let mask: SignalSet
  /// SA_ONSTACK
  public let usesAlternateStack: Bool
  /// SA_SIGINFO
  public let wantsInformation: Bool
}
