// The flags of msync(2) (spec abi.md, section 7).

/// Flags of msync(2); empty is `MS_SYNC`.
public struct SynchronizeFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension SynchronizeFlags {
  /// MS_ASYNC
  public static let asynchronous = SynchronizeFlags(rawValue: 1)
  /// MS_INVALIDATE
  public static let invalidate = SynchronizeFlags(rawValue: 2)
}
