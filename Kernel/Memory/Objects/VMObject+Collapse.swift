// Shortening chains of shadows, so that they stay short however often a process forks (spec vm.md section 4).
//
// Collapse: the backing is referenced by this object alone, so its pages can move here. Bypass: everything that this
// object could see of its backing is covered by its own pages, so it can look through to the backing's backing. Both run
// from the teardown list in bounded steps; between steps the chain is whole and shows the same content.

import Primitives

extension VMObject {
  /// Whether it is worth looking if the object behind can be taken over or passed by.
  @inline(__always)
  var mayShortenChain: Bool {
    guard let behind = backingObject, behind.kind == .anonymous else { return false }
    return behind.referenceCount == 1 || behind.allocatedPageCount <= allocatedPageCount
  }

  /// Does at most `budget` steps; returns whether nothing more can be done now.
  func collapse(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    while budget > 0, let behind = backingObject, behind.kind == .anonymous {
      budget -= 1
      if behind.referenceCount == 1 {
        guard absorb(behind, &budget, system) else { return true }
        if !behind.pages.isEmpty { return false }
        inheritBacking(of: behind)
      } else {
        guard covers(behind, &budget, system) else { return true }
        bypass(behind)
      }
    }
    return backingObject == nil || budget > 0
  }

  /// Moves the pages of `behind` here, or frees those that nobody can see. Returns false when it has to be given up because
  /// there is no memory. A page in transfer moves as well: who completes the transfer asks the frame whose page it is.
  private func absorb(_ behind: VMObject, _ budget: inout Int, _ system: MemorySystem) -> Bool {
    while budget > 0, let (index, entry) = behind.pages.next(from: 0, system.indexNodes) {
      budget -= 1
      if case .resident(let frame) = entry, system.isReserved(frame) {
        guard absorbBlock(of: frame, behind, &budget, system) else { return false }
        continue
      }
      let isVisible = index >= backingOffset && index - backingOffset < pageCount
      let target = isVisible ? index - backingOffset : 0
      if isVisible && pages.lookup(target, system.indexNodes) == .empty {
        guard pages.insert(target, entry, system.indexNodes, system, .reserve, paidBy: payerReference) else {
          return false
        }
        _ = behind.pages.remove(index, system.indexNodes, system, paidBy: behind.payerReference)
        move(entry, from: behind, to: target, system)
      } else {
        behind.removePage(at: index, system)
      }
    }
    return true
  }

  /// Moves the pages of a reserved block here, or frees those that nobody can see, and the block with them if its group is one of
  /// this object, too; otherwise it becomes an ordinary one. Returns false when there is no memory.
  private func absorbBlock(
    of frame: FrameNumber, _ behind: VMObject, _ budget: inout Int, _ system: MemorySystem
  ) -> Bool {
    let first = system.blocks[frame.block].index << 9 - UInt64(behind.colour)
    guard first >= backingOffset, first - backingOffset + VMObject.largePageCount <= pageCount,
      (UInt64(colour) + first - backingOffset) & (VMObject.largePageCount - 1) == 0
    else {
      system.dissolveReservation(of: frame)
      return true
    }
    while let (index, entry) = behind.pages.next(from: first, system.indexNodes),
      index - first < VMObject.largePageCount
    {
      budget -= 1
      let target = index - backingOffset
      guard pages.lookup(target, system.indexNodes) == .empty else {
        behind.removePage(at: index, system)
        continue
      }
      guard pages.insert(target, entry, system.indexNodes, system, .reserve, paidBy: payerReference) else {
        system.dissolveReservation(of: frame)
        return false
      }
      _ = behind.pages.remove(index, system.indexNodes, system, paidBy: behind.payerReference)
      move(entry, from: behind, to: target, system)
    }
    system.passReservation(of: frame, to: self, group: group(of: first - backingOffset))
    return true
  }

  private func move(_ entry: IndexEntry, from behind: VMObject, to target: UInt64, _ system: MemorySystem) {
    behind.countPages(-1)
    countPages(1)
    switch entry {
    case .resident(let frame):
      behind.residentCount -= 1
      residentCount += 1
      if system.frames[frame].swapBlock != .none {
        behind.blockCount -= 1
        blockCount += 1
        system.setSwapOwner(of: system.frames[frame].swapBlock, self, target)
      }
      system.frames[frame].owner = OwnerReference(self)
      system.frames[frame].index = target
    case .swapped(let block):
      system.setSwapOwner(of: block, self, target)
      behind.swappedCount -= 1
      behind.blockCount -= 1
      swappedCount += 1
      blockCount += 1
    case .empty: break
    }
  }

  /// Takes over the backing of an emptied backing, which dies.
  private func inheritBacking(of behind: VMObject) {
    let offset = backingOffset + behind.backingOffset
    let next = behind.takeBacking()
    detachBacking()
    if let next { attachBacking(next, offset: offset) }
  }

  private func bypass(_ behind: VMObject) {
    let offset = backingOffset + behind.backingOffset
    let next = behind.backing?.copy()
    detachBacking()
    if let next { attachBacking(next, offset: offset) }
  }

  /// Whether every page of `behind` in this object's window is hidden by a page of this object. Looks at 64 places at a time, and
  /// gives up when there is more to look at than `budget` is for, or there are more pages than this object could hide.
  private func covers(_ behind: VMObject, _ budget: inout Int, _ system: MemorySystem) -> Bool {
    if behind.allocatedPageCount > allocatedPageCount { return false }
    let nodes = system.indexNodes
    var position = backingOffset
    while let (index, _) = behind.pages.next(from: position, nodes), index - backingOffset < pageCount {
      budget -= 1
      if budget <= 0 { return false }
      let first = max(index & ~63, backingOffset)
      let places = min((index | 63) + 1 - first, pageCount - (first - backingOffset))
      let wanted = behind.pages.presence(from: first, nodes) & (~0 >> (64 - places))
      if wanted & ~pages.presence(from: first - backingOffset, nodes) != 0 { return false }
      position = first + places
    }
    return true
  }
}
