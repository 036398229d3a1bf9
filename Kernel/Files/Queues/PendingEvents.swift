// A kevent(2) under way: which changes are registered, how many events are told (spec kqueue.md section 4). And the dump of a
// queue under way (FKQMPRNT), which passes through the same buffer.

import Memory

/// What remains of a kevent(2). Changes and events pass through the thread's buffer in groups of eight.
public struct PendingEvents: BitwiseCopyable {
  /// What is done next.
  public enum Phase: BitwiseCopyable {
    /// The next group of changes is copied in.
    case copyIn
    /// The changes of the group are registered.
    case register
    /// What became of a change is copied out.
    case receipt
    /// Events are looked for.
    case collect
    /// Events are copied out.
    case copyOut
  }

  /// What is done next.
  public var phase = Phase.copyIn
  /// Whether the structures are FreeBSD 11's.
  public let isOld: Bool
  /// Where the next change lies.
  public var changeAddress: UInt64
  /// Changes that are not copied in yet.
  public var changesLeft: Int32
  /// Changes in the buffer, and the next of them.
  public var groupCount = 0
  /// The next of them to be registered.
  public var groupIndex = 0
  /// Where the next event goes.
  public var eventAddress: UInt64
  /// Events for which there is room.
  public var eventsLeft: Int32
  /// Results of changes that were told.
  public var receiptCount: Int32 = 0
  /// Events that were told.
  public var eventCount: Int32 = 0
  /// Events in the buffer.
  public var stagedCount = 0
  /// Bytes of what is being copied that are.
  public var progress = 0
  /// How long to wait at most: the argument is checked when it matters.
  public var seconds: Int64 = 0
  /// The rest of that.
  public var nanoseconds: Int64 = 0
  /// Whether there is such a time.
  public var hasTimeout = false
  /// Whether the time was looked at.
  public var isTimed = false
  /// When it is over, in nanoseconds since boot; 0: at once.
  public var deadline = UInt64.max
  /// Notes that became ready later than this are left to the next pass.
  public var passEnd: UInt64?
  /// Whether the thread has come for events.
  public var hasEntered = false
  /// Whether what the thread was told of by earlier calls can not be told again yet.
  var isReleasing = false
  /// How many events of the real-time class may be told yet.
  var realTimeLeft: Int32 = 0
  /// What the queue has of the thread, if it knows threads apart.
  var worker = Handle<QueueWorker>.none

  /// Nothing is done yet.
  public init() { self.init(changes: (0, 0), events: (0, 0), isOld: false) }

  /// Nothing is done yet of a call with these arguments.
  public init(changes: (UInt64, Int32), events: (UInt64, Int32), isOld: Bool) {
    (changeAddress, changesLeft) = changes
    (eventAddress, eventsLeft) = events
    self.isOld = isOld
  }

  /// Changes and events that are handled at a time.
  public static var groupCapacity: Int { 8 }
}
