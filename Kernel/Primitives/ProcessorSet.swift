// Which processors something concerns.

/// A set of processors, by number.
public struct ProcessorSet: OptionSet, BitwiseCopyable, Sendable {
  /// A bit for each number.
  public let rawValue: UInt64
  /// The set with these bits.
  @inline(__always)
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The processor that started the kernel: the only one today.
  public static let first = ProcessorSet(rawValue: 1)
}
