// msync(2), madvise(2) and minherit(2), exactly (spec shm.md sections 3.15, 3.17 and 3.18).

import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct AdviceTests {
  private let page = Page.byteCount
  private let vector = TestKernel.data

  private func map(_ kernel: TestKernel, pages: UInt64, shared: Bool = false) throws -> UInt64 {
    let flags: MapFlags = shared ? [.shared, .anonymous] : [.privateCopy, .anonymous]
    let area = kernel.call(.mmap, 0, pages * page, .readWrite, UInt64(flags.rawValue), UInt64.max, 0)
    return try #require(area).value
  }

  /// Whether a page is in memory and mapped.
  private func isThere(_ kernel: TestKernel, _ address: UInt64) -> Bool {
    #expect(kernel.call(.mincore, address, page, vector)?.integer == 0)
    return kernel.load(vector, 1) != [0]
  }

  // MARK: msync

  @Test func `msync takes translations away only if it is told to`() throws {
    // shows: shm 3.15.zero-length
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 3, shared: true)
    for index in 0..<3 { kernel.store([9], at: area + UInt64(index) * page) }
    for flags in [0, 1] as [UInt64] {
      #expect(kernel.call(.msync, area, 3 * page, flags)?.integer == 0)
      #expect(isThere(kernel, area))
    }
    #expect(kernel.call(.msync, area + page, page, 2)?.integer == 0)
    #expect(isThere(kernel, area) && !isThere(kernel, area + page) && isThere(kernel, area + 2 * page))
    #expect(kernel.load(area + page, 1) == [9])
    // No length: the whole mapping.
    #expect(kernel.call(.msync, area + page, 0, 2)?.integer == 0)
    for index in 0..<3 { #expect(!isThere(kernel, area + UInt64(index) * page)) }
    for index in 0..<3 { #expect(kernel.load(area + UInt64(index) * page, 1) == [9]) }
  }

  @Test func `msync has its errors in order`() throws {
    // shows: shm 3.15.flags, 3.15.async-invalidate, 3.15.enomem
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 3)
    #expect(kernel.call(.msync, area, 0 &- page, 3)?.errno == .einval)
    #expect(kernel.call(.msync, 8 * page, page, 3)?.errno == .einval)
    #expect(kernel.call(.msync, 8 * page, page, 4)?.errno == .einval)
    #expect(kernel.call(.msync, 8 * page, page, 0)?.errno == .enomem)
    #expect(kernel.call(.msync, 8 * page, 0, 0)?.errno == .enomem)
    kernel.call(.munmap, area + page, page)
    #expect(kernel.call(.msync, area, 3 * page, 2)?.errno == .enomem)
    #expect(kernel.call(.msync, area + 5, page - 5, 0)?.integer == 0)
    #expect(kernel.call(.msync, area, page + 1, 0)?.errno == .enomem)
    #expect(kernel.call(.msync, UserSpace.end, page, 0)?.errno == .enomem)
  }

  // MARK: madvise

  @Test func `MADV_FREE gives private memory back and keeps what is shared`() throws {
    // shows: shm 3.17.free
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 4)
    let shared = try map(kernel, pages: 2, shared: true)
    for index in 0..<4 { kernel.store([5], at: area + UInt64(index) * page) }
    kernel.store([6], at: shared)
    let free = kernel.hardware.system.freeFrameCount
    #expect(kernel.call(.madvise, area + page, 2 * page, 5)?.integer == 0)
    #expect(kernel.hardware.system.freeFrameCount == free + 2)
    #expect(kernel.load(area, 1) == [5] && kernel.load(area + page, 1) == [0] && kernel.load(area + 3 * page, 1) == [5])
    #expect(kernel.call(.madvise, shared, 2 * page, 5)?.integer == 0)
    #expect(kernel.load(shared, 1) == [6])
    // What a child sees too stays.
    kernel.store([8], at: area)
    let child = kernel.fork()
    #expect(kernel.call(.madvise, area, page, 5)?.integer == 0)
    #expect(kernel.load(area, 1) == [8])
    kernel.call(.kill, UInt64(child), 9)
  }

  @Test func `MADV_WILLNEED maps what is in memory, and nothing else`() throws {
    // shows: shm 3.17.willneed
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 3, shared: true)
    kernel.store([5], at: area)
    kernel.store([5], at: area + 2 * page)
    #expect(kernel.call(.msync, area, 3 * page, 2)?.integer == 0)
    #expect(kernel.call(.madvise, area, 3 * page, 3)?.integer == 0)
    #expect(isThere(kernel, area) && !isThere(kernel, area + page) && isThere(kernel, area + 2 * page))
    kernel.store([4], at: area)
    #expect(kernel.load(area, 1) == [4])
  }

  @Test func `MADV_DONTNEED keeps the content`() throws {
    // shows: shm 3.17.dontneed
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 2)
    kernel.store([5], at: area)
    #expect(kernel.call(.madvise, area, 2 * page, 4)?.integer == 0)
    #expect(kernel.load(area, 1) == [5])
  }

  @Test func `madvise has its errors, and skips holes`() throws {
    // shows: shm 3.17.range, 3.17.unknown, 3.17.holes, 3.17.zero-length, 3.17.protect
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 2)
    kernel.call(.munmap, area + page, page)
    for advice in 0...9 as ClosedRange<UInt64> {
      #expect(kernel.call(.madvise, area + 3, 2 * page, advice)?.integer == 0)
      #expect(kernel.call(.madvise, area, 0, advice)?.integer == 0)
      #expect(kernel.call(.madvise, 0, page, advice)?.errno == .einval)
      #expect(kernel.call(.madvise, area, UserSpace.end, advice)?.errno == .einval)
      #expect(kernel.call(.madvise, area, UInt64.max, advice)?.errno == .einval)
    }
    #expect(kernel.call(.madvise, area, page, 11)?.errno == .einval)
    #expect(kernel.call(.madvise, area, page, 0xFFFF_FFFF)?.errno == .einval)
    #expect(kernel.call(.madvise, 0, 0, 10)?.integer == 0)
    #expect(kernel.call(.setuid, 7)?.failed == false)
    #expect(kernel.call(.madvise, 0, 0, 10)?.errno == .eperm)
  }

  @Test func `advice that is kept cuts mappings, and taken back joins them`() throws {
    // shows: shm 3.17.recorded
    let kernel = try TestKernel()
    let object = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)).value
    #expect(kernel.call(.ftruncate, object, 4 * page)?.integer == 0)
    let flags = UInt64(MapFlags.shared.rawValue)
    let area = try #require(kernel.call(.mmap, 0, 4 * page, .readWrite, flags, object, 0)).value
    func entries() -> UInt64 {
      kernel.call(.fstat, object, vector + 0x100)
      return kernel.loadWord(vector + 0x100 + StatField.linkCount) - 1
    }
    #expect(entries() == 1)
    #expect(kernel.call(.madvise, area + page, page, 1)?.integer == 0)
    #expect(entries() == 3)
    #expect(kernel.call(.madvise, area + page, page, 0)?.integer == 0)
    #expect(entries() == 1)
    #expect(kernel.call(.minherit, area, page, 2)?.integer == 0)
    #expect(entries() == 2)
    #expect(kernel.call(.minherit, area, 4 * page, 2)?.integer == 0)
    #expect(entries() == 1)
  }

  // MARK: minherit

  @Test func `a child has nothing, zeros, or the same memory`() throws {
    // shows: shm 3.18.none, 3.18.zero, 3.18.share
    let kernel = try TestKernel()
    // The last page is one that nobody has touched.
    let area = try map(kernel, pages: 5)
    for index in 0..<4 { kernel.store([UInt8(index) + 1], at: area + UInt64(index) * page) }
    #expect(kernel.call(.minherit, area, page, 2)?.integer == 0)
    #expect(kernel.call(.minherit, area + page, page, 3)?.integer == 0)
    for index in [2, 4] as [UInt64] { #expect(kernel.call(.minherit, area + index * page, page, 0)?.integer == 0) }
    _ = kernel.fork()
    _ = kernel.wait {
      #expect(kernel.call(.mincore, area, page, vector)?.errno == .enomem)
      #expect(kernel.load(area + page, 1) == [0])
      #expect(kernel.load(area + 2 * page, 1) == [3] && kernel.load(area + 3 * page, 1) == [4])
      kernel.store([33], at: area + 2 * page)
      kernel.store([44], at: area + 3 * page)
      kernel.store([55], at: area + 4 * page)
      kernel.exit()
    }
    #expect(kernel.load(area, 1) == [1] && kernel.load(area + page, 1) == [2])
    #expect(kernel.load(area + 2 * page, 1) == [33] && kernel.load(area + 3 * page, 1) == [4])
    #expect(kernel.load(area + 4 * page, 1) == [55])
  }

  @Test func `a copy of shared memory is one on both sides`() throws {
    // shows: shm 3.18.copy
    let kernel = try TestKernel()
    let object = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 1, 0)).value
    #expect(kernel.call(.ftruncate, object, page)?.integer == 0)
    let flags = UInt64(MapFlags.shared.rawValue)
    let area = try #require(kernel.call(.mmap, 0, page, .readWrite, flags, object, 0)).value
    kernel.store([1], at: area)
    #expect(kernel.call(.minherit, area, page, 1)?.integer == 0)
    // F_SEAL_WRITE: not while it can be stored to.
    #expect(kernel.call(.fcntl, object, 19, 8)?.errno == .ebusy)
    _ = kernel.fork()
    _ = kernel.wait {
      kernel.store([2], at: area)
      #expect(kernel.load(area, 1) == [2])
      kernel.exit()
    }
    #expect(kernel.load(area, 1) == [1])
    kernel.store([3], at: area)
    #expect(kernel.call(.pread, object, vector, 1, 0)?.integer == 1)
    #expect(kernel.load(vector, 1) == [1] && kernel.load(area, 1) == [3])
    #expect(kernel.call(.fcntl, object, 19, 8)?.integer == 0)
  }

  @Test func `minherit has its errors`() throws {
    // shows: shm 3.18.value
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 1)
    #expect(kernel.call(.minherit, area, 0 &- page, 4)?.errno == .einval)
    #expect(kernel.call(.minherit, area, page, 4)?.errno == .einval)
    #expect(kernel.call(.minherit, area, page, 0xFFFF_FFFF)?.errno == .einval)
    // The value is a char.
    #expect(kernel.call(.minherit, area, page, 0x102)?.integer == 0)
    #expect(kernel.call(.minherit, area + page, 8 * page, 2)?.integer == 0)
  }
}
