// The flags of shm_open2(2) (spec abi.md, section 7; shm.md, 3.2).

/// The `shmflags` of shm_open2(2).
public struct SharedMemoryFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension SharedMemoryFlags {
  /// SHM_ALLOW_SEALING
  public static let allowSealing = SharedMemoryFlags(rawValue: 1)
  /// SHM_GROW_ON_WRITE
  public static let growOnWrite = SharedMemoryFlags(rawValue: 2)
  /// SHM_LARGEPAGE
  public static let largePage = SharedMemoryFlags(rawValue: 4)
}

extension SharedMemoryFlags {
  /// Every flag that shm_open2(2) knows.
  public static let known: SharedMemoryFlags = [.allowSealing, .growOnWrite, .largePage]
  /// SHM_ANON: the path argument that stands for a nameless object.
  public static let anonymousPath: UInt64 = 1
}
