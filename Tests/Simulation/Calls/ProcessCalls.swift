// fork(2), exit(2), wait4(2), execve(2), and process groups.

import ABI

extension SimulatedCalls {
  static let processCalls: [any SimulatedCall.Type] = [
    ForkCall.self, ExitCall.self, WaitCall.self, ExecuteCall.self, ProcessGroupCall.self, SetProcessGroupCall.self,
    SessionCall.self, MakeSessionCall.self,
  ]
}

/// fork(2), or rfork(2) that is asked for the same; `child` is the number that the script gives to the child
struct ForkCall: SimulatedCall {
  var child: Int
  var isPartial = false

  static var weight: Int { 0 }
  static var examples: [CallExample] { [("fork", ForkCall(child: 9)), ("rfork", ForkCall(child: 9, isPartial: true))] }

  var number: SystemCallNumber { isPartial ? .rfork : .fork }
  var arguments: [CallArgument] { isPartial ? [.int(0x14)] : [] }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem, .eagain] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.fork(process, child, observed)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    machine.childBeingMade = child
    guard let registers = try machine.prepare(arguments, by: process) else { return .ended }
    let observation = try machine.call(process, number, registers)
    guard case .value(let identifier) = observation else {
      machine.childBeingMade = nil
      return observation
    }
    machine.identifiers[child] = Int32(truncatingIfNeeded: identifier)
    machine.interruptedCalls[child] = machine.interruptedCalls[process]
    // The child has to be met before another can be made.
    guard try machine.schedule(child) else { throw Difference("a child ended before it began") }
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard generator.mayFork(model) else { return nil }
    let isPartial = !generator.isMemoryOnly && generator.random.chance(oneIn: 6)
    return ForkCall(child: generator.nextProcess, isPartial: isPartial)
  }
}

/// exit(2)
struct ExitCall: SimulatedCall {
  var status: Int32

  static var weight: Int { 0 }
  static var examples: [CallExample] { [("exit", ExitCall(status: 4))] }

  var number: SystemCallNumber { .exit }
  var arguments: [CallArgument] { [.int(status)] }
  var changesState: Bool { true }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.exit(process, .exited(status))
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    process.number == 0 ? nil : ExitCall(status: Int32(generator.random.number(below: 256)))
  }
}

/// wait4(2), with a structure for the usage if `usage`
struct WaitCall: SimulatedCall {
  var target: ProcessTarget
  var options: UInt32
  var usage = false

  static var weight: Int { 8 }
  static var examples: [CallExample] { [("wait4", WaitCall(target: .all, options: 3, usage: true))] }

  var number: SystemCallNumber { .wait4 }
  var arguments: [CallArgument] {
    [
      .processes(target), .output(4), .word(options), usage ? .output(Rusage.byteCount, at: .second) : .null,
    ]
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    // Which of two threads is told of a child is open.
    waits(model, process) && (process.number == 0 || process.blockedCalls.contains { $0 is WaitCall })
  }

  func waits(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    options & ~63 == 0 && options & 1 == 0 && !model.children(of: process, target).isEmpty
      && model.reporting(to: process, target, options).isEmpty
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.wait(process, target, options, usage, observed)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    // 0 with WNOHANG: nothing was stored.
    guard observation != .value(0) else { return }
    try machine.fetch(process, observation, .output, 4)
    if usage { try machine.fetch(process, observation, .second, Rusage.byteCount) }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let children = model.processes.values.filter { $0.parent == process.number && $0 !== process }
    let child = generator.random.pick(children.map(\.number).sorted())
    var call = WaitCall(target: .all, options: generator.random.chance(oneIn: 2) ? 1 : 0)
    switch generator.random.number(below: 8) {
    case 0, 1, 2: call.target = child.map { .process($0) } ?? .all
    case 3: call.target = .caller
    case 4: call.target = child.map { .group($0) } ?? .all
    case 5 where generator.random.chance(oneIn: 2): call.target = generator.target(model)
    default: break
    }
    for bit in [2, 4] as [UInt32] where generator.random.chance(oneIn: 2) { call.options |= bit }
    if generator.random.chance(oneIn: 10) {
      call.options |= generator.random.pick([8, 8, 16, 32, 64, 0x8000_0000]) ?? 8
    }
    call.usage = generator.random.chance(oneIn: 3)
    return call
  }
}

/// execve(2), by default of the program itself; so many arguments of 16 bytes each
struct ExecuteCall: SimulatedCall {
  var path = "/bin/script"
  var argumentCount = 1

  static var weight: Int { 0 }
  static var examples: [CallExample] { [("execve", ExecuteCall(argumentCount: 60))] }

  var number: SystemCallNumber { .execve }
  /// The vector lies where structures go; its pointers are filled in when it is made.
  var arguments: [CallArgument] {
    [.path(path), .input([UInt8](repeating: 0, count: 8 * (argumentCount + 1))), .null]
  }
  var changesState: Bool { true }
  var memoryErrors: [Errno] { [.enomem] }
  var transferErrors: [Errno] { [.eio, .efault] }

  /// Limits that the new program would not fit into; several errors at once.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    let limits = process.limits
    return limits[10].soft < 1 << 20 || limits[3].soft < 1 << 16 || limits[2].soft < 1 << 16
      || argumentCount == 0 && path != "/bin/script" || argumentCount > 120
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.execute(process, path, argumentCount)
  }

  /// Every argument is the path.
  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    let pointer = KernelMachine.bytes(of: machine.place(.path))
    let vector = (0..<argumentCount).flatMap { _ in pointer } + [UInt8](repeating: 0, count: 8)
    guard let registers = try machine.prepare([.path(path), .input(vector), .null], by: process) else {
      return .ended
    }
    let observation = try machine.call(process, number, registers)
    guard observation == .value(0) else { return observation }
    guard try machine.schedule(process) else { return .ended }
    let start = machine.register(.rip)
    // (An interrupt may have let it run, and it may have passed time since.)
    if start != Program.text && start != Program.text + 2 {
      throw Difference("a program starts at 0x\(String(start, radix: 16))")
    }
    let count = try machine.load(process, machine.register(.rdi), byteCount: 8)
    if let count, count != KernelMachine.bytes(of: UInt64(argumentCount)) {
      throw Difference("argc is \(count), expected \(argumentCount)")
    }
    machine.inputs = []
    return observation
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let paths = ["/bin/notes", "/bin/none", "/dev/null", "/bin", "/bin/script/x", ""]
    if generator.random.chance(oneIn: 5) { return ExecuteCall(path: generator.random.pick(paths) ?? "") }
    return ExecuteCall(
      argumentCount: generator.random.chance(oneIn: 4) ? generator.random.number(below: 100) : 1)
  }
}

// MARK: Groups and sessions

/// getpgid(2)
struct ProcessGroupCall: SimulatedCall {
  var target: ProcessTarget

  static var examples: [CallExample] { [("getpgid", ProcessGroupCall(target: .process(2)))] }

  var number: SystemCallNumber { .getpgid }
  var arguments: [CallArgument] { [.processes(target)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.groupOrSession(process, target) { $0.group }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ProcessGroupCall(target: generator.target(model))
  }
}

/// setpgid(2)
struct SetProcessGroupCall: SimulatedCall {
  var target: ProcessTarget
  var group: ProcessTarget

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("setpgid", SetProcessGroupCall(target: .process(2), group: .caller))]
  }

  var number: SystemCallNumber { .setpgid }
  var arguments: [CallArgument] { [.processes(target), .processes(group)] }
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { model.isGroupAwaited }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.setProcessGroup(process, target, group)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    let children = model.processes.values.filter { $0.parent == process.number }.map(\.number).sorted()
    let child = generator.random.pick(children).map { ProcessTarget.process($0) }
    let target = generator.random.chance(oneIn: 2) ? .caller : child ?? generator.target(model)
    return SetProcessGroupCall(
      target: target, group: generator.random.chance(oneIn: 2) ? .caller : generator.target(model))
  }
}

/// getsid(2)
struct SessionCall: SimulatedCall {
  var target: ProcessTarget

  static var weight: Int { 3 }
  static var examples: [CallExample] { [("getsid", SessionCall(target: .caller))] }

  var number: SystemCallNumber { .getsid }
  var arguments: [CallArgument] { [.processes(target)] }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.groupOrSession(process, target) { $0.session }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SessionCall(target: generator.random.chance(oneIn: 2) ? .caller : generator.target(model))
  }
}

/// setsid(2)
struct MakeSessionCall: SimulatedCall {
  static var weight: Int { 1 }
  static var examples: [CallExample] { [("setsid", MakeSessionCall())] }

  var number: SystemCallNumber { .setsid }
  var arguments: [CallArgument] { [] }
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool { model.isGroupAwaited }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.makeSession(process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.random.chance(oneIn: 2) ? MakeSessionCall() : nil
  }
}

extension ReferenceModel {
  /// Whether somebody waits for a group: a waiter whose child leaves it stays asleep on FreeBSD.
  fileprivate var isGroupAwaited: Bool {
    running.flatMap(\.blockedCalls).contains {
      guard let target = ($0 as? WaitCall)?.target else { return false }
      return identifier(target) <= 0 && target != .all
    }
  }
}
