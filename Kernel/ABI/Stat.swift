// struct stat: what fstat(2) reports about an open file, in today's layout and in that of 2008 (spec abi.md, section 5).

/// The answer of fstat(2). The fields lie in memory as in today's structure; what is missing at its end is zero.
public struct Stat: Equatable, BitwiseCopyable, Sendable {
  /// st_dev
  public var device: UInt64 = 0
  /// st_ino
  public var inode: UInt64 = 0
  /// st_nlink
  public var linkCount: UInt64 = 0
  /// st_mode: file type and permissions.
  public var mode: FileMode = []
  private var paddingBehindMode: UInt16 = 0
  /// st_uid
  public var userIdentifier: UInt32 = 0
  /// st_gid
  public var groupIdentifier: UInt32 = 0
  private var paddingBehindGroup: UInt32 = 0
  /// st_rdev: the device that a device file stands for.
  public var representedDevice: UInt64 = 0
  /// st_atim: last access.
  public var accessTime = Timespec(seconds: 0, nanoseconds: 0)
  /// st_mtim: last change of the contents.
  public var modificationTime = Timespec(seconds: 0, nanoseconds: 0)
  /// st_ctim: last change of the attributes.
  public var changeTime = Timespec(seconds: 0, nanoseconds: 0)
  /// st_birthtim: creation.
  public var birthTime = Timespec(seconds: 0, nanoseconds: 0)
  /// st_size, in bytes.
  public var size: Int64 = 0
  /// st_blocks; for shared memory objects in pages.
  public var blockCount: Int64 = 0
  /// st_blksize: the preferred unit of transfer, in bytes.
  public var preferredBlockByteCount: UInt32 = 0
  private var flags: UInt32 = 0

  /// Everything zero.
  public init() {}
}

extension Stat {
  /// The size of today's structure (system call 551).
  public static let byteCount = 224

  /// What follows this value in memory to make it today's structure: st_gen and the spare words, which are zero.
  public typealias Rest = [11 of UInt64]
  /// The same, as zeros. (`init(repeating:)` would be a call and two copies.)
  @inline(__always)
  public static var noRest: Rest { [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] }

  /// Writes today's structure at the start of `bytes`.
  public func encode(into bytes: inout MutableRawSpan) {
    bytes.storeBytes(of: self, toByteOffset: 0, as: Stat.self)
    bytes.storeBytes(of: Rest(repeating: 0), toByteOffset: MemoryLayout<Stat>.size, as: Rest.self)
  }

  /// Reads today's structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    func time(_ offset: Int) -> Timespec {
      Timespec(seconds: bytes.loadInt64(at: offset), nanoseconds: bytes.loadInt64(at: offset + 8))
    }
    device = bytes.loadUInt64(at: 0)
    inode = bytes.loadUInt64(at: 8)
    linkCount = bytes.loadUInt64(at: 16)
    mode = FileMode(rawValue: bytes.loadUInt16(at: 24))
    userIdentifier = bytes.loadUInt32(at: 28)
    groupIdentifier = bytes.loadUInt32(at: 32)
    representedDevice = bytes.loadUInt64(at: 40)
    accessTime = time(48)
    modificationTime = time(64)
    changeTime = time(80)
    birthTime = time(96)
    size = bytes.loadInt64(at: 112)
    blockCount = bytes.loadInt64(at: 120)
    preferredBlockByteCount = bytes.loadUInt32(at: 128)
  }
}

/// The layout of 2008 (system call 189, today `freebsd11_stat`): the same answer in narrower fields.
public struct Stat2008: Equatable, BitwiseCopyable, Sendable {
  /// What is written; device, inode and link count are truncated to their old widths.
  public var stat: Stat

  /// Takes the answer to be written in the old layout.
  public init(_ stat: Stat) {
    self.stat = stat
  }
}

extension Stat2008 {
  /// The size of the structure.
  public static let byteCount = 120

  /// Writes the structure at the start of `bytes`, which must be zero before. Values that do not fit are truncated, as
  /// with `vfs.ino64_trunc_error` 0.
  public func encode(into bytes: inout MutableRawSpan) {
    bytes.store(UInt32(truncatingIfNeeded: stat.device), at: 0)
    bytes.store(UInt32(truncatingIfNeeded: stat.inode), at: 4)
    bytes.store(stat.mode.rawValue, at: 8)
    bytes.store(UInt16(truncatingIfNeeded: stat.linkCount), at: 10)
    bytes.store(stat.userIdentifier, at: 12)
    bytes.store(stat.groupIdentifier, at: 16)
    bytes.store(UInt32(truncatingIfNeeded: stat.representedDevice), at: 20)
    stat.accessTime.encode(into: &bytes, at: 24)
    stat.modificationTime.encode(into: &bytes, at: 40)
    stat.changeTime.encode(into: &bytes, at: 56)
    bytes.store(stat.size, at: 72)
    bytes.store(stat.blockCount, at: 80)
    bytes.store(stat.preferredBlockByteCount, at: 88)
    stat.birthTime.encode(into: &bytes, at: 104)
  }
}
