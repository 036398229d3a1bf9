// struct timespec and struct timeval (spec abi.md, section 5): two longs both.

/// A time in whole seconds and a fraction of one.
public protocol BinaryTime: Equatable, BitwiseCopyable, Sendable {
  /// Whole seconds.
  var seconds: Int64 { get }
  /// The rest, in the unit of the structure.
  var fraction: Int64 { get }

  /// Makes a time from its two parts, unchecked.
  init(seconds: Int64, fraction: Int64)

  /// Makes a time from a count of nanoseconds, rounded down.
  init(nanoseconds total: UInt64)
}

extension BinaryTime {
  /// The size of the structure.
  public static var byteCount: Int { 16 }

  /// Writes the structure at the start of `bytes`.
  public func encode(into bytes: inout MutableRawSpan) {
    encode(into: &bytes, at: 0)
  }

  func encode(into bytes: inout MutableRawSpan, at offset: Int) {
    bytes.store(seconds, at: offset)
    bytes.store(fraction, at: offset + 8)
  }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    self.init(decoding: bytes, at: 0)
  }

  init(decoding bytes: Span<UInt8>, at offset: Int) {
    self.init(seconds: bytes.loadInt64(at: offset), fraction: bytes.loadInt64(at: offset + 8))
  }
}

/// A time in seconds and nanoseconds: `struct timespec`.
public struct Timespec: BinaryTime {
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
  /// The nanoseconds.
  public var fraction: Int64 { nanoseconds }

  /// Makes a time from its two parts, unchecked.
  public init(seconds: Int64, fraction: Int64) {
    self.init(seconds: seconds, nanoseconds: fraction)
  }
}

/// A time in seconds and microseconds: `struct timeval`.
public struct Timeval: BinaryTime {
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

  /// The microseconds.
  public var fraction: Int64 { microseconds }

  /// Makes a time from its two parts, unchecked.
  public init(seconds: Int64, fraction: Int64) {
    self.init(seconds: seconds, microseconds: fraction)
  }
}
