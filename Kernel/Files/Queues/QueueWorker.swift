// What a queue that knows threads apart has of each (FKQMULTI; spec kqueue.md section 11, "kevq"), and of all of them.
//
// Invariants
// - A worker is in a chain of its queue's group by its thread, and in the list of its thread, until the thread leaves it or the
//   queue goes. While its thread leaves it, it is in the list of the thread only.
// - It is active, and in the group's sets, from its thread's first call that has room for events on.
// - Its lists hold notes that are ready and its own; `heldCount` of them were told to a thread that has not come back. The notes
//   whose `holder` it is are in the list from `firstHeld`, the last one told first.

import ABI
import Memory
import Primitives

/// What FKQMULTI asks for.
struct QueuePolicy: BitwiseCopyable {
  /// By what a worker is chosen.
  enum Choice: UInt8 {
    case random = 0
    /// QUEUE: the leaf in which a note was ready first.
    case home = 1
    /// CPU: the leaf in which it is ready now.
    case processor = 2
    /// BEST: the least expected time.
    case best = 4
  }

  let word: UInt32
  let choice: Choice
  /// Workers of the whole queue that are looked at besides.
  var candidateCount: Int { Int(word >> 8 & 0xff) }
  /// Notes that are taken from another worker at a time; 0: none are.
  var stealCount: Int { word >> 16 & 1 == 0 ? 0 : Int(word >> 24) }

  private static let maximumCandidateCount = 2
  private static let maximumStealCount = 8

  /// Throws EINVAL for an argument of the policy above 2, or of the features above 8; a policy that does not exist is random.
  init(_ word: UInt32) throws(Errno) {
    self.word = word
    choice = Choice(rawValue: UInt8(truncatingIfNeeded: word)) ?? .random
    guard candidateCount <= QueuePolicy.maximumCandidateCount, word >> 24 <= QueuePolicy.maximumStealCount else {
      throw .einval
    }
  }
}

/// What a worker has counted.
struct WorkerStatistics: BitwiseCopyable {
  /// Nanoseconds that its thread was away with what it was told.
  var nanoseconds: UInt64 = 0
  /// Calls with room for events.
  var callCount: UInt64 = 0
  /// Events that were told.
  var eventCount: UInt64 = 0
  /// Those of them that were of the real-time class.
  var realTimeCount: UInt64 = 0
  /// Notes that it was given.
  var scheduledCount: UInt64 = 0
  /// Those of them for which the policy had no choice, and those that were at home in another leaf.
  var fallbackCount: UInt64 = 0
  var mismatchCount: UInt64 = 0
  /// Notes that it took from others, and that it looked at to do so.
  var stolenCount: UInt64 = 0
  var scannedCount: UInt64 = 0

  static func += (left: inout WorkerStatistics, right: WorkerStatistics) {
    left.nanoseconds &+= right.nanoseconds
    left.callCount &+= right.callCount
    left.eventCount &+= right.eventCount
    left.realTimeCount &+= right.realTimeCount
    left.scheduledCount &+= right.scheduledCount
    left.fallbackCount &+= right.fallbackCount
    left.mismatchCount &+= right.mismatchCount
    left.stolenCount &+= right.stolenCount
    left.scannedCount &+= right.scannedCount
  }
}

/// An average to which each new value adds a twentieth.
struct SlowAverage: BitwiseCopyable {
  private(set) var value: UInt64 = 0
  private var isEmpty = true

  init() {}

  mutating func add(_ new: UInt64) {
    value = isEmpty ? new : (value &* 95 &+ new &* 5) / 100
    isEmpty = false
  }
}

/// A worker.
struct QueueWorker: BitwiseCopyable {
  /// Its number among wait channels.
  let number: UInt64
  let queue: BackReference<EventQueue>
  let thread: Int32
  let workers: Handle<QueueThread>
  var lists = ReadyLists()
  var heldCount: UInt32 = 0
  var firstHeld = Handle<EventNote>.none
  /// Its place in the set of those that are active plus one, or 0; the same in that of its leaf.
  var place: UInt32 = 0
  var leafPlace: UInt32 = 0
  var leaf: UInt16 = 0
  /// Whether its thread may be asleep.
  var isAwaited = false
  /// Whether its thread was told events and has not come back.
  var isAway = false
  /// Whether its thread leaves it.
  var isLeaving = false
  /// From whom it takes notes.
  var random: QueueRandom
  /// When its thread was told events last, and how many.
  var lastReturn: UInt64 = 0
  var lastCount: UInt32 = 0
  /// Nanoseconds for an event, events of a call, and how many of those could have been of the real-time class.
  var cost = SlowAverage()
  var events = SlowAverage()
  var realTimeLimits = SlowAverage()
  var statistics = WorkerStatistics()
  var nextInBucket = Handle<QueueWorker>.none
  var nextOfThread = Handle<QueueWorker>.none
  var previousOfThread = Handle<QueueWorker>.none

  /// Notes that can be told now.
  var availableCount: UInt32 { lists.count &- heldCount }
}

/// The workers of a thread.
struct QueueThread: BitwiseCopyable {
  let identifier: Int32
  var first = Handle<QueueWorker>.none
  var next = Handle<QueueThread>.none
}

/// The workers of a queue.
struct WorkerGroup: BitwiseCopyable {
  static let bucketCount = 256
  static let leafLimit = 64
  let policy: QueuePolicy
  /// Chains by thread.
  var buckets = [256 of Handle<QueueWorker>](repeating: .none)
  var active = WorkerSet()
  /// The active ones of each leaf, if there is more than one leaf.
  var leaves = [64 of WorkerSet](repeating: WorkerSet())
  /// Workers that exist.
  var count: UInt32 = 0
  /// What those have counted that have gone.
  var departed = WorkerStatistics()
  /// Nanoseconds that choosing workers took.
  var scheduleNanoseconds: UInt64 = 0

  init(_ policy: QueuePolicy) { self.policy = policy }
}
