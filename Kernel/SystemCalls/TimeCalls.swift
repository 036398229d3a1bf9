// What clocks show, and setting them: clock_gettime(2), clock_getres(2), clock_settime(2), gettimeofday(2), settimeofday(2) (spec
// signals.md section 4).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareTimeCalls() {
    declare(.clockGettime, "clock_gettime", [.clock, .pointer]) { call throws(Errno) in try call.clockTime() }
    declare(.clockGetres, "clock_getres", [.clock, .pointer]) { call throws(Errno) in try call.clockResolution() }
    declare(.gettimeofday, "gettimeofday", [.pointer, .pointer]) { call throws(Errno) in call.timeOfDay() }
    declare(
      .clockSettime, "clock_settime", [.clock, .pointer], copyIn: .structure(argument: 1, byteCount: Timespec.byteCount)
    ) {
      call throws(Errno) in try call.setClock()
    }
    declare(
      .settimeofday, "settimeofday", [.pointer, .pointer],
      copyIn: .optionalStructure(argument: 0, byteCount: Timeval.byteCount)
    ) { call throws(Errno) in try call.setTimeOfDay() }
    declareSleepCalls()
    declareTimerCalls()
  }
}

extension SystemCall {
  // MARK: Clocks

  /// The time that a clock shows. Throws EINVAL when there is no such clock.
  @inline(__always)
  func time(of clock: ClockIdentifier) throws(Errno) -> Timespec {
    let nanoseconds: UInt64
    switch clock {
    case .monotonic, .uptime, .uptimePrecise, .uptimeFast, .monotonicPrecise, .monotonicFast:
      nanoseconds = kernel.services.nanoseconds
    case .realTime, .realTimePrecise, .realTimeFast: nanoseconds = kernel.services.realNanoseconds
    case .second: nanoseconds = kernel.services.realNanoseconds / 1_000_000_000 * 1_000_000_000
    case .virtual, .profiling, .processTime:
      kernel.processes.charge()
      nanoseconds = clock == .virtual ? process.usage.userNanoseconds : process.usage.nanoseconds
    case .threadTime:
      kernel.processes.charge()
      nanoseconds = thread.nanoseconds
    default: nanoseconds = try processorNanoseconds(of: clock)
    }
    return Timespec(nanoseconds: nanoseconds)
  }

  /// The processor time of the process, or of the thread of the caller's, that a negative clock names.
  @inline(never)
  private func processorNanoseconds(of clock: ClockIdentifier) throws(Errno) -> UInt64 {
    kernel.processes.charge()
    switch clock.subject {
    case .process(let identifier):
      guard let subject = kernel.processes.process(identifier) else { throw .einval }
      return subject.usage.nanoseconds
    case .thread(let identifier):
      guard let subject = kernel.processes.thread(identifier), subject.process == process.slot else { throw .einval }
      return subject.nanoseconds
    case nil: throw .einval
    }
  }

  @inline(__always)
  fileprivate func clockTime() throws(Errno) -> Answer {
    let time = try time(of: ClockIdentifier(rawValue: arguments.first.integer))
    return deliver(time.seconds, time.nanoseconds, to: arguments.second.address)
  }

  fileprivate func clockResolution() throws(Errno) -> Answer {
    let clock = arguments.first.integer
    // Every negative number may be the clock of some process; whether it is does not matter here.
    guard clock <= ClockIdentifier.processTime.rawValue, clock != 3, clock != 6 else { throw .einval }
    if arguments.second.isNull { return .value(0) }
    let isSecond = clock == ClockIdentifier.second.rawValue
    return deliver(Int64(isSecond ? 1 : 0), Int64(isSecond ? 0 : 1), to: arguments.second.address)
  }

  fileprivate func timeOfDay() -> Answer {
    let time = Timeval(nanoseconds: kernel.services.realNanoseconds)
    let (place, zone) = (arguments.first, arguments.second)
    // The time zone: Greenwich, no daylight saving.
    if (place.isNull || store(time.seconds, time.microseconds, at: place.address))
      && (zone.isNull || store(UInt64(0), (), at: zone.address))
    {
      return .value(0)
    }
    stage(time.seconds, at: 0)
    stage(time.microseconds, at: 8)
    stage(UInt64(0), at: 16)
    beginDelivery()
    addPiece(at: 0, Timeval.byteCount, to: place)
    addPiece(at: 16, 8, to: zone)
    return .deliver
  }

  // MARK: Setting the clock

  /// clock_settime(2): only the time of day can be set.
  fileprivate func setClock() throws(Errno) -> Answer {
    guard process.credentials.isSuperuser else { throw .eperm }
    guard ClockIdentifier(rawValue: arguments.first.integer) == .realTime else { throw .einval }
    return try setRealTime(Timespec(decoding: thread.frame.value.buffer.span))
  }

  /// settimeofday(2)
  fileprivate func setTimeOfDay() throws(Errno) -> Answer {
    // The time zone is read, and not kept.
    if !arguments.second.isNull, try fetchLong(arguments.second.address) == nil { return .restart }
    guard process.credentials.isSuperuser else { throw .eperm }
    if arguments.first.isNull { return .value(0) }
    let time = Timeval(decoding: thread.frame.value.buffer.span)
    guard time.isValid else { throw .einval }
    return try setRealTime(Timespec(seconds: time.seconds, nanoseconds: time.microseconds * 1000))
  }

  /// Sets the time of day. Throws EINVAL for a time before 1970, and for one that its clock could not go on from for long.
  private func setRealTime(_ time: Timespec) throws(Errno) -> Answer {
    guard time.isValid, time.seconds >= 0, time.clampedNanoseconds < SystemCallLimits.latestRealNanoseconds else {
      throw .einval
    }
    kernel.services.setRealTime(time.clampedNanoseconds)
    return continueClockStep(from: 0)
  }

  /// Makes those look at the clock who sleep until a time that it shows.
  func continueClockStep(from slot: UInt32) -> Answer {
    var slot = slot
    if kernel.processes.wakeRealTimeSleepers(from: &slot) { return .value(0) }
    return goOnLater(.process(.clockStep(slot: slot)))
  }
}

extension Kernel {
  /// When a positive time from now is over, in nanoseconds since boot.
  func deadline(after time: Timespec) -> UInt64 {
    services.nanoseconds.addingClamped(time.clampedNanoseconds)
  }
}
