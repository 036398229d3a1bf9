// Handlers of signals: the frame to the byte, what sigreturn(2) takes back, and what becomes of calls (spec signals.md sections
// 1.12, 1.13 and 1.17).

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

/// Offsets of registers in a thread's context.
private enum Place {
  static let rax: UInt64 = 0
  static let rbx: UInt64 = 8
  static let rcx: UInt64 = 16
  static let rdx: UInt64 = 24
  static let rsi: UInt64 = 32
  static let rdi: UInt64 = 40
  static let rsp: UInt64 = 56
  static let rip: UInt64 = 128
  static let rflags: UInt64 = 136
}

private let data = TestKernel.data
private let user1 = UInt64(Signal.sigusr1.rawValue)
private let handler: UInt64 = 0x40_1234

private func handle(
  _ kernel: TestKernel, _ signal: UInt64 = user1, flags: SignalActionFlags = .information, mask: UInt64 = 0
) {
  kernel.storeWord(handler, at: data + 0x800)
  kernel.storeWord(UInt64(flags.rawValue) | mask << 32, at: data + 0x808)
  kernel.storeWord(mask >> 32, at: data + 0x810)
  kernel.storeWord(0, at: data + 0x818)
  #expect(kernel.call(.sigaction, signal, data + 0x800, 0)?.integer == 0)
}

@Suite struct HandlerTests {
  @Test func `a frame has what FreeBSD's has, at its places`() throws {
    let kernel = try TestKernel()
    handle(kernel, mask: 0x1_0000_0002)
    let stack = TestKernel.data + 0x4000
    kernel.setRegister(Place.rsp, stack)
    kernel.setRegister(Place.rbx, 0xbbbb)
    kernel.call(.kill, 1, user1)
    let frame = kernel.register(Place.rsp)
    // Red zone, AVX state at a multiple of 64, frame at one of 16.
    let extended = (stack - 128 - 320) & ~63
    #expect(frame == (extended - 976) & ~15)
    #expect(kernel.register(Place.rip) == UserSpace.signalTrampoline)
    #expect(kernel.register(Place.rdi) == user1)
    #expect(kernel.register(Place.rsi) == frame + 896)
    #expect(kernel.register(Place.rdx) == frame + 16)
    #expect(kernel.loadWord(frame) == handler)
    #expect(kernel.loadWord(frame + 88) == 0, "rax: the call's result")
    #expect(kernel.loadWord(frame + 96) == 0xbbbb)
    #expect(kernel.loadWord(frame + 216) == stack)
    #expect(kernel.loadWord(frame + 232) == 800)
    #expect(kernel.loadWord(frame + 240) == 0x10002)
    #expect(kernel.loadWord(frame + 248) == 0x20001)
    #expect(kernel.loadWord(frame + 784) == extended)
    #expect(kernel.loadWord(frame + 792) == 320)
    #expect(kernel.loadWord(frame + 176) & 0xffff_ffff == 5)
    // siginfo_t
    #expect(kernel.loadWord(frame + 896) & 0xffff_ffff == user1)
    #expect(kernel.loadWord(frame + 904) == UInt64(0x10001) | 1 << 32)
    // The mask: the action's, and the signal itself.
    kernel.call(.sigprocmask, 1, 0, data + 0x900)
    #expect(kernel.loadWord(data + 0x900) == 0x1_0000_0002 | 1 << (user1 - 1))
  }

  @Test func `sigreturn restores every register and the mask, exactly`() throws {
    let kernel = try TestKernel()
    handle(kernel)
    kernel.setRegister(Place.rsp, TestKernel.data + 0x4000)
    kernel.setRegister(Place.rbx, 0xbbbb)
    let place = kernel.register(Place.rip)
    kernel.call(.kill, 1, user1)
    let frame = kernel.register(Place.rsp)
    // The handler changes what the program will find.
    kernel.storeWord(0x7777, at: frame + 96)
    kernel.storeWord(0x1234_5678_9abc, at: frame + 64)
    kernel.setRegister(Place.rbx, 1)
    kernel.call(.sigreturn, frame + 16)
    #expect(kernel.register(Place.rbx) == 0x7777)
    #expect(kernel.register(Place.rcx) == 0x1234_5678_9abc)
    #expect(kernel.register(Place.rsp) == TestKernel.data + 0x4000)
    #expect(kernel.register(Place.rip) == place)
    kernel.call(.sigprocmask, 1, 0, data + 0x900)
    #expect(kernel.loadWord(data + 0x900) == 0)
  }

  @Test(arguments: [false, true])
  func `a frame that crosses a page is stored and taken back like any other`(crosses: Bool) throws {
    let kernel = try TestKernel()
    handle(kernel)
    let stack = TestKernel.data + (crosses ? 0x3280 : 0x4000)
    kernel.setRegister(Place.rsp, stack)
    kernel.setRegister(Place.rbx, 0xbbbb)
    kernel.call(.kill, 1, user1)
    let frame = kernel.register(Place.rsp)
    #expect((frame & 4095 > 4096 - 896) == crosses)
    #expect(kernel.loadWord(frame) == handler)
    #expect(kernel.loadWord(frame + 96) == 0xbbbb)
    #expect(kernel.loadWord(frame + 216) == stack)
    #expect(kernel.loadWord(frame + 784) == (stack - 128 - 320) & ~63)
    #expect(kernel.loadWord(frame + 904) == UInt64(0x10001) | 1 << 32)
    kernel.setRegister(Place.rbx, 1)
    kernel.call(.sigreturn, frame + 16)
    #expect(kernel.register(Place.rbx) == 0xbbbb)
    #expect(kernel.register(Place.rsp) == stack)
  }

  @Test(
    arguments: [
      (160, UInt64(8), Errno.einval), (192, 0x200, .einval), (184, 0, .einval), (224, 5, .einval), (232, 7, .einval),
      (776, 321, .einval),
    ] as [(UInt64, UInt64, Errno)])
  func `sigreturn refuses what it must not load`(offset: UInt64, value: UInt64, error: Errno) throws {
    let kernel = try TestKernel()
    handle(kernel)
    handle(kernel, UInt64(Signal.sigbus.rawValue))
    kernel.setRegister(Place.rsp, TestKernel.data + 0x4000)
    kernel.call(.kill, 1, user1)
    let frame = kernel.register(Place.rsp)
    let context = frame + 16
    let old = kernel.loadWord(context + offset)
    kernel.storeWord(offset == 192 ? old ^ value : value, at: context + offset)
    kernel.setRegister(Place.rsp, frame)
    let rbx = kernel.register(Place.rbx)
    if offset == 184 {
      // A selector of ring 0: SIGBUS comes besides, whose frame holds the error.
      kernel.call(.sigreturn, context)
      let second = kernel.register(Place.rsp)
      #expect(kernel.register(Place.rdi) == UInt64(Signal.sigbus.rawValue))
      #expect(kernel.loadWord(second + 88) == UInt64(error.rawValue))
    } else {
      #expect(kernel.call(.sigreturn, context)?.errno == error)
    }
    #expect(kernel.register(Place.rbx) == rbx)
  }

  @Test func `a handler that wants a restart finds the call's number and its instruction`() throws {
    for restarts in [false, true] {
      let kernel = try TestKernel()
      handle(kernel, flags: restarts ? [.information, .restart] : .information)
      kernel.setRegister(Place.rsp, TestKernel.data + 0x4000)
      let child = kernel.fork()
      let place = kernel.register(Place.rip)
      // The parent waits; the child signals it.
      kernel.call(.wait4, UInt64.max, 0, 0, 0)
      #expect(kernel.identifier == child)
      kernel.call(.kill, 1, user1)
      for _ in 0..<10 where kernel.register(Place.rip) != UserSpace.signalTrampoline { kernel.call(.schedYield) }
      let frame = kernel.register(Place.rsp)
      #expect(kernel.register(Place.rip) == UserSpace.signalTrampoline)
      #expect(kernel.loadWord(frame + 192) == (restarts ? place - 2 : place))
      let result = kernel.loadWord(frame + 88)
      #expect(result == UInt64(restarts ? Int32(SystemCallNumber.wait4.rawValue) : Errno.eintr.rawValue))
      #expect(kernel.loadWord(frame + 208) & 1 == (restarts ? 0 : 1))
    }
  }

  @Test func `only a handler ends sigsuspend, not a wake of oneself`() throws {
    let kernel = try TestKernel()
    handle(kernel)
    kernel.setRegister(Place.rsp, TestKernel.data + 0x4000)
    let child = kernel.fork()
    kernel.call(.thrSelf, data + 0xc00)
    #expect(kernel.call(.thrWake, kernel.loadWord(data + 0xc00))?.integer == 0)
    kernel.storeWord(0, at: data + 0xc10)
    kernel.storeWord(0, at: data + 0xc18)
    kernel.call(.sigsuspend, data + 0xc10)
    #expect(kernel.identifier == child)
    kernel.call(.kill, 1, user1)
    for _ in 0..<10 where kernel.register(Place.rip) != UserSpace.signalTrampoline { kernel.call(.schedYield) }
    #expect(kernel.loadWord(kernel.register(Place.rsp) + 88) == UInt64(Errno.eintr.rawValue))
  }

  @Test func `sigsuspend goes on when another thread took the signal that had ended its sleep`() throws {
    let kernel = try TestKernel()
    handle(kernel)
    let taker = try #require(kernel.current)
    kernel.setRegister(Place.rsp, TestKernel.data + 0x8000)
    let sleeper = try kernel.newThread()
    let (held, nothing) = (data + 0xc00, data + 0xc10)
    for (address, set) in [(held, UInt64(1) << (user1 - 1)), (nothing, UInt64(0))] {
      kernel.storeWord(set, at: address)
      kernel.storeWord(0, at: address + 8)
    }
    // Both hold the signal back, the sleeper until it sleeps.
    kernel.run(sleeper)
    kernel.call(.sigprocmask, 1, held, 0)
    kernel.sleep(sleeper, .sigsuspend, nothing)
    kernel.run(taker)
    kernel.call(.sigprocmask, 1, held, 0)
    kernel.call(.kill, 1, user1)
    // The sleeper is awake, and has not had its turn, when the signal is no longer for it alone.
    #expect(kernel.context == taker.record.address)
    kernel.call(.sigprocmask, 3, nothing, 0)
    #expect(kernel.register(Place.rip) == UserSpace.signalTrampoline)
    #expect(!kernel.run(sleeper), "it came back")
    #expect(sleeper.signals.mask.isEmpty && sleeper.signals.hasSuspendedMask)
    kernel.expectSound()
    // A signal that is its own ends the call, and the frame has the mask from before it.
    kernel.call(.thrKill, UInt64(sleeper.identifier), user1)
    #expect(kernel.run(sleeper))
    let frame = kernel.register(Place.rsp)
    #expect(kernel.register(Place.rip) == UserSpace.signalTrampoline)
    #expect(kernel.loadWord(frame + 88) == UInt64(Errno.eintr.rawValue))
    #expect(kernel.loadWord(frame + 16) == 1 << (user1 - 1))
  }

  @Test func `sigsuspend forgets a signal of its own whose action another thread took`() throws {
    let kernel = try TestKernel()
    let urgent = UInt64(Signal.sigurg.rawValue)
    handle(kernel, urgent, flags: .resetHandler)
    let taker = try #require(kernel.current)
    kernel.setRegister(Place.rsp, TestKernel.data + 0x8000)
    let sleeper = try kernel.newThread()
    let nothing = data + 0xc10
    kernel.storeWord(0, at: nothing)
    kernel.storeWord(0, at: nothing + 8)
    kernel.sleep(sleeper, .sigsuspend, nothing)
    kernel.run(taker)
    kernel.call(.thrKill, UInt64(sleeper.identifier), urgent)
    #expect(kernel.context == taker.record.address && !sleeper.signals.queue.pending.isEmpty)
    kernel.call(.thrKill, UInt64(taker.identifier), urgent)
    #expect(kernel.register(Place.rip) == UserSpace.signalTrampoline)
    #expect(!kernel.run(sleeper), "it came back")
    #expect(sleeper.signals.queue.pending.isEmpty && sleeper.signals.hasSuspendedMask)
    kernel.expectSound()
  }

  @Test func `a stack that cannot be written ends the process with SIGILL`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.run(child)
    handle(kernel)
    kernel.setRegister(Place.rsp, 0x100)
    kernel.call(.kill, UInt64(child), user1)
    kernel.run(1)
    #expect(kernel.wait(child) == (child, .terminated(.sigill)))
  }

  @Test func `a queue of signals takes 128 and gives all of them back`() throws {
    let kernel = try TestKernel()
    let set = data + 0xa00
    kernel.storeWord(1 << (user1 - 1), at: set)
    kernel.storeWord(0, at: set + 8)
    kernel.call(.sigprocmask, 1, set, 0)
    for number in 0..<128 { #expect(kernel.call(.sigqueue, 1, user1, UInt64(number))?.integer == 0) }
    #expect(kernel.call(.sigqueue, 1, user1, 0)?.errno == .eagain)
    for number in 0..<128 {
      #expect(kernel.call(.sigwaitinfo, set, data + 0xb00)?.integer == Int(user1))
      #expect(kernel.loadWord(data + 0xb00 + 32) == UInt64(number))
    }
    kernel.storeWord(0, at: data + 0xa20)
    kernel.storeWord(0, at: data + 0xa28)
    #expect(kernel.call(.sigtimedwait, set, 0, data + 0xa20)?.errno == .eagain)
  }
}
