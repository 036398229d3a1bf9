// Writing pages out: one that is to go, and with it those of its neighbours that would be next (spec vm.md sections 8 and 10).
//
// Neighbours are pages of an aligned group of 32 of the same object, without a gap, that are dirty and were not used since the last
// look. They stay in memory, clean (queue `laundered`): the next frames that are needed cost no transfer. They go to
// consecutive blocks, so that read-around finds them together.
//
// A device may refuse a page for its content; then the next device is asked. A page that every device refuses is
// unswappable: it is not tried again before it has been changed, or a device has come into use, or has room again.

import Primitives

extension MemorySystem {
  /// Frees a clean, unmapped page: its swap block, or nothing at all, stands in its place.
  func drop(_ frame: FrameNumber, _ object: VMObject) {
    let index = frames[frame].index
    let block = frames[frame].swapBlock
    queues.remove(frame, frames)
    queues.launderDemand = min(queues.launderDemand + 1, queues.candidateCount)
    object.residentCount -= 1
    counters.pagesReclaimed &+= 1
    if block != .none {
      object.pages.replace(index, with: .swapped(block), indexNodes)
      object.swappedCount += 1
      frames[frame].swapBlock = .none
    } else {
      _ = object.pages.remove(index, indexNodes, self, paidBy: object.payerReference)
      object.countPages(-1)
    }
    freePage(frame)
  }

  /// Starts writing a page out; takes what that costs off `budget`. Returns whether its frame was gained, or will be.
  func startPageOut(_ frame: FrameNumber, _ object: VMObject, _ budget: inout Int) -> Bool {
    if frames[frame].swapBlock != .none {
      // The block of what it was before it was changed through a mapping; where swap is full, this one is its place again.
      removeAllMappings(of: frame)
      markDirty(frame)
    }
    var tried: UInt32 = 0
    var wasRefused = false
    while let pager = swap?.nextPager(tried), !services.isToFail(.swapBlock) {
      tried |= 1 << UInt32(pager.number)
      switch write(frame, object, to: pager, keepsAll: false, &budget) {
      case .done, .pending: return true
      case .failed: return false
      case .refused: wasRefused = true
      }
    }
    queues.remove(frame, frames)
    if wasRefused { frames[frame].flags.insert(.refused) }
    queues.append(frame, to: wasRefused ? .unswappable : .laundry, frames)
    return false
  }

  /// Writes a page and its neighbours to a device that has a free block. When it is refused, nothing has changed but that it is
  /// mapped nowhere.
  private func write(
    _ frame: FrameNumber, _ object: VMObject, to pager: SwapPager, keepsAll: Bool, _ budget: inout Int
  ) -> TransferStatus {
    let index = frames[frame].index
    let limit = min(SwapLimits.pageOutCluster, pager.device.mostPagesPerTransfer)
    var range = pageOutRange(index, object, limit)
    guard let run = pager.allocate(upTo: Int(range.upperBound - range.lowerBound)) else { return .failed }
    let count = UInt64(run.count)
    let start = min(index, range.upperBound - count)
    range = start..<start + count
    var list = [32 of FrameNumber](repeating: frame)
    for position in 0..<run.count {
      guard case .resident(let page) = object.pages.lookup(start + UInt64(position), indexNodes) else {
        preconditionFailure("a page to write is gone")
      }
      prepareToWrite(page, object, run.first.advanced(by: position))
      list[position] = page
      budget -= pager.device.writeCost + cost(of: page)
    }
    let cluster = list.span.extracting(first: run.count)
    let status = startTransfer(.write, run.first, cluster)
    for position in cluster.indices {
      let page = cluster[position]
      let wentAlong = keepsAll || page != frame
      switch status {
      case .done: pageOutCompleted(page, succeeded: true, wentAlong: wentAlong)
      case .pending:
        frames[page].flags.insert(.busy)
        frames[page].flags.insert(.writing)
        if wentAlong { frames[page].flags.insert(.neighbour) }
        queues.pendingWriteCount += 1
      case .failed, .refused:
        // The block that was just taken is given back: nothing has become better by that.
        let count = releaseCount
        pageOutCompleted(page, succeeded: false, wentAlong: wentAlong)
        releaseCount = count
      }
    }
    return status
  }

  /// Makes a page ready to be written to a block, which it gets.
  private func prepareToWrite(_ frame: FrameNumber, _ object: VMObject, _ block: SwapBlock) {
    removeAllMappings(of: frame)
    dissolveReservation(of: frame)
    queues.remove(frame, frames)
    markDirty(frame)
    frames[frame].swapBlock = block
    object.blockCount += 1
    setSwapOwner(of: block, object, frames[frame].index)
    frames[frame].flags.remove(.dirty)
  }

  /// The pages that are written with the one at `index`, at most `limit`, itself among them.
  private func pageOutRange(_ index: UInt64, _ object: VMObject, _ limit: Int) -> Range<UInt64> {
    var start = index
    var end = index + 1
    let group = UInt64(SwapLimits.pageOutCluster)
    let limit = UInt64(limit)
    while end - start < limit, end % group != 0, goesAlong(end, object) { end += 1 }
    while end - start < limit, start % group != 0, goesAlong(start - 1, object) { start -= 1 }
    return start..<end
  }

  /// Whether a page is one to be written with its neighbour. One that is mapped many times would cost too much.
  private func goesAlong(_ index: UInt64, _ object: VMObject) -> Bool {
    guard case .resident(let frame) = object.pages.lookup(index, indexNodes) else { return false }
    settleMarks(of: frame)
    guard frames[frame].queue != .none, frames[frame].queue != .unswappable,
      frames[frame].waiterCount == 0, mappingCount(of: frame) <= 8,
      frames[frame].flags.isDisjoint(
        with: FrameFlags(rawValue: FrameFlags.referenced.rawValue | FrameFlags.refused.rawValue))
    else { return false }
    return isDirty(frame) && !hasMark(.referenced, frame)
  }

  /// A page has been written out, or could not be.
  func pageOutCompleted(_ frame: FrameNumber, succeeded: Bool, wentAlong: Bool) {
    guard let object = frames[frame].owner.object else { preconditionFailure("page-out without object") }
    if succeeded {
      counters.swapPagesOut += 1
      if frames[frame].waiterCount > 0 || object.referenceCount == 0 {
        queues.append(frame, to: .inactive, frames)
      } else if wentAlong {
        queues.append(frame, to: .laundered, frames)
      } else {
        drop(frame, object)
      }
    } else {
      markDirty(frame)
      queues.append(frame, to: .active, frames)
    }
  }

  // MARK: Pages that no device takes

  /// Whether every device has refused a page whose content is still the same; then it is put aside.
  func isRefused(_ frame: FrameNumber) -> Bool {
    guard frames[frame].flags.contains(.refused) else { return false }
    removeAllMappings(of: frame)
    // What a mapping noted has made the page one to be tried again.
    guard frames[frame].flags.contains(.refused) else { return false }
    queues.move(frame, to: .unswappable, frames)
    return true
  }

  /// A page that devices have refused is changed.
  func noteChange(ofRefused frame: FrameNumber) {
    frames[frame].flags.remove(.refused)
    noteUse(ofUnswappable: frame)
  }

  /// A page that was put aside is used: it is a candidate again when it has not been used for long.
  func noteUse(ofUnswappable frame: FrameNumber) {
    if frames[frame].queue == .unswappable { queues.move(frame, to: .active, frames) }
  }

  // MARK: The laundry

  /// Whether pages are to be written out ahead of need.
  var hasLaundry: Bool { queues.launderDemand > 0 && !queues.inactive.isEmpty }

  /// Writes out dirty pages that were not used lately, ahead of need and while nobody needs the processor: as many as reclaim has
  /// freed since, so that those who need frames next find clean pages. Looks at at most about `budget` pages. Returns whether
  /// there may be more to do.
  ///
  /// Only devices that take no memory for what they hold get pages so.
  public func launder(budget limit: Int) -> Bool {
    var budget = limit
    while budget > 0 && hasLaundry {
      budget -= 1
      let frame = queues.inactive.first
      budget -= cost(of: frame)
      guard let object = frames[frame].owner.object else { preconditionFailure("queued frame without object") }
      if frames[frame].waiterCount > 0 || object.referenceCount == 0 || frames[frame].flags.contains(.refused)
        || mappingCount(of: frame) > MappingSet.batch || testAndClearReferenced(frame)
      {
        queues.move(frame, to: .active, frames)
      } else if !isDirty(frame) {
        queues.move(frame, to: .laundered, frames)
      } else {
        guard let pager = launderPager else {
          queues.launderDemand = 0
          return false
        }
        let before = budget
        guard case .done = write(frame, object, to: pager, keepsAll: true, &budget) else {
          // One transfer ahead of need at a time; and none where they fail.
          queues.launderDemand = 0
          return false
        }
        futility = nil
        queues.launderDemand = max(0, queues.launderDemand - max(1, (before - budget) / max(1, pager.device.writeCost)))
      }
    }
    return hasLaundry
  }

  private var launderPager: SwapPager? {
    guard let swap else { return nil }
    var left: UInt32 = 0
    for pager in swap.pagers where pager.device.takesMemory { left |= 1 << UInt32(pager.number) }
    return swap.nextPager(left)
  }
}
