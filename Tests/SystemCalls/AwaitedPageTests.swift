// A page that was brought in stays until the thread that waited for it has had its turn, and not for ever.

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct AwaitedPageTests {
  /// Process 1 beside a child that is ready, as if it had just been given the processor after it waited for the frame.
  private func withAwaitedFrame(_ body: (TestKernel, Thread, FrameNumber) throws -> Void) throws {
    let kernel = try TestKernel()
    let child = kernel.fork()
    kernel.run(1)
    let memory = kernel.hardware.system
    let thread = try #require(kernel.thread(of: 1))
    let frame = try #require(memory.allocateKernelFrame())
    memory.beginWait(frame)
    thread.awaitedFrame = frame
    thread.hasRun = false
    try body(kernel, thread, frame)
    memory.freeKernelFrame(frame)
    kernel.run(child)
    kernel.exit()
  }

  @Test func `a page that was waited for may go once its thread has called, though it only yields`() throws {
    try withAwaitedFrame { kernel, thread, _ in
      kernel.call(.schedYield)
      #expect(thread.awaitedFrame == .none)
    }
  }

  @Test func `a page that was waited for stays when an interrupt comes before the first instruction`() throws {
    try withAwaitedFrame { kernel, thread, frame in
      kernel.tick()
      #expect(thread.awaitedFrame == frame)
      kernel.run(1)
      kernel.call(.getpid)
      kernel.tick()
      #expect(thread.awaitedFrame == .none)
    }
  }
}
