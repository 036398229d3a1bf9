// The advice of madvise(2) (spec abi.md, section 7).

/// What a program says about its use of memory, to madvise(2).
public struct MemoryAdvice: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension MemoryAdvice {
  /// MADV_NORMAL
  public static let normal = MemoryAdvice(rawValue: 0)
  /// MADV_RANDOM
  public static let random = MemoryAdvice(rawValue: 1)
  /// MADV_SEQUENTIAL
  public static let sequential = MemoryAdvice(rawValue: 2)
  /// MADV_WILLNEED
  public static let willNeed = MemoryAdvice(rawValue: 3)
  /// MADV_DONTNEED
  public static let dontNeed = MemoryAdvice(rawValue: 4)
  /// MADV_FREE
  public static let free = MemoryAdvice(rawValue: 5)
  /// MADV_NOSYNC
  public static let noSynchronization = MemoryAdvice(rawValue: 6)
  /// MADV_AUTOSYNC
  public static let automaticSynchronization = MemoryAdvice(rawValue: 7)
  /// MADV_NOCORE
  public static let noCore = MemoryAdvice(rawValue: 8)
  /// MADV_CORE
  public static let core = MemoryAdvice(rawValue: 9)
  /// MADV_PROTECT
  public static let protect = MemoryAdvice(rawValue: 10)
}
