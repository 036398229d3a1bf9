// Limits, usage and time: getrlimit(2), getrusage(2), clock_gettime(2), nanosleep(2) and their like.

import ABI

extension SimulatedCalls {
  static let timeCalls: [any SimulatedCall.Type] = [
    ResourceUsageCall.self, LimitCall.self, SetLimitCall.self, SleepCall.self, ClockCall.self,
    ClockResolutionCall.self, TimeOfDayCall.self,
  ]
}

/// getrusage(2)
struct ResourceUsageCall: SimulatedCall {
  var who: Int32

  static var examples: [CallExample] { [("getrusage", ResourceUsageCall(who: 0))] }

  var number: SystemCallNumber { .getrusage }
  var arguments: [CallArgument] { [.int(who), .output(Rusage.byteCount)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.resourceUsage(process, who)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ResourceUsageCall(who: generator.random.pick([0, 0, -1, -1, 1, 2, -2]) ?? 0)
  }
}

extension OperationGenerator {
  /// A limit of getrlimit(2), now and then none.
  fileprivate mutating func limit() -> Int32 {
    random.pick([0, 1, 2, 3, 7, 8, 8, 10, 10, 12, 15, 16, -1]) ?? 8
  }
}

/// getrlimit(2)
struct LimitCall: SimulatedCall {
  var which: Int32

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("getrlimit", LimitCall(which: 8))] }

  var number: SystemCallNumber { .getrlimit }
  var arguments: [CallArgument] { [.int(which), .output(16)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.resourceLimit(process, which)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    LimitCall(which: generator.limit())
  }
}

/// setrlimit(2)
struct SetLimitCall: SimulatedCall {
  var which: Int32
  var soft: Int64
  var hard: Int64

  static var examples: [CallExample] { [("setrlimit", SetLimitCall(which: 8, soft: 30, hard: 40))] }

  var number: SystemCallNumber { .setrlimit }
  var arguments: [CallArgument] {
    let limits = [soft, hard].flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) }
    return [.int(which), .input(limits)]
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.setResourceLimit(process, which, soft, hard)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if process.number == 0 { return nil }
    let which = generator.limit()
    let old = which >= 0 && which < 16 ? process.limits[Int(which)] : ModelLimit()
    var soft: Int64
    switch which {
    case 2:
      let pages = Int64(Program.dataPageCount) + Int64(generator.random.number(in: -1...12))
      soft = pages * 4096 + (generator.random.chance(oneIn: 4) ? 5 : 0)
    case 3: soft = Int64(generator.random.number(in: 1...10)) << 20
    case 7: soft = Int64(generator.random.number(in: 1...20))
    case 8: soft = Int64(generator.random.number(in: 0...40))
    case 10: soft = Int64(process.virtualByteCount) + Int64(generator.random.number(in: -4...12)) * 4096
    default: soft = Int64(generator.random.number(below: 100_000))
    }
    // Back to where it was, or beyond.
    if generator.random.chance(oneIn: 3) { soft = generator.random.chance(oneIn: 4) ? -1 : old.hard }
    return SetLimitCall(which: which, soft: soft, hard: generator.random.chance(oneIn: 8) ? soft : old.hard)
  }
}

// MARK: Time

/// nanosleep(2), with room for the remaining time
struct SleepCall: SimulatedCall {
  var seconds: Int64 = 0
  var nanoseconds: Int64

  static var examples: [CallExample] { [("nanosleep", SleepCall(nanoseconds: 1_000_000))] }

  var number: SystemCallNumber { .nanosleep }
  var arguments: [CallArgument] {
    let time = [seconds, nanoseconds].flatMap { KernelMachine.bytes(of: UInt64(bitPattern: $0)) }
    return [.input(time), .output(0)]
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !model.reaches(process, .input, 16, write: false) { return .error(.efault) }
    return nanoseconds < 0 || nanoseconds >= 1_000_000_000 ? .error(.einval) : .value(0)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let start = machine.hardware.clock.nanoseconds
    let observation = try machine.call(process, number, registers)
    let duration = max(0, seconds) * 1_000_000_000 + nanoseconds
    let slept = machine.hardware.clock.nanoseconds - start
    if observation == .value(0) && seconds >= 0 && slept < UInt64(max(0, duration)) {
      throw Difference("nanosleep returned too early")
    }
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.random.chance(oneIn: 2) {
      return SleepCall(nanoseconds: Int64(generator.random.number(below: 30_000_000)))
    }
    return SleepCall(
      seconds: generator.random.chance(oneIn: 4) ? Int64(generator.random.number(in: -1...1)) : 0,
      nanoseconds: generator.random.pick([0, 1, -1, 1_000_000_000, 999_999_999]) ?? 0)
  }
}

/// clock_gettime(2), by default CLOCK_MONOTONIC
struct ClockCall: SimulatedCall {
  var identifier: Int32 = 4

  static var examples: [CallExample] { [("clock_gettime", ClockCall())] }

  var number: SystemCallNumber { .clockGettime }
  var arguments: [CallArgument] { [.int(identifier), .output(16)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.clock(process, identifier)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ClockCall(identifier: generator.random.chance(oneIn: 2) ? 4 : Int32(generator.random.number(in: -1...17)))
  }
}

/// clock_getres(2)
struct ClockResolutionCall: SimulatedCall {
  var identifier: Int32
  var wantsTime = true

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("clock_getres", ClockResolutionCall(identifier: 4))] }

  var number: SystemCallNumber { .clockGetres }
  var arguments: [CallArgument] { [.int(identifier), wantsTime ? .output(16) : .null] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.clockResolution(process, identifier, wantsTime)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ClockResolutionCall(
      identifier: Int32(generator.random.number(in: -1...17)), wantsTime: !generator.random.chance(oneIn: 4))
  }
}

/// gettimeofday(2); bit 0 of `wanted` asks for the time, bit 1 for the zone
struct TimeOfDayCall: SimulatedCall {
  var wanted: UInt8 = 1

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("gettimeofday", TimeOfDayCall(wanted: 3))] }

  var number: SystemCallNumber { .gettimeofday }
  var arguments: [CallArgument] {
    [wanted & 1 != 0 ? .output(16) : .null, wanted & 2 != 0 ? .output(8, at: .second) : .null]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.timeOfDay(process, wanted)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    TimeOfDayCall(wanted: UInt8(generator.random.number(below: 4)))
  }
}
