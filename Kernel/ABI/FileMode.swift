// File types and permission bits: `mode_t` (spec abi.md, section 5).

/// A `mode_t`: file type and permissions.
public struct FileMode: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt16

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt16) {
    self.rawValue = rawValue
  }
}

extension FileMode {
  /// S_IFIFO (file type)
  public static let fifo = FileMode(rawValue: 0o010000)
  /// S_IFCHR (file type)
  public static let characterDevice = FileMode(rawValue: 0o020000)
  /// S_IFDIR (file type)
  public static let directory = FileMode(rawValue: 0o040000)
  /// S_IFBLK (file type)
  public static let blockDevice = FileMode(rawValue: 0o060000)
  /// S_IFREG (file type)
  public static let regularFile = FileMode(rawValue: 0o100000)
  /// S_IFLNK (file type)
  public static let symbolicLink = FileMode(rawValue: 0o120000)
  /// S_IFSOCK (file type)
  public static let socket = FileMode(rawValue: 0o140000)
  /// S_ISUID
  public static let setUserIdentifier = FileMode(rawValue: 0o4000)
  /// S_ISGID
  public static let setGroupIdentifier = FileMode(rawValue: 0o2000)
  /// S_ISVTX
  public static let sticky = FileMode(rawValue: 0o1000)
  /// S_IRUSR
  public static let ownerRead = FileMode(rawValue: 0o400)
  /// S_IWUSR
  public static let ownerWrite = FileMode(rawValue: 0o200)
  /// S_IXUSR
  public static let ownerExecute = FileMode(rawValue: 0o100)
  /// S_IRGRP
  public static let groupRead = FileMode(rawValue: 0o40)
  /// S_IWGRP
  public static let groupWrite = FileMode(rawValue: 0o20)
  /// S_IXGRP
  public static let groupExecute = FileMode(rawValue: 0o10)
  /// S_IROTH
  public static let otherRead = FileMode(rawValue: 0o4)
  /// S_IWOTH
  public static let otherWrite = FileMode(rawValue: 0o2)
  /// S_IXOTH
  public static let otherExecute = FileMode(rawValue: 0o1)
  /// ACCESSPERMS: the nine permission bits
  public static let accessPermissions = FileMode(rawValue: 0o777)
  /// ALLPERMS: permissions, set-id and sticky bits
  public static let allPermissions = FileMode(rawValue: 0o7777)
  /// S_IFMT: the bits of the file type
  public static let typeMask = FileMode(rawValue: 0o170000)
}

extension FileMode {
  /// CMASK: the file creation mask of process 1.
  public static let defaultCreationMask = FileMode(rawValue: 0o022)
  /// The file type bits alone, to be compared with `.regularFile` and so on.
  public var fileType: FileMode { intersection(.typeMask) }
}
