// Getting frames back: second chance over the paging queues, page-out, and who has to wait (DESIGN, "Reclaim").
//
// It runs between events and between the bounded steps of long ones, never underneath an allocation, because it changes
// the very indexes and page tables that an allocation is made for.

import Primitives

/// Whether frames can be had.
public enum FrameAvailability: Sendable {
  /// As many as asked for are free now.
  case ready
  /// Page-out is under way; its completion brings frames.
  case pending
  /// There are pages left to look at: ask again.
  case unfinished
  /// Nothing more can be reclaimed.
  case exhausted
}

/// When a look at every page found nothing that could be reclaimed: as long as both numbers are the same, another look would
/// find nothing either.
struct Futility: Equatable {
  var releaseCount: UInt64
  var freeFrameCount: Int
}

/// A look at every page that is cut into pieces.
struct ReclaimSearch {
  /// Pages that are still to be looked at, those that were given a second chance once more.
  var looks: Int
  /// From here on no page is given a second chance: the others all had one.
  let lastLooks: Int
}

/// Which pages a look spares.
private enum Spared {
  /// Those that were used since the last look.
  case used
  /// Only those that are in use by a transfer or a parked thread.
  case held
}

extension MemorySystem {
  /// Whether reclaim should run before the next event of the current caller.
  @inline(__always)
  public var isShort: Bool { buddy.freeCount < lowWater }

  /// Reclaims until the current caller can take `count` frames, or nothing more can be reclaimed.
  public func makeAvailable(_ count: Int, looks limit: Int = Int.max) -> FrameAvailability {
    makeAvailable(count, above: allocationFloor, looks: limit)
  }

  /// Reclaims until `count` frames can be taken by whoever leaves `floor` free, or nothing more can be reclaimed. Looks at every
  /// page if it has to, but not again before something has happened that can make a difference: a frame, a swap block or a
  /// page that a thread waited for was given back, a transfer has ended, or frames have become pages.
  ///
  /// - Parameter limit: about how many pages are looked at before this returns `.unfinished`; the next call goes on there.
  public func makeAvailable(_ count: Int, above floor: Int, looks limit: Int = Int.max) -> FrameAvailability {
    let wanted = floor + count
    if buddy.freeCount < wanted && isFutile {
      return queues.pendingWriteCount > 0 ? .pending : .exhausted
    }
    var budget = limit
    while buddy.freeCount < wanted {
      if budget <= 0 { return .unfinished }
      // Every page may get its second chance once before this gives up.
      let pages = queues.searchCount
      var search = self.search ?? ReclaimSearch(looks: 2 * pages + 1, lastLooks: pages)
      var looks = search.looks
      let isLast = looks <= search.lastLooks
      if !isLast && limit != Int.max { looks -= search.lastLooks }
      let begin = looks
      let gained = reclaim(&looks, &budget, until: wanted, sparing: isLast && limit != Int.max ? .held : .used)
      search.looks -= begin - looks
      if gained > 0 {
        self.search = nil
      } else if looks == begin || search.looks <= 0 {
        self.search = nil
        if buddy.freeCount >= wanted { return .ready }
        futility = Futility(releaseCount: releaseCount, freeFrameCount: buddy.freeCount)
        return queues.pendingWriteCount > 0 ? .pending : .exhausted
      } else {
        self.search = search
      }
    }
    search = nil
    return .ready
  }

  /// Whether a look at every page would find nothing, as the last one did.
  private var isFutile: Bool {
    spareTables.isEmpty && futility == Futility(releaseCount: releaseCount, freeFrameCount: buddy.freeCount)
  }

  /// Makes the next `makeAvailable` look at every page, whatever the last one found.
  public func forgetFutility() {
    futility = nil
    search = nil
  }

  /// Looks at at most `budget` pages, going on where the last call stopped. Returns the number of frames freed or on
  /// their way to be.
  ///
  /// No page is looked at twice: one that is in use must have the time until the next call to be used again. Where few
  /// pages are left to reclaim, a program would otherwise lose the page of its last fault before it used that of the next.
  @discardableResult
  public func reclaim(budget: Int) -> Int {
    if isFutile { return 0 }
    counters.reclaimRuns &+= 1
    var looks = min(budget, queues.candidateCount)
    var budget = budget
    return reclaim(&looks, &budget, until: queues.highWater + keptFrameCount, sparing: .used)
  }

  /// Looks at pages until `looks` of them are done or `budget` is used up, off which a page with many mappings takes more.
  private func reclaim(_ looks: inout Int, _ budget: inout Int, until wanted: Int, sparing spared: Spared) -> Int {
    var gained = spareTables.isEmpty ? 0 : freeSpareTables()
    while looks > 0 && budget > 0 && buddy.freeCount + queues.pendingWriteCount < wanted {
      looks -= 1
      budget -= 1
      counters.pagesExamined &+= 1
      tryAgain()
      let candidates = queues.inactive.count + queues.laundered.count
      if candidates * 2 < queues.active.count { ageActive(&budget, sparing: spared) }
      if queues.inactive.isEmpty && queues.laundered.isEmpty {
        if queues.active.isEmpty {
          // What is left waits in the laundry for a swap block.
          looks = 0
          break
        }
        ageActive(&budget, sparing: spared)
        continue
      }
      let frame = queues.laundered.isEmpty ? queues.inactive.first : queues.laundered.first
      budget -= cost(of: frame)
      if evict(frame, &budget, sparing: spared) { gained += 1 }
    }
    return gained
  }

  /// Makes a page a candidate again that could not be written out when there is reason to hope that it can.
  private func tryAgain() {
    if !queues.laundry.isEmpty, let swap, swap.hasFree {
      queues.move(queues.laundry.first, to: .inactive, frames)
    }
    if queues.unswappableRetryCount > 0 {
      queues.unswappableRetryCount -= 1
      guard !queues.unswappable.isEmpty else { return }
      let frame = queues.unswappable.first
      frames[frame].flags.remove(.refused)
      queues.move(frame, to: .inactive, frames)
    }
  }

  /// Moves the longest-unexamined active page to the inactive queue, or to the back when it was used since.
  private func ageActive(_ budget: inout Int, sparing spared: Spared) {
    guard !queues.active.isEmpty else { return }
    let frame = queues.active.first
    budget -= cost(of: frame)
    let isUsed = testAndClearReferenced(frame)
    queues.move(frame, to: isUsed && spared == .used ? .active : .inactive, frames)
  }

  /// What the mappings of a page add to the cost of a look at it.
  func cost(of frame: FrameNumber) -> Int { min(mappingCount(of: frame), MappingSet.batch) >> 3 }

  /// Frees an inactive page, or starts writing it out, or moves it where it belongs. Returns whether a frame was gained.
  private func evict(_ frame: FrameNumber, _ budget: inout Int, sparing spared: Spared) -> Bool {
    guard let object = frames[frame].owner.object else { preconditionFailure("queued frame without object") }
    if frames[frame].waiterCount > 0 || frames[frame].wireCount > 0
      || testAndClearReferenced(frame) && spared == .used
    {
      counters.pagesReactivated &+= 1
      queues.move(frame, to: .active, frames)
      return false
    }
    if object.referenceCount == 0 {
      // Its object is being torn down and frees it soon.
      queues.move(frame, to: .active, frames)
      return false
    }
    if mappingCount(of: frame) > MappingSet.batch && !removeSomeMappings(of: frame) {
      // Those who use it map it again; if nobody does, a few looks more are enough.
      queues.move(frame, to: .inactive, frames)
      return false
    }
    if !isDirty(frame) {
      removeAllMappings(of: frame)
      // Still clean? Unmapping is what makes the answer final.
      if !frames[frame].flags.contains(.dirty) {
        drop(frame, object)
        return true
      }
    }
    if isRefused(frame) { return false }
    return startPageOut(frame, object, &budget)
  }

  /// Whether a page's content would be lost by dropping it.
  func isDirty(_ frame: FrameNumber) -> Bool {
    settleMarks(of: frame)
    return frames[frame].flags.contains(.dirty) || hasMark(.dirty, frame)
  }

  /// Whether a page was used since the last time this was asked.
  func testAndClearReferenced(_ frame: FrameNumber) -> Bool {
    settleMarks(of: frame)
    let isReferenced = takeMark(.referenced, frame)
    let wasReferenced = frames[frame].flags.contains(.referenced)
    frames[frame].flags.remove(.referenced)
    return isReferenced || wasReferenced
  }
}
