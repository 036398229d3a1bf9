// What concerns every translation of a frame, in whatever address spaces.
import ABI
import Primitives

/// What the processor marks in a leaf when it uses it.
enum LeafMark {
  /// It was used.
  case referenced
  /// It was stored through.
  case dirty

  @inline(__always)
  fileprivate var bit: UInt64 { self == .dirty ? PageTableEntry.dirty : PageTableEntry.accessed }
}

extension MemorySystem {
  /// Removes every translation of a frame. A large leaf goes whole.
  @inline(never)
  func removeAllMappings(of frame: FrameNumber) {
    while let slot = anyMapping(of: frame) {
      frames[slot.frame].owner.borrowSpace { $0.tables.removeLeaf(at: slot, self) }
    }
  }

  /// Removes translations of a frame, `MappingSet.batch` of them at most. Returns whether none is left.
  func removeSomeMappings(of frame: FrameNumber) -> Bool {
    guard furtherMappingCount(of: frame) >= MappingSet.batch else {
      removeAllMappings(of: frame)
      return true
    }
    for _ in 0..<MappingSet.batch {
      guard let slot = anyMapping(of: frame) else { return true }
      frames[slot.frame].owner.borrowSpace { $0.tables.removeLeaf(at: slot, self) }
    }
    return frames[frame].mappings.isEmpty
  }

  /// Whether a leaf of a frame has a mark.
  func hasMark(_ mark: LeafMark, _ frame: FrameNumber) -> Bool {
    var isMarked = false
    forEachMapping(of: frame) { slot in
      isMarked = physical.load(slot) & mark.bit != 0
      return !isMarked
    }
    return isMarked
  }

  /// Takes a mark from the leaves of a frame, where there are many from a part of them. Returns whether one had it.
  func takeMark(_ mark: LeafMark, _ frame: FrameNumber) -> Bool {
    var wasMarked = false
    forSomeMappings(of: frame) { slot in
      guard physical.load(slot) & mark.bit != 0 else { return }
      wasMarked = true
      _ = physical.clear(bits: mark.bit, at: slot)
      let table = slot.frame
      let processors = frames[table].owner.borrowSpace { $0.tables.processors }
      if !processors.isEmpty { issue(page: address(of: slot, level: Int(frames[table].order)), to: processors) }
    }
    return wasMarked
  }

  /// The first address that an entry of a page table of a level covers.
  @inline(__always)
  func address(of slot: PhysicalAddress, level: Int) -> UInt64 {
    frames[slot.frame].index &+ (slot.pageOffset >> 3) &* PageTableEntry.coverage(level: level)
  }

  /// Notes for a page what the processor marked in a leaf that is gone.
  @inline(__always)
  func noteMarks(_ entry: UInt64, _ frame: FrameNumber) {
    if entry & PageTableEntry.dirty != 0 { markDirty(frame) }
    if entry & PageTableEntry.accessed != 0 { frames[frame].flags.insert(.referenced) }
  }

  /// Adds a leaf to the sets of the frames that it maps from `first` on. Returns false, and changes nothing, when there is no
  /// memory for that.
  @inline(__always)
  func addMapping(_ slot: PhysicalAddress, to first: FrameNumber, _ size: PageSize) -> Bool {
    size == .small ? addMapping(slot, to: first) : addMappings(slot, to: first, size.frameCount)
  }

  private func addMappings(_ slot: PhysicalAddress, to first: FrameNumber, _ count: UInt32) -> Bool {
    for offset in 0..<count where !addMapping(slot, to: FrameNumber(first.raw + offset)) {
      for added in 0..<offset { removeMapping(slot, from: FrameNumber(first.raw + added)) }
      return false
    }
    return true
  }

  /// Takes a leaf that is gone off the sets of its frames, and notes its marks for them. Returns how many units of work (a page,
  /// a translation) that was more than usual.
  @inline(__always)
  @discardableResult
  func removeMapping(_ slot: PhysicalAddress, from first: FrameNumber, _ size: PageSize, _ entry: UInt64) -> Int {
    if size != .small { return removeMappings(slot, from: first, size.frameCount, entry) }
    removeMapping(slot, from: first)
    noteMarks(entry, first)
    if entry & PageTableEntry.wired != 0 { unwire(first) }
    return 0
  }

  private func removeMappings(
    _ slot: PhysicalAddress, from first: FrameNumber, _ count: UInt32, _ entry: UInt64
  ) -> Int {
    for offset in 0..<count {
      let frame = FrameNumber(first.raw + offset)
      removeMapping(slot, from: frame)
      noteMarks(entry, frame)
    }
    return Int(count >> 3)
  }

  /// Has another entry stand for a leaf in the sets of a number of frames that both map from `first` on.
  func replaceMapping(
    _ old: PhysicalAddress, by new: PhysicalAddress, of first: FrameNumber, _ size: PageSize
  ) {
    for offset in 0..<size.frameCount { replaceMapping(old, by: new, of: FrameNumber(first.raw + offset)) }
  }
}
