// The heap as the portable kernel sees it: it tops up the reserve from the frame allocator between events.
//
// Invariant: every page of the heap outside the boot arena is a frame taken with `allocateKernelFrame`, in the direct map.

public import Memory
public import Primitives
internal import RuntimeSupport

/// The kernel heap.
public final class FrameBackedHeap: KernelHeap {
  /// Pages that one event may need (HeapAmount.swift).
  public static let reserveGoal = HeapLimits.reservePageCount
  /// Pages in the reserve from which on some go back: the boot arena is part of it for as long as it is not used up.
  public static let reserveLimit = 4 * reserveGoal + Int(BOOT_ARENA_PAGE_COUNT)

  /// Pages that go back at a tick of the timer.
  private static let excessPerTick = 256

  private let memory: BackReference<MemorySystem>

  /// Connects the allocator with the frames of `memory`, which holds this object.
  ///
  /// - Parameter directMapBase: the virtual address of physical address 0 in the direct map.
  public init(_ memory: MemorySystem, directMapBase: UInt64) {
    self.memory = BackReference(memory)
    unsafe LargeAllocation.memory = BackReference(memory)
    unsafe LargeAllocation.directMapBase = directMapBase
  }

  /// Fills the reserve up to what one event may need. Returns false when frames for it cannot be had. Where objects died
  /// and left the reserve far too full, some of it goes back.
  public override func ensureReserve() -> Bool {
    let count = SlabAllocator.reservePageCount
    if count > FrameBackedHeap.reserveLimit { giveBack(FrameBackedHeap.reserveGoal) }
    return count >= FrameBackedHeap.reserveGoal && !failsOnPurpose || fill()
  }

  /// Gives back frames of a reserve that is far too full, a bounded number of them: where many objects died in calls that
  /// only release, nothing else does.
  public override func giveBackExcess() { giveBack(FrameBackedHeap.excessPerTick) }

  private func giveBack(_ count: Int) {
    for _ in 0..<count {
      guard SlabAllocator.reservePageCount > FrameBackedHeap.reserveLimit,
        let page = SlabAllocator.takeReservedFrame()
      else { return }
      FrameBackedHeap.giveBack(page)
    }
  }

  @inline(__always)
  private var failsOnPurpose: Bool { memory.instance?.services.failures.isArmed ?? false }

  private func fill() -> Bool {
    guard let memory = memory.instance else { return false }
    if memory.services.isToFail(.heapReserve) { return false }
    while SlabAllocator.reservePageCount < FrameBackedHeap.reserveGoal {
      guard let frame = memory.allocateKernelFrame() else { return false }
      unsafe SlabAllocator.state.pointee.frame_count += 1
      SlabAllocator.putInReserve(unsafe LargeAllocation.directMapBase + frame.address.raw)
    }
    return true
  }

  /// Bytes of live allocations.
  public override var allocatedByteCount: Int {
    unsafe Int(SlabAllocator.state.pointee.allocated_byte_count - SlabAllocator.state.pointee.released_byte_count)
  }
  /// All that was ever allocated.
  public override var totalUse: HeapAmount {
    unsafe HeapAmount(
      objectCount: Int(SlabAllocator.state.pointee.allocation_count),
      byteCount: Int(SlabAllocator.state.pointee.allocated_byte_count))
  }
  /// Bytes that a small object takes.
  public override func byteCount(of object: AnyObject) -> Int? {
    SlabAllocator.byteCount(ofObjectAt: unsafe UInt64(UInt(bitPattern: Unmanaged.passUnretained(object).toOpaque())))
  }
  /// Frames that the heap holds, reserve included; the boot arena is not among them.
  public override var heldFrameCount: Int { unsafe Int(SlabAllocator.state.pointee.frame_count) }

  /// Puts what is allocated from now on between red zones, and poisons what is released (CheckedSlab.swift).
  public static func startChecking() { CheckedSlab.start() }

  /// The address of an object that was written behind its end or after its release, where objects are checked.
  public override var damagedObject: UInt64? { CheckedSlab.firstDamage() ?? LargeAllocation.firstDamage() }

  /// Does what no part of the kernel may do with an object; false: there is no damage of that name.
  public override func plantDamage(_ name: Span<UInt8>) -> Bool {
    let isOverrun = name.spells("heap-overrun") || name.spells("heap-overrun-released")
    let isReleased = !name.spells("heap-overrun")
    guard isOverrun || name.spells("heap-write-released") || name.spells("heap-write-reused") else { return false }
    // SAFETY: none; that is what it is for.
    let object = UnsafeMutableRawPointer.allocate(byteCount: 200, alignment: 16)
    if isOverrun { unsafe object.storeBytes(of: 0, toByteOffset: 201, as: UInt8.self) }
    if isReleased { unsafe object.deallocate() }
    if !isOverrun { unsafe object.storeBytes(of: 0, toByteOffset: 100, as: UInt8.self) }
    if name.spells("heap-write-reused") {
      unsafe UnsafeMutableRawPointer.allocate(byteCount: 200, alignment: 16).deallocate()
    }
    return true
  }

  /// Gives back the frames of the reserve and those that nothing lives in.
  public override func trim() {
    SlabAllocator.releaseEmptyPages()
    while let page = SlabAllocator.takeReservedFrame() { FrameBackedHeap.giveBack(page) }
  }

  /// Returns one page to where it came from.
  static func giveBack(_ page: UInt64) {
    guard !SlabAllocator.isBootPage(page), let memory = unsafe LargeAllocation.memory.instance else {
      return SlabAllocator.putInReserve(page)
    }
    let frame = unsafe PhysicalAddress(page - LargeAllocation.directMapBase).frame
    unsafe SlabAllocator.state.pointee.frame_count -= 1
    memory.freeKernelFrame(frame)
  }
}
