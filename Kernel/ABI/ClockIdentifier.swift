// The clocks of clock_gettime(2) (spec abi.md, section 17).

/// A clock.
public struct ClockIdentifier: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension ClockIdentifier {
  /// Whose processor time a clock shows that clock_getcpuclockid(3) or pthread_getcpuclockid(3) made.
  public enum Subject: Equatable, Sendable {
    /// The process with this identifier.
    case process(Int32)
    /// The thread with this identifier.
    case thread(Int32)
  }

  /// Whether it shows what was used of the processor, so that it may stand still.
  public var isOfProcessor: Bool {
    rawValue < 0 || self == .virtual || self == .profiling || self == .threadTime || self == .processTime
  }

  /// Whether it shows the time of day, which can be set.
  public var isOfRealTime: Bool {
    switch self {
    case .realTime, .realTimePrecise, .realTimeFast, .second: true
    default: false
    }
  }

  private static let processBit: Int32 = 0x4000_0000

  /// Whose clock it is; nil unless the number is negative.
  public var subject: Subject? {
    guard rawValue < 0 else { return nil }
    let identifier = rawValue & (ClockIdentifier.processBit - 1)
    return rawValue & ClockIdentifier.processBit != 0 ? .process(identifier) : .thread(identifier)
  }
}

extension ClockIdentifier {
  /// CLOCK_REALTIME
  public static let realTime = ClockIdentifier(rawValue: 0)
  /// CLOCK_VIRTUAL
  public static let virtual = ClockIdentifier(rawValue: 1)
  /// CLOCK_PROF
  public static let profiling = ClockIdentifier(rawValue: 2)
  /// CLOCK_MONOTONIC
  public static let monotonic = ClockIdentifier(rawValue: 4)
  /// CLOCK_UPTIME
  public static let uptime = ClockIdentifier(rawValue: 5)
  /// CLOCK_UPTIME_PRECISE
  public static let uptimePrecise = ClockIdentifier(rawValue: 7)
  /// CLOCK_UPTIME_FAST
  public static let uptimeFast = ClockIdentifier(rawValue: 8)
  /// CLOCK_REALTIME_PRECISE
  public static let realTimePrecise = ClockIdentifier(rawValue: 9)
  /// CLOCK_REALTIME_FAST
  public static let realTimeFast = ClockIdentifier(rawValue: 10)
  /// CLOCK_MONOTONIC_PRECISE
  public static let monotonicPrecise = ClockIdentifier(rawValue: 11)
  /// CLOCK_MONOTONIC_FAST
  public static let monotonicFast = ClockIdentifier(rawValue: 12)
  /// CLOCK_SECOND
  public static let second = ClockIdentifier(rawValue: 13)
  /// CLOCK_THREAD_CPUTIME_ID
  public static let threadTime = ClockIdentifier(rawValue: 14)
  /// CLOCK_PROCESS_CPUTIME_ID
  public static let processTime = ClockIdentifier(rawValue: 15)
}
