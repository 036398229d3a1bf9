// The physical page allocator: a binary buddy system of orders 0 to 12 (4 KiB to 16 MiB), after spec vm.md section 2.
//
// Invariants
// - A free block of order k is 2^k frames aligned to 2^k; its first frame is `.free` with `order == k` and linked in list
//   k; its other frames are `.freeTail`. No two free buddies of equal order exist (they would have been merged).
// - `freeCount` is the sum of the sizes of the free blocks, and of the frames that are held: unused frames of blocks that were
//   taken to be reserved for an object (Reservations.swift).
// - Records are made by groups of 2^12 frames: those of `made` have theirs. A group of `untouched` is a free block of which
//   only the first frame has a record: the others get theirs when it is first split or taken, so that the start costs what a
//   machine has of groups, not of frames. Of the other groups no frame is ever used.

import Primitives

/// The allocator's lists. The blocks' state stands in the frame records.
struct BuddyAllocator {
  static let maximumOrder = 12
  private static var groupFrameCount: UInt32 { 1 << UInt32(maximumOrder) }

  /// What the records of a group are worth.
  enum GroupState {
    /// All have been made.
    case made
    /// The whole group is free.
    case untouched
    /// None has been made: there is no memory, or nothing of it is handed out.
    case unused
  }

  private var made: [UInt64]
  private var untouched: [UInt64]
  private var lists = [13 of FrameList](repeating: FrameList())
  private(set) var freeCount = 0

  /// Makes an allocator without frames for a machine that has at most so many.
  init(frameCount: UInt32) {
    let wordCount = Int((frameCount >> UInt32(BuddyAllocator.maximumOrder)) >> 6) + 1
    made = Array(repeating: 0, count: wordCount)
    untouched = made
  }

  /// Takes a block of 2^order frames, or gives nil. Costs at most one step per order.
  @inline(__always)
  mutating func allocate(order: Int, _ table: FrameTable) -> FrameNumber? {
    var have = order
    while lists[have].isEmpty {
      have += 1
      if have > BuddyAllocator.maximumOrder { return nil }
    }
    let frame = lists[have].first
    lists[have].remove(frame, table)
    if have == BuddyAllocator.maximumOrder { touch(frame, table) }
    while have > order {
      have -= 1
      let upper = FrameNumber(frame.raw + (1 << UInt32(have)))
      table[upper].state = .free
      table[upper].order = UInt8(have)
      lists[have].prepend(upper, table)
    }
    freeCount &-= 1 << order
    return frame
  }

  /// So many frames that were taken count as free until they are used.
  mutating func hold(_ count: Int) { freeCount &+= count }

  /// A held frame is used.
  @inline(__always)
  mutating func takeHeld() { freeCount &-= 1 }

  /// A frame that was held is not used any more.
  @inline(__always)
  mutating func giveHeld() { freeCount &+= 1 }

  /// So many held frames are given back (`free`).
  mutating func release(_ count: Int) { freeCount &-= count }

  /// Gives a block back and merges it with its free buddies.
  @inline(__always)
  mutating func free(_ block: FrameNumber, order: Int, _ table: FrameTable) {
    freeCount &+= 1 << order
    var frame = block
    var order = order
    while order < BuddyAllocator.maximumOrder {
      let buddy = FrameNumber(frame.raw ^ (1 << UInt32(order)))
      guard buddy.raw < table.count, table[buddy].state == .free, Int(table[buddy].order) == order else { break }
      lists[order].remove(buddy, table)
      let upper = buddy.raw > frame.raw ? buddy : frame
      if buddy.raw < frame.raw { frame = buddy }
      table[upper].state = .freeTail
      order += 1
    }
    table[frame].state = .free
    table[frame].order = UInt8(order)
    lists[order].prepend(frame, table)
  }

  /// Adds the frames `start ..< end`, which must be reserved, in the largest blocks that alignment allows.
  mutating func add(_ start: UInt32, _ end: UInt32, _ table: FrameTable) {
    var frame = start
    while frame < end {
      let groupEnd = (frame | (BuddyAllocator.groupFrameCount - 1)) + 1
      if end >= groupEnd && frame == groupEnd - BuddyAllocator.groupFrameCount
        && state(of: FrameNumber(frame)) == .unused
      {
        addGroup(frame, table)
      } else {
        addPart(frame, min(end, groupEnd), table)
      }
      frame = min(end, groupEnd)
    }
  }

  /// Adds a whole group, of which nobody looks at more than the first frame for now.
  private mutating func addGroup(_ start: UInt32, _ table: FrameTable) {
    table.make(start..<start + 1)
    set(start, in: &untouched)
    free(FrameNumber(start), order: BuddyAllocator.maximumOrder, table)
  }

  /// Adds frames of a group.
  private mutating func addPart(_ start: UInt32, _ end: UInt32, _ table: FrameTable) {
    if state(of: FrameNumber(start)) == .unused {
      let first = start & ~(BuddyAllocator.groupFrameCount - 1)
      table.make(first..<min(table.count, first + BuddyAllocator.groupFrameCount))
      set(start, in: &made)
    }
    var frame = start
    while frame < end {
      var order =
        frame == 0 ? BuddyAllocator.maximumOrder : min(BuddyAllocator.maximumOrder, frame.trailingZeroBitCount)
      while frame + (1 << UInt32(order)) > end { order -= 1 }
      table.markTail(frame + 1..<frame + (1 << UInt32(order)))
      free(FrameNumber(frame), order: order, table)
      frame += 1 << UInt32(order)
    }
  }

  /// A block of the highest order is taken out of its list: all of its frames need records.
  @inline(never)
  private mutating func touch(_ block: FrameNumber, _ table: FrameTable) {
    guard state(of: block) == .untouched else { return }
    let rest = block.raw + 1..<block.raw + BuddyAllocator.groupFrameCount
    table.make(rest)
    table.markTail(rest)
    let group = block.raw >> UInt32(BuddyAllocator.maximumOrder)
    untouched[Int(group >> 6)] &= ~(1 << UInt64(group & 63))
    set(block.raw, in: &made)
  }

  private func set(_ frame: UInt32, in groups: inout [UInt64]) {
    let group = frame >> UInt32(BuddyAllocator.maximumOrder)
    groups[Int(group >> 6)] |= 1 << UInt64(group & 63)
  }

  /// What the record of a frame is worth.
  func state(of frame: FrameNumber) -> GroupState {
    let group = frame.raw >> UInt32(BuddyAllocator.maximumOrder)
    let bit: UInt64 = 1 << UInt64(group & 63)
    if made[Int(group >> 6)] & bit != 0 { return .made }
    return untouched[Int(group >> 6)] & bit != 0 ? .untouched : .unused
  }

  /// The number of free blocks of an order (for the invariant checker).
  func blockCount(order: Int) -> Int { lists[order].count }
}
