// The first serial line: a 16550 at port 0x3F8, 115200 baud, 8 data bits, no parity, one stop bit.

internal import MachineSupport
internal import Primitives

/// The serial line that carries the console. Of its own it keeps what it found of the device; everything else is in there.
enum SerialLine {
  /// A machine without the device is one whose host reads everything at once.
  nonisolated(unsafe) private static var isPresent = false
  /// Bytes that the device takes when its transmitter is empty.
  nonisolated(unsafe) private static var queueByteCount = 1
  /// How often the device is still asked for room before bytes are given up; nil: for ever. A host that reads slowly is
  /// waited for, but not by a panic.
  nonisolated(unsafe) static var patience: Int?

  private static let data: UInt16 = 0x3F8
  private static let interruptEnable: UInt16 = 0x3F9
  private static let bufferControl: UInt16 = 0x3FA
  private static let lineControl: UInt16 = 0x3FB
  private static let modemControl: UInt16 = 0x3FC
  private static let lineStatus: UInt16 = 0x3FD

  private static let dataReady: UInt8 = 0x01
  private static let holdingRegisterEmpty: UInt8 = 0x20
  private static let transmitterEmpty: UInt8 = 0x40
  private static let queuesAreOn: UInt8 = 0xC0
  private static let fullQueueByteCount = 16
  private static let eightBits: UInt8 = 0x03

  /// Sets speed and format; interrupts of the device stay off until `setInterrupts`.
  static func initialize() {
    port_write8(interruptEnable, 0)
    port_write8(lineControl, 0x80)
    port_write8(data, 1)
    port_write8(interruptEnable, 0)
    port_write8(lineControl, eightBits)
    unsafe isPresent = port_read8(lineControl) == eightBits
    // Switching the queues on empties them. When input has arrived already they stay as they are, and nothing is lost.
    if port_read8(lineStatus) & dataReady == 0 { port_write8(bufferControl, 0x01) }
    if port_read8(bufferControl) & queuesAreOn == queuesAreOn { unsafe queueByteCount = fullQueueByteCount }
    port_write8(modemControl, 0x0B)
  }

  /// How many bytes the device takes now: when its queue is empty, as many as that holds.
  @inline(__always)
  static var room: Int {
    if port_read8(lineStatus) & holdingRegisterEmpty != 0 { return unsafe queueByteCount }
    return unsafe isPresent ? 0 : fullQueueByteCount
  }

  /// Gives the device a byte that it has room for.
  @inline(__always)
  static func put(_ byte: UInt8) { port_write8(data, byte) }

  /// Lets the device interrupt when, or since, it has room.
  static func interruptWhenEmpty() {
    port_write8(interruptEnable, port_read8(interruptEnable) | ConsoleEvents.room.rawValue)
  }

  /// Chooses what the device interrupts for. Its line goes down in between, so that what is so already is an edge for the
  /// interrupt controller: a device that had one thing to say when another came would else keep its line up for ever.
  static func setInterrupts(_ events: ConsoleEvents) {
    port_write8(interruptEnable, 0)
    port_write8(interruptEnable, events.rawValue)
  }

  /// Sends one byte as it is, waiting for room.
  static func write(_ byte: UInt8) {
    if wait(for: holdingRegisterEmpty) { port_write8(data, byte) }
  }

  /// Waits until the device has sent everything.
  static func finish() { _ = wait(for: transmitterEmpty) }

  /// Waits for a bit of the line status; false when patience is at its end.
  private static func wait(for bit: UInt8) -> Bool {
    while unsafe isPresent && port_read8(lineStatus) & bit == 0 {
      guard let left = unsafe patience else { continue }
      if left == 0 { return false }
      unsafe patience = left - 1
    }
    return true
  }

  /// The next byte received, or nil. What stays in the device is not lost: the sender is held back.
  static func read() -> UInt8? {
    let status = port_read8(lineStatus)
    // All ones: there is no such device.
    guard status & dataReady != 0, status != 0xFF else { return nil }
    return port_read8(data)
  }
}
