// The console as everything in the kernel writes it: the serial line, and the screen where there is one, with the current column,
// so that a kernel line always begins at column 0 even when a program left its own line unfinished.
//
// While the kernel answers events, everything goes through its ring (`ConsoleOutput`). What is written here goes out at once:
// before process 1, at the end of the run, and in a panic; and then what waits in the ring goes first.

internal import MachineSupport
internal import Primitives

/// The console. One of the few pieces of state outside an object: a panic must reach it without counting references.
public enum MachineConsole {
  /// Whether the last byte sent was not a line feed. Written by one processor with interrupts off.
  nonisolated(unsafe) private static var isInsideLine = false
  /// No kernel line is shown (kernel option `quiet`); a panic is.
  nonisolated(unsafe) public static var isQuiet = false
  /// The kernel's ring, once there is one.
  nonisolated(unsafe) static var output = BackReference<ConsoleOutput>()

  /// Prepares the device.
  public static func initialize() {
    SerialLine.initialize()
  }

  /// Sends a byte; a line feed goes out as carriage return and line feed.
  static func write(_ byte: UInt8) {
    if byte == 0x0A { put(0x0D) }
    put(byte)
    unsafe isInsideLine = byte != 0x0A
  }

  private static func put(_ byte: UInt8) {
    SerialLine.write(byte)
    Screen.write(byte)
  }

  /// Sends a text as it is.
  public static func write(_ text: StaticString) {
    // SAFETY: a StaticString with a pointer representation points at constant data of this length.
    let start = unsafe text.utf8Start
    for index in 0..<text.utf8CodeUnitCount { write(unsafe start[index]) }
  }

  /// Hands bytes to the device as they are, as many as it takes at once; returns how many. When that is not all, it
  /// interrupts when it takes more.
  static func send(_ bytes: RawSpan) -> Int {
    var sent = 0
    while sent < bytes.byteCount {
      let end = min(bytes.byteCount, sent + SerialLine.room)
      if end == sent {
        SerialLine.interruptWhenEmpty()
        break
      }
      while sent < end {
        // SAFETY: the index is inside the span.
        SerialLine.put(unsafe bytes.unsafeLoad(fromByteOffset: sent, as: UInt8.self))
        sent &+= 1
      }
    }
    // SAFETY: the index is inside the span.
    if sent > 0 { unsafe isInsideLine = bytes.unsafeLoad(fromByteOffset: sent - 1, as: UInt8.self) != 0x0A }
    return sent
  }

  /// Sends what waits in the kernel's ring.
  private static func sendWaiting() {
    guard unsafe !output.isEmpty else { return }
    unsafe output.borrow { output in
      while let byte = output.takeByte() {
        SerialLine.write(byte)
        Screen.writeWaiting(byte)
        unsafe isInsideLine = byte != 0x0A
      }
    }
  }

  /// Sends everything and waits until the device has: the machine is about to stop, and what is in the device would be lost.
  static func finish() {
    sendWaiting()
    SerialLine.finish()
  }

  /// Sends a number in decimal.
  public static func write(decimal value: UInt64) {
    var digits = [20 of UInt8](repeating: 0)
    var count = 0
    var rest = value
    repeat {
      digits[count] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
      rest /= 10
      count += 1
    } while rest != 0
    while count > 0 {
      count -= 1
      write(digits[count])
    }
  }

  /// Sends a number as 0x and hexadecimal digits.
  public static func write(hexadecimal value: UInt64, digits: Int = 1) {
    write("0x")
    var shift = max((67 - value.leadingZeroBitCount) / 4, digits) * 4
    while shift > 0 {
      shift -= 4
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
      write(digit < 10 ? digit + 0x30 : digit + 0x57)
    }
  }

  /// Writes a line of a test report, unless the console is quiet.
  public static func writeTestLine(_ text: StaticString, _ value: UInt64?, _ after: StaticString, _ name: StaticString)
  {
    guard unsafe !isQuiet else { return }
    sendWaiting()
    if unsafe isInsideLine { write(0x0A) }
    write(text)
    if let value { write(decimal: value) }
    write(after)
    write(name)
    write(0x0A)
  }

  /// Begins a kernel line at column 0; one of its own failure, and all that follow, have other colours on the screen.
  static func beginLine(ofFailure isOfFailure: Bool = false) {
    sendWaiting()
    if isOfFailure { unsafe Screen.showsFailure = true }
    if unsafe isInsideLine { write(0x0A) }
    write("martlet: ")
  }
}

/// Writes a kernel line, unless the console is quiet.
public func logLine(_ text: StaticString) {
  guard unsafe !MachineConsole.isQuiet else { return }
  MachineConsole.beginLine()
  MachineConsole.write(text)
  MachineConsole.write(0x0A)
}

/// Writes a kernel line with one number in the middle, unless the console is quiet.
public func logLine(_ before: StaticString, _ value: UInt64, _ after: StaticString) {
  guard unsafe !MachineConsole.isQuiet else { return }
  MachineConsole.beginLine()
  MachineConsole.write(before)
  MachineConsole.write(decimal: value)
  MachineConsole.write(after)
  MachineConsole.write(0x0A)
}
