// struct rusage and struct rlimit (spec abi.md, section 10).

/// What a process has used: `struct rusage`. Fields that this kernel does not count stay zero.
public struct Rusage: Equatable, BitwiseCopyable, Sendable {
  /// ru_utime: time spent in ring 3.
  public var userTime = Timeval(seconds: 0, microseconds: 0)
  /// ru_stime: time spent in the kernel for the process.
  public var systemTime = Timeval(seconds: 0, microseconds: 0)
  /// ru_maxrss: the largest resident size, in KiB.
  public var maximumResidentKibibytes: Int64 = 0
  /// ru_minflt: page faults that needed no input.
  public var minorFaults: Int64 = 0
  /// ru_majflt: page faults that read from swap.
  public var majorFaults: Int64 = 0
  /// ru_nsignals: signals received.
  public var signals: Int64 = 0
  /// ru_nvcsw: times the process waited.
  public var voluntarySwitches: Int64 = 0
  /// ru_nivcsw: times the process was preempted.
  public var involuntarySwitches: Int64 = 0

  /// Nothing used yet.
  public init() {}
}

extension Rusage {
  /// RUSAGE_SELF: what the process used.
  public static let ofProcess: Int32 = 0
  /// RUSAGE_CHILDREN: what children used that were waited for.
  public static let ofChildren: Int32 = -1
  /// RUSAGE_THREAD: what the calling thread used.
  public static let ofThread: Int32 = 1

  /// The size of the structure.
  public static let byteCount = 144

  /// Writes the structure at the start of `bytes`, which must be zero before.
  public func encode(into bytes: inout MutableRawSpan) {
    userTime.encode(into: &bytes, at: 0)
    systemTime.encode(into: &bytes, at: 16)
    bytes.store(maximumResidentKibibytes, at: 32)
    bytes.store(minorFaults, at: 64)
    bytes.store(majorFaults, at: 72)
    bytes.store(signals, at: 120)
    bytes.store(voluntarySwitches, at: 128)
    bytes.store(involuntarySwitches, at: 136)
  }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    userTime = Timeval(decoding: bytes, at: 0)
    systemTime = Timeval(decoding: bytes, at: 16)
    maximumResidentKibibytes = bytes.loadInt64(at: 32)
    minorFaults = bytes.loadInt64(at: 64)
    majorFaults = bytes.loadInt64(at: 72)
    signals = bytes.loadInt64(at: 120)
    voluntarySwitches = bytes.loadInt64(at: 128)
    involuntarySwitches = bytes.loadInt64(at: 136)
  }
}

/// A soft and a hard limit: `struct rlimit`.
public struct ResourceLimit: Equatable, BitwiseCopyable, Sendable {
  /// rlim_cur: what is enforced.
  public var soft: Int64
  /// rlim_max: how far the soft limit may be raised without privilege.
  public var hard: Int64

  /// RLIM_INFINITY
  public static let infinity = Int64.max

  /// Makes a pair of limits, unchecked.
  public init(soft: Int64, hard: Int64) {
    self.soft = soft
    self.hard = hard
  }
}

extension ResourceLimit {
  /// The size of the structure.
  public static let byteCount = 16

  /// Writes the structure at the start of `bytes`.
  public func encode(into bytes: inout MutableRawSpan) {
    bytes.store(soft, at: 0)
    bytes.store(hard, at: 8)
  }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    self.init(soft: bytes.loadInt64(at: 0), hard: bytes.loadInt64(at: 8))
  }
}
