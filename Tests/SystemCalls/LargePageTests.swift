// Shared memory of large pages, exactly (SHM_LARGEPAGE; spec shm.md sections 2.4, 3.11 to 3.26).

import ABI
import Primitives
import Simulation
import Testing

@testable import Memory
@testable import SystemCalls

@Suite struct LargePageTests {
  private static let size: UInt64 = 2 << 20
  private let place = TestKernel.data + 0x200
  private let fixed: UInt64 = 0x4000_0000

  /// A machine with some blocks of 2 MiB.
  private func machine(frames: Int = 8192) throws -> TestKernel { try TestKernel(frames: frames) }

  private func configure(_ kernel: TestKernel, _ file: UInt64, _ size: UInt32 = 1, policy: UInt32 = 0) -> Errno? {
    kernel.store(TestKernel.words([size, policy] + [UInt32](repeating: 0, count: 10)), at: place)
    return kernel.call(.ioctl, file, 0x8030_6664, place)?.errno
  }

  /// A configured object of so many large pages.
  private func object(_ kernel: TestKernel, pages: UInt64 = 1, flags: UInt64 = 4) -> UInt64 {
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, flags, 0)
    let file = kernel.result.value
    #expect(configure(kernel, file) == nil)
    if pages > 0 { #expect(kernel.call(.ftruncate, file, pages * Self.size)?.failed == false) }
    return file
  }

  private func map(
    _ kernel: TestKernel, _ file: UInt64, _ address: UInt64 = 0, _ byteCount: UInt64 = size, flags: UInt64 = 1,
    offset: UInt64 = 0, protection: UInt64 = .readWrite
  ) -> CallResult? {
    kernel.call(.mmap, address, byteCount, protection, flags, file, offset)
  }

  @Test func `an object is configured once, and tells how`() throws {
    // shows: shm 3.2.largepage, 3.20.large, 3.22.largepage-index, 3.22.largepage-get
    let kernel = try machine()
    let ordinary = { () -> UInt64 in
      kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
      return kernel.result.value
    }()
    #expect(configure(kernel, ordinary) == .enotty)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 4, 0)
    let file = kernel.result.value
    #expect(kernel.call(.ftruncate, file, Self.size)?.errno == .einval)
    #expect(kernel.call(.ftruncate, file, 0)?.failed == false)
    #expect(kernel.call(.write, file, place, 1)?.errno == .einval)
    #expect(map(kernel, file)?.errno == .einval)
    for size in [0, 2, 3, UInt32.max] as [UInt32] { #expect(configure(kernel, file, size) == .einval) }
    #expect(configure(kernel, file, 1, policy: 3) == .einval)
    #expect(configure(kernel, file, 1, policy: 2) == nil)
    #expect(configure(kernel, file, 2) == .einval)
    #expect(configure(kernel, file, 1, policy: 1) == nil)
    #expect(kernel.call(.ioctl, file, 0x4030_6665, place)?.failed == false)
    #expect(kernel.loadWord(place) == 1 | 1 << 32)
  }

  @Test func `it grows by whole pages, never shrinks, and keeps its times`() throws {
    // shows: shm 3.7.large, 3.8.large-blocks, 3.24.seal-large, 3.25.large
    let kernel = try machine()
    let file = object(kernel, pages: 0)
    kernel.call(.fstat, file, place)
    let changed = kernel.loadWord(place + 64)
    #expect(kernel.call(.ftruncate, file, 4096)?.errno == .einval)
    #expect(kernel.call(.ftruncate, file, 2 * Self.size)?.failed == false)
    #expect(kernel.call(.fstat, file, place)?.failed == false)
    #expect(kernel.loadWord(place + StatField.size) == 2 * Self.size)
    #expect(kernel.loadWord(place + StatField.blockCount) == 2)
    #expect(kernel.loadWord(place + 64) == changed)
    #expect(kernel.call(.ftruncate, file, Self.size)?.errno == .eopnotsupp)
    #expect(kernel.call(.ftruncate, file, 0)?.errno == .eopnotsupp)
    #expect(kernel.call(.posixFallocate, file, 0, 3 * Self.size)?.value == 0)
    #expect(kernel.call(.posixFallocate, file, 0, 3 * Self.size + 1)?.value == UInt64(Errno.einval.rawValue))
    kernel.call(.fstat, file, place)
    #expect(kernel.loadWord(place + StatField.size) == 3 * Self.size)
    // What cannot be had: the pages before it stay.
    let result = kernel.call(.ftruncate, file, 100 * Self.size)
    #expect(result?.errno == .enomem)
    kernel.call(.fstat, file, place)
    let size = kernel.loadWord(place + StatField.size)
    #expect(size > 3 * Self.size && size < 100 * Self.size && size % Self.size == 0)
    #expect(kernel.kernel.isSound())
    // Seals.
    let sealed = object(kernel, pages: 0, flags: 5)
    #expect(kernel.call(.fcntl, sealed, 19, 8)?.errno == .eopnotsupp)
    #expect(kernel.call(.fcntl, sealed, 19, 4)?.failed == false)
    #expect(kernel.call(.ftruncate, sealed, Self.size)?.errno == .eperm)
  }

  @Test func `it is mapped whole, by large leaves, and read and written`() throws {
    let kernel = try machine()
    let file = object(kernel, pages: 2)
    #expect(map(kernel, file, 0, 2 * Self.size)?.failed == false)
    let address = kernel.result.value
    #expect(address % Self.size == 0)
    #expect(kernel.load(address + 0x12345, 8) == [UInt8](repeating: 0, count: 8))
    #expect(kernel.store([1, 2, 3], at: address + Self.size - 1))
    #expect(kernel.load(address + Self.size, 2) == [2, 3])
    // Both large pages are there, each by one leaf (MINCORE_PSIND(1) is 0x20).
    #expect(kernel.call(.mincore, address, 2 * Self.size, TestKernel.data + 0x1000)?.failed == false)
    let told = kernel.load(TestKernel.data + 0x1000, 1024) ?? []
    #expect(told.allSatisfy { $0 & 0x21 == 0x21 })
    #expect(kernel.call(.pread, file, place, 4, Self.size - 1)?.value == 4)
    #expect(kernel.load(place, 4) == [1, 2, 3, 0])
    #expect(kernel.call(.pwrite, file, place, 4, 77)?.value == 4)
    #expect(kernel.load(address + 77, 4) == [1, 2, 3, 0])
    // Behind the end.
    #expect(map(kernel, file, fixed, Self.size, flags: 0x11, offset: 2 * Self.size)?.failed == false)
    // fork: the child shares it.
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      #expect(kernel.load(address + Self.size, 2) == [2, 3])
      kernel.store([9], at: address)
      kernel.touch(fixed)
    }
    #expect(status.rawValue & 0x7F == Signal.sigbus.rawValue)
    #expect(kernel.load(address, 1) == [9])
    #expect(kernel.kernel.isSound())
  }

  @Test func `mmap refuses what is no mapping of large pages`() throws {
    // shows: shm 3.11.large, 3.11.large-cut, 3.13.large, 3.14.large, 3.15.large, 3.17.large, 3.18.large
    let kernel = try machine()
    let file = object(kernel, pages: 2)
    #expect(map(kernel, file, flags: 2)?.errno == .einval)
    #expect(map(kernel, file, 0, 4096)?.errno == .einval)
    #expect(map(kernel, file, 0, Self.size, offset: 4096)?.errno == .einval)
    #expect(map(kernel, file, fixed + 4096, Self.size, flags: 0x11)?.errno == .einval)
    #expect(map(kernel, file, fixed + 4096, Self.size)?.errno == .einval)
    #expect(map(kernel, file, 0, Self.size, flags: 1 | 0x800)?.errno == .einval)
    #expect(map(kernel, file, fixed, Self.size, flags: 0x11)?.value == fixed)
    #expect(map(kernel, file, fixed, Self.size, flags: 0x4011)?.errno == .enospc)
    #expect(map(kernel, file, fixed, Self.size, flags: 0x11, offset: Self.size)?.value == fixed)
    // What would cut it.
    #expect(
      kernel.call(.mmap, fixed + 4096, 4096, .readWrite, .fixedPrivateMemory, UInt64(bitPattern: -1), 0)?.errno
        == .einval)
    #expect(kernel.call(.munmap, fixed, 4096)?.errno == .einval)
    #expect(kernel.call(.munmap, fixed + 4096, Self.size)?.errno == .einval)
    #expect(kernel.call(.mprotect, fixed, 4096, .readOnly)?.errno == .einval)
    #expect(kernel.call(.minherit, fixed, 4096, 2)?.errno == .einval)
    #expect(kernel.call(.minherit, fixed, Self.size, 1)?.errno == .einval)
    #expect(kernel.call(.madvise, fixed, 4096, 1)?.errno == .einval)
    #expect(kernel.call(.mlock, fixed, 4096)?.errno == .einval)
    #expect(kernel.call(.msync, fixed, 4096, 2)?.errno == .ebusy)
    // And what does not.
    #expect(kernel.call(.madvise, fixed, Self.size, 1)?.failed == false)
    #expect(kernel.call(.madvise, fixed, 4096, 4)?.failed == false)
    #expect(kernel.call(.msync, fixed, 4096, 0)?.failed == false)
    #expect(kernel.call(.mlock, fixed, Self.size)?.failed == false)
    #expect(kernel.call(.munlock, fixed, Self.size)?.failed == false)
    kernel.store([5], at: fixed)
    #expect(kernel.call(.mprotect, fixed, Self.size, .readOnly)?.failed == false)
  }

  @Test func `protection, unmapping and the end leave nothing`() throws {
    let kernel = try machine()
    let free = kernel.kernel.memory.freeFrameCount
    let file = object(kernel, pages: 3)
    #expect(map(kernel, file, fixed, 3 * Self.size, flags: 0x11)?.failed == false)
    for page in 0..<3 as Range<UInt64> { kernel.store([UInt8(page + 1)], at: fixed + page * Self.size) }
    #expect(kernel.call(.munmap, fixed + Self.size, Self.size)?.failed == false)
    #expect(kernel.load(fixed + 2 * Self.size, 1) == [3])
    #expect(kernel.call(.mprotect, fixed, Self.size, .readOnly)?.failed == false)
    #expect(kernel.load(fixed, 1) == [1])
    #expect(kernel.call(.mprotect, fixed, Self.size, .readWrite)?.failed == false)
    #expect(kernel.store([8], at: fixed) && kernel.load(fixed, 1) == [8])
    #expect(kernel.call(.close, file)?.failed == false)
    #expect(kernel.load(fixed, 1) == [8])
    #expect(kernel.call(.munmap, fixed, 3 * Self.size)?.failed == false)
    for _ in 0..<50 { kernel.tick() }
    #expect(kernel.kernel.isSound())
    #expect(free - kernel.kernel.memory.freeFrameCount < 64)
    #expect(kernel.kernel.memory.largeObjectCount == 0)
  }

  @Test func `opening with O_TRUNC does not shrink it`() throws {
    // shows: shm 3.1.trunc-large
    let kernel = try machine()
    let name = kernel.string("/large", at: TestKernel.data + 0x80)
    kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 4, 0)
    let file = kernel.result.value
    #expect(configure(kernel, file) == nil)
    #expect(kernel.call(.shmOpen2, name, .truncateReadWrite, 0, 0, 0)?.failed == false)
    #expect(kernel.call(.ftruncate, file, Self.size)?.failed == false)
    #expect(kernel.call(.shmOpen2, name, .truncateReadWrite, 0, 0, 0)?.errno == .eopnotsupp)
    kernel.call(.fstat, file, place)
    #expect(kernel.loadWord(place + StatField.size) == Self.size)
    kernel.call(.shmUnlink, name)
  }

  @Test func `what a child has added stays when it ends`() throws {
    let kernel = try machine()
    let file = object(kernel, pages: 0)
    let child = kernel.fork()
    let (_, status) = kernel.wait(child) {
      #expect(kernel.call(.ftruncate, file, 2 * Self.size)?.failed == false)
      kernel.call(.exit, 0)
    }
    #expect(status.rawValue == 0)
    kernel.call(.fstat, file, place)
    #expect(kernel.loadWord(place + StatField.size) == 2 * Self.size)
  }
}
