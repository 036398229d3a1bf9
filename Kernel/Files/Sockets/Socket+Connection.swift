// Connections of streams and packets: how they come, are accepted, shut and end (spec sockets.md sections 3.4 to 3.6).
//
// A connection exists from connect(2) on; the socket at the other end waits in the listening one until it is accepted. What ends
// with many others depending on it - a listening socket with those that wait, a receiver with the datagram sockets that are
// connected to it - tells them in bounded steps.

import ABI
import Memory
import Primitives

extension Socket {
  /// Sockets that are told of an end at once; others are told in steps.
  static var toldAtOnce: Int { 16 }

  /// Connects two sockets of socketpair(2), both made by `caller`.
  func pair(with other: Socket, _ caller: Credentials, process: Int32) {
    if type == .datagram {
      connectDatagram(to: other)
      other.connectDatagram(to: self)
      return
    }
    join(other)
    setPeer(caller, process: process)
    other.setPeer(caller, process: process)
  }

  /// Notes who is at the other end (LOCAL_PEERCRED).
  func setPeer(_ credentials: Credentials?, process: Int32) {
    peerCredentials = credentials
    peerProcess = process
  }

  /// Makes each the other's peer.
  func join(_ other: Socket) {
    peer = BackReference(other)
    other.peer = BackReference(self)
    state.insert(.connected)
    other.state.insert(.connected)
  }

  // MARK: Listening

  /// listen(2).
  ///
  /// Throws EOPNOTSUPP for a datagram socket, EINVAL for a connected one, EDESTADDRREQ for one without a name, EAGAIN while a call
  /// sends or receives.
  func listen(_ backlog: Int32, _ caller: Credentials, process: Int32) throws(Errno) {
    if type == .datagram { throw .eopnotsupp }
    let largest = services.maximumBacklog
    if !has(.listening) {
      if has(.connected) { throw .einval }
      if name == nil { throw .edestaddrreq }
      guard receivers.isEmpty, senders.isEmpty else { throw .eagain }
      state.insert(.listening)
    }
    peerCredentials = caller
    peerProcess = process
    self.backlog = backlog < 0 || backlog > largest ? largest : backlog
  }

  /// Whether a connection more may wait.
  var hasRoomForConnection: Bool { waitingCount <= 3 * backlog / 2 }

  /// Puts a socket behind those that wait.
  func enqueue(_ socket: Socket) {
    socket.listener = BackReference(self)
    let reference = BackReference(socket)
    if let last = lastWaiting.instance { last.nextWaiting.fill(socket) } else { firstWaiting.fill(socket) }
    lastWaiting = reference
    waitingCount += 1
    becameReadable()
  }

  /// Takes the connection that has waited longest.
  func dequeue() -> Socket? {
    guard let socket = firstWaiting.take() else { return nil }
    firstWaiting = socket.nextWaiting.move()
    if firstWaiting.borrowed.isEmpty { lastWaiting = BackReference() }
    waitingCount -= 1
    services.connectionsChange(self)
    socket.listener = BackReference()
    return socket
  }

  // MARK: Shutting

  /// shutdown(2), in steps. Returns whether it is done.
  ///
  /// Throws ENOTCONN for a socket that is not connected; a datagram socket is shut nevertheless, and the next accept(2) of a
  /// listening one fails.
  func shut(_ kind: ShutdownKind) throws(Errno) -> Bool {
    if has(.listening) {
      if kind != .write {
        pendingError = Errno.econnaborted.rawValue
        becameReadable()
      }
      throw .enotconn
    }
    noticeClosedPeer()
    let isConnected = has(.connected)
    if !isConnected && type != .datagram { throw .enotconn }
    if kind != .write && !shutReceiving() { return false }
    if kind != .read { shutSending() }
    if !isConnected { throw .enotconn }
    return true
  }

  private func shutReceiving() -> Bool {
    state.insert(.cannotReceive)
    if !dropReceived() { return false }
    let old = receiveLimit
    receiveLimit = 0
    account.socketByteCount -= Int(old)
    becameReadable()
    guard type != .datagram, let peer = peer.instance else { return true }
    peer.state.remove(.stopped)
    peer.becameWritable()
    return true
  }

  /// Drops what has been received and not read, that of some connected senders at a time. Returns whether nothing is left.
  func dropReceived() -> Bool {
    received.drop(services, account)
    for _ in 0..<Socket.toldAtOnce {
      guard let sender = readySenders.first.instance else { return true }
      connectedByteCount -= sender.sent.dataByteCount
      sender.sent.drop(services, sender.account)
      readySenders.remove(sender, .ready)
      sender.isReady = false
    }
    return readySenders.isEmpty
  }

  private func shutSending() {
    state.insert(.cannotSend)
    becameWritable()
    guard type != .datagram, let peer = peer.instance else { return }
    peer.state.insert(.cannotReceive)
    peer.becameReadable()
  }

  // MARK: The end

  /// Ends the connection of a stream: the peer reads what there is, then the end of the file.
  func disconnect() {
    if type == .datagram { return disconnectDatagram() }
    guard let other = peer.instance else { return }
    peer = BackReference()
    other.peer = BackReference()
    for index in 0..<2 {
      let socket = index == 0 ? self : other
      socket.state.subtract([.connected, .stopped])
      socket.state.formUnion([.cannotSend, .cannotReceive])
      socket.becameReadable()
      socket.becameWritable()
    }
  }

  /// The last reference to it goes: its file is closed, or nobody will accept it.
  func close() {
    state.insert(.closed)
    file = BackReference()
    leaveName()
    disconnect()
    received.drop(services, account)
    sent.drop(services, account)
    services.socketGoes(self)
    var budget = Socket.toldAtOnce
    if !tellOfEnd(&budget) { services.memory.tearDown(self, unitCount: Int(waitingCount) + Socket.toldAtOnce) }
  }

  /// Tells those that depend on a closed socket of its end. Returns whether none is left.
  func tellOfEnd(_ budget: inout Int) -> Bool {
    while true {
      if budget <= 0 { return false }
      budget -= 1
      if let sender = connectedSenders.first.instance {
        sender.noticeClosedPeer()
        sender.becameReadable()
        sender.becameWritable()
      } else if let waiting = dequeue() {
        // Who waited to be accepted finds the connection reset.
        let client = waiting.peer.instance
        client?.pendingError = Errno.econnreset.rawValue
        waiting.close()
      } else {
        return true
      }
    }
  }
}
