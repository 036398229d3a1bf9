// Who sent a message and when, as control messages (spec sockets.md section 6): SCM_CREDS and its like, SCM_TIMESTAMP and its like.
//
// Invariant: what a part tells is noted once for all parts of a message, when the first is added that tells it.

import ABI
import Memory
public import Primitives

/// What a control message is. (The numbers are not those of the interface: two share one there.)
public enum SocketControlKind: UInt8, Sendable {
  /// SCM_RIGHTS
  case rights = 1
  /// SCM_TIMESTAMP: a `struct timeval`
  case timestamp = 2
  /// SCM_CREDS that the sender asked for: a `struct cmsgcred`
  case messageCredentials = 3
  /// SCM_BINTIME: a `struct bintime`
  case binaryTime = 4
  /// SCM_REALTIME: a `struct timespec`
  case realTime = 5
  /// SCM_MONOTONIC: a `struct timespec`
  case monotonicTime = 6
  /// SCM_CREDS2 that the receiver asked for (LOCAL_CREDS_PERSISTENT): a `struct sockcred2`
  case extendedCredentials = 8
  /// SCM_CREDS that the receiver asked for (LOCAL_CREDS): a `struct sockcred`
  case socketCredentials = 9

  /// What a sender asks for by a type of control message other than SCM_RIGHTS; nil for what cannot be asked for.
  init?(requested type: UInt32) {
    switch type {
    case ControlMessageHeader.timestamp: self = .timestamp
    case ControlMessageHeader.credentials: self = .messageCredentials
    case ControlMessageHeader.binaryTime: self = .binaryTime
    case ControlMessageHeader.realTime: self = .realTime
    case ControlMessageHeader.monotonicTime: self = .monotonicTime
    default: return nil
    }
  }

  /// Its `cmsg_type`.
  public var type: UInt32 { self == .socketCredentials ? ControlMessageHeader.credentials : UInt32(rawValue) }

  var tellsTime: Bool {
    switch self {
    case .timestamp, .binaryTime, .realTime, .monotonicTime: true
    default: false
    }
  }
}

/// The caller of the kernel as this module knows it.
open class FileCaller: Caller {
  /// Who the process is whose event is being handled; nil: nobody.
  open var credentials: Credentials? { nil }
}

extension SocketControl {
  /// Bytes of the largest payload of a part that is not SCM_RIGHTS.
  public static let largestPayloadByteCount = ExtendedCredentialsLayout.groups + 4 * groupLimit
  /// Groups that are told (CMGROUP_MAX).
  private static let groupLimit = 16

  private var groupCount: Int { min(sender?.groupCount ?? 0, SocketControl.groupLimit) }

  /// Bytes of what a part that is not SCM_RIGHTS tells.
  public func payloadByteCount(of kind: SocketControlKind) -> Int {
    switch kind {
    case .rights: 0
    case .timestamp, .binaryTime, .realTime, .monotonicTime: Timespec.byteCount
    case .messageCredentials: MessageCredentialsLayout.byteCount
    case .socketCredentials: SocketCredentialsLayout.groups + 4 * groupCount
    case .extendedCredentials: ExtendedCredentialsLayout.groups + 4 * groupCount
    }
  }

  /// Notes what a part of this kind tells, if that is not noted yet.
  func noteSender(for kind: SocketControlKind) {
    let services = services.memory.services
    if kind.tellsTime {
      if nanoseconds != 0 { return }
      nanoseconds = services.nanoseconds
      realNanoseconds = services.realNanoseconds
    } else if sender == nil, let caller = services.caller.instance as? FileCaller {
      sender = caller.credentials
      senderProcess = caller.processIdentifier
    }
  }

  /// Puts what a part that is not SCM_RIGHTS tells at `offset`.
  public func encode(_ kind: SocketControlKind, into bytes: inout MutableRawSpan, at offset: Int) {
    switch kind {
    case .rights: return
    case .timestamp: encode(realNanoseconds, fraction: { $0 / 1000 }, into: &bytes, at: offset)
    case .binaryTime: encode(realNanoseconds, fraction: SocketControl.binaryFraction, into: &bytes, at: offset)
    case .realTime: encode(realNanoseconds, fraction: { $0 }, into: &bytes, at: offset)
    case .monotonicTime: encode(nanoseconds, fraction: { $0 }, into: &bytes, at: offset)
    case .messageCredentials, .socketCredentials, .extendedCredentials:
      for word in 0..<payloadByteCount(of: kind) / 4 { bytes.store(UInt32(0), at: offset + 4 * word) }
      if let sender { encode(sender, as: kind, into: &bytes, at: offset) }
    }
  }

  /// Nanoseconds below a second in units of 2^-64 seconds, as FreeBSD converts them (timespec2bintime): division by 10^9 would be
  /// one of 128 bits.
  private static func binaryFraction(_ nanoseconds: UInt64) -> UInt64 { nanoseconds * 18_446_744_073 }

  private func encode(
    _ time: UInt64, fraction: (UInt64) -> UInt64, into bytes: inout MutableRawSpan, at offset: Int
  ) {
    bytes.store(time / 1_000_000_000, at: offset)
    bytes.store(fraction(time % 1_000_000_000), at: offset + 8)
  }

  private func encode(
    _ sender: Credentials, as kind: SocketControlKind, into bytes: inout MutableRawSpan, at offset: Int
  ) {
    var groups = offset
    switch kind {
    case .messageCredentials:
      typealias Layout = MessageCredentialsLayout
      bytes.store(senderProcess, at: offset + Layout.process)
      bytes.store(sender.user, at: offset + Layout.user)
      bytes.store(sender.effectiveUser, at: offset + Layout.effectiveUser)
      bytes.store(sender.group, at: offset + Layout.group)
      bytes.store(UInt16(groupCount), at: offset + Layout.groupCount)
      groups += Layout.groups
    default:
      var start = offset
      if kind == .extendedCredentials {
        bytes.store(senderProcess, at: offset + ExtendedCredentialsLayout.process)
        start += ExtendedCredentialsLayout.user
      }
      typealias Layout = SocketCredentialsLayout
      bytes.store(sender.user, at: start + Layout.user)
      bytes.store(sender.effectiveUser, at: start + Layout.effectiveUser)
      bytes.store(sender.group, at: start + Layout.group)
      bytes.store(sender.effectiveGroup, at: start + Layout.effectiveGroup)
      bytes.store(UInt32(groupCount), at: start + Layout.groupCount)
      groups = start + Layout.groups
    }
    for index in 0..<groupCount { bytes.store(sender.group(at: index), at: groups + 4 * index) }
  }
}

extension Socket {
  /// Puts the sender's credentials in front of what comes with a message, if its receiver wants to know them. A stream or packets
  /// tell once what LOCAL_CREDS asks for.
  ///
  /// Throws ENOBUFS when there is no memory.
  @inline(never)
  func addCredentials(for receiver: Socket, to record: Handle<SocketChunk>) throws(Errno) {
    let kind: SocketControlKind =
      receiver.wantsCredentials & CredentialsWish.always != 0 ? .extendedCredentials : .socketCredentials
    let control: SocketControl
    if let present = services.chunks[record].control.borrowed.instance {
      control = present
    } else {
      let made = services.makeControl(for: account, inputByteCount: 0)
      guard let instance = made.borrowed.instance else { throw .enobufs }
      control = instance
      services.chunks[record].control = made
    }
    services.chunks[record].cost -= UInt32(control.cost)
    control.noteSender(for: kind)
    if kind == .socketCredentials { control.removeParts(.messageCredentials) }
    control.prependPart(kind)
    services.chunks[record].cost += UInt32(control.cost)
    services.chunks[record].controlByteCount = UInt32(control.byteCount)
    if type != .datagram { receiver.wantsCredentials &= ~CredentialsWish.once }
  }
}

/// What a socket wants to know of those who send to it.
enum CredentialsWish {
  /// LOCAL_CREDS
  static let once: UInt8 = 1
  /// LOCAL_CREDS_PERSISTENT
  static let always: UInt8 = 2
}

/// `struct cmsgcred`
private enum MessageCredentialsLayout {
  static let byteCount = 84
  static let process = 0
  static let user = 4
  static let effectiveUser = 8
  static let group = 12
  static let groupCount = 16
  static let groups = 20
}

/// `struct sockcred`
private enum SocketCredentialsLayout {
  static let user = 0
  static let effectiveUser = 4
  static let group = 8
  static let effectiveGroup = 12
  static let groupCount = 16
  static let groups = 20
}

/// `struct sockcred2`: a version, the process, then what `struct sockcred` has.
private enum ExtendedCredentialsLayout {
  static let process = 4
  static let user = 8
  static let groups = 28
}
