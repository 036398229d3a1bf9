// posix_fallocate(2) and fspacectl(2), exactly (spec shm.md sections 3.25 and 3.26).

import ABI
import Primitives
import Simulation
import Testing

@testable import SystemCalls

@Suite struct SpaceTests {
  private let page = Page.byteCount
  private let range = TestKernel.data + 0x100
  private let rest = TestKernel.data + 0x200

  private func makeObject(_ kernel: TestKernel, size: UInt64, sharedMemoryFlags: UInt64 = 1) throws -> UInt64 {
    let object = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, sharedMemoryFlags, 0))
    #expect(kernel.call(.ftruncate, object.value, size)?.failed == false)
    return object.value
  }

  private func size(_ kernel: TestKernel, _ object: UInt64) -> UInt64 {
    kernel.call(.fstat, object, TestKernel.data + 0x300)
    return kernel.loadWord(TestKernel.data + 0x300 + StatField.size)
  }

  private func blocks(_ kernel: TestKernel, _ object: UInt64) -> UInt64 {
    kernel.call(.fstat, object, TestKernel.data + 0x300)
    return kernel.loadWord(TestKernel.data + 0x300 + StatField.blockCount)
  }

  private func punch(
    _ kernel: TestKernel, _ object: UInt64, _ offset: Int64, _ length: Int64, command: UInt64 = 1, flags: UInt64 = 0
  ) -> Errno? {
    kernel.storeWord(UInt64(bitPattern: offset), at: range)
    kernel.storeWord(UInt64(bitPattern: length), at: range + 8)
    kernel.storeWord(77, at: rest)
    kernel.storeWord(77, at: rest + 8)
    return kernel.call(.fspacectl, object, command, range, flags, rest)?.errno
  }

  private func left(_ kernel: TestKernel) -> [UInt64] { [kernel.loadWord(rest), kernel.loadWord(rest + 8)] }

  @Test func `posix_fallocate grows and never shrinks`() throws {
    // shows: shm 3.25.grows, 3.25.eperm, 3.25.nothing
    let kernel = try TestKernel()
    let object = try makeObject(kernel, size: 5000)
    #expect(kernel.call(.posixFallocate, object, 100, 4000)?.integer == 0)
    #expect(size(kernel, object) == 5000)
    #expect(kernel.call(.posixFallocate, object, 5000, 5000)?.integer == 0)
    #expect(size(kernel, object) == 10_000 && blocks(kernel, object) == 0)
    // F_SEAL_GROW
    #expect(kernel.call(.fcntl, object, 19, 4)?.integer == 0)
    #expect(kernel.call(.posixFallocate, object, 0, 10_000)?.integer == 0)
    #expect(kernel.call(.posixFallocate, object, 0, 10_001)?.integer == Int(Errno.eperm.rawValue))
  }

  @Test func `its errors are values and come in their order`() throws {
    // shows: shm 3.25.value, 3.25.einval, 3.25.efbig, 3.25.ebadf
    let kernel = try TestKernel()
    let object = try makeObject(kernel, size: 1)
    func value(_ descriptor: UInt64, _ offset: Int64, _ length: Int64) -> Errno? {
      let result = kernel.call(
        .posixFallocate, descriptor, UInt64(bitPattern: offset), UInt64(bitPattern: length))
      #expect(result?.failed == false)
      return result.map { Errno(rawValue: Int32($0.integer)) }
    }
    #expect(value(99, -1, 1) == .einval && value(99, 0, 0) == .einval && value(99, 0, -5) == .einval)
    #expect(value(99, Int64.max, 1) == .efbig)
    #expect(value(99, 0, 1) == .ebadf)
    let path = kernel.string("/dev/null", at: range)
    let null = try #require(kernel.call(.open, path, .readWriteFile, 0)).value
    #expect(value(null, 0, 1) == .enodev)
    let readOnly = try #require(kernel.call(.open, path, 0, 0)).value
    #expect(value(readOnly, 0, 1) == .ebadf)
    let pipe = try #require(kernel.call(.pipe2, rest, 0))
    #expect(pipe.integer == 0)
    #expect(value(kernel.loadWord(rest) & 0xFFFF_FFFF, 0, 1) == .espipe)
    #expect(value(object, 0, 1 << 62) == .enospc || size(kernel, object) == 1 << 62)
  }

  @Test func `a hole reads as zeros and gives its pages back`() throws {
    // shows: shm 3.26.zeroes, 3.26.whole, 3.26.rest, 3.26.past-end
    let kernel = try TestKernel()
    let object = try makeObject(kernel, size: 6 * page)
    let flags = UInt64(MapFlags.shared.rawValue)
    let area = try #require(kernel.call(.mmap, 0, 6 * page, .readWrite, flags, object, 0)).value
    for index in 0..<6 { kernel.store([UInt8](repeating: 0xAA, count: 4096), at: area + UInt64(index) * page) }
    #expect(punch(kernel, object, Int64(page) + 10, Int64(3 * page)) == nil)
    #expect(left(kernel) == [4 * page + 10, 0])
    #expect(blocks(kernel, object) == 4 && size(kernel, object) == 6 * page)
    #expect(kernel.load(area + page, 12) == [UInt8](repeating: 0xAA, count: 10) + [0, 0])
    #expect(kernel.load(area + 2 * page, 2) == [0, 0])
    #expect(kernel.load(area + 4 * page + 8, 4) == [0, 0, 0xAA, 0xAA])
    // Inside one page, and up to the end.
    #expect(punch(kernel, object, 5, 3) == nil)
    #expect(kernel.load(area + 4, 5) == [0xAA, 0, 0, 0, 0xAA])
    #expect(punch(kernel, object, Int64(5 * page), Int64.max - Int64(5 * page)) == nil)
    #expect(left(kernel) == [6 * page, 0])
    // Behind the end there is nothing to do.
    #expect(punch(kernel, object, Int64(9 * page), 1) == nil)
    #expect(left(kernel) == [9 * page, 0])
  }

  @Test func `what is left is told with an error too`() throws {
    // shows: shm 3.26.efault, 3.26.einval, 3.26.ebadf, 3.26.eperm, 3.26.rest, 3.26.rest-on-error, 3.24.write
    let kernel = try TestKernel()
    let object = try makeObject(kernel, size: 2 * page)
    #expect(punch(kernel, object, -1, 1) == .einval && left(kernel) == [UInt64.max, 1])
    #expect(punch(kernel, object, 0, 0) == .einval && left(kernel) == [0, 0])
    #expect(punch(kernel, object, 0, 1, command: 2) == .einval)
    #expect(punch(kernel, object, 0, 1, flags: 1) == .einval)
    #expect(punch(kernel, object, Int64.max, 1) == .einval)
    #expect(punch(kernel, 99, 3, 4) == .ebadf && left(kernel) == [3, 4])
    let null = try #require(kernel.call(.open, kernel.string("/dev/null", at: range), .readWriteFile, 0)).value
    #expect(punch(kernel, null, 3, 4) == .enodev && left(kernel) == [3, 4])
    // F_SEAL_WRITE
    #expect(kernel.call(.fcntl, object, 19, 8)?.integer == 0)
    #expect(punch(kernel, object, 3, 4) == .eperm && left(kernel) == [3, 4])
    // Bad pointers: the first comes before everything, the second only after success.
    #expect(kernel.call(.fspacectl, 99, 9, 8, 0, rest)?.errno == .efault)
    #expect(kernel.call(.fspacectl, object, 1, range, 0, 8)?.errno == .eperm)
    let other = try makeObject(kernel, size: page)
    #expect(kernel.call(.fspacectl, other, 1, range, 0, 8)?.errno == .efault)
    #expect(kernel.call(.fspacectl, other, 1, range, 0, 0)?.integer == 0)
  }

  @Test func `nobody sees a long hole half made`() throws {
    let kernel = try TestKernel(frames: 8192)
    let pages: UInt64 = 3000
    let object = try makeObject(kernel, size: pages * page)
    let flags = UInt64(MapFlags.shared.rawValue)
    let area = try #require(kernel.call(.mmap, 0, pages * page, .readWrite, flags, object, 0)).value
    for index in 0..<pages { kernel.store([7], at: area + index * page) }
    let puncher = kernel.context
    _ = kernel.fork()
    kernel.storeWord(100, at: range)
    kernel.storeWord((pages - 2) * page, at: range + 8)
    kernel.call(.fspacectl, object, 1, range, 0, 0)
    var turns = 0
    while kernel.context != puncher {
      // The count is that from before.
      #expect(blocks(kernel, object) == pages)
      #expect(size(kernel, object) == pages * page)
      turns += 1
      kernel.call(.schedYield)
    }
    #expect(turns > 2)
    #expect(kernel.result.failed == false)
    #expect(blocks(kernel, object) == 3)
    #expect(kernel.load(area, 1) == [7] && kernel.load(area + page, 1) == [0])
  }
}
