// kinfo_vmentry: what sysctl(3) tells of a mapping (KERN_PROC_VMMAP; FreeBSD's sys/user.h).

/// What a mapping shows (KVME_TYPE_*).
public enum MappingInformationType: UInt32, Sendable {
  /// KVME_TYPE_NONE: nothing yet.
  case none = 0
  /// KVME_TYPE_VNODE: a file.
  case file = 2
  /// KVME_TYPE_SWAP: pages that can go to swap.
  case swap = 3
  /// KVME_TYPE_GUARD: what is kept free.
  case guardRange = 9
}

/// What is said of a mapping (KVME_FLAG_*).
public struct MappingInformationFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// KVME_FLAG_COW
  public static let copyOnWrite = MappingInformationFlags(rawValue: 1)
  /// KVME_FLAG_NEEDS_COPY
  public static let needsCopy = MappingInformationFlags(rawValue: 2)
  /// KVME_FLAG_NOCOREDUMP
  public static let noCore = MappingInformationFlags(rawValue: 4)
  /// KVME_FLAG_GROWS_DOWN
  public static let growsDown = MappingInformationFlags(rawValue: 0x20)
  /// KVME_FLAG_USER_WIRED
  public static let wired = MappingInformationFlags(rawValue: 0x40)
  /// KVME_FLAG_POSIXSHM
  public static let sharedMemory = MappingInformationFlags(rawValue: 0x100)
}

/// What comes before the path in a kinfo_vmentry, which is exported like a kinfo_file.
public struct MappingInformation: Sendable {
  /// The structure up to kve_path.
  public private(set) var bytes = [136 of UInt8](repeating: 0)

  /// Where kve_path begins.
  public static let pathOffset = 136

  /// The bytes of a record with a path of so many.
  public static func byteCount(pathByteCount: Int) -> Int { (pathOffset + pathByteCount + 1 + 7) & ~7 }

  /// A mapping.
  ///
  /// - Parameters:
  ///   - offset: in bytes, where it begins in what it shows.
  ///   - residentCount: its pages that are in memory.
  ///   - privateCount: pages in memory of the object that it shows.
  public init(
    _ type: MappingInformationType, start: UInt64, end: UInt64, offset: UInt64, _ flags: MappingInformationFlags,
    _ protection: Protection, residentCount: Int, privateCount: Int, referenceCount: Int, shadowCount: Int
  ) {
    bytes.store(type.rawValue, at: 4)
    bytes.store(start, at: 8)
    bytes.store(end, at: 16)
    bytes.store(offset, at: 24)
    bytes.store(flags.rawValue, at: 44)
    bytes.store(Int32(truncatingIfNeeded: residentCount), at: 48)
    bytes.store(Int32(truncatingIfNeeded: privateCount), at: 52)
    bytes.store(protection.rawValue, at: 56)
    bytes.store(Int32(truncatingIfNeeded: referenceCount), at: 60)
    bytes.store(Int32(truncatingIfNeeded: shadowCount), at: 64)
  }

  /// What is said of the file that it shows: kve_vn_fileid and its like.
  public mutating func setNode(_ type: NodeInformationType, _ status: Stat) {
    bytes.store(status.inode, at: 32)
    bytes.store(type.rawValue, at: 68)
    bytes.store(status.size, at: 72)
    bytes.store(status.mode.rawValue, at: 84)
    // KF_ATTR_VALID
    bytes.store(UInt16(1), at: 86)
    bytes.store(status.device, at: 88)
  }

  /// kve_structsize
  public mutating func setByteCount(_ byteCount: Int) { bytes.store(UInt32(byteCount), at: 0) }
}
