// The heap under watch (kernel option `inspect`): every object stands between red zones, and what was released is poisoned. Both
// are looked at when an object is released or handed out again, which panics, and by the inspection of the whole kernel.
//
// Checked pages are pages of their own beside the ordinary ones, with room for fewer objects. They count the same bytes: what an
// object takes is what an unwatched heap would take for it, so that declarations and inspections compare the same numbers.
//
// Invariants
// - A checked page has `object_byte_count` 0 and `fresh` not 0; `capacity` holds the bytes of its class. It is in the list of
//   its class of pages with room, or in that of full ones.
// - From `fresh` on, the page is filled with slots. Their first word says, mixed with their address, whether they are live or
//   released. The second word of a live one is the number of bytes asked for, and everything from there to the slot's end is
//   red zone; that of a released one is the next released one, and everything between is poison.
// - Objects that want to be aligned to more than 16 bytes are not checked.

internal import Memory
internal import Primitives
internal import RuntimeSupport

@safe
enum CheckedSlab {
  private static let headByteCount = 16
  private static let tailByteCount = 16
  private static let liveMark: UInt64 = 0x6D61_7274_6C65_7401
  private static let releasedMark: UInt64 = 0x6D61_7274_6C65_7402
  private static let redZone: UInt8 = 0xFD
  private static let poison: UInt8 = 0xDB

  /// From now on new objects are checked.
  static func start() { unsafe SlabAllocator.state.pointee.quick_limit = 0 }

  static var isOn: Bool { unsafe SlabAllocator.state.pointee.quick_limit == 0 }

  // SAFETY (everything below): as in SlabAllocator.swift; a slot is inside its page because `fresh` and the size of its class
  // say where slots are.
  private typealias Page = UnsafeMutablePointer<slab>

  private static func lists(_ isFull: Bool) -> UnsafeMutablePointer<UnsafeMutablePointer<slab>?> {
    unsafe isFull ? checked_full_pages() : checked_pages()
  }

  private static func slotByteCount(_ page: Page) -> Int {
    unsafe Int(page.pointee.capacity) + headByteCount + tailByteCount
  }

  private static func slotCount(_ page: Page) -> Int {
    unsafe (SlabAllocator.pageByteCount - Int(SLAB_HEADER_BYTE_COUNT)) / slotByteCount(page)
  }

  private static func index(of page: Page) -> Int { unsafe SizeClass.of(Int(page.pointee.capacity)).index }

  private static func word(_ slot: UInt64, _ number: UInt64) -> UnsafeMutablePointer<UInt64> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(slot + 8 * number)).unsafelyUnwrapped
  }

  private static func bytes(_ slot: UInt64) -> UnsafeMutablePointer<UInt8> {
    unsafe UnsafeMutablePointer(bitPattern: UInt(slot) + UInt(headByteCount)).unsafelyUnwrapped
  }

  // MARK: Objects

  /// Serves an object that is aligned to 16 bytes.
  static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    let (index, size) = SizeClass.of(max(byteCount, 1))
    let page = unsafe lists(false)[index] ?? makePage(index, size)
    var slot = unsafe page.pointee.free
    if slot != 0 {
      if unsafe !isWhole(slot, in: page) { runtime_failed(runtime_failure_heap_used_after_release.rawValue) }
      unsafe page.pointee.free = word(slot, 1).pointee
    } else {
      unsafe page.pointee.fresh -= UInt16(slotByteCount(page))
      slot = unsafe UInt64(UInt(bitPattern: page)) + UInt64(page.pointee.fresh)
      unsafe fill(slot, in: page, from: 0, with: poison)
    }
    unsafe word(slot, 0).pointee = liveMark ^ slot
    unsafe word(slot, 1).pointee = UInt64(byteCount)
    unsafe fill(slot, in: page, from: byteCount, with: redZone)
    unsafe page.pointee.used += 1
    if unsafe Int(page.pointee.used) == slotCount(page) { unsafe move(page, index, toFull: true) }
    unsafe SlabAllocator.state.pointee.allocation_count += 1
    unsafe SlabAllocator.state.pointee.allocated_byte_count += UInt64(size)
    return unsafe UnsafeMutableRawPointer(bytes(slot))
  }

  /// Takes back an object of a checked page.
  static func release(_ memory: UnsafeMutableRawPointer, _ page: UnsafeMutablePointer<slab>) {
    let slot = UInt64(UInt(bitPattern: memory)) - UInt64(headByteCount)
    guard unsafe word(slot, 0).pointee == liveMark ^ slot else {
      runtime_failed(runtime_failure_heap_misused.rawValue)
    }
    if unsafe !isWhole(slot, in: page) { runtime_failed(runtime_failure_heap_overrun.rawValue) }
    unsafe fill(slot, in: page, from: 0, with: poison)
    unsafe word(slot, 0).pointee = releasedMark ^ slot
    unsafe word(slot, 1).pointee = page.pointee.free
    unsafe page.pointee.free = slot
    unsafe SlabAllocator.state.pointee.released_byte_count += UInt64(page.pointee.capacity)
    let index = unsafe CheckedSlab.index(of: page)
    if unsafe Int(page.pointee.used) == slotCount(page) { unsafe move(page, index, toFull: false) }
    unsafe page.pointee.used -= 1
    guard unsafe page.pointee.used == 0, unsafe page.pointee.next != nil || page.pointee.previous != nil else { return }
    unsafe giveBack(page, index)
  }

  private static func fill(_ slot: UInt64, in page: Page, from start: Int, with byte: UInt8) {
    let count = unsafe Int(page.pointee.capacity) + tailByteCount - start
    unsafe (bytes(slot) + start).update(repeating: byte, count: count)
  }

  /// Whether the red zone of a live slot, or the poison of a released one, is as it was left.
  private static func isWhole(_ slot: UInt64, in page: Page) -> Bool {
    let mark = unsafe word(slot, 0).pointee ^ slot
    guard mark == liveMark || mark == releasedMark else { return false }
    let start = mark == liveMark ? unsafe Int(word(slot, 1).pointee) : 0
    let end = unsafe Int(page.pointee.capacity) + tailByteCount
    guard start <= end - tailByteCount else { return false }
    let expected = mark == liveMark ? redZone : poison
    for index in start..<end where unsafe bytes(slot)[index] != expected { return false }
    return true
  }

  /// The first object whose surroundings, or whose remains, were written to.
  static func firstDamage() -> UInt64? {
    for index in 0..<Int(SLAB_CLASS_COUNT) {
      for isFull in [false, true] {
        var next = unsafe lists(isFull)[index]
        while let page = unsafe next {
          if let slot = unsafe firstDamage(in: page) { return slot + UInt64(headByteCount) }
          unsafe next = page.pointee.next
        }
      }
    }
    return nil
  }

  private static func firstDamage(in page: UnsafeMutablePointer<slab>) -> UInt64? {
    var offset = unsafe Int(page.pointee.fresh)
    while offset < SlabAllocator.pageByteCount {
      let slot = UInt64(UInt(bitPattern: page)) + UInt64(offset)
      if unsafe !isWhole(slot, in: page) { return slot }
      offset += unsafe slotByteCount(page)
    }
    return nil
  }

  // MARK: Pages

  private static func makePage(_ index: Int, _ size: Int) -> UnsafeMutablePointer<slab> {
    let page = unsafe UnsafeMutablePointer<slab>(bitPattern: UInt(SlabAllocator.takeFromReserve())).unsafelyUnwrapped
    unsafe page.initialize(
      to: slab(
        next: nil, previous: nil, free: 0, fresh: UInt16(SlabAllocator.pageByteCount), used: 0, object_byte_count: 0,
        capacity: UInt16(size)))
    unsafe link(page, lists(false) + index)
    return unsafe page
  }

  private static func move(_ page: UnsafeMutablePointer<slab>, _ index: Int, toFull isFull: Bool) {
    unsafe unlink(page, lists(!isFull) + index)
    unsafe link(page, lists(isFull) + index)
  }

  private static func giveBack(_ page: UnsafeMutablePointer<slab>, _ index: Int) {
    unsafe unlink(page, lists(false) + index)
    SlabAllocator.putInReserve(UInt64(UInt(bitPattern: page)))
  }

  private static func link(
    _ page: UnsafeMutablePointer<slab>, _ head: UnsafeMutablePointer<UnsafeMutablePointer<slab>?>
  ) {
    unsafe page.pointee.next = head.pointee
    unsafe page.pointee.previous = nil
    unsafe head.pointee?.pointee.previous = page
    unsafe head.pointee = page
  }

  private static func unlink(
    _ page: UnsafeMutablePointer<slab>, _ head: UnsafeMutablePointer<UnsafeMutablePointer<slab>?>
  ) {
    if let previous = unsafe page.pointee.previous {
      unsafe previous.pointee.next = page.pointee.next
    } else {
      unsafe head.pointee = page.pointee.next
    }
    unsafe page.pointee.next?.pointee.previous = page.pointee.previous
    unsafe page.pointee.next = nil
    unsafe page.pointee.previous = nil
  }

  /// Puts the pages without an object in use back into the reserve.
  static func releaseEmptyPages() {
    for index in 0..<Int(SLAB_CLASS_COUNT) {
      var next = unsafe lists(false)[index]
      while let page = unsafe next {
        unsafe next = page.pointee.next
        if unsafe page.pointee.used == 0 { unsafe giveBack(page, index) }
      }
    }
  }
}
