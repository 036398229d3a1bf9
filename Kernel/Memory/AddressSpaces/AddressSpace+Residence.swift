// Which pages of a range are in memory, for mincore(2) (spec shm.md section 3.16), in bounded steps.
//
// As FreeBSD does unless told otherwise (vm.mincore_mapped=1), only the translations of this address space count: what others
// map, or read(2) and write(2) have touched, is not told. Whether the range has holes is looked at before anything is stored.
// Between two steps other threads may change the map, and pages come and go: each step tells what is so then, but waits for a
// change that is under way.
public import ABI
public import Primitives

/// How far a report is.
public struct PendingResidence: BitwiseCopyable, Sendable {
  fileprivate let start: UInt64
  fileprivate let end: UInt64
  fileprivate let vector: UInt64
  /// Where the walk goes on.
  fileprivate var position: UInt64
  fileprivate var isChecked = false

  /// A report on the pages from `start` up to `end`, both whole pages and perhaps the same, a byte for each of them stored
  /// from `vector` on.
  public init(from start: UInt64, to end: UInt64, into vector: VirtualAddress) {
    self.start = start
    self.end = end
    self.vector = vector.raw
    position = start
  }
}

extension AddressSpace {
  /// Pages that are looked at and reported together.
  private static let residencePieceCount: UInt64 = 64

  /// Goes on with a report. Takes the entries and a part of the pages that it looks at off `budget`.
  ///
  /// - Throws: `ENOMEM` when a page of the range, or its start if it is empty, is mapped by nothing; `EFAULT` when a byte
  ///   cannot be stored, after those before it.
  public func report(_ pending: inout PendingResidence, _ budget: inout Int) throws(Errno) -> Progress {
    // What is replaced in steps has no hole before or after.
    if let wait = editWait { return .wait(wait) }
    if !pending.isChecked {
      guard try isWhole(&pending, &budget) else { return .again }
      pending.isChecked = true
      pending.position = pending.start
    }
    while pending.position < pending.end {
      if budget <= 0 { return .again }
      let count = min(Self.residencePieceCount, (pending.end - pending.position) >> Page.shift)
      budget -= 1 + Int(count >> 3)
      let bytes = residence(from: pending.position, count)
      let place = pending.vector &+ (pending.position - pending.start) >> Page.shift
      var stored = 0
      let outcome = copyOut(
        RawSpan(_elements: bytes.span).extracting(0..<Int(count)), to: VirtualAddress(place), progress: &stored)
      pending.position += UInt64(stored) << Page.shift
      switch outcome {
      case .complete: break
      case .fault, .tooLong: throw .efault
      case .wait(let channel): return .wait(channel)
      }
    }
    return .complete
  }

  /// Whether nothing of the range is left to be looked at for holes.
  private func isWhole(_ pending: inout PendingResidence, _ budget: inout Int) throws(Errno) -> Bool {
    var handle = findFirst(endingAfter: pending.position) ?? .none
    repeat {
      guard !handle.isNone, system.entries[handle].start <= pending.position else { throw .enomem }
      if budget <= 0 { return false }
      budget -= 1
      pending.position = system.entries[handle].end
      handle = system.entries[handle].next
    } while pending.position < pending.end
    return true
  }

  /// What is to be told of up to 64 pages. A page that may be stored to no more is not modified.
  private func residence(from start: UInt64, _ count: UInt64) -> [64 of UInt8] {
    var bytes = [64 of UInt8](repeating: 0)
    let range = AddressRange(uncheckedStart: start, end: start + count << Page.shift)
    tables.forEachLeaf(in: range, system) { address, size, entry in
      // (A page's size stands in `superMask`: FreeBSD's MINCORE_PSIND.)
      var told = PageResidence.inCore.union(PageResidence(rawValue: UInt8(size.rawValue) << 5))
      if entry & PageTableEntry.accessed != 0 { told.formUnion([.referenced, .referencedByOther]) }
      let modified = PageTableEntry.dirty | PageTableEntry.writable
      if entry & modified == modified { told.formUnion([.modified, .modifiedByOther]) }
      var page = max(address, start)
      while page < min(address + size.byteCount, range.end) {
        bytes[Int((page - start) >> Page.shift)] = told.rawValue
        page += Page.byteCount
      }
    }
    return bytes
  }
}
