// Signals between processes: who may send which to whom, groups, stops, what is ignored, and what wait4(2) sees of it.

import ABI
import Testing

@testable import SystemCalls

@Suite struct SignalTests {
  private let data = TestKernel.data

  private func target(_ identifier: Int) -> UInt64 { UInt64(bitPattern: Int64(identifier)) }

  private func error(_ result: CallResult?) -> Errno? { result?.errno }

  /// A child with these real, effective and saved users, which has given the processor back.
  private func child(_ kernel: TestKernel, _ users: (UInt64, UInt64, UInt64)) -> Int {
    let parent = kernel.identifier
    let child = kernel.fork()
    kernel.run(child)
    #expect(kernel.call(.setresuid, users.0, users.1, users.2)?.integer == 0)
    kernel.run(parent)
    return child
  }

  /// Becomes somebody else in a child, and says how it ended.
  private func become(_ kernel: TestKernel, _ users: (UInt64, UInt64, UInt64), _ body: () -> Void) {
    let sender = kernel.fork()
    let (found, status) = kernel.wait(sender) {
      kernel.run(sender)
      #expect(kernel.call(.setresuid, users.0, users.1, users.2)?.integer == 0)
      body()
      kernel.exit(9)
    }
    #expect(found == sender && status == .exited(9))
  }

  @Test func `the real or effective user must be the target's real or saved one`() throws {
    let kernel = try TestKernel()
    let victim = child(kernel, (10, 20, 30))
    let cases: [((UInt64, UInt64, UInt64), Errno?)] = [
      ((10, 99, 98), nil), ((99, 10, 98), nil), ((30, 99, 98), nil), ((99, 30, 98), nil), ((99, 0, 98), nil),
      ((20, 99, 98), .eperm), ((99, 20, 98), .eperm), ((99, 98, 10), .eperm), ((0, 99, 98), .eperm),
    ]
    for (sender, expected) in cases {
      become(kernel, sender) {
        #expect(error(kernel.call(.kill, target(victim), 0)) == expected, "\(sender)")
        // What is only looked at changes nothing; SIGCONT is free inside a session.
        #expect(kernel.call(.kill, target(victim), 19)?.integer == 0)
        if expected != nil { #expect(error(kernel.call(.kill, target(victim), 9)) == .eperm, "\(sender)") }
      }
    }
    #expect(kernel.call(.wait4, target(victim), 0, 1, 0)?.integer == 0)
    become(kernel, (99, 30, 98)) { #expect(kernel.call(.kill, target(victim), 15)?.integer == 0) }
    #expect(kernel.wait(victim) == (victim, .terminated(.sigterm)))
  }

  @Test func `other sessions are not continued`() throws {
    let kernel = try TestKernel()
    let victim = kernel.fork()
    kernel.run(victim)
    #expect(kernel.call(.setsid)?.integer == victim)
    #expect(kernel.call(.setresuid, 10, 10, 10)?.integer == 0)
    kernel.run(1)
    become(kernel, (99, 98, 97)) { #expect(error(kernel.call(.kill, target(victim), 19)) == .eperm) }
  }

  @Test func `everybody but process 1 and the sender gets what is sent to all`() throws {
    let kernel = try TestKernel()
    #expect(error(kernel.call(.kill, target(-1), 0)) == .esrch)
    let first = child(kernel, (10, 10, 10))
    let second = child(kernel, (20, 20, 20))
    become(kernel, (30, 30, 30)) { #expect(error(kernel.call(.kill, target(-1), 9)) == .eperm) }
    become(kernel, (20, 20, 20)) { #expect(kernel.call(.kill, target(-1), 9)?.integer == 0) }
    #expect(kernel.wait(second) == (second, .terminated(.sigkill)))
    #expect(kernel.call(.wait4, target(first), 0, 1, 0)?.integer == 0)
    become(kernel, (0, 0, 0)) {
      #expect(kernel.call(.kill, target(-1), 15)?.integer == 0)
    }
    #expect(kernel.wait(first) == (first, .terminated(.sigterm)))
    #expect(kernel.identifier == 1)
  }

  @Test func `a group is signalled as far as it may be`() throws {
    let kernel = try TestKernel()
    let leader = child(kernel, (10, 10, 10))
    let member = child(kernel, (20, 20, 20))
    #expect(kernel.call(.setpgid, target(leader), 0)?.integer == 0)
    #expect(kernel.call(.setpgid, target(member), target(leader))?.integer == 0)
    #expect(kernel.call(.getpgid, target(member))?.integer == leader)
    become(kernel, (30, 30, 30)) {
      #expect(error(kernel.call(.kill, target(-leader), 0)) == .eperm)
      #expect(error(kernel.call(.kill, target(-leader), 9)) == .eperm)
    }
    // One of the two may be signalled: the call succeeds.
    become(kernel, (20, 20, 20)) { #expect(kernel.call(.kill, target(-leader), 9)?.integer == 0) }
    #expect(kernel.wait(-leader) == (member, .terminated(.sigkill)))
    #expect(kernel.call(.wait4, target(-leader), 0, 1, 0)?.integer == 0)
    #expect(kernel.call(.kill, target(-leader), 15)?.integer == 0)
    #expect(kernel.wait(-leader) == (leader, .terminated(.sigterm)))
    #expect(error(kernel.call(.wait4, target(-leader), 0, 1, 0)) == .echild)
    #expect(error(kernel.call(.kill, target(Int(Int32.min)), 9)) == .esrch)
    #expect(error(kernel.call(.kill, target(99_998), 9)) == .esrch)
    #expect(error(kernel.call(.kill, 1, 129)) == .einval)
    #expect(error(kernel.call(.kill, 1, target(-1))) == .einval)
  }

  @Test func `group 0 is the sender's own`() throws {
    let kernel = try TestKernel()
    let outsider = child(kernel, (0, 0, 0))
    #expect(kernel.call(.setpgid, target(outsider), 0)?.integer == 0)
    let member = child(kernel, (0, 0, 0))
    // The sender ignores what it sends; process 1 is spared.
    kernel.storeWord(1, at: data)
    #expect(kernel.call(.sigaction, 15, data, 0)?.integer == 0)
    #expect(kernel.call(.kill, 0, 15)?.integer == 0)
    #expect(kernel.wait(0) == (member, .terminated(.sigterm)))
    #expect(error(kernel.call(.wait4, 0, 0, 1, 0)) == .echild)
    #expect(kernel.call(.wait4, target(outsider), 0, 1, 0)?.integer == 0)
  }

  @Test func `an ignored signal does nothing and is inherited`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.sigaction, 15, 0, data)?.integer == 0)
    // A signal that was never touched restarts calls (SA_RESTART), as FreeBSD reports it.
    #expect(kernel.load(data, 32) == [UInt8](repeating: 0, count: 8) + [2] + [UInt8](repeating: 0, count: 23))
    kernel.storeWord(1, at: data)
    kernel.storeWord(0, at: data + 8)
    #expect(kernel.call(.sigaction, 15, data, data + 64)?.integer == 0)
    #expect(kernel.loadWord(data + 64) == 0)
    #expect(kernel.call(.sigaction, 15, 0, data + 64)?.integer == 0)
    #expect(kernel.load(data + 64, 32) == [1] + [UInt8](repeating: 0, count: 31))
    let child = child(kernel, (0, 0, 0))
    #expect(kernel.call(.kill, target(child), 15)?.integer == 0)
    #expect(kernel.call(.kill, target(child), 0)?.integer == 0)
    kernel.run(child)
    kernel.storeWord(0, at: data)
    #expect(kernel.call(.sigaction, 15, data, data + 64)?.integer == 0)
    #expect(kernel.loadWord(data + 64) == 1)
    kernel.run(1)
    #expect(kernel.call(.kill, target(child), 15)?.integer == 0)
    #expect(kernel.wait(child) == (child, .terminated(.sigterm)))
  }

  @Test func `sigaction checks its arguments`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(1, at: data)
    for signal in [9, 17] as [UInt64] {
      #expect(error(kernel.call(.sigaction, signal, data, 0)) == .einval)
      #expect(kernel.call(.sigaction, signal, 0, data + 64)?.integer == 0)
      kernel.storeWord(0, at: data + 128)
      #expect(kernel.call(.sigaction, signal, data + 128, 0)?.integer == 0)
    }
    for signal in [0, 129, UInt64.max] { #expect(error(kernel.call(.sigaction, signal, 0, data + 64)) == .einval) }
    kernel.storeWord(0x40_0000, at: data)
    kernel.storeWord(0x80, at: data + 8)
    #expect(error(kernel.call(.sigaction, 15, data, 0)) == .einval)
    #expect(error(kernel.call(.sigaction, 15, 8, 0)) == .efault)
    #expect(error(kernel.call(.sigaction, 15, 0, 8)) == .efault)
  }

  @Test func `who ignores SIGCHLD has no zombies`() throws {
    let kernel = try TestKernel()
    let parent = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.identifier == parent)
    kernel.storeWord(1, at: data)
    #expect(kernel.call(.sigaction, 20, data, 0)?.integer == 0)
    let child = kernel.fork()
    // Waiting ends with ECHILD once the last child is gone.
    kernel.call(.wait4, target(-1), 0, 0, 0)
    for _ in 0..<20 where kernel.identifier != parent {
      if kernel.identifier == child { kernel.exit(3) } else { kernel.call(.schedYield) }
    }
    #expect(kernel.identifier == parent)
    #expect(error(kernel.call(.kill, target(child), 0)) == .esrch)
    #expect(error(kernel.call(.wait4, target(-1), 0, 1, 0)) == .echild)
  }

  @Test func `a stopped process can be killed and its stop is reported once`() throws {
    let kernel = try TestKernel()
    let child = child(kernel, (0, 0, 0))
    #expect(kernel.call(.kill, target(child), 18)?.integer == 0)
    // A second stop while stopped changes nothing.
    #expect(kernel.call(.kill, target(child), 17)?.integer == 0)
    // WNOWAIT leaves the report.
    #expect(kernel.wait(child, options: 2 | 8) == (child, .stopped(.sigtstp)))
    #expect(kernel.wait(child, options: 2) == (child, .stopped(.sigtstp)))
    #expect(kernel.call(.wait4, target(child), 0, 1 | 2, 0)?.integer == 0)
    // Let it be given its turn, in which it is suspended.
    kernel.call(.schedYield)
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.kill, target(child), 19)?.integer == 0)
    #expect(kernel.call(.wait4, target(child), 0, 1 | 2, 0)?.integer == 0)
    #expect(kernel.wait(child, options: 4 | 8) == (child, .continued))
    #expect(kernel.wait(-1, options: 4) == (child, .continued))
    #expect(kernel.call(.wait4, target(child), 0, 1 | 4, 0)?.integer == 0)
    #expect(kernel.call(.kill, target(child), 17)?.integer == 0)
    kernel.call(.schedYield)
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.kill, target(child), 9)?.integer == 0)
    #expect(kernel.wait(child, options: 8) == (child, .terminated(.sigkill)))
    #expect(kernel.wait(child) == (child, .terminated(.sigkill)))
    #expect(error(kernel.call(.wait4, target(child), 0, 1, 0)) == .echild)
  }

  @Test func `a stop that was continued in time is not reported`() throws {
    let kernel = try TestKernel()
    let child = child(kernel, (0, 0, 0))
    #expect(kernel.call(.kill, target(child), 17)?.integer == 0)
    #expect(kernel.call(.kill, target(child), 19)?.integer == 0)
    #expect(kernel.call(.wait4, target(child), 0, 1 | 2, 0)?.integer == 0)
    #expect(kernel.wait(child, options: 4) == (child, .continued))
  }

  @Test func `process 1 stops for nobody else`() throws {
    let kernel = try TestKernel()
    become(kernel, (0, 0, 0)) {
      #expect(kernel.call(.kill, 1, 17)?.integer == 0)
      #expect(kernel.call(.kill, 1, 9)?.integer == 0)
      #expect(kernel.call(.kill, 1, 15)?.integer == 0)
    }
    #expect(kernel.identifier == 1)
  }

  @Test func `a process that stops itself runs again when it is continued`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.call(.schedYield)
    #expect(kernel.identifier == child)
    kernel.call(.kill, target(child), 17)
    #expect(kernel.identifier == 1)
    #expect(kernel.wait(-1, options: 2) == (child, .stopped(.sigstop)))
    #expect(kernel.call(.kill, target(child), 19)?.integer == 0)
    kernel.call(.schedYield)
    #expect(kernel.identifier == child)
    kernel.exit(4)
    #expect(kernel.wait(child, options: 2) == (child, .exited(4)))
  }
}
