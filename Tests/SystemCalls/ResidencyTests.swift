// ru_maxrss: the most memory of a process at a time, in KiB (getrusage(2)).

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ResidencyTests {
  private let page: UInt64 = 4096
  private let data = TestKernel.data
  private let area: UInt64 = 0x10_0000_0000

  private func maximum(_ kernel: TestKernel, _ who: UInt64 = 0) -> Int {
    #expect(kernel.call(.getrusage, who, data + 0x400)?.integer == 0)
    return Int(kernel.loadWord(data + 0x400 + 32))
  }

  private func map(_ kernel: TestKernel, pages: UInt64) {
    #expect(kernel.call(.mmap, area, pages * page, .readWrite, .fixedPrivateMemory, UInt64.max, 0)?.value == area)
  }

  private func touch(_ kernel: TestKernel, pages: UInt64) {
    for index in 0..<pages { kernel.store([1], at: area + index * page) }
  }

  @Test func `the most memory at a time is told in kibibytes`() throws {
    let kernel = try TestKernel()
    // The page that the answer goes to is there afterwards.
    _ = maximum(kernel)
    let first = maximum(kernel)
    let space = try #require(kernel.kernel.processes.process(1)?.addressSpace)
    #expect(first > 0 && first == 4 * space.residentPageCount)
    map(kernel, pages: 100)
    #expect(maximum(kernel) == first)
    touch(kernel, pages: 100)
    #expect(maximum(kernel) == first + 400)
    // It does not become less, and more only when there is more than ever.
    kernel.call(.munmap, area, 60 * page)
    #expect(maximum(kernel) == first + 400)
    map(kernel, pages: 100)
    touch(kernel, pages: 50)
    #expect(maximum(kernel) == first + 400)
    kernel.call(.mprotect, area, 100 * page, 0)
    kernel.call(.mprotect, area, 100 * page, 3)
    #expect(maximum(kernel) == first + 400)
    touch(kernel, pages: 100)
    map(kernel, pages: 120)
    touch(kernel, pages: 120)
    #expect(maximum(kernel) == first + 480)
  }

  @Test func `pages that others take away were there`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.value == 3)
    kernel.call(.ftruncate, 3, 50 * page)
    #expect(kernel.call(.mmap, area, 50 * page, .readWrite, .fixedSharedFile, 3, 0)?.failed == false)
    // The page that the answer goes to is there afterwards.
    _ = maximum(kernel)
    let first = maximum(kernel)
    touch(kernel, pages: 50)
    kernel.call(.ftruncate, 3, 0)
    #expect(maximum(kernel) == first + 200)
  }

  @Test func `a child begins anew and its maximum is its parent's to ask for`() throws {
    let kernel = try TestKernel()
    map(kernel, pages: 100)
    touch(kernel, pages: 100)
    let own = maximum(kernel)
    #expect(maximum(kernel, UInt64.max) == 0)
    for pages in [30, 20] as [UInt64] {
      _ = kernel.fork()
      var childs = 0
      _ = kernel.wait {
        touch(kernel, pages: pages)
        childs = maximum(kernel)
        kernel.exit()
      }
      #expect(childs >= Int(pages) * 4 && childs < own)
      // The larger of all, not the sum.
      #expect(maximum(kernel, UInt64.max) >= 120 && maximum(kernel, UInt64.max) < own)
    }
    #expect(maximum(kernel) >= own && maximum(kernel) < own + 20)
    // What came before execve(2) counts.
    #expect(kernel.execute()?.failed == false)
    #expect(maximum(kernel) >= own && kernel.kernel.processes.process(1)?.addressSpace?.residentPageCount ?? 0 < 50)
  }
}
