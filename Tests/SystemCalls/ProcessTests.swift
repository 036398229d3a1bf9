// Processes through the whole kernel: start, fork, wait, exit, signals, sleep.

import ABI
import Testing

@testable import SystemCalls

@Suite struct ProcessTests {
  @Test func `a program starts as the specification says`() throws {
    let kernel = try TestKernel()
    #expect(kernel.register(128) == TestProgram.entry)
    let base = kernel.register(40)
    #expect(kernel.register(56) % 16 == 8)
    #expect(kernel.register(136) == 0x202)
    #expect(kernel.loadWord(base) == 3)
    #expect(kernel.loadString(kernel.loadWord(base + 8)) == "/bin/prog")
    #expect(kernel.loadString(kernel.loadWord(base + 16)) == "a")
    #expect(kernel.loadString(kernel.loadWord(base + 24)) == "b")
    #expect(kernel.loadWord(base + 32) == 0)
    #expect(kernel.loadWord(base + 40) == 0)
    let vector = base + 48
    #expect(kernel.loadWord(vector) == 3)
    #expect(kernel.loadWord(vector + 8) == 0x40_0040)
    var types: [UInt64] = []
    var values: [UInt64: UInt64] = [:]
    var position = vector
    while kernel.loadWord(position) != 0 {
      types.append(kernel.loadWord(position))
      values[types[types.count - 1]] = kernel.loadWord(position + 8)
      position += 16
    }
    #expect(
      types == [3, 4, 5, 6, 8, 9, 7, 24, 15, 18, 16, 17, 19, 20, 21, 23, 27, 28, 29, 30, 31, 32, 35, 36])
    #expect(kernel.loadString(values[15] ?? 0) == "/bin/prog")
    let strings = values[32] ?? 0
    #expect(kernel.loadWord(strings) == base + 8)
    #expect(kernel.loadWord(strings + 8) == 3)
    #expect(kernel.load(TestKernel.data, 3) == [0, 7, 14])
    #expect(kernel.load(TestKernel.data + 16384, 2) == [0, 0])
  }

  @Test func `exit of process 1 ends everything without leaks`() throws {
    let kernel = try TestKernel()
    #expect(kernel.identifier == 1)
    kernel.store([1, 2, 3], at: TestKernel.data + 5000)
    kernel.exit(3)
    let report = try #require(kernel.report)
    #expect(report.status == 3 << 8)
    #expect(!report.hasLeaks, "\(report)")
  }

  @Test func `fork wait exit reports the status`() throws {
    let kernel = try TestKernel()
    kernel.store([42], at: TestKernel.data)
    let child = kernel.fork()
    #expect(child == 2)
    #expect(kernel.register(24) == 0)
    let (identifier, status) = kernel.wait {
      #expect(kernel.result.integer == 0)
      #expect(kernel.register(24) == 1)
      #expect(kernel.identifier == 2)
      #expect(kernel.call(.getppid)?.integer == 1)
      #expect(kernel.load(TestKernel.data, 1) == [42])
      kernel.store([43], at: TestKernel.data)
      kernel.exit(7)
    }
    #expect(identifier == child)
    #expect(status == .exited(7))
    #expect(kernel.load(TestKernel.data, 1) == [42])
    #expect(kernel.call(.wait4, UInt64(bitPattern: -1), 0, 0, 0)?.errno == .echild)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test func `wait options are checked`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.wait4, UInt64(bitPattern: -1), 0, 64, 0)?.errno == .einval)
    _ = kernel.fork()
    #expect(kernel.call(.wait4, UInt64(bitPattern: -1), 0, 1, 0)?.integer == 0)
    #expect(kernel.call(.wait4, 77, 0, 1, 0)?.errno == .echild)
  }

  @Test func `kill terminates and is reported`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    #expect(kernel.call(.kill, UInt64(child), 15)?.integer == 0)
    let (identifier, status) = kernel.wait()
    #expect(identifier == child)
    #expect(status == .terminated(.sigterm))
    #expect(kernel.call(.kill, UInt64(child), 15)?.errno == .esrch)
    #expect(kernel.call(.kill, 1, 129)?.errno == .einval)
    #expect(kernel.call(.kill, 1, 0)?.integer == 0)
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `stop and continue are reported`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.call(.kill, UInt64(child), UInt64(Signal.sigstop.rawValue))
    var (identifier, status) = kernel.wait(options: 2)
    #expect(identifier == child)
    #expect(status == .stopped(.sigstop))
    #expect(kernel.call(.wait4, UInt64(bitPattern: -1), 0, 7, 0)?.integer == 0)
    kernel.call(.kill, UInt64(child), UInt64(Signal.sigcont.rawValue))
    (identifier, status) = kernel.wait(options: 4)
    #expect(identifier == child)
    #expect(status == .continued)
    kernel.call(.kill, UInt64(child), UInt64(Signal.sigkill.rawValue))
    (_, status) = kernel.wait()
    #expect(status == .terminated(.sigkill))
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `exceptions become signals`() throws {
    let table: [(UInt8, Signal)] = [
      (0, .sigfpe), (1, .sigtrap), (3, .sigtrap), (4, .sigfpe), (5, .sigfpe), (6, .sigill), (10, .sigbus),
      (11, .sigbus), (12, .sigbus), (13, .sigbus), (16, .sigfpe), (17, .sigbus), (19, .sigfpe),
    ]
    let kernel = try TestKernel()
    for (vector, signal) in table {
      _ = kernel.fork()
      let (_, status) = kernel.wait {
        kernel.kernel.exception(ProcessorException(vector: vector, errorCode: 0, address: 0))
        kernel.advance()
      }
      #expect(status == .terminated(signal), "vector \(vector)")
    }
    _ = kernel.fork()
    let (_, status) = kernel.wait { kernel.store([1], at: 0x1000) }
    #expect(status == .terminated(.sigsegv))
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }

  @Test func `a fault of process 1 ends the run`() throws {
    let kernel = try TestKernel()
    kernel.store([1], at: 0x40_0000)
    #expect(kernel.report?.status == 11)
    #expect(kernel.report?.hasLeaks == false)
  }

  @Test func `unknown numbers raise SIGSYS unless told not to`() throws {
    var kernel = try TestKernel(signosys: false)
    #expect(kernel.perform(100_000, [])?.errno == .enosys)
    #expect(kernel.call(.ktrace)?.errno == .enosys)
    kernel = try TestKernel()
    #expect(kernel.call(.ktrace)?.errno == .enosys)
    kernel.perform(100_000, [])
    #expect(kernel.report?.status == 12)
    kernel = try TestKernel()
    kernel.perform(590, [])
    #expect(kernel.report?.status == 12)
  }

  @Test func `calls of FreeBSD that are not here give ENOSYS without a signal`() throws {
    let kernel = try TestKernel()
    let table = kernel.kernel.table
    var count = 0
    for number in 0..<SystemCallTable.count where !table.exists(number) && !table.isUnknown(number) {
      // Directly, and through both indirect calls.
      #expect(kernel.perform(UInt64(number), [])?.errno == .enosys, "\(number)")
      #expect(kernel.call(.syscall, UInt64(number))?.errno == .enosys, "\(number)")
      #expect(kernel.call(.syscallWide, UInt64(number))?.errno == .enosys, "\(number)")
      count += 1
    }
    #expect(count > 230 && kernel.report == nil)
  }

  @Test func `indirect calls shift their arguments`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.syscall, 20)?.integer == 1)
    #expect(kernel.call(.syscallWide, 90, 1, 9)?.integer == 9)
    let stack = kernel.register(56)
    kernel.storeWord(0, at: stack + 8)
    let address = kernel.call(.syscall, 477, 0, 4096, 3, 0x1002, UInt64(bitPattern: -1))
    #expect(address?.failed == false)
    #expect(kernel.store([9], at: address?.value ?? 0))
  }

  @Test func `sleepers wake in order and clocks advance`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(1, at: TestKernel.data)
    kernel.storeWord(500, at: TestKernel.data + 8)
    #expect(kernel.call(.nanosleep, TestKernel.data, 0) == nil)
    #expect(kernel.isIdle)
    kernel.tick()
    #expect(kernel.isIdle)
    kernel.sleepUntilDeadline()
    #expect(kernel.result.integer == 0 && !kernel.result.failed)
    kernel.storeWord(1_000_000_000, at: TestKernel.data + 8)
    #expect(kernel.call(.nanosleep, TestKernel.data, 0)?.errno == .einval)
    #expect(kernel.call(.clockGettime, 4, TestKernel.data)?.failed == false)
    #expect(kernel.loadWord(TestKernel.data) == 1)
    #expect(kernel.call(.clockGettime, 3, TestKernel.data)?.errno == .einval)
  }

  @Test func `orphans go to process 1`() throws {
    let kernel = try TestKernel()
    _ = kernel.fork()
    let (_, status) = kernel.wait {
      #expect(kernel.fork() == 3)
      kernel.exit(1)
      // The orphan or the parent may run now; the orphan ends as well.
      if kernel.identifier == 3 { kernel.exit(2) }
    }
    #expect(status == .exited(1) || status == .exited(2))
    kernel.exit()
    #expect(kernel.report?.hasLeaks == false)
  }

  @Test func `a fork bomb is refused`() throws {
    let kernel = try TestKernel(frames: 4096, maximumProcessCount: 64)
    var count = 0
    while !(kernel.call(.fork)?.failed ?? true) { count += 1 }
    #expect(kernel.result.errno == .eagain)
    #expect(count == 63)
    kernel.exit()
    #expect(kernel.report?.isClean == true, "\(String(describing: kernel.report))")
  }

  @Test func `a fork bomb without memory is refused`() throws {
    let kernel = try TestKernel(frames: 160, maximumProcessCount: 500)
    var refusals = 0
    for _ in 0..<200 where kernel.call(.fork)?.failed ?? true { refusals += 1 }
    #expect(refusals > 0)
    #expect(kernel.result.errno == .enomem)
    kernel.exit()
    #expect(kernel.report?.hasLeaks == false, "\(String(describing: kernel.report))")
  }
}
