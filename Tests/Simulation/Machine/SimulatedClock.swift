// The clock of a simulated machine: it moves only when the driver says so, so every event happens at one instant.

/// Simulated time.
public final class SimulatedClock {
  /// Nanoseconds since the simulated machine started.
  public private(set) var nanoseconds: UInt64

  /// The wall clock at the start, in nanoseconds since 1970: 2026-01-01 00:00 UTC.
  public static let realTimeAtStart: UInt64 = 1_767_225_600_000_000_000

  /// A clock that starts a little after zero, as a machine's does once it has booted.
  public init(nanoseconds: UInt64 = 1_000_000) {
    self.nanoseconds = nanoseconds
  }

  /// Lets time pass.
  public func advance(by duration: UInt64) {
    nanoseconds += duration
  }

  /// Lets time pass up to an instant; does nothing when that is already past.
  public func advance(to instant: UInt64) {
    nanoseconds = max(nanoseconds, instant)
  }
}
