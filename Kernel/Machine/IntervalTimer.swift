// The 8254 interval timer, channel 0: the ruler that the other clocks are measured with, and then the timer of a machine
// without a local interrupt controller. (Channel 2, the usual ruler, is switched through port 0x61, which small machines do
// not have.)

internal import MachineSupport

/// The 8254.
enum IntervalTimer {
  /// Ticks in a second.
  static let frequency: UInt64 = 1_193_182
  private static let startCount: UInt16 = 0xFFFF

  private static let channel0: UInt16 = 0x40
  private static let command: UInt16 = 0x43
  /// Channel 0, both bytes, mode 0: counts down once; its output is high when it is over.
  private static let countOnce: UInt8 = 0x30
  private static let readBack: UInt8 = 0xC2
  private static let modeMask: UInt8 = 0x3F
  private static let isOver: UInt8 = 0x80
  private static let isNotLoaded: UInt8 = 0x40

  /// What the timer says while it measures.
  enum Reading {
    /// There is no such timer.
    case absent
    /// It has counted to its end.
    case over
    /// Ticks since `startMeasuring`.
    case ticks(UInt64)
  }

  /// Starts counting down once. Its interrupt is masked.
  static func startMeasuring() {
    port_write8(command, countOnce)
    port_write8(channel0, UInt8(truncatingIfNeeded: startCount))
    port_write8(channel0, UInt8(truncatingIfNeeded: startCount >> 8))
  }

  /// Reads state and count, frozen together.
  static func reading() -> Reading {
    port_write8(command, readBack)
    let state = port_read8(channel0)
    let low = UInt16(port_read8(channel0))
    let count = low | UInt16(port_read8(channel0)) << 8
    guard state & modeMask == countOnce else { return .absent }
    if state & isOver != 0 { return .over }
    return .ticks(state & isNotLoaded != 0 ? 0 : UInt64(startCount &- count))
  }

  /// Makes channel 0 interrupt once after so many nanoseconds, sooner when that is beyond its range: its output goes low with
  /// the command and high when the count is over (mode 0).
  static func interrupt(afterNanoseconds nanoseconds: UInt64) {
    let ticks = min(nanoseconds, 1_000_000_000) * frequency / 1_000_000_000 + 1
    let count = UInt16(min(ticks, UInt64(startCount)))
    port_write8(command, countOnce)
    port_write8(channel0, UInt8(truncatingIfNeeded: count))
    port_write8(channel0, UInt8(truncatingIfNeeded: count >> 8))
  }

  /// Keeps channel 0 from interrupting: without a count it waits.
  static func stop() { port_write8(command, countOnce) }
}
