// A swap device that keeps pages compressed in memory which it takes from the page allocator: a machine without a disk holds more
// than its memory so. `swap=compressed:SIZE` makes one; SIZE is what the pages take that it holds, uncompressed.
//
// How the memory is kept dense
// - A compressed page is a chunk: four bytes that say which block it is of, then its LZ4 block, rounded up to a multiple of 128
//   bytes. Chunks of one size are a class; 24 classes reach to three quarters of a page, and a page that needs more is refused.
// - The frames of a class are a list, and its chunks lie in them one behind the other without a gap, also across the end of a
//   frame (a chunk lies in two frames at most). When a chunk goes, the last one of its class takes its place.
// - So a class has less than one frame beside its chunks, whatever came and went in whatever order: all of what is lost is
//   rounding (64 bytes a page on average) and less than 24 frames. Nothing ever has to be compacted, and giving up a block costs
//   copying one chunk.
// - A page of zeros is a mark in the table of blocks.
//
// Memory when there is none
// - Storing a page takes at most one frame, and then its own frame is free: page-out never leaves fewer frames free than it
//   found. That one frame may be one of the kernel's reserve. If even that is used up there is the `spare`, which the store took
//   when it was made and takes again as soon as it can: before it stores the next page, or from what a block gives up.
// - All else (the table of blocks, room to compress in) is taken when the store is made.
//
// Invariants
// - `table` has a word for each block: 0, nothing; 1, zeros; else frame, offset and length of its chunk's LZ4 block.
// - A chunk begins at a multiple of 128, so its first four bytes are in one frame.
// - In a class of chunks of `size` bytes, `end` is how much of the last frame is used: 0 without a frame, else 1 to 4096.
// - Its frames are in the state `.store`; what they hold is reached by `table` alone.

public import Primitives

/// What a store of compressed pages has done and holds.
public struct CompressedStoreCounts: BitwiseCopyable, Sendable {
  /// Pages that it holds.
  public internal(set) var pages = 0
  /// Those of them that are all zeros.
  public internal(set) var zeroPages = 0
  /// Bytes that the others take, compressed, without rounding.
  public internal(set) var bytes = 0
  /// Frames that it has, the spare one included.
  public internal(set) var frames = 0
  /// Pages that did not compress, since start.
  public internal(set) var refusals = 0
  /// Pages that were stored, since start.
  public internal(set) var stores = 0
  /// Pages that were given back, since start.
  public internal(set) var loads = 0
}

/// Chunks of one size.
private struct ChunkClass {
  var frames = FrameList()
  var end = 0
}

/// Where a chunk begins.
private struct ChunkPlace {
  var frame: FrameNumber
  var offset: Int
}

/// A block device whose blocks are compressed pages in memory.
public final class CompressedStore: BlockDevice {
  private static let granularity = 128
  private static let classCount = 24
  private static let headerByteCount = 4
  /// The longest LZ4 block that is kept.
  static let longestBlock = classCount * granularity - headerByteCount
  private static let zeros: UInt64 = 1

  /// The owner of the store.
  private let systemReference: BackReference<MemorySystem>
  private let table: PhysicalTable<UInt64>
  private var classes = [25 of ChunkClass](repeating: ChunkClass())
  private var spare = FrameNumber.none
  /// Room for what a page is compressed to, and for a chunk in one piece.
  private let buffer: FrameNumber
  /// Room for the compressor's table.
  private let places: FrameNumber
  /// What it holds.
  public private(set) var counts = CompressedStoreCounts()
  /// Blocks.
  public let blockCount: UInt32

  private init(
    _ system: MemorySystem, _ table: PhysicalTable<UInt64>, buffer: FrameNumber, places: FrameNumber
  ) {
    systemReference = BackReference(system)
    self.table = table
    self.buffer = buffer
    self.places = places
    blockCount = table.count
    replenish()
  }

  @inline(__always)
  private var system: MemorySystem {
    guard let system = systemReference.instance else { preconditionFailure("a store without a memory system") }
    return system
  }

  /// Makes a store of so many pages; nil when memory for its tables is lacking.
  public static func make(_ blockCount: UInt32, _ system: MemorySystem) -> CompressedStore? {
    guard let buffer = system.allocateKernelFrame(), let places = system.allocateKernelFrame(),
      let table = PhysicalTable<UInt64>.make(blockCount, system)
    else { return nil }
    return CompressedStore(system, table, buffer: buffer, places: places)
  }

  /// One: there is nothing to be gained by several, and compressing takes long.
  public var mostPagesPerTransfer: Int { 1 }
  /// What it holds is in frames.
  public var takesMemory: Bool { true }
  /// No more than one page, or two, in one step of reclaim.
  public var writeCost: Int { 1024 }

  /// Stores a page or gives it back.
  public func transfer(
    _ direction: TransferDirection, block: UInt32, frames: Span<FrameNumber>
  ) -> TransferStatus {
    guard frames.count == 1, block < blockCount else { return .failed }
    let status = direction == .read ? load(block, into: frames[0]) : store(frames[0], in: block)
    if status == .done {
      if direction == .read { counts.loads += 1 } else { counts.stores += 1 }
    }
    return status
  }

  /// Gives up what a block holds.
  public func discard(block: UInt32) {
    let word = table[block]
    guard word != 0 else { return }
    table[block] = 0
    counts.pages -= 1
    if word == CompressedStore.zeros {
      counts.zeroPages -= 1
    } else {
      counts.bytes -= CompressedStore.length(word)
      remove(CompressedStore.place(word), CompressedStore.chunkClass(CompressedStore.length(word)))
    }
  }

  // MARK: Pages

  private func store(_ frame: FrameNumber, in block: UInt32) -> TransferStatus {
    discard(block: block)
    replenish()
    if system.physical.isZero(frame) {
      table[block] = CompressedStore.zeros
      counts.pages += 1
      counts.zeroPages += 1
      return .done
    }
    let output = buffer.address + UInt64(CompressedStore.headerByteCount)
    guard
      let length = system.physical.compress(
        frame, to: output, limit: CompressedStore.longestBlock, table: places.address)
    else {
      counts.refusals += 1
      return .refused
    }
    let number = CompressedStore.chunkClass(length)
    guard let place = append(number) else { return .failed }
    system.physical.store(bytesOf: block, at: buffer.address)
    copyIn(to: place, byteCount: length + CompressedStore.headerByteCount)
    table[block] = CompressedStore.word(place, length)
    counts.pages += 1
    counts.bytes += length
    return .done
  }

  private func load(_ block: UInt32, into frame: FrameNumber) -> TransferStatus {
    let word = table[block]
    if word == 0 { return .failed }
    if word == CompressedStore.zeros {
      system.physical.zero(frame)
      return .done
    }
    let place = CompressedStore.place(word)
    let byteCount = CompressedStore.length(word) + CompressedStore.headerByteCount
    var start = place.frame.address + UInt64(place.offset)
    if place.offset + byteCount > 4096 {
      copyOut(from: place, byteCount: byteCount)
      start = buffer.address
    }
    guard system.physical.load(bytesOf: UInt32.self, at: start) == block,
      system.physical.decompress(
        start + UInt64(CompressedStore.headerByteCount), byteCount: CompressedStore.length(word), to: frame)
    else { return .failed }
    return .done
  }

  // MARK: Chunks

  /// The number of the class for an LZ4 block, which is the size of its chunks in units.
  private static func chunkClass(_ length: Int) -> Int {
    (length + headerByteCount + granularity - 1) / granularity
  }

  private static func word(_ place: ChunkPlace, _ length: Int) -> UInt64 {
    UInt64(place.frame.raw) << 32 | UInt64(place.offset) << 16 | UInt64(length)
  }

  private static func place(_ word: UInt64) -> ChunkPlace {
    ChunkPlace(frame: FrameNumber(UInt32(truncatingIfNeeded: word >> 32)), offset: Int(word >> 16 & 0xFFFF))
  }

  private static func length(_ word: UInt64) -> Int { Int(word & 0xFFFF) }

  /// Makes room for a chunk at the end of its class; nil when there is no frame.
  private func append(_ number: Int) -> ChunkPlace? {
    let size = number * CompressedStore.granularity
    let end = classes[number].end
    let isFull = end == 4096 || classes[number].frames.isEmpty
    let last = classes[number].frames.last
    if !isFull && end + size <= 4096 {
      classes[number].end = end + size
      return ChunkPlace(frame: last, offset: end)
    }
    guard let frame = takeFrame() else { return nil }
    classes[number].frames.append(frame, system.frames)
    classes[number].end = isFull ? size : end + size - 4096
    return isFull ? ChunkPlace(frame: frame, offset: 0) : ChunkPlace(frame: last, offset: end)
  }

  /// Where the last chunk of a class begins.
  private func lastPlace(_ number: Int) -> ChunkPlace {
    let size = number * CompressedStore.granularity
    let last = classes[number].frames.last
    let end = classes[number].end
    if end >= size { return ChunkPlace(frame: last, offset: end - size) }
    return ChunkPlace(frame: system.frames[last].previous, offset: 4096 + end - size)
  }

  /// Removes a chunk: the last one of its class takes its place.
  private func remove(_ place: ChunkPlace, _ number: Int) {
    let size = number * CompressedStore.granularity
    let last = lastPlace(number)
    if last.frame != place.frame || last.offset != place.offset {
      copyOut(from: last, byteCount: size)
      copyIn(to: place, byteCount: size)
      let block = system.physical.load(bytesOf: UInt32.self, at: buffer.address)
      table[block] = CompressedStore.word(place, CompressedStore.length(table[block]))
    }
    let end = classes[number].end
    if end > size {
      classes[number].end = end - size
      return
    }
    let frame = classes[number].frames.last
    classes[number].frames.remove(frame, system.frames)
    // A chunk that ended here began in this frame, or in the one before.
    classes[number].end = classes[number].frames.isEmpty ? 0 : 4096 + end - size
    giveFrame(frame)
  }

  private func copyOut(from place: ChunkPlace, byteCount: Int) {
    let here = min(byteCount, 4096 - place.offset)
    system.physical.copy(place.frame.address + UInt64(place.offset), to: buffer.address, byteCount: here)
    if here < byteCount {
      system.physical.copy(
        system.frames[place.frame].next.address, to: buffer.address + UInt64(here), byteCount: byteCount - here)
    }
  }

  private func copyIn(to place: ChunkPlace, byteCount: Int) {
    let here = min(byteCount, 4096 - place.offset)
    system.physical.copy(buffer.address, to: place.frame.address + UInt64(place.offset), byteCount: here)
    if here < byteCount {
      system.physical.copy(
        buffer.address + UInt64(here), to: system.frames[place.frame].next.address, byteCount: byteCount - here)
    }
  }

  // MARK: Frames

  private func takeFrame() -> FrameNumber? {
    if let frame = system.allocateFrame(.store, .reserve) {
      counts.frames += 1
      return frame
    }
    guard spare != .none else { return nil }
    defer { spare = .none }
    return spare
  }

  private func giveFrame(_ frame: FrameNumber) {
    if spare == .none {
      spare = frame
    } else {
      counts.frames -= 1
      system.free(frame)
    }
  }

  /// Takes the spare frame again, if it is gone and there is one.
  private func replenish() {
    guard spare == .none, let frame = system.allocateFrame(.store, .reserve) else { return }
    counts.frames += 1
    spare = frame
  }

  // MARK: Inspection

  /// Whether the classes, their chunks and the table agree, and the counts are right. Looks at everything.
  func isSound() -> Bool {
    var found = CompressedStoreCounts()
    var used = [25 of Int](repeating: 0)
    for block in 0..<blockCount {
      let word = table[block]
      guard word != 0 else { continue }
      found.pages += 1
      if word == CompressedStore.zeros {
        found.zeroPages += 1
        continue
      }
      let place = CompressedStore.place(word)
      found.bytes += CompressedStore.length(word)
      let number = CompressedStore.chunkClass(CompressedStore.length(word))
      used[number] += 1
      guard place.offset % CompressedStore.granularity == 0, system.frames[place.frame].state == .store,
        system.physical.load(bytesOf: UInt32.self, at: place.frame.address + UInt64(place.offset)) == block
      else { return false }
    }
    found.frames = spare == .none ? 0 : 1
    for number in 1...CompressedStore.classCount {
      let frames = classes[number].frames.count
      found.frames += frames
      let bytes = used[number] * number * CompressedStore.granularity
      guard bytes == (frames == 0 ? 0 : (frames - 1) * 4096 + classes[number].end) else { return false }
      if frames > 0 && classes[number].end == 0 { return false }
    }
    return found.pages == counts.pages && found.zeroPages == counts.zeroPages && found.bytes == counts.bytes
      && found.frames == counts.frames
  }
}
