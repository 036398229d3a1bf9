// How far a call got in one event: done, parked, or cut.

public import Memory

/// What an operation that can take more than one event says when it returns without an error.
///
/// The operation's own value (`Transfer`, `Resize`, …) holds everything needed to go on; calling the same method again with
/// it resumes the operation and repeats nothing.
public enum Progress: Equatable, Sendable {
  /// It is done.
  case complete
  /// Park the thread on the channel, then call again. Wake-ups may be spurious.
  case wait(WaitChannel)
  /// It has done as much as one event should; call again when the thread has its next turn.
  case again
}
