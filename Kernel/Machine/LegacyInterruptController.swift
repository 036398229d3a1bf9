// The two 8259 interrupt controllers: moved off the exception vectors, everything masked but the serial line, the keyboard where
// there is one, and the interval timer where there is no local interrupt controller.

internal import MachineSupport

/// The 8259 pair.
enum LegacyInterruptController {
  static let timerLine: UInt8 = 0
  static let keyboardLine: UInt8 = 1
  static let serialLine: UInt8 = 4
  private static let cascadeLine: UInt8 = 2
  private static let spuriousLine: UInt8 = 7

  private static let command1: UInt16 = 0x20
  private static let data1: UInt16 = 0x21
  private static let command2: UInt16 = 0xA0
  private static let data2: UInt16 = 0xA1
  private static let endOfInterrupt: UInt8 = 0x20
  private static let readInService: UInt8 = 0x0B

  /// Programs both, with every line masked. Returns whether they are there: what was written can be read again.
  static func initialize() -> Bool {
    port_write8(command1, 0x11)
    port_write8(command2, 0x11)
    port_write8(data1, UInt8(VECTOR_LEGACY_BASE))
    port_write8(data2, UInt8(VECTOR_LEGACY_BASE) + 8)
    port_write8(data1, 1 << cascadeLine)
    port_write8(data2, cascadeLine)
    port_write8(data1, 0x01)
    port_write8(data2, 0x01)
    port_write8(data2, 0xFF)
    port_write8(data1, 0xFF & ~(1 << cascadeLine))
    let isPresent = port_read8(data1) == 0xFF & ~(1 << cascadeLine)
    port_write8(data1, 0xFF)
    return isPresent
  }

  /// Lets a line of the first controller through.
  static func unmask(_ line: UInt8) {
    port_write8(data1, port_read8(data1) & ~(1 << line))
  }

  /// Ends the interrupt of a line. Returns false when it was spurious: the controller has no such line in service.
  static func acknowledge(_ line: UInt8) -> Bool {
    let isSecond = line >= 8
    if line & 7 == spuriousLine {
      let port = isSecond ? command2 : command1
      port_write8(port, readInService)
      if port_read8(port) & 0x80 == 0 {
        // The first controller did see a spurious interrupt of the second.
        if isSecond { port_write8(command1, endOfInterrupt) }
        return false
      }
    }
    if isSecond { port_write8(command2, endOfInterrupt) }
    port_write8(command1, endOfInterrupt)
    return true
  }
}
