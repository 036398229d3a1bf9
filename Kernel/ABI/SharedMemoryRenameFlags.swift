// The flags of shm_rename(2) (spec abi.md, section 7; shm.md, 3.4).

/// The flags of shm_rename(2).
public struct SharedMemoryRenameFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension SharedMemoryRenameFlags {
  /// SHM_RENAME_NOREPLACE
  public static let noReplace = SharedMemoryRenameFlags(rawValue: 1)
  /// SHM_RENAME_EXCHANGE
  public static let exchange = SharedMemoryRenameFlags(rawValue: 2)
}
