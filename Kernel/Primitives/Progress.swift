// How far an operation got that can take more than one event, and what is asked of what remains of it.

/// What an operation that can take more than one event says when it returns without an error.
///
/// The operation's own value (`Transfer`, `Resize`, `PendingMapping`, …) holds everything needed to go on; calling the same
/// method again with it resumes the operation and repeats nothing.
public enum Progress: Equatable, Sendable {
  /// It is done.
  case complete
  /// Park the thread, then call again. Wake-ups may be spurious.
  case wait(Wait)
  /// It has done as much as one event should; call again when the thread has its next turn.
  case again
}

/// What a signal that is caught does to a call that sleeps until something happens which may never happen (spec signals.md
/// section 1.17). A call that waits for what comes by itself (`WaitChannel.comesByItself`) is never interrupted, nor is one that is
/// ready.
public enum Interruption: Equatable, BitwiseCopyable, Sendable {
  /// Nothing: the handler runs when the call has stored its result.
  case none
  /// After the handler the call begins anew if the signal's action says so (SA_RESTART); otherwise it gives EINTR.
  case restartsIfAsked
  /// After the handler the call begins anew, whatever the action says.
  case restarts
  /// It gives EINTR.
  case fails
  /// What it gives depends on how far it got, or more than the result is to be stored: the call itself concludes
  /// (`SystemCall.concludeInterrupted`).
  case concludes
}

/// What remains of a call, as the thread keeps it (`Continuation`); each module says what of its own can remain. Dropping it
/// releases everything.
public protocol Remainder {
  /// Whether a kill, or a signal that ends the process, acts only when the call has stored its result: others may see a part
  /// of what it changes already.
  var outlastsKill: Bool { get }
  /// Whether a stop acts only when the call has stored its result. Calls that are only asleep stop at once.
  var outlastsStop: Bool { get }
  /// Whether the call goes on without a reserve of the heap: it gives back, and sees to it itself that it needs none.
  var needsNoReserve: Bool { get }
  /// Gives up what a call that has not begun keeps from others.
  mutating func giveUpPlace()
  /// What a caught signal does to it while it sleeps.
  var interruption: Interruption { get }
}

extension Remainder {
  /// A call that nobody sees half done can be dropped.
  public var outlastsKill: Bool { false }
  /// What outlasts a kill outlasts a stop.
  public var outlastsStop: Bool { outlastsKill }
  /// Most calls need the reserve.
  public var needsNoReserve: Bool { false }
  /// Most calls keep nothing from others.
  public mutating func giveUpPlace() {}
  /// Most calls sleep only for what comes by itself.
  public var interruption: Interruption { .none }
}
