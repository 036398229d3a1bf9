// Time: the processor's time stamp counter, scaled by what the interval timer, or what there is in its place, says.

internal import MachineSupport

/// A measurement of the time stamp counter against the interval timer, spread over other work.
struct ClockCalibration {
  private let start: UInt64
  /// 1.5 ms: two ticks of reading error are then 0.12 %.
  private static let minimumTicks: UInt64 = 1790
  /// Readings after which a timer that does not get there passes for broken. One takes about a microsecond on a real machine.
  private static let maximumReadings = 5_000_000

  /// Begins to measure.
  init() {
    IntervalTimer.startMeasuring()
    start = read_time_stamp()
  }

  /// Ends the measurement, waiting until it is long enough, and gives time stamps per second; nil when the machine has no
  /// interval timer that counts. When so much time has passed that the timer ran out, a short measurement is made instead.
  consuming func finish() -> UInt64? {
    var begin = start
    for _ in 0..<ClockCalibration.maximumReadings {
      switch IntervalTimer.reading() {
      case .absent: return nil
      case .over:
        IntervalTimer.startMeasuring()
        begin = read_time_stamp()
      case .ticks(let ticks):
        let end = read_time_stamp()
        guard ticks >= ClockCalibration.minimumTicks else { continue }
        return (end - begin) * IntervalTimer.frequency / ticks
      }
    }
    return nil
  }

  /// Time stamps per second where there is no interval timer: what the processor says, or else a measurement against the
  /// real-time clock; nil when neither is there.
  static func frequencyWithoutIntervalTimer() -> UInt64? {
    frequencyByIdentification() ?? RealTimeClock.measuredFrequency()
  }

  /// CPUID leaf 0x15: the crystal's frequency and the counter's ratio to it; leaf 0x16: the processor's base frequency, with
  /// which the counter runs (Intel SDM volume 3, section 18.7.3).
  private static func frequencyByIdentification() -> UInt64? {
    let highest = identify_processor(0, 0).eax
    if highest >= 0x15 {
      let crystal = identify_processor(0x15, 0)
      if crystal.eax != 0, crystal.ebx != 0, crystal.ecx != 0 {
        return UInt64(crystal.ecx) * UInt64(crystal.ebx) / UInt64(crystal.eax)
      }
    }
    guard highest >= 0x16 else { return nil }
    let megahertz = UInt64(identify_processor(0x16, 0).eax & 0xFFFF)
    return megahertz == 0 ? nil : megahertz * 1_000_000
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
