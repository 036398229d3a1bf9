// Bringing pages in from swap: the page that is wanted, and with it those of its neighbours that lie beside it in swap, too
// (spec vm.md section 6, read-around).
//
// Neighbours are those of an aligned group of 16 pages. They take frames only while memory is not short, and go to the inactive
// queue: bringing them in makes nobody wait, and if nobody uses them they are the first to go.

import Primitives

extension VMObject {
  /// Starts reading a page from swap.
  func pageIn(
    _ index: UInt64, _ block: SwapBlock, _ system: MemorySystem, _ priority: AllocationPriority = .normal
  ) -> PageLookup {
    guard let wanted = system.allocateFrame(.object, priority) else { return .wait(.frames) }
    let range = readAroundRange(index, block, system)
    var cluster = [16 of FrameNumber](repeating: wanted)
    var count = 0
    for neighbour in range {
      guard let frame = neighbour == index ? wanted : system.takeSpareFrame() else {
        preconditionFailure("read-around counts on a frame that is not there")
      }
      bringIn(frame, neighbour, SwapBlock(block.raw &+ UInt32(truncatingIfNeeded: neighbour &- index)), system)
      cluster[count] = frame
      count += 1
    }
    return read(cluster.span.extracting(first: count), wanted, system)
  }

  private func read(
    _ cluster: Span<FrameNumber>, _ wanted: FrameNumber, _ system: MemorySystem
  ) -> PageLookup {
    let status = system.startTransfer(.read, system.frames[cluster[0]].swapBlock, cluster)
    for position in cluster.indices {
      let frame = cluster[position]
      let goesAlong = frame != wanted
      switch status {
      case .done: system.pageInCompleted(frame, wentAlong: goesAlong)
      case .pending:
        system.frames[frame].flags =
          goesAlong ? FrameFlags(rawValue: FrameFlags.busy.rawValue | FrameFlags.neighbour.rawValue) : .busy
        system.queues.pendingReadCount += 1
      case .failed, .refused: if goesAlong { returnToSwap(frame, system) }
      }
    }
    switch status {
    case .done: return .frame(wanted)
    case .pending: return .wait(.page(wanted))
    case .failed, .refused:
      // Perhaps a neighbour's block is what cannot be read.
      if cluster.count > 1 {
        let alone = [1 of FrameNumber](repeating: wanted)
        return read(alone.span, wanted, system)
      }
      system.frames[wanted].flags = .failed
      return readyFrame(wanted, system)
    }
  }

  /// The pages that are read with the one at `index`, itself among them: they are in swap, in blocks beside its own.
  private func readAroundRange(_ index: UInt64, _ block: SwapBlock, _ system: MemorySystem) -> Range<UInt64> {
    var room = min(system.spareFrameCount, system.mostPagesPerTransfer(of: block) - 1)
    var start = index
    var end = index + 1
    let group = UInt64(SwapLimits.readAround)
    // Forward first: that is how most programs go.
    while room > 0, end % group != 0, isSwapped(end, block.advanced(by: Int(end - index)), system) {
      end += 1
      room -= 1
    }
    while room > 0, start % group != 0, isSwapped(start - 1, block.advanced(by: -Int(index - start) - 1), system) {
      start -= 1
      room -= 1
    }
    return start..<end
  }

  private func isSwapped(_ index: UInt64, _ block: SwapBlock, _ system: MemorySystem) -> Bool {
    if case .swapped(let found) = pages.lookup(index, system.indexNodes) { return found == block }
    return false
  }

  private func bringIn(_ frame: FrameNumber, _ index: UInt64, _ block: SwapBlock, _ system: MemorySystem) {
    adopt(frame, index, system)
    system.frames[frame].swapBlock = block
    pages.replace(index, with: .resident(frame), system.indexNodes)
    residentCount += 1
    swappedCount -= 1
  }

  /// Frees the frame of a page without content; its swap block stands in its place again.
  func returnToSwap(_ frame: FrameNumber, _ system: MemorySystem) {
    pages.replace(system.frames[frame].index, with: .swapped(system.frames[frame].swapBlock), system.indexNodes)
    residentCount -= 1
    swappedCount += 1
    system.frames[frame].swapBlock = .none
    system.queues.remove(frame, system.frames)
    system.free(frame)
  }
}

extension MemorySystem {
  /// Frames that can be taken before memory is short.
  var spareFrameCount: Int { max(0, buddy.freeCount - lowWater) }

  /// A frame for a page that nobody has asked for.
  fileprivate func takeSpareFrame() -> FrameNumber? {
    guard buddy.freeCount > lowWater, let frame = takeBlock(order: 0) else { return nil }
    frames[frame].state = .object
    return frame
  }

  fileprivate func mostPagesPerTransfer(of block: SwapBlock) -> Int {
    guard let swap else { return 1 }
    return min(swap.pager(of: block).device.mostPagesPerTransfer, SwapLimits.readAround)
  }
}
