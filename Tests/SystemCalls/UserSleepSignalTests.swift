// What a signal that is caught does to a sleep on a word of user memory (spec signals.md section 1.17).

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct UserSleepSignalTests {
  private let object = TestKernel.data
  private let mutex = TestKernel.data + 0x100
  private let time = TestKernel.data + 0x200
  private let handler: UInt64 = 0x40_0300
  private let signal: UInt64 = 30

  /// Whether a handler of the signal restarts calls.
  private func catchSignal(_ kernel: TestKernel, restarts: Bool) {
    let action = TestKernel.data + 0x400
    kernel.storeWord(handler, at: action)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: action + offset) }
    if restarts { kernel.storeWord(2, at: action + 8) }
    #expect(kernel.call(.sigaction, signal, action, 0) == CallResult(value: 0, failed: false))
  }

  /// What a program finds in the frame of its handler.
  private enum Outcome: Equatable {
    case error(Errno)
    case restart
  }

  /// A call sleeps, and the signal is sent to its thread, which finds itself in the handler.
  private func interrupt(
    _ kernel: TestKernel, _ thread: Thread, _ operation: UserMutexOperation, _ arguments: UInt64...
  ) -> Outcome? {
    kernel.run(thread)
    let instruction = thread.context.rip
    let padded = arguments + [UInt64](repeating: 0, count: 4 - arguments.count)
    kernel.perform(
      UInt64(SystemCallNumber.umtxOp.rawValue), [padded[0], UInt64(operation.rawValue)] + padded[1...])
    #expect(kernel.isAsleep(thread))
    kernel.call(.thrKill, UInt64(thread.identifier), signal)
    kernel.run(thread)
    #expect(!kernel.isAsleep(thread))
    kernel.expectSound()
    let frame = thread.context.rsp
    #expect(kernel.loadWord(frame) == handler, "no frame")
    let (rax, rip, flags) = (kernel.loadWord(frame + 88), kernel.loadWord(frame + 192), kernel.loadWord(frame + 208))
    if rip == instruction &- 2 && rax == UInt64(SystemCallNumber.umtxOp.rawValue) { return .restart }
    guard rip == instruction, flags & 1 == 1 else { return nil }
    return .error(Errno(rawValue: Int32(rax)))
  }

  private func storeTime(_ kernel: TestKernel, nanoseconds: UInt64, isAbsolute: Bool = false) {
    kernel.storeWord(isAbsolute ? 1 << 40 : 0, at: time)
    kernel.storeWord(nanoseconds, at: time + 8)
    kernel.storeWord((isAbsolute ? 1 : 0) | 4 << 32, at: time + 16)
    kernel.storeWord(77, at: time + 24)
    kernel.storeWord(77, at: time + 32)
  }

  @Test(arguments: [false, true]) func `a wait for a word gives EINTR, whatever the action says`(restarts: Bool) throws
  {
    let kernel = try TestKernel()
    let thread = try kernel.newThread()
    catchSignal(kernel, restarts: restarts)
    kernel.storeWord(0, at: object)
    #expect(interrupt(kernel, thread, .waitWordPrivate, object, 0) == .error(.eintr))
    kernel.run(thread)
    kernel.storeWord(UInt64(thread.identifier), at: mutex)
    kernel.storeWord(0, at: object)
  }

  @Test(arguments: [false, true]) func `a lock without a time limit begins anew`(restarts: Bool) throws {
    let kernel = try TestKernel()
    let thread = try kernel.newThread()
    catchSignal(kernel, restarts: restarts)
    kernel.storeWord(7, at: mutex)
    #expect(interrupt(kernel, thread, .mutexLock, mutex) == .restart)
  }

  @Test(arguments: [false, true]) func `a lock with a time limit gives EINTR, and so may a wait for one`(
    restarts: Bool
  ) throws {
    let kernel = try TestKernel()
    let (one, other) = (try kernel.newThread(), try kernel.newThread())
    catchSignal(kernel, restarts: restarts)
    kernel.storeWord(7, at: mutex)
    storeTime(kernel, nanoseconds: 900_000_000)
    #expect(interrupt(kernel, one, .mutexLock, mutex, 0, 16, time) == .error(.eintr))
    #expect(interrupt(kernel, other, .mutexWait, mutex) == (restarts ? .restart : .error(.eintr)))
  }

  @Test func `a condition is waited for no more, and nobody waits for it`() throws {
    let kernel = try TestKernel()
    let thread = try kernel.newThread()
    catchSignal(kernel, restarts: true)
    kernel.storeWord(0, at: object)
    kernel.storeWord(UInt64(thread.identifier), at: mutex)
    #expect(interrupt(kernel, thread, .conditionWait, object, 0, mutex) == .error(.eintr))
    #expect(kernel.loadWord(object) == 0 && kernel.loadWord(mutex) == 0)
  }

  @Test(arguments: [UserMutexOperation.readLock, .writeLock])
  func `who waited for a lock of readers and writers is not counted any more`(operation: UserMutexOperation) throws {
    let kernel = try TestKernel()
    let thread = try kernel.newThread()
    catchSignal(kernel, restarts: true)
    kernel.storeWord(0x8000_0000, at: object)
    kernel.storeWord(0, at: object + 8)
    #expect(interrupt(kernel, thread, operation, object) == .error(.eintr))
    #expect(kernel.loadWord(object) == 0x8000_0000 && kernel.loadWord(object + 8) == 0)
  }

  @Test func `what is left of the time to wait for a semaphore is told`() throws {
    let kernel = try TestKernel()
    let (one, other, third) = (try kernel.newThread(), try kernel.newThread(), try kernel.newThread())
    catchSignal(kernel, restarts: true)
    kernel.storeWord(0, at: object)
    storeTime(kernel, nanoseconds: 900_000_000)
    #expect(interrupt(kernel, one, .semaphoreWait, object, 0, 40, time) == .error(.eintr))
    #expect(kernel.loadWord(time + 24) == 0)
    #expect((1...900_000_000).contains(kernel.loadWord(time + 32)))
    storeTime(kernel, nanoseconds: 900_000_000)
    #expect(interrupt(kernel, other, .semaphoreWait, object, 0, 24, time) == .error(.eintr))
    #expect(kernel.loadWord(time + 24) == 77)
    storeTime(kernel, nanoseconds: 0, isAbsolute: true)
    #expect(interrupt(kernel, third, .semaphoreWait, object, 0, 40, time) == .restart)
  }

  @Test func `thr_wake of oneself ends the next sleep, of any call`() throws {
    let kernel = try TestKernel()
    let identifier = UInt64(try #require(kernel.current).identifier)
    kernel.storeWord(0, at: object)
    kernel.call(.thrWake, identifier)
    #expect(kernel.call(.umtxOp, object, 15, 0, 0, 0)?.errno == .eintr)
    kernel.call(.thrWake, identifier)
    storeTime(kernel, nanoseconds: 900_000_000)
    #expect(kernel.call(.nanosleep, time, 0)?.errno == .eintr)
    kernel.expectSound()
  }
}
