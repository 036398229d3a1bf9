// Nice values and classes of threads. No process of a script is of a class of its own for long: others would wait for it for ever.

import ABI

extension SimulatedCalls {
  static let priorityCalls: [any SimulatedCall.Type] = [
    NicenessCall.self, SetNicenessCall.self, ThreadPriorityCall.self, ProcessPriorityCall.self,
    SchedulingParameterCall.self, SetSchedulingParameterCall.self, SchedulingPolicyCall.self,
    SetSchedulingPolicyCall.self, PriorityRangeCall.self, RoundRobinCall.self,
  ]
}

extension ReferenceModel {
  /// The process that an identifier means, 0 the caller.
  func living(_ target: ProcessTarget, _ process: ModelProcess) -> ModelProcess? {
    let identifier = identifier(target)
    if identifier == 0 { return process }
    return processes.values.first { $0.identifier == identifier && $0.state == .running }
  }

  /// Whether a process may say how another runs.
  func maySchedule(_ process: ModelProcess, _ other: ModelProcess) -> Bool {
    let user = other.credentials.realUser
    return process === other || process.credentials.effectiveUser == 0 || user == process.credentials.realUser
      || user == process.credentials.effectiveUser
  }

  /// Whom getpriority(2) and setpriority(2) mean.
  func scheduled(_ which: Int32, _ target: ProcessTarget, _ process: ModelProcess) -> [ModelProcess] {
    let identifier = identifier(target)
    switch which {
    case 0: return living(target, process).map { [$0] } ?? []
    case 1:
      let group = identifier == 0 ? process.group : identifier
      return processes.values.filter { $0.state == .running && $0.group == group }
    default:
      let user = identifier == 0 ? process.credentials.effectiveUser : UInt32(bitPattern: identifier)
      return processes.values.filter { $0.state == .running && $0.credentials.effectiveUser == user }
    }
  }

  /// Checks a priority of the normal class in output.
  fileprivate func checkPriority(_ level: UInt16) throws(Difference) {
    try check("class", output(.output, 4), 0, 2, 3)
    try check("level", output(.output, 4), 2, 2, UInt64(level))
  }
}

/// getpriority(2)
struct NicenessCall: SimulatedCall {
  var which: Int32 = 0
  var target = ProcessTarget.caller

  static var examples: [CallExample] {
    [("getpriority", NicenessCall()), ("getpriority of a user", NicenessCall(which: 2))]
  }

  var number: SystemCallNumber { .getpriority }
  var arguments: [CallArgument] { [.int(which), .processes(target)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard (0...2).contains(which) else { return .error(.einval) }
    guard let lowest = model.scheduled(which, target, process).map(\.niceness).min() else { return .error(.esrch) }
    return .value(UInt64(bitPattern: Int64(lowest)))
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    NicenessCall(
      which: generator.random.pick([0, 0, 1, 2, 3, -1]) ?? 0,
      target: generator.random.chance(oneIn: 3) ? generator.target(model) : .caller)
  }
}

/// setpriority(2)
struct SetNicenessCall: SimulatedCall {
  var which: Int32 = 0
  var target = ProcessTarget.caller
  var value: Int32

  static var examples: [CallExample] {
    [("setpriority", SetNicenessCall(value: 1)), ("setpriority of a user", SetNicenessCall(which: 2, value: 1))]
  }

  var number: SystemCallNumber { .setpriority }
  var arguments: [CallArgument] { [.int(which), .processes(target), .int(value)] }

  private func error(_ model: ReferenceModel, _ process: ModelProcess, _ other: ModelProcess) -> Errno? {
    if !model.maySchedule(process, other) { return .eperm }
    let wanted = max(-20, min(20, value))
    return wanted < other.niceness && process.credentials.effectiveUser != 0 ? .eacces : nil
  }

  /// What becomes of the last of several decides, and which that is does not follow from anything.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    Set(model.scheduled(which, target, process).map { error(model, process, $0)?.rawValue ?? 0 }).count > 1
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard (0...2).contains(which) else { return .error(.einval) }
    let all = model.scheduled(which, target, process)
    guard let first = all.first else { return .error(.esrch) }
    if let error = error(model, process, first) { return .error(error) }
    for other in all { other.niceness = max(-20, min(20, value)) }
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SetNicenessCall(
      which: generator.random.pick([0, 0, 0, 1, 2, 3]) ?? 0,
      target: generator.random.chance(oneIn: 3) ? generator.target(model) : .caller,
      value: generator.random.pick([0, 0, 1, 5, 10, 20, -1, -20, 1000, Int32.min]) ?? 0)
  }
}

/// A priority that a script gives, as `struct rtprio`: a class that there is only with a level that there is not, or for who may
/// not give it.
private func drawPriority(_ generator: inout OperationGenerator, _ process: ModelProcess) -> UInt32 {
  let refused: [UInt32] = [2 | 32 << 16, 4 | 99 << 16, 10 | 32 << 16, 3 | 136 << 16, 1, 0]
  let privileged: [UInt32] = process.credentials.effectiveUser == 0 ? [] : [2, 4 | 31 << 16, 10]
  return generator.random.pick([3, 3, 3, 3 | 7 << 16, 3 | 135 << 16] + refused + privileged) ?? 3
}

/// What refuses such a priority.
private func refusal(_ priority: UInt32, _ process: ModelProcess) -> Errno? {
  let (kind, level) = (priority & 0xFFFF, priority >> 16)
  switch kind {
  case 2, 4, 10: return process.credentials.effectiveUser != 0 ? .eperm : level > 31 ? .einval : nil
  case 3: return level > 135 ? .einval : nil
  default: return .einval
  }
}

/// rtprio_thread(2) of the caller
struct ThreadPriorityCall: SimulatedCall {
  var function: Int32
  var identifier: Int32 = 0
  var priority: UInt32 = 3

  static var weight: Int { 1 }
  static var examples: [CallExample] {
    [("rtprio_thread", ThreadPriorityCall(function: 0)), ("rtprio_thread that sets", ThreadPriorityCall(function: 1))]
  }

  var number: SystemCallNumber { .rtprioThread }
  var arguments: [CallArgument] {
    [.int(function), .int(identifier), function == 0 ? .output(4) : .input(KernelMachine.bytes(of: priority))]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if identifier != 0 { return .error(.esrch) }
    switch function {
    case 0:
      if !model.reaches(process, .output, 4, write: true) { return .error(.efault) }
      try model.checkPriority(process.level)
      return .value(0)
    case 1:
      if !model.reaches(process, .input, 4, write: false) { return .error(.efault) }
      if let error = refusal(priority, process) { return .error(error) }
      process.level = UInt16(priority >> 16)
      return .value(0)
    default: return .error(.einval)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ThreadPriorityCall(
      function: generator.random.pick([0, 0, 1, 1, 2, -1]) ?? 0, identifier: generator.random.pick([0, 0, 0, 77]) ?? 0,
      priority: drawPriority(&generator, process))
  }
}

/// rtprio(2)
struct ProcessPriorityCall: SimulatedCall {
  var function: Int32
  var target = ProcessTarget.caller
  var priority: UInt32 = 3

  static var examples: [CallExample] {
    [("rtprio", ProcessPriorityCall(function: 0)), ("rtprio that sets", ProcessPriorityCall(function: 1))]
  }

  var number: SystemCallNumber { .rtprio }
  var arguments: [CallArgument] {
    [.int(function), .processes(target), function == 0 ? .output(4) : .input(KernelMachine.bytes(of: priority))]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    guard let subject = model.living(target, process) else { return .error(.esrch) }
    switch function {
    case 0:
      if !model.reaches(process, .output, 4, write: true) { return .error(.efault) }
      try model.checkPriority(subject.level)
      return .value(0)
    case 1:
      if !model.maySchedule(process, subject) { return .error(.eperm) }
      if !model.reaches(process, .input, 4, write: false) { return .error(.efault) }
      if let error = refusal(priority, process) { return .error(error) }
      subject.level = UInt16(priority >> 16)
      return .value(0)
    default: return .error(.einval)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ProcessPriorityCall(
      function: generator.random.pick([0, 0, 1, 1, 2, -1]) ?? 0,
      target: generator.random.chance(oneIn: 2) ? generator.target(model) : .caller,
      priority: drawPriority(&generator, process))
  }
}

/// sched_getparam(2)
struct SchedulingParameterCall: SimulatedCall {
  var target = ProcessTarget.caller

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("sched_getparam", SchedulingParameterCall())] }

  var number: SystemCallNumber { .schedGetparam }
  var arguments: [CallArgument] { [.processes(target), .output(4)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    guard let subject = model.living(target, process) else { return .error(.esrch) }
    if !model.reaches(process, .output, 4, write: true) { return .error(.efault) }
    try model.check("priority", model.output(.output, 4), 0, 4, UInt64(135 - subject.level))
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SchedulingParameterCall(target: generator.random.chance(oneIn: 2) ? generator.target(model) : .caller)
  }
}

/// sched_setparam(2)
struct SetSchedulingParameterCall: SimulatedCall {
  var target = ProcessTarget.caller
  var priority: Int32 = 7

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("sched_setparam", SetSchedulingParameterCall())] }

  var number: SystemCallNumber { .schedSetparam }
  var arguments: [CallArgument] { [.processes(target), .input(KernelMachine.bytes(of: UInt32(bitPattern: priority)))] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if !model.reaches(process, .input, 4, write: false) { return .error(.efault) }
    guard let subject = model.living(target, process) else { return .error(.esrch) }
    if !model.maySchedule(process, subject) { return .error(.eperm) }
    guard (0...135).contains(priority) else { return .error(.einval) }
    subject.level = UInt16(135 - priority)
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SetSchedulingParameterCall(
      target: generator.random.chance(oneIn: 2) ? generator.target(model) : .caller,
      priority: generator.random.pick([0, 3, 135, 136, -1]) ?? 0)
  }
}

/// sched_getscheduler(2)
struct SchedulingPolicyCall: SimulatedCall {
  var target = ProcessTarget.caller

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("sched_getscheduler", SchedulingPolicyCall())] }

  var number: SystemCallNumber { .schedGetscheduler }
  var arguments: [CallArgument] { [.processes(target)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.living(target, process) == nil ? .error(.esrch) : .value(2)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SchedulingPolicyCall(target: generator.random.chance(oneIn: 2) ? generator.target(model) : .caller)
  }
}

/// sched_setscheduler(2)
struct SetSchedulingPolicyCall: SimulatedCall {
  var target = ProcessTarget.caller
  var policy: Int32 = 2
  var priority: Int32 = 7

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("sched_setscheduler", SetSchedulingPolicyCall())] }

  var number: SystemCallNumber { .schedSetscheduler }
  var arguments: [CallArgument] {
    [.processes(target), .int(policy), .input(KernelMachine.bytes(of: UInt32(bitPattern: priority)))]
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if process.credentials.effectiveUser != 0 { return .error(.eperm) }
    if !model.reaches(process, .input, 4, write: false) { return .error(.efault) }
    guard let subject = model.living(target, process) else { return .error(.esrch) }
    switch policy {
    // A priority of these that there is is never drawn.
    case 1, 3: return .error(.eperm)
    case 2:
      guard (0...135).contains(priority) else { return .error(.einval) }
      subject.level = UInt16(135 - priority)
      return .value(0)
    default: return .error(.einval)
    }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let policy: Int32 = generator.random.pick([2, 2, 2, 1, 3, 0, 4]) ?? 2
    return SetSchedulingPolicyCall(
      target: generator.random.chance(oneIn: 2) ? generator.target(model) : .caller, policy: policy,
      priority: generator.random.pick(policy == 2 ? [0, 3, 135, 136, -1] : [32, -1]) ?? 0)
  }
}

/// sched_get_priority_max(2), sched_get_priority_min(2)
struct PriorityRangeCall: SimulatedCall {
  var isMaximum = true
  var policy: Int32 = 2

  static var weight: Int { 1 }
  static var examples: [CallExample] {
    [
      ("sched_get_priority_max", PriorityRangeCall()),
      ("sched_get_priority_min", PriorityRangeCall(isMaximum: false)),
    ]
  }

  var number: SystemCallNumber { isMaximum ? .schedGetPriorityMax : .schedGetPriorityMin }
  var arguments: [CallArgument] { [.int(policy)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard (1...3).contains(policy) else { return .error(.einval) }
    return .value(isMaximum ? policy == 2 ? 135 : 31 : 0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    PriorityRangeCall(
      isMaximum: generator.random.chance(oneIn: 2), policy: generator.random.pick([1, 2, 3, 0, 4]) ?? 2)
  }
}

/// sched_rr_get_interval(2)
struct RoundRobinCall: SimulatedCall {
  var target = ProcessTarget.caller

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("sched_rr_get_interval", RoundRobinCall())] }

  var number: SystemCallNumber { .schedRrGetInterval }
  var arguments: [CallArgument] { [.processes(target), .output(16)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    guard model.living(target, process) != nil else { return .error(.esrch) }
    if !model.reaches(process, .output, 16, write: true) { return .error(.efault) }
    try model.check("seconds", model.output(.output, 16), 0, 8, 0)
    try model.check("nanoseconds", model.output(.output, 16), 8, 8, 10_000_000)
    return .value(0)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    RoundRobinCall(target: generator.random.chance(oneIn: 2) ? generator.target(model) : .caller)
  }
}
