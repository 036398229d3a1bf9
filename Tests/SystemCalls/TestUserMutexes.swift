// _umtx_op(2) in tests: making the call, and threads that sleep in it.

import ABI
import Processes
import Testing

@testable import SystemCalls

extension TestKernel {
  /// _umtx_op(2) of the thread that has the processor.
  func umtx(
    _ object: UInt64, _ operation: UserMutexOperation, _ value: UInt64 = 0, _ third: UInt64 = 0, _ fourth: UInt64 = 0
  ) -> CallResult? {
    call(.umtxOp, object, UInt64(operation.rawValue), value, third, fourth)
  }

  /// A thread makes the call, and sleeps in it.
  func sleepOn(
    _ thread: Thread, _ object: UInt64, _ operation: UserMutexOperation, _ value: UInt64 = 0, _ third: UInt64 = 0,
    _ fourth: UInt64 = 0, at location: SourceLocation = #_sourceLocation
  ) {
    sleep(thread, .umtxOp, object, UInt64(operation.rawValue), value, third, fourth, at: location)
    #expect(isAsleep(thread), sourceLocation: location)
  }

  /// The word of 32 bits at an address.
  func low(_ address: UInt64) -> UInt64 { loadWord(address) & 0xFFFF_FFFF }
}
