// clock_gettime(2), clock_getres(2), gettimeofday(2), nanosleep(2).

import ABI
import Memory
import Processes

extension Kernel {
  /// Nanoseconds since 1970.
  private var realNanoseconds: UInt64 {
    memory.realNanoseconds
  }

  /// The time that a clock shows. Throws EINVAL when there is no such clock.
  @inline(__always)
  func time(of clock: ClockIdentifier, _ process: Process) throws(Errno) -> Timespec {
    let nanoseconds: UInt64
    switch clock {
    case .monotonic, .uptime, .uptimePrecise, .uptimeFast, .monotonicPrecise, .monotonicFast:
      nanoseconds = memory.nanoseconds
    case .realTime, .realTimePrecise, .realTimeFast: nanoseconds = realNanoseconds
    case .second: nanoseconds = realNanoseconds / 1_000_000_000 * 1_000_000_000
    case .virtual, .profiling, .threadTime, .processTime:
      processes.charge()
      nanoseconds = clock == .virtual ? process.usage.userNanoseconds : process.usage.nanoseconds
    default: nanoseconds = try processorNanoseconds(of: clock, process)
    }
    return Timespec(nanoseconds: nanoseconds)
  }

  /// The processor time of the process, or of the thread of the caller's, that a negative clock names.
  @inline(never)
  private func processorNanoseconds(of clock: ClockIdentifier, _ caller: Process) throws(Errno) -> UInt64 {
    processes.charge()
    switch clock.subject {
    case .process(let identifier):
      guard let subject = processes.process(identifier) else { throw .einval }
      return subject.usage.nanoseconds
    case .thread(let identifier):
      guard caller.thread?.identifier == identifier else { throw .einval }
      return caller.usage.nanoseconds
    case nil: throw .einval
    }
  }

  func clockTime(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    stage(try time(of: ClockIdentifier(rawValue: integer(arguments.first)), process), thread)
    return .copyOut(address: arguments.second, byteCount: Timespec.byteCount)
  }

  func clockResolution(_ arguments: Arguments, _ thread: Thread) throws(Errno) -> Outcome {
    let clock = integer(arguments.first)
    // Every negative number may be the clock of some process; whether it is does not matter here.
    guard clock <= ClockIdentifier.processTime.rawValue, clock != 3, clock != 6 else { throw .einval }
    if arguments.second == 0 { return .value(0) }
    let isSecond = clock == ClockIdentifier.second.rawValue
    stage(isSecond ? Timespec(seconds: 1, nanoseconds: 0) : Timespec(seconds: 0, nanoseconds: 1), thread)
    return .copyOut(address: arguments.second, byteCount: Timespec.byteCount)
  }

  @inline(__always)
  private func stage(_ time: Timespec, _ thread: Thread) {
    stage(time.seconds, at: 0, &thread.frame.value.buffer)
    stage(time.nanoseconds, at: 8, &thread.frame.value.buffer)
  }

  func timeOfDay(_ arguments: Arguments, _ thread: Thread, _ process: Process) -> Outcome {
    let time = Timeval(nanoseconds: realNanoseconds)
    stage(time.seconds, at: 0, &thread.frame.value.buffer)
    stage(time.microseconds, at: 8, &thread.frame.value.buffer)
    // The time zone: Greenwich, no daylight saving.
    stage(UInt64(0), at: 16, &thread.frame.value.buffer)
    var result = PendingResult()
    if arguments.first != 0 { result.append(address: arguments.first, offset: 0, byteCount: Timeval.byteCount) }
    if arguments.second != 0 { result.append(address: arguments.second, offset: 16, byteCount: 8) }
    _ = copyOut(result, thread, process)
    return .registersSet
  }

  // MARK: Sleep

  func sleep(_ thread: Thread) throws(Errno) -> Outcome {
    let time = Timespec(decoding: thread.frame.value.buffer.span)
    guard time.isValid else { throw .einval }
    if time.seconds < 0 || (time.seconds == 0 && time.nanoseconds == 0) { return .value(0) }
    let (whole, overflow) = UInt64(time.seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (duration, more) = whole.addingReportingOverflow(UInt64(time.nanoseconds))
    let (deadline, most) = duration.addingReportingOverflow(memory.nanoseconds)
    return wait(until: overflow || more || most ? UInt64.max : deadline, thread)
  }

  func continueSleep(_ deadline: UInt64, _ thread: Thread) -> Outcome {
    if memory.nanoseconds >= deadline { return .value(0) }
    return wait(until: deadline, thread)
  }

  private func wait(until deadline: UInt64, _ thread: Thread) -> Outcome {
    thread.continuation = .sleep(deadlineNanoseconds: deadline)
    processes.park(thread, on: .sleep(slot: thread.slot), deadlineNanoseconds: deadline)
    return .parked
  }
}
