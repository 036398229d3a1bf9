// What a thread has of its own about signals (sigprocmask(2), sigaltstack(2)).

public import ABI

/// What is to become of a call whose sleep a signal has ended.
public enum SleepEnd: UInt8, BitwiseCopyable, Sendable {
  /// No signal has.
  case none
  /// It begins anew where it can: the action says SA_RESTART.
  case restart
  /// It gives EINTR where it can.
  case fail
}

/// The signals of one thread.
public struct ThreadSignals: BitwiseCopyable {
  /// Signals that are held back. Never SIGKILL or SIGSTOP.
  public internal(set) var mask = SignalSet()
  /// Signals for this thread alone.
  public internal(set) var queue = SignalQueue()
  /// Signals that it waits for (sigtimedwait(2)): they are not held back, and their actions do not happen.
  public internal(set) var awaited = SignalSet()
  /// What the mask was before sigsuspend(2), ppoll(2) or pselect(2): the frame of a handler that ends that has it, and it is put
  /// back before the thread goes on in ring 3.
  var suspendedMask = SignalSet()
  /// Whether there is such a mask.
  public internal(set) var hasSuspendedMask = false
  /// The stack for handlers that ask for it.
  public var alternateStack = AlternateStack()
  /// The word with which the program holds signals back without asking the kernel (sigfastblock(2)), or 0.
  public var fastBlockAddress: UInt64 = 0
  /// Whether that word was seen to hold signals back, and says so since: nothing but SIGKILL and SIGSTOP is due then.
  public internal(set) var isFastBlocked = false
  /// Whether a signal has ended the sleep of its call.
  public internal(set) var sleepEnd = SleepEnd.none

  init() {}

  /// Whether a signal does not reach the thread now.
  func holdsBack(_ signal: Signal) -> Bool { mask.contains(signal) && !awaited.contains(signal) }
}
