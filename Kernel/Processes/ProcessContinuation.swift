// What can remain of a call on processes.
//
// - Half-built address spaces and tables, a child's place among the processes: nobody waits for those. A kill drops them; a
//   stop lets the call finish first, so that a stopped process does not sit on them, and nobody finds it half done.
// - A signal that is being sent to many reaches all of them, though it ends the sender. A child runs in the process' memory:
//   FreeBSD's wait in vfork(2) is not interrupted by any signal.

public import Primitives

/// A call on processes under way.
public enum ProcessContinuation: Remainder {
  /// Sleep until a handler has run (sigsuspend(2)).
  case suspend
  /// Sleep until one of the awaited signals comes (sigtimedwait(2)), or a time in nanoseconds since boot.
  case awaitSignal(deadlineNanoseconds: UInt64?)
  /// A sleep.
  case sleep(PendingSleep)
  /// The real clock was set, and those who sleep until a time that it shows look at it again, from this slot on.
  case clockStep(slot: UInt32)
  /// Nice values of many processes are being read or set; the rest is in the thread's record.
  case priorities
  /// A signal is being sent to many processes.
  case kill(PendingKill)
  /// Executing a program.
  case execute(Execution)
  /// A child is being made.
  case fork(PendingFork)
  /// Waiting until a child that runs in the process' memory executes a program or ends; the call returns its identifier.
  case lend(child: ProcessSlot, identifier: Int32)
  /// What remains of a call on words of user memory; the rest is in the thread's record.
  case userSleep(UserSleepPhase)
  /// Sleep until another thread of the process wakes this one, at the latest until a time in nanoseconds since boot.
  case suspension(deadlineNanoseconds: UInt64)

  /// Whether the call goes on without a reserve of the heap.
  public var needsNoReserve: Bool {
    switch self {
    case .userSleep, .suspension, .clockStep, .priorities: true
    default: false
    }
  }

  /// Whether a kill acts only when the call has stored its result.
  public var outlastsKill: Bool {
    switch self {
    // Who are to be woken all are.
    case .lend, .kill, .userSleep(.waking), .clockStep, .priorities: true
    default: false
    }
  }

  /// What a caught signal does to it while it sleeps.
  public var interruption: Interruption {
    switch self {
    case .awaitSignal: .concludes
    case .suspend: .fails
    case .sleep(let sleep): sleep.isInterrupted ? .none : .concludes
    case .userSleep(.asleep(let interruption)): interruption
    case .suspension(let deadline): deadline == .max ? .restartsIfAsked : .fails
    default: .none
    }
  }

  /// Whether a stop acts only when the call has stored its result.
  public var outlastsStop: Bool {
    switch self {
    case .execute, .fork, .kill, .userSleep(.waking), .clockStep, .priorities: true
    default: false
    }
  }
}
