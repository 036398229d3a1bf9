// The 8254 interval timer: the ruler that the other clocks are measured with (channel 2, whose output nothing hears), and
// the timer of a machine without a local interrupt controller (channel 0).

internal import MachineSupport

/// The 8254.
enum IntervalTimer {
  /// Ticks in a second.
  static let frequency: UInt64 = 1_193_182
  static let startCount: UInt16 = 0xFFFF

  private static let channel0: UInt16 = 0x40
  private static let channel2: UInt16 = 0x42
  private static let command: UInt16 = 0x43
  private static let gate: UInt16 = 0x61

  /// Starts channel 2 counting down once from `startCount`, without sound.
  static func startMeasuring() {
    port_write8(gate, port_read8(gate) & ~0x03 | 0x01)
    port_write8(command, 0xB0)
    port_write8(channel2, UInt8(truncatingIfNeeded: startCount))
    port_write8(channel2, UInt8(truncatingIfNeeded: startCount >> 8))
  }

  /// Ticks since `startMeasuring`, or nil when the counter has run out.
  static func measuredTicks() -> UInt64? {
    if port_read8(gate) & 0x20 != 0 { return nil }
    port_write8(command, 0x80)
    let low = UInt16(port_read8(channel2))
    let count = low | UInt16(port_read8(channel2)) << 8
    return UInt64(startCount &- count)
  }

  /// Makes channel 0 interrupt once after so many nanoseconds, sooner when that is beyond its range: its output goes low with
  /// the command and high when the count is over (mode 0).
  static func interrupt(afterNanoseconds nanoseconds: UInt64) {
    let ticks = min(nanoseconds, 1_000_000_000) * frequency / 1_000_000_000 + 1
    let count = UInt16(min(ticks, UInt64(startCount)))
    port_write8(command, onceOnChannel0)
    port_write8(channel0, UInt8(truncatingIfNeeded: count))
    port_write8(channel0, UInt8(truncatingIfNeeded: count >> 8))
  }

  /// Keeps channel 0 from interrupting: without a count it waits.
  static func stop() { port_write8(command, onceOnChannel0) }

  private static let onceOnChannel0: UInt8 = 0x30
}
