// Calls that change the map of a process: what they need, what they give back, and where mappings are put.

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct MappingCallTests {
  private let area: UInt64 = 0x1_0000_0000
  private let anonymous: UInt64 = .fixedPrivateMemory
  private let nobody = UInt64.max

  @Test func `cutting a mapping in two waits for memory rather than fail`() throws {
    let kernel = try TestKernel()
    kernel.call(.mmap, area, 16 * 4096, 3, anonymous, nobody, 0)
    // The pool of map entries is full, so that the second half needs a frame.
    var page: UInt64 = 0
    let entries = kernel.hardware.system.inspectedMapEntries
    let capacity = 4096 / MemoryLayout<UInt64>.stride
    while kernel.hardware.system.inspectedMapEntries.frameCount == entries.frameCount && page < UInt64(capacity) {
      kernel.call(.mmap, area + 0x1000_0000 + page * 8192, 4096, 3, anonymous, nobody, 0)
      page += 1
    }
    // One fewer than what took a new frame, and that frame given back.
    kernel.call(.munmap, area + 0x1000_0000 + (page - 1) * 8192, 4096)
    kernel.hardware.system.trim()
    kernel.hardware.services.failures.fail(.frame, number: 1)
    #expect(kernel.call(.munmap, area + 4 * 4096, 4096) == CallResult(value: 0, failed: false))
    #expect(kernel.hardware.services.failures.count(.frame) > 0)
    kernel.hardware.services.failures.disarm()
    #expect(kernel.store([1], at: area + 5 * 4096))
  }

  @Test func `parts of private memory that are unmapped are given back`() throws {
    let kernel = try TestKernel()
    kernel.call(.mmap, area, 200 * 4096, 3, anonymous, nobody, 0)
    for page in 0..<UInt64(200) { kernel.store([UInt8(page)], at: area + page * 4096) }
    let free = kernel.hardware.system.freeFrameCount
    kernel.call(.munmap, area + 10 * 4096, 50 * 4096)
    kernel.call(.munmap, area, 5 * 4096)
    kernel.call(.munmap, area + 195 * 4096, 5 * 4096)
    #expect(kernel.hardware.system.freeFrameCount >= free + 60)
    #expect(kernel.load(area + 5 * 4096, 1) == [5])
    #expect(kernel.load(area + 60 * 4096, 1) == [60])
    // Also what is all of a mapping that was cut off from the rest.
    kernel.call(.munmap, area + 5 * 4096, 5 * 4096)
    #expect(kernel.hardware.system.freeFrameCount >= free + 65)
    kernel.call(.mprotect, area + 100 * 4096, 4096, 1)
    kernel.call(.munmap, area + 101 * 4096, 94 * 4096)
    #expect(kernel.hardware.system.freeFrameCount >= free + 159)
    // What a child sees must stay.
    _ = kernel.fork()
    kernel.call(.munmap, area + 60 * 4096, 10 * 4096)
    let (_, status) = kernel.wait {
      #expect(kernel.load(area + 60 * 4096, 1) == [60])
      kernel.exit()
    }
    #expect(status == .exited(0))
  }

  @Test func `MAP_32BIT stays below 2 GiB`() throws {
    let kernel = try TestKernel()
    let low: UInt64 = 1 << 31
    let first = try #require(kernel.call(.mmap, 0, 4096, 3, 0x81002, nobody, 0))
    #expect(!first.failed && first.value < low)
    // Everything from there to 2 GiB but two pages is taken.
    #expect(
      kernel.call(.mmap, first.value + 4096, low - first.value - 3 * 4096, .noAccess, .fixedPrivateMemory, nobody, 0)?
        .failed == false)
    #expect(kernel.call(.mmap, 0x1000, 0x3f_f000, .noAccess, .fixedPrivateMemory, nobody, 0)?.failed == false)
    let before = try #require(kernel.call(.mmap, 0, 8192, 3, 0x81002, nobody, 0))
    #expect(before.value == low - 8192 || before.value < first.value)
    var last = before
    while !last.failed {
      #expect(last.value + 4096 <= low)
      last = try #require(kernel.call(.mmap, 0, 4096 * 64, 3, 0x81002, nobody, 0))
    }
    #expect(last.errno == .enomem)
    #expect(kernel.call(.mmap, 0, 4096 * 64, .readWrite, .privateMemory, nobody, 0)?.failed == false)
  }
}
