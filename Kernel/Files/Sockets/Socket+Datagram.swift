// Datagrams (spec sockets.md sections 4.1 and 4.4).
//
// A receiver serves a message that somebody has looked at first, then the connected sender that had nothing and sent something
// last, all of it, and in the end what came from senders that are not connected.

import ABI
import Memory
import Primitives

extension Socket {
  /// Bytes of the largest datagram.
  private var largestDatagram: UInt64 { services.datagramSpace.largest }

  /// A send of a datagram, which never waits for room.
  ///
  /// Throws, in this order: EOPNOTSUPP for MSG_OOB; EMSGSIZE; EFAULT; what is wrong with the control messages; EPIPE; the pending
  /// error; EDESTADDRREQ; EISCONN, or what connect(2) throws; ENOBUFS.
  @inline(never)
  func sendDatagram(_ transfer: inout Transfer, _ space: AddressSpace, isImmediate: Bool) throws(Errno) -> Progress {
    if transfer.messageFlags.contains(.outOfBand) { throw .eopnotsupp }
    if transfer.requested > largestDatagram { throw .emsgsize }
    if !account.mayMakeKernelMemory { throw .enobufs }
    var message = SocketMessage()
    let byteCount = Int(transfer.requested)
    if let place = transfer.socketPlace, !place.message.isEmpty { swap(&message, &place.message) }
    var budget = files.pagesPerTransferStep
    if let unfinished = try build(&message, byteCount, &transfer, space, &budget, isImmediate) {
      let place = place(for: &transfer, receives: false)
      place.message = message
      place.pieceByteCount = byteCount
      transfer.hasBegun = !message.isEmpty
      return unfinished
    }
    transfer.hasBegun = false
    try complete(&message, transfer)
    do throws(Errno) {
      try deliverDatagram(&message, try receiver(of: transfer))
    } catch {
      services.drop(&message)
      throw error
    }
    return .complete
  }

  /// To whom a datagram goes.
  private func receiver(of transfer: Transfer) throws(Errno) -> Socket {
    if has(.cannotSend) { throw .epipe }
    noticeClosedPeer()
    if let error = takePendingError() { throw error }
    if let place = transfer.socketPlace, place.hasDestination {
      if has(.connected) { throw .eisconn }
      if let error = place.nameError { throw error }
      guard let name = place.name, let caller = place.caller else { throw .edestaddrreq }
      return try files.findSocket(name, of: type, caller)
    }
    guard has(.connected), let peer = peer.instance else { throw .edestaddrreq }
    return peer
  }

  private func deliverDatagram(_ message: inout SocketMessage, _ receiver: Socket) throws(Errno) {
    let services = self.services
    let record = message.first
    if receiver.wantsCredentials != 0 { try addCredentials(for: receiver, to: record) }
    services.chunks[record].cost += UInt32(SocketRoom.costOfData(message.byteCount, .datagram))
    let byteCount =
      message.byteCount + Int(services.chunks[record].controlByteCount) + Int(services.chunks[record].nameByteCount)
    let isConnected = peer == BackReference(receiver) && has(.connected)
    let cost = Int(services.chunks[record].cost)
    let admits =
      isConnected
      ? SocketRoom.admits(byteCount, cost: cost, into: sent, limit: sendLimit, services)
      : SocketRoom.admits(byteCount, cost: cost, into: receiver.received, limit: receiver.receiveLimit, services)
    guard admits else {
      if receiver.options.contains(.receiveError) {
        receiver.pendingError = Errno.enobufs.rawValue
        receiver.becameReadable()
      }
      throw .enobufs
    }
    if isConnected {
      if sent.isEmpty {
        receiver.readySenders.prepend(self, .ready)
        isReady = true
      }
      sent.append(message, services, account)
      receiver.connectedByteCount += message.byteCount
    } else {
      receiver.received.append(message, services, receiver.account)
    }
    services.chunks[record].control.borrowed.instance?.enter(receiver)
    message = SocketMessage()
    receiver.becameReadable()
  }

  // MARK: Receiving

  /// The sender whose turn it is, if it is one that is connected.
  private var sender: Socket? {
    if !received.isEmpty, services.chunks[received.first].isPeeked { return nil }
    return readySenders.first.instance
  }

  /// The record of the message whose turn it is; it keeps its turn.
  func peekedDatagram() -> Handle<SocketChunk> {
    if let sender {
      services.chunks[sender.sent.first].isPeeked = true
      return sender.sent.first
    }
    services.chunks[received.first].isPeeked = true
    return received.first
  }

  /// Takes the message whose turn it is.
  func takeDatagram() -> SocketMessage {
    guard let sender else { return received.removeFirst(services, account) }
    let message = sender.sent.removeFirst(services, sender.account)
    connectedByteCount -= message.byteCount
    if sender.sent.isEmpty {
      readySenders.remove(sender, .ready)
      sender.isReady = false
    }
    if !sender.file.isEmpty { sender.becameWritable() }
    return message
  }

  /// Bytes of data that wait here.
  var availableByteCount: Int { received.dataByteCount + connectedByteCount }

  // MARK: Connections

  /// Connects a datagram socket.
  func connectDatagram(to receiver: Socket) {
    peer = BackReference(receiver)
    state.insert(.connected)
    receiver.connectedSenders.prepend(self, .connected)
  }

  /// The peer of a datagram socket has been closed, and has not come to say so.
  func noticeClosedPeer() {
    guard type == .datagram, let receiver = peer.instance, receiver.has(.closed) else { return }
    disconnectDatagram()
    pendingError = Errno.econnreset.rawValue
  }

  /// Ends the connection of a datagram socket: what it has sent goes to those of senders that are not connected, if there are
  /// none, and is dropped otherwise.
  func disconnectDatagram() {
    guard let receiver = peer.instance else { return }
    if isReady {
      receiver.readySenders.remove(self, .ready)
      isReady = false
      receiver.connectedByteCount -= sent.dataByteCount
      if receiver.received.isEmpty && !receiver.has(.closed) {
        sent.move(to: &receiver.received, account, receiver.account)
      } else {
        sent.drop(services, account)
      }
    }
    receiver.connectedSenders.remove(self, .connected)
    peer = BackReference()
    state.remove(.connected)
  }
}
