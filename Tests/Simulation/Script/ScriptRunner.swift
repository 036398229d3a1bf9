// Runs scripts on a system and on the reference model side by side, draws new ones, and shrinks those that fail.

import ABI

/// What went wrong, and at which step.
public struct ScriptFailure: Error, CustomStringConvertible {
  /// The step that showed it.
  public let index: Int
  /// What was wrong.
  public let reason: String
  /// The script up to and with that step.
  public let steps: [ScriptStep]

  /// Describes a failure.
  public init(index: Int, reason: String, steps: [ScriptStep]) {
    self.index = index
    self.reason = reason
    self.steps = steps
  }

  /// The script as it can be pasted into a test.
  public var description: String {
    let lines = steps.map(\.source)
    return "step \(index): \(reason)\n[\n\(lines.joined(separator: "\n"))\n]"
  }
}

/// One system and its model.
public final class ScriptRunner {
  let system: any SimulatedSystem
  let model: ReferenceModel
  /// Steps performed.
  public private(set) var steps: [ScriptStep] = []
  /// Steps that changed maps, objects, names or memory.
  public private(set) var changingStepCount = 0
  /// Steps at whose end memory was short (`SimulatedHardware.isShort`).
  public private(set) var shortStepCount = 0
  /// Reservations that vm.overcommit refused.
  public var refusalCount: Int { model.refusalCount }
  /// Told of every step before it is performed.
  public var observer: ((ScriptStep) -> Void)?
  /// What a test does behind the kernel's back when a step has been performed, before anybody looks at what it gave.
  var meddler: ((KernelMachine, ScriptStep) -> Void)?
  /// The contents of clean pages are compared at one step in this many; invariants at all.
  public var contentCheckInterval = 16
  /// Whether the invariants are checked after a step; the comparison with the model always is.
  public var checksInvariants = InvariantChecks.always

  /// After which steps the invariants are checked.
  public enum InvariantChecks: Sendable {
    /// After every step.
    case always
    /// After steps in which the failure that they carry has happened: the others were checked in another run.
    case afterFailure
  }

  /// A runner for a freshly started system whose process 1 has this identifier.
  public init(_ system: any SimulatedSystem, identifier: Int32 = 1) {
    self.system = system
    let first = ModelProcess(number: 0, identifier: identifier, parent: 0)
    model = ReferenceModel(first: first, facts: system.facts)
    let isWhole = system.facts.isWhole
    first.memory = Program.initialMemory(of: 0, showing: isWhole ? model.programObject(Program.image) : nil)
    if !isWhole { first.memory[Program.text / 4096] = nil }
  }

  /// Set after a failure that leaves a transfer half done, and when somebody was killed because memory had run out: nothing can
  /// be compared any more.
  public private(set) var isModelLost = false

  /// The error, if the outcome is one that a failure may cause; −1 for the end of the process.
  private func refusal(_ step: ScriptStep, _ observed: Observation) -> Int32? {
    switch observed {
    case .error(let error): error
    case .ended: step.failure?.point.isTransfer == true ? -1 : nil
    // Its errors are values.
    case .value(let value) where step.operation.call is AllocateSpaceCall && value > 0: Int32(value)
    default: nil
    }
  }

  /// Performs one step on both and compares.
  public func perform(_ step: ScriptStep) throws(ScriptFailure) {
    if isModelLost { return }
    guard let process = model.processes[step.process], process.isRunnable,
      let thread = process.thread(step.thread), thread.isRunnable
    else { return }
    process.thread = thread
    if model.leavesOpen(step.operation, process) { return }
    if step.process == 0 && model.endsProcess(step.operation, process) { return }
    steps.append(step)
    observer?(step)
    if step.operation.changesState { changingStepCount += 1 }
    do throws(Difference) {
      let before = system.hardware.clock.nanoseconds + SimulatedClock.realTimeAtStart
      let countsFrames = model.overcommit & 5 == 5
      let pageable = countsFrames ? system.hardware.pageableFrameCount : 0
      model.figures.before = system.hardware.figures
      let available = system.hardware.availableFrameCount
      let performed = try system.perform(step)
      if let meddler, let machine = system as? KernelMachine { meddler(machine, step) }
      if try hasKilledForMemory(available) {
        isModelLost = true
        return
      }
      guard let observed = performed else {
        steps.removeLast()
        return
      }
      model.now = ModelInstant(
        earliest: before, latest: system.hardware.clock.nanoseconds + SimulatedClock.realTimeAtStart)
      model.figures.after = system.hardware.figures
      if countsFrames { model.notePageableFrames(pageable, system.hardware.pageableFrameCount) }
      model.consoleOutput = system.hardware.processor.takeConsoleOutput()
      model.outputs = system.outputs
      for input in system.inputs { process.store(input.bytes, at: input.address) }
      var unexpected: [UInt8] = []
      var isRefused = false
      if step.failure != nil && system.failureHappened, let error = refusal(step, observed) {
        isModelLost = !(try model.refuse(step, observed, error))
        isRefused = true
      } else {
        do throws(Difference) {
          try model.apply(model.performedPart(of: step, observed), by: step.process, observed)
        } catch {
          guard isRefusedForMemory(step, observed, available) else { throw error }
          isModelLost = true
          return
        }
      }
      if !isModelLost {
        let rest = try model.checkConsole()
        if !isRefused { unexpected = rest }
      }
      for output in system.outputs { process.store(output.bytes, at: output.address) }
      if !isModelLost { try noteArrivals() }
      try finishBlocked()
      if !isModelLost {
        try noteArrivals()
        try model.checkNothingIsDue()
      }
      if !isModelLost, let reservation = system.reservation { try model.check(reservation) }
      if system.hardware.isShort { shortStepCount += 1 }
      if checksInvariants == .always || step.failure != nil && system.failureHappened {
        let problems = system.problems(withContents: steps.count % contentCheckInterval == 0)
        if !problems.isEmpty { throw Difference(problems.prefix(5).joined(separator: "; ")) }
      }
      try checkSilence(unexpected)
    } catch { throw failure(error.description) }
  }

  /// Whether the kernel says that it killed somebody for memory, of which there was so much before the step.
  private func hasKilledForMemory(_ available: Int) throws(Difference) -> Bool {
    let text = String(decoding: system.hardware.processor.consoleOutput, as: UTF8.self)
    let isInitial = text.contains("process 1 ended: out of memory")
    guard isInitial || text.contains(" killed: out of memory") else { return false }
    if available > ScriptRunner.largestNeed {
      throw Difference("somebody was killed although there were \(available) frames to be had")
    }
    return true
  }

  /// Whether a call that may be refused for want of memory was, because hardly a frame was to be had: whether it then looks at
  /// anything else first is left open.
  private func isRefusedForMemory(_ step: ScriptStep, _ observed: Observation, _ available: Int) -> Bool {
    guard case .error(let error) = observed, let call = step.operation.call else { return false }
    return available <= ScriptRunner.headroom && call.memoryErrors.contains { $0.rawValue == error }
  }

  /// Frames that calls of users leave to those that can not be refused, on the small machines of the simulation.
  private static let headroom = 24

  /// Frames that no step needs.
  private static let largestNeed = 80

  /// The kernel has nothing to say for itself, unless it kills somebody for memory, or tells what a program died of.
  private func checkSilence(_ output: [UInt8]) throws(Difference) {
    let lines = String(decoding: output, as: UTF8.self).replacing("\r\n", with: "\n").split(separator: "\n")
    let others = lines.filter { !$0.contains(" (script) was killed by SIG") }
    if !others.isEmpty { throw Difference("the console shows \(others.joined(separator: "; "))") }
  }

  /// Handlers that have begun, and threads that came to ring 3 without. Who waited for a signal and has got it took that from
  /// the others.
  private func noteArrivals() throws(Difference) {
    guard let machine = system as? KernelMachine else { return }
    for (process, thread) in model.blockedThreads {
      guard let call = thread.blocked?.call as? TakeSignalCall else { continue }
      let actor = Actor.number(process: process.number, thread: thread.number)
      // What somebody got who has ended since, nobody can see.
      if machine.hasTakenSignal(actor, isPlain: call.kind == .plain), machine.fate(of: process.number) != .ended {
        try finish(process, thread, actor)
      }
    }
    try model.note(machine.takeArrivals()) { machine.fate(of: $0) }
  }

  /// Calls that were blocked and that the step made go on return now; others must not.
  private func finishBlocked() throws(Difference) {
    for (process, thread) in model.blockedThreads {
      if process.state != .running || thread.blocked == nil { continue }
      process.thread = thread
      let actor = Actor.number(process: process.number, thread: thread.number)
      if model.isReady(process) {
        try finish(process, thread, actor)
      } else if system.hasReturned(actor) {
        throw Difference("the call of process \(process.number) returned although it had to wait")
      }
    }
  }

  /// Waits for the call that a thread is blocked in, and compares what it gives.
  private func finish(_ process: ModelProcess, _ thread: ModelThread, _ actor: Int) throws(Difference) {
    process.thread = thread
    let observed = try system.finishBlocked(actor)
    // It took effect at some time between the step and now.
    model.now.latest = system.hardware.clock.nanoseconds + SimulatedClock.realTimeAtStart
    model.outputs = system.outputs
    model.consoleOutput = system.hardware.processor.takeConsoleOutput()
    try model.complete(process, observed)
    try checkSilence(model.checkConsole())
    for output in system.outputs { process.store(output.bytes, at: output.address) }
  }

  /// Ends all processes and checks that nothing is left.
  public func finish() throws(ScriptFailure) {
    let problems = system.shutDown()
    if !problems.isEmpty { throw failure("at the end: " + problems.prefix(5).joined(separator: "; ")) }
  }

  private func failure(_ reason: String) -> ScriptFailure {
    // A system that went wrong cannot be taken apart safely: it is never released.
    // SAFETY: the extra count is never given back, on purpose.
    _ = unsafe Unmanaged<AnyObject>.passRetained(system)
    // Of what somebody died the console says.
    let text = String(decoding: system.hardware.processor.consoleOutput, as: UTF8.self)
    let deaths = text.replacing("\r\n", with: "\n").split(separator: "\n").filter { $0.contains(" was killed by ") }
    let said = deaths.isEmpty ? "" : " (\(deaths.joined(separator: "; ")))"
    return ScriptFailure(index: steps.count - 1, reason: reason + said, steps: steps)
  }
}
