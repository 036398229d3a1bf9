// A few bytes of a stream that nothing stands in the way of: what most sends and receives are, with no detour.

import ABI
import Memory
import Primitives

extension Socket {
  /// Sends a small piece of one part of the program's memory, if that can be done at once and is nothing special. Returns whether
  /// it was; if not, nothing has happened.
  @inline(__always)
  func sendAtOnce(_ transfer: inout Transfer, _ space: AddressSpace) -> Bool {
    let byteCount = transfer.bytesLeftInSegment
    guard type == .stream, state == .connected, pendingError == 0, senders.isEmpty, byteCount == transfer.requested,
      byteCount > 0, byteCount <= UInt64(SocketChunk.ownRoom), byteCount <= sendLimit, transfer.pieceProgress == 0,
      transfer.messageFlags.isDisjoint(with: [.endOfRecord, .outOfBand]), transfer.socketPlace == nil,
      account.mayMakeKernelMemory
    else { return false }
    let isSent = peer.borrow { peer in peer.take(UInt32(byteCount), from: transfer.address, space, self) }
    if isSent { transfer.advance(byteCount) }
    return isSent
  }

  /// Takes a small piece that the peer sends into the queue.
  @inline(__always)
  private func take(_ byteCount: UInt32, from address: VirtualAddress, _ space: AddressSpace, _ sender: Socket) -> Bool
  {
    if wantsCredentials != 0 { return false }
    let chunk = received.placeForSmallPiece(byteCount, services)
    if chunk.isNone { return false }
    var progress = 0
    let target = services.place(of: chunk, at: services.chunks[chunk].byteCount)
    guard case .complete = space.copyIn(to: target, byteCount: Int(byteCount), from: address, progress: &progress)
    else {
      if received.isEmpty { services.releaseSmallChunk(chunk) }
      return false
    }
    received.addSmallPiece(byteCount, in: chunk, services, account)
    if SocketRoom.isFull(received, limit: sender.sendLimit, services) { sender.state.insert(.stopped) }
    becameReadable()
    return true
  }

  /// Receives a small record into one part of the program's memory, if that can be done at once and is nothing special. Returns
  /// whether it was; if not, nothing has happened.
  @inline(__always)
  func receiveAtOnce(_ transfer: inout Transfer, _ space: AddressSpace) -> Bool {
    guard type == .stream, receivers.isEmpty, receiveLowWater <= 1, transfer.moved == 0, transfer.pieceProgress == 0,
      transfer.messageFlags.isDisjoint(with: [.peek, .outOfBand, .waitAll]), transfer.socketPlace == nil
    else { return false }
    let record = received.smallRecord(services)
    if record.isNone { return false }
    let byteCount = services.chunks[record].byteCount
    guard UInt64(byteCount) <= transfer.bytesLeftInSegment else { return false }
    var progress = 0
    guard
      case .complete = space.copyOut(
        from: services.place(of: record, at: 0), byteCount: Int(byteCount), to: transfer.address, progress: &progress)
    else { return false }
    received.removeSmallRecord(services, account)
    transfer.advance(UInt64(byteCount))
    tellSender()
    return true
  }
}
