// The clock of a simulated machine: it moves only when the driver says so, so every event happens at one instant, unless the
// driver says that work takes time.

/// Simulated time.
public final class SimulatedClock {
  /// Nanoseconds since the simulated machine started.
  public var nanoseconds: UInt64 { advanced + ofWork() }
  private var advanced: UInt64
  /// How long the work that was done until now has taken, in nanoseconds; does not go back.
  public var ofWork: () -> UInt64 = { 0 }

  /// The wall clock at the start, in nanoseconds since 1970: 2026-01-01 00:00 UTC.
  public static let realTimeAtStart: UInt64 = 1_767_225_600_000_000_000

  /// A clock that starts a little after zero, as a machine's does once it has booted.
  public init(nanoseconds: UInt64 = 1_000_000) {
    advanced = nanoseconds
  }

  /// Lets time pass.
  public func advance(by duration: UInt64) {
    advanced += duration
  }

  /// Lets time pass up to an instant; does nothing when that is already past.
  public func advance(to instant: UInt64) {
    advanced += max(nanoseconds, instant) - nanoseconds
  }
}
