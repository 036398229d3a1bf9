// What is set of queues of signals, and who pays for them (spec signals.md section 1.7).

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct SignalMemoryTests {
  private let signal: UInt64 = 65
  private let out = TestKernel.data + 0x400
  private let length = TestKernel.data + 0x3F8

  private func block(_ kernel: TestKernel, _ numbers: Int...) {
    var set: UInt64 = 0
    for number in numbers where number <= 64 { set |= 1 << UInt64(number - 1) }
    kernel.storeWord(set, at: TestKernel.data)
    kernel.storeWord(numbers.contains(65) ? 1 : 0, at: TestKernel.data + 8)
    #expect(kernel.call(.sigprocmask, 3, TestKernel.data, 0)?.failed == false)
  }

  private func set(_ kernel: TestKernel, _ name: String, _ value: UInt64) {
    kernel.storeWord(value, at: out)
    let address = kernel.string(name)
    #expect(kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), 0, 0, out, 4)?.failed == false)
  }

  private func value(_ kernel: TestKernel, _ name: String) -> UInt64 {
    kernel.storeWord(4, at: length)
    kernel.storeWord(0, at: out)
    let address = kernel.string(name)
    #expect(kernel.call(.sysctlbyname, address, UInt64(name.utf8.count), out, length, 0, 0)?.failed == false)
    return kernel.loadWord(out)
  }

  /// Process 2 is user 7, and has the processor.
  private func beUser(_ kernel: TestKernel) -> UserAccount {
    kernel.run(kernel.fork())
    #expect(kernel.call(.setuid, 7)?.failed == false)
    return kernel.hardware.system.accounts.account(of: 7)
  }

  @Test func `a user who may have no more kernel memory gets no place in a queue, and no actions of one's own`() throws
  {
    let kernel = try TestKernel()
    let account = beUser(kernel)
    block(kernel, 65, 30)
    let before = account.kernelByteCount
    #expect(kernel.call(.sigqueue, 2, signal, 5)?.failed == false)
    #expect(account.kernelByteCount == before + 64)
    kernel.expectSound()
    kernel.hardware.system.accounts.kernelPageLimit = 1
    #expect(kernel.call(.sigqueue, 2, signal, 6)?.errno == .eagain)
    // What cannot be refused is pending without what is known of it.
    #expect(kernel.call(.kill, 2, 30)?.failed == false)
    let process = try #require(kernel.kernel.inspectedProcesses.process(2))
    #expect(process.pendingSignals.contains(.sigusr1))
    for offset in stride(from: UInt64(0), to: 32, by: 8) { kernel.storeWord(1, at: out + offset) }
    kernel.storeWord(0, at: out + 8)
    #expect(kernel.call(.sigaction, 30, out, 0)?.errno == .enomem)
    kernel.hardware.system.accounts.kernelPageLimit = .max
    #expect(kernel.call(.sigaction, 30, out, 0)?.failed == false)
    kernel.expectSound()
    #expect(kernel.call(.setuid, 7)?.failed == false)
  }

  @Test func `what is queued moves with its process to another user`() throws {
    let kernel = try TestKernel()
    kernel.run(kernel.fork())
    block(kernel, 65)
    for value in 0..<3 as Range<UInt64> { #expect(kernel.call(.sigqueue, 2, signal, value)?.failed == false) }
    let first = kernel.hardware.system.accounts.account(of: 0)
    let before = first.kernelByteCount
    let account = beUser(kernel)
    kernel.expectSound()
    #expect(account.kernelByteCount > 0)
    kernel.run(2)
    #expect(kernel.call(.setuid, 7)?.failed == false)
    #expect(first.kernelByteCount < before)
    kernel.expectSound()
  }

  @Test func `the nodes of queues`() throws {
    let kernel = try TestKernel()
    #expect(value(kernel, "kern.sigqueue.max_pending_per_proc") == 128)
    set(kernel, "kern.sigqueue.max_pending_per_proc", 2)
    block(kernel, 65)
    for value in 0..<2 as Range<UInt64> { #expect(kernel.call(.sigqueue, 1, signal, value)?.failed == false) }
    #expect(kernel.call(.sigqueue, 1, signal, 2)?.errno == .eagain)
    #expect(value(kernel, "kern.sigqueue.overflow") == 1)
    #expect(value(kernel, "kern.sigqueue.alloc_fail") == 0)
    set(kernel, "kern.sigqueue.max_pending_per_proc", 4096)
    #expect(value(kernel, "kern.sigqueue.max_pending_per_proc") == 128)
  }

  @Test func `ignored signals are kept where that is set, and forgotten when they are due`() throws {
    let kernel = try TestKernel()
    let process = try #require(kernel.kernel.inspectedProcesses.process(1))
    block(kernel, 28, 20)
    kernel.call(.kill, 1, 28)
    #expect(!process.pendingSignals.contains(.sigwinch))
    set(kernel, "kern.sig_discard_ign", 0)
    #expect(value(kernel, "kern.sig_discard_ign") == 0)
    kernel.call(.kill, 1, 28)
    #expect(process.pendingSignals.contains(.sigwinch))
    block(kernel, 20)
    kernel.call(.getpid)
    #expect(!process.pendingSignals.contains(.sigwinch))
    // A stop that is ignored does not stop.
    kernel.storeWord(1, at: out)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: out + offset) }
    #expect(kernel.call(.sigaction, 18, out, 0)?.failed == false)
    #expect(kernel.call(.kill, 1, 18)?.failed == false)
    kernel.call(.getpid)
    #expect(!process.isStopped && process.pendingSignals.isEmpty)
  }

  @Test(arguments: [true, false])
  func `who has waited for a child hears of its end by a signal still, where that is set`(takesNotice: Bool) throws {
    let kernel = try TestKernel()
    let process = try #require(kernel.kernel.inspectedProcesses.process(1))
    kernel.storeWord(0x40_0300, at: out)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: out + offset) }
    #expect(kernel.call(.sigaction, 20, out, 0)?.failed == false)
    block(kernel, 20)
    if !takesNotice { set(kernel, "kern.wait_dequeue_sigchld", 0) }
    let child = kernel.fork()
    kernel.run(child)
    kernel.exit()
    for _ in 0..<20 where !process.pendingSignals.contains(.sigchld) { kernel.call(.schedYield) }
    #expect(process.pendingSignals.contains(.sigchld))
    #expect(kernel.wait(child) == (child, .exited(0)))
    #expect(process.pendingSignals.contains(.sigchld) == !takesNotice)
    kernel.expectSound()
  }

  @Test func `where handlers return to, by KERN_PROC_SIGTRAMP`() throws {
    let kernel = try TestKernel()
    func ask(_ identifier: UInt64) -> CallResult? {
      kernel.storeWord(1 | 14 << 32, at: TestKernel.data)
      kernel.storeWord(41 | identifier << 32, at: TestKernel.data + 8)
      kernel.storeWord(48, at: length)
      return kernel.call(.sysctl, TestKernel.data, 4, out, length, 0, 0)
    }
    #expect(ask(1)?.failed == false)
    #expect(kernel.loadWord(out) == ABI.UserSpace.signalTrampoline)
    #expect(kernel.loadWord(out + 8) == ABI.UserSpace.signalTrampoline + 24)
    #expect(kernel.loadWord(out + 40) == 0 && kernel.loadWord(length) == 48)
    #expect(ask(777)?.errno == .esrch)
    #expect(kernel.call(.sysctl, TestKernel.data, 3, out, length, 0, 0)?.errno == .einval)
    _ = beUser(kernel)
    #expect(ask(1)?.errno == .eperm && ask(2)?.failed == false)
  }
}
