// A poll(2) or select(2) under way: what of it is in the thread's buffer, and what is done next (spec kqueue.md section 8).
//
// What the call asks about passes through the thread's buffer in windows: entries of poll(2), or the words of the sets of
// select(2) with those of the results behind them. One window stays in the buffer; more of them are kept by the poller.

public import ABI

/// What remains of a poll(2) or select(2).
public struct PendingPoll: BitwiseCopyable {
  /// What is done next.
  public enum Phase: BitwiseCopyable {
    /// Sets of select(2) are looked at beyond all descriptors: nothing may be in them.
    case excess
    /// A window is copied in.
    case copyIn
    /// The time and the mask are looked at.
    case begin
    /// The descriptors of a window are asked.
    case ask
    /// Those of a window are watched.
    case watch
    /// Those to which something has happened are asked, or it is waited for.
    case signals
    /// The results of a window are copied out.
    case copyOut
  }

  /// What is done next.
  public var phase = Phase.copyIn
  /// Whether it is select(2).
  public var isSelect = false
  /// Where the entries are, or the set of what is to be read.
  public var address: UInt64 = 0
  /// The other two sets.
  public var writeAddress: UInt64 = 0
  /// The set of what is exceptional.
  public var exceptionAddress: UInt64 = 0
  /// Entries, or descriptors.
  public var count = 0
  /// Descriptors that the sets are said to have.
  public var wantedCount = 0
  /// The first of the window.
  public var position = 0
  /// The set, or the entry in the window, that is being copied.
  public var part = 0
  /// Bytes of it that are.
  public var progress = 0
  /// Whether the descriptors are watched.
  public var isWatching = false
  /// What was found ready.
  public var readyCount = 0
  /// How long to wait at most; nil: for ever.
  public var time: Timespec?
  /// Whether such a time can be given.
  public var isTimeValid = true
  /// When it is over, in nanoseconds since boot; 0: at once.
  public var deadline = UInt64.max
  /// The mask to be installed while the call waits.
  public var mask: SignalSet?

  /// Nothing is done yet.
  public init() {}

  /// Entries of a window of poll(2).
  public static let entriesPerWindow = 126
  /// Descriptors of one of select(2).
  public static let descriptorsPerWindow = 1024
  /// Bytes of a set in a window.
  public static let setByteCount = descriptorsPerWindow / 8

  /// Entries or descriptors of a window.
  public var windowCapacity: Int {
    isSelect ? PendingPoll.descriptorsPerWindow : PendingPoll.entriesPerWindow
  }
  /// Whether one window is all there is.
  public var isSmall: Bool { count <= windowCapacity }
  /// Entries or descriptors of the window that is at hand.
  public var windowCount: Int { min(windowCapacity, count - position) }

  /// Where a set is.
  public func address(ofSet index: Int) -> UInt64 {
    switch index {
    case 0: address
    case 1: writeAddress
    default: exceptionAddress
    }
  }
}
