// The heap use of events: measured, and compared with what they declare (DESIGN, "Running out of memory").
import Primitives
@testable import Simulation
@testable import SystemCalls
import Testing

@Suite struct SimulationHeapTests {
  private func run(_ steps: [ScriptStep], planting name: String? = nil) throws -> KernelMachine {
    let machine = try KernelMachine(HardwareConfiguration())
    if let name { machine.kernel.monitor?.plantedExcess = machine.kernel.monitor?.kind(named: name) }
    let runner = ScriptRunner(machine)
    for step in steps { try runner.perform(step) }
    return machine
  }

  private static let steps = [
    ScriptStep(0, SharedMemoryOpenCall(name: "/object", flags: .createReadWrite, mode: 0o600)),
    ScriptStep(0, TruncateCall(descriptor: 3, length: 8192)),
    ScriptStep(0, StatusCall(descriptor: 3)), ScriptStep(0, ForkCall(child: 1)), ScriptStep(1, ExitCall(status: 0)),
  ]

  @Test func `events that allocate are seen to allocate, and the others are not`() throws {
    let machine = try run(Self.steps)
    var largest: [String: HeapAmount] = [:]
    machine.kernel.monitor?.forEachKind { largest[$0.name] = $0.largest }
    // The machine comes to its end in any case: one that is dropped with programs in it traps.
    #expect(machine.shutDown() == [])
    // The kernel says so itself at the end.
    let text = String(decoding: machine.hardware.processor.consoleOutput, as: UTF8.self)
    #expect(text.contains("\r\nmartlet: heap use of fstat: 0 objects, 0 bytes of "))
    guard SimulatedHeap.isMeasured else { return }
    #expect(largest["shm_open2"]?.objectCount == 3)
    #expect(largest["fork"]?.objectCount == 5)
    #expect(largest["ftruncate"]?.objectCount == 0)
    #expect(largest["fstat"]?.objectCount == 0)
    #expect(largest["exit"]?.objectCount == 0)
    #expect(largest["between events"]?.objectCount == 0)
    #expect(machine.kernel.monitor?.excess == nil)
  }

  @Test(arguments: ["fstat", "fork", "shm_open2", "between events"])
  func `an event that takes more than it declares fails the step`(name: String) throws {
    guard SimulatedHeap.isMeasured else { return }
    let failure = #expect(throws: ScriptFailure.self) { try run(Self.steps, planting: name) }
    #expect(failure?.reason.hasPrefix("\(name) takes ") == true, "\(failure?.reason ?? "nothing")")
  }

  @Test func `the excess that the kernel option plants fails the step`() throws {
    guard SimulatedHeap.isMeasured else { return }
    let machine = try KernelMachine(HardwareConfiguration())
    #expect(machine.kernel.plantViolation(Array("heap-use".utf8)))
    let runner = ScriptRunner(machine)
    let failure = #expect(throws: ScriptFailure.self) {
      for step in Self.steps { try runner.perform(step) }
    }
    #expect(failure?.reason.hasPrefix("between events takes ") == true, "\(failure?.reason ?? "nothing")")
  }

  @Test func `no event declares more than the reserve holds`() {
    for declaration in SystemCallTable().declarations {
      let bound = declaration.demand.heapBound
      #expect(bound.objectCount + HeapLimits.fault.objectCount <= HeapLimits.reservePageCount)
      #expect(bound.byteCount <= bound.objectCount * HeapLimits.largestObjectByteCount)
    }
  }
}
