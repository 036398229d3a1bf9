// The x86-64 page-table entry format (Intel SDM volume 3A, section 4.5), as ordinary data.

import Primitives

/// Bits and fields of an entry of any level.
public enum PageTableEntry {
  /// The entry maps something.
  public static let present: UInt64 = 1 << 0
  /// Stores are allowed.
  public static let writable: UInt64 = 1 << 1
  /// Ring 3 may use it.
  public static let user: UInt64 = 1 << 2
  /// The processor used it.
  public static let accessed: UInt64 = 1 << 5
  /// The processor stored through it.
  public static let dirty: UInt64 = 1 << 6
  /// Maps a large page (levels 1 and 2).
  public static let large: UInt64 = 1 << 7
  /// Survives a root load.
  public static let global: UInt64 = 1 << 8
  /// Instructions may not be fetched.
  public static let noExecute: UInt64 = 1 << 63
  /// The frame's physical address.
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000

  /// The frame that an entry names.
  @inline(__always)
  static func frame(_ entry: UInt64) -> FrameNumber { PhysicalAddress(entry & addressMask).frame }

  /// The index of `address` in a table of `level` (0 is the lowest).
  @inline(__always)
  static func index(_ address: UInt64, level: Int) -> UInt64 {
    (address >> (12 &+ 9 &* UInt64(truncatingIfNeeded: level))) & 511
  }

  /// The bit that stands for the entry of `address` in `usedGroups` of a table of `level`.
  @inline(__always)
  static func group(_ address: UInt64, level: Int) -> UInt64 {
    1 &<< (address >> (15 &+ 9 &* UInt64(truncatingIfNeeded: level)))
  }

  /// Bytes that one entry of `level` covers.
  @inline(__always)
  static func coverage(level: Int) -> UInt64 { 1 << (12 &+ 9 &* UInt64(truncatingIfNeeded: level)) }
}
