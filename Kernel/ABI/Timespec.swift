// struct timespec and struct timeval (spec abi.md, section 5).

/// A time in seconds and nanoseconds: `struct timespec`.
public struct Timespec: Equatable, BitwiseCopyable, Sendable {
  /// Whole seconds.
  public var seconds: Int64
  /// The rest, 0 through 999,999,999 where a call accepts the value (`isValid`).
  public var nanoseconds: Int64

  /// Makes a time from its two parts, unchecked.
  public init(seconds: Int64, nanoseconds: Int64) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  /// Makes a time from a count of nanoseconds.
  public init(nanoseconds total: UInt64) {
    seconds = Int64(total / 1_000_000_000)
    nanoseconds = Int64(total % 1_000_000_000)
  }

  /// The time as a count of nanoseconds, as far as one can be represented; 0 for a negative one.
  public var clampedNanoseconds: UInt64 {
    if seconds < 0 { return 0 }
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, more) = whole.addingReportingOverflow(UInt64(max(0, nanoseconds)))
    return overflow || more ? UInt64.max : sum
  }

  /// Whether the nanoseconds are in range; nanosleep(2) answers EINVAL where they are not.
  public var isValid: Bool { nanoseconds >= 0 && nanoseconds < 1_000_000_000 }
}

extension Timespec {
  /// The size of the structure.
  public static let byteCount = 16

  /// Writes the structure at the start of `bytes`.
  public func encode(into bytes: inout MutableRawSpan) {
    encode(into: &bytes, at: 0)
  }

  func encode(into bytes: inout MutableRawSpan, at offset: Int) {
    bytes.store(seconds, at: offset)
    bytes.store(nanoseconds, at: offset + 8)
  }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    self.init(seconds: bytes.loadInt64(at: 0), nanoseconds: bytes.loadInt64(at: 8))
  }
}

/// A time in seconds and microseconds: `struct timeval`.
public struct Timeval: Equatable, BitwiseCopyable, Sendable {
  /// Whole seconds.
  public var seconds: Int64
  /// The rest, 0 through 999,999.
  public var microseconds: Int64

  /// Makes a time from its two parts, unchecked.
  public init(seconds: Int64, microseconds: Int64) {
    self.seconds = seconds
    self.microseconds = microseconds
  }

  /// Makes a time from a count of nanoseconds, rounded down.
  public init(nanoseconds total: UInt64) {
    seconds = Int64(total / 1_000_000_000)
    microseconds = Int64(total % 1_000_000_000 / 1000)
  }
}

extension Timeval {
  /// The time as a count of nanoseconds, as far as one can be represented; 0 for a negative one.
  public var clampedNanoseconds: UInt64 {
    Timespec(seconds: seconds, nanoseconds: max(0, min(microseconds, 999_999)) * 1000).clampedNanoseconds
  }

  /// Whether the microseconds are in range and the seconds are not negative.
  public var isValid: Bool { seconds >= 0 && microseconds >= 0 && microseconds < 1_000_000 }

  /// The size of the structure.
  public static let byteCount = 16

  /// Writes the structure at the start of `bytes`.
  public func encode(into bytes: inout MutableRawSpan) {
    encode(into: &bytes, at: 0)
  }

  func encode(into bytes: inout MutableRawSpan, at offset: Int) {
    bytes.store(seconds, at: offset)
    bytes.store(microseconds, at: offset + 8)
  }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    self.init(seconds: bytes.loadInt64(at: 0), microseconds: bytes.loadInt64(at: 8))
  }
}
