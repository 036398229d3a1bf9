// clock_gettime(2), clock_getres(2), gettimeofday(2), nanosleep(2).

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareTimeCalls() {
    declare(.clockGettime, "clock_gettime", 2) { call throws(Errno) in try call.clockTime() }
    declare(.clockGetres, "clock_getres", 2) { call throws(Errno) in try call.clockResolution() }
    declare(.gettimeofday, "gettimeofday", 2) { call throws(Errno) in call.timeOfDay() }
    declare(.nanosleep, "nanosleep", 2, copyIn: .structure(argument: 0, byteCount: Timespec.byteCount)) {
      call throws(Errno) in try call.sleep()
    }
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

  // MARK: Sleep

  fileprivate func sleep() throws(Errno) -> Answer {
    let time = Timespec(decoding: thread.frame.value.buffer.span)
    guard time.isValid else { throw .einval }
    if time.seconds < 0 || (time.seconds == 0 && time.nanoseconds == 0) { return .value(0) }
    return wait(until: kernel.deadline(after: time))
  }

  /// nanosleep(2) that a signal has ended: what is left is stored.
  func endSleep(_ deadline: UInt64) -> Answer {
    let now = kernel.services.nanoseconds
    let left = Timespec(nanoseconds: deadline > now ? deadline - now : 0)
    stage(left.seconds, at: 0)
    stage(left.nanoseconds, at: 8)
    beginDelivery(error: .eintr)
    addPiece(at: 0, Timespec.byteCount, to: arguments.second)
    return .deliver
  }

  /// Goes on with a sleep until a time in nanoseconds since boot.
  func sleep(until deadline: UInt64) -> Answer {
    kernel.services.nanoseconds >= deadline ? .value(0) : wait(until: deadline)
  }

  private func wait(until deadline: UInt64) -> Answer {
    thread.continuation = .process(.sleep(deadlineNanoseconds: deadline))
    thread.deadlineNanoseconds = deadline
    return .waitForDeadline(Wait(.sleep(slot: thread.slot.raw)))
  }
}

extension Kernel {
  /// When a positive time from now is over, in nanoseconds since boot.
  func deadline(after time: Timespec) -> UInt64 {
    let (whole, overflow) = UInt64(time.seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (duration, more) = whole.addingReportingOverflow(UInt64(time.nanoseconds))
    let (deadline, most) = duration.addingReportingOverflow(services.nanoseconds)
    return overflow || more || most ? UInt64.max : deadline
  }
}
