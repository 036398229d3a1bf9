// The commands of fcntl(2) (spec abi.md, section 6).

/// A command of fcntl(2).
public struct FileControlCommand: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension FileControlCommand {
  /// F_DUPFD
  public static let duplicate = FileControlCommand(rawValue: 0)
  /// F_GETFD
  public static let getDescriptorFlags = FileControlCommand(rawValue: 1)
  /// F_SETFD
  public static let setDescriptorFlags = FileControlCommand(rawValue: 2)
  /// F_GETFL
  public static let getStatusFlags = FileControlCommand(rawValue: 3)
  /// F_SETFL
  public static let setStatusFlags = FileControlCommand(rawValue: 4)
  /// F_GETOWN
  public static let getOwner = FileControlCommand(rawValue: 5)
  /// F_SETOWN
  public static let setOwner = FileControlCommand(rawValue: 6)
  /// F_OGETLK
  public static let getLockOld = FileControlCommand(rawValue: 7)
  /// F_OSETLK
  public static let setLockOld = FileControlCommand(rawValue: 8)
  /// F_OSETLKW
  public static let setLockWaitOld = FileControlCommand(rawValue: 9)
  /// F_DUP2FD
  public static let duplicateTo = FileControlCommand(rawValue: 10)
  /// F_GETLK
  public static let getLock = FileControlCommand(rawValue: 11)
  /// F_SETLK
  public static let setLock = FileControlCommand(rawValue: 12)
  /// F_SETLKW
  public static let setLockWait = FileControlCommand(rawValue: 13)
  /// F_SETLK_REMOTE
  public static let setLockRemote = FileControlCommand(rawValue: 14)
  /// F_READAHEAD
  public static let readAhead = FileControlCommand(rawValue: 15)
  /// F_RDAHEAD
  public static let readAheadSwitch = FileControlCommand(rawValue: 16)
  /// F_DUPFD_CLOEXEC
  public static let duplicateCloseOnExec = FileControlCommand(rawValue: 17)
  /// F_DUP2FD_CLOEXEC
  public static let duplicateToCloseOnExec = FileControlCommand(rawValue: 18)
  /// F_ADD_SEALS
  public static let addSeals = FileControlCommand(rawValue: 19)
  /// F_GET_SEALS
  public static let getSeals = FileControlCommand(rawValue: 20)
  /// F_ISUNIONSTACK
  public static let isUnionStack = FileControlCommand(rawValue: 21)
  /// F_KINFO
  public static let kernelInformation = FileControlCommand(rawValue: 22)
}
