// What concerns every translation of a frame, in whatever address spaces: by leaves of its own, and by those of its whole block
// (FrameBlock.swift).
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

  @inline(__always)
  fileprivate var flag: FrameFlags { self == .dirty ? .dirty : .referenced }
}

extension MemorySystem {
  /// Whether a frame is mapped, by itself or with its block.
  @inline(__always)
  func isMapped(_ frame: FrameNumber) -> Bool {
    !frames[frame].mappings.isEmpty || !blocks[frame.block].mappings.isEmpty
  }

  /// Leaves that map a frame.
  @inline(__always)
  func mappingCount(of frame: FrameNumber) -> Int {
    let own = frames[frame].mappings.isEmpty ? 0 : 1 &+ furtherMappingCount(of: frame, frames)
    return blocks[frame.block].mappings.isEmpty ? own : own &+ 1 &+ furtherMappingCount(of: frame.block, blocks)
  }

  /// Removes every translation of a frame. A large leaf goes whole.
  @inline(never)
  func removeAllMappings(of frame: FrameNumber) {
    var left = Int.max
    _ = removeMappings(of: frame, &left)
  }

  /// Removes translations of a frame, `MappingSet.batch` of them at most. Returns whether none is left.
  func removeSomeMappings(of frame: FrameNumber) -> Bool {
    var left = MappingSet.batch
    return removeMappings(of: frame, &left)
  }

  private func removeMappings(of frame: FrameNumber, _ left: inout Int) -> Bool {
    if !blocks[frame.block].mappings.isEmpty {
      while left > 0, let slot = anyMapping(of: frame.block, blocks) {
        left -= 1
        frames[slot.frame].owner.borrowSpace { $0.tables.removeLeaf(at: slot, self) }
      }
    }
    // What went is asked for next.
    settleMarks(of: frame)
    let isSingle = takeFurtherMappings(of: frame, frames, &left) { slot in
      frames[slot.frame].owner.borrowSpace { $0.tables.dropLeaf(at: slot, of: frame, self) }
    }
    if isSingle, left > 0, let slot = anyMapping(of: frame, frames) {
      frames[slot.frame].owner.borrowSpace { $0.tables.removeLeaf(at: slot, self) }
    }
    return !isMapped(frame)
  }

  /// Whether a leaf of a frame, or of its block, has a mark.
  func hasMark(_ mark: LeafMark, _ frame: FrameNumber) -> Bool {
    hasMark(mark, frame, frames) || hasMark(mark, frame.block, blocks)
  }

  @inline(__always)
  private func hasMark(_ mark: LeafMark, _ frame: FrameNumber, _ table: FrameTable) -> Bool {
    var isMarked = false
    forEachMapping(of: frame, table) { slot in
      isMarked = physical.load(slot) & mark.bit != 0
      return !isMarked
    }
    return isMarked
  }

  /// Whether a leaf of a whole block has a mark.
  func hasMark(_ mark: LeafMark, block: FrameNumber) -> Bool { hasMark(mark, block, blocks) }

  /// Takes a mark from the leaves of a frame, where there are many from a part of them. Returns whether one had it. What is
  /// taken from a leaf of the whole block is noted for each frame of it.
  func takeMark(_ mark: LeafMark, _ frame: FrameNumber) -> Bool {
    var wasMarked = takeMark(mark, frame, frames)
    if !blocks[frame.block].mappings.isEmpty && takeMark(mark, frame.block, blocks) {
      wasMarked = true
      note(mark.flag.rawValue, ofBlock: frame.block)
      settleMarks(of: frame)
    }
    return wasMarked
  }

  @inline(__always)
  private func takeMark(_ mark: LeafMark, _ frame: FrameNumber, _ table: FrameTable) -> Bool {
    var wasMarked = false
    forSomeMappings(of: frame, table) { slot in
      guard physical.load(slot) & mark.bit != 0 else { return }
      wasMarked = true
      _ = physical.clear(bits: mark.bit, at: slot)
      let owner = slot.frame
      let processors = frames[owner].owner.borrowSpace { $0.tables.processors }
      if !processors.isEmpty { issue(page: address(of: slot, level: Int(frames[owner].order)), to: processors) }
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

  /// Adds to the marks of a block that have to be noted for each of its frames.
  private func note(_ marks: UInt8, ofBlock block: FrameNumber) {
    blocks[block].flags = FrameFlags(rawValue: blocks[block].flags.rawValue | marks)
  }

  /// The blocks that a leaf of a size maps from a frame on.
  private func blockNumbers(from first: FrameNumber, _ size: PageSize) -> Range<UInt32> {
    first.block.raw..<first.block.raw + size.frameCount >> 9
  }

  /// Adds a leaf to the sets of what it maps from `first` on. Returns false, and changes nothing, when there is no memory for
  /// that.
  @inline(__always)
  func addMapping(_ slot: PhysicalAddress, to first: FrameNumber, _ size: PageSize) -> Bool {
    size == .small ? addMapping(slot, to: first, frames) : addLargeMapping(slot, to: first, size)
  }

  private func addLargeMapping(_ slot: PhysicalAddress, to first: FrameNumber, _ size: PageSize) -> Bool {
    let range = blockNumbers(from: first, size)
    for block in range where !addMapping(slot, to: FrameNumber(block), blocks) {
      for added in range.lowerBound..<block { removeMapping(slot, from: FrameNumber(added), blocks) }
      return false
    }
    return true
  }

  /// Takes a leaf that is gone off the sets of what it maps, and notes its marks. Returns how many units of work (a page, a
  /// translation) that was more than usual.
  @inline(__always)
  @discardableResult
  func removeMapping(_ slot: PhysicalAddress, from first: FrameNumber, _ size: PageSize, _ entry: UInt64) -> Int {
    if size != .small { return removeLargeMapping(slot, from: first, size, entry) }
    removeMapping(slot, from: first, frames)
    noteMarks(entry, first)
    if entry & PageTableEntry.wired != 0 { unwire(first) }
    return 0
  }

  private func removeLargeMapping(
    _ slot: PhysicalAddress, from first: FrameNumber, _ size: PageSize, _ entry: UInt64
  ) -> Int {
    var marks: UInt8 = 0
    if entry & PageTableEntry.dirty != 0 { marks |= FrameFlags.dirty.rawValue }
    if entry & PageTableEntry.accessed != 0 { marks |= FrameFlags.referenced.rawValue }
    let range = blockNumbers(from: first, size)
    for block in range {
      removeMapping(slot, from: FrameNumber(block), blocks)
      note(marks, ofBlock: FrameNumber(block))
    }
    return range.count - 1
  }
}
