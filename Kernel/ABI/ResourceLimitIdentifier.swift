// Which limit getrlimit(2) and setrlimit(2) mean (spec abi.md, section 10).

/// Names one resource limit of a process.
public struct ResourceLimitIdentifier: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension ResourceLimitIdentifier {
  /// RLIMIT_CPU
  public static let processorTime = ResourceLimitIdentifier(rawValue: 0)
  /// RLIMIT_FSIZE
  public static let fileSize = ResourceLimitIdentifier(rawValue: 1)
  /// RLIMIT_DATA
  public static let data = ResourceLimitIdentifier(rawValue: 2)
  /// RLIMIT_STACK
  public static let stack = ResourceLimitIdentifier(rawValue: 3)
  /// RLIMIT_CORE
  public static let core = ResourceLimitIdentifier(rawValue: 4)
  /// RLIMIT_RSS
  public static let residentSet = ResourceLimitIdentifier(rawValue: 5)
  /// RLIMIT_MEMLOCK
  public static let lockedMemory = ResourceLimitIdentifier(rawValue: 6)
  /// RLIMIT_NPROC
  public static let processes = ResourceLimitIdentifier(rawValue: 7)
  /// RLIMIT_NOFILE
  public static let openFiles = ResourceLimitIdentifier(rawValue: 8)
  /// RLIMIT_SBSIZE
  public static let socketBuffers = ResourceLimitIdentifier(rawValue: 9)
  /// RLIMIT_VMEM
  public static let addressSpace = ResourceLimitIdentifier(rawValue: 10)
  /// RLIMIT_NPTS
  public static let pseudoTerminals = ResourceLimitIdentifier(rawValue: 11)
  /// RLIMIT_SWAP
  public static let swap = ResourceLimitIdentifier(rawValue: 12)
  /// RLIMIT_KQUEUES
  public static let eventQueues = ResourceLimitIdentifier(rawValue: 13)
  /// RLIMIT_UMTXP
  public static let sharedLocks = ResourceLimitIdentifier(rawValue: 14)
  /// RLIMIT_PIPEBUF
  public static let pipeBuffers = ResourceLimitIdentifier(rawValue: 15)
}

extension ResourceLimitIdentifier {
  /// RLIM_NLIMITS: identifiers are below this number, anything else is EINVAL.
  public static let count: Int32 = 16
}
