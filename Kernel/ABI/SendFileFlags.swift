// The flags of sendfile(2) (spec sockets.md section 9.1).

/// Flags of sendfile(2) (`SF_…`); the upper half of the word, and those that are not here, have no effect.
public struct SendFileFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension SendFileFlags {
  /// SF_NODISKIO: a page that would have to be read from the swap device ends the call (EBUSY).
  public static let noTransfers = SendFileFlags(rawValue: 1)
  /// SF_SYNC: the call returns when the receiver has taken everything.
  public static let waitsForReceiver = SendFileFlags(rawValue: 4)
}
