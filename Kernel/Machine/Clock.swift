// Time: the processor's time stamp counter, scaled by what the interval timer measured.

internal import MachineSupport

/// A measurement of the time stamp counter against the interval timer, spread over other work.
struct ClockCalibration {
  private let start: UInt64
  /// 1.5 ms: two ticks of reading error are then 0.12 %.
  private static let minimumTicks: UInt64 = 1790

  /// Begins to measure.
  init() {
    IntervalTimer.startMeasuring()
    start = read_time_stamp()
  }

  /// Ends the measurement, waiting until it is long enough, and gives time stamps per second. When so much time has passed
  /// that the interval timer ran out, a short measurement is made instead.
  consuming func finish() -> UInt64 {
    var begin = start
    while true {
      guard let ticks = IntervalTimer.measuredTicks() else {
        IntervalTimer.startMeasuring()
        begin = read_time_stamp()
        continue
      }
      let end = read_time_stamp()
      if ticks >= ClockCalibration.minimumTicks { return (end - begin) * IntervalTimer.frequency / ticks }
    }
  }
}

/// The monotonic clock.
struct Clock {
  private let origin: UInt64
  private let factor: UInt64
  private let inverseFactor: UInt64
  /// Time stamps in a second.
  let frequency: UInt64

  /// A clock that was 0 when the counter stood at `origin`.
  init(origin: UInt64, frequency: UInt64) {
    self.origin = origin
    // No counter is slower than 1 MHz; so the quotients below fit.
    self.frequency = max(frequency, 1_000_000)
    factor = (1_000_000_000 << 32) / self.frequency
    inverseFactor =
      (self.frequency / 1_000_000_000) << 32 + ((self.frequency % 1_000_000_000) << 32) / 1_000_000_000
  }

  /// Time stamps that pass in this many nanoseconds, rounded up a little.
  func timeStamps(forNanoseconds nanoseconds: UInt64) -> UInt64 {
    nanoseconds.scaled(by: inverseFactor) + (nanoseconds >> 32) + 1
  }

  /// Nanoseconds from the origin to a time stamp.
  @inline(__always)
  func nanoseconds(at timeStamp: UInt64) -> UInt64 { (timeStamp &- origin).scaled(by: factor) }
}

extension UInt64 {
  /// The product with `factor` / 2^32, without losing upper bits.
  @inline(__always)
  func scaled(by factor: UInt64) -> UInt64 {
    let (high, low) = multipliedFullWidth(by: factor)
    return high &<< 32 | low &>> 32
  }
}
