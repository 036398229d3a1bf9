// Setting the timers of processes, and what happens when they go off: setitimer(2), ktimer_create(2) and its like.
//
// - A timer of setitimer(2) posts its signal each time it goes off; periods that were missed count as one.
// - A kernel timer has one signal outstanding at most. Until that is delivered the timer needs no attention: how often it went off
//   meanwhile is found out when somebody asks. So a program makes no work by letting its timers go off that it does not
//   pay for by handling the signals.

public import ABI
import Memory
import Primitives

/// What is left of a timer's time, and its period, in nanoseconds.
public struct TimerReading: Equatable, BitwiseCopyable, Sendable {
  /// How long until it goes off; nil when it is off.
  public var remaining: UInt64?
  /// After how long it does so again; 0: not.
  public var interval: UInt64
}

extension ProcessSystem {
  // MARK: setitimer

  /// What a timer of setitimer(2) shows.
  public func reading(_ kind: IntervalTimerKind, of process: Process) -> TimerReading {
    let timer = timer(kind, of: process)
    return TimerReading(
      remaining: timer.remainingNanoseconds(now(kind, process)), interval: timer.intervalNanoseconds)
  }

  /// Sets a timer of setitimer(2); a value of 0 turns it off. Times are in nanoseconds.
  public func set(_ kind: IntervalTimerKind, of process: Process, value: UInt64, interval: UInt64) {
    let timer = ProcessTimer(value: value, interval: interval, now: now(kind, process))
    process.timers.isUsed = true
    switch kind {
    case .real:
      process.timers.real = timer
      scheduleTimers(of: process)
    case .virtual: process.timers.virtual = timer
    case .profiling: process.timers.profiling = timer
    }
    process.timers.noteWhetherUseCounts()
    // When to look at the clock again is another time now.
    processor.needsAttention = true
  }

  private func timer(_ kind: IntervalTimerKind, of process: Process) -> ProcessTimer {
    switch kind {
    case .real: process.timers.real
    case .virtual: process.timers.virtual
    case .profiling: process.timers.profiling
    }
  }

  /// What a timer of setitimer(2) counts.
  private func now(_ kind: IntervalTimerKind, _ process: Process) -> UInt64 {
    charge()
    return switch kind {
    case .real: scheduler.now
    case .virtual: process.usage.userNanoseconds
    case .profiling: process.usage.nanoseconds
    }
  }

  // MARK: Going off

  /// Deals with timers that are due, of some processes. Those that are left over are still due.
  func fireProcessTimers(_ now: UInt64) {
    var budget = ProcessLimits.timersPerLook
    while budget > 0, let slot = scheduler.popProcess(dueAt: now), let process = self[slot] {
      budget -= 1
      if process.timers.real.advance(now) != 0 { postAlarm(to: process) }
      var next = process.timers.first
      while let timer = next {
        next = timer.next
        budget -= 1
        fire(timer, process)
      }
      scheduleTimers(of: process)
    }
  }

  /// A stopped process hears of it once.
  private func postAlarm(to process: Process) {
    if process.isStopped && process.pendingSignals.contains(.sigalrm) { return }
    post(SignalInformation(.sigalrm), to: process)
  }

  /// Posts what comes from something that the process did itself.
  private func post(_ information: SignalInformation, to process: Process, _ thread: Thread? = nil) {
    _ = post(information, to: process, thread, isItsOwn: true)
  }

  /// Notes whether a timer that counts what a process uses is due. Its signal is posted in the next turn of a thread of it.
  @inline(never)
  func noteUse(_ process: Process) {
    if process.timers.virtual.isDue(process.usage.userNanoseconds)
      || process.timers.profiling.isDue(process.usage.nanoseconds)
      || process.timers.limit.isDue(process.usage.nanoseconds)
    {
      process.timers.useIsDue = true
      processor.needsAttention = true
    }
  }

  /// Posts the signals of the timers that count what a process uses.
  @inline(never)
  public func fireUseTimers(of process: Process) {
    process.timers.useIsDue = false
    if process.timers.virtual.advance(process.usage.userNanoseconds) != 0 {
      post(SignalInformation(.sigvtalrm), to: process)
    }
    if process.timers.profiling.advance(process.usage.nanoseconds) != 0 {
      post(SignalInformation(.sigprof), to: process)
    }
    if process.timers.limit.isDue(process.usage.nanoseconds) { actOnUseLimit(of: process) }
    process.timers.noteWhetherUseCounts()
  }

  /// How long the process can run, in nanoseconds, before a timer that counts this is due.
  func useUntilTimer(_ process: Process) -> UInt64 {
    min(
      process.timers.virtual.remainingNanoseconds(process.usage.userNanoseconds) ?? .max,
      process.timers.profiling.remainingNanoseconds(process.usage.nanoseconds) ?? .max,
      process.timers.limit.remainingNanoseconds(process.usage.nanoseconds) ?? .max)
  }

  /// Tells the scheduler when the next timer of a process goes off.
  func scheduleTimers(of process: Process) {
    var earliest = process.timers.real.deadlineNanoseconds
    forEachTimer(of: process) { timer in
      guard timer.isSilent == false, let remaining = timer.timer.remainingNanoseconds(now(timer)) else { return }
      earliest = min(
        earliest, scheduler.now.addingReportingOverflow(remaining).overflow ? .max : scheduler.now &+ remaining)
    }
    scheduler.setTimer(of: process.slot, earliest == ProcessTimer.never ? nil : earliest)
  }

  /// Turns off what does not outlive the program, or the process.
  func deleteKernelTimers(of process: Process) {
    while let timer = process.timers.first { delete(timer, of: process) }
  }

  /// The process ends: none of its timers goes off any more.
  @inline(__always)
  func endTimers(of process: Process) {
    if process.timers.isUsed { endUsedTimers(of: process) }
  }

  @inline(never)
  private func endUsedTimers(of process: Process) {
    deleteKernelTimers(of: process)
    process.timers = ProcessTimers()
    scheduler.setTimer(of: process.slot, nil)
  }

  // MARK: Kernel timers

  private func forEachTimer(of process: Process, _ body: (KernelTimer) -> Void) {
    var next = process.timers.first
    while let timer = next {
      next = timer.next
      body(timer)
    }
  }

  /// What the clock of a timer shows.
  private func now(_ timer: KernelTimer) -> UInt64 {
    timer.clock == .realTime ? services.realNanoseconds : services.nanoseconds
  }

  /// The timer of a process with this identifier. Throws EINVAL.
  public func timer(_ identifier: Int32, of process: Process) throws(Errno) -> KernelTimer {
    var next = process.timers.first
    while let timer = next {
      if timer.identifier == identifier { return timer }
      next = timer.next
    }
    throw .einval
  }

  /// Makes a timer that is off (ktimer_create(2)); without an event its signal is SIGALRM, which carries the identifier. The
  /// caller has made sure of the heap's reserve.
  ///
  /// Throws EAGAIN when the process has as many as one may have.
  public func makeTimer(
    of process: Process, _ clock: ClockIdentifier, _ event: SignalEvent?
  ) throws(Errno) -> KernelTimer {
    var identifier = ProcessLimits.firstTimerIdentifier
    var previous: KernelTimer?
    var next = process.timers.first
    while let timer = next, timer.identifier == identifier {
      identifier += 1
      previous = timer
      next = timer.next
    }
    guard identifier < ProcessLimits.timerIdentifierEnd else { throw .eagain }
    let made = KernelTimer(
      identifier, clock, event ?? SignalEvent(signal: .sigalrm, value: UInt64(UInt32(bitPattern: identifier))))
    process.timers.isUsed = true
    made.next = next
    if let previous { previous.next = made } else { process.timers.first = made }
    return made
  }

  /// Deletes a timer, with its signal if that is not delivered yet.
  public func delete(_ timer: KernelTimer, of process: Process) {
    if timer.isOutstanding {
      let isForThread = timer.event.notification == SignalEvent.threadSignal
      withdraw(timer.entry, process, isForThread ? thread(timer.event.threadIdentifier) : nil)
    }
    if process.timers.first === timer {
      process.timers.first = timer.next
    } else {
      forEachTimer(of: process) { if $0.next === timer { $0.next = timer.next } }
    }
    timer.next = nil
    scheduleTimers(of: process)
  }

  /// What a timer shows: of one that is due and has not gone off yet, a nanosecond.
  public func reading(_ timer: KernelTimer) -> TimerReading {
    catchUp(timer)
    return TimerReading(
      remaining: timer.timer.remainingNanoseconds(now(timer)).map { max($0, 1) },
      interval: timer.timer.intervalNanoseconds)
  }

  /// Sets a timer, in nanoseconds; a value of 0 turns it off. An absolute one is a time of its clock.
  public func set(_ timer: KernelTimer, of process: Process, value: UInt64, interval: UInt64, isAbsolute: Bool) {
    charge()
    catchUp(timer)
    timer.timer = ProcessTimer(value: value, interval: interval, now: isAbsolute ? 0 : now(timer))
    scheduleTimers(of: process)
    processor.needsAttention = true
  }

  /// Counts what a timer that needs no attention has gone off meanwhile.
  private func catchUp(_ timer: KernelTimer) {
    if timer.isSilent { timer.overrunCount &+= timer.timer.advance(now(timer)) }
  }

  private func fire(_ timer: KernelTimer, _ process: Process) {
    let now = now(timer)
    guard !timer.isSilent, timer.timer.isDue(now) else { return }
    var subject: Thread?
    if timer.event.notification == SignalEvent.threadSignal {
      subject = thread(timer.event.threadIdentifier)
      // It has nobody to tell any more.
      guard let subject, subject.process == process.slot else { return timer.timer = ProcessTimer() }
    }
    timer.overrunCount &+= timer.timer.advance(now) &- 1
    post(timer, to: process, subject)
  }

  /// Posts the signal of a timer, which is outstanding then, unless it was dropped or found no place.
  private func post(_ timer: KernelTimer, to process: Process, _ thread: Thread?) {
    var information = SignalInformation(timer.event.signal, .timer)
    information.value = timer.event.value
    information.reason = UInt64(UInt32(bitPattern: timer.identifier))
    post(information, to: process, thread)
    let last = thread?.signals.queue.last ?? process.signalQueue.last
    guard !last.isNone, signalRecords[last].information.code == .timer,
      signalRecords[last].information.reason == information.reason
    else { return }
    timer.entry = last
  }

  /// The signal of a timer has left the queue, delivered or discarded: the next one may be posted.
  func signalHasLeft(_ entry: Handle<QueuedSignal>, _ process: Process) {
    forEachTimer(of: process) { timer in
      guard timer.entry == entry else { return }
      catchUp(timer)
      timer.entry = .none
    }
    scheduleTimers(of: process)
  }

  /// The signal of a timer is delivered: it says how often the timer went off since it was posted.
  func countOverruns(_ information: inout SignalInformation, _ process: Process) {
    guard let timer = try? timer(Int32(truncatingIfNeeded: information.reason), of: process) else { return }
    timer.deliveredOverrunCount = Int32(clamping: timer.overrunCount)
    if timer.overrunCount > UInt64(Int32.max) { information.error = Errno.erange.rawValue }
    timer.overrunCount = 0
    information.reason |= UInt64(UInt32(bitPattern: timer.deliveredOverrunCount)) << 32
  }
}

extension KernelTimer {
  /// Whether it goes off without anybody being told.
  fileprivate var isSilent: Bool { isOutstanding || event.notification == SignalEvent.none }

  /// How often it had gone off since its signal was posted when that was delivered last (ktimer_getoverrun(2)).
  public var overrun: Int32 { deliveredOverrunCount }
}
