// Typed numbers for places in memory: frames, physical and virtual addresses, and what a page is.

/// The size of a page and of a frame, and arithmetic on it.
public enum Page {
  /// Bytes in a page.
  public static let byteCount: UInt64 = 4096
  /// The shift between a page number and its address.
  public static let shift: UInt64 = 12
  /// The bits of an address inside its page.
  public static let offsetMask: UInt64 = 4095

  /// The number of pages that `byteCount` bytes need, for every value up to 2^64−1.
  @inline(__always)
  public static func count(covering byteCount: UInt64) -> UInt64 {
    (byteCount >> shift) &+ (byteCount & offsetMask == 0 ? 0 : 1)
  }
}

/// The number of a physical page frame: its physical address divided by the size of a page.
public struct FrameNumber: Equatable, BitwiseCopyable, Sendable {
  /// The number itself.
  public let raw: UInt32

  /// Wraps a number.
  @inline(__always)
  public init(_ raw: UInt32) {
    self.raw = raw
  }

  /// Stands for "no frame" in links.
  public static let none = FrameNumber(UInt32.max)

  /// The physical address of the frame's first byte.
  @inline(__always)
  public var address: PhysicalAddress { PhysicalAddress(UInt64(raw) << Page.shift) }
}

/// A contiguous part of physical memory, in frames.
public struct FrameRange: BitwiseCopyable, Sendable {
  /// The first frame.
  public let start: UInt32
  /// The frame behind the last.
  public let end: UInt32
  /// Makes the range `start ..< end`.
  public init(start: UInt32, end: UInt32) {
    self.start = start
    self.end = end
  }
}

/// A physical byte address.
public struct PhysicalAddress: Equatable, BitwiseCopyable, Sendable {
  /// The address itself.
  public let raw: UInt64

  /// Wraps an address.
  @inline(__always)
  public init(_ raw: UInt64) {
    self.raw = raw
  }

  /// The frame that holds the byte.
  @inline(__always)
  public var frame: FrameNumber { FrameNumber(UInt32(truncatingIfNeeded: raw >> Page.shift)) }
  /// The byte's distance from the start of its frame.
  @inline(__always)
  public var pageOffset: UInt64 { raw & Page.offsetMask }

  /// The address `byteCount` bytes further on.
  @inline(__always)
  public static func + (left: PhysicalAddress, byteCount: UInt64) -> PhysicalAddress {
    PhysicalAddress(left.raw + byteCount)
  }
}

/// An address in an address space. Any 64-bit value may come from a program; being one says nothing about validity.
public struct VirtualAddress: Equatable, BitwiseCopyable, Sendable {
  /// The address itself.
  public let raw: UInt64

  /// Wraps an address.
  @inline(__always)
  public init(_ raw: UInt64) {
    self.raw = raw
  }

  /// The distance from the start of the page.
  @inline(__always)
  public var pageOffset: UInt64 { raw & Page.offsetMask }
}
