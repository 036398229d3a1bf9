// The timers that a process has: the three of setitimer(2), and those of ktimer_create(2) (spec signals.md section 4).
//
// Invariants
// - A timer whose deadline is `ProcessTimer.never` is off, and then has no interval.
// - The earliest of the deadlines of `real`, and of the kernel's timers that are to go off, is the process' deadline in the
//   scheduler's queue. `virtual`, `profiling` and `limit` count what the process uses: they are looked at when it is charged.

public import ABI
import Memory

/// A timer, as far as it counts: when it goes off next, and after how long again.
public struct ProcessTimer: Equatable, BitwiseCopyable, Sendable {
  /// The deadline of a timer that is off.
  public static let never = UInt64.max

  /// When it goes off, in nanoseconds of what it counts.
  public var deadlineNanoseconds = ProcessTimer.never
  /// After how many nanoseconds it does so again; 0: not.
  public var intervalNanoseconds: UInt64 = 0

  /// A timer that is off.
  public init() {}

  /// A timer that goes off after `value`, and then every `interval`, nanoseconds; with a value of 0, one that is off.
  public init(value: UInt64, interval: UInt64, now: UInt64) {
    guard value != 0 else { return }
    deadlineNanoseconds = min(now.addingReportingOverflow(value).overflow ? .max : now &+ value, ProcessTimer.never - 1)
    intervalNanoseconds = interval
  }

  /// Whether it is to go off.
  public var isOn: Bool { deadlineNanoseconds != ProcessTimer.never }

  /// Whether it is due.
  public func isDue(_ now: UInt64) -> Bool { isOn && deadlineNanoseconds <= now }

  /// How long until it goes off; nil when it is off.
  public func remainingNanoseconds(_ now: UInt64) -> UInt64? {
    guard isOn else { return nil }
    return deadlineNanoseconds > now ? deadlineNanoseconds - now : 0
  }

  /// Goes on to the first deadline after `now`, or is off if there is none. Returns how many it passed.
  public mutating func advance(_ now: UInt64) -> UInt64 {
    guard isDue(now) else { return 0 }
    guard intervalNanoseconds != 0 else {
      self = ProcessTimer()
      return 1
    }
    let passed = (now - deadlineNanoseconds) / intervalNanoseconds + 1
    let next = now.addingReportingOverflow(intervalNanoseconds - (now - deadlineNanoseconds) % intervalNanoseconds)
    deadlineNanoseconds = next.overflow ? ProcessTimer.never - 1 : next.partialValue
    return passed
  }
}

/// The timers of a process.
public struct ProcessTimers {
  /// ITIMER_REAL, in nanoseconds since boot.
  public internal(set) var real = ProcessTimer()
  /// ITIMER_VIRTUAL, in nanoseconds that the process has run in ring 3.
  public internal(set) var virtual = ProcessTimer()
  /// ITIMER_PROF, in nanoseconds that it has run.
  public internal(set) var profiling = ProcessTimer()
  /// RLIMIT_CPU, in nanoseconds that the process has run.
  var limit = ProcessTimer()
  /// Whether one of them was ever set, or a kernel timer made.
  var isUsed = false
  /// Whether one of the last three is on.
  var countsUse = false
  /// Whether one of them is due, and nobody was told.
  public internal(set) var useIsDue = false
  /// The first of those of ktimer_create(2), in the order of their identifiers; each owns the next.
  var first: KernelTimer?

  /// None is on.
  public init() {}

  /// Notes whether what the process uses has to be counted for one of them.
  mutating func noteWhetherUseCounts() { countsUse = virtual.isOn || profiling.isOn || limit.isOn }
}

/// A timer of ktimer_create(2).
public final class KernelTimer {
  /// What the program knows it by: 3 to 31.
  public let identifier: Int32
  /// The clock that it counts by: real or monotonic time.
  public let clock: ClockIdentifier
  /// What it does when it goes off.
  public let event: SignalEvent
  /// When it goes off, in nanoseconds of the clock.
  var timer = ProcessTimer()
  /// Its signal, while that is posted and has not been delivered.
  var entry = Handle<QueuedSignal>.none
  /// How often it went off since its signal was posted.
  var overrunCount: UInt64 = 0
  /// The same, when the signal was delivered last (ktimer_getoverrun(2)).
  var deliveredOverrunCount: Int32 = 0
  var next: KernelTimer?

  init(_ identifier: Int32, _ clock: ClockIdentifier, _ event: SignalEvent) {
    self.identifier = identifier
    self.clock = clock
    self.event = event
  }

  /// Whether its signal is posted and has not been delivered.
  var isOutstanding: Bool { !entry.isNone }
}
