// Parents and children at their edges: places that are kept, numbers that are not given out again, sessions, and who is
// told of stops and continuations.

import ABI
import Simulation
import Testing

@testable import Processes
@testable import SystemCalls

@Suite struct FamilyTests {
  private let data = TestKernel.data

  private func word(_ value: Int) -> UInt64 { UInt64(bitPattern: Int64(value)) }

  @Test func `a fork under way keeps a place for its child`() throws {
    let kernel = try TestKernel(maximumProcessCount: 3, unitsPerTurn: 1)
    let first = kernel.context
    #expect(kernel.fork() == 2)
    // Process 1 is cut in the middle of its next fork: process 2 runs, and finds no place left.
    kernel.call(.fork)
    #expect(kernel.context != first)
    #expect(kernel.call(.fork)?.errno == .eagain)
    for _ in 0..<100 where kernel.context != first { kernel.call(.schedYield) }
    #expect(kernel.result == CallResult(value: 3, failed: false))
    #expect(kernel.kernel.inspectedProcesses.processCount == 3)
  }

  @Test func `a number that is a group's or a session's is not given to a process`() throws {
    let kernel = try TestKernel()
    for makesSession in [false, true] {
      let leader = kernel.fork()
      kernel.run(leader)
      #expect(kernel.call(makesSession ? .setsid : .setpgid, 0, 0)?.failed == false)
      let member = kernel.fork()
      kernel.run(member)
      // Of the session's leader only the session remains, of the group's the group.
      if makesSession { #expect(kernel.call(.setpgid, 0, 0)?.failed == false) }
      kernel.run(leader)
      kernel.exit()
      kernel.run(1)
      #expect(kernel.wait(leader) == (leader, .exited(0)))
      kernel.kernel.processes.lastIdentifier = Int32(leader - 1)
      let other = kernel.fork()
      #expect(other > leader)
      for child in [other, member] where child != 0 { #expect(kernel.call(.kill, word(child), 9)?.failed == false) }
      #expect(kernel.wait(other).0 == other && kernel.wait(member).0 == member)
      // Now nothing goes by it any more.
      kernel.kernel.processes.lastIdentifier = Int32(leader - 1)
      let again = kernel.fork()
      #expect(again == leader)
      #expect(kernel.call(.kill, word(again), 9)?.failed == false)
      #expect(kernel.wait(again).0 == again)
    }
  }

  @Test func `a child of another session is not moved`() throws {
    let kernel = try TestKernel()
    let parent = kernel.fork()
    kernel.run(parent)
    let child = kernel.fork()
    kernel.run(parent)
    #expect(kernel.call(.setsid)?.integer == parent)
    #expect(kernel.call(.setpgid, word(child), 0)?.errno == .eperm)
    #expect(kernel.call(.getsid, word(child))?.integer == 1)
  }

  @Test func `no session begins while a group of its number exists`() throws {
    let kernel = try TestKernel()
    let first = kernel.fork()
    let second = kernel.fork()
    #expect(kernel.call(.setpgid, word(first), 0)?.failed == false)
    #expect(kernel.call(.setpgid, word(second), word(first))?.failed == false)
    #expect(kernel.call(.setpgid, word(first), 1)?.failed == false)
    kernel.run(first)
    #expect(kernel.call(.getpgrp)?.integer == 1)
    #expect(kernel.call(.setsid)?.errno == .eperm)
    kernel.run(second)
    #expect(kernel.call(.setpgid, 0, 1)?.failed == false)
    kernel.run(first)
    #expect(kernel.call(.setsid)?.integer == first)
  }

  @Test func `a waiting parent is told of stops and continuations`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let other = kernel.fork()
    let stopped = kernel.wait(child, options: 2) {
      kernel.run(child)
      kernel.call(.kill, word(child), 17)
    }
    #expect(stopped == (child, .stopped(.sigstop)))
    let continued = kernel.wait(child, options: 4) {
      kernel.run(other)
      #expect(kernel.call(.kill, word(child), 19)?.failed == false)
    }
    #expect(continued == (child, .continued))
  }

  @Test func `a continuation that was stopped again is not reported`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    for signal in [17, 19, 17] { #expect(kernel.call(.kill, word(child), word(signal))?.failed == false) }
    #expect(kernel.call(.wait4, word(child), 0, 1 | 4, 0)?.integer == 0)
    #expect(kernel.wait(child, options: 2) == (child, .stopped(.sigstop)))
    #expect(kernel.call(.kill, word(child), 19)?.failed == false)
    #expect(kernel.wait(child, options: 2 | 4) == (child, .continued))
    #expect(kernel.call(.wait4, word(child), 0, 1 | 2 | 4, 0)?.integer == 0)
  }

  @Test func `what grandchildren used counts for their grandparent`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    let (found, _) = kernel.wait(child) {
      let grandchild = kernel.fork()
      let (found, _) = kernel.wait(grandchild) {
        kernel.run(grandchild)
        kernel.hardware.clock.advance(by: 3_000_000_000)
        kernel.tick()
        kernel.run(grandchild)
        kernel.exit()
      }
      #expect(found == grandchild)
      kernel.exit()
    }
    #expect(found == child)
    #expect(kernel.call(.getrusage, word(-1), data + 0x400)?.failed == false)
    #expect(kernel.loadWord(data + 0x400) == 3)
  }

  @Test func `a stopped process ends with everything else`() throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.run(child)
    kernel.call(.kill, word(child), 17)
    #expect(kernel.identifier == 1)
    kernel.exit()
    #expect(kernel.report?.isClean == true)
  }
}
