// The flags of mmap(2) (spec abi.md, section 7).

/// Flags of mmap(2). Bits 24 to 31 are not flags but the alignment: see `alignmentShift`.
public struct MapFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits of the C int.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension MapFlags {
  /// MAP_SHARED
  public static let shared = MapFlags(rawValue: 0x1)
  /// MAP_PRIVATE = MAP_COPY
  public static let privateCopy = MapFlags(rawValue: 0x2)
  /// MAP_FIXED
  public static let fixed = MapFlags(rawValue: 0x10)
  /// MAP_HASSEMAPHORE
  public static let hasSemaphore = MapFlags(rawValue: 0x200)
  /// MAP_STACK
  public static let stack = MapFlags(rawValue: 0x400)
  /// MAP_NOSYNC
  public static let noSynchronization = MapFlags(rawValue: 0x800)
  /// MAP_ANON = MAP_ANONYMOUS
  public static let anonymous = MapFlags(rawValue: 0x1000)
  /// MAP_GUARD
  public static let guardRange = MapFlags(rawValue: 0x2000)
  /// MAP_EXCL
  public static let exclusive = MapFlags(rawValue: 0x4000)
  /// MAP_NOCORE
  public static let noCore = MapFlags(rawValue: 0x2_0000)
  /// MAP_PREFAULT_READ
  public static let prefaultRead = MapFlags(rawValue: 0x4_0000)
  /// MAP_32BIT
  public static let low32Bit = MapFlags(rawValue: 0x8_0000)
}

extension MapFlags {
  /// Bits 0x20 and 0x40: reserved, ignored.
  public static let ignored = MapFlags(rawValue: 0x60)
  /// The eight bits of the alignment field.
  public static let alignmentMask = MapFlags(rawValue: 0xff00_0000)

  /// The alignment field: 0 none, 1 `MAP_ALIGNED_SUPER`, else the logarithm to base two of the alignment in bytes.
  public var alignmentShift: UInt32 { rawValue >> 24 }
  /// The value of the alignment field that means `MAP_ALIGNED_SUPER`.
  public static let superpageAlignmentShift: UInt32 = 1

  /// Every flag that today's mmap(2) accepts, apart from the ignored ones and the alignment.
  public static let known: MapFlags = [
    .shared, .privateCopy, .fixed, .hasSemaphore, .stack, .noSynchronization, .anonymous, .guardRange, .exclusive,
    .noCore, .prefaultRead, .low32Bit,
  ]
}
