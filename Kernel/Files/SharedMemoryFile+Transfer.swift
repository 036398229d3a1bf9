// read(2), write(2), pread(2) and pwrite(2) on shared memory (spec shm.md, 3.19 and 3.20).
//
// A transfer has the range lock from its first byte to its last: within one event because nothing else runs, across events
// through an entry in the lock, which is made when the transfer parks. So others see it as one step.
//
// It keeps the lock until its end, also while it sleeps, once the first byte is stored: others may see that one already, a
// read's in the program's memory, where nobody can take it back. It only ever sleeps for a page under way or for frames, which
// come without its doing (the last resort kills for them). A read that has stored nothing gives up its range while it sleeps
// ("away") and begins anew; one that has found others in its way too often keeps it, so that it gets to its end at last. Reads
// longer than `FileLimits.longestReadHoldByteCount` are one step for every so many bytes: in between they are away, too, and
// go on where they were.

import ABI
import Memory
import Primitives

/// Which way the bytes of a transfer go.
enum Movement {
  /// From the file to the program.
  case reading
  /// From the program to the file.
  case writing
}

extension SharedMemoryFile {
  /// Settles offset, range and length of a read. Returns what to wait for while someone is in the way.
  @inline(__always)
  func beginRead(_ transfer: inout Transfer) -> Wait? {
    if transfer.isStarted { return transfer.isAway ? comeBack(&transfer) : nil }
    if let wait = waitForTurn(&transfer, .reading) {
      if transfer.isAway { missTurn(&transfer) }
      return wait
    }
    limitToSize(&transfer)
    transfer.isStarted = true
    transfer.isAway = false
    transfer.hasBegun = true
    return nil
  }

  /// Settles offset, range and length of a write, and grows the object when its flags say so.
  ///
  /// Throws EFBIG when a growing write would pass OFF_MAX, EPERM by seal, ENOMEM when growth is refused.
  @inline(__always)
  func beginWrite(_ transfer: inout Transfer) throws(Errno) -> Progress {
    if transfer.isStarted { return .complete }
    if let wait = waitForTurn(&transfer, .writing) { return .wait(wait) }
    guard !object.isLarge || object.largePageSize != 0 else { throw .einval }
    let start = UInt64(transfer.offset)
    var end = start + transfer.remaining
    if end > UInt64(Int64.max) {
      if object.flags.contains(.growOnWrite) { throw .efbig }
      end = UInt64(Int64.max)
    }
    guard !object.seals.contains(.write) else { throw .eperm }
    if object.flags.contains(.growOnWrite) && end > UInt64(object.size) {
      if object.isLarge {
        let progress = try object.setLargeSize(Int64(end))
        if progress != .complete { return progress }
      } else {
        try object.grow(to: Int64(end))
      }
    }
    end = min(end, UInt64(object.size))
    transfer.remaining = start < end ? end - start : 0
    transfer.isStarted = true
    transfer.hasBegun = true
    return .complete
  }

  /// Moves page by page until all is moved, a page is missing, or the event has been long enough.
  ///
  /// Throws EFAULT for memory that the program does not have, although earlier pages were moved; EIO when a page of the
  /// object cannot be read from swap.
  @inline(__always)
  func move(_ transfer: inout Transfer, _ space: AddressSpace, _ movement: Movement) throws(Errno) -> Progress {
    var pageBudget = object.fileServicesReference.borrow { $0.pagesPerTransferStep }
    let begin = transfer.moved
    while transfer.remaining > 0 {
      if pageBudget == 0 {
        if movement == .reading && isHeldForLong(begin, transfer.moved) {
          publishOffset(of: transfer)
          goAway(&transfer)
        } else {
          park(&transfer, movement)
        }
        return .again
      }
      pageBudget -= 1
      let pageOffset = UInt64(transfer.offset) & Page.offsetMask
      let byteCount = min(transfer.bytesLeftInSegment, Page.byteCount - pageOffset)
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
      case .wait(let wait):
        outcome = .wait(wait)
      case .failed:
        finish(&transfer)
        throw .eio
      }
      switch outcome {
      case .complete:
        transfer.advance(byteCount)
      case .wait(let wait):
        if movement == .reading && !transfer.hasStored && transfer.missedTurns < FileLimits.mostMissedTurns {
          transfer.isStarted = false
          transfer.remaining = transfer.requested
          goAway(&transfer)
        } else {
          park(&transfer, movement)
        }
        return .wait(wait)
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
  private func waitForTurn(_ transfer: inout Transfer, _ movement: Movement) -> Wait? {
    if let hold = transfer.hold, hold.holdsRange { return hold.turnWait }
    if let wait = settleOffset(of: &transfer) { return wait }
    return waitForRange(&transfer, movement)
  }

  @inline(__always)
  private func waitForRange(_ transfer: inout Transfer, _ movement: Movement) -> Wait? {
    if object.rangeLock.isEmpty { return nil }
    let range = lockedRange(of: transfer, movement)
    if object.rangeLock.isFree(range) { return nil }
    let hold = hold(for: &transfer)
    hold.enter(range, of: object)
    return hold.turnWait
  }

  /// Keeps range and offset while others run. What a write has stored so far counts for the offset even if no more comes.
  private func park(_ transfer: inout Transfer, _ movement: Movement) {
    if movement == .writing { publishOffset(of: transfer) }
    let hold = hold(for: &transfer)
    if !hold.holdsRange { hold.enter(lockedRange(of: transfer, movement), of: object) }
  }

  /// The range that a transfer needs: all of the object for write(2), otherwise what the program asked for.
  private func lockedRange(of transfer: Transfer, _ movement: Movement) -> LockedRange {
    if movement == .writing && transfer.position == nil { return .whole }
    let start = UInt64(transfer.offset) - transfer.moved
    return LockedRange(start: start, end: start + transfer.requested, isExclusive: movement == .writing)
  }
}

// MARK: Reads that are away

extension SharedMemoryFile {
  /// Gives up the range of a read that is about to sleep before its first byte, or has held it for long.
  private func goAway(_ transfer: inout Transfer) {
    transfer.isAway = true
    transfer.hasBegun = false
    if transfer.position == nil { hold(for: &transfer).leaveRange() } else { transfer.hold = nil }
  }

  /// Notes that a read which begins anew finds others in its way.
  private func missTurn(_ transfer: inout Transfer) {
    transfer.isAway = false
    transfer.missedTurns = min(transfer.missedTurns + 1, FileLimits.mostMissedTurns)
  }

  /// Whether a read that got from one length to another in this event has come to where it lets others have their turn.
  private func isHeldForLong(_ before: UInt64, _ after: UInt64) -> Bool {
    before / FileLimits.longestReadHoldByteCount != after / FileLimits.longestReadHoldByteCount
  }

  /// A long read goes on, with what there is of the object by now. Returns what to wait for while others are in the way.
  private func comeBack(_ transfer: inout Transfer) -> Wait? {
    if transfer.position == nil && transfer.hold == nil {
      // Its place in the line for the offset was given up, because its process stopped: it ends where it was.
      transfer.offset = offset
      transfer.remaining = 0
    } else if let hold = transfer.hold, hold.holdsRange {
      if let wait = hold.turnWait { return wait }
    } else if let wait = waitForRange(&transfer, .reading) {
      return wait
    }
    limitToSize(&transfer)
    transfer.isAway = false
    transfer.hasBegun = true
    return nil
  }

  /// A read ends where the object does.
  @inline(__always)
  private func limitToSize(_ transfer: inout Transfer) {
    let end = UInt64(object.size)
    let start = UInt64(transfer.offset)
    transfer.remaining = min(transfer.remaining, start < end ? end - start : 0)
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
