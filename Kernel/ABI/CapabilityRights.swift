// What a descriptor may be used for (capsicum(4), rights(4); spec fd.md, section 5): `cap_rights_t`.
//
// FreeBSD keeps the rights in two words, of which the upper seven bits say which word it is and how many there are. The 43 rights
// of the first and the 21 of the second are the 64 bits of one word here.

/// A set of rights.
public struct CapabilityRights: OptionSet, BitwiseCopyable, Sendable {
  /// The rights of the first word in bits 0 to 42, those of the second in bits 43 to 63.
  public let rawValue: UInt64

  /// Wraps the bits of both words.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }
}

extension CapabilityRights {
  private static func second(_ bits: UInt64) -> CapabilityRights { CapabilityRights(rawValue: bits << 43) }

  /// CAP_READ, which is CAP_RECV too
  public static let read = CapabilityRights(rawValue: 0x1)
  /// CAP_WRITE, which is CAP_SEND too
  public static let write = CapabilityRights(rawValue: 0x2)
  /// CAP_SEEK
  public static let seek = CapabilityRights(rawValue: 0xc)
  /// CAP_PREAD
  public static let positionedRead: CapabilityRights = [.seek, .read]
  /// CAP_PWRITE
  public static let positionedWrite: CapabilityRights = [.seek, .write]
  /// CAP_MMAP
  public static let map = CapabilityRights(rawValue: 0x10)
  /// CAP_MMAP_R
  public static let mapReadable: CapabilityRights = [.map, .seek, .read]
  /// CAP_MMAP_W
  public static let mapWritable: CapabilityRights = [.map, .seek, .write]
  /// CAP_MMAP_X
  public static let mapExecutable: CapabilityRights = [.map, .seek, CapabilityRights(rawValue: 0x20)]
  /// CAP_FEXECVE
  public static let execute = CapabilityRights(rawValue: 0x80)
  /// CAP_FSYNC
  public static let synchronize = CapabilityRights(rawValue: 0x100)
  /// CAP_FTRUNCATE
  public static let truncate = CapabilityRights(rawValue: 0x200)
  /// CAP_LOOKUP
  public static let lookUp = CapabilityRights(rawValue: 0x400)
  /// CAP_FCHDIR
  public static let changeDirectory = CapabilityRights(rawValue: 0x800)
  /// CAP_FCHFLAGS
  public static let changeFlags = CapabilityRights(rawValue: 0x1000)
  /// CAP_FCHMOD
  public static let changeMode = CapabilityRights(rawValue: 0x2000)
  /// CAP_FCHOWN
  public static let changeOwner = CapabilityRights(rawValue: 0x4000)
  /// CAP_FCNTL
  public static let fileControl = CapabilityRights(rawValue: 0x8000)
  /// CAP_FLOCK
  public static let lock = CapabilityRights(rawValue: 0x1_0000)
  /// CAP_FPATHCONF
  public static let pathConfiguration = CapabilityRights(rawValue: 0x2_0000)
  /// CAP_FSTAT
  public static let status = CapabilityRights(rawValue: 0x8_0000)
  /// CAP_FSTATFS
  public static let fileSystemStatus = CapabilityRights(rawValue: 0x10_0000)
  /// CAP_FUTIMES
  public static let changeTimes = CapabilityRights(rawValue: 0x20_0000)
  /// CAP_ACCEPT
  public static let accept = CapabilityRights(rawValue: 0x2000_0000)
  /// CAP_BIND
  public static let bind = CapabilityRights(rawValue: 0x4000_0000)
  /// CAP_CONNECT
  public static let connect = CapabilityRights(rawValue: 0x8000_0000)
  /// CAP_GETPEERNAME
  public static let peerName = CapabilityRights(rawValue: 0x1_0000_0000)
  /// CAP_GETSOCKNAME
  public static let socketName = CapabilityRights(rawValue: 0x2_0000_0000)
  /// CAP_GETSOCKOPT
  public static let getSocketOption = CapabilityRights(rawValue: 0x4_0000_0000)
  /// CAP_LISTEN
  public static let listen = CapabilityRights(rawValue: 0x8_0000_0000)
  /// CAP_SETSOCKOPT
  public static let setSocketOption = CapabilityRights(rawValue: 0x20_0000_0000)
  /// CAP_SHUTDOWN
  public static let shutDown = CapabilityRights(rawValue: 0x40_0000_0000)
  /// CAP_EVENT
  public static let event = second(0x20)
  /// CAP_KQUEUE_EVENT
  public static let queueEvent = second(0x40)
  /// CAP_IOCTL
  public static let inputOutputControl = second(0x80)
  /// CAP_KQUEUE_CHANGE
  public static let queueChange = second(0x10_0000)
  /// CAP_ALL
  public static let all = CapabilityRights(rawValue: .max)

  /// The protection that mmap(2) can give a mapping at most.
  public var protection: Protection {
    var protection: Protection = []
    if isSuperset(of: .mapReadable) { protection.insert(.read) }
    if isSuperset(of: .mapWritable) { protection.insert(.write) }
    if isSuperset(of: .mapExecutable) { protection.insert(.execute) }
    return protection
  }
}

// MARK: cap_rights_t

extension CapabilityRights {
  /// Bytes of the structure.
  public static let byteCount = 16
  private static let firstWordBits: UInt64 = 1 << 43 - 1
  private static let firstIndex: UInt64 = 1 << 57
  private static let secondIndex: UInt64 = 1 << 58

  /// The words of the structure.
  public var words: (UInt64, UInt64) {
    (
      rawValue & CapabilityRights.firstWordBits | CapabilityRights.firstIndex,
      rawValue >> 43 | CapabilityRights.secondIndex
    )
  }

  /// Reads the words of a structure; nil for one of another version, with the wrong marks, or with rights that do not exist.
  public init?(words: (UInt64, UInt64)) {
    let (first, second) = words
    guard first & ~CapabilityRights.firstWordBits == CapabilityRights.firstIndex, second >> 21 == 1 << 37 else {
      return nil
    }
    rawValue = first & CapabilityRights.firstWordBits | second << 43
  }
}

/// The commands of fcntl(2) that a right of its own allows (cap_fcntls_limit(2)).
public struct FileCommandRights: OptionSet, BitwiseCopyable, Sendable {
  /// A bit for the number of each command.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// CAP_FCNTL_ALL: F_GETFL, F_SETFL, F_GETOWN and F_SETOWN.
  public static let all = FileCommandRights(rawValue: 0x78)

  /// The right to one command.
  public init(_ command: FileControlCommand) {
    rawValue = 1 << UInt32(bitPattern: command.rawValue)
  }
}
