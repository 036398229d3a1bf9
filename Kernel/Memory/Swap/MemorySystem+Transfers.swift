// Transfers between frames and swap devices, and what becomes of the pages when they end (spec vm.md section 8).
//
// Invariants
// - A frame with `.busy` belongs to a device until `transferCompleted`; its object neither frees nor maps it.
// - Of the frames of a transfer, those with `.neighbour` go along because they lie beside the one that somebody wants read or
//   written.
// - When a read of several pages fails, the pages that went along are in swap as before, and the one that was wanted is read
//   once more by itself: nobody hears of an error of a block that is not his.

public import Primitives

extension MemorySystem {
  /// Starts a transfer of pages from or to consecutive blocks.
  func startTransfer(
    _ direction: TransferDirection, _ block: SwapBlock, _ cluster: Span<FrameNumber>
  ) -> TransferStatus {
    guard let swap else { return .failed }
    if services.failures.isArmed
      && (services.isToFail(.transfer) || services.isToFail(direction == .read ? .transferRead : .transferWrite))
    {
      return .failed
    }
    let pager = swap.pager(of: block)
    if pager.device.takesMemory { hasWorkedLong = true }
    if direction == .read {
      counters.swapReads += 1
      return pager.get(block, into: cluster)
    }
    counters.swapWrites += 1
    return pager.put(cluster, to: block)
  }

  /// Whether a page was compressed, or brought back from that, since this was asked last: what takes so long that interrupts are
  /// to be let in before anything else.
  public func takeLongWork() -> Bool {
    guard hasWorkedLong else { return false }
    hasWorkedLong = false
    return true
  }

  /// Whether a transfer is under way, even one whose page is gone.
  @inline(__always)
  public var hasTransfers: Bool { queues.pendingReadCount + queues.pendingWriteCount > 0 }

  /// The device's word that a transfer is over: all frames of it, in the order in which it was given them.
  public func transferCompleted(_ cluster: Span<FrameNumber>, succeeded: Bool) {
    releaseCount &+= 1
    for number in cluster.indices { completeTransfer(cluster[number], cluster.count, succeeded) }
  }

  private func completeTransfer(_ frame: FrameNumber, _ count: Int, _ succeeded: Bool) {
    let record = frames[frame]
    precondition(record.flags.contains(.busy))
    frames[frame].flags.remove(.ofTransfer)
    let wasWriting = record.flags.contains(.writing)
    let wentAlong = record.flags.contains(.neighbour)
    if wasWriting { queues.pendingWriteCount -= 1 } else { queues.pendingReadCount -= 1 }
    if record.state == .orphan {
      if record.swapBlock != .none { freeSwapBlock(record.swapBlock) }
      frames[frame].swapBlock = .none
      free(frame)
    } else if wasWriting {
      pageOutCompleted(frame, succeeded: succeeded, wentAlong: wentAlong)
    } else if succeeded {
      pageInCompleted(frame, wentAlong: wentAlong)
    } else if wentAlong {
      undoPageIn(frame)
    } else if count > 1 {
      readAlone(frame)
    } else {
      frames[frame].flags.insert(.failed)
    }
    if record.waiterCount > 0 { wake(.page(frame)) }
  }

  /// A page has come from swap. Those that nobody has asked for are the first to go again.
  func pageInCompleted(_ frame: FrameNumber, wentAlong: Bool) {
    counters.swapPagesIn += 1
    queues.append(frame, to: wentAlong ? .inactive : .active, frames)
  }

  /// A page that was to be brought in is in swap again.
  func undoPageIn(_ frame: FrameNumber) {
    guard let object = frames[frame].owner.object else { preconditionFailure("page-in without object") }
    object.returnToSwap(frame, self)
  }

  /// Reads the one page again that was wanted, when it could not be read together with others.
  private func readAlone(_ frame: FrameNumber) {
    let alone = [1 of FrameNumber](repeating: frame)
    switch startTransfer(.read, frames[frame].swapBlock, alone.span) {
    case .done: pageInCompleted(frame, wentAlong: false)
    case .failed, .refused: frames[frame].flags.insert(.failed)
    case .pending:
      frames[frame].flags.insert(.busy)
      queues.pendingReadCount += 1
    }
  }
}
