// setitimer(2), getitimer(2), ktimer_create(2) and its like (spec signals.md section 4).
//
// The old value is copied out last: the change stays where it cannot be.

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareTimerCalls() {
    declare(
      .setitimer, "setitimer", [.integer, .pointer, .pointer],
      copyIn: .optionalStructure(argument: 1, byteCount: IntervalTimerValue.byteCount)
    ) { call throws(Errno) in try call.setIntervalTimer() }
    declare(.getitimer, "getitimer", [.integer, .pointer]) { call throws(Errno) in
      try call.deliverIntervalTimer(to: call.arguments.second)
    }
    declare(
      .ktimerCreate, "ktimer_create", [.clock, .pointer, .pointer],
      copyIn: .optionalStructure(argument: 1, byteCount: SignalEvent.byteCount), .refuses(.eagain, HeapCost.timer)
    ) { call throws(Errno) in try call.createTimer() }
    declare(
      .ktimerSettime, "ktimer_settime", [.integer, .bits, .pointer, .pointer],
      copyIn: .structure(argument: 2, byteCount: KernelTimerValue.byteCount)
    ) { call throws(Errno) in try call.setTimer() }
    declare(.ktimerGettime, "ktimer_gettime", [.integer, .pointer]) { call throws(Errno) in
      let timer = try call.kernel.processes.timer(call.arguments.first.integer, of: call.process)
      return call.deliver(KernelTimerValue(call.kernel.processes.reading(timer)), to: call.arguments.second)
    }
    declare(.ktimerGetoverrun, "ktimer_getoverrun", [.integer]) { call throws(Errno) in
      .value(UInt64(try call.kernel.processes.timer(call.arguments.first.integer, of: call.process).overrun))
    }
    declare(.ktimerDelete, "ktimer_delete", [.integer]) { call throws(Errno) in
      let timer = try call.kernel.processes.timer(call.arguments.first.integer, of: call.process)
      call.kernel.processes.delete(timer, of: call.process)
      return .value(0)
    }
  }
}

extension SystemCall {
  // MARK: setitimer

  private func intervalTimerKind() throws(Errno) -> IntervalTimerKind {
    guard let kind = IntervalTimerKind(rawValue: arguments.first.integer) else { throw .einval }
    return kind
  }

  /// setitimer(2): without a new value it is getitimer(2) with the place of the old one.
  fileprivate func setIntervalTimer() throws(Errno) -> Answer {
    if arguments.second.isNull { return try deliverIntervalTimer(to: arguments.third) }
    let new = IntervalTimerValue(decoding: thread.frame.value.buffer.span)
    let kind = try intervalTimerKind()
    let shortest = kind == .real ? SystemCallLimits.tickNanoseconds / 16 : SystemCallLimits.tickNanoseconds
    let value = try intervalNanoseconds(new.value, atLeast: shortest)
    let interval = value == 0 ? 0 : try intervalNanoseconds(new.interval, atLeast: shortest)
    let old = kernel.processes.reading(kind, of: process)
    kernel.processes.set(kind, of: process, value: value, interval: interval)
    if arguments.third.isNull { return .value(0) }
    return deliver(IntervalTimerValue(old), to: arguments.third)
  }

  fileprivate func deliverIntervalTimer(to place: Argument) throws(Errno) -> Answer {
    deliver(IntervalTimerValue(kernel.processes.reading(try intervalTimerKind(), of: process)), to: place)
  }

  /// A time of setitimer(2): zero, or so long at least. Throws EINVAL.
  private func intervalNanoseconds(_ time: Timeval, atLeast shortest: UInt64) throws(Errno) -> UInt64 {
    guard time.isValid, time.seconds <= SystemCallLimits.longestIntervalSeconds else { throw .einval }
    let nanoseconds = time.clampedNanoseconds
    // Whole microseconds: 62 of them are a sixteenth of a tick.
    return nanoseconds == 0 ? 0 : max(nanoseconds, shortest / 1000 * 1000)
  }

  // MARK: Kernel timers

  /// ktimer_create(2). Where the identifier cannot be stored there is no timer.
  fileprivate func createTimer() throws(Errno) -> Answer {
    let clock = ClockIdentifier(rawValue: arguments.first.integer)
    guard clock == .realTime || clock == .monotonic else { throw .einval }
    let event = arguments.second.isNull ? nil : SignalEvent(decoding: thread.frame.value.buffer.span)
    if let event, !event.isValid { throw .einval }
    let timer = try kernel.processes.makeTimer(of: process, clock, event)
    do throws(Errno) {
      stage(timer.identifier)
      if try put(arguments.third.range(4)) { return .value(0) }
    } catch {
      kernel.processes.delete(timer, of: process)
      throw error
    }
    kernel.processes.delete(timer, of: process)
    return .restart
  }

  fileprivate func setTimer() throws(Errno) -> Answer {
    let processes = kernel.processes
    let new = KernelTimerValue(decoding: thread.frame.value.buffer.span)
    let timer = try processes.timer(arguments.first.integer, of: process)
    let value = try timerNanoseconds(new.value)
    let interval = value == 0 ? 0 : try timerNanoseconds(new.interval)
    let old = processes.reading(timer)
    let isAbsolute = arguments.second.integer & TimerFlags.absolute != 0
    processes.set(timer, of: process, value: value, interval: interval, isAbsolute: isAbsolute)
    return arguments.fourth.isNull ? .value(0) : deliver(KernelTimerValue(old), to: arguments.fourth)
  }

  /// A time of ktimer_settime(2): zero, or a tick at least. Throws EINVAL.
  private func timerNanoseconds(_ time: Timespec) throws(Errno) -> UInt64 {
    guard time.isValid, time.seconds >= 0 else { throw .einval }
    let nanoseconds = time.clampedNanoseconds
    return nanoseconds == 0 ? 0 : max(nanoseconds, SystemCallLimits.tickNanoseconds)
  }

  fileprivate func deliver<Time>(_ value: TimerValue<Time>, to place: Argument) -> Answer {
    encode { value.encode(into: &$0) }
    return deliver(TimerValue<Time>.byteCount, to: place.address)
  }
}

extension TimerValue {
  /// What a timer shows.
  fileprivate init(_ reading: TimerReading) {
    self.init(interval: Time(nanoseconds: reading.interval), value: Time(nanoseconds: reading.remaining ?? 0))
  }
}
