// nanosleep(2), clock_nanosleep(2) (spec signals.md section 4).

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSleepCalls() {
    declare(
      .nanosleep, "nanosleep", [.pointer, .pointer], copyIn: .structure(argument: 0, byteCount: Timespec.byteCount)
    ) {
      call throws(Errno) in try call.sleep()
    }
    declare(.clockNanosleep, "clock_nanosleep", [.clock, .bits, .pointer, .pointer]) { call throws(Errno) in
      // All of its errors are values.
      do throws(Errno) { return try call.sleepByClock() } catch { return .value(UInt64(error.rawValue)) }
    }
  }
}

extension SystemCall {
  fileprivate func sleep() throws(Errno) -> Answer {
    let time = Timespec(decoding: thread.frame.value.buffer.span)
    guard time.isValid else { throw .einval }
    if time.seconds < 0 || (time.seconds == 0 && time.nanoseconds == 0) { return .value(0) }
    return wait(PendingSleep(until: kernel.deadline(after: time)))
  }

  /// clock_nanosleep(2), checked in FreeBSD's order.
  fileprivate func sleepByClock() throws(Errno) -> Answer {
    guard try fetch(arguments.third.range(Timespec.byteCount)) else { return .restart }
    let time = Timespec(decoding: thread.frame.value.buffer.span)
    guard time.isValid else { throw .einval }
    let flags = arguments.second.integer
    guard flags & ~TimerFlags.absolute == 0 else { throw .einval }
    let clock = ClockIdentifier(rawValue: arguments.first.integer)
    switch clock {
    case .virtual, .profiling, .processTime: throw .eopnotsupp
    case .monotonic, .uptime, .uptimePrecise, .uptimeFast, .monotonicPrecise, .monotonicFast: break
    default: guard clock.isOfRealTime else { throw .einval }
    }
    let isAbsolute = flags & TimerFlags.absolute != 0
    if time.seconds < 0 || (time.seconds == 0 && time.nanoseconds == 0) { return .value(0) }
    var sleep = PendingSleep(until: 0)
    sleep.isAbsolute = isAbsolute
    sleep.givesErrorAsValue = true
    let span = time.clampedNanoseconds
    if !isAbsolute {
      sleep.nanoseconds = kernel.deadline(after: time)
    } else if clock.isOfRealTime {
      // CLOCK_SECOND shows a time when the others have reached it.
      sleep.realNanoseconds = clock == .second ? span.addingClamped(999_999_999) / 1_000_000_000 * 1_000_000_000 : span
    } else {
      sleep.nanoseconds = span
    }
    return try goOn(sleep)
  }

  /// Goes on with a sleep, which is over when its time is.
  func goOn(_ sleep: PendingSleep) throws(Errno) -> Answer {
    var sleep = sleep
    if sleep.isInterrupted { return try endInterrupted(sleep) }
    let now = kernel.services.nanoseconds
    if sleep.realNanoseconds != 0 {
      let real = kernel.services.realNanoseconds
      sleep.nanoseconds = sleep.realNanoseconds > real ? now.addingClamped(sleep.realNanoseconds - real) : now
    }
    return now >= sleep.nanoseconds ? .value(0) : wait(sleep)
  }

  private func wait(_ sleep: PendingSleep) -> Answer {
    thread.continuation = .process(.sleep(sleep))
    thread.deadlineNanoseconds = sleep.nanoseconds
    return .waitForDeadline(Wait(.sleep(slot: thread.slot.raw)))
  }

  // MARK: Interruption

  /// What a caught signal makes of a sleep.
  func concludeInterrupted(_ sleep: PendingSleep) throws(Errno) -> Answer {
    var sleep = sleep
    let now = kernel.services.nanoseconds
    sleep.nanoseconds = sleep.nanoseconds > now ? sleep.nanoseconds - now : 0
    sleep.isInterrupted = true
    return try endInterrupted(sleep)
  }

  /// Says what is left of a sleep, if the program wants to know, and ends it.
  private func endInterrupted(_ sleep: PendingSleep) throws(Errno) -> Answer {
    let place = sleep.givesErrorAsValue ? arguments.fourth : arguments.second
    guard sleep.givesErrorAsValue else {
      if !place.isNull { guard try putRemainder(of: sleep, at: place) else { return waitToSay(sleep) } }
      throw .eintr
    }
    do throws(Errno) {
      if !place.isNull && !sleep.isAbsolute {
        guard try putRemainder(of: sleep, at: place) else { return waitToSay(sleep) }
      }
      return .value(UInt64(Errno.eintr.rawValue))
    } catch {
      return .value(UInt64(error.rawValue))
    }
  }

  private func putRemainder(of sleep: PendingSleep, at place: Argument) throws(Errno) -> Bool {
    let time = Timespec(nanoseconds: sleep.nanoseconds)
    stage(time.seconds, at: 0)
    stage(time.nanoseconds, at: 8)
    return try put(place.range(Timespec.byteCount))
  }

  private func waitToSay(_ sleep: PendingSleep) -> Answer {
    wait(on: thread.wanted, then: .process(.sleep(sleep)))
  }
}
