// kinfo_file: what sysctl(3) tells of an open file or a name (FreeBSD's sys/user.h; spec abi.md, "kinfo_file").

/// The layout of kinfo_file as it is exported: the path comes last, and the record ends behind its NUL, rounded up to 8 bytes.
public enum FileInformation {
  /// Where kf_path begins.
  public static let pathOffset = 368
  /// KF_TYPE_SHM
  static let sharedMemory: UInt32 = 8

  /// The bytes of a record with a path of so many.
  public static func byteCount(pathByteCount: Int) -> Int { (pathOffset + pathByteCount + 1 + 7) & ~7 }

  /// What comes before the path in the record of a name of shared memory.
  public static func sharedMemory(recordByteCount: Int, mode: UInt16, size: Int64) -> [368 of UInt8] {
    var bytes = [368 of UInt8](repeating: 0)
    put(UInt64(recordByteCount), into: &bytes, at: 0, byteCount: 4)
    put(UInt64(sharedMemory), into: &bytes, at: 4, byteCount: 4)
    // kf_un.kf_file: kf_file_size and kf_file_mode
    put(UInt64(bitPattern: size), into: &bytes, at: 312, byteCount: 8)
    put(UInt64(mode), into: &bytes, at: 328, byteCount: 2)
    return bytes
  }

  private static func put(_ value: UInt64, into bytes: inout [368 of UInt8], at offset: Int, byteCount: Int) {
    for index in 0..<byteCount { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }
}
