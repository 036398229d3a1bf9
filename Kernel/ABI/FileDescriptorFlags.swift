// The flags of a descriptor, as `F_GETFD` and `F_SETFD` see them (spec abi.md, section 6).

/// Flags of a descriptor (not of the open file behind it).
public struct FileDescriptorFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension FileDescriptorFlags {
  /// FD_CLOEXEC
  public static let closeOnExec = FileDescriptorFlags(rawValue: 1)
}
