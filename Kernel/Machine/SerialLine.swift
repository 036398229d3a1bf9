// The first serial line: a 16550 at port 0x3F8, 115200 baud, 8 data bits, no parity, one stop bit.

internal import MachineSupport
internal import Memory

/// The serial line that carries the console. It has no state of its own: everything is in the device.
enum SerialLine {
  private static let data: UInt16 = 0x3F8
  private static let interruptEnable: UInt16 = 0x3F9
  private static let bufferControl: UInt16 = 0x3FA
  private static let lineControl: UInt16 = 0x3FB
  private static let modemControl: UInt16 = 0x3FC
  private static let lineStatus: UInt16 = 0x3FD

  private static let dataReady: UInt8 = 0x01
  private static let transmitterEmpty: UInt8 = 0x20

  /// Sets speed and format; interrupts of the device stay off until `setInterrupts`.
  static func initialize() {
    port_write8(interruptEnable, 0)
    port_write8(lineControl, 0x80)
    port_write8(data, 1)
    port_write8(interruptEnable, 0)
    port_write8(lineControl, 0x03)
    // Switching the queues on empties them. When input has arrived already they stay as they are, and nothing is lost.
    if port_read8(lineStatus) & dataReady == 0 { port_write8(bufferControl, 0x01) }
    port_write8(modemControl, 0x0B)
  }

  /// Chooses what the device interrupts for. Its line goes down in between, so that what is so already is an edge for the
  /// interrupt controller: a device that had one thing to say when another came would else keep its line up for ever.
  static func setInterrupts(_ events: ConsoleEvents) {
    port_write8(interruptEnable, 0)
    port_write8(interruptEnable, events.rawValue)
  }

  /// Sends one byte as it is, waiting for room. A machine without the device loses the byte after a bounded wait.
  static func write(_ byte: UInt8) {
    var attempts = 100_000
    while port_read8(lineStatus) & transmitterEmpty == 0, attempts > 0 { attempts -= 1 }
    port_write8(data, byte)
  }

  /// The next byte received, or nil. What stays in the device is not lost: the sender is held back.
  static func read() -> UInt8? {
    let status = port_read8(lineStatus)
    // All ones: there is no such device.
    guard status & dataReady != 0, status != 0xFF else { return nil }
    return port_read8(data)
  }
}
