// All swap devices of a machine. Page-out takes them in turn (spec vm.md section 8).
//
// Invariants
// - A device stays known once it is attached, in use or not; its place in the list is its number.
// - `freeCount` counts what page-out can take: the free blocks of devices in use.

public import Primitives

/// The swap devices.
public final class SwapSpace {
  private(set) var pagers: [SwapPager] = []
  /// The device that is asked next.
  private var turn = 0

  init() {}

  /// Enters a device.
  func append(_ pager: SwapPager) { pagers.append(pager) }

  /// Free blocks of devices in use.
  public var freeCount: Int {
    var count = 0
    for pager in pagers where pager.state == .inUse { count += pager.freeCount }
    return count
  }

  /// Blocks of devices in use, taken or not.
  public var usableCount: Int {
    var count = 0
    for pager in pagers where pager.state == .inUse { count += pager.usableCount }
    return count
  }

  /// Blocks that pages use, on whatever devices.
  public var takenCount: Int {
    var count = 0
    for pager in pagers { count += pager.takenCount }
    return count
  }

  /// Whether a block can be had.
  var hasFree: Bool {
    for pager in pagers where pager.state == .inUse && pager.freeCount > 0 { return true }
    return false
  }

  /// The device that a block is on.
  @inline(__always)
  func pager(of block: SwapBlock) -> SwapPager { pagers[block.device] }

  /// The device with this path.
  public func pager(at path: Span<UInt8>) -> SwapPager? {
    for pager in pagers where pager.path.count == path.count {
      var isSame = true
      for index in path.indices where path[index] != pager.path[index] { isSame = false }
      if isSame { return pager }
    }
    return nil
  }

  /// The device whose turn it is of those in use that have a free block; `tried` says, bit by bit, which are left out.
  func nextPager(_ tried: UInt32) -> SwapPager? {
    for offset in 0..<pagers.count {
      let number = (turn + offset) % pagers.count
      let pager = pagers[number]
      if tried & 1 << UInt32(number) == 0 && pager.state == .inUse && pager.freeCount > 0 {
        turn = (number + 1) % pagers.count
        return pager
      }
    }
    return nil
  }

  /// Takes a block.
  func allocate() -> SwapBlock? { nextPager(0)?.allocate(upTo: 1)?.first }

  /// Whether a block is taken.
  public func has(_ block: SwapBlock) -> Bool {
    block != .none && block.device < pagers.count && pagers[block.device].has(block)
  }

  /// Gives a block back that no object owns any more.
  func free(_ block: SwapBlock) { pager(of: block).free(block) }
}

extension MemorySystem {
  /// Makes `device` a swap device that is in use. The memory for its tables is taken now, so that paging out never allocates.
  ///
  /// Returns false when there are as many devices as there may be, the device is too small or too large, or memory for the
  /// tables is lacking.
  ///
  /// - Parameter path: what swapon(2) and swapoff(2) call it.
  public func attachSwap(_ device: any BlockDevice, path: [UInt8] = []) -> Bool {
    let number = swap?.pagers.count ?? 0
    guard number < SwapLimits.devices, let pager = SwapPager.make(device, number: number, path: path, self) else {
      return false
    }
    let space = swap ?? SwapSpace()
    space.append(pager)
    swap = space
    startSwap(pager)
    return true
  }

  /// Makes a store of compressed pages a swap device; the same as for others. There is one at most.
  public func attachCompressedSwap(blockCount: UInt32, path: [UInt8] = []) -> Bool {
    guard compressedStore == nil, blockCount > 1, blockCount <= SwapBlock.countLimit,
      let store = CompressedStore.make(blockCount, self)
    else { return false }
    // As many devices as there may be, or too little memory: the machine starts without it, and without what it has taken.
    guard attachSwap(store, path: path) else { return false }
    compressedStore = store
    return true
  }

  func freeSwapBlock(_ block: SwapBlock) {
    releaseCount &+= 1
    guard let swap else { return }
    swap.free(block)
    // A page that others refuse may go to a device that takes all and has room again.
    if !queues.unswappable.isEmpty && !swap.pager(of: block).device.takesMemory { queues.unswappableRetryCount += 1 }
  }

  /// Notes that a swap block holds a page of an object.
  func setSwapOwner(of block: SwapBlock, _ object: VMObject, _ index: UInt64) {
    swap?.pager(of: block).setOwner(of: block, SwapOwner(owner: OwnerReference(object), index: index))
  }

  /// Notes that a swap block is nobody's but a transfer's.
  func noteOrphan(_ frame: FrameNumber, of block: SwapBlock) {
    swap?.pager(of: block).setOwner(of: block, SwapOwner(index: UInt64(frame.raw)))
  }

  /// Swap devices in use: `vm.nswapdev`.
  public var swapDeviceCount: Int { swap?.pagers.count { $0.state == .inUse } ?? 0 }

  /// One of the swap devices in use, of those that are being emptied too, counted from 0.
  public func usedSwapDevice(_ place: UInt32) -> SwapPager? {
    guard let swap else { return nil }
    var left = place
    for pager in swap.pagers where pager.state != .off {
      if left == 0 { return pager }
      left -= 1
    }
    return nil
  }

  /// Swap blocks that pages use.
  public var usedSwapBlockCount: Int { swap?.takenCount ?? 0 }

  /// Sets `vm.overcommit` (spec shm.md 2.6).
  public func setOvercommit(_ value: UInt32) { accounting.overcommit = value }

  /// Takes contiguous frames for the machine, of which those that make a power of two of them are given back.
  func allocateKernelFrames(_ count: Int) -> FrameNumber? {
    var order = 0
    while 1 << order < count { order += 1 }
    guard order <= BuddyAllocator.maximumOrder, let block = allocateKernelBlock(order: order) else { return nil }
    freeKernelFrames(FrameNumber(block.raw + UInt32(count)), count: 1 << order - count)
    return block
  }

  /// Gives back contiguous frames one by one.
  func freeKernelFrames(_ first: FrameNumber, count: Int) {
    for offset in 0..<UInt32(count) { freeKernelFrame(FrameNumber(first.raw + offset)) }
  }
}
