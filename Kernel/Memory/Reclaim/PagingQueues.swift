// The queues of pages that can be reclaimed: active, inactive, laundered, laundry and unswappable
// (DESIGN, "Reclaim").
//
// Invariants
// - A frame is linked in the queue that its record names; frames of objects that are busy, failed or wired are in none.
// - `laundry` holds pages that were found dirty when no swap block could be had; they are tried again when one can.
// - `unswappable` holds pages that no device takes, mapped nowhere; they are tried again when somebody has used them, or a
//   device has come into use.

import Primitives

/// The queues, and how many free frames to aim for.
struct PagingQueues {
  private(set) var active = FrameList()
  private(set) var inactive = FrameList()
  private(set) var laundered = FrameList()
  private(set) var laundry = FrameList()
  private(set) var unswappable = FrameList()
  /// Pages of `unswappable` that are to be tried again because a device has come into use.
  var unswappableRetryCount = 0
  /// Pages that reclaim has freed since the laundry last did as many ahead of need.
  var launderDemand = 0
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
    case .laundered: laundered.append(frame, table)
    case .laundry: laundry.append(frame, table)
    case .unswappable: unswappable.append(frame, table)
    }
  }

  @inline(__always)
  mutating func remove(_ frame: FrameNumber, _ table: FrameTable) {
    switch table[frame].queue {
    case .none: break
    case .active: active.remove(frame, table)
    case .inactive: inactive.remove(frame, table)
    case .laundered: laundered.remove(frame, table)
    case .laundry: laundry.remove(frame, table)
    case .unswappable: unswappable.remove(frame, table)
    }
    table[frame].queue = .none
  }

  /// Pages in all queues.
  var pageCount: Int { candidateCount + laundry.count + unswappable.count }

  /// Pages that can be reclaimed once they had their second chance.
  var candidateCount: Int { active.count + inactive.count + laundered.count }

  /// Pages that a search for frames looks at.
  var searchCount: Int { candidateCount + laundry.count + min(unswappableRetryCount, unswappable.count) }

  /// The counts of pages, of which so many frames are not free.
  func counts(usedFrameCount: Int) -> PagingCounts {
    PagingCounts(
      active: active.count, inactive: inactive.count + laundered.count, laundry: laundry.count + unswappable.count,
      held: usedFrameCount - pageCount, lowWater: lowWater, highWater: highWater)
  }

  mutating func move(_ frame: FrameNumber, to queue: PageQueue, _ table: FrameTable) {
    remove(frame, table)
    append(frame, to: queue, table)
  }
}

/// What the queues hold (`vm.stats.vm`).
public struct PagingCounts: BitwiseCopyable, Sendable {
  /// Pages in use.
  public let active: Int
  /// Pages that have not been used for a while.
  public let inactive: Int
  /// Pages that wait to be written out.
  public let laundry: Int
  /// Frames that are not pages, or are kept in memory.
  public let held: Int
  /// Below this many free frames reclaim begins.
  public let lowWater: Int
  /// It ends at this many.
  public let highWater: Int

  /// Below this many inactive pages, active ones are looked at.
  public var inactiveTarget: Int { active / 2 }
}

extension MemorySystem {
  /// What the queues of pages hold now.
  public var pagingCounts: PagingCounts { queues.counts(usedFrameCount: managedFrameCount - freeFrameCount) }
}
