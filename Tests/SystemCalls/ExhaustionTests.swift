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
    kernel.call(.mmap, area, pages * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    var page: UInt64 = 0
    while page < pages {
      if kernel.context == first {
        // What has been written out is its, when process 1 has used up its turns.
        for _ in 0..<6 where kernel.context == first {
          kernel.call(.schedYield)
          kernel.hardware.clock.advance(by: ProcessLimits.turnNanoseconds)
        }
        if kernel.context == first { break }
      }
      kernel.store([1], at: area + page * 4096)
      page += 1
    }
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

  @Test(arguments: [0, 300] as [UInt32]) func `events do not look at all pages again`(swapBlocks: UInt32) throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: swapBlocks)
    exhaust(kernel, pages: 3000)
    let yields = examined(kernel, events: 1000) { kernel.call(.schedYield) }
    #expect(yields < 4000, "\(yields)")
    let refusals = examined(kernel, events: 1000) {
      #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.errno == .enfile)
    }
    #expect(refusals < 4000, "\(refusals)")
  }

  @Test func `events do not look at all pages again when the device fails`() throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: 2000)
    kernel.hardware.swap?.behaviour.failsWrites = true
    exhaust(kernel, pages: 3000)
    let yields = examined(kernel, events: 1000) { kernel.call(.schedYield) }
    #expect(yields < 10_000, "\(yields)")
  }

  @Test(arguments: [0, 300] as [UInt32]) func `calls that give back are never refused`(swapBlocks: UInt32) throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: swapBlocks)
    let first = kernel.context
    kernel.call(.shmOpen2, kernel.string("/back"), .createReadWrite, 0o600, 0, 0)
    kernel.call(.ftruncate, 3, 8 * 4096)
    let low: UInt64 = 0x2_0000_0000
    kernel.call(.mmap, low, 8 * 4096, .readWrite, .fixedSharedFile, 3, 0)
    for page in 0..<UInt64(8) { kernel.store([1], at: low + page * 4096) }
    kernel.call(.mmap, low + 0x10_0000, 64 * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    for page in 0..<UInt64(64) { kernel.store([1], at: low + 0x10_0000 + page * 4096) }
    let end = try #require(kernel.kernel.inspectedProcesses.process(1)?.addressSpace?.program.dataEnd)
    #expect(kernel.call(.break, end + 4 * 4096)?.failed == false)
    _ = kernel.string("/back")
    exhaust(kernel, pages: 3000)
    func isDone(_ what: String, _ result: CallResult?) {
      #expect(kernel.context == first && result?.failed == false, "\(what): \(String(describing: result))")
    }
    // What takes is refused, or would be.
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.errno == .enfile)
    #expect(kernel.call(.ftruncate, 3, 9 * 4096)?.errno == .enomem)
    let middle = low + 0x10_0000
    for page in [20, 21, 40] as [UInt64] {
      isDone("mprotect", kernel.call(.mprotect, middle + page * 4096, 4096, page == 21 ? 0 : 1))
    }
    isDone("munmap", kernel.call(.munmap, middle + 30 * 4096, 4096))
    isDone("break", kernel.call(.break, end))
    isDone("ftruncate in the middle of a page", kernel.call(.ftruncate, 3, 3 * 4096 + 100))
    isDone("ftruncate", kernel.call(.ftruncate, 3, 0))
    // Its path may be in swap, and then needs a frame like any other page.
    if swapBlocks == 0 { isDone("shm_unlink", kernel.call(.shmUnlink, TestKernel.data)) }
    isDone("close", kernel.call(.close, 3))
  }

  /// Processes that have been told to end.
  private func doomed(_ kernel: TestKernel) -> Int {
    var count = 0
    kernel.kernel.inspectedProcesses.inspectProcesses { if $0.pendingSignals.contains(.sigkill) { count += 1 } }
    return count
  }

  @Test func `one process at a time is killed`() throws {
    let kernel = try TestKernel(frames: 1024)
    for _ in 0..<2 {
      let sleeper = kernel.fork()
      kernel.run(sleeper)
      kernel.storeWord(1_000_000, at: TestKernel.data)
      kernel.storeWord(0, at: TestKernel.data + 8)
      kernel.call(.nanosleep, TestKernel.data, 0)
    }
    exhaust(kernel, pages: 3000)
    kernel.hardware.clock.advance(by: 1_100_000_000)
    // Each tick looks at some pages, until all have been found to be of no use.
    var ticks = 0
    while doomed(kernel) == 0 && ticks < 40 {
      kernel.kernel.timerTick()
      kernel.kernel.serveShortage()
      ticks += 1
    }
    // Two ticks, and what follows them before anybody has a turn: the first victim has not even begun to end.
    for _ in 0..<2 {
      kernel.kernel.timerTick()
      for _ in 0..<10 { kernel.kernel.serveShortage() }
      #expect(doomed(kernel) == 1)
    }
    kernel.advance()
  }

  @Test func `nobody is killed when the device works again`() throws {
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
