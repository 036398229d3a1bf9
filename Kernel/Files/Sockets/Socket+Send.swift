// Sending over a stream or in packets (spec sockets.md sections 4.1 and 5).
//
// What is sent becomes visible piece by piece: as much as the room rule takes at once is copied into chunks of its own, and put
// into the other end's queue as a whole.

import ABI
import Memory
import Primitives

extension Socket {
  /// Whether a call does not have the direction that it wants: others stand in line before it.
  @inline(__always)
  func isBehindOthers(_ line: SocketLine, _ transfer: Transfer) -> Bool {
    if line.isEmpty { return false }
    guard let place = transfer.socketPlace else { return true }
    return !place.isFirst
  }

  /// The place of a transfer, made when there is none. Allocates one small object.
  func place(for transfer: inout Transfer, receives: Bool) -> SocketPlace {
    if let place = transfer.socketPlace { return place }
    let place = SocketPlace(self, receives: receives)
    transfer.socketPlace = place
    return place
  }

  /// A send.
  ///
  /// Throws, in this order: EINVAL for MSG_EOR on a stream; EPIPE; the pending error; ENOTCONN; EMSGSIZE; EAGAIN instead of
  /// waiting; EFAULT; EOPNOTSUPP for MSG_OOB; what is wrong with the control messages. ENOBUFS when there is no memory.
  @inline(__always)
  func send(_ transfer: inout Transfer, _ space: AddressSpace, isImmediate: Bool) throws(Errno) -> Progress {
    if type == .datagram { return try sendDatagram(&transfer, space, isImmediate: isImmediate) }
    if isBehindOthers(senders, transfer) { return try waitForRoom(&transfer, isImmediate: isImmediate) }
    var budget = files.pagesPerTransferStep
    var message = SocketMessage()
    var pieceByteCount = 0
    if let place = transfer.socketPlace, !place.message.isEmpty {
      swap(&message, &place.message)
      pieceByteCount = place.pieceByteCount
    }
    repeat {
      if message.isEmpty {
        let control = transfer.socketPlace?.controlInput?.byteCount ?? 0
        try checkSend(transfer, controlByteCount: control)
        guard let room = roomToSend(Int(clamping: transfer.remaining), controlByteCount: control) else {
          return try waitForRoom(&transfer, isImmediate: isImmediate)
        }
        pieceByteCount = min(Int(clamping: transfer.remaining), room)
        if pieceByteCount == 0 && type == .stream && control == 0 && !isAskedWhoSends { break }
      }
      if let unfinished = try build(&message, pieceByteCount, &transfer, space, &budget, isImmediate) {
        return keepSending(&transfer, message, pieceByteCount, unfinished)
      }
      try deliver(&message, transfer)
    } while transfer.remaining > 0
    endSending(&transfer)
    return .complete
  }

  /// Whether the other end wants to know who sends, were it nothing.
  private var isAskedWhoSends: Bool { peer.instance.map { $0.wantsCredentials != 0 } ?? false }

  /// Ends a send: the next in line has its turn.
  @inline(__always)
  func endSending(_ transfer: inout Transfer) {
    if let place = transfer.socketPlace {
      place.leaveLine()
      transfer.hasBegun = false
    }
  }

  @inline(__always)
  private func checkSend(_ transfer: Transfer, controlByteCount: Int) throws(Errno) {
    if state != .connected || pendingError != 0 || transfer.messageFlags.contains(.endOfRecord) || type != .stream {
      try checkUnusualSend(transfer)
    }
    if controlByteCount > 0 && UInt64(controlByteCount) > sendLimit { throw .emsgsize }
    if !account.mayMakeKernelMemory { throw .enobufs }
  }

  @inline(never)
  private func checkUnusualSend(_ transfer: Transfer) throws(Errno) {
    if type == .stream && transfer.messageFlags.contains(.endOfRecord) { throw .einval }
    if has(.cannotSend) { throw .epipe }
    if let error = takePendingError() { throw error }
    guard has(.connected) else { throw .enotconn }
    if type == .sequencedPacket && transfer.remaining > sendLimit { throw .emsgsize }
  }

  /// How many bytes may go in one piece; nil when the call has to wait.
  @inline(__always)
  private func roomToSend(_ byteCount: Int, controlByteCount: Int) -> Int? {
    let room = has(.stopped) ? 0 : Int(sendLimit)
    if type == .stream {
      // FreeBSD waits for more than nothing only if that much was asked for.
      if byteCount + controlByteCount == 0 { return 0 }
      if room < byteCount + controlByteCount && (room < Int(sendLowWater) || room < controlByteCount || room == 0) {
        return nil
      }
      return room - controlByteCount
    }
    return has(.stopped) || room < byteCount + controlByteCount ? nil : room
  }

  /// Goes on copying a piece into chunks of its own. Returns nil when all of it is there, otherwise what to do before it goes on.
  @inline(__always)
  func build(
    _ message: inout SocketMessage, _ pieceByteCount: Int, _ transfer: inout Transfer, _ space: AddressSpace,
    _ budget: inout Int, _ isImmediate: Bool
  ) throws(Errno) -> Progress? {
    let services = self.services
    if message.isEmpty && !services.extend(&message, byByteCount: pieceByteCount) {
      return try memoryIsShort(&message, isImmediate)
    }
    while message.byteCount < pieceByteCount {
      if budget == 0 { return .again }
      budget -= 1
      var room = services.chunks[message.last].roomLeft
      if room == 0 {
        guard services.extend(&message, byByteCount: pieceByteCount - message.byteCount) else {
          return try memoryIsShort(&message, isImmediate)
        }
        room = services.chunks[message.last].roomLeft
      }
      let left = UInt64(min(pieceByteCount - message.byteCount, Int(room)))
      let byteCount = min(transfer.bytesLeftInSegment, left)
      let target = services.place(of: message.last, at: services.chunks[message.last].byteCount)
      switch space.copyIn(
        to: target, byteCount: Int(byteCount), from: transfer.address, progress: &transfer.pieceProgress)
      {
      case .complete:
        transfer.advance(byteCount)
        services.chunks[message.last].byteCount += UInt32(byteCount)
        message.byteCount += Int(byteCount)
      case .wait(let wait): return .wait(wait)
      default:
        services.drop(&message)
        throw .efault
      }
    }
    return nil
  }

  @inline(never)
  private func memoryIsShort(_ message: inout SocketMessage, _ isImmediate: Bool) throws(Errno) -> Progress {
    if !isImmediate { return .wait(.frames) }
    services.drop(&message)
    throw .enobufs
  }

  /// Keeps others from sending while the thread is away in the middle of a piece.
  @inline(never)
  func keepSending(
    _ transfer: inout Transfer, _ message: SocketMessage, _ pieceByteCount: Int, _ progress: Progress
  ) -> Progress {
    let place = place(for: &transfer, receives: false)
    place.message = message
    place.pieceByteCount = pieceByteCount
    place.lineUp()
    transfer.hasBegun = !message.isEmpty
    return progress
  }

  @inline(never)
  private func waitForRoom(_ transfer: inout Transfer, isImmediate: Bool) throws(Errno) -> Progress {
    if isImmediate || transfer.socketPlace?.isLate ?? false {
      if transfer.moved == 0 { throw .eagain }
      endSending(&transfer)
      return .complete
    }
    let place = place(for: &transfer, receives: false)
    transfer.hasBegun = false
    place.lineUp()
    place.beginWait(sendTimeout, moved: transfer.moved)
    return .wait(place.wait)
  }

  /// Puts a piece into the other end's queue.
  @inline(__always)
  func deliver(_ message: inout SocketMessage, _ transfer: Transfer) throws(Errno) {
    guard let peer = peer.instance, !has(.cannotSend) else {
      services.drop(&message)
      throw .epipe
    }
    let services = self.services
    let isPlain =
      type == .stream && transfer.messageFlags.isDisjoint(with: [.endOfRecord, .outOfBand])
      && transfer.socketPlace?.controlInput == nil
    let wantsCredentials = peer.wantsCredentials != 0
    if !isPlain || wantsCredentials {
      try complete(&message, transfer)
      if wantsCredentials {
        do throws(Errno) {
          try addCredentials(for: peer, to: message.first)
        } catch {
          services.drop(&message)
          throw error
        }
      }
    }
    if type == .stream && message.byteCount == 0 && services.chunks[message.first].control.borrowed.isEmpty {
      return services.drop(&message)
    }
    if isPlain && !wantsCredentials && !peer.received.isEmpty {
      peer.received.extend(by: message, services, peer.account)
    } else {
      put(message, into: peer)
    }
    message = SocketMessage()
    hasSent(to: peer)
  }

  /// Puts a record that says what it counts as, but for its data, into the other end's queue. A record of a stream that nothing
  /// comes with is no record of its own.
  @inline(__always)
  func put(_ message: SocketMessage, into peer: Socket) {
    let services = self.services
    let chunk = services.chunks.pin(message.first)
    chunk.value.cost += UInt32(SocketRoom.costOfData(message.byteCount, type))
    let control = chunk.value.control.borrowed
    if !control.isEmpty { control.borrow { $0.enter(peer) } }
    if type == .stream && control.isEmpty && !peer.received.isEmpty {
      peer.received.extend(by: message, services, peer.account)
    } else {
      peer.received.append(message, services, peer.account)
    }
  }

  /// Something has been put there: more of it may have to wait, and whoever wants it is told.
  @inline(__always)
  func hasSent(to peer: Socket) {
    if SocketRoom.isFull(peer.received, limit: sendLimit, services) { state.insert(.stopped) }
    peer.becameReadable()
  }

  /// Makes what comes with a message, and says in its first chunk what it counts as.
  ///
  /// Throws what is wrong with the flags or the control messages; then the message is gone.
  @inline(never)
  func complete(_ message: inout SocketMessage, _ transfer: Transfer) throws(Errno) {
    do throws(Errno) {
      if transfer.messageFlags.contains(.outOfBand) && type != .datagram { throw .eopnotsupp }
      describe(message.first, try takeControlInput(of: transfer.socketPlace), transfer.messageFlags)
    } catch {
      services.drop(&message)
      throw error
    }
  }

  /// What the control messages become that a call has kept; nothing when there are none, or nothing comes of them.
  private func takeControlInput(of place: SocketPlace?) throws(Errno) -> HeldReference<SocketControl> {
    guard let place, let input = place.controlInput else { return HeldReference() }
    guard let table = place.table.instance else { throw .einval }
    let control = try makeControl(input, table)
    place.controlInput = nil
    return control
  }

  /// Says in the first chunk of a record what it counts as, but for its data, and puts what comes with it there.
  @inline(__always)
  func describe(_ record: Handle<SocketChunk>, _ control: HeldReference<SocketControl>, _ flags: MessageFlags) {
    if !control.borrowed.isEmpty {
      let chunk = services.chunks.pin(record)
      control.borrowed.borrow { control in
        chunk.value.controlByteCount = UInt32(truncatingIfNeeded: control.byteCount)
        chunk.value.cost = UInt32(truncatingIfNeeded: control.cost)
      }
      chunk.value.control = control
    }
    if type != .stream { describeMessage(record, flags) }
  }

  /// The same for what only records of messages have: an end, and the name of who sent it.
  @inline(never)
  private func describeMessage(_ record: Handle<SocketChunk>, _ flags: MessageFlags) {
    services.chunks[record].isEnd = flags.contains(.endOfRecord)
    services.chunks[record].cost += UInt32(SocketRoom.costOfName)
    var nameByteCount = SocketRoom.unnamedByteCount
    if type == .datagram, let name {
      nameByteCount = name.addressByteCount
      services.chunks[record].name.fill(name)
    }
    services.chunks[record].nameByteCount = UInt16(nameByteCount)
  }
}
