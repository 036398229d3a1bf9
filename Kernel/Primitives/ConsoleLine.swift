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

  /// The bytes so far.
  public var bytes: RawSpan {
    @_lifetime(borrow self) get { RawSpan(_elements: text.span).extracting(0..<count) }
  }

  /// The same, as a span of bytes.
  public var span: Span<UInt8> {
    @_lifetime(borrow self) get { text.span.extracting(0..<count) }
  }
}
