// The allocator behind Swift objects: pages cut into objects of one size.
//
// Invariants
// - A page with at least one free object is linked in `partial` of its class; a full one is in no list. Of the pages without
//   any object in use, a class keeps at most one.
// - Pages come from the reserve only (the boot arena, then frames that `KernelHeap.ensureReserve` put there), never from the
//   frame allocator: an allocation may happen while that is being changed. An empty reserve is a failed kernel. It cannot
//   happen: an object takes at most one page (only `makeSlab` takes any), and no event makes more objects than there are
//   pages in reserve when it begins (HeapAmount.swift says how that is kept and checked).
// - Large allocations (above `SizeClass.largest`) happen at start only; `LargeAllocation.swift` serves them.

internal import Primitives
internal import RuntimeSupport

/// The classes of sizes: multiples of 16 up to 512, then what divides a page well.
enum SizeClass {
  static let largest = HeapLimits.largestObjectByteCount

  /// The class of an object of this many bytes, and the bytes it takes.
  @inline(__always)
  static func of(_ byteCount: Int) -> (index: Int, byteCount: Int) {
    if byteCount <= 512 {
      let index = (byteCount &+ 15) &>> 4
      return (index, index &<< 4)
    }
    return switch byteCount {
    case ...576: (33, 576)
    case ...672: (34, 672)
    case ...800: (35, 800)
    case ...1008: (36, 1008)
    case ...1344: (37, 1344)
    default: (38, 2032)
    }
  }
}

/// The slab allocator. All its state is in one C structure, so that it exists before anything else does.
@safe
enum SlabAllocator {
  static let pageByteCount = 4096

  /// SAFETY (everything below): the state and the page headers are touched by this file and its neighbours only, by one
  /// processor, with interrupts off; a header stands at the start of every page that an object address can be in.
  @inline(__always)
  static var state: UnsafeMutablePointer<heap_state> { unsafe heap_state_pointer() }

  @inline(__always)
  private static func partial(_ index: Int) -> UnsafeMutablePointer<UnsafeMutablePointer<slab>?> {
    unsafe UnsafeMutableRawPointer(state).assumingMemoryBound(to: UnsafeMutablePointer<slab>?.self) + index
  }

  /// Serves one object of a class.
  @inline(__always)
  static func allocate(_ index: Int, _ size: Int) -> UnsafeMutableRawPointer {
    var head = unsafe partial(index).pointee
    if unsafe head == nil { unsafe head = makeSlab(index, size) }
    let page = unsafe head.unsafelyUnwrapped
    var object = unsafe page.pointee.free
    if object != 0 {
      unsafe page.pointee.free = word(at: object).pointee
    } else {
      let offset = unsafe page.pointee.fresh &- UInt16(truncatingIfNeeded: size)
      unsafe page.pointee.fresh = offset
      object = UInt64(UInt(bitPattern: page)) &+ UInt64(offset)
    }
    let used = unsafe page.pointee.used &+ 1
    unsafe page.pointee.used = used
    if unsafe used == page.pointee.capacity { unsafe unlink(page, index) }
    unsafe state.pointee.allocation_count &+= 1
    unsafe state.pointee.allocated_byte_count &+= UInt64(size)
    return unsafe UnsafeMutableRawPointer(bitPattern: UInt(object)).unsafelyUnwrapped
  }

  /// Takes one object back.
  @inline(__always)
  static func release(_ memory: UnsafeMutableRawPointer) {
    let object = UInt64(UInt(bitPattern: memory))
    let page = unsafe header(of: object)
    let size = unsafe page.pointee.object_byte_count
    let used = unsafe page.pointee.used
    guard size != 0, used != 0 else { return unsafe releaseOther(memory, page) }
    unsafe word(at: object).pointee = page.pointee.free
    unsafe page.pointee.free = object
    unsafe state.pointee.released_byte_count &+= UInt64(size)
    unsafe page.pointee.used = used &- 1
    if unsafe used == page.pointee.capacity || used == 1 { unsafe relink(page) }
  }

  /// A page has its first free object again, or its last object has gone.
  @inline(never)
  private static func relink(_ page: UnsafeMutablePointer<slab>) {
    let index = unsafe SizeClass.of(Int(page.pointee.object_byte_count)).index
    if unsafe page.pointee.used &+ 1 == page.pointee.capacity {
      unsafe link(page, index)
    } else if unsafe page.pointee.next != nil || page.pointee.previous != nil {
      unsafe unlink(page, index)
      putInReserve(UInt64(UInt(bitPattern: page)))
    }
  }

  @inline(never)
  private static func releaseOther(_ memory: UnsafeMutableRawPointer, _ page: UnsafeMutablePointer<slab>) {
    guard unsafe page.pointee.object_byte_count == 0 else { runtime_failed(runtime_failure_heap_misused.rawValue) }
    if unsafe page.pointee.fresh != 0 { return unsafe CheckedSlab.release(memory, page) }
    unsafe LargeAllocation.release(page)
  }

  /// Bytes that the object at an address takes, as the header of its page says.
  static func byteCount(ofObjectAt address: UInt64) -> Int {
    let page = unsafe header(of: address)
    if unsafe page.pointee.object_byte_count == 0 && page.pointee.fresh != 0 {
      return unsafe Int(page.pointee.capacity)
    }
    return unsafe Int(page.pointee.object_byte_count)
  }

  /// Puts the pages without an object in use back into the reserve.
  static func releaseEmptyPages() {
    CheckedSlab.releaseEmptyPages()
    for index in 0..<Int(SLAB_CLASS_COUNT) {
      var next = unsafe partial(index).pointee
      while let page = unsafe next {
        unsafe next = page.pointee.next
        if unsafe page.pointee.used == 0 {
          unsafe unlink(page, index)
          putInReserve(UInt64(UInt(bitPattern: page)))
        }
      }
    }
  }

  @inline(__always)
  private static func header(of object: UInt64) -> UnsafeMutablePointer<slab> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(object & ~4095)).unsafelyUnwrapped
  }

  @inline(__always)
  private static func word(at address: UInt64) -> UnsafeMutablePointer<UInt64> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(address)).unsafelyUnwrapped
  }

  @inline(never)
  private static func makeSlab(_ index: Int, _ size: Int) -> UnsafeMutablePointer<slab> {
    let page = unsafe header(of: takeFromReserve())
    unsafe page.initialize(
      to: slab(
        next: nil, previous: nil, free: 0, fresh: UInt16(pageByteCount), used: 0, object_byte_count: UInt16(size),
        capacity: UInt16((pageByteCount - Int(SLAB_HEADER_BYTE_COUNT)) / size)))
    unsafe link(page, index)
    return unsafe page
  }

  private static func link(_ page: UnsafeMutablePointer<slab>, _ index: Int) {
    let head = unsafe partial(index)
    unsafe page.pointee.next = head.pointee
    unsafe page.pointee.previous = nil
    unsafe head.pointee?.pointee.previous = page
    unsafe head.pointee = page
  }

  @inline(never)
  private static func unlink(_ page: UnsafeMutablePointer<slab>, _ index: Int) {
    if let previous = unsafe page.pointee.previous {
      unsafe previous.pointee.next = page.pointee.next
    } else {
      unsafe partial(index).pointee = page.pointee.next
    }
    unsafe page.pointee.next?.pointee.previous = page.pointee.previous
    unsafe page.pointee.next = nil
    unsafe page.pointee.previous = nil
  }
}

// The reserve.
extension SlabAllocator {
  /// Pages that can be taken without asking anyone.
  static var reservePageCount: Int {
    unsafe Int(state.pointee.reserve_count) + Int(state.pointee.boot_reserve_count) + Int(BOOT_ARENA_PAGE_COUNT)
      - Int(state.pointee.boot_pages_used)
  }

  /// One page of the reserve: a page given back, of the boot arena first, else the next of the boot arena.
  static func takeFromReserve() -> UInt64 {
    let page = unsafe state.pointee.boot_reserve
    if page != 0 {
      unsafe state.pointee.boot_reserve = word(at: page).pointee
      unsafe state.pointee.boot_reserve_count -= 1
      return page
    }
    if let page = takeReservedFrame() { return page }
    let used = unsafe state.pointee.boot_pages_used
    guard used < UInt64(BOOT_ARENA_PAGE_COUNT) else { runtime_failed(runtime_failure_heap_empty.rawValue) }
    unsafe state.pointee.boot_pages_used = used + 1
    return boot_arena_address() + used * UInt64(pageByteCount)
  }

  /// The last page put into the reserve that is not of the boot arena, if there is one.
  static func takeReservedFrame() -> UInt64? {
    let page = unsafe state.pointee.reserve
    guard page != 0 else { return nil }
    unsafe state.pointee.reserve = word(at: page).pointee
    unsafe state.pointee.reserve_count -= 1
    return page
  }

  /// Adds a page that nothing uses.
  static func putInReserve(_ page: UInt64) {
    if isBootPage(page) {
      unsafe word(at: page).pointee = state.pointee.boot_reserve
      unsafe state.pointee.boot_reserve = page
      unsafe state.pointee.boot_reserve_count += 1
      return
    }
    unsafe word(at: page).pointee = state.pointee.reserve
    unsafe state.pointee.reserve = page
    unsafe state.pointee.reserve_count += 1
  }
}

extension SlabAllocator {
  /// Whether a page is of the boot arena, which is no frame that could be given back.
  static func isBootPage(_ page: UInt64) -> Bool {
    let start = boot_arena_address()
    return page >= start && page < start + UInt64(BOOT_ARENA_PAGE_COUNT) * UInt64(pageByteCount)
  }
}

/// What posix_memalign asks for.
@c(martlet_heap_allocate)
func allocate(_ alignment: Int, _ byteCount: Int) -> UnsafeMutableRawPointer {
  if unsafe alignment <= 16 && UInt64(UInt(bitPattern: byteCount &- 1)) < SlabAllocator.state.pointee.quick_limit {
    let index = (byteCount &+ 15) &>> 4
    return unsafe SlabAllocator.allocate(index, index &<< 4)
  }
  return unsafe allocateUnusual(alignment, byteCount)
}

/// Objects that are large, aligned to more than 16, or checked. An object is aligned to the largest power of two that divides its
/// size, because the last one ends where its page ends.
@inline(never)
private func allocateUnusual(_ alignment: Int, _ byteCount: Int) -> UnsafeMutableRawPointer {
  if CheckedSlab.isOn && alignment <= 16 && byteCount <= SizeClass.largest {
    return unsafe CheckedSlab.allocate(byteCount)
  }
  let rounded = alignment <= 16 ? max(byteCount, 1) : (max(byteCount, 1) + alignment - 1) & ~(alignment - 1)
  if rounded <= SizeClass.largest && (alignment <= 16 || rounded <= 512) {
    let (index, size) = SizeClass.of(rounded)
    return unsafe SlabAllocator.allocate(index, size)
  }
  return unsafe LargeAllocation.make(byteCount, alignment)
}

/// What free asks for.
@c(martlet_heap_release)
func release(_ memory: UnsafeMutableRawPointer) {
  unsafe SlabAllocator.release(memory)
}
