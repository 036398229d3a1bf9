// What the kernel knows of every physical frame: one fixed-size record each (48 bytes), and the table of them. There is one of
// the same form for every aligned block of 512 frames, too (FrameBlock.swift).
//
// Invariants
// - A frame is in exactly one state; `state` says which of the other fields mean something.
// - `.free`: in the buddy allocator's list of `order`; only the first frame of a block is in this state, the others are
//   `.freeTail`. So are the frames of a reserved block that are no pages yet (Reservations.swift).
// - `.object`: `owner` is the VM object whose page index holds this frame at `index`; `mappings`, and the tree that begins at
//   `mappingRoot`, name every page-table entry that maps it (MappingSet.swift); `queue` names the paging queue it is linked in.
// - `.orphan`: left its object while a transfer ran; freed when the transfer completes.
// - `.store`: linked in the list of one class of compressed pages, or the spare frame.
// - `.spareTable`: empty, kept for the next table (`SpareTables`).
// - `.pageTable`: `owner` is the address space, `index` the first virtual address covered, `order` the level, `count` the
//   entries in use, `usedGroups` tells which groups of eight entries may be (at least those that are), `parentTable` is the
//   table above.
// - `.pool`: `count` slots in use, `firstFree` heads the frame's list of free slots.
// - `waiterCount` survives freeing: it counts threads that parked on the frame and had no turn since.

import Primitives

/// What a frame is used for.
public enum FrameState: UInt8, BitwiseCopyable, Sendable {
  /// Not memory, or kept out of the allocator for good.
  case reserved
  /// First frame of a free block.
  case free
  /// Inside a free block, not its first.
  case freeTail
  /// Handed out to the machine or the kernel heap.
  case kernel
  /// A page table of an address space.
  case pageTable
  /// An empty page table that is kept for the next address space or range.
  case spareTable
  /// Cut into records of one pool.
  case pool
  /// A page of a VM object.
  case object
  /// Holds compressed pages (CompressedStore).
  case store
  /// No longer a page of an object, but a device is still reading or writing it.
  case orphan
}

/// The paging queue that a frame of an object is linked in.
public enum PageQueue: UInt8, BitwiseCopyable, Sendable {
  /// None: wired, busy, or just made.
  case none
  /// Recently used.
  case active
  /// Candidates for reuse.
  case inactive
  /// Candidates that were written out and not used since: the next to go.
  case laundered
  /// Dirty candidates that wait for being written out.
  case laundry
  /// Dirty pages that no device takes, and that nobody has used since.
  case unswappable
}

/// Conditions of a frame that belongs to an object.
public struct FrameFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits.
  public let rawValue: UInt8
  /// Wraps the bits.
  @inline(__always)
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Differs from its swap block, or from zeros when it has none (software part; page-table entries hold the rest).
  public static let dirty = FrameFlags(rawValue: 1)
  /// A transfer from or to the block device is under way.
  public static let busy = FrameFlags(rawValue: 2)
  /// Used since the reclaimer last looked (software part).
  public static let referenced = FrameFlags(rawValue: 4)
  /// The last transfer into the frame failed: its content is meaningless.
  public static let failed = FrameFlags(rawValue: 8)
  /// The transfer under way writes the frame out.
  public static let writing = FrameFlags(rawValue: 16)
  /// The transfer under way is there for a page beside this one, which goes along.
  public static let neighbour = FrameFlags(rawValue: 32)
  /// No device takes the content, unless it has changed since.
  public static let refused = FrameFlags(rawValue: 64)
  /// All that tells of a transfer under way.
  @inline(__always)
  static var ofTransfer: FrameFlags { FrameFlags(rawValue: busy.rawValue | writing.rawValue | neighbour.rawValue) }
  /// Either of these: the content cannot be used now.
  ///
  /// Not a literal of two elements: where the optimiser does not see through one, it is an array on the heap, and faults
  /// must not allocate.
  @inline(__always)
  static var withoutContent: FrameFlags { FrameFlags(rawValue: busy.rawValue | failed.rawValue) }
}

/// The record of one frame. Records are made by `FrameTable`, all bytes zero, before they mean anything.
public struct PageFrame: BitwiseCopyable {
  var owner: OwnerReference
  var index: UInt64
  var mappings: MappingSet
  var next: FrameNumber
  var previous: FrameNumber
  var swapBlock: SwapBlock
  private var lowWireCount: UInt16
  var waiterCount: UInt16
  var count: UInt16
  var firstFree: UInt16
  var state: FrameState
  var order: UInt8
  var queue: PageQueue
  var flags: FrameFlags

  /// Of a page: the leaves that keep it in memory. The upper part stands where other frames have an order.
  var wireCount: UInt32 {
    @inline(__always)
    get { UInt32(lowWireCount) | UInt32(order) &<< 16 }
    @inline(__always)
    set {
      precondition(newValue >> 24 == 0, "a page is wired too often")
      lowWireCount = UInt16(truncatingIfNeeded: newValue)
      order = UInt8(truncatingIfNeeded: newValue &>> 16)
    }
  }
}

/// The records of all frames, indexed by frame number. Which of them have been made, `BuddyAllocator` knows: none is looked at
/// before.
@safe
public struct FrameTable {
  private let records: UnsafeMutablePointer<PageFrame>
  private let blockRecords: UnsafeMutablePointer<PageFrame>
  /// Records in the table.
  public let count: UInt32

  /// Bytes that a table for `frameCount` frames needs, with the records of their blocks.
  public static func byteCount(frameCount: UInt32) -> UInt64 {
    (UInt64(frameCount) + UInt64(blockCount(of: frameCount))) * UInt64(MemoryLayout<PageFrame>.stride)
  }

  /// Blocks of 512 frames that so many frames touch.
  private static func blockCount(of frameCount: UInt32) -> UInt32 { (frameCount + 511) >> 9 }

  /// The records of the blocks, by block number.
  @inline(__always)
  var blocks: FrameTable { unsafe FrameTable(blocks: blockRecords, count: FrameTable.blockCount(of: count)) }

  private init(blocks: UnsafeMutablePointer<PageFrame>, count: UInt32) {
    unsafe records = blocks
    unsafe blockRecords = blocks
    self.count = count
  }

  /// A table in physical memory from `address` on, without any record.
  init(physical: PhysicalMemory, at address: PhysicalAddress, frameCount: UInt32) {
    // SAFETY: the range is checked by `unsafePointer` and belongs to the table alone.
    let pointer = unsafe physical.unsafePointer(to: address, byteCount: FrameTable.byteCount(frameCount: frameCount))
    unsafe records = pointer.assumingMemoryBound(to: PageFrame.self)
    unsafe blockRecords = records + Int(frameCount)
    count = frameCount
  }

  /// The frames of the table, which begins at `address`, that hold nothing but records of whole groups in a range of frames.
  func frames(recording range: FrameRange, of address: PhysicalAddress) -> FrameRange {
    let groupFrameCount = UInt64(1) << UInt64(BuddyAllocator.maximumOrder)
    let first = (UInt64(range.start) + groupFrameCount - 1) & ~(groupFrameCount - 1)
    let end = max(first, UInt64(min(range.end, count)) & ~(groupFrameCount - 1))
    let stride = UInt64(MemoryLayout<PageFrame>.stride)
    let start = Page.count(covering: address.raw + first * stride)
    return FrameRange(start: UInt32(start), end: UInt32(max(start, (address.raw + end * stride) >> Page.shift)))
  }

  /// Makes the records of some frames, which are reserved, and of the blocks that begin among them.
  func make(_ frames: Range<UInt32>) {
    makeRecords(frames)
    blocks.makeRecords((frames.lowerBound + 511) >> 9..<(frames.upperBound + 511) >> 9)
  }

  private func makeRecords(_ frames: Range<UInt32>) {
    precondition(frames.upperBound <= count)
    // SAFETY: the records lie in the table, and all-zero bytes with the links set when they are first used are a valid one: every
    // field is an integer or an enum with a case 0.
    let first = unsafe UnsafeMutableRawPointer(records + Int(frames.lowerBound))
    unsafe first.initializeMemory(
      as: UInt8.self, repeating: 0, count: frames.count * MemoryLayout<PageFrame>.stride)
    #if !hasFeature(Embedded)
      for frame in frames { FrameList.markFree(FrameNumber(frame), self) }
    #endif
  }

  /// Marks frames whose records have been made as those behind the first of a free block.
  func markTail(_ frames: Range<UInt32>) {
    precondition(frames.upperBound <= count)
    // SAFETY: the records lie in the table.
    for frame in frames { unsafe records[Int(frame)].state = .freeTail }
  }

  /// The record of `frame`.
  @inline(__always)
  subscript(frame: FrameNumber) -> PageFrame {
    @inline(__always)
    unsafeAddress {
      precondition(frame.raw < count)
      return unsafe UnsafePointer(records + Int(frame.raw))
    }
    @inline(__always)
    nonmutating unsafeMutableAddress {
      precondition(frame.raw < count)
      return unsafe records + Int(frame.raw)
    }
  }
}

/// A list of frames linked through their records.
///
/// Invariant (host builds): the links of a frame that is in no list lead to itself.
struct FrameList {
  private(set) var first = FrameNumber.none
  private(set) var last = FrameNumber.none
  private(set) var count: Int = 0

  @inline(__always)
  var isEmpty: Bool { first == .none }

  @inline(__always)
  mutating func append(_ frame: FrameNumber, _ table: FrameTable) {
    FrameList.checkIsFree(frame, table)
    table[frame].next = .none
    table[frame].previous = last
    if last == .none { first = frame } else { table[last].next = frame }
    last = frame
    count &+= 1
  }

  @inline(__always)
  mutating func prepend(_ frame: FrameNumber, _ table: FrameTable) {
    FrameList.checkIsFree(frame, table)
    table[frame].previous = .none
    table[frame].next = first
    if first == .none { last = frame } else { table[first].previous = frame }
    first = frame
    count &+= 1
  }

  @inline(__always)
  mutating func remove(_ frame: FrameNumber, _ table: FrameTable) {
    checkIsMember(frame, table)
    let next = table[frame].next
    let previous = table[frame].previous
    if previous == .none { first = next } else { table[previous].next = next }
    if next == .none { last = previous } else { table[next].previous = previous }
    count &-= 1
    FrameList.markFree(frame, table)
  }
}

#if hasFeature(Embedded)

  extension FrameList {
    @inline(__always)
    static func checkIsFree(_ frame: FrameNumber, _ table: FrameTable) {}
    /// The links of a frame have meant something else, or nothing; it is in no list.
    @inline(__always)
    static func markFree(_ frame: FrameNumber, _ table: FrameTable) {}
    @inline(__always)
    private func checkIsMember(_ frame: FrameNumber, _ table: FrameTable) {}
  }

#else

  extension FrameList {
    static func checkIsFree(_ frame: FrameNumber, _ table: FrameTable) {
      guard table[frame].next == frame, table[frame].previous == frame else {
        reportMisuse("a frame is put into a list, and is in one already")
      }
    }

    static func markFree(_ frame: FrameNumber, _ table: FrameTable) {
      table[frame].next = frame
      table[frame].previous = frame
    }

    private func checkIsMember(_ frame: FrameNumber, _ table: FrameTable) {
      let next = table[frame].next
      let previous = table[frame].previous
      if next == frame { reportMisuse("a frame is taken out of a list, and is in none") }
      guard (previous == .none ? first : table[previous].next) == frame,
        (next == .none ? last : table[next].previous) == frame
      else { reportMisuse("a frame is taken out of a list that it is not in") }
    }
  }

#endif
