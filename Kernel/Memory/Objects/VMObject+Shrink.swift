// Shrinking an object so that nobody sees it half done (spec shm.md 2.4).
//
// Invariants, from `beginShrinking` until `continueShrinking` says that it is done
// - The pages from `hiddenFrom` on, the new last one included if it is cut, are hidden: whoever faults on one waits
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
  /// reached; only then does anybody see it.
  public func continueShrinking(toPageCount newCount: UInt64, _ budget: inout Int) -> Bool {
    let system = system
    let allocated = residentCount + swappedCount
    while let last = pages.last(system.indexNodes), last >= newCount {
      if budget <= 0 {
        hiddenPageCount += allocated - residentCount - swappedCount
        hideTail(newCount, system)
        return false
      }
      if budget >= 64 {
        // A whole leaf of the index at a time.
        removePages(from: max(newCount, last & ~63), to: UInt64.max, &budget, system)
      } else {
        budget -= 1 + removePage(at: last, system)
      }
    }
    system.release(pageCount - newCount, of: account)
    charge -= pageCount - newCount
    pageCount = newCount
    hiddenFrom = UInt64.max
    hiddenPageCount = 0
    system.wake(.shrinking(shrinkNumber))
    return true
  }

  /// What a fault on a page has to wait on; nil when it need not.
  @inline(__always)
  func waitForShrinking(_ index: UInt64) -> Wait? {
    index < hiddenFrom ? nil : Wait(.shrinking(shrinkNumber))
  }

  /// Takes the mappings of the new last page away, which has been zeroed behind its end.
  private func hideTail(_ newCount: UInt64, _ system: MemorySystem) {
    guard hiddenFrom < newCount, case .resident(let frame) = pages.lookup(hiddenFrom, system.indexNodes) else { return }
    if !system.frames[frame].mappings.isEmpty { system.removeAllMappings(of: frame) }
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
