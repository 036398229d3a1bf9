// The swap pager: moves pages between frames and the blocks of a device (spec vm.md section 8).
//
// Invariants
// - A swap block is free, or named by one entry of one object's index, or by one frame's record.
// - A frame with `.busy` belongs to the device until `transferCompleted`; its object neither frees nor maps it.
// - Paging out allocates nothing but the block: the index entry of the page is replaced in place.

public import Primitives

/// Where absent pages come from and evicted ones go.
public protocol Pager: AnyObject {
  /// Starts reading a page.
  func get(_ block: SwapBlock, into frame: FrameNumber) -> TransferStatus
  /// Starts writing a page.
  func put(_ frame: FrameNumber, to block: SwapBlock) -> TransferStatus
  /// Takes a block.
  func allocate() -> SwapBlock?
  /// Whether the block holds a page.
  func has(_ block: SwapBlock) -> Bool
  /// Gives a block back.
  func free(_ block: SwapBlock)
}

/// A pager on one block device.
public final class SwapPager: Pager {
  private let device: any BlockDevice
  private var blocks: SwapBlockAllocator

  init(_ device: any BlockDevice, _ blocks: SwapBlockAllocator) {
    self.device = device
    self.blocks = blocks
  }

  /// Blocks that no page uses.
  public var freeCount: Int { Int(blocks.freeCount) }
  /// Blocks that pages can use.
  public var usableCount: Int { Int(blocks.usableCount) }

  /// Starts reading a page.
  public func get(_ block: SwapBlock, into frame: FrameNumber) -> TransferStatus {
    device.transfer(.read, block: block.raw, frame: frame)
  }

  /// Starts writing a page.
  public func put(_ frame: FrameNumber, to block: SwapBlock) -> TransferStatus {
    device.transfer(.write, block: block.raw, frame: frame)
  }

  /// Takes a block.
  public func allocate() -> SwapBlock? { blocks.allocate() }
  /// Whether the block is taken.
  public func has(_ block: SwapBlock) -> Bool { !blocks.isFree(block) }
  /// Gives a block back.
  public func free(_ block: SwapBlock) { blocks.free(block) }
}

extension MemorySystem {
  /// Makes `device` the swap device. Its bitmap's memory is taken now, so that paging out never allocates.
  ///
  /// Returns false when there is a swap device already, the device is too small, or memory for the bitmap is lacking.
  public func attachSwap(_ device: any BlockDevice) -> Bool {
    guard swap == nil, device.blockCount > 1 else { return false }
    let byteCount = SwapBlockAllocator.byteCount(blockCount: device.blockCount)
    let pages = Page.count(covering: byteCount)
    var order = 0
    while UInt64(1) << UInt64(order) < pages { order += 1 }
    guard order <= BuddyAllocator.maximumOrder, let block = allocateKernelBlock(order: order) else { return false }
    let blocks = SwapBlockAllocator(physical, at: block.address, blockCount: device.blockCount)
    swap = SwapPager(device, blocks)
    accounting.swapTotal = UInt64(blocks.usableCount)
    return true
  }

  func freeSwapBlock(_ block: SwapBlock) {
    releaseCount &+= 1
    swap?.free(block)
  }

  func startTransfer(_ direction: TransferDirection, _ block: SwapBlock, _ frame: FrameNumber) -> TransferStatus {
    guard let swap else { return .failed }
    if services.failures.isArmed
      && (services.isToFail(.transfer) || services.isToFail(direction == .read ? .transferRead : .transferWrite))
    {
      return .failed
    }
    return direction == .read ? swap.get(block, into: frame) : swap.put(frame, to: block)
  }

  /// Whether a transfer is under way, even one whose page is gone.
  @inline(__always)
  public var hasTransfers: Bool { queues.pendingReadCount + queues.pendingWriteCount > 0 }

  /// The device's word that the transfer of `frame` is over.
  public func transferCompleted(_ frame: FrameNumber, succeeded: Bool) {
    let record = frames[frame]
    releaseCount &+= 1
    precondition(record.flags.contains(.busy))
    frames[frame].flags.remove([.busy, .writing])
    let wasWriting = record.flags.contains(.writing)
    if wasWriting { queues.pendingWriteCount -= 1 } else { queues.pendingReadCount -= 1 }
    if record.state == .orphan {
      if record.swapBlock != .none { freeSwapBlock(record.swapBlock) }
      frames[frame].swapBlock = .none
      free(frame)
    } else if wasWriting {
      pageOutCompleted(frame, succeeded: succeeded)
    } else if succeeded {
      counters.swapPagesIn += 1
      queues.append(frame, to: .active, frames)
    } else {
      frames[frame].flags.insert(.failed)
    }
    if record.waiterCount > 0 { wake(.page(frame)) }
  }
}

extension MemorySystem {
  /// Swap blocks in use.
  public var usedSwapBlockCount: Int {
    guard let swap else { return 0 }
    return swap.usableCount - swap.freeCount
  }

  /// Sets `vm.overcommit` (spec shm.md 2.6).
  public func setOvercommit(_ value: UInt32) { accounting.overcommit = value }
}
