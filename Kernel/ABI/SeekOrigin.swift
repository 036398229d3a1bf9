// The whence of lseek(2) (spec abi.md, section 6).

/// Where an offset of lseek(2) counts from.
public struct SeekOrigin: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension SeekOrigin {
  /// SEEK_SET
  public static let start = SeekOrigin(rawValue: 0)
  /// SEEK_CUR
  public static let current = SeekOrigin(rawValue: 1)
  /// SEEK_END
  public static let end = SeekOrigin(rawValue: 2)
  /// SEEK_DATA
  public static let data = SeekOrigin(rawValue: 3)
  /// SEEK_HOLE
  public static let hole = SeekOrigin(rawValue: 4)
}
