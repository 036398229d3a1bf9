// Ranges of user addresses: what may be asked for at all.

public import ABI
public import Primitives

extension UserSpace {
  /// Whether all of `count` bytes from `address` lie below the end of user space (an empty range at the end does too).
  @inline(__always)
  public static func contains(_ address: VirtualAddress, byteCount: UInt64) -> Bool {
    address.raw <= end && byteCount <= end - address.raw
  }
}

/// A page-aligned, non-empty range of user addresses.
public struct AddressRange: Equatable, BitwiseCopyable, Sendable {
  /// The first address.
  public let start: UInt64
  /// The first address behind the range.
  public let end: UInt64

  /// The smallest page-aligned range that covers `byteCount` bytes from `address`; nil when it is empty, wraps, or leaves
  /// user space.
  public init?(covering address: VirtualAddress, byteCount: UInt64) {
    guard byteCount > 0, UserSpace.contains(address, byteCount: byteCount) else { return nil }
    start = address.raw & ~Page.offsetMask
    end = (address.raw + byteCount + Page.offsetMask) & ~Page.offsetMask
  }

  @inline(__always)
  init(uncheckedStart start: UInt64, end: UInt64) {
    self.start = start
    self.end = end
  }
}
