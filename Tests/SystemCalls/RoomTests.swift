// Who pays for frames: reclaiming costs those who take some, and holds up nobody else (Kernel+Next.swift, "Room").

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct RoomTests {
  private static let pageCount: UInt64 = 2000

  /// A machine whose time passes with the pages that the kernel looks at, and only so.
  private func makeKernel() throws -> TestKernel {
    let kernel = try TestKernel(frames: 1024, swapBlocks: 2048)
    let system = kernel.hardware.system
    kernel.hardware.clock.ofWork = { UInt64(system.counters.pagesExamined) * 10_000 }
    return kernel
  }

  /// Process 2 takes frames until there are too few, or none to be had, while everything is in use all the time; then
  /// process 1 runs. Returns what uses everything again.
  private func fill(_ kernel: TestKernel, until isEnough: () -> Bool) throws -> () -> Void {
    let minusOne = UInt64.max
    let address = try #require(kernel.call(.mmap, 0, Self.pageCount * 4096, .readWrite, .sharedMemory, minusOne, 0))
      .value
    var pages: UInt64 = 0
    func useAll() {
      for page in 0..<pages {
        _ = try? kernel.hardware.processor.memoryUnit.loadBytes(at: address + page * 4096, byteCount: 1)
      }
    }
    #expect(kernel.fork() == 2)
    kernel.run(2)
    while !isEnough() && pages < Self.pageCount {
      kernel.touch(address + pages * 4096)
      pages += 1
      if kernel.hardware.system.isShort { useAll() }
    }
    #expect(isEnough())
    kernel.run(1)
    // Process 1 has its own translations.
    for page in 0..<pages - 1 { kernel.touch(address + page * 4096) }
    return useAll
  }

  @Test func `who takes no frames pays for none`() throws {
    let kernel = try makeKernel()
    let system = kernel.hardware.system
    let useAll = try fill(kernel) { system.freeFrameCount < 30 && system.isShort }
    let before = system.counters.pagesExamined
    for _ in 0..<50 {
      #expect(kernel.call(.getpgid, 0)?.integer == 1)
      useAll()
    }
    #expect(system.isShort)
    #expect(system.counters.pagesExamined - before <= 2 * SystemCallLimits.reclaimLooks)
  }

  @Test func `who waits for frames gets some while others go on running`() throws {
    let kernel = try makeKernel()
    let scheduler = kernel.kernel.processes.scheduler
    let useAll = try fill(kernel) { scheduler.frameWaiterCount == 1 }
    useAll()
    for _ in 0..<200 where scheduler.frameWaiterCount == 1 {
      kernel.hardware.clock.advance(by: 1_000_000)
      #expect(kernel.call(.getpgid, 0)?.failed == false)
    }
    #expect(scheduler.frameWaiterCount == 0)
    kernel.run(2)
  }
}
