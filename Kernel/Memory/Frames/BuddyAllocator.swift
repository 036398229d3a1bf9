// The physical page allocator: a binary buddy system of orders 0 to 12 (4 KiB to 16 MiB), after spec vm.md section 2.
//
// Invariants
// - A free block of order k is 2^k frames aligned to 2^k; its first frame is `.free` with `order == k` and linked in list
//   k; its other frames are `.freeTail`. No two free buddies of equal order exist (they would have been merged).
// - `freeCount` is the sum of the sizes of the free blocks.

import Primitives

/// The allocator's lists. The blocks' state stands in the frame records.
struct BuddyAllocator {
  static let maximumOrder = 12
  private var lists = [13 of FrameList](repeating: FrameList())
  private(set) var freeCount = 0

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

  /// Adds the frames `start ..< end`, which must be reserved, in the largest blocks that alignment allows. The records
  /// behind a block's first are marked once, here.
  mutating func add(_ start: UInt32, _ end: UInt32, _ table: FrameTable) {
    var frame = start
    while frame < end {
      var order = min(BuddyAllocator.maximumOrder, frame == 0 ? 12 : frame.trailingZeroBitCount)
      while frame + (1 << UInt32(order)) > end { order -= 1 }
      for tail in frame + 1..<max(frame + 1, frame + (1 << UInt32(order))) {
        table[FrameNumber(tail)].state = .freeTail
      }
      free(FrameNumber(frame), order: order, table)
      frame += 1 << UInt32(order)
    }
  }

  /// The number of free blocks of an order (for the invariant checker).
  func blockCount(order: Int) -> Int { lists[order].count }
}
