// Random scripts, drawn from a seed, on the memory system alone or on the whole kernel.

/// What a simulation runs.
public enum SimulationKind: String, Sendable {
  /// Address spaces and objects only.
  case memory
  /// The whole kernel.
  case kernel
  /// The whole kernel, the calls that are rare otherwise drawn as often as the others together.
  case calls
}

/// Runs and shrinks random scripts.
public struct RandomSimulation {
  /// The machine.
  public var hardware = HardwareConfiguration()
  /// The seed of the script; the machine's own is derived from it.
  public var seed: UInt64
  /// What runs.
  public var kind: SimulationKind

  /// A simulation whose machine and script are drawn from `seed`.
  public init(_ kind: SimulationKind, seed: UInt64) {
    self.kind = kind
    self.seed = seed
    var random = SeededGenerator(seed: seed ^ 0x5EED)
    hardware.seed = seed
    let frameCounts = kind != .memory ? [92, 96, 104, 112, 128, 160, 512] : [64, 72, 80, 96, 112, 160, 512]
    hardware.frameCount = random.pick(frameCounts) ?? 512
    hardware.swapBlockCount = random.chance(oneIn: 5) ? 0 : 600
    if limitsReservations && hardware.swapBlockCount > 0 {
      // As much as a few processes reserve, whose stacks alone are 32 pages each.
      hardware.swapBlockCount = random.pick([100, 200, 300, 400, 600, 900]) ?? 600
    }
    // Further devices: the scripts live without them, too.
    if hardware.swapBlockCount > 0 && seed % 3 == 0 { hardware.secondSwapBlockCount = 60 + UInt32(seed % 7) * 40 }
    if hardware.frameCount >= 160 && seed % 2 == 1 { hardware.compressedPageCount = 300 }
    hardware.frameCount += hardware.swapTableFrameCount
    hardware.immediateTransferOneIn = random.pick([1, 2, 1_000_000]) ?? 1
    hardware.consoleIsSlow = kind != .memory && seed % 4 == 2
    // One seed in three cuts calls into small steps.
    if seed % 3 == 1 { hardware.unitsPerTurn = 1 + Int(seed / 3 % 12) }
    if seed % 5 == 4 { hardware.turnNanoseconds = 10_000_000 }
  }

  /// Whether the script is about vm.overcommit too: two seeds in five.
  private var limitsReservations: Bool { kind != .memory && seed % 5 < 2 }

  /// Pages of content that scripts may keep alive on this machine.
  var pageBudget: Int {
    hardware.swapBlockCount == 0 ? max(20, hardware.frameCount / 2 - 40) : hardware.frameCount + 150
  }

  private func start() throws(Difference) -> any SimulatedSystem {
    switch kind {
    case .memory: try MemoryMachine(hardware)
    case .kernel, .calls: try KernelMachine(hardware)
    }
  }

  /// What a run did.
  public struct Summary: Sendable {
    /// What went wrong, if anything did.
    public var failure: ScriptFailure?
    /// Steps performed and compared.
    public var stepCount = 0
    /// Those that changed maps, objects, names or memory.
    public var changingStepCount = 0
    /// Those at whose end memory was short.
    public var shortStepCount = 0
    /// Reservations that vm.overcommit refused.
    public var refusalCount = 0

    fileprivate mutating func add(_ runner: ScriptRunner) {
      stepCount += runner.steps.count
      changingStepCount += runner.changingStepCount
      shortStepCount += runner.shortStepCount
      refusalCount += runner.refusalCount
    }
  }

  /// Draws and runs `stepCount` steps, all on one machine unless a failed transfer leaves something that the specification
  /// does not say: then a fresh one goes on.
  ///
  /// `started` is told of every machine before its first step.
  public func run(
    stepCount: Int, started: (() -> Void)? = nil, observer: ((ScriptStep) -> Void)? = nil
  ) -> Summary {
    run(stepCount: stepCount, started: started, observer: observer, meddler: nil)
  }

  /// The same with mistakes that a test plants (`ScriptRunner.meddler`).
  func run(
    stepCount: Int, started: (() -> Void)? = nil, observer: ((ScriptStep) -> Void)? = nil,
    meddler: ((KernelMachine, ScriptStep) -> Void)?
  ) -> Summary {
    var summary = Summary()
    var generator = OperationGenerator(seed: seed)
    generator.isMemoryOnly = kind == .memory
    generator.pageBudget = pageBudget
    generator.limitsReservations = limitsReservations
    generator.pageableFrameCount = hardware.frameCount * 3 / 4
    generator.drawsEveryCall = kind == .calls
    generator.catchesSignals = kind != .memory
    // Every other seed meets failures; without them the kernel never refuses for want of memory.
    generator.failsOneIn = seed % 2 == 0 && kind != .memory ? 12 : 0
    while summary.stepCount < stepCount && summary.failure == nil {
      let machine: any SimulatedSystem
      do throws(Difference) { machine = try start() } catch {
        summary.failure = ScriptFailure(index: 0, reason: error.description, steps: [])
        break
      }
      let runner = ScriptRunner(machine)
      runner.observer = observer
      runner.meddler = meddler
      generator.startMachine()
      started?()
      do throws(ScriptFailure) {
        while summary.stepCount + runner.steps.count < stepCount && !runner.isModelLost {
          guard let process = generator.random.pick(runner.model.runnable) else { break }
          if let step = generator.step(runner.model, process) { try runner.perform(step) }
        }
        try runner.finish()
      } catch { summary.failure = error }
      summary.add(runner)
    }
    return summary
  }

  /// Runs a script on a fresh machine.
  public func replay(_ steps: [ScriptStep]) -> ScriptFailure? {
    guard let machine = try? start() else { return nil }
    let runner = ScriptRunner(machine)
    do throws(ScriptFailure) {
      for step in steps { try runner.perform(step) }
      try runner.finish()
      return nil
    } catch { return error }
  }

  /// The shortest script that still fails.
  public func shrink(_ failure: ScriptFailure) -> ScriptFailure {
    ScriptShrinker(replay).shrink(failure)
  }
}
