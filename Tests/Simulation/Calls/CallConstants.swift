// What scripts pass to calls most often, by name. An argument is a plain number, so that wrong ones can be written down too.

import ABI

extension UInt32 {
  private static func flags(_ flags: MapFlags) -> UInt32 { flags.rawValue }
  private static func flags(_ flags: OpenFlags) -> UInt32 { UInt32(flags.rawValue) }

  // MARK: Protection

  static let noAccess = UInt32(Protection().rawValue)
  static let readOnly = UInt32(Protection.read.rawValue)
  static let readWrite = UInt32(Protection.read.union(.write).rawValue)

  // MARK: Mappings

  static let sharedFile = flags([.shared] as MapFlags)
  static let privateFile = flags([.privateCopy] as MapFlags)
  static let fixedSharedFile = flags([.shared, .fixed] as MapFlags)
  static let fixedPrivateFile = flags([.privateCopy, .fixed] as MapFlags)
  static let sharedMemory = flags([.shared, .anonymous] as MapFlags)
  static let privateMemory = flags([.privateCopy, .anonymous] as MapFlags)
  static let fixedSharedMemory = flags([.shared, .anonymous, .fixed] as MapFlags)
  static let fixedPrivateMemory = flags([.privateCopy, .anonymous, .fixed] as MapFlags)
  static let guardRange = flags([.guardRange] as MapFlags)

  // MARK: Opening

  static let readOnlyFile = flags([] as OpenFlags)
  static let readWriteFile = flags([.readWrite] as OpenFlags)
  static let createReadWrite = flags([.readWrite, .create] as OpenFlags)
  static let truncateReadWrite = flags([.readWrite, .truncate] as OpenFlags)
  static let createExclusiveReadWrite = flags([.readWrite, .create, .exclusive] as OpenFlags)
}
