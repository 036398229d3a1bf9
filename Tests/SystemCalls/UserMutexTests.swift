// _umtx_op(2): words and mutexes (spec signals.md section 3).

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct UserMutexTests {
  private let word = TestKernel.data
  private let time = TestKernel.data + 0x200
  private let bad: UInt64 = 0x7000_0000_0000
  private let success = CallResult(value: 0, failed: false)
  private let contested: UInt64 = 0x8000_0000

  private func storeTime(_ kernel: TestKernel, _ seconds: Int64, _ nanoseconds: Int64, flags: UInt64 = 0) {
    kernel.storeWord(UInt64(bitPattern: seconds), at: time)
    kernel.storeWord(UInt64(bitPattern: nanoseconds), at: time + 8)
    kernel.storeWord(flags, at: time + 16)
  }

  // MARK: Words

  @Test func `numbers that are no operation`() throws {
    let kernel = try TestKernel()
    for number in [29, 0x4000_0002, UInt64(UInt32.max)] as [UInt64] {
      #expect(kernel.call(.umtxOp, word, number, 0, 0, 0)?.errno == .einval)
    }
    for number in [0, 1, 19, 20] as [UInt64] {
      #expect(kernel.call(.umtxOp, word, number, 0, 0, 0)?.errno == .eopnotsupp)
    }
  }

  @Test func `a wait looks at the time, then at the place, then at all of the value`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(7, at: word)
    storeTime(kernel, 0, 1_000_000_000)
    #expect(kernel.umtx(bad, .waitWord, 7, 16, bad)?.errno == .efault)
    #expect(kernel.umtx(bad, .waitWord, 7, 16, time)?.errno == .einval)
    storeTime(kernel, -1, 0)
    #expect(kernel.umtx(bad, .waitWord, 7, 16, time)?.errno == .einval)
    storeTime(kernel, 0, 0, flags: 6 << 32)
    #expect(kernel.umtx(word, .waitWord, 8, 24, time)?.errno == .einval)
    storeTime(kernel, 0, 0)
    #expect(kernel.umtx(bad, .waitWord, 7, 16, time)?.errno == .efault)
    #expect(kernel.umtx(bad, .waitWordPrivate, 7, 16, time)?.errno == .efault)
    #expect(kernel.umtx(0x40_0000, .waitWord, 7, 16, time)?.errno == .efault, "not writable")
    #expect(kernel.umtx(word, .waitWord, 8, 16, time) == success)
    #expect(kernel.umtx(word, .waitWord, 7 | 1 << 32, 16, time) == success)
    #expect(kernel.umtx(word, .waitWord, 7, 16, time)?.errno == .etimedout)
    kernel.storeWord(7 | 1 << 32, at: word)
    #expect(kernel.umtx(word, .wait, 7, 16, time) == success)
    #expect(kernel.umtx(word, .wait, 7 | 1 << 32, 16, time)?.errno == .etimedout)
    // A word of two pages.
    kernel.storeWord(3 << 16 | 5 << 48, at: word + 0xFFC)
    #expect(kernel.umtx(word + 0xFFE, .waitWordPrivate, 3, 16, time)?.errno == .etimedout)
    kernel.expectSound()
  }

  @Test func `a wake wakes so many in their order, one at least, and only those of its place`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    var threads: [Thread] = []
    for _ in 0..<6 { threads.append(try kernel.newThread()) }
    kernel.storeWord(0, at: word)
    for thread in threads[0..<4] { kernel.sleepOn(thread, word, .waitWordPrivate) }
    // A shared key of a private mapping is private too; a mutex is not a word.
    kernel.sleepOn(threads[4], word, .waitWord)
    kernel.storeWord(7, at: word + 8)
    kernel.sleepOn(threads[5], word + 8, .mutexLock)
    kernel.run(first)
    #expect(kernel.umtx(word + 8, .wakePrivate, 9) == success)
    #expect(kernel.isAsleep(threads[5]))
    #expect(kernel.umtx(word, .wakePrivate, 0) == success)
    #expect(threads[0..<5].map { kernel.isAsleep($0) } == [false, true, true, true, true])
    kernel.run(first)
    #expect(kernel.umtx(word, .wake, 2) == success)
    kernel.run(first)
    #expect(threads[0..<5].map { kernel.isAsleep($0) } == [false, false, false, true, true])
    #expect(kernel.umtx(word, .wake, UInt64(UInt32.max)) == success)
    kernel.run(first)
    #expect(threads[0..<5].map { kernel.isAsleep($0) } == [false, false, false, false, true])
    #expect(kernel.umtx(word, .wake, 5) == success)
    for thread in threads[0..<5] { #expect(kernel.run(thread) && kernel.result == success) }
    #expect(kernel.umtx(bad, .wakePrivate, 1) == success)
    #expect(kernel.umtx(bad, .wake, 1)?.errno == .efault)
    #expect(kernel.umtx(0x40_0000, .wake, 1)?.errno == .efault)
    kernel.expectSound()
  }

  @Test func `an array of words is woken, all of each`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let threads = [try kernel.newThread(), try kernel.newThread(), try kernel.newThread()]
    for index in 0..<3 as Range<UInt64> { kernel.storeWord(0, at: word + 8 * index) }
    kernel.sleepOn(threads[0], word, .waitWordPrivate)
    kernel.sleepOn(threads[1], word, .waitWordPrivate)
    kernel.sleepOn(threads[2], word + 8, .waitWordPrivate)
    kernel.run(first)
    for (index, address) in [bad, word, word + 16, word + 8].enumerated() {
      kernel.storeWord(address, at: TestKernel.data + 0x300 + UInt64(8 * index))
    }
    #expect(kernel.umtx(bad, .wakeManyPrivate, 1)?.errno == .efault)
    #expect(kernel.umtx(TestKernel.data + 0x300, .wakeManyPrivate, 3) == success)
    kernel.run(first)
    #expect(threads.map { kernel.isAsleep($0) } == [false, false, true])
    #expect(kernel.umtx(TestKernel.data + 0x300, .wakeManyPrivate, 4) == success)
    kernel.run(first)
    #expect(!kernel.isAsleep(threads[2]))
  }

  @Test func `a time limit is kept on its clock, and a wake counts that comes before the thread has run`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    kernel.storeWord(0, at: word)
    let now = kernel.hardware.clock.nanoseconds
    // Absolute, CLOCK_MONOTONIC.
    storeTime(kernel, 0, Int64(now + 30_000_000), flags: 1 | 4 << 32)
    kernel.sleepOn(first, word, .waitWordPrivate, 0, 24, time)
    #expect(kernel.isIdle && kernel.idleUntil == now + 30_000_000)
    kernel.hardware.clock.advance(to: now + 29_999_999)
    kernel.tick()
    #expect(kernel.isIdle)
    kernel.sleepUntilDeadline()
    #expect(kernel.result.errno == .etimedout)
    #expect(kernel.umtx(word, .waitWordPrivate, 0, 24, time)?.errno == .etimedout)
    // Woken in time, but late to run.
    let made = try kernel.newThread()
    storeTime(kernel, 0, 30_000_000)
    kernel.sleepOn(made, word, .waitWordPrivate, 0, 16, time)
    #expect(kernel.umtx(word, .wakePrivate, 1) == success)
    kernel.hardware.clock.advance(by: 50_000_000)
    #expect(kernel.run(made) && kernel.result == success)
    // The least time of the process.
    #expect(kernel.umtx(0, .setMinimumTimeout, 1 << 63)?.errno == .einval)
    #expect(kernel.umtx(0, .setMinimumTimeout, 50_000_000) == success)
    #expect(kernel.umtx(0, .getMinimumTimeout, 0, word + 8) == success && kernel.loadWord(word + 8) == 50_000_000)
    let begin = kernel.hardware.clock.nanoseconds
    kernel.run(first)
    kernel.sleepOn(first, word, .waitWordPrivate, 0, 16, time)
    kernel.run(made)
    storeTime(kernel, 0, 1)
    kernel.sleepOn(made, word, .waitWordPrivate, 0, 16, time)
    #expect(kernel.isIdle && kernel.idleUntil.map { $0 >= begin + 50_000_000 } ?? false)
    kernel.sleepUntilDeadline()
    kernel.sleepUntilDeadline()
    kernel.expectSound()
  }

  @Test func `a stopped sleeper stays where it is, and is woken`() throws {
    let kernel = try TestKernel()
    let parent = try #require(kernel.current)
    kernel.call(.mmap, 0x1_0000_0000, 4096, .readWrite, .fixedSharedMemory, UInt64.max, 0)
    let shared: UInt64 = 0x1_0000_0000
    _ = kernel.fork()
    let child = try #require(kernel.thread(of: 2))
    kernel.sleepOn(child, shared, .waitWord)
    kernel.run(parent)
    kernel.call(.kill, 2, 17)
    #expect(child.isSuspended && kernel.isAsleep(child))
    kernel.expectSound()
    #expect(kernel.umtx(shared, .wake, 1) == success)
    #expect(child.isSuspended && !kernel.isAsleep(child))
    kernel.call(.kill, 2, 19)
    #expect(kernel.run(child) && kernel.result == success)
    kernel.sleepOn(child, shared, .waitWord)
    kernel.run(parent)
    kernel.call(.kill, 2, 17)
    kernel.call(.kill, 2, 19)
    for _ in 0..<10 { kernel.call(.schedYield) }
    #expect(kernel.isAsleep(child))
    kernel.call(.kill, 2, 9)
    for _ in 0..<10 { kernel.call(.schedYield) }
    #expect(kernel.kernel.inspectedProcesses.thread(child.identifier) == nil)
    kernel.expectSound()
  }

  @Test func `a shared word has its place in the object, not its address`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (one, other) = (0x1_0000_0000 as UInt64, 0x2_0000_0000 as UInt64)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    kernel.call(.ftruncate, 3, 8192)
    kernel.call(.mmap, one, 8192, .readWrite, .fixedSharedFile, 3, 0)
    kernel.call(.mmap, other, 4096, .readWrite, .fixedSharedFile, 3, 4096)
    kernel.call(.mmap, other + 4096, 4096, .readOnly, .fixedSharedFile, 3, 0)
    kernel.call(.mmap, other + 8192, 4096, .readWrite, .fixedPrivateFile, 3, 4096)
    let made = try kernel.newThread()
    kernel.sleepOn(made, one + 4096, .waitWord)
    #expect(kernel.umtx(other, .wakePrivate, 1) == success && kernel.umtx(one, .wake, 1) == success)
    #expect(kernel.umtx(other + 8192, .wake, 1) == success && kernel.umtx(other + 4096, .wake, 1)?.errno == .efault)
    #expect(kernel.isAsleep(made))
    // The object goes on without the mapping in which the thread fell asleep.
    kernel.call(.munmap, one, 8192)
    #expect(kernel.umtx(other, .wake, 1) == success && !kernel.isAsleep(made))
    #expect(kernel.run(made) && kernel.result == success)
    // Nobody is at the same place of an object that comes later.
    kernel.sleepOn(made, other, .waitWord)
    kernel.run(first)
    kernel.call(.munmap, other, 3 * 4096)
    kernel.call(.close, 3)
    for _ in 0..<20 {
      kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
      kernel.call(.ftruncate, 3, 8192)
      kernel.call(.mmap, one, 8192, .readWrite, .fixedSharedFile, 3, 0)
      #expect(kernel.umtx(one + 4096, .wake, 1) == success && kernel.isAsleep(made))
      kernel.call(.munmap, one, 8192)
      kernel.call(.close, 3)
    }
    kernel.expectSound()
  }

  // MARK: Mutexes

  private func mutex(_ kernel: TestKernel, _ owner: UInt64, _ flags: UInt64, ceiling: UInt64 = 0) {
    kernel.storeWord(owner | flags << 32, at: word)
    kernel.storeWord(ceiling, at: word + 8)
    kernel.storeWord(0, at: word + 16)
  }

  @Test func `a mutex is locked, waited for and handed on`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let (second, third) = (try kernel.newThread(), try kernel.newThread())
    let identifier = UInt64(first.identifier)
    mutex(kernel, 0, 0)
    #expect(kernel.umtx(word, .mutexLock) == success && kernel.low(word) == identifier)
    kernel.run(second)
    #expect(kernel.umtx(word, .mutexTryLock)?.errno == .ebusy && kernel.low(word) == identifier)
    #expect(kernel.umtx(word, .mutexUnlock)?.errno == .eperm)
    storeTime(kernel, 0, 0)
    #expect(kernel.umtx(word, .mutexLock, 0, 16, time)?.errno == .etimedout)
    #expect(kernel.low(word) == identifier | contested)
    kernel.sleepOn(second, word, .mutexLock)
    kernel.sleepOn(third, word, .mutexWait)
    kernel.run(first)
    #expect(kernel.umtx(word, .mutexUnlock) == success)
    // Two slept: the word says that somebody still does.
    kernel.run(second)
    #expect(kernel.result == success && kernel.low(word) == UInt64(second.identifier) | contested)
    #expect(kernel.umtx(word, .mutexUnlock) == success)
    #expect(kernel.run(third) && kernel.result == success && kernel.low(word) == 0)
    #expect(kernel.umtx(word, .mutexWait) == success && kernel.low(word) == 0)
    mutex(kernel, contested, 0)
    #expect(kernel.umtx(word, .mutexLock) == success)
    #expect(kernel.low(word) == UInt64(third.identifier) | contested)
    kernel.expectSound()
  }

  @Test func `states of a robust mutex`() throws {
    let kernel = try TestKernel()
    let identifier = UInt64(try #require(kernel.current).identifier)
    mutex(kernel, UInt64(UserMutex.ownerDead), 0x10)
    #expect(kernel.umtx(word, .mutexWait) == success)
    #expect(kernel.umtx(word, .mutexTryLock)?.errno == .eownerdead)
    #expect(kernel.low(word) == identifier | contested)
    mutex(kernel, identifier | contested, 0x30)
    #expect(kernel.umtx(word, .mutexUnlock) == success && kernel.low(word) == UInt64(UserMutex.notRecoverable))
    #expect(kernel.umtx(word, .mutexLock)?.errno == .enotrecoverable)
  }

  @Test func `a mutex wake clears what nobody waits for`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let made = try kernel.newThread()
    mutex(kernel, contested, 0)
    #expect(kernel.umtx(word, .mutexWake) == success && kernel.low(word) == 0)
    mutex(kernel, 7, 0)
    kernel.sleepOn(made, word, .mutexWait)
    kernel.run(first)
    #expect(kernel.umtx(word, .mutexWake) == success && kernel.isAsleep(made))
    // Somebody else has locked it since: it is marked again, and nobody woken.
    mutex(kernel, 7, 0)
    #expect(kernel.umtx(word, .mutexWakeByFlags, 0) == success)
    #expect(kernel.low(word) == 7 | contested && kernel.isAsleep(made))
    mutex(kernel, 0, 0)
    #expect(kernel.umtx(word, .mutexWakeByFlags, 0) == success && kernel.low(word) == 0)
    #expect(!kernel.isAsleep(made))
    #expect(kernel.umtx(bad, .mutexWakeByFlags, 0)?.errno == .efault)
    #expect(kernel.umtx(word, .mutexWakeByFlags, 12)?.errno == .einval)
  }

  @Test func `mutexes with priorities`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let made = try kernel.newThread()
    let identifier = UInt64(first.identifier)
    mutex(kernel, 0, 12)
    for operation in [.mutexLock, .mutexTryLock, .mutexUnlock] as [UserMutexOperation] {
      #expect(kernel.umtx(word, operation)?.errno == .einval)
    }
    mutex(kernel, 0, 4)
    #expect(kernel.umtx(word, .mutexLock) == success)
    #expect(kernel.umtx(word, .mutexLock)?.errno == .edeadlk)
    #expect(kernel.umtx(word, .mutexUnlock) == success && kernel.low(word) == 0)
    mutex(kernel, contested, 8, ceiling: 32)
    #expect(kernel.umtx(word, .mutexLock)?.errno == .einval)
    mutex(kernel, contested, 8, ceiling: 5)
    #expect(kernel.umtx(word, .mutexLock) == success && kernel.low(word) == identifier | contested)
    #expect(kernel.umtx(word, .mutexUnlock) == success && kernel.low(word) == contested)
    #expect(kernel.umtx(word, .setCeiling, 32)?.errno == .einval)
    #expect(kernel.umtx(word, .setCeiling, 9, time) == success && kernel.low(time) == 5)
    #expect(kernel.low(word + 8) == 9 && kernel.low(word) == contested)
    mutex(kernel, 7, 8, ceiling: 5)
    kernel.sleepOn(made, word, .setCeiling, 3)
    kernel.run(first)
    mutex(kernel, identifier | contested, 8, ceiling: 5)
    #expect(kernel.umtx(word, .mutexUnlock) == success)
    #expect(kernel.run(made) && kernel.result == success && kernel.low(word + 8) == 3)
    mutex(kernel, 0, 0)
    #expect(kernel.umtx(word, .setCeiling, 3)?.errno == .einval)
    kernel.expectSound()
  }
}
