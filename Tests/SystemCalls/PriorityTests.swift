// getpriority(2), setpriority(2), rtprio(2), rtprio_thread(2), sched_setscheduler(2) and their like: exact answers, and what they
// do to who runs.

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct PriorityTests {
  private let success = CallResult(value: 0, failed: false)
  private let data = TestKernel.data
  private let bad: UInt64 = 0x10

  private func word(_ kernel: TestKernel, _ address: UInt64) -> UInt64 { kernel.loadWord(address) & 0xFFFF_FFFF }

  @Test func `nice values are cut off at their ends and inherited`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.getpriority, 0, 0)?.integer == 0)
    #expect(kernel.call(.setpriority, 0, 0, 1000) == success)
    #expect(kernel.call(.getpriority, 0, 0)?.integer == 20)
    #expect(kernel.call(.setpriority, 0, 1, UInt64(bitPattern: -7)) == success)
    #expect(kernel.call(.getpriority, 0, 1)?.integer == -7)
    let child = UInt64(kernel.fork())
    #expect(kernel.call(.getpriority, 0, child)?.integer == -7)
    #expect(kernel.call(.setpriority, 0, child, UInt64(bitPattern: -2000)) == success)
    #expect(kernel.call(.getpriority, 0, child)?.integer == -20)
    #expect(kernel.call(.getpriority, 0, 0)?.integer == -7)
    #expect(kernel.call(.getpriority, 1, 0)?.integer == -20)
    #expect(kernel.call(.getpriority, 2, 0)?.integer == -20)
    #expect(kernel.call(.setpriority, 1, 0, 4) == success)
    #expect(kernel.call(.getpriority, 2, 0)?.integer == 4)
    #expect(kernel.call(.getpriority, 0, child)?.integer == 4)
  }

  @Test func `errors of getpriority and setpriority`() throws {
    let kernel = try TestKernel()
    for (which, who, error) in [
      (3, 0, Errno.einval), (-1, 0, .einval), (0, 77, .esrch), (1, 77, .esrch), (2, 77, .esrch),
    ] {
      let (which, who) = (UInt64(bitPattern: Int64(which)), UInt64(who))
      #expect(kernel.call(.getpriority, which, who)?.errno == error)
      #expect(kernel.call(.setpriority, which, who, 0)?.errno == error)
    }
    let child = UInt64(kernel.fork())
    kernel.call(.setuid, 5)
    #expect(kernel.call(.setpriority, 0, child, 7)?.errno == .eperm)
    #expect(kernel.call(.setpriority, 2, 0, 7) == success)
    #expect(kernel.call(.setpriority, 0, 0, 6)?.errno == .eacces)
    #expect(kernel.call(.setpriority, 0, 0, 7) == success)
    #expect(kernel.call(.getpriority, 2, 0)?.integer == 7)
    #expect(kernel.call(.getpriority, 2, 5)?.integer == 7)
    // Another's may be looked at.
    #expect(kernel.call(.getpriority, 0, child)?.integer == 0)
    kernel.run(Int(child))
    kernel.exit()
    for _ in 0..<20 { kernel.call(.schedYield) }
    #expect(kernel.identifier == 1)
    // A zombie has none.
    #expect(kernel.call(.getpriority, 0, child)?.errno == .esrch)
  }

  @Test func `a user's many processes are reached in steps`() throws {
    let kernel = try TestKernel(frames: 8192, maximumProcessCount: 4000)
    let children = (0..<3).map { _ in kernel.fork() }
    #expect(callInSteps(kernel, .setpriority, 2, 0, 3) == success)
    for child in children { #expect(kernel.call(.getpriority, 0, UInt64(child))?.integer == 3) }
    #expect(callInSteps(kernel, .getpriority, 2, 0)?.integer == 3)
  }

  @Test func `rtprio is of the calling thread or of all threads of a process`() throws {
    let kernel = try TestKernel()
    let made = try kernel.newThread()
    kernel.storeWord(2 | 9 << 16, at: data)
    #expect(kernel.call(.rtprio, 1, 0, data) == success)
    #expect(kernel.call(.rtprio, 0, 0, data + 8) == success)
    #expect(word(kernel, data + 8) == 2 | 9 << 16)
    #expect(made.frame.value.attributes.priority == .normal)
    #expect(kernel.call(.rtprio, 0, 1, data + 8) == success)
    #expect(word(kernel, data + 8) == 2 | 9 << 16)
    kernel.storeWord(4 | 3 << 16, at: data)
    #expect(kernel.call(.rtprio, 1, 1, data) == success)
    #expect(made.frame.value.attributes.priority == ThreadPriority(kind: .idle, level: 3))
    #expect(kernel.call(.rtprio, 0, 1, data + 8) == success)
    #expect(word(kernel, data + 8) == 4 | 3 << 16)
  }

  @Test func `errors of rtprio`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.rtprio, 0, 77, bad)?.errno == .esrch)
    #expect(kernel.call(.rtprio, 2, 0, bad)?.errno == .einval)
    #expect(kernel.call(.rtprio, 0, 0, bad)?.errno == .efault)
    #expect(kernel.call(.rtprio, 1, 0, bad)?.errno == .efault)
    for priority in [1, 5, 2 | 32 << 16, 4 | 32 << 16, 10 | 32 << 16, 3 | 136 << 16] as [UInt64] {
      kernel.storeWord(priority, at: data)
      #expect(kernel.call(.rtprio, 1, 0, data)?.errno == .einval, "\(priority)")
    }
    let child = UInt64(kernel.fork())
    kernel.call(.setuid, 5)
    #expect(kernel.call(.rtprio, 1, child, bad)?.errno == .eperm)
    for kind in [2, 4, 10] as [UInt64] {
      kernel.storeWord(kind, at: data)
      #expect(kernel.call(.rtprio, 1, 0, data)?.errno == .eperm, "\(kind)")
    }
    kernel.storeWord(3, at: data)
    #expect(kernel.call(.rtprio, 1, 0, data) == success)
    #expect(kernel.call(.rtprio, 0, child, data + 8) == success)
  }

  @Test func `policies are the classes by other names`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.schedGetscheduler, 0)?.integer == 2)
    #expect(kernel.call(.schedGetparam, 0, data) == success)
    #expect(word(kernel, data) == 135)
    kernel.storeWord(30, at: data)
    #expect(kernel.call(.schedSetscheduler, 0, 1, data) == success)
    #expect(kernel.call(.schedGetscheduler, 1)?.integer == 1)
    #expect(kernel.call(.rtprio, 0, 0, data + 8) == success)
    #expect(word(kernel, data + 8) == 10 | 1 << 16)
    kernel.storeWord(4, at: data)
    #expect(kernel.call(.schedSetparam, 0, data) == success)
    #expect(kernel.call(.schedGetparam, 0, data + 8) == success)
    #expect(word(kernel, data + 8) == 4)
    #expect(kernel.call(.schedSetscheduler, 0, 3, data) == success)
    #expect(kernel.call(.schedGetscheduler, 0)?.integer == 3)
    #expect(kernel.call(.schedRrGetInterval, 0, data) == success)
    #expect(kernel.loadWord(data) == 0 && kernel.loadWord(data + 8) == ProcessLimits.turnNanoseconds)
    for (policy, highest) in [(1, 31), (2, 135), (3, 31)] as [(UInt64, Int)] {
      #expect(kernel.call(.schedGetPriorityMax, policy)?.integer == highest)
      #expect(kernel.call(.schedGetPriorityMin, policy)?.integer == 0)
    }
  }

  @Test func `errors of policies`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.schedGetPriorityMax, 0)?.errno == .einval)
    #expect(kernel.call(.schedGetPriorityMin, 4)?.errno == .einval)
    #expect(kernel.call(.schedGetscheduler, 77)?.errno == .esrch)
    #expect(kernel.call(.schedGetparam, 77, bad)?.errno == .esrch)
    #expect(kernel.call(.schedGetparam, 0, bad)?.errno == .efault)
    #expect(kernel.call(.schedRrGetInterval, 77, bad)?.errno == .esrch)
    #expect(kernel.call(.schedSetparam, 77, bad)?.errno == .efault)
    #expect(kernel.call(.schedSetscheduler, 77, 9, bad)?.errno == .efault)
    kernel.storeWord(136, at: data)
    #expect(kernel.call(.schedSetscheduler, 77, 9, data)?.errno == .esrch)
    #expect(kernel.call(.schedSetscheduler, 0, 9, data)?.errno == .einval)
    #expect(kernel.call(.schedSetscheduler, 0, 1, data)?.errno == .eperm)
    #expect(kernel.call(.schedSetscheduler, 0, 2, data)?.errno == .einval)
    #expect(kernel.call(.schedSetparam, 0, data)?.errno == .einval)
    let child = UInt64(kernel.fork())
    kernel.call(.setuid, 5)
    kernel.storeWord(1, at: data)
    #expect(kernel.call(.schedSetscheduler, 0, 2, bad)?.errno == .eperm)
    #expect(kernel.call(.schedSetparam, child, data)?.errno == .eperm)
    #expect(kernel.call(.schedSetparam, 0, data) == success)
  }

  /// Makes a call that lets others run in the middle.
  private func callInSteps(
    _ kernel: TestKernel, _ number: SystemCallNumber, _ first: UInt64, _ second: UInt64, _ third: UInt64 = 0
  ) -> CallResult? {
    let caller = kernel.context
    kernel.call(number, first, second, third)
    #expect(kernel.context != caller)
    for _ in 0..<100 where kernel.context != caller { kernel.call(.schedYield) }
    return kernel.result
  }

  // MARK: What they do

  /// A kernel whose process 1 has a child that is of another class.
  private func pair(_ priority: UInt64) throws -> (TestKernel, child: Int) {
    let kernel = try TestKernel(turnNanoseconds: ProcessLimits.turnNanoseconds)
    let child = kernel.fork()
    kernel.storeWord(priority, at: data)
    #expect(kernel.call(.rtprio, 1, UInt64(child), data) == success)
    return (kernel, child)
  }

  private func spin(_ kernel: TestKernel, _ nanoseconds: UInt64) {
    let end = kernel.hardware.clock.nanoseconds + nanoseconds
    while kernel.hardware.clock.nanoseconds < end {
      kernel.hardware.clock.advance(by: 1_000_000)
      kernel.tick()
    }
  }

  @Test func `a real-time child takes the processor and keeps it until it waits`() throws {
    let (kernel, child) = try pair(2)
    #expect(kernel.identifier == child)
    spin(kernel, 100_000_000)
    #expect(kernel.identifier == child)
    kernel.call(.schedYield)
    #expect(kernel.identifier == child)
    kernel.exit()
    #expect(kernel.identifier == 1)
  }

  @Test func `an idle child does not run beside one that spins, but ends when it is killed`() throws {
    let (kernel, child) = try pair(4)
    #expect(kernel.identifier == 1)
    spin(kernel, 100_000_000)
    #expect(kernel.identifier == 1)
    kernel.call(.schedYield)
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.kill, UInt64(child), 9) == success)
    spin(kernel, 30_000_000)
    #expect(kernel.identifier == 1)
    #expect(kernel.kernel.inspectedProcesses.livingProcess(Int32(child)) == nil)
  }

  @Test func `an idle child goes on with a call that others may wait for`() throws {
    let (kernel, child) = try pair(4)
    // It waits for the parent, and is told while that spins on.
    kernel.storeWord(0, at: data)
    kernel.storeWord(5_000_000, at: data + 8)
    kernel.call(.nanosleep, data, 0)
    #expect(kernel.identifier == child)
    kernel.storeWord(0, at: data)
    kernel.storeWord(1_000_000, at: data + 8)
    kernel.call(.nanosleep, data, 0)
    kernel.sleepUntilDeadline()
    kernel.sleepUntilDeadline()
    spin(kernel, 20_000_000)
    #expect(kernel.identifier == 1)
  }
}
