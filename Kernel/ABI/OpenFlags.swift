// The flags of open(2) and shm_open(2) (spec abi.md, section 6).

/// Flags of open(2), shm_open(2), pipe2(2) and of `F_GETFL`/`F_SETFL`.
///
/// The low two bits are not flags but the access mode: see `accessMode`.
public struct OpenFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The C int, bit for bit.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension OpenFlags {
  /// O_WRONLY (access mode)
  public static let writeOnly = OpenFlags(rawValue: 0x1)
  /// O_RDWR (access mode)
  public static let readWrite = OpenFlags(rawValue: 0x2)
  /// O_NONBLOCK
  public static let nonBlocking = OpenFlags(rawValue: 0x4)
  /// O_APPEND
  public static let append = OpenFlags(rawValue: 0x8)
  /// O_SHLOCK
  public static let sharedLock = OpenFlags(rawValue: 0x10)
  /// O_EXLOCK
  public static let exclusiveLock = OpenFlags(rawValue: 0x20)
  /// O_ASYNC
  public static let asynchronous = OpenFlags(rawValue: 0x40)
  /// O_SYNC = O_FSYNC
  public static let synchronous = OpenFlags(rawValue: 0x80)
  /// O_NOFOLLOW
  public static let noFollow = OpenFlags(rawValue: 0x100)
  /// O_CREAT
  public static let create = OpenFlags(rawValue: 0x200)
  /// O_TRUNC
  public static let truncate = OpenFlags(rawValue: 0x400)
  /// O_EXCL
  public static let exclusive = OpenFlags(rawValue: 0x800)
  /// O_NOCTTY
  public static let noControllingTerminal = OpenFlags(rawValue: 0x8000)
  /// O_DIRECT
  public static let direct = OpenFlags(rawValue: 0x0001_0000)
  /// O_DIRECTORY
  public static let directory = OpenFlags(rawValue: 0x0002_0000)
  /// O_EXEC = O_SEARCH
  public static let execute = OpenFlags(rawValue: 0x0004_0000)
  /// O_TTY_INIT
  public static let terminalInitialize = OpenFlags(rawValue: 0x0008_0000)
  /// O_CLOEXEC
  public static let closeOnExec = OpenFlags(rawValue: 0x0010_0000)
  /// O_VERIFY
  public static let verify = OpenFlags(rawValue: 0x0020_0000)
  /// O_PATH
  public static let path = OpenFlags(rawValue: 0x0040_0000)
  /// O_RESOLVE_BENEATH
  public static let resolveBeneath = OpenFlags(rawValue: 0x0080_0000)
  /// O_DSYNC
  public static let dataSynchronous = OpenFlags(rawValue: 0x0100_0000)
  /// O_EMPTY_PATH
  public static let emptyPath = OpenFlags(rawValue: 0x0200_0000)
}

extension OpenFlags {
  /// O_RDONLY: no bit at all.
  public static let readOnly: OpenFlags = []
  /// O_ACCMODE, the bits of the access mode.
  public static let accessModeMask = OpenFlags(rawValue: 0x3)

  /// The access mode in the low two bits.
  public var accessMode: AccessMode { AccessMode(rawValue: rawValue & OpenFlags.accessModeMask.rawValue) }

  /// FRDAHEAD, which `F_SETFL` and `F_GETFL` show in the place of O_CREAT.
  public static let readAhead = OpenFlags(rawValue: 0x200)

  /// What open(2) leaves in the file besides the access mode: O_APPEND, O_ASYNC, O_FSYNC, O_DSYNC, O_NONBLOCK, O_DIRECT.
  public static let keptByOpen: OpenFlags = [
    .append, .asynchronous, .synchronous, .dataSynchronous, .nonBlocking, .direct,
  ]

  /// What `F_SETFL` may change: the same, and the read-ahead bit (spec abi.md, section 6).
  public static let changeableByFileControl: OpenFlags = [
    .append, .asynchronous, .synchronous, .dataSynchronous, .nonBlocking, .direct, .readAhead,
  ]
}

/// The access mode of an open file: the low two bits of `OpenFlags`.
public struct AccessMode: Equatable, BitwiseCopyable, Sendable {
  /// 0, 1, 2, or 3 which no call accepts.
  public let rawValue: UInt32

  /// Wraps the low two bits of an open(2) flag word.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// O_RDONLY
  public static let readOnly = AccessMode(rawValue: 0)
  /// O_WRONLY
  public static let writeOnly = AccessMode(rawValue: 1)
  /// O_RDWR
  public static let readWrite = AccessMode(rawValue: 2)

  /// Whether reading is asked for (FREAD).
  public var reads: Bool { rawValue == 0 || rawValue == 2 }
  /// Whether writing is asked for (FWRITE).
  public var writes: Bool { rawValue == 1 || rawValue == 2 }
}
