// The heap as the portable kernel sees it: it tops up the reserve from the frame allocator between events.
//
// Invariant: every page of the heap outside the boot arena is a frame taken with `allocateKernelFrame`, in the direct map.

public import Memory
internal import RuntimeSupport

/// The kernel heap.
public final class FrameBackedHeap: KernelHeap {
  /// Pages that one event may need: one for each size class that an event allocates from, with a margin.
  public static let reserveGoal = 16

  private let memory: BackReference<MemorySystem>

  /// Connects the allocator with the frames of `memory`, which holds this object.
  ///
  /// - Parameter directMapBase: the virtual address of physical address 0 in the direct map.
  public init(_ memory: MemorySystem, directMapBase: UInt64) {
    self.memory = BackReference(memory)
    unsafe LargeAllocation.memory = BackReference(memory)
    unsafe LargeAllocation.directMapBase = directMapBase
  }

  /// Fills the reserve up to what one event may need. Returns false when frames for it cannot be had.
  public func ensureReserve() -> Bool {
    SlabAllocator.reservePageCount >= FrameBackedHeap.reserveGoal && !failsOnPurpose || fill()
  }

  @inline(__always)
  private var failsOnPurpose: Bool { memory.instance?.failures.isArmed ?? false }

  private func fill() -> Bool {
    guard let memory = memory.instance else { return false }
    if memory.failures.isArmed && memory.failures.shouldFail(.heapReserve) { return false }
    while SlabAllocator.reservePageCount < FrameBackedHeap.reserveGoal {
      guard let frame = memory.allocateKernelFrame() else { return false }
      unsafe SlabAllocator.state.pointee.frame_count += 1
      SlabAllocator.putInReserve(unsafe LargeAllocation.directMapBase + frame.address.raw)
    }
    return true
  }

  /// Bytes of live allocations.
  public var allocatedByteCount: Int { unsafe Int(SlabAllocator.state.pointee.allocated_byte_count) }
  /// Frames that the heap holds, reserve included; the boot arena is not among them.
  public var heldFrameCount: Int { unsafe Int(SlabAllocator.state.pointee.frame_count) }

  /// Gives back the frames of the reserve and those that nothing lives in.
  public func trim() {
    SlabAllocator.releaseEmptyPages()
    var kept: UInt64?
    while let page = SlabAllocator.takeListedPage() {
      guard FrameBackedHeap.isBootPage(page) else {
        FrameBackedHeap.giveBack(page)
        continue
      }
      // Pages of the boot arena stay: they are chained aside and put back below.
      unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(page)).unsafelyUnwrapped.pointee = kept ?? 0
      kept = page
    }
    while let page = kept, page != 0 {
      kept = unsafe UnsafeMutablePointer<UInt64>(bitPattern: UInt(page)).unsafelyUnwrapped.pointee
      SlabAllocator.putInReserve(page)
    }
  }

  private static func isBootPage(_ page: UInt64) -> Bool {
    let start = boot_arena_address()
    return page >= start && page < start + UInt64(BOOT_ARENA_PAGE_COUNT) * UInt64(SlabAllocator.pageByteCount)
  }

  /// Returns one page to where it came from.
  static func giveBack(_ page: UInt64) {
    guard !isBootPage(page), let memory = unsafe LargeAllocation.memory.instance else {
      return SlabAllocator.putInReserve(page)
    }
    let frame = unsafe PhysicalAddress(page - LargeAllocation.directMapBase).frame
    unsafe SlabAllocator.state.pointee.frame_count -= 1
    memory.freeKernelFrame(frame)
  }
}
