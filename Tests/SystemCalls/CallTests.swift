// Calls on descriptors, memory, identity and the system through the whole kernel.

import ABI
import Files
import Memory
import Simulation
import Testing

@testable import SystemCalls

@Suite struct CallTests {
  private let minusOne = UInt64.max

  @Test func `shared memory is shared with a child`() throws {
    // shows: shm 3.11.entry-shared
    let kernel = try TestKernel()
    let name = kernel.string("/object")
    let descriptor = try #require(kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0))
    #expect(descriptor.integer == 3)
    #expect(kernel.call(.ftruncate, 3, 10000)?.integer == 0)
    let address = try #require(kernel.call(.mmap, 0, 10000, 3, 1, 3, 0)?.value)
    kernel.store([5], at: address + 8192)
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      #expect(kernel.load(address + 8192, 1) == [5])
      kernel.store([6], at: address)
      kernel.exit(0)
    }
    #expect(status == .exited(0))
    #expect(kernel.load(address, 1) == [6])
    #expect(kernel.call(.pread, 3, TestKernel.data + 0x100, 1, 8192)?.integer == 1)
    #expect(kernel.load(TestKernel.data + 0x100, 1) == [5])
    #expect(kernel.call(.fstat, 3, TestKernel.data + 0x200)?.integer == 0)
    #expect(kernel.loadWord(TestKernel.data + 0x200 + 112) == 10000)
    #expect(kernel.call(.shmUnlink, name)?.integer == 0)
    #expect(kernel.call(.shmUnlink, name)?.errno == .enoent)
    #expect(kernel.call(.munmap, address, 10000)?.integer == 0)
    #expect(kernel.call(.close, 3)?.integer == 0)
    #expect(kernel.call(.close, 3)?.errno == .ebadf)
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.integer == 3)
    #expect(kernel.call(.shmOpen2, 1, 0, 0, 0, 0)?.errno == .einval)
    #expect(kernel.call(.shmOpen, 8, 2, 0)?.errno == .efault)
    #expect(kernel.call(.shmOpen2, 8, 2, 0, 8)?.errno == .einval)
  }

  @Test func `mmap checks its arguments in order`() throws {
    // shows: shm 3.11.prot-max, 3.11.zero-length, 3.11.anon, 3.11.stack-einval, 3.11.unknown-flags
    // shows: shm 3.11.excl-alone, 3.11.shared-private, 3.11.guard, 3.11.wrap, 3.11.alignment, 3.11.fixed
    // shows: shm 3.11.fixed-32bit, 3.11.ebadf, 3.11.no-space, 3.11.fixed-excl, 3.14.prot
    // shows: shm 3.14.zero-length
    let kernel = try TestKernel()
    func map(
      _ address: UInt64, _ count: UInt64, _ protection: UInt64, _ flags: UInt64, _ descriptor: UInt64, _ offset: UInt64
    ) -> Errno? { kernel.call(.mmap, address, count, protection, flags, descriptor, offset)?.errno }
    #expect(map(0, 0, 8, .privateMemory, minusOne, 0) == .einval)
    #expect(map(0, 0, 3 | 1 << 16, 0x1002, minusOne, 0) == .enotsup)
    #expect(map(0, 0, 3, 0x1002, minusOne, 0) == .einval)
    #expect(map(0, 4096, 3, 0x1002, 0, 0) == .einval)
    #expect(map(0, 4096, 3, 0x1002, minusOne, 4096) == .einval)
    #expect(map(0, 4096, 1, 0x402, minusOne, 0) == .einval)
    #expect(map(0, 4096, 3, 0x1082, minusOne, 0) == .einval)
    #expect(map(0, 4096, 3, 0x5002, minusOne, 0) == .einval)
    #expect(map(0, 4096, 3, 0x1003, minusOne, 0) == .einval)
    #expect(map(0, 4096, 3, 0x2000, minusOne, 0) == .einval)
    #expect(map(0, UInt64.max, 3, 0x1002, minusOne, 0) == .enomem)
    #expect(map(0, 4096, 3, 0x1002 | 5 << 24, minusOne, 0) == .einval)
    #expect(map(0x1001, 4096, 3, 0x1012, minusOne, 0) == .einval)
    #expect(map(0x4000_0000_0000, 4096, 3, 0x1012, minusOne, 0) == .einval)
    #expect(map(0, 4096, 3, 0x1012, minusOne, 0) == .einval)
    // MAP_STACK wants both rights; MAP_32BIT ends at 2 GiB.
    #expect(map(0, 4096, 2, 0x400, minusOne, 0) == .einval)
    #expect(map(1 << 31 - 4096, 8192, 3, 0x8_1012, minusOne, 0) == .einval)
    #expect(map(1 << 31 - 4096, 4096, 3, 0x8_1012, minusOne, 0) == nil)
    #expect(map(0, 4096, 3, 1, 77, 0) == .ebadf)
    #expect(map(0, 4096, 3, 0, 0, 0) == .einval)
    // A device that cannot be mapped.
    #expect(map(0, 4096, 3, 1, 0, 0) == .einval)
    #expect(map(0, 1 << 46, 3, 0x1002, minusOne, 0) == .enomem)
    #expect(map(0, 4096, 0, 0x2000, minusOne, 0) == nil)
    #expect(map(TestKernel.data, 4096, 3, 0x5012, minusOne, 0) == .enomem)
    #expect(kernel.call(.munmap, TestKernel.data, 0)?.errno == .einval)
    #expect(kernel.call(.munmap, minusOne, 4096)?.errno == .einval)
    #expect(kernel.call(.mprotect, TestKernel.data, 4096, 8)?.errno == .einval)
    #expect(kernel.call(.mprotect, TestKernel.data, 0, 1)?.integer == 0)
    #expect(kernel.call(.mprotect, minusOne, 4096, 1)?.errno == .einval)
  }

  @Test func `a guard is never made accessible`() throws {
    let kernel = try TestKernel()
    let address = try #require(kernel.call(.mmap, 0, 4096, 0, 0x2000, minusOne, 0)).value
    for protection in [1, 2, 3, 4] as [UInt64] {
      #expect(kernel.call(.mprotect, address, 4096, protection)?.integer == 0)
    }
    #expect(kernel.call(.mprotect, address, 4096, 0)?.failed == false)
  }

  @Test func `anonymous shared memory is shared with a child`() throws {
    let kernel = try TestKernel()
    let address = try #require(kernel.call(.mmap, 0, 8192, .readWrite, .sharedMemory, minusOne, 0)?.value)
    _ = kernel.fork()
    _ = kernel.wait {
      kernel.store([77], at: address + 4096)
      kernel.exit()
    }
    #expect(kernel.load(address + 4096, 1) == [77])
  }

  @Test func `protection takes effect`() throws {
    // shows: shm 3.12.accerr
    let kernel = try TestKernel()
    kernel.store([1], at: TestKernel.data + 8192)
    #expect(kernel.call(.mprotect, TestKernel.data + 8192, 4096, 1)?.integer == 0)
    _ = kernel.fork()
    let (_, status) = kernel.wait { kernel.store([2], at: TestKernel.data + 8192) }
    #expect(status == .terminated(.sigsegv))
    #expect(kernel.call(.read, 0, TestKernel.data + 8192, 0)?.integer == 0)
  }

  @Test func `the break moves`() throws {
    // shows: shm 3.12.maperr
    let kernel = try TestKernel()
    let start = TestKernel.data + 65536
    #expect(kernel.call(.break, start + 10000)?.value == start + 12288)
    #expect(kernel.store([1], at: start + 12287))
    #expect(kernel.call(.break, start - 1)?.value == start)
    #expect(kernel.call(.break, start)?.failed == false)
    _ = kernel.fork()
    let (_, status) = kernel.wait { kernel.store([1], at: start) }
    #expect(status == .terminated(.sigsegv))
  }

  @Test func `identities change as the manuals say`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.setgroups, 3, TestKernel.data)?.integer == 0)
    #expect(kernel.call(.getgroups, 0, 0)?.integer == 3)
    #expect(kernel.call(.getgroups, 2, 0)?.errno == .einval)
    #expect(kernel.call(.setresuid, 100, 200, 300)?.integer == 0)
    #expect(kernel.call(.getuid)?.integer == 100)
    #expect(kernel.call(.geteuid)?.integer == 200)
    #expect(kernel.call(.issetugid)?.integer == 1)
    #expect(kernel.call(.getresuid, TestKernel.data, 0, TestKernel.data + 4)?.integer == 0)
    #expect(kernel.loadWord(TestKernel.data) == 300 << 32 | 100)
    #expect(kernel.call(.seteuid, 400)?.errno == .eperm)
    #expect(kernel.call(.seteuid, 300)?.integer == 0)
    #expect(kernel.call(.setuid, 200)?.errno == .eperm)
    #expect(kernel.call(.setreuid, minusOne, 100)?.integer == 0)
    #expect(kernel.call(.setgroups, 0, 0)?.errno == .eperm)
    #expect(kernel.call(.reboot, 0x4008)?.errno == .eperm)
    #expect(kernel.call(.umask, 0o77)?.integer == 0o22)
    #expect(kernel.call(.umask, 0)?.integer == 0o77)
  }

  @Test func `sessions and groups`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    #expect(kernel.call(.setpgid, UInt64(child), 0)?.integer == 0)
    #expect(kernel.call(.getpgid, UInt64(child))?.integer == child)
    #expect(kernel.call(.setpgid, UInt64(child), 55)?.errno == .eperm)
    #expect(kernel.call(.setpgid, 0, 0)?.errno == .eperm)
    #expect(kernel.call(.setsid)?.errno == .eperm)
    #expect(kernel.call(.kill, UInt64(bitPattern: Int64(-child)), 9)?.integer == 0)
    let (_, status) = kernel.wait()
    #expect(status == .terminated(.sigkill))
    #expect(kernel.call(.kill, UInt64(bitPattern: Int64(-child)), 9)?.errno == .esrch)
    _ = kernel.fork()
    _ = kernel.wait {
      let own = kernel.identifier
      #expect(kernel.call(.setsid)?.integer == own)
      #expect(kernel.call(.getsid, 0)?.integer == own)
      #expect(kernel.call(.getpgrp)?.integer == own)
      kernel.exit()
    }
  }

  @Test func `system control finds nodes by name and number`() throws {
    let kernel = try TestKernel()
    let out = TestKernel.data + 0x400
    func byName(_ name: String, room: UInt64) -> CallResult? {
      let address = kernel.string(name)
      kernel.storeWord(room, at: out - 8)
      return kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), out, out - 8, 0, 0)
    }
    #expect(byName("kern.ostype", room: 100)?.integer == 0)
    #expect(kernel.loadString(out) == "FreeBSD")
    #expect(kernel.loadWord(out - 8) == 8)
    #expect(byName("hw.physmem", room: 8)?.integer == 0)
    #expect(kernel.loadWord(out) == UInt64(kernel.hardware.system.managedFrameCount) * 4096)
    #expect(byName("hw.physmem", room: 4)?.errno == .enomem)
    #expect(byName("hw.nothing", room: 8)?.errno == .enoent)
    kernel.storeWord(7 << 32 | 6, at: TestKernel.data)
    kernel.storeWord(4, at: out - 8)
    kernel.storeWord(0, at: out)
    #expect(kernel.call(.sysctl, TestKernel.data, 2, out, out - 8, 0, 0)?.integer == 0)
    #expect(kernel.loadWord(out) == 4096)
    // {0, 3}: from a name to numbers, and then the value.
    kernel.storeWord(3 << 32, at: TestKernel.data)
    let name = kernel.string("vm.stats.vm.v_free_count", at: TestKernel.data + 0x40)
    kernel.storeWord(96, at: out - 8)
    #expect(kernel.call(.sysctl, TestKernel.data, 2, out, out - 8, name, 24)?.integer == 0)
    #expect(kernel.loadWord(out - 8) == 8)
    kernel.storeWord(4, at: out - 8)
    #expect(kernel.call(.sysctl, out, 2, out + 64, out - 8, 0, 0)?.integer == 0)
    #expect(kernel.loadWord(out + 64) & 0xFFFF_FFFF > 100)
  }

  @Test func `reboot ends everything with status 0`() throws {
    let kernel = try TestKernel()
    _ = kernel.fork()
    kernel.call(.shmOpen2, kernel.string("/left"), .createReadWrite, 0o600, 0, 0)
    kernel.call(.reboot, 0x4008)
    #expect(kernel.report?.isClean == true)
  }

  @Test func `bases of segments are set and read`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(0x1234_5000, at: TestKernel.data)
    #expect(kernel.call(.sysarch, 129, TestKernel.data)?.integer == 0)
    #expect(kernel.register(144) == 0x1234_5000)
    #expect(kernel.call(.sysarch, 128, TestKernel.data + 8)?.integer == 0)
    #expect(kernel.loadWord(TestKernel.data + 8) == 0x1234_5000)
    kernel.storeWord(1 << 46, at: TestKernel.data)
    #expect(kernel.call(.sysarch, 129, TestKernel.data)?.errno == .einval)
    #expect(kernel.call(.sysarch, 129, 8)?.errno == .efault)
    #expect(kernel.call(.sysarch, 77, TestKernel.data)?.errno == .einval)
  }

  @Test func `the console echoes and waits`() throws {
    let kernel = try TestKernel()
    _ = kernel.string("hi\n")
    #expect(kernel.call(.write, 1, TestKernel.data, 3)?.integer == 3)
    #expect(kernel.hardware.processor.takeConsoleOutput() == Array("hi\r\n".utf8))
    #expect(kernel.call(.read, 0, TestKernel.data, 10) == nil)
    kernel.type([65])
    #expect(kernel.result.integer == 1)
    #expect(kernel.load(TestKernel.data, 1) == [65])
    #expect(kernel.call(.ioctl, 0, 0x402c_7413, TestKernel.data)?.integer == 0)
    #expect(kernel.call(.open, kernel.string("/dev/null"), 2, 0)?.integer == 3)
    #expect(kernel.call(.ioctl, 3, 0x402c_7413, TestKernel.data)?.errno == .enotty)
    #expect(kernel.call(.open, kernel.string("/bin/prog"), 0, 0)?.integer == 4)
    #expect(kernel.call(.read, 4, TestKernel.data, 4)?.integer == 4)
    #expect(kernel.load(TestKernel.data, 4) == [0x7F, 0x45, 0x4C, 0x46])
  }

  @Test(arguments: [1, 4095, 4096, 4097, 10_000])
  func `input that found no room comes as soon as the program has read`(typedByteCount: Int) throws {
    let kernel = try TestKernel()
    kernel.type((0..<typedByteCount).map { UInt8(truncatingIfNeeded: $0 / 7) })
    var received: [UInt8] = []
    // No tick comes while the program reads, nor while everybody sleeps.
    while received.count < typedByteCount {
      guard let count = kernel.call(.read, 0, TestKernel.data, 500)?.integer, count > 0 else { break }
      received += kernel.load(TestKernel.data, count) ?? []
    }
    #expect(received == (0..<typedByteCount).map { UInt8(truncatingIfNeeded: $0 / 7) })
    #expect(kernel.call(.read, 0, TestKernel.data, 500) == nil)
    kernel.type([99])
    #expect(kernel.result.integer == 1 && kernel.load(TestKernel.data, 1) == [99])
  }

  @Test func `framed input ends where it says, and a reader who waits is told`() throws {
    let kernel = try TestKernel()
    kernel.kernel.files.console.inputIsFramed = true
    kernel.type([7, 0x10])
    #expect(kernel.call(.read, 0, TestKernel.data, 10)?.integer == 1)
    #expect(kernel.call(.read, 0, TestKernel.data, 10) == nil, "half of what stands for one byte is nothing")
    kernel.type([0x10, 4, 0x10, 4, 9])
    #expect(kernel.result.integer == 2 && kernel.load(TestKernel.data, 2) == [0x10, 4])
    for _ in 0..<2 { #expect(kernel.call(.read, 0, TestKernel.data, 10)?.integer == 0) }
    kernel.type([0x10, 4, 9])
    #expect(kernel.call(.read, 0, TestKernel.data, 10)?.integer == 0)
  }

  @Test func `the end of framed input wakes who waits for more`() throws {
    let kernel = try TestKernel()
    kernel.kernel.files.console.inputIsFramed = true
    #expect(kernel.call(.read, 0, TestKernel.data, 10) == nil)
    kernel.type([0x10, 4])
    #expect(kernel.result.integer == 0)
  }

  @Test func `input before the kernel starts is not lost`() throws {
    let kernel = try TestKernel { console in console.type([7, 8]) }
    #expect(kernel.call(.read, 0, TestKernel.data, 10)?.integer == 2)
    #expect(kernel.load(TestKernel.data, 2) == [7, 8])
  }
}
