// Releasing very long chains and very large objects: bounded stack, and cut into steps (issue 3, acceptance 5).
import Foundation
import Simulation
import Synchronization
import Testing

@testable import Memory

@Suite struct SimulationTeardownTests {
  /// Runs `body` on a thread with a stack of 128 KiB.
  private func onSmallStack(_ body: @escaping @Sendable () -> Int) -> Int {
    let done = DispatchSemaphore(value: 0)
    let result = Atomic<Int>(0)
    let thread = Thread {
      result.store(body(), ordering: .relaxed)
      done.signal()
    }
    thread.stackSize = 128 << 10
    thread.start()
    done.wait()
    return result.load(ordering: .relaxed)
  }

  @Test func `a chain of 100,000 owners is released in steps and on a small stack`() {
    let steps = onSmallStack {
      let hardware = SimulatedHardware(HardwareConfiguration())
      let system = hardware.system
      var top = VMObjectReference(VMObject(system, .anonymous, pageCount: 1))
      for _ in 1..<100_000 {
        let next = VMObject(system, .anonymous, pageCount: 1)
        next.attachBacking(consume top, offset: 0)
        top = VMObjectReference(next)
      }
      guard system.counters.liveObjects == 100_000 else { return 0 }
      _ = consume top
      var steps = 0
      while !system.drainTeardown(budget: 1000) { steps += 1 }
      return system.counters.liveObjects == 0 ? steps : 0
    }
    #expect(steps >= 50)
  }

  @Test func `an object of 64 MiB is released in steps`() throws {
    var configuration = HardwareConfiguration()
    configuration.frameCount = 17_200
    configuration.swapBlockCount = 0
    let hardware = SimulatedHardware(configuration)
    let system = hardware.system
    let before = system.freeFrameCount
    let reference = try VMObject.make(system, .sharedMemory, pageCount: 16_384)
    for index in 0..<UInt64(16_384) {
      guard case .frame = reference.object.page(at: index, for: .write) else {
        Issue.record("no frame for page \(index)")
        return
      }
    }
    _ = consume reference
    #expect(system.hasTeardown)
    var steps = 0
    var held = system.freeFrameCount
    while !system.drainTeardown(budget: 64) {
      steps += 1
      #expect(system.freeFrameCount <= held + 70)
      held = system.freeFrameCount
    }
    #expect(steps >= 250)
    system.trim()
    #expect(system.freeFrameCount == before)
  }
}
