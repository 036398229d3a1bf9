// Fixed-size records in physical frames, made and released without the heap, so that running out is an ordinary answer.
//
// Invariants
// - A frame of the pool has `capacity` slots of `slotByteCount` bytes; `count` are in use, the free ones form a list by
//   slot number (`firstFree`, then the first two bytes of each free slot), ended by `capacity`.
// - Frames with a free slot are linked in `partial`; of frames with no slot in use at most one is kept.
// - A handle is the slot's physical address divided by 16; 0 stands for none. In host builds it says in its upper bits which
//   of the records that the slot has had it means, and one that means another than the slot has traps (SlotGenerations.swift).

public import Primitives

/// Names a record of a pool. Only the pool makes handles; none of them owns anything.
public struct Handle<Element: ~Copyable>: Equatable, BitwiseCopyable, Sendable {
  /// The record's physical address divided by 16, or 0; in host builds with the generation of its slot.
  public let raw: UInt32

  @inline(__always)
  init(raw: UInt32) {
    self.raw = raw
  }

  /// Names no record.
  @inline(__always)
  public static var none: Handle { Handle(raw: 0) }
  /// Whether this names no record.
  @inline(__always)
  public var isNone: Bool { raw == 0 }
  /// Where the record lies.
  @inline(__always)
  public var address: PhysicalAddress { PhysicalAddress(UInt64(raw & SlotGenerations.addressMask) << 4) }
}

/// A record that is reached without asking its pool, for records that every event uses.
///
/// Invariant: whoever keeps one gives it up before the record is released. Host builds trap where one is used that was kept
/// longer.
@safe
public struct PinnedRecord<Element: ~Copyable>: BitwiseCopyable {
  private let pointer: UnsafeMutablePointer<Element>
  #if !hasFeature(Embedded)
    private let generation: SlotGenerations.Seen
  #endif

  @inline(__always)
  fileprivate init(_ pointer: UnsafeMutablePointer<Element>, _ generation: SlotGenerations.Seen) {
    unsafe self.pointer = pointer
    #if !hasFeature(Embedded)
      self.generation = generation
    #endif
  }

  @inline(__always)
  private var seen: SlotGenerations.Seen {
    #if hasFeature(Embedded)
      SlotGenerations.Seen()
    #else
      generation
    #endif
  }

  /// The record. SAFETY: by the invariant it exists, and a record stays where it is.
  @inline(__always)
  public var value: Element {
    @inline(__always)
    unsafeAddress {
      seen.check()
      return unsafe UnsafePointer(pointer)
    }
    @inline(__always)
    nonmutating unsafeMutableAddress {
      seen.check()
      return unsafe pointer
    }
  }

  /// A part of the record that begins at an offset and has the layout of `Part`.
  @inline(__always)
  public func part<Part: BitwiseCopyable>(_ type: Part.Type, atByteOffset offset: Int) -> PinnedRecord<Part> {
    precondition(offset >= 0 && offset + MemoryLayout<Part>.size <= MemoryLayout<Element>.size)
    // SAFETY: it lies inside the record.
    return unsafe PinnedRecord<Part>(
      (UnsafeMutableRawPointer(pointer) + offset).assumingMemoryBound(to: Part.self), seen)
  }
}

/// A pool of records of one type.
public final class Pool<Element: ~Copyable> {
  private let slotByteCount: Int
  private let capacity: Int
  private let physical: PhysicalMemory
  private let point: FailurePoint
  private let generations: SlotGenerations
  private var partial = FrameList()
  private var emptyCount = 0
  /// Records in use.
  public private(set) var count = 0
  /// Frames held.
  public private(set) var frameCount = 0

  /// Makes an empty pool.
  ///
  /// - Parameters:
  ///   - point: what is said to fail when a record is to fail on demand.
  ///   - alignment: of the records, a power of two from 16 to 4096.
  public init(_ physical: PhysicalMemory, _ point: FailurePoint, alignment: Int = 16) {
    self.point = point
    generations = SlotGenerations(physical)
    let stride = MemoryLayout<Element>.stride
    slotByteCount = (max(stride, 16) + alignment - 1) & ~(alignment - 1)
    capacity = 4096 / slotByteCount
    self.physical = physical
    precondition(capacity > 0 && MemoryLayout<Element>.alignment <= alignment)
  }

  /// SAFETY: handles are made by this pool only, so the address is that of an initialised record of this type, as long as
  /// the record was not released, which host builds verify.
  @inline(__always)
  private func pointer(_ handle: Handle<Element>) -> UnsafeMutablePointer<Element> {
    precondition(handle.raw != 0)
    generations.check(handle.raw)
    return unsafe physical.unsafePointer(to: handle.address, byteCount: 16).assumingMemoryBound(to: Element.self)
  }

  /// The record.
  public subscript(handle: Handle<Element>) -> Element {
    @inline(__always)
    unsafeAddress { unsafe UnsafePointer(pointer(handle)) }
    @inline(__always)
    unsafeMutableAddress { unsafe pointer(handle) }
  }

  /// The record, to be reached often.
  @inline(__always)
  public func pin(_ handle: Handle<Element>) -> PinnedRecord<Element> {
    unsafe PinnedRecord(pointer(handle), generations.seen(handle.raw))
  }

  /// Makes a record, or gives nil when no frame is to be had.
  ///
  /// - Parameter priority: whether the kernel's own reserve may be used.
  @inline(__always)
  public func allocate(
    _ value: consuming Element, _ system: MemorySystem, _ priority: AllocationPriority = .normal
  ) -> Handle<Element>? {
    guard let handle = takeSlot(system, priority) else { return nil }
    // SAFETY: the slot was free and belongs to this pool.
    let memory = unsafe physical.unsafePointer(to: handle.address, byteCount: UInt64(slotByteCount))
    unsafe memory.initializeMemory(as: Element.self, to: value)
    return handle
  }

  /// Takes a slot whose content is arbitrary.
  @inline(__always)
  private func takeSlot(_ system: MemorySystem, _ priority: AllocationPriority) -> Handle<Element>? {
    if system.services.isToFail(point) { return nil }
    if partial.isEmpty && !grow(system, priority) { return nil }
    let frame = partial.first
    let table = system.frames
    let slot = Int(table[frame].firstFree)
    let address = frame.address + UInt64(slot * slotByteCount)
    let handle = Handle<Element>(raw: generations.begin(UInt32(truncatingIfNeeded: address.raw >> 4)))
    // SAFETY: a free slot holds the number of the next; it belongs to this pool.
    let memory = unsafe physical.unsafePointer(to: address, byteCount: UInt64(slotByteCount))
    let next = unsafe memory.load(as: UInt16.self)
    table[frame].firstFree = next
    if table[frame].count == 0 { emptyCount &-= 1 }
    table[frame].count &+= 1
    if Int(next) == capacity { partial.remove(frame, table) }
    count &+= 1
    return handle
  }

  /// Makes a copy of a record, or gives nil when no frame is to be had. Of the copy only so many bytes mean anything: the caller
  /// sets the rest.
  public func allocate(
    copyOf source: Handle<Element>, byteCount: Int = MemoryLayout<Element>.stride, _ system: MemorySystem
  ) -> Handle<Element>?
  where Element: BitwiseCopyable {
    guard let slot = takeSlot(system, .normal) else { return nil }
    generations.check(source.raw)
    physical.copy(source.address, to: slot.address, byteCount: byteCount)
    return slot
  }

  /// Takes the record out and releases its slot.
  @inline(__always)
  public func take(_ handle: Handle<Element>, _ system: MemorySystem) -> Element {
    let value = unsafe pointer(handle).move()
    giveSlot(handle, system)
    return value
  }

  /// Releases the slot of a record that needs nothing done about what is in it.
  @inline(__always)
  public func release(_ handle: Handle<Element>, _ system: MemorySystem) where Element: BitwiseCopyable {
    giveSlot(handle, system)
  }

  @inline(__always)
  private func giveSlot(_ handle: Handle<Element>, _ system: MemorySystem) {
    let memory = unsafe pointer(handle)
    generations.end(handle.raw)
    let frame = handle.address.frame
    let table = system.frames
    let wasFull = Int(table[frame].firstFree) == capacity
    // SAFETY: the slot was just vacated and is at least two bytes long.
    unsafe UnsafeMutableRawPointer(memory).storeBytes(of: table[frame].firstFree, as: UInt16.self)
    table[frame].firstFree = UInt16(truncatingIfNeeded: Int(handle.address.pageOffset) / slotByteCount)
    if wasFull { partial.prepend(frame, table) }
    table[frame].count &-= 1
    count &-= 1
    if table[frame].count == 0 { becameEmpty(frame, system) }
  }

  /// Gives back the frame that is kept although nothing in it is in use.
  public func trim(_ system: MemorySystem) {
    var frame = partial.first
    while frame != .none {
      let next = system.frames[frame].next
      if system.frames[frame].count == 0 {
        partial.remove(frame, system.frames)
        emptyCount -= 1
        frameCount -= 1
        system.free(frame)
      }
      frame = next
    }
  }

  private func becameEmpty(_ frame: FrameNumber, _ system: MemorySystem) {
    emptyCount += 1
    partial.remove(frame, system.frames)
    if emptyCount > 1 {
      emptyCount -= 1
      frameCount -= 1
      system.free(frame)
    } else {
      partial.append(frame, system.frames)
    }
  }

  private func grow(_ system: MemorySystem, _ priority: AllocationPriority) -> Bool {
    guard let frame = system.allocateFrame(.pool, priority) else { return false }
    for slot in 0..<capacity {
      // SAFETY: the frame is new and this pool's; every slot starts inside it.
      let memory = unsafe physical.unsafePointer(
        to: frame.address + UInt64(slot * slotByteCount), byteCount: UInt64(slotByteCount))
      unsafe memory.storeBytes(of: UInt16(slot + 1), as: UInt16.self)
    }
    system.frames[frame].count = 0
    system.frames[frame].firstFree = 0
    emptyCount += 1
    frameCount += 1
    partial.prepend(frame, system.frames)
    return true
  }
}
