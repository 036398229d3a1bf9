// The byte per page that mincore(2) reports (spec abi.md, section 7).

/// What mincore(2) reports about one page.
public struct PageResidence: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt8

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }
}

extension PageResidence {
  /// MINCORE_INCORE
  public static let inCore = PageResidence(rawValue: 0x1)
  /// MINCORE_REFERENCED
  public static let referenced = PageResidence(rawValue: 0x2)
  /// MINCORE_MODIFIED
  public static let modified = PageResidence(rawValue: 0x4)
  /// MINCORE_REFERENCED_OTHER
  public static let referencedByOther = PageResidence(rawValue: 0x8)
  /// MINCORE_MODIFIED_OTHER
  public static let modifiedByOther = PageResidence(rawValue: 0x10)
  /// MINCORE_SUPER, the mask of the page size index
  public static let superMask = PageResidence(rawValue: 0x60)
}
