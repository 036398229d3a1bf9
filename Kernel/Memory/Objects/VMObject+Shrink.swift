// Shrinking an object, and making a hole in it, so that nobody sees it half done (spec shm.md 2.4 and 3.26).
//
// Invariants, from `beginShrinking` until `continueShrinking` says that it is done (for a hole, `beginPunching` and
// `continuePunching`)
// - The pages from `hiddenFrom` up to `hiddenEnd`, the new last one included if it is cut, are hidden: whoever faults on one waits
//   (`waitForShrinking`), whoever reads or writes by a call waits for the range lock of the shared memory object. Those that
//   are still mapped show their old content, until they go; a store there was made before the object shrank.
// - Size, reservation and the count of allocated pages are those from before; `hiddenPageCount` pages of it are gone already.
// - Going on needs no memory and never waits, so the end comes whatever else happens.

import Primitives

extension VMObject {
  /// Begins to shrink an object without backing: zeroes what lies behind the new end in its page, wherever that is, so that
  /// growing again shows zeros, and hides it with everything behind. When it does not complete, nothing has changed.
  public func beginShrinking(toByteCount byteCount: UInt64) -> PageOutcome {
    precondition(hiddenFrom == UInt64.max)
    let outcome = zeroTail(from: byteCount)
    guard case .complete = outcome else { return outcome }
    hiddenFrom = byteCount >> Page.shift
    system.shrinkCount &+= 1
    shrinkNumber = system.shrinkCount
    return .complete
  }

  /// Goes on: removes pages from the end, at most about `budget`, which they are taken off. Returns whether the new size is
  /// reached; only then does anybody see it. `position`, 0 at first, is where a shrinking that spares wired pages goes on.
  public func continueShrinking(toPageCount newCount: UInt64, _ position: inout UInt64, _ budget: inout Int) -> Bool {
    let system = system
    let allocated = residentCount + swappedCount
    let isDone =
      system.wiredPageCount == 0 && !hasPagesBeyondEnd
      ? removeTail(newCount, &budget, system) : removeUnwiredTail(newCount, &position, &budget, system)
    guard isDone else {
      hiddenPageCount += allocated - residentCount - swappedCount
      hideTail(newCount, system)
      return false
    }
    system.release(pageCount - newCount, of: account)
    charge -= pageCount - newCount
    pageCount = newCount
    hiddenFrom = UInt64.max
    hiddenPageCount = 0
    system.wake(.shrinking(shrinkNumber))
    return true
  }

  /// Removes the pages from `newCount` on, from the end. Returns whether none is left.
  private func removeTail(_ newCount: UInt64, _ budget: inout Int, _ system: MemorySystem) -> Bool {
    while let last = pages.last(system.indexNodes), last >= newCount {
      if budget <= 0 { return false }
      if budget >= 64 {
        // A whole leaf of the index at a time.
        removePages(from: max(newCount, last & ~63), to: UInt64.max, &budget, system)
      } else {
        removePages(from: last, to: UInt64.max, &budget, system)
      }
    }
    return true
  }

  /// The same where pages may be wired: those stay, behind the end, as zeros (spec shm.md 2.4, step d). Returns whether all pages
  /// were looked at.
  private func removeUnwiredTail(
    _ newCount: UInt64, _ position: inout UInt64, _ budget: inout Int, _ system: MemorySystem
  ) -> Bool {
    position = max(position, newCount)
    while let page = pages.next(from: position, system.indexNodes) {
      if budget <= 0 { return false }
      if case .resident(let frame) = page.entry, system.frames[frame].wireCount > 0 {
        budget -= 1
        system.physical.zero(frame)
        system.markDirty(frame)
        hasPagesBeyondEnd = true
      } else if !removePages(from: page.index, to: page.index + 1, &budget, system) {
        return false
      }
      position = page.index + 1
    }
    return true
  }

  /// What a fault on a page has to wait on; nil when it need not.
  @inline(__always)
  func waitForShrinking(_ index: UInt64) -> Wait? {
    index < hiddenFrom || index >= hiddenEnd ? nil : Wait(.shrinking(shrinkNumber))
  }

  /// Takes the mappings of the new last page away, which has been zeroed behind its end.
  private func hideTail(_ newCount: UInt64, _ system: MemorySystem) {
    if hiddenFrom < newCount { removeMappings(ofPage: hiddenFrom, system) }
  }

  private func removeMappings(ofPage index: UInt64, _ system: MemorySystem) {
    guard case .resident(let frame) = pages.lookup(index, system.indexNodes) else { return }
    // Where there are very many, each step takes some: nobody gets new ones meanwhile.
    if system.isMapped(frame) { _ = system.removeSomeMappings(of: frame) }
  }

  // MARK: Holes

  /// Begins to make a hole in an object without backing: zeroes what lies in it of its first and last page, wherever those
  /// are, and hides them with all between. When it does not complete, nothing has changed.
  public func beginPunching(_ bytes: Range<UInt64>) -> PageOutcome {
    precondition(hiddenFrom == UInt64.max)
    let first = bytes.lowerBound >> Page.shift
    let end = Page.count(covering: bytes.upperBound)
    let startsInside = bytes.lowerBound & Page.offsetMask != 0
    let endsInside = bytes.upperBound & Page.offsetMask != 0
    // Both have to be there before either is changed.
    if startsInside, let unfinished = prepareToZero(first) { return unfinished }
    if endsInside, let unfinished = prepareToZero(end - 1) { return unfinished }
    if startsInside { zero(inPage: first, bytes) }
    if endsInside { zero(inPage: end - 1, bytes) }
    hiddenFrom = first
    hiddenEnd = end
    system.shrinkCount &+= 1
    shrinkNumber = system.shrinkCount
    return .complete
  }

  /// Goes on: removes the whole pages of a hole, at most about `budget`, which they are taken off. Returns whether none is left;
  /// only then does anybody see it.
  public func continuePunching(_ bytes: Range<UInt64>, _ budget: inout Int) -> Bool {
    let system = system
    let allocated = residentCount + swappedCount
    let first = Page.count(covering: bytes.lowerBound)
    let end = bytes.upperBound >> Page.shift
    if first < end && !removePages(from: first, to: end, &budget, system) {
      hiddenPageCount += allocated - residentCount - swappedCount
      if hiddenFrom < first { removeMappings(ofPage: hiddenFrom, system) }
      if hiddenEnd > end { removeMappings(ofPage: end, system) }
      return false
    }
    hiddenFrom = UInt64.max
    hiddenEnd = UInt64.max
    hiddenPageCount = 0
    system.wake(.shrinking(shrinkNumber))
    return true
  }

  /// Brings a page in that is to be zeroed in part; nil when it is there, or nowhere.
  private func prepareToZero(_ index: UInt64) -> PageOutcome? {
    guard isPresent(index) else { return nil }
    switch page(at: index, for: .write, .reserve) {
    case .frame, .absent: return nil
    case .wait(let wait): return .wait(wait)
    case .failed: return .failed
    }
  }

  /// Zeroes what lies in one page of some bytes. The page is there, or nowhere.
  private func zero(inPage index: UInt64, _ bytes: Range<UInt64>) {
    guard case .resident(let frame) = pages.lookup(index, system.indexNodes) else { return }
    let start = max(bytes.lowerBound, index << Page.shift)
    let end = min(bytes.upperBound, (index + 1) << Page.shift)
    system.physical.zero(frame.address + (start & Page.offsetMask), byteCount: Int(end - start))
  }

  /// Zeroes from `start` to the end of the page. An absent page stays absent. Bringing it in may use the reserve: shrinking
  /// gives back.
  private func zeroTail(from start: UInt64) -> PageOutcome {
    guard start & Page.offsetMask != 0 else { return .complete }
    let index = start >> Page.shift
    guard isPresent(index) else { return .complete }
    switch page(at: index, for: .write, .reserve) {
    case .frame(let frame):
      system.physical.zero(
        frame.address + (start & Page.offsetMask), byteCount: Int(Page.byteCount - (start & Page.offsetMask)))
      return .complete
    case .absent: return .complete
    case .wait(let wait): return .wait(wait)
    case .failed: return .failed
    }
  }
}
