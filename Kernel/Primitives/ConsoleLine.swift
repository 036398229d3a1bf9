// A line of text for the console, put together without allocating.

/// At most 256 bytes of text; more is cut off.
public struct ConsoleLine {
  private var text = [256 of UInt8](repeating: 0)
  private var count = 0

  /// An empty line.
  public init() {}

  /// Adds one byte.
  public mutating func append(_ byte: UInt8) {
    guard count < 256 else { return }
    text[count] = byte
    count += 1
  }

  /// Adds a text.
  public mutating func append(_ other: String) {
    for byte in other.utf8 { append(byte) }
  }

  /// Adds a number in decimal.
  public mutating func append(_ number: UInt64) {
    var divisor: UInt64 = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }

  /// Adds a number in decimal, with its sign.
  public mutating func append(_ number: Int64) {
    if number < 0 { append("-") }
    append(UInt64(number.magnitude))
  }

  /// Adds a number as 0x and hexadecimal digits.
  public mutating func append(hexadecimal number: UInt64) {
    append("0x")
    var shift = max(0, (63 - number.leadingZeroBitCount) / 4 * 4)
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
      append(digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a"))
      shift -= 4
    }
  }

  /// Adds a byte of a program: a dot for one that could pass for more than text.
  public mutating func append(printable byte: UInt8) {
    append(byte >= 0x20 && byte < 0x7F ? byte : UInt8(ascii: "."))
  }

  /// Adds another line.
  public mutating func append(_ other: ConsoleLine) {
    for index in 0..<other.count { append(other.text[index]) }
  }

  /// The bytes so far.
  public var bytes: RawSpan {
    @_lifetime(borrow self) get { RawSpan(_elements: text.span).extracting(0..<count) }
  }

  /// The same, as a span of bytes.
  public var span: Span<UInt8> {
    @_lifetime(borrow self) get { text.span.extracting(0..<count) }
  }
}
