// kill(2), sigaction(2), procctl(2), and calls that do not exist.

import ABI

extension SimulatedCalls {
  static let signalCalls: [any SimulatedCall.Type] = [
    KillCall.self, SignalActionCall.self, ControlProcessCall.self, UnknownCall.self, SignalMaskCall.self,
    PendingSignalsCall.self, TakeSignalCall.self, QueueSignalCall.self, ThreadKillCall.self, AlternateStackCall.self,
    SuspendCall.self, ContextCall.self, SignalReturnCall.self,
  ]
}

/// kill(2)
struct KillCall: SimulatedCall {
  var target: ProcessTarget
  var signal: Int32

  static var weight: Int { 7 }
  static var examples: [CallExample] { [("kill", KillCall(target: .process(2), signal: 17))] }

  var number: SystemCallNumber { .kill }
  var arguments: [CallArgument] { [.processes(target), .int(signal)] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    let all = model.targets(of: process, target)
    // Process 1 stops or ends itself; a signal that two things follow from, with a parent that waits for either; several
    // threads, of which any may look first.
    if process.number == 0 && all.contains(where: { $0 === process }) && signal != 0 { return true }
    let isAmbiguous = all.contains { target in
      let isPending = !target.signals.pending.isEmpty || target.threads.contains { !$0.queue.isEmpty }
      return target.signals.isStopped && isPending
        && (model.processes[target.parent]?.isBlocked == true || target.threads.count > 1)
    }
    if signal != 0 && all.contains(where: \.hasManySignals) { return true }
    // Whether a child ends before its parent decides who could ask for its status.
    let initialIgnores = model.processes[0]?.signals.ignored.contains(20) == true
    let orphans = all.contains { child in
      all.contains { $0.number == child.parent && (initialIgnores || $0.signals.ignored.contains(20)) }
    }
    return isAmbiguous || orphans && signal != 0
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.kill(process, target, signal)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    try machine.settleSignals()
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.random.chance(oneIn: 4) {
      // Groups, and everybody.
      let targets: [ProcessTarget] = [.caller, .all, .group(process.number), .raw(-77_777)]
      return KillCall(
        target: generator.random.pick(targets) ?? .caller,
        signal: generator.random.pick([0, 0, 0, 28, 19, 19, 17, 15, 129]) ?? 0)
    }
    guard let number = generator.random.pick(model.processes.keys.sorted()) else { return nil }
    let signals: [Int32] = [0, 0, 0, 9, 15, 30, 20, 28, 19, 19, 17, 17, 18, 21, 22, 65, 128, 200, -1]
    return KillCall(
      target: generator.random.chance(oneIn: 8) ? generator.target(model) : .process(number),
      signal: generator.random.pick(signals) ?? 0)
  }
}

extension ModelProcess {
  /// Whether more frames of handlers might not find room on its stacks.
  var hasManySignals: Bool {
    signals.queue.count + threads.reduce(0) { $0 + $1.queue.count } >= 3 || threads.contains { $0.frames.count > 2 }
  }
}

/// sigaction(2); no handler leaves the action as it is
struct SignalActionCall: SimulatedCall {
  var signal: Int32
  var handler: UInt64?
  var flags: UInt32 = 0
  var mask: Set<Int32> = []
  var wantsOld = true

  /// Where handlers are.
  static let handlers: [UInt64] = [Program.text, Program.text + 64, 0x2a]

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("sigaction", SignalActionCall(signal: 20, handler: 1)),
      ("sigaction that asks", SignalActionCall(signal: 20, handler: nil)),
    ]
  }

  var number: SystemCallNumber { .sigaction }
  var memoryErrors: [Errno] { [.enomem] }
  var arguments: [CallArgument] {
    let action = handler.map { handler in
      KernelMachine.bytes(of: handler) + KernelMachine.bytes(of: flags)
        + ModelSignals.words(of: mask).flatMap { KernelMachine.bytes(of: $0) } + [0, 0, 0, 0]
    }
    return [.int(signal), action.map { .input($0) } ?? .null, wantsOld ? .output(32) : .null]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.signalAction(
      process, signal, handler.map { ModelAction(handler: $0, flags: flags, mask: mask) }, wantsOld)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if process.number != 0 && generator.catchesSignals && generator.random.chance(oneIn: 2) {
      return catching(&generator)
    }
    let handlers: [UInt64?] = [nil, 0, 1, 1]
    return SignalActionCall(
      signal: generator.random.pick([20, 20, 12, 15, 30, 1, 9, 17, 18, 19, 128, 0, 129, -1]) ?? 20,
      handler: generator.random.pick(handlers) ?? nil, wantsOld: !generator.random.chance(oneIn: 4))
  }
}

extension SignalActionCall {
  /// Something that is caught, with flags of all kinds.
  fileprivate static func catching(_ generator: inout OperationGenerator) -> Self {
    var call = SignalActionCall(
      signal: generator.random.pick([30, 30, 31, 1, 15, 16, 18, 19, 28, 65, 128, 11, 10, 12, 13, 9]) ?? 30,
      handler: generator.random.pick(handlers))
    for flag in [1, 2, 2, 4, 0x10, 0x40, 0x40] as [UInt32] where generator.random.chance(oneIn: 3) {
      call.flags |= flag
    }
    if generator.random.chance(oneIn: 30) { call.flags |= 0x80 }
    for signal in [1, 15, 16, 30, 65, 9, 17] as [Int32] where generator.random.chance(oneIn: 5) {
      call.mask.insert(signal)
    }
    call.wantsOld = generator.random.chance(oneIn: 2)
    return call
  }
}

/// procctl(2)
struct ControlProcessCall: SimulatedCall {
  var type: Int32
  var target: ProcessTarget
  var command: Int32 = 1
  var flags: UInt32

  static var examples: [CallExample] {
    [("procctl", ControlProcessCall(type: 0, target: .process(2), flags: 0x31))]
  }

  var number: SystemCallNumber { .procctl }
  /// An id_t has 64 bits.
  var arguments: [CallArgument] {
    [
      .int(type), target == .caller || target == .raw(0) ? .null : .processes(target), .int(command),
      .input(KernelMachine.bytes(of: flags)),
    ]
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.controlProcess(process, type, target, command, flags)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ControlProcessCall(
      type: generator.random.pick([0, 0, 0, 2, 2, 1, -1]) ?? 0, target: generator.target(model),
      command: generator.random.chance(oneIn: 8) ? 7 : 1,
      flags: generator.random.pick([1, 2, 0x11, 0x32, 0x21, 0, 3, 0x41]) ?? 1)
  }
}

/// A system call that does not exist, by its number.
struct UnknownCall: SimulatedCall {
  var rawNumber: UInt64

  /// Numbers that mean nothing in FreeBSD either.
  static let unknown: [UInt64] = [8, 11, 91, 215, 399, 521, 549, 590, 591, 599, 1000, 70_000, UInt64(UInt32.max)]
  /// Calls of FreeBSD that do not exist here: link(2), readlink(2), ktrace(2), getlogin(2), FreeBSD 6's lseek(2), jail(2),
  /// sched_getcpu(2), timerfd_settime(2).
  static let missing: [UInt64] = [9, 45, 49, 58, 199, 338, 581, 587]

  static var weight: Int { 1 }
  static var examples: [CallExample] { [("a call that does not exist", UnknownCall(rawNumber: 590))] }

  var number: SystemCallNumber { SystemCallNumber(rawValue: UInt32(rawNumber)) }
  var arguments: [CallArgument] { [] }

  /// One that does not exist in FreeBSD raises SIGSYS; one that only does not exist here does not.
  func raisesSignal(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    model.unknownCallsRaiseSignal && !Self.missing.contains(rawNumber)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    if raisesSignal(model, process) {
      model.post(ModelSignal(number: 12, code: 0x10006), to: process, process.thread, isItsOwn: true)
    }
    return process.state == .running ? .error(.enosys) : .ended
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.random.pick(generator.random.chance(oneIn: 2) ? unknown : missing).map { UnknownCall(rawNumber: $0) }
  }
}
