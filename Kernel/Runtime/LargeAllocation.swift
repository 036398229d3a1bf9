// Allocations of more than half a page: whole, contiguous pages behind a header. They happen at start only (arrays of fixed
// size), so they may ask the frame allocator directly; before it exists they take from the boot arena.
//
// Where objects are checked, a red zone stands behind each up to the end of its last page.

internal import Memory
internal import Primitives
internal import RuntimeSupport

@safe
enum LargeAllocation {
  /// The frame allocator, once it exists. Set by `FrameBackedHeap`, which lives as long as the kernel.
  nonisolated(unsafe) static var memory = BackReference<MemorySystem>()
  /// Virtual address of physical address 0 in the direct map.
  nonisolated(unsafe) static var directMapBase: UInt64 = 0

  private static let maximumAlignment = 16

  static func make(_ byteCount: Int, _ alignment: Int) -> UnsafeMutableRawPointer {
    let total = byteCount + Int(SLAB_HEADER_BYTE_COUNT) + (CheckedSlab.isOn ? redZoneByteCount : 0)
    let pageCount = (total + SlabAllocator.pageByteCount - 1) / SlabAllocator.pageByteCount
    guard alignment <= maximumAlignment, pageCount <= Int(UInt16.max), let start = pages(pageCount) else {
      runtime_failed(runtime_failure_heap_size.rawValue)
    }
    // SAFETY: the pages were taken for this allocation alone.
    let page = unsafe UnsafeMutablePointer<slab>(bitPattern: UInt(start)).unsafelyUnwrapped
    unsafe page.initialize(
      to: slab(
        next: nil, previous: nil, free: 0, fresh: 0, used: 0, object_byte_count: 0, capacity: UInt16(pageCount)))
    if CheckedSlab.isOn { unsafe beginChecks(page, byteCount) }
    unsafe SlabAllocator.state.pointee.allocation_count += 1
    unsafe SlabAllocator.state.pointee.allocated_byte_count += UInt64(pageCount * SlabAllocator.pageByteCount)
    return unsafe UnsafeMutableRawPointer(page) + Int(SLAB_HEADER_BYTE_COUNT)
  }

  static func release(_ page: UnsafeMutablePointer<slab>) {
    if unsafe page.pointee.free != 0 { unsafe endChecks(page) }
    let pageCount = unsafe Int(page.pointee.capacity)
    let start = UInt64(UInt(bitPattern: page))
    unsafe SlabAllocator.state.pointee.released_byte_count += UInt64(pageCount * SlabAllocator.pageByteCount)
    for index in 0..<pageCount {
      FrameBackedHeap.giveBack(start + UInt64(index * SlabAllocator.pageByteCount))
    }
  }

  /// Contiguous pages. A power of two is taken from the frame allocator and the rest given back.
  private static func pages(_ count: Int) -> UInt64? {
    guard let memory = unsafe memory.instance else { return bootPages(count) }
    var order = 0
    while 1 << order < count { order += 1 }
    guard let first = memory.allocateKernelBlock(order: order) else { return nil }
    for index in count..<max(count, 1 << order) { memory.freeKernelFrame(FrameNumber(first.raw + UInt32(index))) }
    unsafe SlabAllocator.state.pointee.frame_count += UInt64(count)
    return unsafe directMapBase + first.address.raw
  }

  private static func bootPages(_ count: Int) -> UInt64? {
    let used = unsafe Int(SlabAllocator.state.pointee.boot_pages_used)
    guard used + count <= Int(BOOT_ARENA_PAGE_COUNT) else { return nil }
    unsafe SlabAllocator.state.pointee.boot_pages_used += UInt64(count)
    return boot_arena_address() + UInt64(used * SlabAllocator.pageByteCount)
  }

  // MARK: Checks

  private static let redZoneByteCount = 16
  private static let redZone: UInt8 = 0xFD

  private static func beginChecks(_ page: UnsafeMutablePointer<slab>, _ byteCount: Int) {
    unsafe page.pointee.free = UInt64(byteCount)
    unsafe page.pointee.next = SlabAllocator.state.pointee.large
    unsafe page.pointee.next?.pointee.previous = page
    unsafe SlabAllocator.state.pointee.large = page
    let zone = unsafe redZone(of: page)
    unsafe zone.update(repeating: redZone)
  }

  private static func endChecks(_ page: UnsafeMutablePointer<slab>) {
    if unsafe !isWhole(page) { runtime_failed(runtime_failure_heap_overrun.rawValue) }
    if let previous = unsafe page.pointee.previous {
      unsafe previous.pointee.next = page.pointee.next
    } else {
      unsafe SlabAllocator.state.pointee.large = page.pointee.next
    }
    unsafe page.pointee.next?.pointee.previous = page.pointee.previous
  }

  private static func redZone(of page: UnsafeMutablePointer<slab>) -> UnsafeMutableBufferPointer<UInt8> {
    let start = unsafe Int(SLAB_HEADER_BYTE_COUNT) + Int(page.pointee.free)
    let end = unsafe Int(page.pointee.capacity) * SlabAllocator.pageByteCount
    // SAFETY: the bytes behind what was asked for, to the end of the last page.
    let bytes = unsafe (UnsafeMutableRawPointer(page) + start).assumingMemoryBound(to: UInt8.self)
    return unsafe UnsafeMutableBufferPointer(start: bytes, count: end - start)
  }

  private static func isWhole(_ page: UnsafeMutablePointer<slab>) -> Bool {
    let zone = unsafe redZone(of: page)
    for index in 0..<zone.count where unsafe zone[index] != redZone { return false }
    return true
  }

  /// The first checked allocation behind whose end something was written.
  static func firstDamage() -> UInt64? {
    var next = unsafe SlabAllocator.state.pointee.large
    while let page = unsafe next {
      if unsafe !isWhole(page) { return UInt64(UInt(bitPattern: page)) + UInt64(SLAB_HEADER_BYTE_COUNT) }
      unsafe next = page.pointee.next
    }
    return nil
  }
}
