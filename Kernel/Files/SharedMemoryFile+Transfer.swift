// read(2), write(2), pread(2) and pwrite(2) on shared memory (spec shm.md, 3.19 and 3.20).
//
// A transfer has the range lock from its first byte to its last: within one event because nothing else runs, across events
// through an entry in the lock, which is made when the transfer parks. So others see it as one step.

import ABI
import Memory

/// Which way the bytes of a transfer go.
enum Movement {
  /// From the file to the program.
  case reading
  /// From the program to the file.
  case writing
}

extension SharedMemoryFile {
  /// Settles offset, range and length of a read. Returns the channel to wait on while someone is in the way.
  @inline(__always)
  func beginRead(_ transfer: inout Transfer) -> WaitChannel? {
    if transfer.isStarted { return nil }
    if let channel = waitForTurn(&transfer, .reading) { return channel }
    let end = UInt64(object.size)
    let start = UInt64(transfer.offset)
    transfer.remaining = min(transfer.remaining, start < end ? end - start : 0)
    transfer.isStarted = true
    return nil
  }

  /// Settles offset, range and length of a write, and grows the object when its flags say so.
  ///
  /// Throws EFBIG when a growing write would pass OFF_MAX, EPERM by seal, ENOMEM when growth is refused.
  @inline(__always)
  func beginWrite(_ transfer: inout Transfer) throws(Errno) -> Progress {
    if transfer.isStarted { return .complete }
    if let channel = waitForTurn(&transfer, .writing) { return .wait(channel) }
    let start = UInt64(transfer.offset)
    var end = start + transfer.remaining
    if end > UInt64(Int64.max) {
      if object.flags.contains(.growOnWrite) { throw .efbig }
      end = UInt64(Int64.max)
    }
    guard !object.seals.contains(.write) else { throw .eperm }
    if object.flags.contains(.growOnWrite) && end > UInt64(object.size) {
      // Growing needs no page, so it never waits.
      _ = try object.setSize(Int64(end))
    }
    end = min(end, UInt64(object.size))
    transfer.remaining = start < end ? end - start : 0
    transfer.isStarted = true
    return .complete
  }

  /// Moves page by page until all is moved, a page is missing, or the event has been long enough.
  ///
  /// Throws EFAULT for memory that the program does not have, although earlier pages were moved; EIO when a page of the
  /// object cannot be read from swap.
  @inline(__always)
  func move(_ transfer: inout Transfer, _ space: AddressSpace, _ movement: Movement) throws(Errno) -> Progress {
    var pageBudget = FileLimits.pagesPerTransferStep
    while transfer.remaining > 0 {
      if pageBudget == 0 {
        park(&transfer, movement)
        return .again
      }
      pageBudget -= 1
      let pageOffset = UInt64(transfer.offset) & Page.offsetMask
      let byteCount = min(transfer.remaining, Page.byteCount - pageOffset)
      let outcome: UserCopyOutcome
      switch object.vmObject.page(at: UInt64(transfer.offset) >> Page.shift, for: movement.pageUse) {
      case .frame(let frame):
        let place = frame.address + pageOffset
        outcome =
          switch movement {
          case .reading:
            space.copyOut(
              from: place, byteCount: Int(byteCount), to: transfer.address, progress: &transfer.pieceProgress)
          case .writing:
            space.copyIn(
              to: place, byteCount: Int(byteCount), from: transfer.address, progress: &transfer.pieceProgress)
          }
      case .absent:
        outcome = space.zeroOut(to: transfer.address, byteCount: Int(byteCount), progress: &transfer.pieceProgress)
      case .wait(let channel):
        outcome = .wait(channel)
      case .failed:
        finish(&transfer)
        throw .eio
      }
      switch outcome {
      case .complete:
        transfer.advance(byteCount)
      case .wait(let channel):
        park(&transfer, movement)
        return .wait(channel)
      default:
        finish(&transfer)
        throw .efault
      }
    }
    finish(&transfer)
    return .complete
  }

  /// Waits for the file's offset and then for the range. Nil when the transfer has both.
  @inline(__always)
  private func waitForTurn(_ transfer: inout Transfer, _ movement: Movement) -> WaitChannel? {
    if let hold = transfer.hold { return hold.hasTurn ? nil : object.rangeChannel }
    if let channel = settleOffset(of: &transfer) { return channel }
    if object.rangeLock.isEmpty { return nil }
    let range = lockedRange(of: transfer, movement)
    if object.rangeLock.isFree(range) { return nil }
    hold(for: &transfer).take(object.rangeLock.enter(range), of: object)
    return object.rangeChannel
  }

  /// Keeps range and offset while the thread is away, and shows how far the transfer got.
  private func park(_ transfer: inout Transfer, _ movement: Movement) {
    publishOffset(of: transfer)
    if transfer.hold != nil { return }
    let hold = hold(for: &transfer)
    hold.take(object.rangeLock.enter(lockedRange(of: transfer, movement)), of: object)
  }

  /// The range that a transfer needs: all of the object for write(2), otherwise what it moves.
  private func lockedRange(of transfer: Transfer, _ movement: Movement) -> LockedRange {
    if movement == .writing && transfer.position == nil { return .whole }
    let offset = UInt64(transfer.offset)
    return LockedRange(
      start: offset - transfer.moved, end: offset + transfer.remaining, isExclusive: movement == .writing)
  }
}

extension Movement {
  /// What the page of the object is wanted for.
  @inline(__always)
  var pageUse: PageUse {
    switch self {
    case .reading: .read
    case .writing: .write
    }
  }
}
