// What mmap(2) asks an open file, and what the file answers (spec shm.md, 3.11, step 16).

public import ABI
public import Memory
import Primitives

/// A mapping that a program wants.
public struct MappingQuery: Sendable {
  /// Whether stores reach the file.
  public let sharing: Sharing
  /// The protection to begin with.
  public let protection: Protection
  /// What the program itself allows at most (PROT_MAX), or everything.
  public let maximumProtection: Protection
  /// Bytes, rounded up to whole pages.
  public let byteCount: UInt64
  /// Where the mapping begins in the file, a multiple of the page size.
  public let offset: Int64

  /// Describes a mapping.
  public init(
    sharing: Sharing, protection: Protection, maximumProtection: Protection = .all, byteCount: UInt64,
    offset: Int64
  ) {
    self.sharing = sharing
    self.protection = protection
    self.maximumProtection = maximumProtection
    self.byteCount = byteCount
    self.offset = offset
  }
}

/// What is to be mapped.
public struct FileMapping: ~Copyable {
  /// The object; nil means fresh zeros, as for MAP_ANON.
  public var object: VMObjectReference?
  /// The page of the object at the start of the mapping.
  public let pageOffset: UInt64
  /// What mprotect(2) may allow at most.
  public let maximumProtection: Protection
  /// Whether it is shown by large pages, so that it has to lie between two of them (spec shm.md, 3.11).
  public let hasLargePages: Bool
  /// Whether the mapping counts among the writable ones that forbid F_SEAL_WRITE.
  public let countsAsWritable: Bool

  init(
    object: consuming VMObjectReference?, pageOffset: UInt64, maximumProtection: Protection, countsAsWritable: Bool,
    hasLargePages: Bool = false
  ) {
    self.object = object
    self.pageOffset = pageOffset
    self.maximumProtection = maximumProtection
    self.countsAsWritable = countsAsWritable
    self.hasLargePages = hasLargePages
  }
}
