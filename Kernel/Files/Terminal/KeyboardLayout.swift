// The US keyboard: what stands on its keys, by their scan codes.

/// What keys give.
enum KeyboardLayout {
  /// The bit in which a capital letter differs from a small one.
  static let letterCase: UInt8 = 0x20

  /// What a key gives that is on every keyboard; nil for one without a character. Enter is a line feed, and the keypad has its
  /// digits, whatever its lock says.
  static func character(_ key: UInt8, isShifted: Bool) -> UInt8? {
    switch key {
    case 0x01: 0x1B
    case 0x02...0x0D: byte(isShifted ? "!@#$%^&*()_+" : "1234567890-=", key - 0x02)
    case 0x0E: 0x08
    case 0x0F: 0x09
    case 0x10...0x1B: byte(isShifted ? "QWERTYUIOP{}" : "qwertyuiop[]", key - 0x10)
    case 0x1C: 0x0A
    case 0x1E...0x29: byte(isShifted ? "ASDFGHJKL:\"~" : "asdfghjkl;'`", key - 0x1E)
    case 0x2B...0x35: byte(isShifted ? "|ZXCVBNM<>?" : "\\zxcvbnm,./", key - 0x2B)
    case 0x37: UInt8(ascii: "*")
    case 0x39: UInt8(ascii: " ")
    case 0x47...0x53: byte("789-456+1230.", key - 0x47)
    case 0x56: UInt8(ascii: isShifted ? "|" : "\\")
    default: nil
    }
  }

  /// What a key gives that came later, whose code has a prefix: at most four bytes.
  static func sequence(extended key: UInt8) -> String {
    switch key {
    case 0x1C: "\n"
    case 0x35: "/"
    case 0x47: "\u{1B}[H"
    case 0x48: "\u{1B}[A"
    case 0x49: "\u{1B}[5~"
    case 0x4B: "\u{1B}[D"
    case 0x4D: "\u{1B}[C"
    case 0x4F: "\u{1B}[F"
    case 0x50: "\u{1B}[B"
    case 0x51: "\u{1B}[6~"
    case 0x52: "\u{1B}[2~"
    case 0x53: "\u{1B}[3~"
    default: ""
    }
  }

  /// Whether a character is a letter.
  static func isLetter(_ character: UInt8) -> Bool {
    let small = character | letterCase
    return small >= UInt8(ascii: "a") && small <= UInt8(ascii: "z")
  }

  /// What a key gives with control: the control character below it, where there is one.
  static func control(_ character: UInt8) -> UInt8 {
    switch character {
    case 0x20: 0
    case 0x3F: 0x7F
    case 0x40..<0x7F: character & 0x1F
    default: character
    }
  }

  private static func byte(_ text: String, _ index: UInt8) -> UInt8? {
    var left = index
    for byte in text.utf8 {
      if left == 0 { return byte }
      left -= 1
    }
    return nil
  }
}
