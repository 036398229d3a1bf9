// Which frames of the machine may be used: the loader's map less everything that is already taken.
//
// Invariant: `ranges` is ascending, its ranges neither overlap nor touch, and none of them holds a reserved frame.

internal import Memory

/// The free frames of the machine before the allocator exists, and what is carved out of them for it.
struct MemoryMap {
  /// Whole frames of available memory, reserved or not (`hw.physmem`).
  private(set) var physicalFrameCount: UInt64 = 0
  /// Available memory in whole frames, reserved or not: what the direct map covers.
  private(set) var memory: [FrameRange] = []
  /// What is still free.
  private(set) var ranges: [FrameRange] = []

  /// Frames above this do not fit the frame numbers of the portable kernel.
  private static let maximumFrame: UInt64 = 1 << 28
  private static let firstMiB = FrameRange(start: 0, end: 256)

  /// Takes over the loader's map; `image` is where the kernel lies, the boot stub included.
  init(_ information: BootInformation, image: ByteRange) {
    for region in information.available {
      let start = min((region.start + Page.offsetMask) >> Page.shift, MemoryMap.maximumFrame)
      let end = min(region.end >> Page.shift, MemoryMap.maximumFrame)
      if start < end { insert(FrameRange(start: UInt32(start), end: UInt32(end))) }
    }
    for region in information.unavailable { remove(MemoryMap.covering(region)) }
    memory = ranges
    for range in ranges { physicalFrameCount += UInt64(range.end - range.start) }
    remove(MemoryMap.firstMiB)
    remove(MemoryMap.covering(image))
    for region in information.occupied { remove(MemoryMap.covering(region)) }
  }

  /// The frame behind the highest.
  var frameCount: UInt32 { memory.last?.end ?? 0 }

  private static func covering(_ region: ByteRange) -> FrameRange {
    FrameRange(
      start: UInt32(min(region.start >> Page.shift, maximumFrame)),
      end: UInt32(min((region.end + Page.offsetMask) >> Page.shift, maximumFrame)))
  }

  /// Gives frames back that were reserved only for a while.
  mutating func release(_ region: ByteRange) {
    insert(MemoryMap.covering(region))
  }

  /// Adds a range, merging it with those it overlaps or touches.
  private mutating func insert(_ range: FrameRange) {
    var merged = range
    var result: [FrameRange] = []
    var isPlaced = false
    for other in ranges {
      if other.end < merged.start {
        result.append(other)
      } else if merged.end < other.start {
        if !isPlaced { result.append(merged) }
        isPlaced = true
        result.append(other)
      } else {
        merged = FrameRange(start: min(merged.start, other.start), end: max(merged.end, other.end))
      }
    }
    if !isPlaced { result.append(merged) }
    ranges = result
  }

  /// Takes a range out.
  private mutating func remove(_ range: FrameRange) {
    guard range.start < range.end else { return }
    var result: [FrameRange] = []
    for other in ranges {
      if other.start < min(other.end, range.start) {
        result.append(FrameRange(start: other.start, end: min(other.end, range.start)))
      }
      if max(other.start, range.end) < other.end {
        result.append(FrameRange(start: max(other.start, range.end), end: other.end))
      }
    }
    ranges = result
  }

  /// Takes contiguous frames out, the lowest that there are below 4 GiB, or gives nil.
  mutating func take(frameCount: UInt64) -> FrameNumber? {
    for range in ranges where UInt64(range.end - range.start) >= frameCount {
      guard UInt64(range.start) + frameCount <= 1 << 20 else { break }
      remove(FrameRange(start: range.start, end: range.start + UInt32(frameCount)))
      return FrameNumber(range.start)
    }
    return nil
  }
}
