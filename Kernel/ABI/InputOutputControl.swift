// The requests of ioctl(2) and their encoding (spec abi.md, section 6 and Martlet's own points).

/// A request of ioctl(2).
///
/// Bits 31 to 29 tell the direction, bits 28 to 16 the parameter length, bits 15 to 8 the group, bits 7 to 0 the number.
public struct InputOutputControl: Equatable, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension InputOutputControl {
  /// FIOCLEX
  public static let closeOnExec = InputOutputControl(rawValue: 0x2000_6601)
  /// FIONCLEX
  public static let noCloseOnExec = InputOutputControl(rawValue: 0x2000_6602)
  /// FIONREAD
  public static let bytesToRead = InputOutputControl(rawValue: 0x4004_667f)
  /// FIONBIO
  public static let nonBlocking = InputOutputControl(rawValue: 0x8004_667e)
  /// FIOASYNC
  public static let asynchronous = InputOutputControl(rawValue: 0x8004_667d)
  /// FIOSETOWN
  public static let setOwner = InputOutputControl(rawValue: 0x8004_667c)
  /// FIOGETOWN
  public static let getOwner = InputOutputControl(rawValue: 0x4004_667b)
  /// FIOSEEKDATA
  public static let seekData = InputOutputControl(rawValue: 0xc008_6661)
  /// FIOSEEKHOLE
  public static let seekHole = InputOutputControl(rawValue: 0xc008_6662)
  /// FIOSSHMLPGCNF
  public static let setLargePageConfiguration = InputOutputControl(rawValue: 0x8030_6664)
  /// FIOGSHMLPGCNF
  public static let getLargePageConfiguration = InputOutputControl(rawValue: 0x4030_6665)
  /// FIODTYPE
  public static let deviceType = InputOutputControl(rawValue: 0x4004_667a)
  /// FIODGNAME
  public static let deviceName = InputOutputControl(rawValue: 0x8010_6678)
  /// TIOCSCTTY
  public static let setControllingTerminal = InputOutputControl(rawValue: 0x2000_7461)
  /// TIOCGETD
  public static let getLineDiscipline = InputOutputControl(rawValue: 0x4004_741a)
  /// TIOCGETA
  public static let getTerminalAttributes = InputOutputControl(rawValue: 0x402c_7413)
  /// TIOCOUTQ
  public static let bytesToSend = InputOutputControl(rawValue: 0x4004_7473)
  /// TIOCDRAIN
  public static let drainOutput = InputOutputControl(rawValue: 0x2000_745e)
  /// TIOCGWINSZ
  public static let getWindowSize = InputOutputControl(rawValue: 0x4008_7468)
}

extension InputOutputControl {
  /// FKQMULTI
  public static let setQueuePolicy = InputOutputControl(rawValue: 0x8004_6659)
  /// FKQTUNE
  public static let tuneQueue = InputOutputControl(rawValue: 0x8004_665a)
  /// FKQMPRNT
  public static let dumpQueue = InputOutputControl(rawValue: 0x8008_665b)
}

extension InputOutputControl {
  /// No parameter is transferred (IOC_VOID).
  public var isVoid: Bool { rawValue & 0x2000_0000 != 0 }
  /// The parameter is copied out to the program (IOC_OUT).
  public var copiesOut: Bool { rawValue & 0x4000_0000 != 0 }
  /// The parameter is copied in from the program (IOC_IN).
  public var copiesIn: Bool { rawValue & 0x8000_0000 != 0 }
  /// The length of the parameter in bytes.
  public var parameterByteCount: Int { Int((rawValue >> 16) & 0x1fff) }
}

extension InputOutputControl {
  /// FIONWRITE
  public static let bytesUnsent = InputOutputControl(rawValue: 0x4004_6677)
  /// FIONSPACE
  public static let room = InputOutputControl(rawValue: 0x4004_6676)
  /// SIOCATMARK
  public static let atMark = InputOutputControl(rawValue: 0x4004_7307)
  /// The letter of the group of requests.
  public var group: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
}
