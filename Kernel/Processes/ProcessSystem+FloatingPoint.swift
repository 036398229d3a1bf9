// Whose floating point registers are in the processor: one thread's at most, whose context says nothing of them meanwhile.

import Memory
import Primitives

extension ProcessSystem {
  /// Makes the floating point registers those of `thread`.
  @inline(__always)
  public func takeFloatingPoint(for thread: Thread) {
    if processor.floatingPointOwner != thread.slot { exchangeFloatingPoint(for: thread) }
  }

  @inline(never)
  private func exchangeFloatingPoint(for thread: Thread) {
    let context = thread.record.address.raw
    // (Who ends is not the owner any more.)
    if processor.floatingPointOwner != .none {
      floatingPoint.exchange(savingInto: processor.floatingPointContext, restoringFrom: context)
    } else {
      floatingPoint.restore(from: context)
    }
    processor.floatingPointContext = context
    processor.floatingPointOwner = thread.slot
  }

  /// Makes the floating point registers of a thread those of a new program.
  public func resetFloatingPoint(of thread: Thread) {
    if processor.floatingPointOwner == thread.slot {
      floatingPoint.reset()
    } else {
      thread.context.setCleanFloatingPoint()
    }
  }

  /// Makes the floating point area of a thread's context say what its registers are.
  public func saveFloatingPoint(of thread: Thread) {
    if processor.floatingPointOwner == thread.slot { saveFloatingPoint() }
  }

  /// The floating point area of a thread's context was changed: it is loaded before the thread goes on.
  public func reloadFloatingPoint(of thread: Thread) {
    if processor.floatingPointOwner == thread.slot { processor.floatingPointOwner = .none }
  }

  /// Writes the registers that are in the processor to the context they belong to.
  func saveFloatingPoint() {
    // (Who ends is not the owner any more.)
    if processor.floatingPointOwner != .none { floatingPoint.save(into: processor.floatingPointContext) }
  }
}
