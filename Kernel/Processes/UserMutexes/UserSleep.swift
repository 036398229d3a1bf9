// What a thread remembers of its sleep on a word of user memory, in its record: how long, and what it has said in user memory
// that it must take back.

public import ABI
public import Primitives

/// Until when a sleep lasts at most, on some clock.
public struct UserDeadline: BitwiseCopyable, Sendable {
  /// The clock.
  public var clock: ClockIdentifier
  /// What the clock shows then, in nanoseconds.
  public var nanoseconds: UInt64
  /// Whether the program gave a span, and not a time.
  public var isRelative: Bool

  /// A deadline.
  public init(clock: ClockIdentifier, nanoseconds: UInt64, isRelative: Bool) {
    self.clock = clock
    self.nanoseconds = nanoseconds
    self.isRelative = isRelative
  }
}

/// How a sleep ended.
public enum UserSleepEnd: BitwiseCopyable, Sendable {
  /// Somebody woke the thread.
  case woken
  /// Its time was over.
  case timedOut
  /// A signal is to be handled.
  case interrupted
}

/// What a sleeper has said in user memory, and takes back when its sleep ends, whatever ends it.
public enum UserSleepMark: BitwiseCopyable, Sendable {
  /// Nothing.
  case none
  /// That a condition variable has waiters, which is not so any more unless others wait.
  case condition
  /// That one more reader waits for a lock.
  case reader
  /// That one more writer does.
  case writer
}

/// The sleep of a thread on a word.
public struct UserSleep: BitwiseCopyable {
  /// The deadline; nil: none.
  public var deadline: UserDeadline?
  /// Before this time, in nanoseconds since boot, no deadline counts (UMTX_OP_SET_MIN_TIMEOUT).
  public var earliestNanoseconds: UInt64 = 0
  /// What is to be taken back.
  public var mark = UserSleepMark.none
  /// Where: the structure.
  public var address = VirtualAddress(0)
  /// Whether the sleeper was the last when it left.
  public var wasLast = false
  /// Words of an array that were dealt with, of a call that was cut (UMTX_OP_NWAKE_PRIVATE).
  public var progress: UInt64 = 0
  /// How often it still waits for frames to take that back when the thread ends.
  public var patience = 50
  /// Whom it still wakes, if a step of a wake has left some over …
  public var wakeKey = WaitChannel.frames
  /// … and how many at most.
  public var wakeCount = 0

  /// No sleep.
  public init() {}
}

/// What follows when a thread has woken many in steps.
public enum UserWakeEnd: BitwiseCopyable, Sendable {
  /// Its call returns 0.
  case returns
  /// It gives EFAULT.
  case fails
  /// The thread ends (thr_exit(2)).
  case ends
}

/// What remains of a call on words of user memory.
public enum UserSleepPhase: BitwiseCopyable, Sendable {
  /// It sleeps; this is what a caught signal does.
  case asleep(Interruption)
  /// The sleep has ended like this, and what follows waits for a page.
  case awake(UserSleepEnd)
  /// It wakes others in steps.
  case waking(UserWakeEnd)
}
