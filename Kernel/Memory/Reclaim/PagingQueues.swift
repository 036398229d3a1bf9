// The queues of pages that can be reclaimed: active, inactive and laundry (DESIGN, "Reclaim").
//
// Invariants
// - A frame is linked in the queue that its record names; frames of objects that are busy, failed or wired are in none.
// - `laundry` holds pages that were found dirty when no swap block could be had; they are tried again when one can.

import Primitives

/// The queues, and how many free frames to aim for.
struct PagingQueues {
  private(set) var active = FrameList()
  private(set) var inactive = FrameList()
  private(set) var laundry = FrameList()
  /// Transfers to the device that are under way.
  var pendingWriteCount = 0
  /// Transfers from the device that are under way.
  var pendingReadCount = 0
  /// Below this many free frames, reclaim starts.
  private(set) var lowWater = 0
  /// Reclaim stops at this many free frames.
  private(set) var highWater = 0

  mutating func setTargets(managed: Int, reserve: Int) {
    lowWater = reserve + max(16, managed / 64)
    highWater = lowWater + max(8, managed / 128)
  }

  @inline(__always)
  mutating func append(_ frame: FrameNumber, to queue: PageQueue, _ table: FrameTable) {
    table[frame].queue = queue
    switch queue {
    case .none: break
    case .active: active.append(frame, table)
    case .inactive: inactive.append(frame, table)
    case .laundry: laundry.append(frame, table)
    }
  }

  @inline(__always)
  mutating func remove(_ frame: FrameNumber, _ table: FrameTable) {
    switch table[frame].queue {
    case .none: break
    case .active: active.remove(frame, table)
    case .inactive: inactive.remove(frame, table)
    case .laundry: laundry.remove(frame, table)
    }
    table[frame].queue = .none
  }

  mutating func move(_ frame: FrameNumber, to queue: PageQueue, _ table: FrameTable) {
    remove(frame, table)
    append(frame, to: queue, table)
  }
}
