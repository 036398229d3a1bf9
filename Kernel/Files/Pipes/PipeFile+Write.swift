// Writing into a pipe (spec sockets.md section 2.3).
//
// A write is stored piece by piece, each of which becomes readable as a whole: up to PIPE_BUF bytes are one piece, longer writes
// fill what room there is, and large ones of a blocking end hand over as much as the buffer holds and wait until it is read.

import ABI
import Memory
import Primitives

extension PipeFile {
  /// write(2).
  ///
  /// Throws EPIPE when the other end is closed and nothing has been written before; EAGAIN instead of waiting for the first byte
  /// when O_NONBLOCK is set; EFAULT and EIO, whatever was written before.
  @inline(__always)
  func send(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    guard let reader = peer.instance else { return try breakOff(&transfer) }
    var piece = PipePiece()
    if let place = transfer.place {
      if place.isOffered { return .wait(place.wait) }
      if place.isCopying { piece = place.piece }
    }
    if piece.byteCount == 0 && transfer.remaining > 0 {
      if !writing.isEmpty && transfer.place?.isCopying != true { return try waitForRoom(&transfer) }
      if !transfer.isStarted {
        if offer.isEmpty, let wait = adaptCapacity(of: reader, to: transfer.remaining) {
          return keepWriting(&transfer, piece, .wait(wait))
        }
        transfer.isStarted = true
      }
    }
    var pieceBudget = withServices { $0.pagesPerTransferStep }
    while piece.byteCount > 0 || transfer.remaining > 0 {
      if piece.byteCount == 0 {
        piece = nextPiece(of: transfer, reader)
        if piece.byteCount == 0 {
          stopWriting(&transfer)
          if transfer.moved > 0 && flags.contains(.nonBlocking) { break }
          return try waitForRoom(&transfer, isOffered: piece.isOffered)
        }
      }
      if let unfinished = try store(&piece, &transfer, reader, space, &pieceBudget) { return unfinished }
      reader.queuedByteCount += piece.byteCount
      reader.wakeReader()
      reader.tellWatchers()
      if piece.isOffered { return waitForReader(&transfer, reader) }
      piece = PipePiece()
    }
    reader.modificationNanoseconds = withServices { $0.timestamp }
    if transfer.place != nil {
      stopWriting(&transfer)
      transfer.place = nil
    }
    return .complete
  }

  /// The next piece that there is room for. None, of 0 bytes, when the write has to wait: for an empty buffer if it would be
  /// offered, otherwise for room.
  @inline(__always)
  private func nextPiece(of transfer: Transfer, _ reader: PipeFile) -> PipePiece {
    let smallest = withServices { UInt64($0.pipeSpace.smallestOfferByteCount) }
    let isOffered =
      transfer.bytesLeftInSegment >= smallest && reader.byteCapacity >= Int(smallest)
      && !flags.contains(.nonBlocking)
    var room = reader.freeByteCount
    if isOffered {
      room = reader.queuedByteCount == 0 && offer.isEmpty ? Int(min(transfer.bytesLeftInSegment, UInt64(room))) : 0
    } else if !offer.isEmpty || room < smallestPiece(of: transfer) {
      room = 0
    }
    return PipePiece(byteCount: Int(min(transfer.remaining, UInt64(room))), isOffered: isOffered)
  }

  /// Bytes that a write needs room for to go on.
  @inline(__always)
  private func smallestPiece(of transfer: Transfer) -> Int {
    transfer.requested <= UInt64(PipeLimits.atomicByteCount) ? Int(transfer.remaining) : 1
  }

  /// Stores what is left of a piece behind what can be read. Returns nil when all of it is stored.
  @inline(__always)
  private func store(
    _ piece: inout PipePiece, _ transfer: inout Transfer, _ reader: PipeFile, _ space: AddressSpace,
    _ pieceBudget: inout Int
  ) throws(Errno) -> Progress? {
    while piece.storedByteCount < piece.byteCount {
      if pieceBudget == 0 { return keepWriting(&transfer, piece, .again) }
      pieceBudget -= 1
      let end = reader.queuedByteCount &+ piece.storedByteCount
      let (page, offset) = reader.place(of: reader.readPosition &+ end)
      let left = min(piece.byteCount &- piece.storedByteCount, Int(Page.byteCount &- offset))
      let byteCount = min(transfer.bytesLeftInSegment, UInt64(left))
      let outcome: UserCopyOutcome
      switch reader.object.page(at: page, for: .write) {
      case .frame(let frame):
        outcome = space.copyIn(
          to: frame.address + offset, byteCount: Int(byteCount), from: transfer.address,
          progress: &transfer.pieceProgress)
      case .wait(let wait): outcome = .wait(wait)
      case .absent: preconditionFailure("a page that is to be written is made")
      case .failed: throw .eio
      }
      switch outcome {
      case .complete:
        transfer.advance(byteCount)
        piece.storedByteCount += Int(byteCount)
      case .wait(let wait): return keepWriting(&transfer, piece, .wait(wait))
      default: throw .efault
      }
    }
    return nil
  }

  // MARK: Waiting

  /// Keeps others from writing while the thread is away in the middle of a piece.
  @inline(never)
  private func keepWriting(_ transfer: inout Transfer, _ piece: PipePiece, _ progress: Progress) -> Progress {
    let place = place(for: &transfer)
    place.leaveLine()
    place.piece = piece
    writing = BackReference(place)
    transfer.hasBegun = true
    return progress
  }

  /// Lets others write. The piece is stored, or there is none.
  @inline(__always)
  private func stopWriting(_ transfer: inout Transfer) {
    guard let place = transfer.place, place.isCopying else { return }
    writing = BackReference()
    transfer.hasBegun = false
    wakeWriter()
  }

  @inline(never)
  private func waitForRoom(_ transfer: inout Transfer, isOffered: Bool = false) throws(Errno) -> Progress {
    if flags.contains(.nonBlocking) {
      transfer.place = nil
      if transfer.moved > 0 { return .complete }
      throw .eagain
    }
    if isOffered { return wait(&transfer, in: .emptiness) }
    return wait(&transfer, in: .room, forRoom: smallestPiece(of: transfer))
  }

  /// Waits until a piece that can be read now has been.
  @inline(never)
  private func waitForReader(_ transfer: inout Transfer, _ reader: PipeFile) -> Progress {
    let place = place(for: &transfer)
    place.leaveLine()
    offer = BackReference(place)
    if place.isCopying {
      writing = BackReference()
      transfer.hasBegun = false
    }
    reader.modificationNanoseconds = fileServices.timestamp
    return .wait(place.wait)
  }

  /// Ends a write into an end that is closed: what was written before counts, a piece of which a part is stored is gone.
  @inline(never)
  private func breakOff(_ transfer: inout Transfer) throws(Errno) -> Progress {
    if let place = transfer.place, place.isCopying { transfer.moved -= UInt64(place.piece.storedByteCount) }
    transfer.place = nil
    if transfer.moved == 0 { throw .epipe }
    return .complete
  }
}
