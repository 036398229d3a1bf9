// Which blocks of the swap device are free: a radix tree of bitmaps in physical memory that is taken once, at `swapon`.
//
// Invariants (after spec vm.md section 9)
// - Level 0 has one bit per block, 1 = free; level n+1 has one bit per word of level n, 1 = that word is not zero. The
//   highest level is one word.
// - Nothing allocates after `init`; allocating or freeing a block touches one word per level.
// - Block 0 is never handed out (it stands for "none").

public import Primitives

/// A block of the swap device, numbered in pages.
public struct SwapBlock: Equatable, BitwiseCopyable, Sendable {
  /// The number.
  public let raw: UInt32
  /// Wraps a number.
  @inline(__always)
  public init(_ raw: UInt32) { self.raw = raw }
  /// No block.
  public static let none = SwapBlock(0)
}

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
  public mutating func allocate() -> SwapBlock? {
    guard freeCount > 0 else { return nil }
    guard let block = firstFree(from: cursor) ?? firstFree(from: 0) else { return nil }
    clear(block)
    freeCount -= 1
    cursor = block + 1 == blockCount ? 1 : block + 1
    return SwapBlock(block)
  }

  /// Gives a block back. It must be taken.
  public mutating func free(_ block: SwapBlock) {
    precondition(block.raw > 0 && block.raw < blockCount && !isFree(block), "swap block freed twice")
    freeCount += 1
    var bit = UInt64(block.raw)
    for level in 0..<levelCount {
      let place = word(level, bit)
      let old = physical.load(place)
      physical.store(old | 1 << (bit & 63), at: place)
      if old != 0 { break }
      bit >>= 6
    }
  }

  /// Whether a block is free.
  public func isFree(_ block: SwapBlock) -> Bool {
    physical.load(word(0, UInt64(block.raw))) >> (UInt64(block.raw) & 63) & 1 == 1
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
