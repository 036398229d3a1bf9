// Children that nobody wants to hear of: SIGCHLD ignored, and SA_NOCLDWAIT (sigaction(2)).

import ABI
import Processes
import Testing

@testable import SystemCalls

@Suite struct ChildrenTests {
  /// Sets the disposition of SIGCHLD: a handler of 0 or 1, and flags.
  private func disposition(_ kernel: TestKernel, handler: UInt64, flags: UInt64) {
    let action = TestKernel.data + 0x900
    kernel.storeWord(handler, at: action)
    kernel.storeWord(flags, at: action + 8)
    #expect(kernel.call(.sigaction, UInt64(Signal.sigchld.rawValue), action, action + 0x40)?.failed == false)
  }

  /// Process 1 makes process 2, which leaves a zombie of its own behind; whether that is still there afterwards.
  private func leavesZombie(_ kernel: TestKernel) -> Bool {
    _ = kernel.fork()
    let first = kernel.context
    kernel.call(.schedYield)
    // Process 2 makes process 3, which ends at once, and ends without having asked; it ignores nothing itself.
    let second = kernel.context
    disposition(kernel, handler: 0, flags: 0)
    #expect(kernel.fork() == 3)
    kernel.call(.schedYield)
    while kernel.context == first { kernel.call(.schedYield) }
    if kernel.context != second { kernel.exit() }
    while kernel.context != second { kernel.call(.schedYield) }
    kernel.exit()
    while kernel.context != first { kernel.call(.schedYield) }
    for _ in 0..<5 { kernel.call(.schedYield) }
    return kernel.kernel.inspectedProcesses.process(3) != nil
  }

  @Test func `process 1 keeps zombies that it inherits`() throws {
    let kernel = try TestKernel()
    #expect(leavesZombie(kernel))
  }

  @Test(arguments: [(1, 0), (0, 0x20)] as [(UInt64, UInt64)])
  func `process 1 that ignores children keeps none`(handler: UInt64, flags: UInt64) throws {
    let kernel = try TestKernel()
    disposition(kernel, handler: handler, flags: flags)
    #expect(!leavesZombie(kernel))
    #expect(kernel.kernel.inspectedProcesses.processCount == 1)
    #expect(kernel.call(.wait4, UInt64.max, 0, 0, 0)?.errno == .echild)
  }

  @Test func `the flag is reported and inherited but not through execution`() throws {
    let kernel = try TestKernel()
    disposition(kernel, handler: 0, flags: 0x20)
    let action = TestKernel.data + 0x900
    kernel.call(.sigaction, UInt64(Signal.sigchld.rawValue), 0, action)
    #expect(kernel.loadWord(action + 8) & 0xFFFF_FFFF == 0x20)
    disposition(kernel, handler: 1, flags: 0)
    kernel.call(.sigaction, UInt64(Signal.sigchld.rawValue), 0, action)
    #expect(kernel.loadWord(action) == 1)
    #expect(kernel.loadWord(action + 8) & 0xFFFF_FFFF == 0)
    disposition(kernel, handler: 0, flags: 0x20)
    // A child's children are forgotten as well.
    let child = kernel.fork()
    kernel.run(child)
    #expect(kernel.call(.sigaction, UInt64(Signal.sigchld.rawValue), 0, action)?.failed == false)
    #expect(kernel.loadWord(action + 8) & 0xFFFF_FFFF == 0x20)
    kernel.exit()
    kernel.run(1)
    // The flag is another signal's no more than the others are: that was never touched.
    #expect(kernel.call(.sigaction, UInt64(Signal.sigterm.rawValue), 0, action)?.failed == false)
    #expect(kernel.loadWord(action + 8) & 0xFFFF_FFFF == 2)
    kernel.execute()
    kernel.call(.sigaction, UInt64(Signal.sigchld.rawValue), 0, action)
    #expect(kernel.loadWord(action) == 0)
    #expect(kernel.loadWord(action + 8) & 0xFFFF_FFFF == 0)
  }

  @Test func `process 1 is woken by a zombie that it inherits`() throws {
    let kernel = try TestKernel()
    let member = kernel.fork()
    #expect(kernel.call(.setpgid, UInt64(member), 0)?.failed == false)
    let between = kernel.fork()
    kernel.run(between)
    let parent = kernel.fork()
    kernel.run(parent)
    let zombie = kernel.fork()
    kernel.run(zombie)
    #expect(kernel.call(.setpgid, 0, UInt64(member))?.failed == false)
    kernel.exit(6)
    kernel.run(1)
    // The group has a living child of process 1 in it, so that it waits; its other children are not concerned.
    let found = kernel.wait(-member) {
      kernel.run(parent)
      kernel.exit()
    }
    #expect(found == (zombie, .exited(6)))
  }
}
