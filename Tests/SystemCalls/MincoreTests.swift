// mincore(2), exactly: what it tells of each page, the order of its errors, and long ranges (spec shm.md section 3.16).

import ABI
import Primitives
import Testing

@testable import SystemCalls

@Suite struct MincoreTests {
  private let vector = TestKernel.data
  private let page = Page.byteCount
  private let stored: PageResidence = [.inCore, .referenced, .modified, .referencedByOther, .modifiedByOther]
  private let loaded: PageResidence = [.inCore, .referenced, .referencedByOther]

  /// Maps so many pages of memory of its own.
  private func map(_ kernel: TestKernel, pages: UInt64) throws -> UInt64 {
    try #require(kernel.call(.mmap, 0, pages * page, .readWrite, .privateMemory, UInt64.max, 0)).value
  }

  /// What is told of each of so many pages.
  private func told(_ kernel: TestKernel, _ address: UInt64, pages: Int) -> [PageResidence] {
    kernel.store([UInt8](repeating: 0xEE, count: pages + 1), at: vector)
    #expect(kernel.call(.mincore, address, UInt64(pages) * page, vector)?.integer == 0)
    let bytes = kernel.load(vector, pages + 1) ?? []
    #expect(bytes.last == 0xEE)
    return bytes.dropLast().map { PageResidence(rawValue: $0) }
  }

  @Test func `a page is told as the caller's own translations have it`() throws {
    // shows: shm 3.16.own
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 4)
    kernel.store([1], at: area)
    _ = kernel.load(area + 2 * page, 1)
    #expect(told(kernel, area, pages: 4) == [stored, [], loaded, []])
    // What may not be stored to any more is not modified.
    #expect(kernel.call(.mprotect, area, 4 * page, .readOnly)?.integer == 0)
    #expect(told(kernel, area, pages: 1) == [loaded])
    #expect(kernel.call(.mprotect, area, 4 * page, .noAccess)?.integer == 0)
    #expect(told(kernel, area, pages: 4) == [[], [], [], []])
  }

  @Test func `what was written by write and what lies behind the end is not there`() throws {
    // shows: shm 3.11.no-size-check, 3.16.own, 3.16.beyond
    let kernel = try TestKernel()
    let object = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)).value
    #expect(kernel.call(.ftruncate, object, 2 * page)?.integer == 0)
    let flags = UInt64(MapFlags.shared.rawValue)
    let area = try #require(kernel.call(.mmap, 0, 4 * page, .readWrite, flags, object, 0)).value
    kernel.store([1], at: area)
    #expect(kernel.call(.pwrite, object, vector, 8, page)?.integer == 8)
    #expect(told(kernel, area, pages: 4) == [stored, [], [], []])
    _ = kernel.load(area + page, 1)
    #expect(told(kernel, area, pages: 2) == [stored, loaded])
  }

  @Test func `holes come before a bad vector`() throws {
    // shows: shm 3.16.range, 3.16.hole, 3.16.efault, 3.16.rounded, 3.16.before-store
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 3)
    func error(_ address: UInt64, _ byteCount: UInt64, _ vector: UInt64) -> Errno? {
      kernel.call(.mincore, address, byteCount, vector)?.errno
    }
    #expect(error(area, 3 * page, 8) == .efault)
    #expect(error(area, 3 * page, UInt64.max) == .efault)
    kernel.call(.munmap, area + page, page)
    #expect(error(area, 3 * page, 8) == .enomem)
    #expect(error(area + 2 * page, 2 * page, vector) == .enomem)
    #expect(error(UserSpace.end - page, 2 * page, vector) == .enomem)
    #expect(error(0 &- page, page, vector) == .enomem)
    #expect(error(area, 0 &- 2 * page, vector) == .enomem)
    // The address is rounded down, the end up.
    #expect(error(area + 2 * page + 5, page - 5, vector) == nil)
    #expect(error(area + page - 1, 2, vector) == .enomem)
  }

  @Test func `an empty range stores nothing but has to begin in a mapping`() throws {
    // shows: shm 3.16.rounded
    let kernel = try TestKernel()
    let area = try map(kernel, pages: 1)
    #expect(kernel.call(.mincore, area, 0, 8)?.integer == 0)
    #expect(kernel.call(.mincore, area + page, 0, vector)?.errno == .enomem)
  }

  @Test func `a long range is told in steps while others run`() throws {
    let kernel = try TestKernel(frames: 4096, unitsPerTurn: 1)
    let area = try map(kernel, pages: 3000)
    let bytes = try map(kernel, pages: 1)
    _ = kernel.fork()
    kernel.store([1], at: area + 2999 * page)
    let caller = kernel.context
    kernel.call(.mincore, area, 3000 * page, bytes)
    var steps = 0
    while kernel.context != caller {
      steps += 1
      kernel.call(.schedYield)
    }
    #expect(steps > 40)
    #expect(kernel.result == CallResult(value: 0, failed: false))
    #expect(kernel.load(bytes + 2998, 2) == [0, stored.rawValue])
  }
}
