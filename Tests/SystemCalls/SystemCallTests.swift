// Calls about the system and about time, and what is common to all calls: indirect ones, unknown ones, bad addresses.

import ABI
import Memory
import Simulation
import Testing

@testable import SystemCalls

@Suite struct SystemCallTests {
  private let data = TestKernel.data
  private let minusOne = UInt64.max

  private func error(_ result: CallResult?) -> Errno? { result?.errno }

  // MARK: sysctl

  /// The value of a node, as bytes.
  private func read(_ kernel: TestKernel, _ name: String) -> [UInt8] {
    let address = kernel.string(name)
    kernel.storeWord(128, at: data + 0x200)
    #expect(
      kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), data + 0x300, data + 0x200, 0, 0)?.integer == 0)
    return kernel.load(data + 0x300, Int(kernel.loadWord(data + 0x200))) ?? []
  }

  private func number(_ bytes: [UInt8]) -> UInt64 {
    bytes.enumerated().reduce(0) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
  }

  private func set(_ kernel: TestKernel, _ name: String, _ value: UInt32, length: UInt64 = 4) -> CallResult? {
    let address = kernel.string(name)
    kernel.storeWord(UInt64(value), at: data + 0x400)
    return kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), 0, 0, data + 0x400, length)
  }

  @Test func `nodes have their values`() throws {
    let kernel = try TestKernel(swapBlocks: 100, maximumProcessCount: 77)
    let texts = [
      ("kern.ostype", "FreeBSD"), ("kern.osrelease", "15.0-CURRENT"), ("kern.hostname", "martlet"),
      ("hw.machine", "amd64"), ("kern.version", "FreeBSD 15.0-CURRENT Martlet\n"),
    ]
    for (name, text) in texts { #expect(read(kernel, name) == Array(text.utf8) + [0], "\(name)") }
    let system = kernel.hardware.system
    let integers: [(String, Int)] = [
      ("kern.osrevision", 199_506), ("kern.osreldate", 1_500_026), ("kern.argmax", 524_288), ("kern.maxproc", 77),
      ("kern.ngroups", 256), ("kern.openfiles", 3), ("kern.signosys", 1), ("kern.features.posix_shm", 1),
      ("hw.ncpu", 1), ("hw.pagesize", 4096), ("vm.overcommit", 0),
      ("vm.stats.vm.v_page_count", system.managedFrameCount),
    ]
    for (name, value) in integers {
      let bytes = read(kernel, name)
      #expect(bytes.count == 4 && number(bytes) == UInt64(value), "\(name)")
    }
    let longs: [(String, UInt64)] = [
      ("kern.usrstack", UserSpace.stackTop), ("vm.swap_total", 99 * 4096),
      ("hw.physmem", UInt64(system.managedFrameCount) * 4096), ("vm.martlet.heap_bytes", 0),
      ("vm.stats.vm.v_swappgsin", 0), ("vm.stats.vm.v_swappgsout", 0),
    ]
    for (name, value) in longs {
      let bytes = read(kernel, name)
      #expect(bytes.count == 8 && number(bytes) == value, "\(name)")
    }
    #expect(number(read(kernel, "kern.maxfiles")) >= number(read(kernel, "kern.maxfilesperproc")))
    #expect(read(kernel, "kern.arandom") != read(kernel, "kern.arandom"))
    let objects = number(read(kernel, "vm.martlet.live_objects"))
    let reserved = number(read(kernel, "vm.swap_reserved"))
    let free = number(read(kernel, "vm.stats.vm.v_free_count"))
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.integer == 3)
    #expect(kernel.call(.ftruncate, 3, 5 * 4096)?.integer == 0)
    #expect(kernel.call(.pwrite, 3, data, 1, 0)?.integer == 1)
    // An open file, an object, and its pageable store.
    #expect(number(read(kernel, "vm.martlet.live_objects")) == objects + 3)
    #expect(number(read(kernel, "vm.swap_reserved")) == reserved + 5 * 4096)
    #expect(number(read(kernel, "vm.stats.vm.v_free_count")) < free)
    #expect(number(read(kernel, "kern.openfiles")) == 4)
  }

  @Test func `the superuser sets what can be set`() throws {
    let kernel = try TestKernel()
    #expect(set(kernel, "vm.overcommit", 5)?.integer == 0)
    #expect(number(read(kernel, "vm.overcommit")) == 5)
    // The policy does not bind the superuser.
    #expect(kernel.call(.mmap, 0, 1 << 30, .readWrite, .privateMemory, minusOne, 0)?.failed == false)
    #expect(kernel.call(.seteuid, 7)?.integer == 0)
    #expect(kernel.call(.mmap, 0, 1 << 30, .readWrite, .privateMemory, minusOne, 0)?.errno == .enomem)
    #expect(kernel.call(.seteuid, 0)?.integer == 0)
    #expect(set(kernel, "vm.overcommit", 0)?.integer == 0)
    #expect(kernel.call(.mmap, 0, 1 << 30, .readWrite, .privateMemory, minusOne, 0)?.failed == false)
    #expect(set(kernel, "kern.signosys", 0)?.integer == 0)
    #expect(error(kernel.perform(100_000, [])) == .enosys)
    #expect(number(read(kernel, "kern.signosys")) == 0)
    #expect(error(set(kernel, "vm.overcommit", 1, length: 3)) == .einval)
    #expect(error(set(kernel, "vm.overcommit", 1, length: 0)) == .einval)
    #expect(error(set(kernel, "kern.ostype", 1)) == .eperm)
    #expect(error(set(kernel, "hw.pagesize", 1)) == .eperm)
    #expect(error(kernel.call(.sysctlbyname, kernel.string("vm.overcommit"), 13, 0, 0, 8, 4)) == .efault)
    #expect(kernel.call(.seteuid, 7)?.integer == 0)
    #expect(error(set(kernel, "vm.overcommit", 1)) == .eperm)
    #expect(number(read(kernel, "vm.overcommit")) == 0)
    // The old value is copied out before the new one takes effect.
    #expect(kernel.call(.seteuid, 0)?.integer == 0)
    kernel.storeWord(4, at: data + 0x200)
    kernel.storeWord(4, at: data + 0x400)
    let name = kernel.string("vm.overcommit")
    #expect(kernel.call(.sysctlbyname, name, 13, data + 0x300, data + 0x200, data + 0x400, 4)?.integer == 0)
    #expect(kernel.load(data + 0x300, 4) == [0, 0, 0, 0])
    #expect(number(read(kernel, "vm.overcommit")) == 4)
  }

  @Test func `sysctl checks names and lengths`() throws {
    let kernel = try TestKernel()
    let name = kernel.string("kern.hostname")
    for count in [0, 1024] as [UInt64] {
      #expect(error(kernel.call(.sysctlbyname, name, count, 0, 0, 0, 0)) == .einval)
    }
    #expect(error(kernel.call(.sysctlbyname, 8, 13, 0, 0, 0, 0)) == .efault)
    #expect(error(kernel.call(.sysctlbyname, name, 12, 0, 0, 0, 0)) == .enoent)
    // Bytes behind a NUL do not count.
    #expect(kernel.call(.sysctlbyname, name, 20, 0, 0, 0, 0)?.integer == 0)
    // Only the length is asked for.
    kernel.storeWord(0, at: data + 0x200)
    #expect(kernel.call(.sysctlbyname, name, 13, 0, data + 0x200, 0, 0)?.integer == 0)
    #expect(kernel.loadWord(data + 0x200) == 8)
    // A short buffer gets what fits.
    kernel.storeWord(3, at: data + 0x200)
    kernel.storeWord(minusOne, at: data + 0x300)
    #expect(error(kernel.call(.sysctlbyname, name, 13, data + 0x300, data + 0x200, 0, 0)) == .enomem)
    #expect(kernel.load(data + 0x300, 4) == Array("mar".utf8) + [0xFF])
    #expect(kernel.loadWord(data + 0x200) == 3)
    #expect(error(kernel.call(.sysctlbyname, name, 13, data + 0x300, 8, 0, 0)) == .efault)
    kernel.storeWord(8, at: data + 0x200)
    #expect(error(kernel.call(.sysctlbyname, name, 13, 8, data + 0x200, 0, 0)) == .efault)
    for count in [0, 1, 25] as [UInt64] { #expect(error(kernel.call(.sysctl, data, count, 0, 0, 0, 0)) == .einval) }
    kernel.storeWord(1 << 32 | 1, at: data)
    kernel.storeWord(1, at: data + 8)
    // Below a value there is nothing.
    #expect(error(kernel.call(.sysctl, data, 3, 0, 0, 0, 0)) == .enotdir)
    #expect(kernel.call(.sysctl, data, 2, 0, 0, 0, 0)?.integer == 0)
    kernel.storeWord(99 << 32 | 1, at: data)
    #expect(error(kernel.call(.sysctl, data, 2, 0, 0, 0, 0)) == .enoent)
    #expect(error(kernel.call(.sysctl, 8, 2, 0, 0, 0, 0)) == .efault)
    // From a name to numbers.
    kernel.storeWord(3 << 32, at: data)
    let text = kernel.string("kern.none", at: data + 0x100)
    #expect(error(kernel.call(.sysctl, data, 2, 0, 0, text, 9)) == .enoent)
    #expect(error(kernel.call(.sysctl, data, 2, 0, 0, text, 0)) == .enoent)
    #expect(error(kernel.call(.sysctl, data, 2, 0, 0, text, 1024)) == .enametoolong)
    #expect(error(kernel.call(.sysctl, data, 2, 0, 0, 8, 9)) == .efault)
  }

  // MARK: Time

  @Test func `clocks have a resolution`() throws {
    let kernel = try TestKernel()
    for clock in 0...15 as ClosedRange<UInt64> where clock != 3 && clock != 6 {
      #expect(kernel.call(.clockGetres, clock, data)?.integer == 0)
      #expect([kernel.loadWord(data), kernel.loadWord(data + 8)] == (clock == 13 ? [1, 0] : [0, 1]), "\(clock)")
      #expect(kernel.call(.clockGetres, clock, 0)?.integer == 0)
    }
    for clock in [3, 6, 16, 0x7FFF_FFFF] as [UInt64] {
      #expect(error(kernel.call(.clockGetres, clock, data)) == .einval)
    }
    // Every negative number may be the clock of a process or thread.
    for clock in [minusOne, 0x8000_0000, 0xC000_0001] {
      #expect(kernel.call(.clockGetres, clock, data)?.integer == 0)
      #expect([kernel.loadWord(data), kernel.loadWord(data + 8)] == [0, 1])
      #expect(kernel.call(.clockGetres, clock, 0)?.integer == 0)
    }
    #expect(error(kernel.call(.clockGetres, 0, 8)) == .efault)
  }

  @Test func `a negative clock is the one of a process or thread`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.call(.thrSelf, data)
    let thread = kernel.loadWord(data)
    kernel.hardware.clock.advance(by: 3_000_000)
    kernel.tick()
    kernel.run(1)
    #expect(kernel.call(.clockGettime, 14, data)?.integer == 0)
    let own = kernel.loadWord(data + 8)
    #expect(own >= 3_000_000)
    for clock in [0xC000_0001, 0x8000_0000 | thread] as [UInt64] {
      #expect(kernel.call(.clockGettime, clock, data)?.integer == 0, "\(clock)")
      #expect(kernel.loadWord(data + 8) >= own)
    }
    #expect(kernel.call(.clockGettime, 0xC000_0000 | UInt64(child), data)?.integer == 0)
    // No such process; a thread of another process; no thread.
    for clock in [minusOne, 0xC000_7777, 0x8000_0000 | (thread + 1), 0x8000_0001] {
      #expect(error(kernel.call(.clockGettime, clock, data)) == .einval, "\(clock)")
    }
  }

  @Test func `clocks show the time`() throws {
    let kernel = try TestKernel()
    kernel.hardware.clock.advance(to: 5_123_456_789)
    func time(_ clock: UInt64) -> [UInt64] {
      #expect(kernel.call(.clockGettime, clock, data)?.integer == 0)
      return [kernel.loadWord(data), kernel.loadWord(data + 8)]
    }
    let start = SimulatedClock.realTimeAtStart / 1_000_000_000
    for clock in [4, 5, 7, 8, 11, 12] as [UInt64] { #expect(time(clock) == [5, 123_456_789], "\(clock)") }
    for clock in [0, 9, 10] as [UInt64] { #expect(time(clock) == [start + 5, 123_456_789], "\(clock)") }
    #expect(time(13) == [start + 5, 0])
    // Time is charged when it is looked at, not at ticks.
    for clock in [1, 2, 14, 15] as [UInt64] { #expect(time(clock)[0] == 5) }
    #expect(error(kernel.call(.clockGettime, 4, 8)) == .efault)
    for clock in [3, 6, 16, minusOne] { #expect(error(kernel.call(.clockGettime, clock, data)) == .einval) }
    kernel.storeWord(minusOne, at: data + 16)
    #expect(kernel.call(.gettimeofday, data, data + 16)?.integer == 0)
    #expect([kernel.loadWord(data), kernel.loadWord(data + 8)] == [start + 5, 123_456])
    #expect(kernel.loadWord(data + 16) == 0)
    #expect(kernel.call(.gettimeofday, 0, 0)?.integer == 0)
    #expect(error(kernel.call(.gettimeofday, 8, 0)) == .efault)
    #expect(error(kernel.call(.gettimeofday, 0, 8)) == .efault)
  }

  @Test func `sleeping lasts as long as asked`() throws {
    let kernel = try TestKernel()
    func sleep(_ seconds: Int64, _ nanoseconds: Int64) -> CallResult? {
      kernel.storeWord(UInt64(bitPattern: seconds), at: data)
      kernel.storeWord(UInt64(bitPattern: nanoseconds), at: data + 8)
      return kernel.call(.nanosleep, data, 0)
    }
    #expect(sleep(0, 0)?.integer == 0)
    #expect(sleep(-5, 10)?.integer == 0)
    #expect(error(sleep(0, -1)) == .einval)
    #expect(error(sleep(-1, 1_000_000_000)) == .einval)
    #expect(error(kernel.call(.nanosleep, 8, 0)) == .efault)
    let now = kernel.hardware.clock.nanoseconds
    #expect(sleep(2, 5) == nil)
    #expect(kernel.idleUntil == now + 2_000_000_005)
    // Woken too early, for whatever reason, it goes on sleeping.
    kernel.hardware.clock.advance(by: 2_000_000_004)
    kernel.tick()
    #expect(kernel.isIdle && kernel.idleUntil == now + 2_000_000_005)
    kernel.hardware.clock.advance(by: 1)
    kernel.tick()
    #expect(!kernel.isIdle && kernel.result == CallResult(value: 0, failed: false))
    // A time that no clock reaches is for ever.
    #expect(sleep(Int64.max, 999_999_999) == nil)
    kernel.hardware.clock.advance(by: 1 << 62)
    kernel.tick()
    #expect(kernel.isIdle)
  }

  // MARK: The rest

  @Test func `bases and identifiers of the thread`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(0x3FFF_FFFF_FFFF, at: data)
    #expect(kernel.call(.sysarch, 131, data)?.integer == 0)
    #expect(kernel.call(.sysarch, 130, data + 8)?.integer == 0)
    #expect(kernel.loadWord(data + 8) == 0x3FFF_FFFF_FFFF)
    #expect(kernel.call(.sysarch, 128, data + 8)?.integer == 0)
    #expect(kernel.loadWord(data + 8) == 0)
    #expect(error(kernel.call(.sysarch, 130, 8)) == .efault)
    #expect(kernel.call(.thrSelf, data)?.integer == 0)
    let own = kernel.loadWord(data)
    #expect(own >= 100_001)
    #expect(error(kernel.call(.thrSelf, 8)) == .efault)
    _ = kernel.fork()
    _ = kernel.wait {
      #expect(kernel.call(.thrSelf, data)?.integer == 0)
      #expect(kernel.loadWord(data) > own)
      #expect(kernel.call(.getppid)?.integer == 1)
      kernel.exit()
    }
    #expect(kernel.call(.getppid)?.integer == 0)
  }

  @Test func `indirect calls of what cannot be called indirectly`() throws {
    let kernel = try TestKernel(signosys: false)
    for number in [0, 198, 8, 592, minusOne] {
      #expect(error(kernel.call(.syscall, number)) == .enosys, "\(number)")
      #expect(error(kernel.call(.syscallWide, number)) == .enosys, "\(number)")
    }
    #expect(error(kernel.call(.syscall, 45)) == .enosys)
    // The sixth argument is on the stack.
    let stack = kernel.register(56)
    kernel.setRegister(56, 8)
    #expect(error(kernel.call(.syscall, 477, 0, 4096, 3, 0x1002, minusOne)) == .efault)
    kernel.setRegister(56, stack)
    #expect(kernel.call(.syscall, 20)?.integer == 1)
    let other = try TestKernel()
    other.call(.syscall, 8)
    #expect(other.report?.status == 12)
  }

  @Test func `an instruction fetch needs the right to execute`() throws {
    let kernel = try TestKernel()
    func fetch(_ address: UInt64) -> WaitStatus {
      _ = kernel.fork()
      return kernel.wait {
        if !kernel.kernel.exception(ProcessorException(vector: 14, errorCode: 0x14, address: address)) {
          kernel.advance()
        }
        if kernel.identifier != 1 { kernel.exit(1) }
      }.1
    }
    #expect(fetch(TestProgram.entry) == .exited(1))
    #expect(fetch(data) == .terminated(.sigsegv))
    #expect(fetch(0x1000) == .terminated(.sigsegv))
  }

  @Test func `a fault of the processor itself is not resolved`() throws {
    let kernel = try TestKernel()
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      kernel.kernel.exception(ProcessorException(vector: 14, errorCode: 0, address: data))
      kernel.advance()
    }
    #expect(status == .terminated(.sigbus))
  }

  @Test func `a quiet kernel says nothing`() throws {
    let kernel = try TestKernel(frames: 256, isQuiet: true)
    let child = kernel.fork()
    let (identifier, status) = kernel.wait {
      kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
      let descriptor = kernel.result.value
      kernel.call(.ftruncate, descriptor, 1000 * 4096)
      let address = kernel.call(.mmap, 0, 1000 * 4096, 3, 1, descriptor, 0)?.value ?? 0
      for page in 0..<UInt64(1000) {
        guard kernel.store([1], at: address + page * 4096) else { break }
      }
    }
    #expect(identifier == child && status == .terminated(.sigkill))
    #expect(kernel.hardware.processor.takeConsoleOutput().isEmpty)
  }
}
