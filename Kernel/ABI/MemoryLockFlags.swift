// The flags of mlockall(2) (spec abi.md, section 7).

/// Flags of mlockall(2).
public struct MemoryLockFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension MemoryLockFlags {
  /// MCL_CURRENT
  public static let current = MemoryLockFlags(rawValue: 1)
  /// MCL_FUTURE
  public static let future = MemoryLockFlags(rawValue: 2)
}
