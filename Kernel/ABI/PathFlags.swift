// The flags of calls that take a path from a descriptor on (spec abi.md, section 6).

/// Flags of fstatat(2) and its like (`AT_…`).
public struct PathFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension PathFlags {
  /// AT_EACCESS: the effective identity counts.
  public static let effectiveAccess = PathFlags(rawValue: 0x100)
  /// AT_SYMLINK_NOFOLLOW
  public static let doNotFollow = PathFlags(rawValue: 0x200)
  /// AT_REMOVEDIR: rmdir(2).
  public static let removeDirectory = PathFlags(rawValue: 0x800)
  /// AT_RESOLVE_BENEATH
  public static let beneath = PathFlags(rawValue: 0x2000)
  /// AT_EMPTY_PATH: an empty path is the descriptor itself.
  public static let emptyPath = PathFlags(rawValue: 0x4000)
}
