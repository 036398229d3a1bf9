// Printing without String: a line of text is gathered in a buffer of fixed size and written in one call.

public import ABI

/// A piece of text, made from a literal with interpolated numbers, static strings and errors. What does not fit is cut.
public struct Message: ExpressibleByStringInterpolation {
  var text: Text

  /// Takes a literal without interpolation.
  public init(stringLiteral value: StaticString) {
    text = Text()
    text.append(value)
  }

  /// Takes a literal with interpolation.
  public init(stringInterpolation: Text) {
    text = stringInterpolation
  }

  /// The text while it is being put together.
  public struct Text: StringInterpolationProtocol {
    var bytes = InlineArray<240, UInt8>(repeating: 0)
    var count = 0

    init() {}

    /// Starts an empty text.
    public init(literalCapacity: Int, interpolationCount: Int) {}

    mutating func append(_ byte: UInt8) {
      guard count < bytes.count else { return }
      bytes[count] = byte
      count += 1
    }

    mutating func append(_ string: StaticString) {
      for index in 0..<string.utf8CodeUnitCount {
        // SAFETY: the index lies inside the literal.
        append(unsafe string.utf8Start[index])
      }
    }

    mutating func append(_ value: UInt64, radix: UInt64) {
      var digits = InlineArray<64, UInt8>(repeating: 0)
      var count = 0
      var rest = value
      repeat {
        let digit = UInt8(rest % radix)
        digits[count] = digit < 10 ? 0x30 + digit : 0x57 + digit
        count += 1
        rest /= radix
      } while rest != 0
      for index in (0..<count).reversed() { append(digits[index]) }
    }

    /// The literal parts.
    public mutating func appendLiteral(_ literal: StaticString) { append(literal) }
    /// A static string.
    public mutating func appendInterpolation(_ string: StaticString) { append(string) }
    /// A number in decimal.
    public mutating func appendInterpolation(_ value: some FixedWidthInteger) {
      if value < 0 { append(0x2d) }
      append(UInt64(value.magnitude), radix: 10)
    }
    /// A number in hexadecimal, with 0x before it.
    public mutating func appendInterpolation(hexadecimal value: UInt64) {
      append("0x")
      append(value, radix: 16)
    }
    /// Permissions in octal.
    public mutating func appendInterpolation(_ mode: FileMode) {
      append(UInt64(mode.rawValue), radix: 8)
    }
    /// An error, as its number.
    public mutating func appendInterpolation(_ error: Errno) {
      append("errno ")
      append(UInt64(error.rawValue), radix: 10)
    }
    /// Bytes of text as they are.
    public mutating func appendInterpolation(_ bytes: Span<UInt8>) {
      for index in bytes.indices { append(bytes[index]) }
    }
  }
}

/// Writes a line to a descriptor, standard output unless told otherwise. Output that cannot be written is lost.
public func printLine(_ message: consuming Message, to descriptor: FileDescriptor = .standardOutput) {
  if message.text.count == message.text.bytes.count { message.text.count -= 1 }
  message.text.append(0x0a)
  var done = 0
  while done < message.text.count {
    let rest = message.text.bytes.span.extracting(done..<message.text.count)
    guard let count = try? descriptor.write(rest), count > 0 else { return }
    done += count
  }
}
