// The file offset as a lock: read(2), write(2) and lseek(2) on one open file happen one after the other (spec fd.md, 5), in
// the order in which they came.

import ABI
import Memory
import Primitives

extension OpenFile {
  /// Waits for the file's offset. Returns what to wait for while others are ahead; nil when nobody is, or it is the
  /// holder's turn. Allocates one small object when it has to wait and has no place in line yet.
  final func awaitOffset(_ hold: inout TransferHold?) -> Wait? {
    if let hold { return hold.hasOffset ? nil : hold.turnWait }
    if offsetLine.isEmpty { return nil }
    let place = TransferHold(self)
    place.lineUp()
    hold = place
    return place.turnWait
  }

  /// Settles where a transfer that has not begun starts. Returns what to wait for while others have the offset.
  @inline(__always)
  final func settleOffset(of transfer: inout Transfer) -> Wait? {
    if let position = transfer.position {
      transfer.offset = position
    } else {
      if transfer.hold != nil || !offsetLine.isEmpty, let wait = awaitOffset(&transfer.hold) { return wait }
      transfer.offset = offset
    }
    return nil
  }

  /// What the transfer keeps from others while it is parked; made when it parks first. Allocates one small object.
  final func hold(for transfer: inout Transfer) -> TransferHold {
    if let hold = transfer.hold { return hold }
    let hold = TransferHold(self)
    if transfer.position == nil && isSeekable { hold.lineUp() }
    transfer.hold = hold
    return hold
  }

  /// Ends a transfer, or lets one that is parked be seen as far as it got.
  @inline(__always)
  final func publishOffset(of transfer: Transfer) {
    if transfer.position == nil { offset = transfer.offset }
  }
}

// MARK: Transfers of files whose content never changes, which need no range lock

extension OpenFile {
  /// Settles where a transfer starts that has not. Returns what to wait for while others have the offset.
  @inline(__always)
  final func start(_ transfer: inout Transfer) -> Wait? {
    if transfer.isStarted { return nil }
    if let wait = settleOffset(of: &transfer) { return wait }
    transfer.isStarted = true
    return nil
  }

  /// Moves pieces until nothing remains of a transfer that has started, or its step is used up.
  ///
  /// - Parameter pieceBudget: how many pieces a step has.
  /// - Parameter movePiece: moves the next piece; says how that went, and how large the piece is.
  ///
  /// Throws EFAULT for memory that the program does not have; what was moved before counts for the offset.
  @inline(__always)
  final func movePieces(
    of transfer: inout Transfer, pieceBudget: Int, _ movePiece: (inout Transfer) -> (UserCopyOutcome, UInt64)
  ) throws(Errno) -> Progress {
    var pieceBudget = pieceBudget
    while transfer.remaining > 0 {
      if pieceBudget == 0 { return park(&transfer, .again) }
      pieceBudget -= 1
      let (outcome, byteCount) = movePiece(&transfer)
      switch outcome {
      case .complete: transfer.advance(byteCount)
      case .wait(let wait): return park(&transfer, .wait(wait))
      default:
        finish(&transfer)
        throw .efault
      }
    }
    finish(&transfer)
    return .complete
  }

  /// Ends a transfer.
  @inline(__always)
  final func finish(_ transfer: inout Transfer) {
    publishOffset(of: transfer)
    transfer.hold = nil
  }

  /// Keeps the offset from others while the thread is away.
  private final func park(_ transfer: inout Transfer, _ progress: Progress) -> Progress {
    publishOffset(of: transfer)
    _ = hold(for: &transfer)
    return progress
  }
}
