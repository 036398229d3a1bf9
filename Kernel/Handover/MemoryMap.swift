// Which frames of the machine may be used: the loader's map less everything that is already taken.
//
// Invariants
// - `memory` and `ranges` are ascending; their ranges are not empty and neither overlap nor touch.
// - `ranges` is part of `memory`, and none of them holds a reserved frame: the first MiB, the kernel from its first byte to
//   its last (loaders put modules into gaps), the modules, the loader's information.
// - Neither array grows beyond the room it was made with: at start the heap cannot take larger ones back.

public import Primitives

/// The free frames of the machine before the allocator exists, and what is carved out of them for it.
public struct MemoryMap {
  /// Whole frames of available memory, reserved or not (`hw.physmem`).
  public private(set) var physicalFrameCount: UInt64 = 0
  /// Available memory in whole frames, reserved or not: what the direct map covers.
  public let memory: [FrameRange]
  /// What is still free.
  public private(set) var ranges: [FrameRange]
  /// Whether there is memory beyond what frame numbers reach, which is not used.
  public private(set) var isCut = false

  private static let firstMiB = FrameRange(start: 0, end: 256)

  /// Takes over the loader's map.
  ///
  /// Throws when there is too little memory, or when the kernel or a module does not lie in it alone.
  ///
  /// - Parameter image: where the kernel lies, the boot stub included.
  public init(_ information: BootInformation, image: ByteRange) throws(BootRefusal) {
    var list: [FrameRange] = []
    list.reserveCapacity(HandoverLimits.frameRangeCount)
    for region in information.available {
      let start = min(MemoryMap.roundedUp(region.start), HandoverLimits.frameCount)
      let end = min(region.end >> Page.shift, HandoverLimits.frameCount)
      if region.end >> Page.shift > HandoverLimits.frameCount { isCut = true }
      if start < end { MemoryMap.insert(FrameRange(start: UInt32(start), end: UInt32(end)), into: &list) }
    }
    for region in information.unavailable { MemoryMap.remove(MemoryMap.covering(region), from: &list) }
    memory = list
    for range in list { physicalFrameCount += UInt64(range.end - range.start) }
    guard physicalFrameCount >= HandoverLimits.leastFrameCount else { throw .tooLittleMemory }
    // A copy of its own: the copy that a shared array makes of itself has no room to grow.
    var free: [FrameRange] = []
    free.reserveCapacity(HandoverLimits.frameRangeCount)
    free.append(contentsOf: list)
    let kernel = MemoryMap.covering(image)
    guard MemoryMap.holds(free, kernel) else { throw .kernelOutsideMemory }
    MemoryMap.remove(kernel, from: &free)
    for module in information.modules where !module.content.isEmpty {
      let content = MemoryMap.covering(module.content)
      guard MemoryMap.holds(memory, content) else { throw .moduleOutsideMemory(module.name) }
      guard MemoryMap.holds(free, content) else { throw .moduleOverlaps(module.name) }
      MemoryMap.remove(content, from: &free)
    }
    MemoryMap.remove(MemoryMap.firstMiB, from: &free)
    MemoryMap.remove(MemoryMap.covering(information.occupied), from: &free)
    ranges = free
  }

  /// The frame behind the highest.
  public var frameCount: UInt32 { memory.last?.end ?? 0 }

  /// Where there is no memory below the highest frame.
  public var holes: [FrameRange] {
    var list: [FrameRange] = []
    var end: UInt32 = 0
    for range in memory {
      if end < range.start { list.append(FrameRange(start: end, end: range.start)) }
      end = range.end
    }
    return list
  }

  private static func roundedUp(_ address: UInt64) -> UInt64 { Page.count(covering: address) }

  private static func covering(_ region: ByteRange) -> FrameRange {
    FrameRange(
      start: UInt32(min(region.start >> Page.shift, HandoverLimits.frameCount)),
      end: UInt32(min(roundedUp(region.end), HandoverLimits.frameCount)))
  }

  /// Gives frames back that were reserved only for a while; they belong to nobody else.
  public mutating func release(_ region: ByteRange) {
    MemoryMap.insert(MemoryMap.covering(region), into: &ranges)
  }

  /// Where frames that are taken have to lie.
  public enum Place {
    /// Below 4 GiB: they are used before the final page tables are loaded.
    case low
    /// Anywhere in memory.
    case anywhere
  }

  /// Takes contiguous frames out, the lowest that there are, or gives nil.
  public mutating func take(frameCount: UInt64, _ place: Place) -> FrameNumber? {
    guard frameCount > 0 else { return nil }
    let limit = place == .low ? UInt64(HandoverLimits.lowFrameCount) : HandoverLimits.frameCount
    for range in ranges where UInt64(range.end - range.start) >= frameCount {
      guard UInt64(range.start) + frameCount <= limit else { return nil }
      MemoryMap.remove(FrameRange(start: range.start, end: range.start + UInt32(frameCount)), from: &ranges)
      return FrameNumber(range.start)
    }
    return nil
  }
}

// Lists of ranges.
extension MemoryMap {
  /// The first range that ends behind a frame: the one that holds it, if any does.
  private static func firstIndex(endingBehind frame: UInt32, in list: [FrameRange]) -> Int {
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if list[middle].end > frame { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Whether every frame of a range is in the list.
  private static func holds(_ list: [FrameRange], _ range: FrameRange) -> Bool {
    guard range.start < range.end else { return true }
    let index = firstIndex(endingBehind: range.start, in: list)
    return index < list.count && list[index].start <= range.start && range.end <= list[index].end
  }

  /// Adds a range, merging it with those it overlaps or touches.
  private static func insert(_ range: FrameRange, into list: inout [FrameRange]) {
    guard range.start < range.end else { return }
    // One that ends where this one starts is merged too.
    let first = firstIndex(endingBehind: range.start == 0 ? 0 : range.start - 1, in: list)
    var merged = range
    var end = first
    while end < list.count, list[end].start <= merged.end {
      merged = FrameRange(start: min(merged.start, list[end].start), end: max(merged.end, list[end].end))
      end += 1
    }
    if first == end {
      list.insert(merged, at: first)
    } else {
      list[first] = merged
      list.removeSubrange(first + 1..<end)
    }
  }

  /// Takes a range out.
  private static func remove(_ range: FrameRange, from list: inout [FrameRange]) {
    guard range.start < range.end else { return }
    var index = firstIndex(endingBehind: range.start, in: list)
    while index < list.count, list[index].start < range.end {
      let old = list[index]
      let below = FrameRange(start: old.start, end: range.start)
      let above = FrameRange(start: range.end, end: old.end)
      switch (below.start < below.end, above.start < above.end) {
      case (true, true):
        list[index] = below
        list.insert(above, at: index + 1)
        return
      case (true, false):
        list[index] = below
        index += 1
      case (false, true):
        list[index] = above
        return
      case (false, false): list.remove(at: index)
      }
    }
  }
}
