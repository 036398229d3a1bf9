// Random scripts, drawn from a seed, on the memory system alone or on the whole kernel.

/// What a simulation runs.
public enum SimulationKind: String, Sendable {
  /// Address spaces and objects only.
  case memory
  /// The whole kernel.
  case kernel
}

/// Runs and shrinks random scripts.
public struct RandomSimulation {
  /// The machine.
  public var hardware = HardwareConfiguration()
  /// The seed of the script; the machine's own is derived from it.
  public var seed: UInt64
  /// What runs.
  public var kind: SimulationKind
  /// Half of the operations are drawn from the rarer ones.
  public var drawsEveryCall = false

  /// A simulation whose machine and script are drawn from `seed`.
  public init(_ kind: SimulationKind, seed: UInt64) {
    self.kind = kind
    self.seed = seed
    var random = SeededGenerator(seed: seed ^ 0x5EED)
    hardware.seed = seed
    hardware.frameCount = [96, 96, 128, 128, 192, 256, 512][random.number(below: 7)]
    if kind == .kernel { hardware.frameCount = min(512, hardware.frameCount + 40) }
    hardware.swapBlockCount = random.chance(oneIn: 5) ? 0 : 600
    hardware.immediateTransferOneIn = random.pick([1, 2, 1_000_000]) ?? 1
  }

  /// Pages of content that scripts may keep alive on this machine.
  var pageBudget: Int {
    hardware.swapBlockCount == 0 ? max(20, hardware.frameCount / 2 - 40) : hardware.frameCount + 150
  }

  private func start() throws(Difference) -> any SimulatedSystem {
    switch kind {
    case .memory: try MemoryMachine(hardware)
    case .kernel: try KernelMachine(hardware)
    }
  }

  /// Draws and runs `stepCount` steps; nil when there was no difference.
  public func run(stepCount: Int, observer: ((ScriptStep) -> Void)? = nil) -> (failure: ScriptFailure?, changing: Int) {
    let machine: any SimulatedSystem
    do throws(Difference) { machine = try start() } catch {
      return (ScriptFailure(index: 0, reason: error.description, steps: []), 0)
    }
    let runner = ScriptRunner(machine)
    runner.observer = observer
    var generator = OperationGenerator(seed: seed)
    generator.isMemoryOnly = kind == .memory
    generator.pageBudget = pageBudget
    generator.drawsEveryCall = drawsEveryCall
    // Every other seed meets failures; without them the kernel never refuses for want of memory.
    generator.failsOneIn = seed % 2 == 0 && kind == .kernel ? 12 : 0
    do throws(ScriptFailure) {
      while runner.steps.count < stepCount && !runner.isModelLost {
        guard let process = generator.random.pick(runner.model.runnable) else { break }
        if let step = generator.step(runner.model, process) { try runner.perform(step) }
      }
      try runner.finish()
      return (nil, runner.changingStepCount)
    } catch { return (error, runner.changingStepCount) }
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
