// mlock(2), munlock(2), mlockall(2) and munlockall(2): what they keep in memory, their limits and their errors.

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct LockTests {
  private let page = Page.byteCount
  private let vector = TestKernel.data
  private let memoryLock: UInt64 = 6

  private func map(_ kernel: TestKernel, pages: UInt64, _ protection: UInt64 = .readWrite) throws -> UInt64 {
    try #require(kernel.call(.mmap, 0, pages * page, protection, .privateMemory, UInt64.max, 0)).value
  }

  private func mapObject(_ kernel: TestKernel, pages: UInt64) throws -> (object: UInt64, area: UInt64) {
    let object = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)).value
    #expect(kernel.call(.ftruncate, object, pages * page)?.integer == 0)
    let flags = UInt64(MapFlags.shared.rawValue)
    return (object, try #require(kernel.call(.mmap, 0, pages * page, .readWrite, flags, object, 0)).value)
  }

  private func wired(_ kernel: TestKernel) -> UInt64 { kernel.hardware.system.wiredPageCount }

  @Test func `locking brings pages in, and unlocking lets go of them`() throws {
    // shows: shm 3.30.mlock
    let kernel = try TestKernel()
    let (object, area) = try mapObject(kernel, pages: 4)
    #expect(kernel.call(.mlock, area + 5, 3 * page)?.integer == 0)
    #expect(wired(kernel) == 4)
    kernel.call(.fstat, object, vector)
    #expect(kernel.loadWord(vector + StatField.blockCount) == 4)
    #expect(kernel.call(.munlock, area + page, page)?.integer == 0)
    #expect(wired(kernel) == 3)
    // What goes takes its lock along.
    #expect(kernel.call(.munmap, area, 2 * page)?.integer == 0)
    #expect(wired(kernel) == 2)
    #expect(kernel.call(.munlockall)?.integer == 0)
    #expect(wired(kernel) == 0)
  }

  @Test func `locked pages stay when memory is short`() throws {
    let kernel = try TestKernel(frames: 1024, swapBlocks: 2048)
    let area = try map(kernel, pages: 40)
    for index in 0..<40 as Range<UInt64> { kernel.store([UInt8(index)], at: area + index * page) }
    #expect(kernel.call(.mlock, area, 20 * page)?.integer == 0)
    let other = try map(kernel, pages: 1200)
    for index in 0..<1200 as Range<UInt64> { kernel.store([1], at: other + index * page) }
    #expect(kernel.call(.mincore, area, 40 * page, vector)?.integer == 0)
    let bytes = try #require(kernel.load(vector, 40))
    #expect(bytes.prefix(20).allSatisfy { $0 & 1 != 0 })
    #expect(bytes.suffix(20).contains(0))
    for index in 0..<40 as Range<UInt64> { #expect(kernel.load(area + index * page, 1) == [UInt8(index)]) }
  }

  @Test func `a locked page survives that its object shrinks, as zeros`() throws {
    // shows: shm 3.12.wired
    let kernel = try TestKernel()
    let (object, area) = try mapObject(kernel, pages: 4)
    kernel.store([7], at: area + page)
    #expect(kernel.call(.mlock, area, 4 * page)?.integer == 0)
    #expect(kernel.call(.ftruncate, object, page)?.integer == 0)
    #expect(kernel.load(area + page, 1) == [0])
    #expect(kernel.call(.munlock, area, 4 * page)?.integer == 0)
    #expect(kernel.call(.ftruncate, object, 4 * page)?.integer == 0)
    #expect(kernel.load(area + page, 1) == [0])
  }

  @Test func `errors come in their order`() throws {
    // shows: shm 3.15.wired, 3.30.mlock
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 4)
    #expect(kernel.call(.mlock, area, UInt64.max)?.errno == .einval)
    #expect(kernel.call(.mlock, UInt64.max - 5, 3)?.errno == .einval)
    #expect(kernel.call(.mlock, area, 0)?.integer == 0)
    #expect(kernel.call(.mlock, area, 1 << 40)?.errno == .enomem)
    #expect(kernel.call(.mlock, area, 5 * page)?.errno == .enomem)
    #expect(kernel.call(.mlock, 8 * page, page)?.errno == .enomem)
    #expect(kernel.call(.mprotect, area + page, page, .noAccess)?.integer == 0)
    #expect(kernel.call(.mlock, area, 4 * page)?.errno == .enomem)
    #expect(wired(kernel) == 0)
    #expect(kernel.call(.munlock, area, 4 * page)?.integer == 0)
    #expect(kernel.call(.munlock, area, 5 * page)?.errno == .enomem)
    let (_, object) = try mapObject(kernel, pages: 2)
    #expect(kernel.call(.mlock, object, 2 * page)?.integer == 0)
    #expect(kernel.call(.msync, object, 2 * page, 2)?.errno == .ebusy)
    #expect(kernel.call(.msync, object, 2 * page, 0)?.integer == 0)
    for flags in [0, 4, 5] as [UInt64] { #expect(kernel.call(.mlockall, flags)?.errno == .einval) }
  }

  @Test func `what lies behind the end of an object takes everything back`() throws {
    let kernel = try TestKernel()
    let (object, area) = try mapObject(kernel, pages: 4)
    #expect(kernel.call(.ftruncate, object, 2 * page)?.integer == 0)
    #expect(kernel.call(.mlock, area, 4 * page)?.errno == .enomem)
    #expect(wired(kernel) == 0)
    #expect(kernel.call(.mlockall, 1)?.errno == .eagain)
    #expect(wired(kernel) == 0)
  }

  @Test func `RLIMIT_MEMLOCK holds for what is locked and for what comes`() throws {
    // shows: shm 3.11.memlock, 3.30.mlock
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 8)
    #expect(kernel.setLimit(memoryLock, 4 * page)?.failed == false)
    #expect(kernel.call(.mlock, area, 5 * page)?.errno == .enomem)
    #expect(kernel.call(.mlock, area, 3 * page)?.integer == 0)
    #expect(kernel.call(.mlock, area + 4 * page, 2 * page)?.errno == .enomem)
    #expect(kernel.call(.mlockall, 1)?.errno == .enomem)
    #expect(kernel.call(.mlockall, 2)?.integer == 0)
    #expect(kernel.call(.mmap, 0, 2 * page, .readWrite, .privateMemory, UInt64.max, 0)?.errno == .enomem)
    _ = try map(kernel, pages: 1)
    #expect(wired(kernel) == 4)
    #expect(kernel.call(.munlockall)?.integer == 0)
    _ = try map(kernel, pages: 4)
    #expect(wired(kernel) == 0)
  }

  @Test func `a child and another program have nothing locked`() throws {
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 2)
    kernel.store([1], at: area)
    #expect(kernel.call(.mlockall, 3)?.integer == 0)
    let before = wired(kernel)
    #expect(before > 2)
    _ = kernel.fork()
    _ = kernel.wait {
      #expect(wired(kernel) == before)
      kernel.store([2], at: area)
      #expect(kernel.call(.munlock, area, 2 * page)?.integer == 0)
      kernel.exit()
    }
    // The copy that the parent's store makes is locked in its place.
    kernel.store([3], at: area)
    #expect(wired(kernel) == before)
    #expect(kernel.load(area, 1) == [3])
  }
}
