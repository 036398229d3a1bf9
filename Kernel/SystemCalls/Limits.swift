// Every limit of this module by name.

/// Limits of single calls.
enum SystemCallLimits {
  /// No time of day from this one on can be set, in nanoseconds since 1970: the year 2262, after which it can be counted for as long
  /// again.
  static let latestRealNanoseconds: UInt64 = 1 << 63
  /// The longest time of setitimer(2), in seconds.
  static let longestIntervalSeconds: Int64 = 1 << 30 - 1
  /// The shortest time of timers: a tick. Of ITIMER_REAL it is a sixteenth of that.
  static let tickNanoseconds: UInt64 = 1_000_000
  /// Groups in setgroups(2), the effective one included: what fits into a call buffer.
  static let groupCount = 256
  /// Pieces of random numbers, each a call buffer, that a call hands out before others have a turn.
  static let randomPiecesPerStep = 16
  /// Bytes of kern.arandom at a time.
  static let randomNodeByteCount = 256
  /// Names and buckets that a listing of names looks at before others have a turn.
  static let recordsPerListStep = 64
  /// Pages that are looked at at a time when everything is looked through for one to reclaim.
  static let reclaimLooks = 32
  /// The same before somebody is killed, at each tick.
  static let lastReclaimLooks = 80
  /// Kinds of events that a kernel which is watched names at the end, because interrupts waited longest for them.
  static let longStretchesShown = 10
  /// Frames that must be free, beyond what is kept, before those who wait for some are woken.
  static let frameBatch = 32
  /// How long a sleeper on a word waits before it looks again at a clock that may stand still.
  static let processorClockNanoseconds: UInt64 = 1_000_000
  /// How long threads may wait for frames that nothing can free while others run.
  static let starvationLimitNanoseconds: UInt64 = 1_000_000_000
  /// Processes, mappings and descriptors that the choice of a victim looks at before others have a turn.
  static let victimSearchUnits = 512
  /// Frames that calls which can refuse leave to those that can not …
  static let frameHeadroom = 128
  /// … and on small machines one in so many of all frames.
  static let framesPerHeadroomFrame = 64
}
