// The numbers of sockets (spec sockets.md section 1): types, flags of messages, options.

/// The address families that have names here.
public enum AddressFamily {
  /// AF_UNIX
  public static let local: Int32 = 1
  /// The largest number of a family that FreeBSD knows; others are no families at all.
  public static let pathByteCount = 104
}

/// The type of a socket.
public enum SocketType: UInt8, Sendable {
  /// SOCK_STREAM
  case stream = 1
  /// SOCK_DGRAM
  case datagram = 2
  /// SOCK_SEQPACKET
  case sequencedPacket = 5
}

/// Bits of the type argument of socket(2), socketpair(2) and accept4(2) that are no type.
public enum SocketTypeFlags {
  /// SOCK_CLOEXEC
  public static let closeOnExec: UInt32 = 0x1000_0000
  /// SOCK_NONBLOCK
  public static let nonBlocking: UInt32 = 0x2000_0000
}

/// The flags of a send or receive (`MSG_…`).
public struct MessageFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits that programs see.
  public let rawValue: UInt32
  /// Wraps a value of the binary interface.
  @inline(__always)
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// MSG_OOB
  public static let outOfBand = MessageFlags(rawValue: 1)
  /// MSG_PEEK
  public static let peek = MessageFlags(rawValue: 2)
  /// MSG_EOR
  public static let endOfRecord = MessageFlags(rawValue: 8)
  /// MSG_TRUNC
  public static let truncated = MessageFlags(rawValue: 0x10)
  /// MSG_CTRUNC
  public static let controlTruncated = MessageFlags(rawValue: 0x20)
  /// MSG_WAITALL
  public static let waitAll = MessageFlags(rawValue: 0x40)
  /// MSG_DONTWAIT
  public static let doNotWait = MessageFlags(rawValue: 0x80)
  /// MSG_NBIO
  public static let nonBlocking = MessageFlags(rawValue: 0x4000)
  /// MSG_NOSIGNAL
  public static let noSignal = MessageFlags(rawValue: 0x20000)
  /// MSG_CMSG_CLOEXEC
  public static let closeOnExec = MessageFlags(rawValue: 0x40000)
  /// Those that say that the call does not wait.
  public static let immediate: MessageFlags = [.doNotWait, .nonBlocking]
}

/// How shutdown(2) shuts a socket.
public enum ShutdownKind: Int32, Sendable {
  /// SHUT_RD
  case read = 0
  /// SHUT_WR
  case write = 1
  /// SHUT_RDWR
  case both = 2
}

/// The options at level SOL_SOCKET that are flags: their numbers are their bits.
public struct SocketFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits.
  public let rawValue: UInt32
  /// Wraps bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// SO_ACCEPTCONN
  public static let acceptsConnections = SocketFlags(rawValue: 2)
  /// SO_KEEPALIVE
  public static let keepAlive = SocketFlags(rawValue: 8)
  /// SO_DONTROUTE
  public static let doNotRoute = SocketFlags(rawValue: 0x10)
  /// SO_LINGER
  public static let linger = SocketFlags(rawValue: 0x80)
  /// SO_OOBINLINE
  public static let outOfBandInline = SocketFlags(rawValue: 0x100)
  /// SO_NOSIGPIPE
  public static let noSignal = SocketFlags(rawValue: 0x800)
  /// SO_RERROR
  public static let receiveError = SocketFlags(rawValue: 0x20000)
  /// Those that setsockopt(2) stores.
  public static let settable = SocketFlags(rawValue: 0x3_EF7D)
  /// Those that an accepted socket has from the listening one.
  public static let inherited: SocketFlags = [.keepAlive, .doNotRoute, .linger, .outOfBandInline, .noSignal]
}

/// The numbers of options at level SOL_SOCKET that are no flags.
public enum SocketOptionNumber {
  /// SO_LINGER
  public static let linger: Int32 = 0x80
  /// SO_SNDBUF
  public static let sendBuffer: Int32 = 0x1001
  /// SO_RCVBUF
  public static let receiveBuffer: Int32 = 0x1002
  /// SO_SNDLOWAT
  public static let sendLowWater: Int32 = 0x1003
  /// SO_RCVLOWAT
  public static let receiveLowWater: Int32 = 0x1004
  /// SO_SNDTIMEO
  public static let sendTimeout: Int32 = 0x1005
  /// SO_RCVTIMEO
  public static let receiveTimeout: Int32 = 0x1006
  /// SO_ERROR
  public static let error: Int32 = 0x1007
  /// SO_TYPE
  public static let type: Int32 = 0x1008
  /// SO_LABEL
  public static let label: Int32 = 0x1009
  /// SO_PEERLABEL
  public static let peerLabel: Int32 = 0x1010
  /// SO_LISTENQLIMIT
  public static let queueLimit: Int32 = 0x1011
  /// SO_LISTENQLEN
  public static let queueLength: Int32 = 0x1012
  /// SO_LISTENINCQLEN
  public static let incompleteQueueLength: Int32 = 0x1013
  /// SO_SETFIB
  public static let routingTable: Int32 = 0x1014
  /// SO_USER_COOKIE
  public static let cookie: Int32 = 0x1015
  /// SO_PROTOCOL
  public static let `protocol`: Int32 = 0x1016
  /// SO_TS_CLOCK
  public static let timestampClock: Int32 = 0x1017
  /// SO_MAX_PACING_RATE
  public static let pacingRate: Int32 = 0x1018
  /// SO_DOMAIN
  public static let domain: Int32 = 0x1019
  /// SO_SPLICE
  public static let splice: Int32 = 0x1023
  /// SO_ACCEPTFILTER
  public static let acceptFilter: Int32 = 0x1000
}

/// The levels of options, and the options at level SOL_LOCAL.
public enum SocketLevel {
  /// SOL_LOCAL
  public static let local: Int32 = 0
  /// SOL_SOCKET
  public static let socket: Int32 = 0xFFFF
}

/// The options at level SOL_LOCAL.
public enum LocalSocketOption {
  /// LOCAL_PEERCRED
  public static let peerCredentials: Int32 = 1
  /// LOCAL_CREDS
  public static let credentials: Int32 = 2
  /// LOCAL_CREDS_PERSISTENT
  public static let persistentCredentials: Int32 = 3
  /// LOCAL_CONNWAIT
  public static let connectionWait: Int32 = 4
}

/// `struct msghdr`; a value in memory has the layout of the structure.
public struct MessageHeader: BitwiseCopyable, Sendable {
  /// msg_name
  public var name: UInt64 = 0
  /// msg_namelen
  public var nameByteCount: UInt32 = 0
  /// msg_iov
  public var pieces: UInt64 = 0
  /// msg_iovlen
  public var pieceCount: Int32 = 0
  /// msg_control
  public var control: UInt64 = 0
  /// msg_controllen
  public var controlByteCount: UInt32 = 0
  /// msg_flags
  public var flags: UInt32 = 0

  /// The size of the structure.
  public static let byteCount = 48

  /// All zero.
  public init() {}
}

/// `struct cmsghdr`
public enum ControlMessageHeader {
  /// Bytes of the header that are looked at.
  public static let byteCount = 12
  /// Where the payload begins.
  public static let payloadOffset = 16
  /// SCM_RIGHTS
  public static let rights: UInt32 = 1
  /// SCM_TIMESTAMP
  public static let timestamp: UInt32 = 2
  /// SCM_CREDS
  public static let credentials: UInt32 = 3
  /// SCM_BINTIME
  public static let binaryTime: UInt32 = 4
  /// SCM_REALTIME
  public static let realTime: UInt32 = 5
  /// SCM_MONOTONIC
  public static let monotonicTime: UInt32 = 6
  /// SCM_CREDS2
  public static let extendedCredentials: UInt32 = 8
  /// CMSG_SPACE: what a message with so many bytes takes.
  @inline(__always)
  public static func space(_ payloadByteCount: Int) -> Int { payloadOffset &+ (payloadByteCount &+ 7) & ~7 }
}
