// Reading a pipe (spec sockets.md section 2.2): what is there, waiting only while there is nothing.

import ABI
import Memory
import Primitives

extension PipeFile {
  /// read(2) of at least one byte. Nothing is taken from the buffer before everything is where it belongs, so that a fault
  /// loses nothing. Once something is, the read goes on to its end: nobody else may get those bytes.
  ///
  /// Throws EAGAIN instead of waiting when O_NONBLOCK is set; EFAULT; EIO when a page cannot be read from swap.
  @inline(__always)
  func receive(_ transfer: inout Transfer, _ space: AddressSpace) throws(Errno) -> Progress {
    if !reading.isEmpty && !isMine(transfer) { return try waitForBytes(&transfer) }
    if withServices({ $0.pipeSpace.isScarce }) { giveUpCapacity(isCopying: !writingOfPeer.isEmpty) }
    var pieceBudget = withServices { $0.pagesPerTransferStep }
    while transfer.remaining > 0 && transfer.moved < UInt64(queuedByteCount) {
      if pieceBudget == 0 { return keepReading(&transfer, .again) }
      pieceBudget -= 1
      let (page, offset) = place(of: readPosition &+ Int(transfer.moved))
      let left = min(UInt64(queuedByteCount) - transfer.moved, Page.byteCount - offset)
      let byteCount = min(transfer.bytesLeftInSegment, left)
      let outcome: UserCopyOutcome
      switch object.page(at: page, for: .read) {
      case .frame(let frame):
        outcome = space.copyOut(
          from: frame.address + offset, byteCount: Int(byteCount), to: transfer.address,
          progress: &transfer.pieceProgress)
      case .wait(let wait): outcome = .wait(wait)
      case .absent: preconditionFailure("bytes of a pipe without a page")
      case .failed: throw .eio
      }
      switch outcome {
      case .complete: transfer.advance(byteCount)
      case .wait(let wait): return keepReading(&transfer, .wait(wait))
      default: throw .efault
      }
    }
    if transfer.moved == 0 && !peer.isEmpty { return try waitForBytes(&transfer) }
    take(Int(transfer.moved))
    if transfer.place != nil { transfer.place = nil }
    return .complete
  }

  /// Whether the place of a transfer is that of the read which copies.
  private func isMine(_ transfer: Transfer) -> Bool { transfer.place?.isCopying ?? false }

  private var writingOfPeer: BackReference<PipePlace> { peer.instance?.writing ?? BackReference() }

  @inline(never)
  private func waitForBytes(_ transfer: inout Transfer) throws(Errno) -> Progress {
    if flags.contains(.nonBlocking) { throw .eagain }
    return wait(&transfer, in: .bytes)
  }

  /// Keeps others from reading while the thread is away.
  @inline(never)
  private func keepReading(_ transfer: inout Transfer, _ progress: Progress) -> Progress {
    let place = place(for: &transfer)
    place.leaveLine()
    reading = BackReference(place)
    transfer.hasBegun = transfer.hasStored
    return progress
  }

  /// Removes bytes that were read, and wakes who waited for that.
  @inline(__always)
  func take(_ byteCount: Int) {
    accessNanoseconds = withServices { $0.timestamp }
    if byteCount == 0 { return }
    readPosition = (readPosition &+ byteCount) & (byteCapacity &- 1)
    queuedByteCount -= byteCount
    if !peer.isEmpty { peer.borrow { tell($0) } }
  }

  /// Lets the writers of the other end know what was taken.
  @inline(__always)
  private func tell(_ writer: PipeFile) {
    if queuedByteCount == 0 {
      // The pages at the beginning are there already.
      if writer.writing.isEmpty { readPosition = 0 }
      if !writer.offer.isEmpty { writer.endOffer() }
    }
    if queuedByteCount < PipeLimits.wakeByteCount { writer.wakeWriter() }
    if freeByteCount >= PipeLimits.atomicByteCount { tellWatchers() }
  }

  /// All of the piece that was offered has been read.
  @inline(never)
  private func endOffer() {
    let place = offer.instance
    offer = BackReference()
    place?.wake()
  }
}
