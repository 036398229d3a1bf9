// Edges of mmap(2), munmap(2), mprotect(2) and break(2): ranges that wrap, hints, guards (spec shm.md 3.11, 3.13, 3.14; abi.md
// section 3).

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct MappingEdgeTests {
  private let page: UInt64 = 4096
  private let end = UserSpace.end
  private let area: UInt64 = 0xC0_0000_0000
  private let anonymous: UInt64 = .privateMemory
  private let guardRange: UInt64 = 0x2000
  private let nobody = UInt64.max
  private let enomem = UInt64(Errno.enomem.rawValue)

  private func map(
    _ kernel: TestKernel, _ address: UInt64, pages: UInt64, _ protection: UInt64 = 3, _ flags: UInt64 = 0x1002
  ) -> UInt64? {
    guard let result = kernel.call(.mmap, address, pages * page, protection, flags, nobody, 0), !result.failed else {
      return nil
    }
    return result.value
  }

  // MARK: munmap

  @Test func `munmap answers by the rounded range`() throws {
    // shows: shm 3.13.zero-length, 3.13.rounded, 3.13.wrap, 3.13.low, 3.13.holes, 3.13.2008
    let kernel = try TestKernel()
    let fine: [(UInt64, UInt64)] = [
      (0x10_0000, UInt64.max), (0x10_0000, UInt64.max - 4094), (0x10_0001, UInt64.max), (0x10_0001, UInt64.max - 1),
      (0x1000, 1), (0x1FFF, 1), (end - 1, 1), (end - page, page), (end - 2 * page, 2 * page), (end, UInt64.max),
    ]
    for (address, count) in fine {
      #expect(kernel.call(.munmap, address, count) == CallResult(value: 0, failed: false), "\(address), \(count)")
    }
    let wrong: [(UInt64, UInt64)] = [
      (0x10_0000, 0), (0, 0), (end, 0), (0, page), (0, 3 * page), (1, 1), (0xFFF, 1), (0, UInt64.max),
      (0x10_0000, UInt64.max - 4095), (end, 1), (end - 1, 2), (end - page, page + 1), (UInt64.max, 1), (UInt64.max, 2),
      (0x1000, end), (end + page, UInt64.max),
    ]
    for (address, count) in wrong {
      #expect(kernel.call(.munmap, address, count)?.errno == .einval, "\(address), \(count)")
    }
  }

  @Test func `munmap reaches every page that the range touches`() throws {
    // shows: shm 3.12.kernel-access, 3.13.rounded
    let kernel = try TestKernel()
    #expect(map(kernel, area, pages: 8, 3, 0x1012) == area)
    for index in 0..<8 as Range<UInt64> { #expect(kernel.store([7], at: area + index * page)) }
    // From the last byte of a page to the first of the next but one.
    #expect(kernel.call(.munmap, area + 2 * page - 1, page + 2)?.integer == 0)
    for index in [1, 2, 3] as [UInt64] { #expect(kernel.call(.clockGettime, 0, area + index * page)?.errno == .efault) }
    #expect(kernel.load(area, 1) == [7] && kernel.load(area + 4 * page, 1) == [7])
  }

  // MARK: Hints

  @Test func `a hint is rounded up to a page`() throws {
    // shows: shm 3.11.hint, 3.11.result
    let kernel = try TestKernel()
    for offset in [1, 0x123, 0xFFF, 0x1000] as [UInt64] {
      #expect(map(kernel, area + offset, pages: 1) == area + page)
      #expect(kernel.call(.munmap, area + page, page)?.integer == 0)
    }
    #expect(map(kernel, area, pages: 16) == area)
    #expect(map(kernel, area, pages: 1) == area + 16 * page)
    #expect(map(kernel, area + page + 1, pages: 1) == area + 17 * page)
    // An offset inside a page is added afterwards.
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.value == 3)
    let result = kernel.call(.mmap, area + 64 * page + 0x123, page, 1, 1, 3, 0x10)
    #expect(result?.value == area + 65 * page + 0x10)
  }

  @Test func `a hint that cannot be leads behind the data segment`() throws {
    // shows: shm 3.11.hint, 3.11.hint-data
    let kernel = try TestKernel()
    let behindData = TestKernel.data + UserSpace.maximumDataByteCount
    // In reach of the data segment; too high; so high that rounding wraps.
    for hint in [0x40_0000, 0x60_0001, 0x2_0000_0000, behindData - 1, end, end + 1, 0 &- page, UInt64.max] {
      let address = map(kernel, hint, pages: 2)
      #expect(address == behindData, "\(hint)")
      #expect(kernel.call(.munmap, behindData, 2 * page)?.integer == 0)
    }
    #expect(map(kernel, behindData, pages: 1) == behindData)
    #expect(map(kernel, behindData - 1, pages: 1) == behindData + page)
    // In front of the program a hint is obeyed.
    #expect(map(kernel, 0x10_0000, pages: 1) == 0x10_0000)
    #expect(map(kernel, 1, pages: 1) == 0x1000)
  }

  @Test func `a hint for the low 2 GiB is used if the mapping fits`() throws {
    let kernel = try TestKernel()
    let low: UInt64 = 0x8_1002
    #expect(map(kernel, 0x5000_0000, pages: 256, 1, low) == 0x5000_0000)
    #expect(map(kernel, 0x5800_0FFF, pages: 1, 1, low) == 0x5800_1000)
    for hint in [0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF, UInt64.max] as [UInt64] {
      let address = try #require(map(kernel, hint, pages: 2, 1, low))
      #expect(address + 2 * page <= 1 << 31 && address != hint)
    }
  }

  // MARK: Guards

  @Test func `guards do not count for the address space limit`() throws {
    // shows: shm 3.11.vmem
    let kernel = try TestKernel()
    #expect(kernel.setLimit(10, 1 << 30)?.integer == 0)
    let large: UInt64 = 900 << 8
    #expect(map(kernel, 0, pages: large, 0, guardRange) != nil)
    let reserved = try #require(map(kernel, 0, pages: large, 0, anonymous))
    #expect(map(kernel, 0, pages: large, 0, anonymous) == nil && kernel.result.value == enomem)
    // A request for a guard is held against the limit, too, before it counts for nothing.
    #expect(map(kernel, 0, pages: large, 0, guardRange) == nil && kernel.result.value == enomem)
    // What becomes a guard does not count any more, nor what a guard is cut or unmapped.
    #expect(map(kernel, area, pages: 100 << 8, 0, guardRange) != nil)
    #expect(kernel.call(.munmap, area + page, page)?.integer == 0)
    #expect(kernel.call(.munmap, reserved, large * page)?.integer == 0)
    let again = try #require(map(kernel, 0, pages: large, 0, anonymous))
    for offset in stride(from: UInt64(0), to: large, by: 100 << 8) {
      #expect(map(kernel, again + offset * page, pages: 100 << 8, 0, guardRange | 0x10) != nil)
    }
    #expect(map(kernel, 0, pages: large, 0, anonymous) != nil)
    // A child counts as its parent does.
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      let isRefused = map(kernel, 0, pages: large, 0, anonymous) == nil
      let isAllowed = map(kernel, 0, pages: 50 << 8, 0, anonymous) != nil
      kernel.exit(isRefused && isAllowed ? 0 : 1)
    }
    #expect(status == .exited(0))
  }

  @Test func `guards stay guards when protection changes around them`() throws {
    // shows: shm 3.14.guards
    let kernel = try TestKernel()
    #expect(map(kernel, area, pages: 9, 3, 0x1012) == area)
    for first in [3, 6] as [UInt64] {
      #expect(map(kernel, area + first * page, pages: 1, 0, guardRange | 0x10) == area + first * page)
    }
    for (protection, maximum) in [(1, 0), (3, 0), (0, 0), (3, 7)] as [(UInt64, UInt64)] {
      let count = kernel.call(.mprotect, area + page, 7 * page, protection | maximum << 16)
      #expect(count == CallResult(value: 0, failed: false))
      for index in 0..<9 as Range<UInt64> {
        let isGuard = index == 3 || index == 6
        let isWritable = !isGuard && (protection == 3 || index == 0 || index == 8)
        let result = kernel.call(.clockGettime, 0, area + index * page)
        #expect(result?.errno == (isWritable ? nil : .efault), "\(index) with \(protection)")
      }
    }
    // Only a guard: nothing changes, and it is no error.
    #expect(kernel.call(.mprotect, area + 3 * page, page, 3)?.integer == 0)
    #expect(kernel.call(.mprotect, area + 3 * page, page, 3 | 3 << 16)?.integer == 0)
    _ = kernel.fork()
    let (_, status) = kernel.wait { kernel.store([1], at: area + 3 * page) }
    #expect(status == .terminated(.sigsegv))
  }

  // MARK: mprotect

  @Test func `mprotect rounds its range as FreeBSD does`() throws {
    // shows: shm 3.14.rounded, 3.14.zero-length
    let kernel = try TestKernel()
    #expect(map(kernel, area, pages: 4, 3, 0x1012) == area)
    func isWritable(_ index: UInt64) -> Bool { kernel.call(.clockGettime, 0, area + index * page)?.integer == 0 }
    for (address, count) in [(area, 0), (area, UInt64.max), (end, page), (UInt64.max, 1)] as [(UInt64, UInt64)] {
      #expect(kernel.call(.mprotect, address, count, 1)?.errno == (address == UInt64.max ? .einval : nil))
      #expect(isWritable(0))
    }
    #expect(kernel.call(.mprotect, area + page - 1, 2, 1)?.integer == 0)
    #expect((0..<4).map { isWritable($0) } == [false, false, true, true])
    #expect(kernel.call(.mprotect, area, 4 * page, 3)?.integer == 0)
    #expect((0..<4).map { isWritable($0) } == [true, true, true, true])
  }

  // MARK: break

  @Test func `break returns where the data segment ends`() throws {
    let kernel = try TestKernel()
    let start = TestKernel.data + 65536
    func moved(_ address: UInt64) -> UInt64? { kernel.call(.break, address)?.value }
    for address in [0, 1, 0x1000, TestKernel.data - page, UInt64.max, UInt64.max - 4094] {
      #expect(moved(address) == start, "\(address)")
    }
    #expect(moved(start) == start && moved(start + 1) == start + page && moved(start + page) == start + page)
    #expect(kernel.store([9], at: start + page - 1))
    #expect(moved(start + 10 * page) == start + 10 * page && kernel.store([5], at: start + 9 * page))
    #expect(moved(start + 9 * page) == start + 9 * page && moved(start + 10 * page) == start + 10 * page)
    #expect(kernel.load(start + 9 * page, 1) == [0] && kernel.load(start + page - 1, 1) == [9])
    for address in [end, end + 1, 1 << 47, UInt64.max - 4095, TestKernel.data + (33 << 30)] {
      #expect(kernel.call(.break, address)?.errno == .enomem, "\(address)")
      #expect(moved(0) == start + 10 * page)
    }
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      let isInherited = moved(0) == start + 10 * page
      _ = moved(start)
      kernel.exit(isInherited ? 0 : 1)
    }
    #expect(status == .exited(0) && moved(0) == start + 10 * page)
    // All growth is one mapping.
    #expect(moved(start + 11 * page) == start + 11 * page)
    let count = try #require(kernel.kernel.processes.process(1)?.addressSpace?.entryCount)
    for index in 12..<40 as Range<UInt64> { #expect(moved(start + index * page) == start + index * page) }
    #expect(kernel.kernel.processes.process(1)?.addressSpace?.entryCount == count)
  }
}
