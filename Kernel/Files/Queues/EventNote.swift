// What a queue watches (kqueue(2)): one record for each identifier and filter.
//
// Invariants
// - A note is in the hash of its queue, and in the list of what it watches if that is a file or a process.
// - It is in a list of ready notes exactly while `isQueued`: that of its `worker`, or of the queue itself when it has none. It
//   never is while it is disabled and was not queued before.
// - While it has a `holder`, the thread of that worker was told of it and has not come back; nobody else is told meanwhile.
// - It keeps the file that it was registered with. It goes before the descriptor that names it does.

import ABI
import Memory
import Primitives

/// A note.
struct EventNote: BitwiseCopyable {
  /// What is told when it happens: the change that made the note, with what the filter says.
  var event: KernelEvent
  /// What the filter was asked (sfflags).
  var wantedFlags: UInt32
  /// How much it was asked for (sdata).
  var wantedData: Int64
  /// Whether it has happened and was not told: a note that is disabled is ready as soon as it is enabled.
  var isActive = false
  /// Whether the note is in the list of those that are ready.
  var isQueued = false
  /// Whether nothing is to be reported (EV_DISABLE).
  var isDisabled = false
  /// EVFILT_USER: whether it was triggered.
  var isTriggered = false
  /// The queue, which owns it.
  let queue: BackReference<EventQueue>
  /// The file, for filters of descriptors.
  var file = HeldReference<OpenFile>()
  /// EVFILT_TIMER: when it goes off next, in nanoseconds since boot.
  var deadline = UInt64.max
  /// EVFILT_TIMER: after how long again, in nanoseconds; 0: not.
  var period: UInt64 = 0
  /// EVFILT_TIMER: its place in the queue of deadlines plus one, or 0.
  var timerPlace: UInt32 = 0
  /// When it became ready, in the order of its queue.
  var order: UInt64 = 0
  /// In whose list it is ready.
  var worker = Handle<QueueWorker>.none
  /// Whose thread was told of it and has not come back.
  var holder = Handle<QueueWorker>.none
  var nextHeld = Handle<EventNote>.none
  var previousHeld = Handle<EventNote>.none
  /// EV_AFFINITY: the number of the only worker that may have it; 0: any may.
  var affinity: UInt64 = 0
  /// EV_AFFINITY: the thread of that worker.
  var affineThread: Int32 = 0
  /// Its own random numbers, by which it is given to workers.
  var random = QueueRandom(seed: 0)
  /// The leaf that it was ready in first.
  var leaf = UInt16.max
  /// Whether a worker has taken it from another since it was told last.
  var wasStolen = false
  var nextReady = Handle<EventNote>.none
  var previousReady = Handle<EventNote>.none
  var nextInBucket = Handle<EventNote>.none
  var previousInBucket = Handle<EventNote>.none
  var nextWatcher = Handle<EventNote>.none
  var previousWatcher = Handle<EventNote>.none
}

/// The notes that watch one thing, and the calls of poll(2) and select(2) that wait for it.
public struct NoteList: BitwiseCopyable {
  var first = Handle<EventNote>.none
  var firstPoll = Handle<PollWatch>.none

  /// Whether nobody watches.
  @inline(__always)
  public var isEmpty: Bool { first.isNone && firstPoll.isNone }
}

/// What a file says of itself to a filter.
public struct Readiness: BitwiseCopyable {
  /// Whether the filter fires.
  public var isReady: Bool
  /// How much there is.
  public var data: Int64 = 0
  /// Whether nothing more will come or be taken (EV_EOF).
  public var isEnd = false
  /// What else the filter says.
  public var flags: UInt32 = 0
  /// Whether the file is a regular one, so that NOTE_FILE_POLL makes it always ready.
  public var isRegular = false

  /// So much, which fires or does not.
  public init(_ data: Int64, isReady: Bool) {
    self.data = data
    self.isReady = isReady
  }
}
