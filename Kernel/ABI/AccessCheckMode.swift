// The mode of access(2) (spec abi.md, section 6).

/// What access(2) asks about; empty is `F_OK`, existence alone.
public struct AccessCheckMode: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension AccessCheckMode {
  /// X_OK
  public static let execute = AccessCheckMode(rawValue: 1)
  /// W_OK
  public static let write = AccessCheckMode(rawValue: 2)
  /// R_OK
  public static let read = AccessCheckMode(rawValue: 4)
}
