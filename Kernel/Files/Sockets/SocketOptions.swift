// getsockopt(2) and setsockopt(2) (spec sockets.md section 6).

public import ABI
import Memory
import Primitives

extension SocketFile {
  /// How many bytes the value of an option takes that setsockopt(2) gives.
  ///
  /// Throws ENOPROTOOPT for what cannot be set, EINVAL for levels that there are not.
  public static func valueByteCount(_ level: Int32, _ option: Int32) throws(Errno) -> Int {
    if level == SocketLevel.local {
      guard option == LocalSocketOption.credentials || option == LocalSocketOption.persistentCredentials else {
        throw .enoprotoopt
      }
      return 4
    }
    guard level == SocketLevel.socket else { throw .einval }
    typealias Number = SocketOptionNumber
    switch option {
    case Number.linger: return 8
    case Number.sendTimeout, Number.receiveTimeout: return Timeval.byteCount
    case Number.sendBuffer, Number.receiveBuffer, Number.sendLowWater, Number.receiveLowWater, Number.routingTable,
      Number.cookie, Number.timestampClock, Number.pacingRate:
      return 4
    case Number.acceptFilter, Number.splice, Number.label: throw .einval
    default:
      guard option > 0, SocketFlags.settable.contains(SocketFlags(rawValue: UInt32(bitPattern: option))),
        option.nonzeroBitCount == 1
      else { throw .enoprotoopt }
      return 4
    }
  }

  /// setsockopt(2) of an option for which `valueByteCount` says how long `value` is at least.
  ///
  /// Throws EINVAL and EDOM for values that cannot be, ENOBUFS for buffers that are too large.
  public func setOption(_ level: Int32, _ option: Int32, _ value: Span<UInt8>) throws(Errno) {
    let number = Int32(bitPattern: value.loadUInt32(at: 0))
    if level == SocketLevel.local { return try setLocalOption(option, number != 0) }
    typealias Number = SocketOptionNumber
    switch option {
    case Number.linger:
      let seconds = Int32(bitPattern: value.loadUInt32(at: 4))
      guard seconds >= 0, seconds <= 65_535 else { throw .edom }
      socket.lingerSeconds = Int16(truncatingIfNeeded: seconds)
      set(.linger, number != 0)
    case Number.sendBuffer, Number.receiveBuffer: try setLimit(option == Number.sendBuffer, number)
    case Number.sendLowWater, Number.receiveLowWater:
      guard number >= 1 else { throw .einval }
      if option == Number.sendLowWater {
        socket.sendLowWater = min(UInt64(number), socket.sendLimit)
      } else {
        socket.receiveLowWater = min(UInt64(number), socket.receiveLimit)
      }
    case Number.sendTimeout, Number.receiveTimeout:
      let time = Timeval(decoding: value)
      guard time.seconds >= 0, time.microseconds >= 0, time.microseconds < 1_000_000 else { throw .edom }
      // FreeBSD keeps no more than 2^31 - 1 seconds.
      let isLong = time.seconds > Int64(Int32.max)
      let seconds = isLong ? Int64(Int32.max) : time.seconds
      let timeout = UInt64(seconds) * 1_000_000_000 + UInt64(isLong ? 999_999 : time.microseconds) * 1000
      if option == Number.sendTimeout { socket.sendTimeout = timeout } else { socket.receiveTimeout = timeout }
    case Number.routingTable: guard number == 0 else { throw .einval }
    case Number.cookie, Number.pacingRate: break
    case Number.timestampClock:
      guard number >= 0, number <= 3 else { throw .einval }
      socket.timestampClock = UInt32(number)
    default: set(SocketFlags(rawValue: UInt32(bitPattern: option)), number != 0)
    }
  }

  private func set(_ flag: SocketFlags, _ isOn: Bool) {
    if isOn { socket.options.insert(flag) } else { socket.options.remove(flag) }
  }

  private func setLimit(_ isSend: Bool, _ number: Int32) throws(Errno) {
    guard number >= 1 else { throw .einval }
    let limit = UInt64(number)
    guard limit <= socket.services.largestLimit else { throw .enobufs }
    let old = isSend ? socket.sendLimit : socket.receiveLimit
    if limit > old {
      let caller = socket.files.services.caller.instance
      guard socket.services.admits(limit - old, for: socket.account, caller) else { throw .enobufs }
    }
    if isSend {
      socket.setLimits(send: limit, receive: socket.receiveLimit)
      socket.sendLowWater = min(socket.sendLowWater, limit)
    } else {
      socket.setLimits(send: socket.sendLimit, receive: limit)
      socket.receiveLowWater = min(socket.receiveLowWater, limit)
    }
  }

  private func setLocalOption(_ option: Int32, _ isOn: Bool) throws(Errno) {
    let bit: UInt8 = option == LocalSocketOption.credentials ? CredentialsWish.once : CredentialsWish.always
    if socket.wantsCredentials & ~bit != 0 && isOn { throw .einval }
    if isOn { socket.wantsCredentials |= bit } else { socket.wantsCredentials &= ~bit }
  }

  // MARK: Asking

  /// getsockopt(2): puts the value at the start of `value`. Returns how many bytes it has.
  ///
  /// Throws EINVAL for levels that there are not, ENOPROTOOPT for options, ENOTCONN and EINVAL where there is nobody to tell of.
  public func option(_ level: Int32, _ option: Int32, into value: inout MutableRawSpan) throws(Errno) -> Int {
    if level == SocketLevel.local { return try localOption(option, into: &value) }
    guard level == SocketLevel.socket else { throw .einval }
    typealias Number = SocketOptionNumber
    let answer: Int64
    switch option {
    case Number.linger:
      value.store(socket.options.rawValue & SocketFlags.linger.rawValue, at: 0)
      value.store(Int32(socket.lingerSeconds), at: 4)
      return 8
    case Number.sendTimeout, Number.receiveTimeout:
      let timeout = option == Number.sendTimeout ? socket.sendTimeout : socket.receiveTimeout
      value.store(timeout / 1_000_000_000, at: 0)
      value.store(timeout % 1_000_000_000 / 1000, at: 8)
      return Timeval.byteCount
    case Number.sendBuffer: answer = Int64(socket.sendLimit)
    case Number.receiveBuffer: answer = Int64(socket.receiveLimit)
    case Number.sendLowWater: answer = Int64(socket.sendLowWater)
    case Number.receiveLowWater: answer = Int64(socket.receiveLowWater)
    case Number.error:
      socket.noticeClosedPeer()
      answer = Int64(socket.takePendingError()?.rawValue ?? 0)
    case Number.type: answer = Int64(socket.type.rawValue)
    case Number.protocol, Number.incompleteQueueLength: answer = 0
    case Number.domain: answer = Int64(AddressFamily.local)
    case Number.queueLimit: answer = Int64(socket.backlog)
    case Number.queueLength: answer = Int64(socket.waitingCount)
    case Number.timestampClock: answer = Int64(socket.timestampClock)
    case Number.pacingRate: answer = 0
    case Number.acceptFilter, Number.splice, Number.label, Number.peerLabel: throw .einval
    case Int32(SocketFlags.acceptsConnections.rawValue): answer = socket.has(.listening) ? 2 : 0
    default:
      let flag = SocketFlags(rawValue: UInt32(bitPattern: option))
      guard option > 0, option.nonzeroBitCount == 1, SocketFlags.settable.contains(flag) else { throw .enoprotoopt }
      answer = Int64(socket.options.intersection(flag).rawValue)
    }
    value.store(Int32(truncatingIfNeeded: answer), at: 0)
    return 4
  }

  private func localOption(_ option: Int32, into value: inout MutableRawSpan) throws(Errno) -> Int {
    switch option {
    case LocalSocketOption.peerCredentials: return try peerCredentials(into: &value)
    case LocalSocketOption.credentials: value.store(UInt32(socket.wantsCredentials & 1), at: 0)
    case LocalSocketOption.persistentCredentials: value.store(UInt32(socket.wantsCredentials >> 1), at: 0)
    default: throw .eopnotsupp
    }
    return 4
  }

  /// LOCAL_PEERCRED: a `struct xucred` of who was at the other end when the connection was made.
  private func peerCredentials(into value: inout MutableRawSpan) throws(Errno) -> Int {
    guard let credentials = socket.peerCredentials, !socket.has(.listening) else {
      throw socket.type == .stream || socket.has(.listening) ? .enotconn : .einval
    }
    let count = min(credentials.groupCount, 16)
    for offset in stride(from: 0, to: PeerCredentials.byteCount, by: 8) { value.store(UInt64(0), at: offset) }
    value.store(credentials.effectiveUser, at: PeerCredentials.user)
    value.store(UInt16(count), at: PeerCredentials.groupCount)
    for index in 0..<count { value.store(credentials.group(at: index), at: PeerCredentials.groups + 4 * index) }
    value.store(socket.peerProcess, at: PeerCredentials.process)
    return PeerCredentials.byteCount
  }

  // MARK: Names

  /// The socket's own name.
  public var ownName: SocketName? { socket.name }

  /// getpeername(2): that of the socket at the other end, if it has one.
  ///
  /// Throws ENOTCONN.
  public func peerName() throws(Errno) -> SocketName? {
    socket.noticeClosedPeer()
    guard socket.has(.connected), let peer = socket.peer.instance else { throw .enotconn }
    return peer.name
  }

  /// Whom a caller that accepted it is told.
  public var acceptedName: SocketName? { socket.peer.instance?.name }

  /// Bytes of the address of the socket that would be accepted next.
  public var nextNameByteCount: Int {
    guard let waiting = socket.firstWaiting.borrowed.instance, let peer = waiting.peer.instance else { return 16 }
    return peer.name?.addressByteCount ?? 16
  }

  /// listen(2); see `Socket.listen`.
  public func listen(_ backlog: Int32, _ caller: Credentials, process: Int32) throws(Errno) {
    try socket.listen(backlog, caller, process: process)
  }

  /// shutdown(2); see `Socket.shut`.
  public func shut(_ kind: ShutdownKind) throws(Errno) -> Bool { try socket.shut(kind) }

  /// A place for a call that has more than its transfer.
  public func makePlace(receives: Bool) -> SocketPlace { SocketPlace(socket, receives: receives) }

  /// Whether it is a stream.
  public var isStream: Bool { socket.type == .stream }
  /// Whether messages tell who sent them.
  public var isDatagram: Bool { socket.type == .datagram }
}

/// `struct xucred`
private enum PeerCredentials {
  static let byteCount = 88
  static let user = 4
  static let groupCount = 8
  static let groups = 12
  static let process = 80
}
