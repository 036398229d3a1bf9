// The pages of a VM object: finding, making, bringing in, dirtying and removing them.
public import ABI
public import Primitives

/// What a caller wants to do with a page.
public enum PageUse: Sendable {
  /// Read it; an absent page reads as zeros and is not made.
  case read
  /// Change some of it.
  case write
}

/// Where a page is.
public enum PageLookup: Sendable {
  /// In this frame, ready.
  case frame(FrameNumber)
  /// Nowhere: it reads as zeros.
  case absent
  /// Not yet there: park and ask again.
  case wait(Wait)
  /// The swap device failed to deliver it (EIO, or SIGBUS).
  case failed
}

/// The result of an operation that may have to wait for a page.
public enum PageOutcome: Sendable {
  /// It is done.
  case complete
  /// Park and do it again.
  case wait(Wait)
  /// The swap device failed (EIO).
  case failed
}

extension VMObject {
  /// Finds the page at `index` of an object without backing, making or reading it as `use` demands.
  ///
  /// For writing, the page is marked dirty and its stale swap block is dropped. The frame may be used until the end of the
  /// event. `priority` is for the frame of a page that is brought in from swap.
  public func page(
    at index: UInt64, for use: PageUse, _ priority: AllocationPriority = .normal
  ) -> PageLookup {
    let system = system
    switch pages.lookup(index, system.indexNodes) {
    case .resident(let frame):
      let ready = readyFrame(frame, system)
      if case .frame = ready {
        system.frames[frame].flags.insert(.referenced)
        if use == .write { system.markDirty(frame) }
      }
      return ready
    case .swapped(let block):
      let ready = pageIn(index, block, system, priority)
      if use == .write, case .frame(let frame) = ready { system.markDirty(frame) }
      return ready
    case .empty:
      if use == .read { return .absent }
      guard let frame = addZeroedPage(at: index, system) else { return .wait(.frames) }
      system.markDirty(frame)
      return .frame(frame)
    }
  }

  /// The frame of a page that is there, with its content; it may be used until the end of the event. Nil when it is not so:
  /// then nothing has happened. Otherwise as `page`.
  @inline(__always)
  public func pageAtOnce(at index: UInt64, for use: PageUse) -> FrameNumber? {
    let system = system
    guard case .resident(let frame) = pages.lookup(index, system.indexNodes),
      system.frames[frame].flags.isDisjoint(with: .withoutContent)
    else { return nil }
    system.frames[frame].flags.insert(.referenced)
    if use == .write { system.markDirty(frame) }
    return frame
  }

  /// Whether the page at `index` holds anything, without bringing it in.
  public func isPresent(_ index: UInt64) -> Bool {
    pages.lookup(index, system.indexNodes) != .empty
  }

  /// Changes the size. Growing reserves swap; shrinking removes every page at or above the new size from the object and
  /// from every address space, drops its swap block and releases the reservation. Costs what is present, not the size.
  ///
  /// - Throws: `ENOMEM` when growing is refused by `vm.overcommit`; then nothing changed.
  public func resize(toPageCount newCount: UInt64) throws(Errno) {
    let system = system
    if newCount > pageCount {
      try system.reserve(newCount - pageCount, for: account)
      charge += newCount - pageCount
    } else {
      removePages(from: newCount, to: UInt64.max, system)
      system.release(pageCount - newCount, of: account)
      charge -= pageCount - newCount
    }
    pageCount = newCount
  }

  /// Removes the pages `start ..< end` with their swap; they read as zeros afterwards.
  func removePages(from start: UInt64, to end: UInt64, _ system: MemorySystem) {
    var isDone = false
    while !isDone {
      var budget = Int.max
      isDone = removePages(from: start, to: end, &budget, system)
    }
  }

  /// Removes at most `budget` pages of a range, and fewer before one with many mappings. Returns whether none is left in it.
  @discardableResult
  func removePages(from start: UInt64, to end: UInt64, _ budget: inout Int, _ system: MemorySystem) -> Bool {
    var position = start
    let before = residentCount + swappedCount
    // All at once: this is most of what the end of a large object costs.
    defer { countPages(residentCount + swappedCount - before) }
    while budget > 0 {
      guard
        let next = pages.removeRun(
          from: position, to: end, &budget, system.indexNodes, system, paidBy: payerReference, { release($0, system) })
      else { return true }
      position = next
    }
    return pages.next(from: position, system.indexNodes).map { $0.index >= end } ?? true
  }

  /// Removes one page from the object and every address space.
  func removePage(at index: UInt64, _ system: MemorySystem) {
    let entry = pages.remove(index, system.indexNodes, system, paidBy: payerReference)
    if entry != .empty { countPages(-1) }
    if case .resident(let frame) = entry { system.removeAllMappings(of: frame) }
    _ = release(entry, system)
  }

  /// Gives back what an entry named that goes from the index, and whose page the caller counts. Returns what that cost more than a
  /// unit of work; nil when the entry has to stay for now, because its page still has mappings.
  @inline(__always)
  private func release(_ entry: IndexEntry, _ system: MemorySystem) -> Int? {
    var cost = 0
    switch entry {
    case .resident(let frame):
      if system.isMapped(frame) {
        cost = system.mappingCount(of: frame) >> 1
        guard system.removeSomeMappings(of: frame) else { return nil }
      }
      residentCount -= 1
      releaseFrame(frame, system)
    case .swapped(let block):
      swappedCount -= 1
      blockCount -= 1
      system.freeSwapBlock(block)
    case .empty: break
    }
    return cost
  }

  /// Gives back a frame that left the object's index and is mapped nowhere.
  func releaseFrame(_ frame: FrameNumber, _ system: MemorySystem) {
    let record = system.frames[frame]
    precondition(record.mappings.isEmpty)
    system.queues.remove(frame, system.frames)
    if record.swapBlock != .none { blockCount -= 1 }
    if record.flags.contains(.busy) {
      // A device still uses the frame (and the block): the completion gives both back.
      system.frames[frame].state = .orphan
      system.frames[frame].owner = OwnerReference()
      if record.swapBlock != .none { system.noteOrphan(frame, of: record.swapBlock) }
    } else {
      if record.swapBlock != .none { system.freeSwapBlock(record.swapBlock) }
      system.frames[frame].swapBlock = .none
      system.freePage(frame)
    }
    if record.waiterCount > 0 { system.wake(.page(frame)) }
  }

  /// The frame if its content can be used now.
  @inline(__always)
  func readyFrame(_ frame: FrameNumber, _ system: MemorySystem) -> PageLookup {
    let flags = system.frames[frame].flags
    if flags.isDisjoint(with: .withoutContent) { return .frame(frame) }
    if flags.contains(.busy) { return .wait(.page(frame)) }
    // A read failed: back to swap, so that the next who asks starts a new transfer; this one learns of the failure.
    returnToSwap(frame, system)
    return .failed
  }

  /// Adds a page of zeros where none is; nil when memory cannot be had.
  @inline(__always)
  func addZeroedPage(at index: UInt64, _ system: MemorySystem) -> FrameNumber? {
    guard let frame = addFrame(at: index, system) else { return nil }
    system.physical.zero(frame)
    return frame
  }

  /// Adds a page with arbitrary content, which the caller overwrites at once.
  @inline(__always)
  func addFrame(at index: UInt64, _ system: MemorySystem) -> FrameNumber? {
    guard let frame = system.allocatePageFrame(at: index, of: self) else { return nil }
    guard pages.insert(index, .resident(frame), system.indexNodes, system, paidBy: payerReference) else {
      system.freePage(frame)
      return nil
    }
    residentCount += 1
    countPages(1)
    adopt(frame, index, system)
    system.queues.append(frame, to: .active, system.frames)
    return frame
  }

  @inline(__always)
  func adopt(_ frame: FrameNumber, _ index: UInt64, _ system: MemorySystem) {
    system.settleMarks(of: frame)
    system.frames[frame].owner = OwnerReference(self)
    system.frames[frame].index = index
    system.frames[frame].mappings = MappingSet()
    system.frames[frame].mappingRoot = .none
    system.frames[frame].swapBlock = .none
    system.frames[frame].wireCount = 0
    system.frames[frame].flags = FrameFlags(rawValue: 0)
    system.frames[frame].queue = .none
  }
}

extension MemorySystem {
  /// Notes that a page's content differs from its swap block, which is given back.
  @inline(__always)
  func markDirty(_ frame: FrameNumber) {
    frames[frame].flags.insert(.dirty)
    if frames[frame].flags.contains(.refused) { noteChange(ofRefused: frame) }
    if frames[frame].swapBlock != .none { dropSwapBlock(of: frame) }
  }

  private func dropSwapBlock(of frame: FrameNumber) {
    guard let object = frames[frame].owner.object else { preconditionFailure("swap block without object") }
    let block = frames[frame].swapBlock
    frames[frame].swapBlock = .none
    object.blockCount -= 1
    freeSwapBlock(block)
  }
}
