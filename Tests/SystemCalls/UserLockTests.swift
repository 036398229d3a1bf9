// _umtx_op(2): condition variables, locks for readers and writers, semaphores, and what a thread leaves behind that ends (spec
// signals.md sections 3.4 and 3.5).

import ABI
import Memory
import Primitives
import Processes
import Testing

@testable import SystemCalls

@Suite struct UserLockTests {
  private let object = TestKernel.data
  private let mutex = TestKernel.data + 0x100
  private let time = TestKernel.data + 0x200
  private let bad: UInt64 = 0x7000_0000_0000
  private let success = CallResult(value: 0, failed: false)
  private let contested: UInt64 = 0x8000_0000

  // MARK: Condition variables

  @Test func `waiting for a condition unlocks the mutex and does not lock it again`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (second, third) = (try kernel.newThread(), try kernel.newThread())
    kernel.storeWord(0, at: object)
    for thread in [second, third] {
      kernel.run(first)
      kernel.storeWord(UInt64(thread.identifier), at: mutex)
      kernel.sleepOn(thread, object, .conditionWait, 0, mutex)
    }
    kernel.run(first)
    #expect(kernel.low(object) == 1 && kernel.low(mutex) == 0)
    #expect(kernel.umtx(object, .conditionSignal) == success && kernel.low(object) == 1)
    #expect(kernel.run(second) && kernel.result == success && kernel.low(mutex) == 0)
    #expect(kernel.umtx(object, .conditionSignal) == success && kernel.low(object) == 0)
    #expect(kernel.run(third) && kernel.result == success)
    kernel.storeWord(1, at: object)
    #expect(kernel.umtx(object, .conditionBroadcast) == success && kernel.low(object) == 0)
    kernel.expectSound()
  }

  @Test func `waiting for a condition is refused, or is over`() throws {
    let kernel = try TestKernel()
    let identifier = UInt64(try #require(kernel.current).identifier)
    kernel.storeWord(0, at: object)
    kernel.storeWord(77, at: object + 8)
    kernel.storeWord(identifier, at: mutex)
    kernel.storeWord(0, at: time)
    kernel.storeWord(1_000_000_000, at: time + 8)
    #expect(kernel.umtx(object, .conditionWait, 0, mutex, bad)?.errno == .efault)
    #expect(kernel.umtx(object, .conditionWait, 4, mutex, time)?.errno == .einval)
    kernel.storeWord(0, at: time + 8)
    #expect(kernel.umtx(object, .conditionWait, 4, mutex, time)?.errno == .einval)
    #expect(kernel.umtx(bad, .conditionWait, 0, mutex, time)?.errno == .efault)
    #expect(kernel.umtx(object, .conditionWait, 0, bad, time)?.errno == .efault)
    kernel.storeWord(7, at: mutex)
    #expect(kernel.umtx(object, .conditionWait, 0, mutex, time)?.errno == .eperm)
    kernel.storeWord(identifier, at: mutex)
    #expect(kernel.umtx(object, .conditionWait, 0, mutex, time)?.errno == .etimedout)
    #expect(kernel.low(object) == 0 && kernel.low(mutex) == 0)
    kernel.expectSound()
  }

  // MARK: Locks for readers and writers

  @Test func `readers share, a writer does not, and who waits is let in`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (reader, writer, late) = (try kernel.newThread(), try kernel.newThread(), try kernel.newThread())
    for offset in [0, 8] as [UInt64] { kernel.storeWord(0, at: object + offset) }
    #expect(kernel.umtx(object, .readWriteUnlock)?.errno == .eperm)
    #expect(kernel.umtx(object, .readLock) == success)
    kernel.run(reader)
    #expect(kernel.umtx(object, .readLock) == success && kernel.low(object) == 2)
    kernel.sleepOn(writer, object, .writeLock)
    #expect(kernel.low(object) == 0x4000_0002 && kernel.loadWord(object + 8) == 1 << 32)
    // Whoever comes later stands behind the writer, unless he insists.
    kernel.sleepOn(late, object, .readLock)
    #expect(kernel.low(object) == 0x6000_0002 && kernel.loadWord(object + 8) == 1 | 1 << 32)
    kernel.run(first)
    #expect(kernel.umtx(object, .readLock, 2) == success && kernel.low(object) == 0x6000_0003)
    kernel.storeWord(0x6000_0001, at: object)
    #expect(kernel.umtx(object, .readWriteUnlock) == success)
    #expect(kernel.run(writer) && kernel.result == success)
    #expect(kernel.low(object) == 0xA000_0000 && kernel.loadWord(object + 8) == 1)
    #expect(kernel.umtx(object, .readWriteUnlock) == success)
    #expect(kernel.run(late) && kernel.result == success)
    #expect(kernel.low(object) == 1 && kernel.loadWord(object + 8) == 0)
    kernel.storeWord(0x1fff_ffff, at: object)
    #expect(kernel.umtx(object, .readLock)?.errno == .eagain)
    kernel.expectSound()
  }

  @Test func `a writer that gives up lets in the readers that it has kept waiting`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (writer, reader) = (try kernel.newThread(), try kernel.newThread())
    kernel.storeWord(1, at: object)
    kernel.storeWord(0, at: object + 8)
    kernel.storeWord(0, at: time)
    kernel.storeWord(20_000_000, at: time + 8)
    kernel.sleepOn(writer, object, .writeLock, 0, 16, time)
    kernel.sleepOn(reader, object, .readLock)
    kernel.run(first)
    kernel.storeWord(0, at: time + 16)
    kernel.sleepOn(first, time + 16, .waitWord, 0)
    #expect(kernel.isIdle)
    kernel.sleepUntilDeadline()
    #expect(kernel.run(writer) && kernel.result.errno == .etimedout)
    #expect(kernel.run(reader) && kernel.result == success)
    #expect(kernel.low(object) == 2 && kernel.loadWord(object + 8) == 0)
    kernel.expectSound()
  }

  @Test func `a writer that is killed keeps no reader waiting`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let shared: UInt64 = 0x1_0000_0000
    kernel.call(.mmap, shared, 4096, .readWrite, .fixedSharedMemory, UInt64.max, 0)
    kernel.storeWord(1 | 1 << 32, at: shared)
    _ = kernel.fork()
    let child = try #require(kernel.thread(of: 2))
    kernel.sleepOn(child, shared, .writeLock)
    kernel.run(first)
    #expect(kernel.low(shared) == 0x4000_0001)
    kernel.call(.kill, 2, 9)
    kernel.call(.wait4, 2, 0, 0, 0)
    #expect(kernel.low(shared) == 1 && kernel.loadWord(shared + 8) == 0)
    kernel.expectSound()
  }

  // MARK: Semaphores

  @Test func `a semaphore that is 0 is waited for, and nobody takes from it here`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (second, third) = (try kernel.newThread(), try kernel.newThread())
    kernel.storeWord(2, at: object)
    #expect(kernel.umtx(object, .semaphoreWait) == success && kernel.low(object) == 2)
    kernel.storeWord(0, at: object)
    kernel.sleepOn(second, object, .semaphoreWait)
    kernel.sleepOn(third, object, .semaphoreWait)
    kernel.run(first)
    #expect(kernel.low(object) == contested)
    #expect(kernel.umtx(object, .semaphoreWake) == success && kernel.low(object) == contested)
    #expect(!kernel.isAsleep(second) && kernel.isAsleep(third))
    kernel.run(first)
    kernel.storeWord(contested | 1, at: object)
    #expect(kernel.umtx(object, .semaphoreWake) == success && kernel.low(object) == 1)
    #expect(kernel.run(third) && kernel.result == success)
    #expect(kernel.umtx(object, .semaphoreWake) == success)
    #expect(kernel.umtx(bad, .semaphoreWake)?.errno == .efault)
    kernel.expectSound()
  }

  // MARK: The end of an owner

  /// A list of robust mutexes at `object`: two that the thread owns, the second with a waiter, and one that it does not.
  private func makeList(_ kernel: TestKernel, _ owner: Thread, link third: UInt64) {
    let identifier = UInt64(owner.identifier)
    kernel.storeWord(object + 0x40, at: object)
    kernel.storeWord(identifier | 0x10 << 32, at: object + 0x40)
    kernel.storeWord(object + 0x80, at: object + 0x50)
    kernel.storeWord(identifier | contested | 0x10 << 32, at: object + 0x80)
    kernel.storeWord(third, at: object + 0x90)
    kernel.storeWord(7 | 0x10 << 32, at: object + 0xC0)
    kernel.storeWord(object + 0x40, at: object + 0xD0)
  }

  @Test(arguments: [0, 1, 2]) func `the robust mutexes of a thread that ends are given up`(way: Int) throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (owner, waiter) = (try kernel.newThread(), try kernel.newThread())
    makeList(kernel, owner, link: way == 1 ? bad : object + 0xC0)
    kernel.sleepOn(waiter, object + 0x80, .mutexLock)
    kernel.run(owner)
    let parameters = TestKernel.data + 0x300
    for offset in [0, 8, 16] as [UInt64] { kernel.storeWord(0, at: parameters + offset) }
    kernel.storeWord(object, at: parameters + (way == 2 ? 8 : 0))
    #expect(kernel.umtx(0, .robustLists, 25, parameters)?.errno == .einval)
    #expect(kernel.umtx(0, .robustLists, 24, bad)?.errno == .efault)
    #expect(kernel.umtx(0, .robustLists, way == 0 ? 8 : 24, parameters) == success)
    kernel.call(.thrExit, 0)
    kernel.run(first)
    #expect(kernel.kernel.inspectedProcesses.thread(owner.identifier) == nil)
    #expect(kernel.low(object + 0x40) == UInt64(UserMutex.ownerDead))
    #expect(kernel.run(waiter) && kernel.result.errno == .eownerdead)
    #expect(kernel.low(object + 0x80) == UInt64(waiter.identifier) | contested)
    #expect(kernel.low(object + 0xC0) == 7)
    kernel.expectSound()
  }

  @Test func `the robust mutexes of a killed process are given up, also the one that it was about to lock`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let shared: UInt64 = 0x1_0000_0000
    kernel.call(.mmap, shared, 4096, .readWrite, .fixedSharedMemory, UInt64.max, 0)
    _ = kernel.fork()
    let child = try #require(kernel.thread(of: 2))
    kernel.run(child)
    let parameters = TestKernel.data + 0x300
    for offset in [0, 8] as [UInt64] { kernel.storeWord(0, at: parameters + offset) }
    kernel.storeWord(shared, at: parameters + 16)
    kernel.storeWord(shared + 0x40, at: shared)
    kernel.storeWord(UInt64(child.identifier) | 0x11 << 32, at: shared + 0x40)
    #expect(kernel.umtx(0, .robustLists, 24, parameters) == success)
    kernel.sleepOn(first, shared + 0x40, .mutexLock)
    kernel.call(.kill, 2, 9)
    #expect(kernel.run(first) && kernel.result.errno == .eownerdead)
    #expect(kernel.low(shared + 0x40) == UInt64(first.identifier) | contested)
    kernel.expectSound()
  }

  @Test func `a list that leads in a circle ends`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let owner = try kernel.newThread()
    kernel.storeWord(object + 0x40, at: object)
    kernel.storeWord(UInt64(owner.identifier) | 0x10 << 32, at: object + 0x40)
    kernel.storeWord(object + 0x40, at: object + 0x50)
    kernel.storeWord(object, at: TestKernel.data + 0x300)
    kernel.run(owner)
    #expect(kernel.umtx(0, .robustLists, 8, TestKernel.data + 0x300) == success)
    kernel.call(.thrExit, 0)
    kernel.run(first)
    #expect(kernel.low(object + 0x40) == UInt64(UserMutex.ownerDead))
    #expect(kernel.kernel.inspectedProcesses.process(1)?.threadCount == 1)
  }
}
