// Timers, sleeps by a clock, and setting the clock: clock_nanosleep(2), clock_settime(2), setitimer(2), ktimer_create(2) and their
// like. Scripts set no clock, and no timer that would go off: what comes at some time is for other tests.

import ABI

extension SimulatedCalls {
  static let timerCalls: [any SimulatedCall.Type] = [
    ClockSleepCall.self, SetClockCall.self, SetTimeOfDayCall.self, SetIntervalTimerCall.self, IntervalTimerCall.self,
    CreateTimerCall.self, SetTimerCall.self, TimerCall.self,
  ]
}

/// Two pairs of numbers, as a structure of times.
private func times(_ numbers: Int64...) -> [UInt8] {
  numbers.flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) }
}

/// clock_nanosleep(2)
struct ClockSleepCall: SimulatedCall {
  var clock: Int32 = 4
  var flags: Int32 = 0
  var seconds: Int64 = 0
  var nanoseconds: Int64

  static var examples: [CallExample] { [("clock_nanosleep", ClockSleepCall(nanoseconds: 1_000_000))] }

  var number: SystemCallNumber { .clockNanosleep }
  var arguments: [CallArgument] { [.int(clock), .int(flags), .input(times(seconds, nanoseconds)), .output(0)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    // Its errors are values.
    if !model.reaches(process, .input, 16, write: false) { return .value(14) }
    if nanoseconds < 0 || nanoseconds >= 1_000_000_000 || flags & ~1 != 0 { return .value(22) }
    switch clock {
    case 1, 2, 15: return .value(45)
    case 0, 4, 5, 7...13: return .value(0)
    default: return .value(22)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ClockSleepCall(
      clock: generator.random.pick([0, 4, 4, 5, 13, 1, 2, 14, 15, 3, -1, 16]) ?? 4,
      flags: generator.random.pick([0, 0, 1, 1, 2]) ?? 0, seconds: generator.random.pick([0, 0, 0, -1]) ?? 0,
      nanoseconds: generator.random.pick([0, 1, 20_000_000, -1, 1_000_000_000]) ?? 0)
  }
}

/// clock_settime(2), as it is refused
struct SetClockCall: SimulatedCall {
  var clock: Int32 = 0
  var seconds: Int64 = 0
  var nanoseconds: Int64 = 0

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("clock_settime", SetClockCall(clock: 4))] }

  var number: SystemCallNumber { .clockSettime }
  var arguments: [CallArgument] { [.int(clock), .input(times(seconds, nanoseconds))] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !model.reaches(process, .input, 16, write: false) { return .error(.efault) }
    return process.credentials.effectiveUser == 0 ? .error(.einval) : .error(.eperm)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.random.pick([
      SetClockCall(clock: 4), SetClockCall(seconds: -1), SetClockCall(nanoseconds: 1_000_000_000),
      SetClockCall(seconds: 8001 * 365 * 86_400), SetClockCall(nanoseconds: -1),
    ])
  }
}

/// settimeofday(2), as it is refused, or with nothing to set
struct SetTimeOfDayCall: SimulatedCall {
  var microseconds: Int64?
  var hasZone = false

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("settimeofday", SetTimeOfDayCall(microseconds: -1))] }

  var number: SystemCallNumber { .settimeofday }
  var arguments: [CallArgument] {
    [microseconds.map { .input(times(5, $0)) } ?? .null, hasZone ? .input(times(0), at: .second) : .null]
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if microseconds != nil && !model.reaches(process, .input, 16, write: false) { return .error(.efault) }
    if hasZone && !model.reaches(process, .second, 8, write: false) { return .error(.efault) }
    if process.credentials.effectiveUser != 0 { return .error(.eperm) }
    return microseconds == nil ? .value(0) : .error(.einval)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SetTimeOfDayCall(
      microseconds: generator.random.pick([nil, -1, 1_000_000]) ?? nil, hasZone: generator.random.chance(oneIn: 2))
  }
}

/// setitimer(2) that turns a timer off, or is refused
struct SetIntervalTimerCall: SimulatedCall {
  var which: Int32 = 0
  var intervalMicroseconds: Int64 = 0
  var seconds: Int64 = 0
  var microseconds: Int64 = 0
  var wantsOld = true

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("setitimer", SetIntervalTimerCall())] }

  var number: SystemCallNumber { .setitimer }
  var arguments: [CallArgument] {
    [.int(which), .input(times(0, intervalMicroseconds, seconds, microseconds)), wantsOld ? .output(32) : .null]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !model.reaches(process, .input, 32, write: false) { return .error(.efault) }
    if which < 0 || which > 2 || seconds != 0 || microseconds != 0 { return .error(.einval) }
    guard wantsOld else { return .value(0) }
    if !model.reaches(process, .output, 32, write: true) { return .error(.efault) }
    for offset in [0, 8, 16, 24] { try model.check("itimerval", model.output(.output, 32), offset, 8, 0) }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SetIntervalTimerCall(
      which: generator.random.pick([0, 1, 2, 3, -1]) ?? 0,
      intervalMicroseconds: generator.random.pick([0, 5, 1_000_000]) ?? 0,
      seconds: generator.random.pick([0, 0, -1, 1 << 30]) ?? 0,
      microseconds: generator.random.pick([0, 0, -1, 1_000_000]) ?? 0, wantsOld: generator.random.chance(oneIn: 2))
  }
}

/// getitimer(2)
struct IntervalTimerCall: SimulatedCall {
  var which: Int32

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("getitimer", IntervalTimerCall(which: 2))] }

  var number: SystemCallNumber { .getitimer }
  var arguments: [CallArgument] { [.int(which), .output(32)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if which < 0 || which > 2 { return .error(.einval) }
    if !model.reaches(process, .output, 32, write: true) { return .error(.efault) }
    for offset in [0, 8, 16, 24] { try model.check("itimerval", model.output(.output, 32), offset, 8, 0) }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    IntervalTimerCall(which: generator.random.pick([0, 1, 2, 3, -1]) ?? 0)
  }
}

/// ktimer_create(2)
struct CreateTimerCall: SimulatedCall {
  var clock: Int32 = 4
  /// sigev_notify and sigev_signo; nil: no event is given.
  var notification: Int32?
  var signal: Int32 = 0

  static var examples: [CallExample] { [("ktimer_create", CreateTimerCall(notification: 0))] }

  var number: SystemCallNumber { .ktimerCreate }
  var memoryErrors: [Errno] { [.eagain] }
  var arguments: [CallArgument] {
    let event = notification.map {
      KernelMachine.bytes(of: UInt32(bitPattern: $0)) + KernelMachine.bytes(of: UInt32(bitPattern: signal))
        + times(0, 0, 0, 0, 0, 0, 0, 0, 0)
    }
    return [.int(clock), event.map { .input($0) } ?? .null, .output(4)]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if notification != nil && !model.reaches(process, .input, 80, write: false) { return .error(.efault) }
    if clock != 0 && clock != 4 { return .error(.einval) }
    if let notification {
      if ![0, 1, 4].contains(notification) { return .error(.einval) }
      if notification != 0 && (signal < 1 || signal > 128) { return .error(.einval) }
    }
    guard let identifier = (3..<32 as Range<Int32>).first(where: { !process.timers.contains($0) }) else {
      return .error(.eagain)
    }
    if !model.reaches(process, .output, 4, write: true) { return .error(.efault) }
    try model.check("timer", model.output(.output, 4), 0, 4, UInt64(identifier))
    process.timers.insert(identifier)
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    CreateTimerCall(
      clock: generator.random.pick([0, 4, 4, 4, 1, 5, -1]) ?? 4,
      notification: generator.random.pick([nil, 0, 0, 1, 4, 2, 3]) ?? nil,
      signal: generator.random.pick([30, 0, 129]) ?? 0)
  }
}

/// ktimer_settime(2) that turns a timer off, or is refused
struct SetTimerCall: SimulatedCall {
  var identifier: Int32 = 3
  var seconds: Int64 = 0
  var nanoseconds: Int64 = 0
  var wantsOld = false

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("ktimer_settime", SetTimerCall())] }

  var number: SystemCallNumber { .ktimerSettime }
  var arguments: [CallArgument] {
    [.int(identifier), .int(0), .input(times(0, 0, seconds, nanoseconds)), wantsOld ? .output(32) : .null]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !model.reaches(process, .input, 32, write: false) { return .error(.efault) }
    if !process.timers.contains(identifier) || seconds != 0 || nanoseconds != 0 { return .error(.einval) }
    guard wantsOld else { return .value(0) }
    if !model.reaches(process, .output, 32, write: true) { return .error(.efault) }
    for offset in [0, 8, 16, 24] { try model.check("itimerspec", model.output(.output, 32), offset, 8, 0) }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SetTimerCall(
      identifier: generator.random.pick([3, 3, 4, 2, 32]) ?? 3, seconds: generator.random.pick([0, 0, -1]) ?? 0,
      nanoseconds: generator.random.pick([0, 0, -1, 1_000_000_000]) ?? 0, wantsOld: generator.random.chance(oneIn: 2))
  }
}

/// ktimer_gettime(2), ktimer_getoverrun(2), ktimer_delete(2)
struct TimerCall: SimulatedCall {
  private let rawNumber: UInt32
  var identifier: Int32

  init(_ number: SystemCallNumber, _ identifier: Int32) {
    rawNumber = number.rawValue
    self.identifier = identifier
  }

  static var weight: Int { 3 }
  static var examples: [CallExample] {
    [
      ("ktimer_gettime", TimerCall(.ktimerGettime, 3)), ("ktimer_getoverrun", TimerCall(.ktimerGetoverrun, 3)),
      ("ktimer_delete", TimerCall(.ktimerDelete, 3)),
    ]
  }

  var number: SystemCallNumber { SystemCallNumber(rawValue: rawNumber) }
  var arguments: [CallArgument] { number == .ktimerGettime ? [.int(identifier), .output(32)] : [.int(identifier)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if !process.timers.contains(identifier) { return .error(.einval) }
    if number == .ktimerDelete { process.timers.remove(identifier) }
    if number == .ktimerGettime {
      if !model.reaches(process, .output, 32, write: true) { return .error(.efault) }
      for offset in [0, 8, 16, 24] { try model.check("itimerspec", model.output(.output, 32), offset, 8, 0) }
    }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let number = generator.random.pick([.ktimerGettime, .ktimerGetoverrun, .ktimerDelete] as [SystemCallNumber])
    return number.map { TimerCall($0, generator.random.pick([3, 3, 4, 2, 32, -1]) ?? 3) }
  }
}
