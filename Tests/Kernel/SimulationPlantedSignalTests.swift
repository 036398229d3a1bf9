// Mistakes about signals and threads, made behind the kernel's back while random scripts run: seeds of `make test` have to notice
// each of them.
import ABI
import Primitives
import SystemCalls
import Testing

@testable import Processes
@testable import Simulation

/// Says nothing to anyone.
private final class SilentWaker: Waker {}

@Suite struct SimulationPlantedSignalTests {
  /// What the first of 160 seeds says that notices a mistake; nil when none does. Those from `first` on are tried before the
  /// others, which would take long to say nothing.
  private func objection(
    from first: UInt64 = 1, _ meddler: @escaping (KernelMachine, ScriptStep) -> Void
  ) -> String? {
    for seed in Array(first...160) + Array(1..<first) {
      let summary = RandomSimulation(.calls, seed: seed).run(stepCount: 800, meddler: meddler)
      if let failure = summary.failure { return failure.reason }
    }
    return nil
  }

  private func thread(_ machine: KernelMachine, _ actor: Int) -> Thread? {
    machine.threadIdentifiers[actor].flatMap { machine.kernel.inspectedProcesses.thread($0) }
  }

  private func forEachThread(_ machine: KernelMachine, _ body: (Thread, Process) -> Void) {
    let processes = machine.kernel.inspectedProcesses
    processes.inspectProcesses { process in
      if process.state != .running { return }
      processes.forEachThread(of: process) { body($0, process) }
    }
  }

  @Test func `a signal for a thread that holds it back is noticed when it is delivered`() {
    let reason = objection(from: 74) { machine, _ in
      forEachThread(machine) { thread, process in
        let pending = thread.signals.queue.pending.union(process.signalQueue.pending)
        let held = pending.intersection(process.caughtSignals).intersection(thread.signals.mask)
        thread.signals.mask = thread.signals.mask.subtracting(held)
      }
    }
    #expect(reason != nil)
  }

  @Test func `a mask that is not restored by sigreturn is noticed`() {
    let reason = objection(from: 37) { machine, step in
      guard step.operation.call is SignalReturnCall else { return }
      thread(machine, step.actor)?.signals.mask.insert(.sigusr1)
    }
    #expect(reason != nil)
  }

  @Test func `a signal of a thread that is lost when another thread ends is noticed`() {
    let reason = objection { machine, step in
      guard step.operation.call is ThreadExitCall else { return }
      forEachThread(machine) { thread, process in
        machine.kernel.inspectedProcesses.discard(thread.signals.queue.pending, process, thread)
      }
    }
    #expect(reason != nil)
  }

  @Test func `a wake-up of another thread than the first in the line is noticed`() {
    let reason = objection { machine, step in
      guard let wake = step.operation.call as? WordWakeCall, wake.operation == 16 else { return }
      forEachThread(machine) { thread, process in
        if case .process(.userSleep(.asleep)) = thread.continuation {
          machine.kernel.inspectedProcesses.endUserSleep(thread)
          machine.kernel.inspectedProcesses.scheduler.unpark(thread.slot)
        }
      }
    }
    #expect(reason != nil)
  }

  @Test func `an interrupted call that is not made again is noticed`() {
    let reason = objection { machine, _ in
      forEachThread(machine) { thread, _ in
        if thread.signals.sleepEnd == .restart { thread.signals.sleepEnd = .fail }
        machine.kernel.inspectedProcesses.inspectProcesses { process in
          if let actions = process.actions { actions.record.interrupts = .all }
        }
      }
    }
    #expect(reason != nil)
  }

  @Test func `an action that is not forgotten after it was for once is noticed`() throws {
    let machine = try KernelMachine(HardwareConfiguration())
    let runner = ScriptRunner(machine)
    try runner.perform(ScriptStep(0, ForkCall(child: 1)))
    try runner.perform(
      ScriptStep(1, SignalActionCall(signal: 30, handler: 42, flags: 0x14, mask: [], wantsOld: false)))
    runner.meddler = { machine, _ in
      machine.kernel.inspectedProcesses.inspectProcesses { process in
        if let actions = process.actions { actions.record.resetsHandler = SignalSet() }
      }
    }
    try runner.perform(ScriptStep(0, KillCall(target: .process(1), signal: 30)))
    #expect(throws: ScriptFailure.self) {
      try runner.perform(
        ScriptStep(1, SignalActionCall(signal: 30, handler: nil, flags: 0, mask: [], wantsOld: true)))
    }
  }

  @Test func `a poller that nobody wakes is noticed`() throws {
    let machine = try KernelMachine(HardwareConfiguration())
    let runner = ScriptRunner(machine)
    try runner.perform(ScriptStep(0, PipeCall(flags: 0)))
    try runner.perform(ScriptStep(0, ForkCall(child: 1)))
    let entries = [PollEntry(descriptor: 3, events: 1)]
    try runner.perform(ScriptStep(1, PollCall(entries: entries, milliseconds: -1)))
    let silent = SilentWaker()
    machine.hardware.services.waker = BackReference(silent)
    #expect(throws: ScriptFailure.self) {
      try runner.perform(ScriptStep(0, WriteCall(descriptor: 4, address: Program.buffer, byteCount: 10)))
    }
    withExtendedLifetime(silent) {}
  }
}
