// thr_new(2), thr_exit(2) and what one thread can ask about another (spec signals.md section 2).

import ABI
import Files
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct NewThreadTests {
  private let bad: UInt64 = 0x7000_0000_0000
  private let success = CallResult(value: 0, failed: false)

  @Test func `a new thread starts where it is told, with the rest of its maker's registers`() throws {
    let kernel = try TestKernel()
    let maker = try #require(kernel.current)
    maker.context.rbx = 0x1234
    maker.context.r12 = 0x5678
    maker.context.rflags |= 0x100
    maker.context.fsBase = 0x11
    maker.context.gsBase = 0x22
    let place = TestKernel.threadParameters + 0x80
    kernel.callNewThread(
      (0, 0x40_0234), (8, 99), (24, 4093), (32, 0x60_0040), (48, place), (56, place + 8), (64, 1))
    let identifier = kernel.loadWord(place)
    #expect(identifier == kernel.loadWord(place + 8) && identifier > 100_000)
    let made = try #require(kernel.kernel.inspectedProcesses.thread(Int32(identifier)))
    #expect(made.context.rip == 0x40_0234 && made.context.rdi == 99 && made.context.rbp == 0)
    #expect(made.context.rsp == TestKernel.threadStacks + 4080 - 8)
    #expect(kernel.loadWord(made.context.rsp) == 0)
    #expect(made.context.fsBase == 0x60_0040 && made.context.gsBase == 0x22)
    #expect(made.context.rbx == 0x1234 && made.context.r12 == 0x5678 && made.context.rflags & 0x100 == 0)
    maker.context.rflags &= ~0x100
    kernel.run(made)
    kernel.call(.thrSelf, TestKernel.data)
    #expect(kernel.loadWord(TestKernel.data) == identifier && kernel.identifier == 1)
    kernel.expectSound()
  }

  @Test func `a new thread is refused in FreeBSD's order, and then there is none`() throws {
    let kernel = try TestKernel()
    #expect(kernel.callNewThread(byteCount: 105)?.errno == .einval)
    #expect(kernel.callNewThread(byteCount: UInt64(UInt32.max))?.errno == .einval)
    #expect(kernel.call(.thrNew, bad, 104)?.errno == .efault)
    #expect(kernel.callNewThread((72, bad), (32, bad))?.errno == .efault)
    // {type, level}
    let priority = TestKernel.data + 0x100
    for (word, errno) in [(2 | 32 << 16, Errno.einval), (4, .einval), (9, .einval)] as [(UInt64, Errno)] {
      kernel.storeWord(word, at: priority)
      #expect(kernel.callNewThread((72, priority), (48, bad))?.errno == errno)
    }
    kernel.storeWord(2, at: priority)
    #expect(kernel.callNewThread((72, priority), (48, bad))?.errno == .efault)
    #expect(kernel.callNewThread((56, bad))?.errno == .efault)
    #expect(kernel.callNewThread((16, bad))?.errno == .efault)
    #expect(kernel.callNewThread((32, 1 << 46))?.errno == .einval)
    // Too little of the structure: no stack.
    #expect(kernel.callNewThread(byteCount: 16)?.errno == .efault)
    kernel.call(.setuid, 5)
    #expect(kernel.callNewThread((72, priority))?.errno == .eperm)
    kernel.storeWord(3 | 900 << 16, at: priority)
    #expect(kernel.kernel.inspectedProcesses.process(1)?.threadCount == 1)
    #expect(kernel.callNewThread((72, priority)) == success)
    kernel.expectSound()
  }

  @Test func `a process that has 1500 threads gets EPROCLIM, and a user's threads are the user's memory`() throws {
    let kernel = try TestKernel(frames: 8192)
    let account = try #require(kernel.current.flatMap { _ in kernel.kernel.inspectedProcesses.process(1) }).credentials
      .account
    let before = account.kernelByteCount
    for _ in 1..<ProcessLimits.maximumThreadsPerProcess { #expect(kernel.callNewThread() == success) }
    #expect(kernel.callNewThread((48, bad))?.errno == .eproclim)
    #expect(account.kernelByteCount - before >= 1499 * KernelMemoryCost.thread)
    kernel.call(.setuid, 5)
    #expect(account.kernelByteCount < before + 100_000)
    kernel.expectSound()
  }

  @Test func `a user who has as much kernel memory as one may have gets no thread`() throws {
    let kernel = try TestKernel()
    kernel.hardware.system.accounts.kernelPageLimit = 30
    kernel.call(.setuid, 5)
    var count = 0
    while count < 100, kernel.callNewThread() == success { count += 1 }
    #expect(count > 10 && count < 30 && kernel.result.errno == .enomem)
  }

  @Test func `thr_exit stores 1 and wakes who waits for that, and the last thread stays`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let made = try kernel.newThread()
    let place = TestKernel.data
    kernel.storeWord(UInt64(made.identifier), at: place)
    // pthread_join: UMTX_OP_WAIT.
    kernel.sleep(first, .umtxOp, place, 2, UInt64(made.identifier), 0, 0)
    #expect(kernel.context == made.record.address && kernel.isAsleep(first))
    kernel.call(.thrExit, place)
    #expect(kernel.context == first.record.address && kernel.result == success)
    #expect(kernel.loadWord(place) == 1)
    #expect(kernel.kernel.inspectedProcesses.process(1)?.threadCount == 1)
    #expect(kernel.call(.thrExit, place + 8) == success && kernel.loadWord(place + 8) == 1)
    #expect(kernel.call(.thrExit, bad) == success)
    kernel.expectSound()
  }

  @Test func `thr_exit wakes many in steps, and all of them`() throws {
    let kernel = try TestKernel(frames: 8192)
    let first = try #require(kernel.current)
    let place = TestKernel.data
    kernel.storeWord(5, at: place)
    var sleepers: [Thread] = []
    for _ in 0..<300 {
      kernel.run(first)
      let made = try kernel.newThread()
      kernel.sleep(made, .umtxOp, place, 2, 5, 0, 0)
      sleepers.append(made)
    }
    kernel.run(first)
    let last = try kernel.newThread()
    kernel.run(last)
    kernel.perform(UInt64(SystemCallNumber.thrExit.rawValue), [place])
    #expect(sleepers.filter { kernel.isAsleep($0) }.count == 172)
    for _ in 0..<400 where sleepers.contains(where: { kernel.isAsleep($0) }) { kernel.call(.schedYield) }
    for _ in 0..<400 { kernel.call(.schedYield) }
    #expect(sleepers.allSatisfy { $0.continuation.isNone })
    #expect(kernel.kernel.inspectedProcesses.process(1)?.threadCount == 301)
  }

  @Test func `names and priorities`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let made = try kernel.newThread()
    let name = kernel.string("a name of more than nineteen bytes", at: TestKernel.data)
    let identifier = UInt64(made.identifier)
    #expect(kernel.call(.thrSetName, identifier, name) == success)
    #expect(made.frame.value.attributes.nameByteCount == 19)
    #expect(kernel.call(.thrSetName, identifier, 0) == success)
    #expect(made.frame.value.attributes.nameByteCount == 0)
    #expect(kernel.call(.thrSetName, 7, bad)?.errno == .efault)
    #expect(kernel.call(.thrSetName, 7, name)?.errno == .esrch)
    // Nobody's, and another process'.
    #expect(kernel.call(.rtprioThread, 9, 7, bad)?.errno == .esrch)
    #expect(kernel.call(.rtprioThread, 9, identifier, bad)?.errno == .einval)
    #expect(kernel.call(.rtprioThread, 0, identifier, bad)?.errno == .efault)
    #expect(kernel.call(.rtprioThread, 1, identifier, bad)?.errno == .efault)
    kernel.storeWord(2 | 7 << 16, at: name)
    #expect(kernel.call(.rtprioThread, 1, identifier, name) == success)
    #expect(kernel.call(.rtprioThread, 0, identifier, name + 8) == success)
    #expect(kernel.loadWord(name + 8) & 0xFFFF_FFFF == 2 | 7 << 16)
    #expect(kernel.call(.rtprioThread, 0, 0, name + 8) == success)
    #expect(kernel.loadWord(name + 8) & 0xFFFF_FFFF == 3)
    #expect(kernel.current === first)
    kernel.call(.setuid, 5)
    #expect(kernel.call(.rtprioThread, 1, 0, name)?.errno == .eperm)
    kernel.storeWord(4, at: name)
    #expect(kernel.call(.rtprioThread, 1, 0, name)?.errno == .eperm)
    kernel.storeWord(3, at: name)
    #expect(kernel.call(.rtprioThread, 1, 0, name) == success)
  }

  @Test func `thr_suspend waits for one thr_wake, which is remembered`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let made = try kernel.newThread()
    #expect(kernel.call(.thrWake, 7)?.errno == .esrch)
    #expect(kernel.call(.thrWake, UInt64(made.identifier)) == success)
    #expect(kernel.call(.thrWake, UInt64(made.identifier)) == success)
    kernel.run(made)
    #expect(kernel.call(.thrSuspend, 0) == success)
    let time = TestKernel.data
    kernel.storeWord(0, at: time)
    kernel.storeWord(0, at: time + 8)
    #expect(kernel.call(.thrSuspend, time)?.errno == .etimedout)
    kernel.storeWord(1_000_000_000, at: time + 8)
    #expect(kernel.call(.thrSuspend, time)?.errno == .einval)
    #expect(kernel.call(.thrSuspend, bad)?.errno == .efault)
    // Of one's own: the next sleep does not take place.
    #expect(kernel.call(.thrWake, UInt64(made.identifier)) == success)
    #expect(kernel.call(.thrSuspend, 0) == success)
    kernel.sleep(made, .thrSuspend, 0)
    #expect(kernel.call(.thrWake, UInt64(made.identifier)) == success)
    kernel.run(made)
    #expect(kernel.result == success)
    kernel.storeWord(5_000_000, at: time + 8)
    kernel.sleep(made, .thrSuspend, time)
    #expect(kernel.run(first))
    kernel.sleep(first, .thrSuspend, 0)
    #expect(kernel.isIdle)
    kernel.sleepUntilDeadline()
    #expect(kernel.current === made && kernel.result.errno == .etimedout)
    kernel.expectSound()
  }

  @Test func `there is one processor to be had`() throws {
    let kernel = try TestKernel()
    let (mask, own) = (TestKernel.data, UInt64.max)
    kernel.storeWord(UInt64.max, at: mask)
    kernel.storeWord(UInt64.max, at: mask + 8)
    #expect(kernel.call(.cpusetGetaffinity, 3, 2, own, 16, mask) == success)
    #expect(kernel.loadWord(mask) == 1 && kernel.loadWord(mask + 8) == 0)
    #expect(kernel.call(.cpusetGetaffinity, 3, 2, own, 0, mask)?.errno == .erange)
    #expect(kernel.call(.cpusetGetaffinity, 3, 1, own, 8, bad)?.errno == .efault)
    #expect(kernel.call(.cpusetGetaffinity, 3, 1, 7, 8, mask)?.errno == .esrch)
    #expect(kernel.call(.cpusetGetaffinity, 3, 9, 1, 8, mask) == success)
    #expect(kernel.call(.cpusetGetaffinity, 4, 1, own, 8, mask)?.errno == .einval)
    #expect(kernel.call(.cpusetGetaffinity, 1, 4, own, 8, mask)?.errno == .einval)
    #expect(kernel.call(.cpusetSetaffinity, 3, 1, own, 8, mask) == success)
    kernel.storeWord(3, at: mask)
    #expect(kernel.call(.cpusetSetaffinity, 3, 1, own, 8, mask)?.errno == .einval)
    kernel.storeWord(0, at: mask)
    #expect(kernel.call(.cpusetSetaffinity, 3, 1, 7, 8, mask)?.errno == .edeadlk)
    kernel.storeWord(1, at: mask)
    #expect(kernel.call(.cpusetSetaffinity, 3, 1, 7, 8, mask)?.errno == .esrch)
    kernel.storeWord(1, at: mask + 128)
    #expect(kernel.call(.cpusetSetaffinity, 3, 1, own, 136, mask)?.errno == .einval)
    #expect(kernel.call(.cpusetSetaffinity, 3, 1, own, 8, bad)?.errno == .efault)
  }
}
