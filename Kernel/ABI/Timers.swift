// Timers of processes: struct itimerval, struct itimerspec and struct sigevent (spec signals.md, section 4).

/// What a timer of setitimer(2) counts.
public enum IntervalTimerKind: Int32, Sendable {
  /// ITIMER_REAL: time.
  case real = 0
  /// ITIMER_VIRTUAL: time that the process runs in ring 3.
  case virtual = 1
  /// ITIMER_PROF: time that the process runs, in ring 3 and in the kernel.
  case profiling = 2
}

/// How a timer is set, or stands: `struct itimerval` and `struct itimerspec`, two times both.
public struct TimerValue<Time: BinaryTime>: Equatable, BitwiseCopyable, Sendable {
  /// it_interval: how long after it went off it does so again.
  public var interval: Time
  /// it_value: when it goes off; zero: it is off.
  public var value: Time

  /// Both parts.
  public init(interval: Time, value: Time) {
    self.interval = interval
    self.value = value
  }

  /// The size of the structure.
  public static var byteCount: Int { 2 * Time.byteCount }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    interval = Time(decoding: bytes, at: 0)
    value = Time(decoding: bytes, at: Time.byteCount)
  }

  /// Writes the structure at the start of `bytes`.
  public func encode(into bytes: inout MutableRawSpan) {
    interval.encode(into: &bytes, at: 0)
    value.encode(into: &bytes, at: Time.byteCount)
  }
}

/// How a timer of setitimer(2) is set: `struct itimerval`.
public typealias IntervalTimerValue = TimerValue<Timeval>
/// How a timer of ktimer_create(2) is set: `struct itimerspec`.
public typealias KernelTimerValue = TimerValue<Timespec>

/// TIMER_ABSTIME, of clock_nanosleep(2) and ktimer_settime(2): the time is one that the clock shows, and no span.
public enum TimerFlags {
  /// The flag.
  public static let absolute: Int32 = 1
}

/// What is to happen when something has: `struct sigevent`.
public struct SignalEvent: Equatable, BitwiseCopyable, Sendable {
  /// sigev_notify: how one is told.
  public var notification: Int32
  /// sigev_signo: by which signal.
  public var signal: Signal
  /// sigev_value: what it carries.
  public var value: UInt64
  /// sigev_notify_thread_id: which thread gets it, with SIGEV_THREAD_ID.
  public var threadIdentifier: Int32

  /// SIGEV_NONE: one is not told.
  public static let none: Int32 = 0
  /// SIGEV_SIGNAL: by a signal to the process.
  public static let signal: Int32 = 1
  /// SIGEV_THREAD_ID: by a signal to one of its threads.
  public static let threadSignal: Int32 = 4

  /// A signal to the process.
  public init(signal: Signal, value: UInt64) {
    notification = SignalEvent.signal
    self.signal = signal
    self.value = value
    threadIdentifier = 0
  }

  /// The size of the structure.
  public static let byteCount = 80

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    notification = Int32(bitPattern: bytes.loadUInt32(at: 0))
    signal = Signal(rawValue: Int32(bitPattern: bytes.loadUInt32(at: 4)))
    value = bytes.loadUInt64(at: 8)
    threadIdentifier = Int32(bitPattern: bytes.loadUInt32(at: 16))
  }

  /// Whether the notification is one that there is, with a signal that there is.
  public var isValid: Bool {
    switch notification {
    case SignalEvent.none: true
    case SignalEvent.signal, SignalEvent.threadSignal: signal.isValid
    default: false
    }
  }
}
