// Which blocks of the swap device are free: a radix tree of bitmaps in physical memory that is taken once, at `swapon`.
//
// Invariants (after spec vm.md section 9)
// - Level 0 has one bit per block, 1 = free; level n+1 has one bit per word of level n, 1 = that word is not zero. The
//   highest level is one word.
// - Nothing allocates after `init`; allocating or freeing a block touches one word per level.
// - Block 0 is never handed out (it stands for "none").

public import Primitives

/// The free blocks of one swap device.
public struct SwapBlockAllocator {
  private static let maximumLevels = 6
  private let physical: PhysicalMemory
  private var levels = [6 of PhysicalAddress](repeating: PhysicalAddress(0))
  private var levelCount = 0
  private var cursor: UInt32 = 1
  /// Blocks that can ever be handed out.
  public let usableCount: UInt32
  /// Blocks that are free now.
  public private(set) var freeCount: UInt32
  private let blockCount: UInt32

  /// Bytes of bitmaps for a device of `blockCount` blocks.
  public static func byteCount(blockCount: UInt32) -> UInt64 {
    var words = (UInt64(blockCount) + 63) / 64
    var total = words
    while words > 1 {
      words = (words + 63) / 64
      total += words
    }
    return total * 8
  }

  /// Makes the tree at `address`, which has room for `byteCount(blockCount:)` zeroed bytes; all blocks but 0 are free.
  public init(_ physical: PhysicalMemory, at address: PhysicalAddress, blockCount: UInt32) {
    precondition(blockCount > 1)
    self.physical = physical
    self.blockCount = blockCount
    usableCount = blockCount - 1
    freeCount = blockCount - 1
    var bits = UInt64(blockCount)
    var place = address
    repeat {
      let words = (bits + 63) / 64
      levels[levelCount] = place
      for word in 0..<words {
        let left = bits - word * 64
        physical.store(left >= 64 ? ~0 : (1 << left) - 1, at: place + word * 8)
      }
      levelCount += 1
      place = place + words * 8
      bits = words
    } while bits > 1
    clear(0)
  }

  /// Takes the first free block at or behind the last one taken, so that consecutive page-outs lie together.
  public mutating func allocate() -> UInt32? { allocateRun(upTo: 1)?.first }

  /// Takes consecutive blocks, at most `limit`: the first run that is so long at or behind the last block taken, or the longest
  /// of the first few runs there.
  mutating func allocateRun(upTo limit: Int) -> (first: UInt32, count: Int)? {
    guard freeCount > 0, limit > 0 else { return nil }
    var best: (first: UInt32, count: Int) = (0, 0)
    var position = cursor
    var hasWrapped = false
    for _ in 0..<SwapLimits.runsPerSearch {
      guard let first = firstFree(from: position) else {
        if hasWrapped { break }
        hasWrapped = true
        position = 0
        continue
      }
      let count = runLength(from: first, upTo: limit)
      if count > best.count { best = (first, count) }
      if count == limit { break }
      position = first + UInt32(count)
    }
    // The search may have ended before it came round.
    if best.count == 0 {
      guard let first = firstFree(from: 0) else { return nil }
      best = (first, runLength(from: first, upTo: limit))
    }
    for offset in 0..<UInt32(best.count) { clear(best.first + offset) }
    freeCount -= UInt32(best.count)
    let next = best.first + UInt32(best.count)
    cursor = next == blockCount ? 1 : next
    return best
  }

  /// Free blocks from `first` on, at most `limit`.
  private func runLength(from first: UInt32, upTo limit: Int) -> Int {
    var count = 0
    var bit = UInt64(first)
    while count < limit && bit < UInt64(blockCount) {
      let left = ~physical.load(word(0, bit)) >> (bit & 63)
      let length = min(left.trailingZeroBitCount, 64 - Int(bit & 63))
      count += length
      bit += UInt64(length)
      if length == 0 || bit & 63 != 0 { break }
    }
    return min(count, limit)
  }

  /// The first taken block at or behind `start`, block 0 left out; looks at at most `wordLimit` words of the lowest level. Nil
  /// `block`: none was found before `next`.
  func nextTaken(from start: UInt32, wordLimit: Int) -> (block: UInt32?, next: UInt32) {
    var bit = UInt64(max(start, 1))
    for _ in 0..<wordLimit where bit < UInt64(blockCount) {
      let left = ~physical.load(word(0, bit)) >> (bit & 63)
      if left != 0 {
        let found = bit + UInt64(left.trailingZeroBitCount)
        return found < UInt64(blockCount) ? (UInt32(found), UInt32(found)) : (nil, blockCount)
      }
      bit = (bit | 63) + 1
    }
    return (nil, UInt32(min(bit, UInt64(blockCount))))
  }

  /// Gives a block back. It must be taken.
  public mutating func free(_ block: UInt32) {
    precondition(block > 0 && block < blockCount && !isFree(block), "swap block freed twice")
    freeCount += 1
    var bit = UInt64(block)
    for level in 0..<levelCount {
      let place = word(level, bit)
      let old = physical.load(place)
      physical.store(old | 1 << (bit & 63), at: place)
      if old != 0 { break }
      bit >>= 6
    }
  }

  /// Whether a block is free.
  public func isFree(_ block: UInt32) -> Bool {
    precondition(block < blockCount)
    return physical.load(word(0, UInt64(block))) >> (UInt64(block) & 63) & 1 == 1
  }

  private func word(_ level: Int, _ bit: UInt64) -> PhysicalAddress { levels[level] + (bit >> 6) * 8 }

  private mutating func clear(_ block: UInt32) {
    var bit = UInt64(block)
    for level in 0..<levelCount {
      let place = word(level, bit)
      let new = physical.load(place) & ~(1 << (bit & 63))
      physical.store(new, at: place)
      if new != 0 { break }
      bit >>= 6
    }
  }

  /// The lowest free block that is not below `start`: up the levels to the first word with a bit behind the path, then
  /// down along the lowest bits.
  private func firstFree(from start: UInt32) -> UInt32? {
    var bit = UInt64(start)
    var level = 0
    while level < levelCount {
      let bits = levelBitCount(level)
      if bit < bits {
        let found = physical.load(word(level, bit)) & (~0 << (bit & 63))
        if found != 0 {
          bit = bit & ~63 | UInt64(found.trailingZeroBitCount)
          while level > 0 {
            level -= 1
            bit = bit << 6 | UInt64(physical.load(levels[level] + bit * 8).trailingZeroBitCount)
          }
          return UInt32(bit)
        }
      }
      bit = (bit >> 6) + 1
      level += 1
    }
    return nil
  }

  private func levelBitCount(_ level: Int) -> UInt64 {
    var bits = UInt64(blockCount)
    for _ in 0..<level { bits = (bits + 63) / 64 }
    return bits
  }
}
