// The keyboard of a machine that has a screen: behind the 8042 controller, which translates its codes to those of the first
// set. IBM PS/2 Technical Reference, "Keyboard and Auxiliary Device Controller".
//
// Every wait is bounded: a controller that does not answer, or not as it should, is none, and start goes on without it.
//
// The controller holds one code, and its interrupt is an edge for each; the keyboard holds some more, and drops what is typed
// beyond that. So a console without room holds the keyboard back, as it does the serial line: interrupts are off, and codes
// stay where they are. Switched on again, the controller interrupts for a code that it has. Bytes of a key that are left then
// were given by a key whose code for coming up is not read yet: at the latest that one brings them.

internal import Files
internal import MachineSupport

/// The keyboard.
enum Keyboard {
  /// Whether there is one.
  nonisolated(unsafe) private(set) static var isPresent = false
  nonisolated(unsafe) private static var decoder = KeyboardDecoder()
  nonisolated(unsafe) private static var interrupts = false

  private static let data: UInt16 = 0x60
  /// Status when read, command when written.
  private static let control: UInt16 = 0x64

  private static let outputFull: UInt8 = 0x01
  private static let inputFull: UInt8 = 0x02
  /// What the data port holds is from the mouse.
  private static let isFromMouse: UInt8 = 0x20
  private static let absent: UInt8 = 0xFF

  /// Commands of the controller.
  private enum Command: UInt8 {
    case writeMode = 0x60
    case disableMouse = 0xA7
    case testController = 0xAA
    case testKeyboardLine = 0xAB
    case disableKeyboard = 0xAD
    case enableKeyboard = 0xAE
  }

  /// The mode: codes of the first set, no mouse, interrupts as they are asked for.
  private static let modeWithoutInterrupts: UInt8 = 0x64
  private static let modeWithInterrupts: UInt8 = 0x65
  private static let controllerIsGood: UInt8 = 0x55
  private static let keyboardLineIsGood: UInt8 = 0x00
  /// What makes the keyboard send codes.
  private static let startScanning: UInt8 = 0xF4

  /// How often the status is read before a wait is given up: about a tenth of a second.
  private static let patience = 100_000
  /// How many bytes may lie in the controller and behind it.
  private static let staleByteCount = 32

  /// Looks for controller and keyboard, and sets them up; interrupts stay off until `setInterrupts`.
  static func initialize() {
    guard port_read8(control) != absent, isSetUp() else { return logLine("this machine has no keyboard controller") }
    unsafe isPresent = true
  }

  private static func isSetUp() -> Bool {
    guard send(.disableKeyboard), send(.disableMouse) else { return false }
    for _ in 0..<staleByteCount where port_read8(control) & outputFull != 0 { _ = port_read8(data) }
    // The test may leave another mode than it found.
    guard send(.testController), receive() == controllerIsGood else { return false }
    guard send(.testKeyboardLine), receive() == keyboardLineIsGood else { return false }
    guard setMode(modeWithoutInterrupts), send(.enableKeyboard) else { return false }
    // Most keyboards send codes already. One that does not answer is not there, or will be plugged in later.
    if write(startScanning, to: data) { _ = receive() }
    return true
  }

  /// Chooses whether it interrupts. For a code that is there already it does so anew.
  static func setInterrupts(_ on: Bool) {
    guard unsafe isPresent, unsafe interrupts != on else { return }
    unsafe interrupts = on
    _ = setMode(on ? modeWithInterrupts : modeWithoutInterrupts)
  }

  /// The next byte typed, or nil. At most one code is looked at: for the next, the controller interrupts again.
  static func read() -> UInt8? {
    guard unsafe isPresent else { return nil }
    if let byte = unsafe decoder.takeByte() { return byte }
    let status = port_read8(control)
    guard status & outputFull != 0 else { return nil }
    let code = port_read8(data)
    guard status & isFromMouse == 0 else { return nil }
    unsafe decoder.accept(code)
    return unsafe decoder.takeByte()
  }

  private static func setMode(_ mode: UInt8) -> Bool { send(.writeMode) && write(mode, to: data) }

  private static func send(_ command: Command) -> Bool { write(command.rawValue, to: control) }

  /// Writes when the controller takes something; false when it does not.
  private static func write(_ byte: UInt8, to port: UInt16) -> Bool {
    for _ in 0..<patience where port_read8(control) & inputFull == 0 {
      port_write8(port, byte)
      return true
    }
    return false
  }

  /// What the controller answers; nil when it does not.
  private static func receive() -> UInt8? {
    for _ in 0..<patience where port_read8(control) & outputFull != 0 { return port_read8(data) }
    return nil
  }
}
