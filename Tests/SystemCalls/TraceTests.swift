// What is shown of calls, signals and faults (kernel option `trace`), and what is said of a process that died (README).

import ABI
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct TraceTests {
  private let data = TestKernel.data

  /// A kernel whose calls are shown, and whoever started it listens.
  private func traced(faults: Bool = false) throws -> TestKernel {
    let kernel = try TestKernel(isQuiet: true)
    kernel.hardware.processor.told = [:]
    kernel.kernel.startTracing(showsFaults: faults)
    return kernel
  }

  /// The lines since the last time.
  private func lines(_ kernel: TestKernel, _ channel: HostChannel = .trace) -> [String] {
    let text = kernel.hardware.processor.told?[channel] ?? ""
    kernel.hardware.processor.told?[channel] = ""
    return text.split(separator: "\n").map(String.init)
  }

  @Test func `a call is a line with its arguments in words and its result`() throws {
    let kernel = try traced()
    let name = kernel.string("/ob\"ject")
    kernel.call(.shmOpen2, name, 0x202, 0o640, 0, 0)
    kernel.call(.shmOpen2, 1, 2, 0, 0, 0)
    kernel.call(.ftruncate, 3, 10000)
    let address = try #require(kernel.call(.mmap, 0, 10000, 3, 1, 3, 4096)?.value)
    kernel.call(.write, 1, kernel.string("hello\n"), 6)
    kernel.call(.open, 8, 0x10_0000)
    kernel.call(.fcntl, 99, 3, 0)
    kernel.call(.kill, UInt64(bitPattern: -1), 0)
    kernel.call(.lseek, 3, UInt64(bitPattern: -4), 1)
    #expect(
      lines(kernel) == [
        #"1: shm_open2("/ob\"ject", O_RDWR|O_CREAT, 0640, 0x0, NULL) = 3"#,
        "1: shm_open2(SHM_ANON, O_RDWR, 0, 0x0, NULL) = 4",
        "1: ftruncate(3, 10000) = 0",
        "1: mmap(NULL, 10000, PROT_READ|PROT_WRITE, MAP_SHARED, 3, 4096) = \(address) (0x\(String(address, radix: 16)))",
        #"1: write(1, "hello\n", 6) = 6"#,
        "1: open(0x8, O_RDONLY|O_CLOEXEC, 0) ERR#14 EFAULT",
        "1: fcntl(99, F_GETFL, 0) ERR#9 EBADF",
        "1: kill(-1, 0) ERR#3 ESRCH",
        "1: lseek(3, -4, SEEK_CUR) ERR#22 EINVAL",
      ])
  }

  @Test func `a call through syscall, an absent and an unknown one are shown as what they are`() throws {
    let kernel = try traced()
    kernel.perform(0, [4, 1, kernel.string("x"), 1])
    kernel.call(.sigaction, UInt64(Signal.sigsys.rawValue), 0, 0)
    kernel.storeWord(1, at: data + 0x800)
    for offset in stride(from: 0x808, to: 0x820, by: 8) { kernel.storeWord(0, at: data + UInt64(offset)) }
    kernel.call(.sigaction, UInt64(Signal.sigsys.rawValue), data + 0x800, 0)
    kernel.perform(587, [])
    kernel.perform(4000, [])
    let shown = lines(kernel)
    #expect(shown.first == #"1: write(1, "x", 1) = 1"#)
    #expect(shown.suffix(2).first?.hasPrefix("1: call 587(") == true, "\(shown)")
    #expect(shown.last == "1: call 4000() ERR#78 ENOSYS")
  }

  @Test func `a call that waits has a second line with its result, and one that never returns has one`() throws {
    let kernel = try traced()
    kernel.call(.pipe2, data, 0)
    let child = kernel.fork()
    _ = lines(kernel)
    kernel.run(1)
    kernel.call(.read, 3, data, 10)
    kernel.run(child)
    kernel.call(.write, 4, kernel.string("ab"), 2)
    kernel.exit(7)
    kernel.run(1)
    let shown = lines(kernel).filter { !$0.contains("sched_yield") }
    #expect(shown.contains("1: read(3, 0x\(String(data, radix: 16)), 10) …"), "\(shown)")
    #expect(shown.contains(#"\#(child): write(4, "ab", 2) = 2"#), "\(shown)")
    #expect(shown.contains("1: … read = 2"), "\(shown)")
    #expect(shown.contains("\(child): exit(7)"), "\(shown)")
  }

  @Test func `a signal is a line, and so is the end of a process`() throws {
    let kernel = try traced()
    kernel.storeWord(0x40_1234, at: data + 0x800)
    for offset in stride(from: 0x808, to: 0x820, by: 8) { kernel.storeWord(0, at: data + UInt64(offset)) }
    kernel.call(.sigaction, UInt64(Signal.sigusr1.rawValue), data + 0x800, 0)
    _ = lines(kernel)
    kernel.call(.kill, 1, UInt64(Signal.sigusr1.rawValue))
    #expect(
      lines(kernel) == ["1: kill(1, SIGUSR1) = 0", "1: signal SIGUSR1 from 1, handler 0x401234"])
    kernel.call(.kill, 1, UInt64(Signal.sigterm.rawValue))
    #expect(lines(kernel) == ["1: kill(1, SIGTERM) = 0", "1: killed by SIGTERM"])
    #expect(lines(kernel, .report).isEmpty, "nobody needs to be told of a SIGTERM")
  }

  @Test func `page faults are shown when asked for`() throws {
    let kernel = try traced(faults: true)
    let address = try #require(kernel.call(.mmap, 0, 4096, 3, 0x1002, UInt64.max, 0)?.value)
    _ = lines(kernel)
    kernel.store([1], at: address)
    let shown = lines(kernel)
    #expect(shown.count == 1)
    #expect(shown.first?.hasPrefix("1: fault: write to 0x\(String(address, radix: 16)) at 0x") == true, "\(shown)")
  }

  @Test func `a process that something went wrong with is told of, with what it did`() throws {
    let kernel = try TestKernel(isQuiet: true)
    kernel.hardware.processor.told = [:]
    func death(_ body: () -> Void) -> String {
      _ = kernel.fork()
      _ = kernel.wait(-1, options: 0, body)
      return lines(kernel, .report).joined(separator: "\n")
    }
    let start = " (prog) was killed by "
    #expect(death { kernel.touch(0x10) }.contains(start + "SIGSEGV: write to 0x10, where nothing is mapped at 0x"))
    #expect(
      death { kernel.touch(0x40_0000) }.contains("write to 0x400000, which the protection forbids at 0x"))
    #expect(death { kernel.perform(999, []) }.contains(start + "SIGSYS: call 999 at 0x"))
    let abort = death { kernel.call(.kill, kernel.call(.getpid)?.value ?? 0, UInt64(Signal.sigabrt.rawValue)) }
    #expect(abort.contains(start + "SIGABRT: sent by process "))
    #expect(death { kernel.exit(3) }.isEmpty)
    kernel.call(.mmap, 0x70_0000, 8192, 3, 0x11, try #require(kernel.call(.shmOpen2, 1, 2, 0, 0, 0)?.value), 0)
    #expect(death { kernel.touch(0x70_0000) }.contains("SIGBUS: write to 0x700000, beyond the end of what is mapped"))
    // kern.logsigexit
    kernel.kernel.saysWhatDied = false
    #expect(death { kernel.touch(0x10) }.isEmpty)
  }

  @Test func `without anybody who listens, it is on the console`() throws {
    let kernel = try TestKernel()
    kernel.kernel.startTracing(showsFaults: false)
    kernel.call(.getpid)
    #expect(
      String(decoding: kernel.hardware.processor.console.output, as: UTF8.self).contains("martlet: 1: getpid() = 1"))
  }
}
