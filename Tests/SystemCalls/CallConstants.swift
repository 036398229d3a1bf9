// What tests pass to calls most often, as it stands in a register.

import ABI

extension UInt64 {
  private static func flags(_ flags: MapFlags) -> UInt64 { UInt64(flags.rawValue) }
  private static func flags(_ flags: OpenFlags) -> UInt64 { UInt64(flags.rawValue) }

  // MARK: Protection

  static let noAccess = UInt64(Protection().rawValue)
  static let readOnly = UInt64(Protection.read.rawValue)
  static let readWrite = UInt64(Protection.read.union(.write).rawValue)

  // MARK: Mappings

  static let privateMemory = flags([.privateCopy, .anonymous] as MapFlags)
  static let sharedMemory = flags([.shared, .anonymous] as MapFlags)
  static let fixedPrivateMemory = flags([.privateCopy, .anonymous, .fixed] as MapFlags)
  static let fixedSharedMemory = flags([.shared, .anonymous, .fixed] as MapFlags)
  static let fixedPrivateFile = flags([.privateCopy, .fixed] as MapFlags)
  static let fixedSharedFile = flags([.shared, .fixed] as MapFlags)

  // MARK: Objects

  /// SHM_ANON, in place of a name.
  static let anonymousObject: UInt64 = 1
  static let readWriteFile = flags(.readWrite as OpenFlags)
  static let createReadWrite = flags([.readWrite, .create] as OpenFlags)
  static let truncateReadWrite = flags([.readWrite, .truncate] as OpenFlags)
  static let createTruncateReadWrite = flags([.readWrite, .create, .truncate] as OpenFlags)
  static let createExclusiveReadWrite = flags([.readWrite, .create, .exclusive] as OpenFlags)
}

/// Where fields of struct stat lie.
enum StatField {
  static let linkCount: UInt64 = 16
  static let size: UInt64 = 112
  static let blockCount: UInt64 = 120
}
