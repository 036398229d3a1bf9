// Process groups that an end leaves without anybody who could continue them (spec signals.md section 1.16), and how long a
// process may run (RLIMIT_CPU).

import ABI
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct OrphanTests {
  private let second: UInt64 = 1_000_000_000

  private func target(_ identifier: Int) -> UInt64 { UInt64(bitPattern: Int64(identifier)) }

  private func process(_ kernel: TestKernel, _ identifier: Int) throws -> Process {
    try #require(kernel.kernel.inspectedProcesses.process(Int32(identifier)))
  }

  private func catchSignal(_ kernel: TestKernel, _ signal: Signal) {
    let action = TestKernel.data + 0x400
    kernel.storeWord(0x40_0300, at: action)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: action + offset) }
    #expect(kernel.call(.sigaction, UInt64(signal.rawValue), action, 0)?.failed == false)
  }

  /// A shell in a session of its own, and a job of it in a group of its own, which runs first.
  private func makeJob(_ kernel: TestKernel, members: Int = 1) -> (shell: Int, job: [Int]) {
    let shell = kernel.fork()
    kernel.run(shell)
    kernel.call(.setsid)
    var job: [Int] = []
    for _ in 0..<members {
      job.append(kernel.fork())
      #expect(kernel.call(.setpgid, target(job.last ?? 0), target(job.first ?? 0))?.failed == false)
    }
    return (shell, job)
  }

  @Test func `the end of the parent hangs up on a group with a stopped member`() throws {
    let kernel = try TestKernel()
    let (shell, job) = makeJob(kernel, members: 2)
    kernel.call(.kill, target(job[0]), 17)
    #expect(try process(kernel, job[0]).isStopped)
    kernel.exit()
    #expect(kernel.wait(shell) == (shell, .exited(0)))
    #expect(kernel.wait(job[0]) == (job[0], .terminated(.sighup)))
    #expect(kernel.wait(job[1]) == (job[1], .terminated(.sighup)))
    kernel.expectSound()
  }

  @Test func `who catches the hangup goes on, and gets both signals`() throws {
    let kernel = try TestKernel()
    let (shell, job) = makeJob(kernel)
    kernel.run(job[0])
    catchSignal(kernel, .sighup)
    catchSignal(kernel, .sigcont)
    let context = kernel.context
    kernel.run(shell)
    kernel.call(.kill, target(job[0]), 17)
    kernel.exit()
    for _ in 0..<100 where kernel.context != context { kernel.call(.schedYield) }
    // The frame of SIGCONT was pushed last: its handler runs first.
    let top = kernel.register(56)
    #expect(kernel.loadWord(top) == 0x40_0300 && kernel.register(40) == 19)
    #expect(kernel.loadWord(top + 40) == 1, "below it the frame of SIGHUP")
  }

  @Test func `nobody stopped, nobody told`() throws {
    let kernel = try TestKernel()
    let (shell, job) = makeJob(kernel)
    kernel.exit()
    #expect(kernel.wait(shell) == (shell, .exited(0)))
    kernel.call(.schedYield)
    #expect(try process(kernel, job[0]).state == .running)
    #expect(try process(kernel, job[0]).parent == .initial)
  }

  @Test func `the end of a member that had its parent outside leaves the others alone`() throws {
    let kernel = try TestKernel()
    let (_, job) = makeJob(kernel)
    // A grandchild in the job's group: only its parent, the job, is in the group; the shell is outside.
    kernel.run(job[0])
    let grandchild = kernel.fork()
    kernel.call(.kill, target(grandchild), 17)
    #expect(try process(kernel, grandchild).isStopped)
    kernel.exit()
    for _ in 0..<20 { kernel.call(.schedYield) }
    kernel.run(1)
    #expect(kernel.wait(grandchild) == (grandchild, .terminated(.sighup)))
  }

  @Test func `groups in the session of process 1 are not orphaned by an end`() throws {
    let kernel = try TestKernel()
    let parent = kernel.fork()
    kernel.run(parent)
    let child = kernel.fork()
    kernel.call(.setpgid, target(child), 0)
    kernel.call(.kill, target(child), 17)
    kernel.exit()
    #expect(kernel.wait(parent) == (parent, .exited(0)))
    #expect(try process(kernel, child).isStopped)
  }

  @Test func `beyond the soft limit of processor time one is warned, every five seconds, and ended at the hard one`()
    throws
  {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.run(child)
    catchSignal(kernel, .sigxcpu)
    #expect(kernel.setLimit(0, 2, 9)?.failed == false)
    let subject = try process(kernel, child)
    func use(_ seconds: UInt64) {
      kernel.run(child)
      kernel.hardware.clock.advance(by: seconds * second)
      kernel.tick()
      if subject.state == .running { kernel.run(child) }
    }
    use(1)
    #expect(subject.usage.signalCount == 0)
    use(1)
    #expect(subject.usage.signalCount == 1)
    use(4)
    #expect(subject.usage.signalCount == 1)
    // SIGXCPU is held back in its handler, and pending now.
    use(1)
    #expect(subject.pendingSignals.contains(.sigxcpu))
    kernel.hardware.clock.advance(by: 3 * second)
    kernel.tick()
    #expect(kernel.wait(child) == (child, .terminated(.sigkill)))
  }

  @Test func `a child has the limit too and begins to count anew, and who has none any more is not warned`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.run(child)
    #expect(kernel.setLimit(0, 2)?.failed == false)
    kernel.hardware.clock.advance(by: second)
    let grandchild = kernel.fork()
    #expect(kernel.setLimit(0, UInt64(Int64.max))?.failed == false)
    kernel.hardware.clock.advance(by: 5 * second)
    kernel.tick()
    kernel.run(grandchild)
    #expect(try process(kernel, child).state == .running)
    kernel.hardware.clock.advance(by: 3 * second)
    kernel.tick()
    kernel.run(child)
    #expect(kernel.wait(grandchild) == (grandchild, .terminated(.sigxcpu)))
  }
}
