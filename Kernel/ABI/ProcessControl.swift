// procctl(2): commands and flags (FreeBSD's sys/procctl.h and sys/wait.h).

/// Which processes an identifier names (idtype_t).
public struct IdentifierType: RawRepresentable, Equatable, BitwiseCopyable, Sendable {
  /// The number.
  public let rawValue: Int32
  /// Wraps a number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// P_PID: one process.
  public static let process = IdentifierType(rawValue: 0)
  /// P_SID: the members of a session.
  public static let session = IdentifierType(rawValue: 3)
  /// P_UID: the processes of a user.
  public static let user = IdentifierType(rawValue: 5)
  /// P_GID: the processes of a group of users.
  public static let group = IdentifierType(rawValue: 6)
  /// P_ALL: all.
  public static let all = IdentifierType(rawValue: 7)
  /// P_PGID: the members of a process group.
  public static let processGroup = IdentifierType(rawValue: 2)
}

/// What procctl(2) is to do.
public enum ProcessControl {
  /// PROC_SPROTECT
  public static let protect: Int32 = 1
}

/// The argument of PROC_SPROTECT.
public struct ProtectionFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits.
  public let rawValue: UInt32
  /// Wraps the bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// PPROT_DESCEND: the descendants too.
  public static let descend = ProtectionFlags(rawValue: 0x10)
  /// PPROT_INHERIT: and the children to come.
  public static let inherit = ProtectionFlags(rawValue: 0x20)

  /// PPROT_OP: the bits that say what is done, as a number.
  public static let operationMask: UInt32 = 0xf
  /// PPROT_SET
  public static let set: UInt32 = 1
  /// PPROT_CLEAR
  public static let clear: UInt32 = 2
}
