// Memory is exhausted and threads wait for frames: what everybody else's events cost meanwhile.

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ExhaustionTests {
  private let area: UInt64 = 0x1_0000_0000

  /// Process 2 stores to page after page until it has to wait for a frame; process 1 runs again.
  private func exhaust(_ kernel: TestKernel, pages: UInt64) {
    _ = kernel.fork()
    let first = kernel.context
    kernel.call(.schedYield)
    kernel.call(.mmap, area, pages * 4096, 3, 0x1012, UInt64.max, 0)
    for page in 0..<pages where kernel.context != first { kernel.store([1], at: area + page * 4096) }
    #expect(kernel.context == first)
    #expect(kernel.kernel.inspectedProcesses.scheduler.frameWaiterCount == 1)
  }

  /// Events of process 1 while process 2 waits; how many pages were looked at.
  private func examined(_ kernel: TestKernel, events: Int, _ event: () -> Void) -> Int {
    let before = kernel.hardware.system.counters.pagesExamined
    for _ in 0..<events { event() }
    #expect(kernel.kernel.inspectedProcesses.scheduler.frameWaiterCount == 1)
    return kernel.hardware.system.counters.pagesExamined - before
  }

  @Test(arguments: [0, 300] as [UInt32]) func eventsDoNotLookAtAllPagesAgain(swapBlocks: UInt32) throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: swapBlocks)
    exhaust(kernel, pages: 3000)
    let yields = examined(kernel, events: 1000) { kernel.call(.schedYield) }
    #expect(yields < 4000, "\(yields)")
    let refusals = examined(kernel, events: 1000) {
      #expect(kernel.call(.shmOpen2, 1, 2, 0, 0, 0)?.errno == .enfile)
    }
    #expect(refusals < 4000, "\(refusals)")
  }

  @Test func eventsDoNotLookAtAllPagesAgainWhenTheDeviceFails() throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: 2000)
    kernel.hardware.swap?.behaviour.failsWrites = true
    exhaust(kernel, pages: 3000)
    let yields = examined(kernel, events: 1000) { kernel.call(.schedYield) }
    #expect(yields < 10_000, "\(yields)")
  }

  /// Processes that have been told to end.
  private func doomed(_ kernel: TestKernel) -> Int {
    var count = 0
    kernel.kernel.inspectedProcesses.inspectProcesses { if $0.pendingSignals.contains(.sigkill) { count += 1 } }
    return count
  }

  @Test func oneProcessAtATimeIsKilled() throws {
    let kernel = try TestKernel(frames: 1024)
    let sleeper = kernel.fork()
    kernel.run(sleeper)
    kernel.storeWord(1_000_000, at: TestKernel.data)
    kernel.storeWord(0, at: TestKernel.data + 8)
    kernel.call(.nanosleep, TestKernel.data, 0)
    exhaust(kernel, pages: 3000)
    kernel.hardware.clock.advance(by: 1_100_000_000)
    // Two ticks, before anybody has had a turn: the first victim has not even begun to end.
    kernel.kernel.timerTick()
    #expect(doomed(kernel) == 1)
    kernel.kernel.timerTick()
    #expect(doomed(kernel) == 1)
    kernel.advance()
  }

  @Test func nobodyIsKilledWhenTheDeviceWorksAgain() throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: 4000)
    kernel.hardware.swap?.behaviour.failsWrites = true
    exhaust(kernel, pages: 3000)
    kernel.call(.schedYield)
    kernel.hardware.swap?.behaviour.failsWrites = false
    kernel.hardware.clock.advance(by: 1_100_000_000)
    kernel.kernel.timerTick()
    #expect(doomed(kernel) == 0)
    kernel.advance()
  }
}
