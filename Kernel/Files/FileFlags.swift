// The flags of an open file (spec abi.md, section 6): `f_flag`, which is `O_…` with the access mode as two bits.

public import ABI

/// What an open file may be used for, and how its calls behave.
public struct FileFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits of `f_flag`.
  public let rawValue: UInt32

  /// Wraps the bits of `f_flag`.
  @inline(__always)
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// The flags that open(2) flags leave in the file.
  public init(_ flags: OpenFlags) {
    let kept = flags.intersection(.keptByOpen.union(.accessModeMask))
    rawValue = kept.rawValue + 1
  }
}

extension FileFlags {
  /// FREAD: the file may be read.
  public static let read = FileFlags(rawValue: 1)
  /// FWRITE: the file may be written.
  public static let write = FileFlags(rawValue: 2)
  /// FNONBLOCK: calls give EAGAIN where they would wait.
  public static let nonBlocking = FileFlags(rawValue: OpenFlags.nonBlocking.rawValue)
  /// FASYNC: has no effect here, but is remembered.
  public static let asynchronous = FileFlags(rawValue: OpenFlags.asynchronous.rawValue)

  /// What `F_SETFL` may change.
  static let changeable = FileFlags(rawValue: OpenFlags.changeableByFileControl.rawValue)

  /// The flags as `F_GETFL` tells them.
  public var openFlags: OpenFlags { OpenFlags(rawValue: rawValue &- 1) }
}
