// Memory that a process lends to its child until that executes a program or ends (vfork(2); rfork(2) with RFMEM and
// RFPPWAIT).
//
// Invariants
// - The thread that lends waits meanwhile, in a continuation that names the child. Others of its process go on; two who change
//   the map wait for each other as threads of one process do (AddressSpace+Edit.swift).
// - The wait is not interrupted by signals, as on FreeBSD: what would end the lender acts when the child lets go of the
//   memory. A child that ends or is killed lets go of it in its own turn, after a change of the map that it had begun.

public import Primitives

extension WaitChannel {
  /// The moment at which the process in `slot` lets go of the memory it was lent.
  public static func lentMemory(toSlot slot: UInt32) -> WaitChannel {
    WaitChannel(WaitChannel.lending, UInt64(slot))
  }
  private static var lending: Kind { Kind(17) }
  /// Whether it is that of some child.
  var isLentMemory: Bool { isOf(WaitChannel.lending) }
}

extension ProcessSystem {
  /// Whether what would end a process acts only when the call that its thread is in has stored its result: a change of lent
  /// memory is not left half done to the lender.
  @inline(__always)
  public func outlastsKill(_ thread: Thread, _ process: Process) -> Bool {
    thread.continuation.outlastsKill || process.lender != .none && thread.continuation.changesMap
  }

  /// Whether a child runs in the memory of `lender` still.
  public func isLent(to slot: ProcessSlot, _ identifier: Int32, by lender: Process) -> Bool {
    guard let child = self[slot], child.identifier == identifier else { return false }
    return child.lender == lender.slot
  }

  /// The process does not use what it was lent any more: its lender goes on.
  func returnMemory(_ process: Process) {
    guard process.lender != .none else { return }
    process.lender = .none
    scheduler.wake(.lentMemory(toSlot: process.slot.raw))
  }
}
