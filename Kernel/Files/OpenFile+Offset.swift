// The file offset as a lock: read(2), write(2) and lseek(2) on one open file happen one after the other (spec fd.md, 5), in
// the order in which they came.

import Memory

extension OpenFile {
  /// Waits for the file's offset. Returns the channel to wait on while others are ahead; nil when nobody is, or it is the
  /// holder's turn. Allocates one small object when it has to wait and has no place in line yet.
  final func awaitOffset(_ hold: inout TransferHold?) -> WaitChannel? {
    if let hold { return hold.hasOffset ? nil : hold.turnChannel }
    if offsetLine.isEmpty { return nil }
    let place = TransferHold(self)
    place.lineUp()
    hold = place
    return place.turnChannel
  }

  /// Settles where a transfer that has not begun starts. Returns the channel to wait on while others have the offset.
  @inline(__always)
  final func settleOffset(of transfer: inout Transfer) -> WaitChannel? {
    if let position = transfer.position {
      transfer.offset = position
    } else {
      if transfer.hold != nil || !offsetLine.isEmpty, let channel = awaitOffset(&transfer.hold) { return channel }
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
  /// Ends a transfer.
  @inline(__always)
  final func finish(_ transfer: inout Transfer) {
    publishOffset(of: transfer)
    transfer.hold = nil
  }

  /// Keeps the offset from others while the thread is away.
  final func park(_ transfer: inout Transfer, _ progress: Progress) -> Progress {
    publishOffset(of: transfer)
    _ = hold(for: &transfer)
    return progress
  }
}
