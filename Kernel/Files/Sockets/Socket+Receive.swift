// Receiving (spec sockets.md sections 4.1 to 4.3).
//
// A stream gives its bytes up as they are copied: what a fault finds in its way stays. A message is taken out as a whole first,
// and is gone whatever happens. Who looks only (MSG_PEEK) takes nothing.

import ABI
import Memory
import Primitives

extension Socket {
  /// A receive.
  ///
  /// Throws EOPNOTSUPP for MSG_OOB; the pending error when nothing is queued; ENOTCONN; EAGAIN instead of waiting; EFAULT.
  @inline(__always)
  func receive(_ transfer: inout Transfer, _ space: AddressSpace, isImmediate: Bool) throws(Errno) -> Progress {
    if isBehindOthers(receivers, transfer) { return try waitForBytes(&transfer, isImmediate: isImmediate) }
    if type != .stream { return try receiveMessage(&transfer, space, isImmediate: isImmediate) }
    if transfer.messageFlags.contains(.outOfBand) { throw .eopnotsupp }
    if transfer.moved == 0 && !hasBegunReceiving(transfer) {
      if !isWorthReceiving(transfer), let progress = try settle(&transfer, isImmediate: isImmediate) { return progress }
    } else if received.isEmpty && !isEndOfWait(transfer, isImmediate) {
      return try waitForBytes(&transfer, isImmediate: isImmediate)
    }
    if transfer.messageFlags.contains(.peek) { return try peek(at: received.first, &transfer, space) }
    return try receiveStream(&transfer, space, isImmediate: isImmediate)
  }

  private func hasBegunReceiving(_ transfer: Transfer) -> Bool { transfer.socketPlace?.control != nil }

  /// Whether a receive need not wait for more.
  @inline(__always)
  private func isWorthReceiving(_ transfer: Transfer) -> Bool {
    if received.isEmpty { return false }
    if receiveLowWater <= 1 || type != .stream || transfer.messageFlags.contains(.doNotWait) { return true }
    let available = UInt64(received.byteCount)
    return available >= transfer.remaining || available >= receiveLowWater || received.first != received.lastRecord
  }

  /// What becomes of a receive that finds nothing, or too little; nil: it takes what there is.
  @inline(never)
  func settle(_ transfer: inout Transfer, isImmediate: Bool) throws(Errno) -> Progress? {
    let isEmpty = !hasSomething
    if pendingError != 0 {
      if !isEmpty { return nil }
      if let error = takePendingError(keeping: transfer.messageFlags.contains(.peek)) { throw error }
    }
    if has(.cannotReceive) { return isEmpty ? .complete : nil }
    guard has(.connected) || type == .datagram else { throw .enotconn }
    if transfer.remaining == 0 { return .complete }
    return try waitForBytes(&transfer, isImmediate: isImmediate)
  }

  /// Whether a receive that has something already and wants more (MSG_WAITALL) is done.
  private func isEndOfWait(_ transfer: Transfer, _ isImmediate: Bool) -> Bool {
    pendingError != 0 || has(.cannotReceive) || isImmediate || transfer.remaining == 0
      || transfer.socketPlace?.isLate ?? false
  }

  @inline(never)
  private func waitForBytes(_ transfer: inout Transfer, isImmediate: Bool) throws(Errno) -> Progress {
    if isImmediate || transfer.socketPlace?.isLate ?? false {
      if transfer.moved == 0 { throw .eagain }
      return endReceiving(&transfer)
    }
    let place = place(for: &transfer, receives: true)
    transfer.hasBegun = false
    place.lineUp()
    place.beginWait(receiveTimeout, moved: transfer.moved)
    return .wait(place.wait)
  }

  /// Keeps others from receiving while the thread is away in the middle of its work.
  @inline(never)
  private func keepReceiving(_ transfer: inout Transfer, _ progress: Progress) -> Progress {
    let place = place(for: &transfer, receives: true)
    place.lineUp()
    transfer.hasBegun = transfer.hasStored || place.control != nil || !place.message.isEmpty
    return progress
  }

  /// Ends a receive: the next in line has its turn.
  @inline(__always)
  private func endReceiving(_ transfer: inout Transfer) -> Progress {
    if let place = transfer.socketPlace {
      place.leaveLine()
      transfer.hasBegun = false
      if !received.isEmpty { receivers.wake() }
    }
    return .complete
  }

  /// Lets the sender know that something was taken.
  @inline(__always)
  func tellSender() {
    if peer.isEmpty || type == .datagram { return }
    let queue = received
    peer.borrow { peer in
      if peer.has(.stopped) {
        if SocketRoom.isFull(queue, limit: peer.sendLimit, peer.services) { return }
        peer.state.remove(.stopped)
      }
      peer.becameWritable()
    }
  }

  // MARK: Streams

  @inline(__always)
  private func receiveStream(
    _ transfer: inout Transfer, _ space: AddressSpace, isImmediate: Bool
  ) throws(Errno) -> Progress {
    let services = self.services
    var budget = files.pagesPerTransferStep
    while !received.isEmpty {
      if !services.chunks[received.first].control.borrowed.isEmpty {
        // What came with a record comes with its first byte, and nothing of the record before.
        if transfer.moved > 0 || hasBegunReceiving(transfer) { break }
        try takeControl(&transfer, services)
      }
      let isRecordsEnd = try receiveRecord(&transfer, space, services, &budget)
      switch isRecordsEnd {
      case .again, .wait:
        tellSender()
        return keepReceiving(&transfer, isRecordsEnd)
      case .complete: break
      }
      if transfer.remaining == 0 || !received.isEmpty { break }
      let waitsForAll = transfer.messageFlags.contains(.waitAll) && transfer.moved > 0
      if !waitsForAll || isEndOfWait(transfer, isImmediate) { break }
      tellSender()
      return try waitForBytes(&transfer, isImmediate: isImmediate)
    }
    tellSender()
    return endReceiving(&transfer)
  }

  /// Copies what there is of the first record. `complete`: it is used up, or the transfer is.
  @inline(__always)
  private func receiveRecord(
    _ transfer: inout Transfer, _ space: AddressSpace, _ services: SocketServices, _ budget: inout Int
  ) throws(Errno) -> Progress {
    if services.chunks[received.first].recordByteCount == 0 {
      received.removeEmptyChunk(services, account)
      return .complete
    }
    while transfer.remaining > 0 {
      if budget == 0 { return .again }
      budget -= 1
      let chunk = received.first
      let byteCount = min(transfer.bytesLeftInSegment, UInt64(services.chunks[chunk].byteCount))
      switch space.copyOut(
        from: services.place(of: chunk, at: 0), byteCount: Int(byteCount), to: transfer.address,
        progress: &transfer.pieceProgress)
      {
      case .complete: break
      case .wait(let wait): return .wait(wait)
      default:
        tellSender()
        throw .efault
      }
      transfer.advance(byteCount)
      let isLast = UInt64(services.chunks[chunk].recordByteCount) == byteCount
      received.consume(UInt32(byteCount), services, account)
      if isLast { break }
    }
    return .complete
  }

  /// Takes what came with the first record: the caller wants it, or it is dropped.
  ///
  /// Throws EMFILE when the caller has not as many descriptors.
  @inline(never)
  private func takeControl(_ transfer: inout Transfer, _ services: SocketServices) throws(Errno) {
    guard let control = received.takeControl(services) else { return }
    control.leaveHolder()
    guard let place = transfer.socketPlace, place.wantsControl else { return }
    if let table = place.table.instance {
      do throws(Errno) {
        try table.makeRoom(for: control.fileCount, limited: control.hasLimits)
      } catch {
        // The bytes stay.
        tellSender()
        _ = endReceiving(&transfer)
        throw error
      }
      table.endRoom(for: control.fileCount)
    }
    place.control = control
  }

  // MARK: Looking only

  /// Copies from a record without taking anything.
  private func peek(
    at record: Handle<SocketChunk>, _ transfer: inout Transfer, _ space: AddressSpace
  ) throws(Errno) -> Progress {
    if record.isNone { return endReceiving(&transfer) }
    let services = self.services
    var chunk = record
    var skipped = UInt32(clamping: transfer.moved)
    while !chunk.isNone && skipped >= services.chunks[chunk].byteCount {
      skipped -= services.chunks[chunk].byteCount
      chunk = services.chunks[chunk].next
    }
    var budget = files.pagesPerTransferStep
    if let unfinished = try copyOut(&chunk, &skipped, &transfer, space, &budget) {
      return keepReceiving(&transfer, unfinished)
    }
    finish(record, rest: chunk, offset: skipped, &transfer)
    return endReceiving(&transfer)
  }

  /// Copies the bytes of a chain of chunks, from `offset` in the first on, until they or the transfer are used up. Returns what
  /// to do before it goes on, if it is not done.
  @inline(__always)
  private func copyOut(
    _ chunk: inout Handle<SocketChunk>, _ offset: inout UInt32, _ transfer: inout Transfer, _ space: AddressSpace,
    _ budget: inout Int
  ) throws(Errno) -> Progress? {
    let services = self.services
    while !chunk.isNone {
      let left = services.chunks[chunk].byteCount &- offset
      if left == 0 {
        chunk = services.chunks[chunk].next
        offset = 0
        continue
      }
      if transfer.remaining == 0 { return nil }
      if budget == 0 { return .again }
      budget -= 1
      let byteCount = min(transfer.bytesLeftInSegment, UInt64(left))
      switch space.copyOut(
        from: services.place(of: chunk, at: offset), byteCount: Int(byteCount), to: transfer.address,
        progress: &transfer.pieceProgress)
      {
      case .complete: break
      case .wait(let wait): return .wait(wait)
      default: throw .efault
      }
      transfer.advance(byteCount)
      offset += UInt32(byteCount)
    }
    return nil
  }

  /// Notes what is to be told of a message besides its bytes. `rest`: the chunk in which something is left, if there is one.
  private func finish(
    _ record: Handle<SocketChunk>, rest: Handle<SocketChunk>, offset: UInt32, _ transfer: inout Transfer
  ) {
    let services = self.services
    if type == .stream { return }
    let byteCount = services.chunks[record].recordByteCount
    let isCut = !rest.isNone
    if let place = transfer.socketPlace {
      place.hasSender = true
      if type == .datagram && place.wantsName { place.name = services.chunks[record].name.borrowed.instance }
      if isCut { place.outcome.insert(.truncated) }
      if services.chunks[record].isEnd && !isCut && byteCount > 0 { place.outcome.insert(.endOfRecord) }
    }
    if isCut && transfer.messageFlags.contains(.truncated) { transfer.moved = UInt64(byteCount) }
  }

  // MARK: Messages

  private func receiveMessage(
    _ transfer: inout Transfer, _ space: AddressSpace, isImmediate: Bool
  ) throws(Errno) -> Progress {
    if type != .datagram && transfer.messageFlags.contains(.outOfBand) { throw .eopnotsupp }
    var message = SocketMessage()
    var (chunk, offset) = (Handle<SocketChunk>.none, UInt32(0))
    if let place = transfer.socketPlace, !place.message.isEmpty {
      swap(&message, &place.message)
      (chunk, offset) = (place.chunk, place.chunkOffset)
    } else {
      if !hasSomething {
        if let progress = try settle(&transfer, isImmediate: isImmediate) { return progress }
        return .complete
      }
      if transfer.messageFlags.contains(.peek) { return try peek(at: peekedRecord(), &transfer, space) }
      message = takeMessage()
      chunk = message.first
      if !services.chunks[chunk].control.borrowed.isEmpty {
        let control = services.chunks[chunk].control.take()
        control?.leaveHolder()
        if let place = transfer.socketPlace, place.wantsControl { place.control = control }
      }
      tellSender()
    }
    var budget = files.pagesPerTransferStep
    do throws(Errno) {
      if let unfinished = try copyOut(&chunk, &offset, &transfer, space, &budget) {
        let place = place(for: &transfer, receives: true)
        place.message = message
        (place.chunk, place.chunkOffset) = (chunk, offset)
        return keepReceiving(&transfer, unfinished)
      }
    } catch {
      services.drop(&message)
      throw error
    }
    finish(message.first, rest: chunk, offset: offset, &transfer)
    discard(&message)
    return endReceiving(&transfer)
  }

  /// Releases a message that was read: at once if it is small.
  @inline(__always)
  private func discard(_ message: inout SocketMessage) {
    if message.first != message.last { return services.drop(&message) }
    services.dropCompanions(message.first)
    services.release(message.first)
  }

  /// Whether a record is queued.
  @inline(__always)
  var hasSomething: Bool { !received.isEmpty || !readySenders.isEmpty }

  /// Takes the message whose turn it is.
  private func takeMessage() -> SocketMessage {
    type == .datagram ? takeDatagram() : received.removeFirst(services, account)
  }

  private func peekedRecord() -> Handle<SocketChunk> { type == .datagram ? peekedDatagram() : received.first }
}
