// The file through which descriptors reach a socket (spec sockets.md sections 5 to 7).

public import ABI
public import Memory
public import Primitives

/// A socket as an open file.
public final class SocketFile: OpenFile {
  /// What it reaches.
  public let socket: Socket
  private var owner = SignalOwner()

  /// A file of a socket that has none, which `FileServices` has admitted.
  init(_ files: FileServices, _ socket: Socket, _ flags: FileFlags) {
    self.socket = socket
    super.init(BackReference(files), flags, isSeekable: false, knowsShort: true)
    socket.file = BackReference(self)
  }

  deinit { socket.close() }

  override var waitsForOthers: Bool { true }

  public override var hasOwner: Bool { true }

  /// Whether the receiver has been closed, and has not come to this sender to say so.
  override var isBeingEnded: Bool {
    socket.type == .datagram && (socket.peer.instance?.has(.closed) ?? false)
  }

  /// Whom it signals.
  public override var signalOwner: SignalOwner {
    get { owner }
    set { owner = newValue }
  }

  /// Whether a send into a broken connection raises no signal (SO_NOSIGPIPE).
  public override var isSilent: Bool { socket.options.contains(.noSignal) }

  @inline(__always)
  private func isImmediate(_ transfer: Transfer) -> Bool {
    flags.contains(.nonBlocking) || !transfer.messageFlags.isDisjoint(with: .immediate)
  }

  // A few bytes that nothing stands in the way of go the short way (Socket+Short.swift).

  public override func moveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    if short.position != nil { return nil }
    return short.writes ? socket.sendAtOnce(short, space) : socket.receiveAtOnce(short, space)
  }

  override func performRead(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try receive(&transfer, space)
  }

  override func performWrite(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try send(&transfer, space)
  }

  /// recv(2) and its like: also of no bytes.
  public func receive(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try socket.receive(&transfer, space, isImmediate: isImmediate(transfer))
  }

  /// send(2) and its like.
  public func send(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    try socket.send(&transfer, space, isImmediate: isImmediate(transfer))
  }

  override var informationType: FileInformationType { .socket }

  override func describe(_ information: inout FileInformation, _ path: inout [1024 of UInt8]) -> Int {
    socket.describe(&information)
    return put("local", into: &path)
  }

  /// fstat(2).
  public override func status() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = UInt64.max
    stat.inode = socket.inode
    stat.mode = .socket
    if socket.has(.listening) {
      stat.userIdentifier = socket.user
      stat.groupIdentifier = socket.group
      return stat
    }
    if !socket.has(.cannotReceive) || socket.hasSomething {
      stat.mode.formUnion([.ownerRead, .groupRead, .otherRead])
    }
    if !socket.has(.cannotSend) { stat.mode.formUnion([.ownerWrite, .groupWrite, .otherWrite]) }
    stat.userIdentifier = socket.user
    stat.groupIdentifier = socket.group
    stat.size = Int64(socket.availableByteCount)
    stat.preferredBlockByteCount = UInt32(clamping: socket.sendLimit)
    return stat
  }

  /// Throws EINVAL for questions about bytes of a listening socket; EOPNOTSUPP, or ENXIO for questions about interfaces.
  override func performControl(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    let word = Int32(bitPattern: data.span.loadUInt32(at: 0))
    var answer: Int
    switch request {
    case .nonBlocking, .asynchronous: return
    case .setOwner:
      owner.identifier = word
      return
    case .getOwner: answer = Int(owner.identifier)
    case .bytesToRead: answer = socket.availableByteCount
    case .bytesUnsent, .atMark: answer = 0
    case .room: answer = socket.has(.stopped) ? 0 : Int(socket.sendLimit)
    default: throw request.group == UInt8(ascii: "i") ? .enxio : .eopnotsupp
    }
    if socket.has(.listening) && request != .getOwner { throw .einval }
    answer = min(answer, Int(Int32.max))
    var span = data.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    bytes.store(Int32(answer), at: 0)
  }

  // MARK: Readiness

  /// Throws EINVAL for filters that are not about reading and writing.
  override func attach(_ filter: EventFilter) throws(Errno) {
    guard filter == .read || filter == .write || filter == .empty else { throw .einval }
  }

  /// Bytes that can be read without what comes with them, or that a sender may have queued (spec kqueue.md section 7.2).
  override func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness {
    switch filter {
    case .read: readReadiness(lowWater)
    case .write: writeReadiness(lowWater)
    default: Readiness(0, isReady: true)
    }
  }

  private func readReadiness(_ lowWater: Int64?) -> Readiness {
    socket.noticeClosedPeer()
    if socket.has(.listening) {
      var readiness = Readiness(Int64(socket.waitingCount), isReady: socket.waitingCount > 0)
      if socket.pendingError != 0 { markEnd(&readiness) }
      return readiness
    }
    let count = Int64(socket.availableByteCount)
    var readiness = Readiness(count, isReady: false)
    if socket.has(.cannotReceive) {
      markEnd(&readiness)
    } else if socket.pendingError != 0 {
      readiness.isReady = true
    } else if let lowWater {
      readiness.isReady = count >= lowWater
    } else {
      readiness.isReady = socket.isReadable
    }
    return readiness
  }

  private func writeReadiness(_ lowWater: Int64?) -> Readiness {
    if socket.has(.listening) { return Readiness(0, isReady: false) }
    let room = socket.has(.stopped) ? 0 : Int64(socket.sendLimit)
    var readiness = Readiness(room, isReady: false)
    if socket.has(.cannotSend) {
      markEnd(&readiness)
    } else if socket.pendingError != 0 {
      readiness.isReady = true
    } else if socket.has(.connected) || socket.type == .datagram {
      readiness.isReady = room >= lowWater ?? Int64(socket.sendLowWater)
    }
    return readiness
  }

  private func markEnd(_ readiness: inout Readiness) {
    readiness.isEnd = true
    readiness.isReady = true
    readiness.flags = UInt32(socket.pendingError)
  }

  /// What of the poll(2) `events` the socket is ready for (spec sockets.md section 7).
  public override func poll(_ events: UInt16) -> UInt16 {
    socket.noticeClosedPeer()
    var ready: UInt16 = 0
    if socket.has(.listening) {
      if socket.waitingCount > 0 || socket.pendingError != 0 { ready |= events & PollEvents.readable }
      if socket.pendingError != 0 { ready |= PollEvents.hungUp }
      return ready
    }
    if socket.isWritable { ready |= events & PollEvents.writable }
    let isEnd = socket.has(.cannotReceive)
    let isHungUp = isEnd && socket.has(.cannotSend)
    let ignoresEnd = events & PollEvents.ignoreEnd != 0
    if socket.isReadable || !ignoresEnd && (isEnd || socket.pendingError != 0) { ready |= events & PollEvents.readable }
    if isEnd { ready |= events & PollEvents.readHungUp }
    if isHungUp && !ignoresEnd { ready |= PollEvents.hungUp }
    return ready & PollEvents.hungUp != 0 ? ready & ~PollEvents.writable : ready
  }
}

extension Socket {
  /// Whether enough has been received for a receive not to wait.
  var isReadable: Bool {
    if type == .datagram { return hasSomething }
    return !received.isEmpty && UInt64(received.byteCount) >= receiveLowWater || received.hasEmptyRecord
  }

  /// Whether a send would not wait.
  var isWritable: Bool {
    if pendingError != 0 || has(.cannotSend) { return true }
    if type == .datagram { return true }
    return has(.connected) && !has(.stopped) && sendLimit >= sendLowWater
  }
}

extension SocketQueue {
  /// Whether there are records but nothing that counts in them.
  var hasEmptyRecord: Bool { !isEmpty && byteCount == 0 }
}

extension PollEvents {
  /// POLLINIGNEOF
  static let ignoreEnd: UInt16 = 0x2000
  /// POLLRDHUP
  static let readHungUp: UInt16 = 0x4000
}
