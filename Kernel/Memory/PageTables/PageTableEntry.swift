// The x86-64 page-table entry format (Intel SDM volume 3A, section 4.5), as ordinary data.
//
// Tables have levels: 0 is the lowest, 3 the root. A leaf is an entry that maps pages: any present one of level 0, and one of
// level 1 or 2 with `large` set. All other present entries name the table below.
import ABI

/// How much one leaf maps; the raw value is the level of its table.
public enum PageSize: Int, BitwiseCopyable, Sendable {
  /// 4 KiB.
  case small
  /// 2 MiB.
  case large
  /// 1 GiB.
  case huge

  /// The size of a leaf in a table of a level below 3.
  @inline(__always)
  init(level: Int) {
    guard let size = PageSize(rawValue: level) else { preconditionFailure("a level without leaves") }
    self = size
  }

  /// Bytes that a leaf maps.
  @inline(__always)
  public var byteCount: UInt64 { PageTableEntry.coverage(level: rawValue) }
  /// Frames that a leaf maps.
  @inline(__always)
  public var frameCount: UInt32 { 1 << (9 &* UInt32(truncatingIfNeeded: rawValue)) }
}

import Primitives

/// Bits and fields of an entry of any level.
public enum PageTableEntry {
  /// The entry maps something.
  public static let present: UInt64 = 1 << 0
  /// Stores are allowed.
  public static let writable: UInt64 = 1 << 1
  /// Ring 3 may use it.
  public static let user: UInt64 = 1 << 2
  /// Stores go through to memory (devices).
  public static let writeThrough: UInt64 = 1 << 3
  /// Nothing is kept in a cache (devices).
  public static let uncached: UInt64 = 1 << 4
  /// The processor used it.
  public static let accessed: UInt64 = 1 << 5
  /// The processor stored through it.
  public static let dirty: UInt64 = 1 << 6
  /// A leaf of level 1 or 2.
  public static let large: UInt64 = 1 << 7
  /// Survives a root load.
  public static let global: UInt64 = 1 << 8
  /// The leaf keeps its page in memory (mlock(2)). The processor leaves the bit alone.
  public static let wired: UInt64 = 1 << 9
  /// Instructions may not be fetched.
  public static let noExecute: UInt64 = 1 << 63
  /// The frame's physical address.
  public static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  /// The level of the root.
  static let rootLevel = 3

  /// A leaf of a program's memory, which is being used in this way.
  @inline(__always)
  static func leaf(
    _ frame: FrameNumber, level: Int, allowing protection: Protection, for access: AccessType, isWired: Bool
  ) -> UInt64 {
    var entry = frame.address.raw | present | user | accessed
    if isWired { entry |= wired }
    if level > 0 { entry |= large }
    if protection.contains(.write) { entry |= writable }
    if !protection.contains(.execute) { entry |= noExecute }
    if access == .write { entry |= dirty }
    return entry
  }

  /// An entry that names a table; rights are left to the leaves.
  @inline(__always)
  static func table(_ frame: FrameNumber) -> UInt64 { frame.address.raw | present | writable | user }

  /// The frame that an entry names, the first of those that a leaf maps.
  @inline(__always)
  static func frame(_ entry: UInt64) -> FrameNumber { PhysicalAddress(entry & addressMask).frame }

  /// Whether an entry of a level maps pages.
  @inline(__always)
  static func isLeaf(_ entry: UInt64, level: Int) -> Bool {
    level == 0 ? entry & present != 0 : entry & (present | large) == present | large
  }

  /// The index of `address` in a table of `level`.
  @inline(__always)
  public static func index(_ address: UInt64, level: Int) -> UInt64 {
    (address >> (12 &+ 9 &* UInt64(truncatingIfNeeded: level))) & 511
  }

  /// Where the entry of `address` lies in a table of `level`.
  @inline(__always)
  static func slot(_ table: FrameNumber, _ address: UInt64, level: Int) -> PhysicalAddress {
    table.address + index(address, level: level) &* 8
  }

  /// The bit that stands for the entry of `address` in `usedGroups` of a table of `level`.
  @inline(__always)
  static func group(_ address: UInt64, level: Int) -> UInt64 {
    1 &<< (address >> (15 &+ 9 &* UInt64(truncatingIfNeeded: level)))
  }

  /// Bytes that one entry of `level` covers.
  @inline(__always)
  public static func coverage(level: Int) -> UInt64 { 1 << (12 &+ 9 &* UInt64(truncatingIfNeeded: level)) }
}
