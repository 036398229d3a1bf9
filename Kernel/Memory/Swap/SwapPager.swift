// One swap device: its blocks, who owns each, and the transfers to and from it (spec vm.md section 8).
//
// Invariants
// - A block of the device is free, or named by one entry of one object's index, or by one frame's record.
// - The owner table says, of every block that an object owns, in which object and at which index; of a block whose transfer is
//   under way for nobody any more, no object and its frame; of a free one nothing. So swapoff(2) finds every
//   page by its block, whoever holds the object.
// - Nothing allocates after `make` but the device itself, which says what it does about that.

import Primitives

/// Whose page is in a swap block.
struct SwapOwner: BitwiseCopyable {
  var owner = OwnerReference()
  /// Which page of it; without an owner the frame that a device still uses, or 0.
  var index: UInt64 = 0
}

/// What is done with a swap device.
public enum SwapState: Sendable {
  /// Pages go to it.
  case inUse
  /// What is on it is being brought back.
  case closing
  /// It is known, but not used.
  case off
}

/// A swap device and what is kept about its blocks.
public final class SwapPager {
  /// The device.
  let device: any BlockDevice
  /// Which one it is of its swap space.
  public let number: Int
  /// Its path, as swapon(2) and swapoff(2) name it.
  public let path: [UInt8]
  /// What is done with it.
  public internal(set) var state = SwapState.off
  private var blocks: SwapBlockAllocator
  private let owners: PhysicalTable<SwapOwner>

  private init(
    _ device: any BlockDevice, number: Int, path: [UInt8], _ blocks: SwapBlockAllocator,
    _ owners: PhysicalTable<SwapOwner>
  ) {
    self.device = device
    self.number = number
    self.path = path
    self.blocks = blocks
    self.owners = owners
  }

  /// Takes the memory for what is kept about a device's blocks; nil when there is too little, or the device too small or large.
  static func make(_ device: any BlockDevice, number: Int, path: [UInt8], _ system: MemorySystem) -> SwapPager? {
    guard device.blockCount > 1, device.blockCount <= SwapBlock.countLimit else { return nil }
    let bitmapCount = Int(Page.count(covering: SwapBlockAllocator.byteCount(blockCount: device.blockCount)))
    guard let bitmap = system.allocateKernelFrames(bitmapCount) else { return nil }
    guard let owners = PhysicalTable<SwapOwner>.make(device.blockCount, system) else {
      system.freeKernelFrames(bitmap, count: bitmapCount)
      return nil
    }
    let blocks = SwapBlockAllocator(system.physical, at: bitmap.address, blockCount: device.blockCount)
    return SwapPager(device, number: number, path: path, blocks, owners)
  }

  /// The size of the device in blocks, those included that no page can use.
  public var blockCount: UInt32 { device.blockCount }
  /// Blocks that no page uses.
  public var freeCount: Int { Int(blocks.freeCount) }
  /// Blocks that pages can use.
  public var usableCount: Int { Int(blocks.usableCount) }
  /// Blocks that pages use.
  public var takenCount: Int { usableCount - freeCount }

  /// Starts reading consecutive blocks.
  func get(_ block: SwapBlock, into frames: Span<FrameNumber>) -> TransferStatus {
    device.transfer(.read, block: block.number, frames: frames)
  }

  /// Starts writing consecutive blocks.
  func put(_ frames: Span<FrameNumber>, to block: SwapBlock) -> TransferStatus {
    device.transfer(.write, block: block.number, frames: frames)
  }

  /// Takes consecutive blocks, at most `limit`.
  func allocate(upTo limit: Int) -> SwapRun? {
    guard let run = blocks.allocateRun(upTo: limit) else { return nil }
    return SwapRun(first: SwapBlock(device: number, run.first), count: run.count)
  }

  /// Whether the block is taken.
  public func has(_ block: SwapBlock) -> Bool { block.number < device.blockCount && !blocks.isFree(block.number) }

  /// Gives a block back that no object owns any more.
  func free(_ block: SwapBlock) {
    setOwner(of: block, SwapOwner())
    blocks.free(block.number)
    device.discard(block: block.number)
  }

  /// The first taken block from a number on, looked for in at most so many words of the bitmap.
  func nextTaken(from start: UInt32, wordLimit: Int) -> (block: SwapBlock?, next: UInt32) {
    let found = blocks.nextTaken(from: start, wordLimit: wordLimit)
    return (found.block.map { SwapBlock(device: number, $0) }, found.next)
  }

  /// Whose page a block holds.
  func owner(of block: SwapBlock) -> SwapOwner { owners[block.number] }

  /// Notes whose page a block holds.
  func setOwner(of block: SwapBlock, _ owner: SwapOwner) { owners[block.number] = owner }
}
