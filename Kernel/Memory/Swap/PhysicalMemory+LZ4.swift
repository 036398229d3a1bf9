// Pages in the LZ4 block format: compressing a whole page, and giving it back.
//
// The format (LZ4 Block Format Description 1.6): a block is a sequence of literals and a match, again and again. A token byte says
// how many literals follow (upper four bits) and how long the match is, less four (lower four bits); fifteen means that bytes
// follow that are added, up to and with the first that is not 255. Then the literals; then two bytes, low one first, that say how
// far back the match begins, which may overlap what it makes. The last sequence ends with its literals: the last five bytes are
// literals always, and the last match begins twelve bytes before the end or earlier.
//
// Matches are found by a table of the last place of each hash of four bytes, as the fastest compressors do; where nothing is found
// for long the search takes larger steps, so that what does not compress costs little.
//
// Whoever decompresses trusts nothing: a block that is damaged gives false, and reads and writes nothing out of its bounds.

import Primitives

extension PhysicalMemory {
  /// Bytes of the table that `compress` needs.
  static var compressionTableByteCount: Int { 4096 }
  /// Misses, as a power of two, after which the search takes a step more at a time.
  private static var skipShift: Int { 5 }
  private static var pageByteCount: Int { 4096 }

  /// Whether a page is all zeros.
  func isZero(_ frame: FrameNumber) -> Bool {
    let page = unsafe unsafePointer(to: frame.address, byteCount: Page.byteCount)
    var offset = 0
    while offset < PhysicalMemory.pageByteCount {
      // SAFETY: `offset` is a multiple of 16 below the size of the page.
      let first = unsafe page.load(fromByteOffset: offset, as: UInt64.self)
      let second = unsafe page.load(fromByteOffset: offset &+ 8, as: UInt64.self)
      if first | second != 0 { return false }
      offset &+= 16
    }
    return true
  }

  /// Compresses a page into at most `limit` bytes; nil when it takes more.
  ///
  /// - Parameters:
  ///   - output: where the block goes; `limit` bytes that nobody else uses.
  ///   - table: `compressionTableByteCount` bytes, aligned to eight, whose content is arbitrary.
  func compress(_ frame: FrameNumber, to output: PhysicalAddress, limit: Int, table: PhysicalAddress) -> Int? {
    zero(table, byteCount: PhysicalMemory.compressionTableByteCount)
    // SAFETY: all three are checked to lie in memory; `LZ4Writer` keeps inside `limit`, `LZ4Reader` inside the page.
    let places = unsafe unsafePointer(to: table, byteCount: UInt64(PhysicalMemory.compressionTableByteCount))
      .assumingMemoryBound(to: UInt16.self)
    let page = unsafe unsafePointer(to: frame.address, byteCount: Page.byteCount)
    var writer = unsafe LZ4Writer(unsafePointer(to: output, byteCount: UInt64(limit)), limit: limit)
    // No match begins behind this, and none ends behind the other.
    let lastStart = PhysicalMemory.pageByteCount - 12
    let lastEnd = PhysicalMemory.pageByteCount - 5
    var anchor = 0
    var position = 1
    var misses = 1 << PhysicalMemory.skipShift
    while position <= lastStart {
      // SAFETY: four bytes from at most `lastStart` on lie in the page; a hash has eleven bits, and the table 2048 places; what
      // it holds was a position before this one.
      let word = unsafe page.loadUnaligned(fromByteOffset: position, as: UInt32.self)
      let hash = Int(truncatingIfNeeded: (word &* 2_654_435_761) >> 21)
      var candidate = Int(unsafe places[hash])
      unsafe places[hash] = UInt16(truncatingIfNeeded: position)
      guard unsafe page.loadUnaligned(fromByteOffset: candidate, as: UInt32.self) == word else {
        position &+= misses >> PhysicalMemory.skipShift
        misses &+= 1
        continue
      }
      misses = 1 << PhysicalMemory.skipShift
      var length = unsafe 4 &+ PhysicalMemory.equalByteCount(page, candidate &+ 4, position &+ 4, end: lastEnd)
      // Backwards, too.
      while position > anchor, candidate > 0,
        unsafe page.load(fromByteOffset: position &- 1, as: UInt8.self)
          == page.load(fromByteOffset: candidate &- 1, as: UInt8.self)
      {
        position &-= 1
        candidate &-= 1
        length &+= 1
      }
      guard unsafe writer.append(literals: page, from: anchor, count: position &- anchor, matchLength: length) else {
        return nil
      }
      writer.append(distance: position - candidate)
      position &+= length
      anchor = position
    }
    guard
      unsafe writer.append(
        literals: page, from: anchor, count: PhysicalMemory.pageByteCount &- anchor, matchLength: 4)
    else { return nil }
    return writer.count
  }

  /// How many bytes from two places of a page on are equal; neither is at or behind `end`.
  ///
  /// SAFETY: `first` is before `second`, and `end` at least five bytes before the end of the page.
  @inline(__always)
  private static func equalByteCount(
    _ page: UnsafeMutableRawPointer, _ first: Int, _ second: Int, end: Int
  ) -> Int {
    var count = 0
    while second &+ count &+ 8 <= end {
      let left = unsafe page.loadUnaligned(fromByteOffset: first &+ count, as: UInt64.self)
      let right = unsafe page.loadUnaligned(fromByteOffset: second &+ count, as: UInt64.self)
      if left != right { return count &+ (left ^ right).trailingZeroBitCount >> 3 }
      count &+= 8
    }
    while second &+ count < end,
      unsafe page.load(fromByteOffset: first &+ count, as: UInt8.self)
        == page.load(fromByteOffset: second &+ count, as: UInt8.self)
    {
      count &+= 1
    }
    return count
  }

  /// Fills a page from a block. Returns false when that is damaged; then the page's content is arbitrary.
  func decompress(_ input: PhysicalAddress, byteCount: Int, to frame: FrameNumber) -> Bool {
    let page = unsafe unsafePointer(to: frame.address, byteCount: Page.byteCount)
    let block = unsafe unsafePointer(to: input, byteCount: UInt64(byteCount))
    let size = PhysicalMemory.pageByteCount
    var reader = unsafe LZ4Reader(block, count: byteCount)
    var written = 0
    while let token = reader.byte() {
      // SAFETY: what is copied was just found to lie in the block, or behind `written` in the page, and to fit what is left.
      guard let literalCount = reader.length(token >> 4), literalCount <= reader.left, literalCount <= size - written
      else {
        return false
      }
      if literalCount <= 16 && reader.left >= 16 && written &+ 16 <= size {
        unsafe LZ4Copy.move16(reader.take(literalCount), to: page + written)
      } else {
        unsafe (page + written).copyMemory(from: reader.take(literalCount), byteCount: literalCount)
      }
      written &+= literalCount
      if reader.left == 0 { return written == size }
      guard let low = reader.byte(), let high = reader.byte() else { return false }
      let distance = low | high << 8
      guard let more = reader.length(token & 15), distance > 0, distance <= written, more + 4 <= size - written else {
        return false
      }
      if more <= 12 && distance >= 8 && written &+ 16 <= size {
        unsafe LZ4Copy.move16(page + written - distance, to: page + written)
        written &+= more &+ 4
        continue
      }
      // What is copied so far doubles with every round where the match overlaps what it makes.
      var copied = 0
      while copied < more + 4 {
        let part = min(distance + copied, more + 4 - copied)
        unsafe (page + written + copied).copyMemory(from: page + written - distance, byteCount: part)
        copied += part
      }
      written += copied
    }
    return false
  }
}

/// Copying that most literals and matches are short enough for.
private enum LZ4Copy {
  /// Copies sixteen bytes, of which as many as are meant mean something. The second eight may be part of what the first made.
  ///
  /// SAFETY: sixteen bytes from both places on are the caller's.
  @unsafe
  @inline(__always)
  static func move16(_ source: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer) {
    unsafe target.storeBytes(of: source.loadUnaligned(as: UInt64.self), as: UInt64.self)
    unsafe target.storeBytes(
      of: source.loadUnaligned(fromByteOffset: 8, as: UInt64.self), toByteOffset: 8, as: UInt64.self)
  }
}

/// Where a block is written. Invariant: `count` is at most `limit`.
@safe
private struct LZ4Writer {
  private let bytes: UnsafeMutableRawPointer
  private let limit: Int
  private(set) var count = 0

  /// SAFETY: `limit` bytes from `bytes` on belong to this alone.
  @unsafe
  @inline(__always)
  init(_ bytes: UnsafeMutableRawPointer, limit: Int) {
    unsafe self.bytes = bytes
    self.limit = limit
  }

  /// Appends a token with its lengths and the literals; false when they, and a distance, might not fit.
  @unsafe
  @inline(__always)
  mutating func append(
    literals page: UnsafeMutableRawPointer, from start: Int, count literalCount: Int, matchLength: Int
  ) -> Bool {
    let more = matchLength &- 4
    // Each length takes a byte for every 255 of it, and one; the token and a distance three.
    guard count &+ literalCount &+ literalCount / 255 &+ more / 255 &+ 5 <= limit else { return false }
    let token = min(literalCount, 15) << 4 | min(more, 15)
    append(token)
    if literalCount >= 15 { append(rest: literalCount &- 15) }
    if literalCount <= 16 && start <= 4096 - 16 && count &+ 16 <= limit {
      unsafe LZ4Copy.move16(page + start, to: bytes + count)
    } else {
      unsafe (bytes + count).copyMemory(from: page + start, byteCount: literalCount)
    }
    count &+= literalCount
    pending = more
    return true
  }

  private var pending = 0

  /// Appends the distance of the match whose length was given before, and what its token has no room for.
  @inline(__always)
  mutating func append(distance: Int) {
    append(distance & 255)
    append(distance >> 8)
    if pending >= 15 { append(rest: pending &- 15) }
  }

  @inline(__always)
  private mutating func append(rest: Int) {
    var left = rest
    while left >= 255 {
      append(255)
      left &-= 255
    }
    append(left)
  }

  /// SAFETY: there is room: `append(literals:)` has looked.
  @inline(__always)
  private mutating func append(_ byte: Int) {
    unsafe bytes.storeBytes(of: UInt8(truncatingIfNeeded: byte), toByteOffset: count, as: UInt8.self)
    count &+= 1
  }
}

/// What is left of a block that is read. Invariant: `position` is at most `count`.
@safe
private struct LZ4Reader {
  private let bytes: UnsafeMutableRawPointer
  private let count: Int
  private var position = 0

  /// SAFETY: `count` bytes from `bytes` on can be read.
  @unsafe
  @inline(__always)
  init(_ bytes: UnsafeMutableRawPointer, count: Int) {
    unsafe self.bytes = bytes
    self.count = count
  }

  @inline(__always)
  var left: Int { count &- position }

  /// The next byte.
  @inline(__always)
  mutating func byte() -> Int? {
    guard position < count else { return nil }
    // SAFETY: it is one of them.
    let byte = unsafe bytes.load(fromByteOffset: position, as: UInt8.self)
    position &+= 1
    return Int(byte)
  }

  /// A length that begins in a token.
  @inline(__always)
  mutating func length(_ inToken: Int) -> Int? {
    var length = inToken
    if length < 15 { return length }
    while true {
      guard let more = byte() else { return nil }
      length &+= more
      if more < 255 { return length }
    }
  }

  /// Passes bytes over, which are there, and tells where they begin.
  @unsafe
  @inline(__always)
  mutating func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let start = unsafe bytes + position
    position &+= byteCount
    return unsafe start
  }
}
