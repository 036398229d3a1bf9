// What can remain of a call on processes.
//
// - Half-built address spaces and tables, a child's place among the processes: nobody waits for those. A kill drops them; a
//   stop lets the call finish first, so that a stopped process does not sit on them, and nobody finds it half done.
// - A signal that is being sent to many reaches all of them, though it ends the sender. A child runs in the process' memory:
//   FreeBSD's wait in vfork(2) is not interrupted by any signal.

public import Primitives

/// A call on processes under way.
public enum ProcessContinuation: Remainder {
  /// Sleep until a time in nanoseconds since boot.
  case sleep(deadlineNanoseconds: UInt64)
  /// A signal is being sent to many processes.
  case kill(PendingKill)
  /// Executing a program.
  case execute(Execution)
  /// A child is being made.
  case fork(PendingFork)
  /// Waiting until a child that runs in the process' memory executes a program or ends; the call returns its identifier.
  case lend(child: ProcessSlot, identifier: Int32)

  /// Whether a kill acts only when the call has stored its result.
  public var outlastsKill: Bool {
    switch self {
    case .lend, .kill: true
    default: false
    }
  }

  /// What a caught signal does to it while it sleeps.
  public var interruption: Interruption {
    if case .sleep = self { return .concludes }
    return .none
  }

  /// Whether a stop acts only when the call has stored its result.
  public var outlastsStop: Bool {
    switch self {
    case .execute, .fork, .kill: true
    default: false
    }
  }
}
