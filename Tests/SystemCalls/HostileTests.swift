// What a hostile program tries against the kernel itself: arithmetic that wraps, reserves that run dry, waiting for ever.

import ABI
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct HostileTests {
  private let minusOne = UInt64.max
  private let anonymous: UInt64 = .privateMemory

  /// Objects for memory that starts as zeros, and those that hold a program's copies of an object's pages.
  @Test(arguments: [false, true]) func `every object that the kernel makes for a program is reserved first`(
    isCopy: Bool
  ) throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.value == 3)
    #expect(kernel.call(.ftruncate, 3, 4096)?.failed == false)
    let (flags, descriptor) = isCopy ? (2, 3) : (anonymous, minusOne)
    // Not one behind the other: neighbours would be one mapping.
    let addresses = (0..<32 as Range<UInt64>).map { index in
      kernel.call(.mmap, 0x20_0000_0000 + index * 8192, 4096, 3, flags, descriptor, 0)?.value ?? 0
    }
    let before = kernel.hardware.heap.requestCount
    for address in addresses { #expect(kernel.call(.clockGettime, 0, address)?.integer == 0) }
    #expect(kernel.hardware.heap.requestCount >= before + addresses.count)
  }

  /// Process 1 is cut in the middle of a write of 200 pages, and process 2 runs.
  private func cutWrite(_ kernel: TestKernel) throws -> PhysicalAddress? {
    let first = kernel.context
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.value == 3)
    #expect(kernel.call(.ftruncate, 3, 200 << 12)?.failed == false)
    let buffer = try #require(kernel.call(.mmap, 0, 200 << 12, 3, anonymous, minusOne, 0)).value
    _ = kernel.fork()
    kernel.call(.write, 3, buffer, 200 << 12)
    #expect(kernel.context != first)
    return first
  }

  @Test func `a call that was cut goes on only with a reserve`() throws {
    let kernel = try TestKernel()
    let first = try cutWrite(kernel)
    kernel.hardware.heap.alwaysFails = true
    for _ in 0..<10 { kernel.call(.schedYield) }
    #expect(kernel.context != first)
    kernel.hardware.heap.alwaysFails = false
    for _ in 0..<10 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.context == first && kernel.result == CallResult(value: 200 << 12, failed: false))
  }

  @Test func `who sleeps wakes while others make long calls`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.run(child)
    kernel.storeWord(0, at: TestKernel.data)
    kernel.storeWord(1_000_000, at: TestKernel.data + 8)
    kernel.call(.nanosleep, TestKernel.data, 0)
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.value == 3)
    #expect(kernel.call(.ftruncate, 3, 200 << 12)?.failed == false)
    let buffer = try #require(kernel.call(.mmap, 0, 200 << 12, 3, anonymous, minusOne, 0)).value
    // No timer interrupt comes through, but the call is cut.
    kernel.hardware.clock.advance(by: 2_000_000)
    kernel.call(.write, 3, buffer, 200 << 12)
    #expect(kernel.identifier == child)
  }

  @Test func `a mapping of nearly everything does not wrap the limit`() throws {
    let kernel = try TestKernel()
    #expect(kernel.setLimit(10, 1 << 40, 1 << 40)?.integer == 0)
    #expect(kernel.call(.mmap, 0, ~0xFFF, 3, anonymous, minusOne, 0)?.errno == .enomem)
    #expect(kernel.call(.mmap, 0, 2 << 40, 3, anonymous, minusOne, 0)?.errno == .enomem)
    #expect(kernel.call(.mmap, 0, 4096, 3, anonymous, minusOne, 0)?.failed == false)
  }

  @Test func `the zero device can be read at the largest offset`() throws {
    let kernel = try TestKernel()
    let name = kernel.string("/dev/zero")
    let descriptor = try #require(kernel.call(.open, name, 2)).value
    let buffer = TestKernel.data + 0x2000
    #expect(kernel.call(.pread, descriptor, buffer, 8192, UInt64(Int64.max))?.value == 8192)
    #expect(kernel.call(.lseek, descriptor, UInt64(Int64.max), 0)?.value == UInt64(Int64.max))
    #expect(kernel.call(.read, descriptor, buffer, 4097)?.value == 4097)
    #expect(kernel.call(.lseek, descriptor, 0, 1)?.value == UInt64(Int64.max))
    #expect(kernel.call(.write, descriptor, buffer, UInt64(Int64.max))?.value == UInt64(Int64.max))
  }

  @Test func `a stopped process meets other signals when it is continued`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.call(.schedYield)
    kernel.storeWord(100, at: TestKernel.data)
    kernel.storeWord(0, at: TestKernel.data + 8)
    kernel.call(.nanosleep, TestKernel.data, 0)
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.kill, UInt64(child), 17)?.integer == 0)
    #expect(kernel.call(.kill, UInt64(child), 15)?.integer == 0)
    #expect(kernel.wait(child, options: 2).1 == .stopped(.sigstop))
    // An end takes several turns.
    for _ in 0..<20 { kernel.call(.schedYield) }
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.wait4, UInt64(child), 0, 1, 0)?.integer == 0)
    #expect(kernel.call(.kill, UInt64(child), 19)?.integer == 0)
    #expect(kernel.wait(child) == (child, .terminated(.sigterm)))
  }

  @Test func `waiting for frames ends though another never stops`() throws {
    let kernel = try TestKernel(frames: 256)
    let child = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.identifier == child)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let descriptor = kernel.result.value
    kernel.call(.ftruncate, descriptor, 4_096_000)
    let address = try #require(kernel.call(.mmap, 0, 4_096_000, 3, 1, descriptor, 0)).value
    for page in 0..<UInt64(1000) {
      guard kernel.store([1], at: address + page * 4096) else { break }
    }
    #expect(kernel.identifier == 1)
    for _ in 0..<3 {
      #expect(kernel.identifier == 1)
      kernel.hardware.clock.advance(by: 600_000_000)
      kernel.tick()
    }
    // The end of a process takes several turns.
    for _ in 0..<10 where kernel.identifier == 1 { kernel.call(.schedYield) }
    #expect(kernel.call(.wait4, UInt64(child), TestKernel.data, 1, 0)?.integer == child)
    #expect(WaitStatus(rawValue: Int32(truncatingIfNeeded: kernel.loadWord(TestKernel.data))) == .terminated(.sigkill))
  }

  @Test func `who waits to add seals is woken by the last transfer`() throws {
    let kernel = try TestKernel()
    let pages: UInt64 = 200
    // SHM_ANON, O_RDWR, SHM_ALLOW_SEALING.
    let descriptor = try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 1, 0)).value
    #expect(kernel.call(.ftruncate, descriptor, pages << 12)?.integer == 0)
    let buffer = try #require(kernel.call(.mmap, 0, pages << 12, 3, anonymous, minusOne, 0)).value
    let child = kernel.fork()
    // The write is cut; the child runs, and waits for the write's end.
    kernel.call(.write, descriptor, buffer, pages << 12)
    #expect(kernel.identifier == child)
    kernel.call(.fcntl, descriptor, 19, 8)
    #expect(kernel.identifier == 1)
    kernel.call(.schedYield)
    #expect(kernel.identifier == child)
    #expect(kernel.call(.fcntl, descriptor, 20)?.integer == 8)
  }

  @Test func `the upper half of an integer argument means nothing`() throws {
    let kernel = try TestKernel()
    let garbage: UInt64 = 0xDEAD_BEEF << 32
    // kern.osreldate is {1, 24}.
    kernel.storeWord(24 << 32 | 1, at: TestKernel.data)
    kernel.storeWord(4, at: TestKernel.data + 16)
    #expect(
      kernel.call(.sysctl, TestKernel.data, garbage | 2, TestKernel.data + 8, TestKernel.data + 16, 0, 0)?.integer == 0)
    #expect(UInt32(truncatingIfNeeded: kernel.loadWord(TestKernel.data + 8)) == InterfaceLimits.osReleaseDate)
    #expect(kernel.call(.setgroups, garbage | 1, TestKernel.data)?.integer == 0)
    #expect(kernel.call(.setgroups, 0xFFFF_FFFF, TestKernel.data)?.errno == .einval)
  }
}
