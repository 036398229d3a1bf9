// How _umtx_op(2) sleeps: until when, and what it does when the sleep is over.

import ABI
import Memory
import Primitives
import Processes

extension UserSleepEnd {
  /// What a call gives that was not woken.
  var error: Errno? {
    switch self {
    case .woken: nil
    case .timedOut: .etimedout
    case .interrupted: .eintr
    }
  }
}

extension SystemCall {
  // MARK: Until when

  /// Takes over the time limit that the last two arguments name; false when the call has to be answered with `restart`.
  ///
  /// Throws EFAULT, EINVAL for a time that there is not or a clock that there is not.
  func takeDeadline() throws(WordFailure) -> Bool {
    let place = arguments.fifth
    guard !place.isNull else {
      thread.frame.value.userSleep.deadline = nil
      return true
    }
    return try refusing { () throws(Errno) in try takeDeadline(at: place, byteCount: arguments.fourth.raw) }
  }

  private func takeDeadline(at place: Argument, byteCount: UInt64) throws(Errno) -> Bool {
    let isLong = byteCount > UInt64(Timespec.byteCount)
    guard try fetch(place.range(isLong ? UserMutexTime.byteCount : Timespec.byteCount)) else { return false }
    var clock = ClockIdentifier.realTime
    var isAbsolute = false
    if isLong {
      clock = ClockIdentifier(rawValue: Int32(bitPattern: stagedWord(at: UserMutexTime.clockOffset)))
      isAbsolute = stagedWord(at: UserMutexTime.flagsOffset) & UserMutexTime.isAbsolute != 0
    }
    try setDeadline(clock, isAbsolute: isAbsolute)
    return true
  }

  /// The time limit of UMTX_OP_CV_WAIT: a timespec, on the clock of the condition variable if the caller says so.
  func takeConditionDeadline() throws(WordFailure) -> Bool {
    let (place, flags) = (arguments.fifth, arguments.third.raw)
    var clock = ClockIdentifier.realTime
    if !place.isNull {
      let isThere = try refusing { () throws(Errno) in try fetch(place.range(Timespec.byteCount)) }
      guard isThere else { return false }
      let time = Timespec(decoding: thread.frame.value.buffer.span)
      guard time.isValid, time.seconds >= 0 else { throw .error(.einval) }
    }
    if flags & UserCondition.hasClock != 0 {
      let address = VirtualAddress(object.raw &+ UserCondition.clockOffset)
      clock = ClockIdentifier(rawValue: Int32(bitPattern: try space.load(UInt32.self, at: address)))
      guard clock.rawValue >= 0, clock.rawValue < ClockIdentifier.threadTime.rawValue else { throw .error(.einval) }
    }
    guard !place.isNull else {
      thread.frame.value.userSleep.deadline = nil
      return true
    }
    try refusing { () throws(Errno) in
      try setDeadline(clock, isAbsolute: flags & UserCondition.isAbsolute != 0)
    }
    return true
  }

  /// Makes the time at the front of the buffer the limit.
  private func setDeadline(_ clock: ClockIdentifier, isAbsolute: Bool) throws(Errno) {
    let time = Timespec(decoding: thread.frame.value.buffer.span)
    guard time.isValid, time.seconds >= 0 else { throw .einval }
    let now = try nanoseconds(of: clock)
    let end = isAbsolute ? time.clampedNanoseconds : now.addingClamped(time.clampedNanoseconds)
    thread.frame.value.userSleep.deadline = UserDeadline(clock: clock, nanoseconds: end, isRelative: !isAbsolute)
    thread.frame.value.userSleep.earliestNanoseconds =
      process.minimumSleepNanoseconds == 0
      ? 0 : kernel.services.nanoseconds.addingClamped(process.minimumSleepNanoseconds)
  }

  private func nanoseconds(of clock: ClockIdentifier) throws(Errno) -> UInt64 {
    switch clock {
    case .monotonic, .uptime, .uptimePrecise, .uptimeFast, .monotonicPrecise, .monotonicFast:
      kernel.services.nanoseconds
    default: try time(of: clock).clampedNanoseconds
    }
  }

  /// What is left of a time limit, on its clock; 0 once it is over. The time of a clock that is gone is over.
  private func remainingNanoseconds(_ deadline: UserDeadline) -> UInt64 {
    guard let now = try? nanoseconds(of: deadline.clock), now < deadline.nanoseconds else { return 0 }
    return deadline.nanoseconds - now
  }

  // MARK: Sleeping

  /// Sleeps on a key, as long as the time limit allows.
  func sleep(on key: WaitChannel, _ interruption: Interruption) throws(WordFailure) -> Answer {
    kernel.processes.beginUserSleep(thread, on: key)
    return try refusing { () throws(Errno) in try continueSleep(interruption) }
  }

  /// Parks the thread, which is in the queue of its key, or ends its sleep because its time is over.
  private func continueSleep(_ interruption: Interruption) throws(Errno) -> Answer {
    let awaited = kernel.processes.userSleepWait(thread)
    thread.continuation = .process(.userSleep(.asleep(interruption)))
    guard let deadline = thread.frame.value.userSleep.deadline else { return .wait(awaited) }
    let now = kernel.services.nanoseconds
    let earliest = thread.frame.value.userSleep.earliestNanoseconds
    let remaining = remainingNanoseconds(deadline)
    if remaining == 0 && now >= earliest {
      thread.continuation = .none
      return try endSleep(.timedOut)
    }
    // No clock runs faster than this one; one that stands still is looked at now and then.
    let wait = deadline.clock.isOfProcessor ? max(remaining, SystemCallLimits.processorClockNanoseconds) : remaining
    thread.deadlineNanoseconds = max(now.addingClamped(wait), earliest)
    return .waitForDeadline(awaited)
  }

  /// Goes on with a call that slept or wakes.
  func goOn(_ phase: UserSleepPhase) throws(Errno) -> Answer {
    switch phase {
    case .asleep(let interruption):
      kernel.processes.isAsleep(thread) ? try continueSleep(interruption) : try endSleep(.woken)
    case .awake(let end): try finishSleep(end)
    case .waking(let end): try continueWaking(then: end)
    }
  }

  /// What a caught signal makes of a sleep that it has ended.
  func concludeInterruptedSleep() throws(Errno) -> Answer { try endSleep(.interrupted) }

  private func endSleep(_ end: UserSleepEnd) throws(Errno) -> Answer {
    kernel.processes.endUserSleep(thread)
    return try finishSleep(end)
  }

  /// What is done after a sleep. May be repeated while a page is waited for.
  private func finishSleep(_ end: UserSleepEnd) throws(Errno) -> Answer {
    do throws(WordFailure) {
      return try concludeSleep(end)
    } catch {
      switch error {
      case .error(let error):
        if thread.frame.value.userSleep.mark != .none { thread.frame.value.userSleep.mark = .none }
        throw error
      case .wait(let awaited): return wait(on: awaited, then: .process(.userSleep(.awake(end))))
      }
    }
  }

  private func concludeSleep(_ end: UserSleepEnd) throws(WordFailure) -> Answer {
    switch userMutexOperation {
    case .mutexLock, .mutexWait: return try lockMutex(end)
    case .setCeiling: return try setCeiling(end)
    case .readLock, .writeLock: return try lockReadWrite(end)
    case .conditionWait:
      try kernel.processes.takeMarkBack(thread, in: space)
    case .semaphoreWait:
      if end == .interrupted { return deliverRemainder() }
    default: break
    }
    if let error = end.error { throw .error(error) }
    return .value(0)
  }

  /// UMTX_OP_SEM2_WAIT, interrupted: what is left of a time goes behind it, if there is room.
  private func deliverRemainder() -> Answer {
    beginDelivery(error: .eintr)
    let room = UInt64(UserMutexTime.byteCount + Timespec.byteCount)
    if let deadline = thread.frame.value.userSleep.deadline, deadline.isRelative, arguments.fourth.raw >= room {
      let time = Timespec(nanoseconds: remainingNanoseconds(deadline))
      stage(time.seconds, at: 0)
      stage(time.nanoseconds, at: 8)
      let place = Argument(raw: arguments.fifth.raw &+ UInt64(UserMutexTime.byteCount))
      addPiece(at: 0, Timespec.byteCount, to: place)
    }
    return .deliver
  }

  // MARK: Waking

  func wakeAll(_ key: WaitChannel) throws(WordFailure) -> Answer {
    try refusing { () throws(Errno) in try wake(key, atMost: .max, then: .returns) }
  }

  /// Wakes sleepers, a bounded number at a time. Who comes later than the call is not meant.
  func wake(_ key: WaitChannel, atMost count: Int, then end: UserWakeEnd) throws(Errno) -> Answer {
    let processes = kernel.processes
    let first = min(count, ProcessLimits.wakesPerTurn)
    let woken = processes.wakeSleepers(key, atMost: first)
    let left = woken < first ? 0 : count - woken
    let remaining = left == 0 ? 0 : processes.sleeperCount(key, atMost: left)
    guard remaining > 0 else { return try finishWaking(end) }
    thread.frame.value.userSleep.wakeKey = key
    thread.frame.value.userSleep.wakeCount = remaining
    return goOnLater(.process(.userSleep(.waking(end))))
  }

  private func continueWaking(then end: UserWakeEnd) throws(Errno) -> Answer {
    let sleep = thread.frame.value.userSleep
    let count = min(sleep.wakeCount, ProcessLimits.wakesPerTurn)
    let woken = kernel.processes.wakeSleepers(sleep.wakeKey, atMost: count)
    thread.frame.value.userSleep.wakeCount -= count
    guard woken == count, sleep.wakeCount > count else { return try finishWaking(end) }
    return goOnLater(.process(.userSleep(.waking(end))))
  }

  private func finishWaking(_ end: UserWakeEnd) throws(Errno) -> Answer {
    switch end {
    case .returns: return .value(0)
    case .fails: throw .efault
    case .ends: return endThread()
    }
  }
}
