// Blocks of 2 MiB that are reserved for an object which may fill them, so that its pages lie as a large page would and can be
// mapped by one leaf without being copied (spec vm.md section 3).
//
// An object's pages come in groups of 512 by index plus `colour`, the offset that makes groups coincide with what one leaf maps at
// the address where the object is shown. A group that lies in the object as a whole, and of which nothing is there, gets a block
// with its first page; each further page of the group has its frame there.
//
// Invariants
// - A reserved block has `population` frames, from 1 to 512, in state `.object`, each a page of `owner` whose index plus colour is
//   `index` * 512 plus the frame's place in the block. Its other frames are in state `.freeTail` and in no list of the allocator,
//   but count as free; those are taken for others when nothing else is free, the least recently used block's first.
// - A page of a reserved block is not in transfer, and has no swap block: when one is to be written out, or is given to another
//   object without the others, the block becomes an ordinary one.
// - Blocks that are not full are in `partialReservations`, in the order of their last use.

import Primitives

extension VMObject {
  /// The number of the group that a page belongs to.
  @inline(__always)
  func group(of index: UInt64) -> UInt64 { (index &+ UInt64(colour)) >> 9 }

  /// Makes groups coincide with what one leaf maps where page `index` is shown at `address`.
  func setColour(showing index: UInt64, at address: UInt64) {
    colour = UInt16(truncatingIfNeeded: (address >> Page.shift &- index) & 511)
  }
}

extension MemorySystem {
  /// Takes a frame for a new page of an object: of the block that is reserved for its group, if there is one or can be.
  @inline(__always)
  func allocatePageFrame(at index: UInt64, of object: VMObject) -> FrameNumber? {
    if object.pageCount < VMObject.largePageCount || services.failures.isArmed { return allocateFrame(.object) }
    if buddy.freeCount <= allocationFloor { return nil }
    let block = lastReservation
    if block != .none, blocks[block].owner == OwnerReference(object),
      blocks[block].index == object.group(of: index), let frame = takePage(at: index, of: object, from: block)
    {
      return frame
    }
    return allocateElsewhere(at: index, of: object)
  }

  @inline(never)
  private func allocateElsewhere(at index: UInt64, of object: VMObject) -> FrameNumber? {
    if let block = reservation(for: index, of: object) {
      lastReservation = block
      if let frame = takePage(at: index, of: object, from: block) { return frame }
    }
    return allocateFrame(.object)
  }

  /// The block that is reserved for a page's group, or is now.
  private func reservation(for index: UInt64, of object: VMObject) -> FrameNumber? {
    let group = object.group(of: index)
    let colour = UInt64(object.colour)
    // (A group with places before the first page, or behind the last, is never full.)
    guard group << 9 >= colour, (group + 1) << 9 - colour <= object.pageCount, !object.hasLargePages else { return nil }
    if let found = object.pages.next(from: group << 9 - colour, indexNodes), object.group(of: found.index) == group {
      guard case .resident(let frame) = found.entry, isReserved(frame),
        blocks[frame.block].owner == OwnerReference(object), blocks[frame.block].index == group
      else { return nil }
      return frame.block
    }
    guard !isShort, let first = buddy.allocate(order: 9, frames) else { return nil }
    frames[first].state = .freeTail
    buddy.hold(1 << 9)
    let block = first.block
    blocks[block].owner = OwnerReference(object)
    blocks[block].index = group
    blocks[block].isAllDirty = false
    partialReservations.append(block, blocks)
    return block
  }

  /// Takes the frame of a page from the block that is reserved for its group; nil when it is in use.
  @inline(__always)
  private func takePage(at index: UInt64, of object: VMObject, from block: FrameNumber) -> FrameNumber? {
    let place = UInt32(truncatingIfNeeded: (index &+ UInt64(object.colour)) & 511)
    let frame = FrameNumber(block.raw << 9 | place)
    guard frames[frame].state == .freeTail else { return nil }
    frames[frame].state = .object
    buddy.takeHeld()
    blocks[block].isAllDirty = false
    blocks[block].population += 1
    if blocks[block].population == 512 {
      partialReservations.remove(block, blocks)
    } else if partialReservations.last != block {
      partialReservations.remove(block, blocks)
      partialReservations.append(block, blocks)
    }
    return frame
  }

  /// Whether a page's block is full: all of its group is in memory, in order.
  @inline(__always)
  func isInFullBlock(_ frame: FrameNumber) -> Bool { blocks[frame.block].population == 512 }

  /// Frees the frame of a page that is mapped nowhere and in no queue.
  @inline(__always)
  func freePage(_ frame: FrameNumber) {
    if blocks[frame.block].population == 0 { free(frame) } else { returnToReservation(frame) }
  }

  @inline(__always)
  private func returnToReservation(_ frame: FrameNumber) {
    precondition(frames[frame].state == .object, "a frame of a reserved block that is no page")
    let block = frame.block
    releaseCount &+= 1
    counters.framesFreed &+= 1
    frames[frame].state = .freeTail
    buddy.giveHeld()
    blocks[block].population -= 1
    if blocks[block].population == 511 { partialReservations.append(block, blocks) }
    if blocks[block].population == 0 { freeReservation(block) }
  }

  /// Gives a block back of which nothing is in use.
  private func freeReservation(_ block: FrameNumber) {
    partialReservations.remove(block, blocks)
    forget(block)
    buddy.release(1 << 9)
    buddy.free(block.firstOfBlock, order: 9, frames)
    counters.reservationsFreed &+= 1
  }

  private func forget(_ block: FrameNumber) {
    blocks[block].population = 0
    blocks[block].owner = OwnerReference()
    if lastReservation == block { lastReservation = .none }
  }

  /// Whether a page's block is reserved.
  @inline(__always)
  func isReserved(_ frame: FrameNumber) -> Bool { blocks[frame.block].population > 0 }

  /// The pages of a reserved block, if it still is one, have become those of a group of another object.
  func passReservation(of frame: FrameNumber, to object: VMObject, group: UInt64) {
    guard isReserved(frame) else { return }
    blocks[frame.block].owner = OwnerReference(object)
    blocks[frame.block].index = group
  }

  /// Has the block of a page, if it is reserved, be an ordinary one.
  @inline(__always)
  func dissolveReservation(of frame: FrameNumber) {
    if blocks[frame.block].population > 0 { dissolve(frame.block) }
  }

  @inline(never)
  private func dissolve(_ block: FrameNumber) {
    let isPartial = blocks[block].population < 512
    forget(block)
    guard isPartial else { return }
    partialReservations.remove(block, blocks)
    counters.reservationsBroken &+= 1
    var place: UInt32 = 0
    while place < 512 {
      let frame = FrameNumber(block.raw << 9 | place)
      guard frames[frame].state == .freeTail else {
        place += 1
        continue
      }
      // The largest aligned run of unused frames that begins here.
      var order = 0
      while place & (2 << UInt32(order) - 1) == 0, isUnused(frame.raw + 1 << UInt32(order), order) { order += 1 }
      buddy.release(1 << order)
      buddy.free(frame, order: order, frames)
      place += 1 << UInt32(order)
    }
  }

  private func isUnused(_ first: UInt32, _ order: Int) -> Bool {
    for raw in first..<first + 1 << UInt32(order) where frames[FrameNumber(raw)].state != .freeTail { return false }
    return true
  }

  /// Takes a block of 2^order frames; if none is free, reserved ones that are not full have to give theirs.
  @inline(__always)
  func takeBlock(order: Int) -> FrameNumber? {
    buddy.allocate(order: order, frames) ?? breakReservation(forOrder: order)
  }

  /// Blocks that are broken at most for somebody who wants frames beside one another.
  private static var mostBroken: Int { 4 }

  @inline(never)
  private func breakReservation(forOrder order: Int) -> FrameNumber? {
    if order >= 9 { return nil }
    for _ in 0..<Self.mostBroken {
      let block = partialReservations.first
      if block == .none { return nil }
      dissolve(block)
      if let frame = buddy.allocate(order: order, frames) { return frame }
    }
    return nil
  }
}
