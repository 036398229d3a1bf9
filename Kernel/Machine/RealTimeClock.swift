// The CMOS clock, read once at start. MC146818 data sheet; the century is assumed to be the 21st.

internal import MachineSupport

/// The battery-backed clock.
enum RealTimeClock {
  private static let index: UInt16 = 0x70
  private static let data: UInt16 = 0x71

  private struct Reading: Equatable {
    var second: UInt8
    var minute: UInt8
    var hour: UInt8
    var day: UInt8
    var month: UInt8
    var year: UInt8
  }

  private static func register(_ number: UInt8) -> UInt8 {
    port_write8(index, number | 0x80)
    return port_read8(data)
  }

  private static func read() -> Reading {
    Reading(
      second: register(0), minute: register(2), hour: register(4), day: register(7), month: register(8),
      year: register(9))
  }

  private static let stateA: UInt8 = 0x0A
  private static let stateB: UInt8 = 0x0B
  private static let stateC: UInt8 = 0x0C
  private static let stateD: UInt8 = 0x0D
  private static let periodicInterrupt: UInt8 = 0x40

  /// Whether there is one: state D has no bits but the one for a good battery.
  private static var isPresent: Bool { register(stateD) & 0x7F == 0 }

  private static func setRegister(_ number: UInt8, _ value: UInt8) {
    port_write8(index, number | 0x80)
    port_write8(data, value)
  }

  /// Periods of 1/1024 s that a measurement lasts; waiting for one is bounded, in readings of about two microseconds.
  private static let measuredPeriods: UInt64 = 16
  private static let maximumReadings = 1_000_000

  /// Time stamps in a second, measured against the periodic flag, whose interrupt is masked; nil when it does not come.
  static func measuredFrequency() -> UInt64? {
    guard isPresent else { return nil }
    let a = register(stateA)
    let b = register(stateB)
    setRegister(stateA, a & 0x70 | 0x06)
    setRegister(stateB, b | periodicInterrupt)
    defer {
      setRegister(stateB, b)
      setRegister(stateA, a)
      _ = register(stateC)
    }
    guard waitForPeriod() else { return nil }
    let start = read_time_stamp()
    for _ in 0..<measuredPeriods where !waitForPeriod() { return nil }
    return (read_time_stamp() - start) * 1024 / measuredPeriods
  }

  private static func waitForPeriod() -> Bool {
    for _ in 0..<maximumReadings where register(stateC) & periodicInterrupt != 0 { return true }
    return false
  }

  /// Seconds since 1970-01-01 00:00 UTC; the clock is taken to be in UTC. Nil without a clock.
  static func seconds() -> UInt64? {
    guard isPresent else { return nil }
    var attempts = 0
    var reading = read()
    // Stable when no update is under way and two readings agree.
    while attempts < 10_000 {
      attempts += 1
      let again = read()
      if register(0x0A) & 0x80 == 0, again == reading { break }
      reading = again
    }
    let format = register(0x0B)
    func number(_ value: UInt8) -> UInt64 {
      format & 0x04 != 0 ? UInt64(value) : UInt64(value >> 4) * 10 + UInt64(value & 15)
    }
    var hour = number(reading.hour & 0x7F)
    if format & 0x02 == 0 {
      hour = hour % 12 + (reading.hour & 0x80 != 0 ? 12 : 0)
    }
    let days = daysSince1970(year: 2000 + number(reading.year), month: number(reading.month), day: number(reading.day))
    return ((days * 24 + hour) * 60 + number(reading.minute)) * 60 + number(reading.second)
  }

  /// Days from 1970-01-01 to a date from 2000 on, counting years from March so that the leap day comes last.
  private static func daysSince1970(year: UInt64, month: UInt64, day: UInt64) -> UInt64 {
    guard month >= 1, day >= 1 else { return 0 }
    let marchYear = month > 2 ? year : year - 1
    let marchMonth = (month + 9) % 12
    let daysBeforeMonth = (153 * marchMonth + 2) / 5
    return marchYear * 365 + marchYear / 4 - marchYear / 100 + marchYear / 400 + daysBeforeMonth + day - 1 - 719_468
  }
}
