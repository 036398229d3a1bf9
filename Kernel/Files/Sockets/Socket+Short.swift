// A few bytes of a stream that nothing stands in the way of: what most sends and receives are, with no detour.

import ABI
import Memory
import Primitives

extension Socket {
  // MARK: Sending

  /// Sends a small piece of one part of the program's memory, if that can be done at once and is nothing special. Returns whether
  /// it was; if not, nothing has happened.
  @inline(__always)
  func sendAtOnce(_ transfer: inout Transfer, _ space: AddressSpace) -> Bool {
    let byteCount = transfer.bytesLeftInSegment
    guard byteCount == transfer.requested, transfer.pieceProgress == 0,
      transfer.messageFlags.isDisjoint(with: [.endOfRecord, .outOfBand]), transfer.socketPlace == nil
    else { return false }
    let isSent = send(byteCount) { target in
      var progress = 0
      let outcome = space.copyIn(
        to: target, byteCount: Int(byteCount), from: transfer.address, progress: &progress)
      if case .complete = outcome { return true }
      return false
    }
    if isSent { transfer.advance(byteCount) }
    return isSent
  }

  /// The same for what write(2) sends; how much was.
  @inline(__always)
  func sendAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    let physical = services.memory.physical
    let isSent = send(UInt64(short.byteCount)) { target in
      guard let reached = short.reach(short.byteCount, space, physical) else { return false }
      short.move(short.byteCount, reached, target, space, physical)
      return true
    }
    return isSent ? UInt64(short.byteCount) : nil
  }

  /// Sends a small piece that `store` puts where it is told, or says that it cannot.
  @inline(__always)
  private func send(_ byteCount: UInt64, _ store: (PhysicalAddress) -> Bool) -> Bool {
    guard type == .stream, state == .connected, pendingError == 0, senders.isEmpty, byteCount > 0,
      byteCount <= UInt64(SocketChunk.ownRoom), byteCount <= sendLimit, account.mayMakeKernelMemory
    else { return false }
    return peer.borrow { peer in peer.take(UInt32(byteCount), self, store) }
  }

  /// Takes a small piece that the peer sends into the queue.
  @inline(__always)
  private func take(_ byteCount: UInt32, _ sender: Socket, _ store: (PhysicalAddress) -> Bool) -> Bool {
    if wantsCredentials != 0 { return false }
    let chunk = received.placeForSmallPiece(byteCount, services)
    if chunk.isNone { return false }
    guard store(services.place(of: chunk, at: services.chunks[chunk].byteCount)) else {
      if received.isEmpty { services.releaseSmallChunk(chunk) }
      return false
    }
    received.addSmallPiece(byteCount, in: chunk, services, account)
    if SocketRoom.isFull(received, limit: sender.sendLimit, services) { sender.state.insert(.stopped) }
    becameReadable()
    return true
  }

  // MARK: Receiving

  /// Receives a small record into one part of the program's memory, if that can be done at once and is nothing special. Returns
  /// whether it was; if not, nothing has happened.
  @inline(__always)
  func receiveAtOnce(_ transfer: inout Transfer, _ space: AddressSpace) -> Bool {
    guard transfer.moved == 0, transfer.pieceProgress == 0,
      transfer.messageFlags.isDisjoint(with: [.peek, .outOfBand, .waitAll]), transfer.socketPlace == nil
    else { return false }
    let received = receive(transfer.bytesLeftInSegment) { record, byteCount in
      var progress = 0
      let outcome = space.copyOut(from: record, byteCount: byteCount, to: transfer.address, progress: &progress)
      if case .complete = outcome { return true }
      return false
    }
    guard let received else { return false }
    transfer.advance(received)
    return true
  }

  /// The same for what read(2) receives; how much was.
  @inline(__always)
  func receiveAtOnce(_ short: ShortTransfer, _ space: AddressSpace) -> UInt64? {
    let physical = services.memory.physical
    return receive(UInt64(short.byteCount)) { record, byteCount in
      guard let reached = short.reach(byteCount, space, physical) else { return false }
      short.move(byteCount, reached, record, space, physical)
      return true
    }
  }

  /// Receives a small record, no longer than `limit`, which `load` takes from where it is told, or says that it cannot.
  @inline(__always)
  private func receive(_ limit: UInt64, _ load: (PhysicalAddress, Int) -> Bool) -> UInt64? {
    guard type == .stream, receivers.isEmpty, receiveLowWater <= 1 else { return nil }
    let record = received.smallRecord(services)
    if record.isNone { return nil }
    let byteCount = services.chunks[record].byteCount
    guard UInt64(byteCount) <= limit, load(services.place(of: record, at: 0), Int(byteCount)) else { return nil }
    received.removeSmallRecord(services, account)
    tellSender()
    return UInt64(byteCount)
  }
}
