// Stacks that grow downwards by themselves: MAP_STACK, and the stack of every program (spec shm.md 3.11 step 6; abi.md, "Seen
// on the real kernel and not obvious").
//
// A stack is two entries: at the top the part that has grown, which is memory, and below it the gap that it may grow into, down
// to a guard that stays. An access of the gap makes memory of as much of it as is needed, rounded up. Only what has grown is
// reserved, and counts for RLIMIT_AS.
public import ABI
import Primitives

/// A stack to be mapped.
public struct StackRequest: BitwiseCopyable, Sendable {
  /// Bytes of it that are memory from the beginning: whole pages.
  public var initialByteCount: UInt64
  /// Pages at its low end that stay a guard.
  public var guardPageCount: UInt64

  /// A stack of which so much is there at first.
  public init(initialByteCount: UInt64 = UserSpace.stackGrowthByteCount, guardPageCount: UInt64) {
    self.initialByteCount = initialByteCount
    self.guardPageCount = guardPageCount
  }

  /// The bytes that are memory at first of a stack of `byteCount` bytes; nil when the guard leaves no room for any.
  func initialByteCount(of byteCount: UInt64) -> UInt64? {
    let (guardByteCount, overflow) = guardPageCount.multipliedReportingOverflow(by: Page.byteCount)
    guard !overflow, guardByteCount < byteCount else { return nil }
    return min(initialByteCount, byteCount - guardByteCount)
  }
}

/// What a gap remembers, in the place of an offset: it shows no object.
struct StackGap: BitwiseCopyable {
  let guardPageCount: UInt64
  let protection: Protection
  let maximum: Protection

  init(guardPageCount: UInt64, protection: Protection, maximum: Protection) {
    self.guardPageCount = guardPageCount
    self.protection = protection
    self.maximum = maximum
  }

  init(_ word: UInt64) {
    guardPageCount = word >> 16
    protection = Protection(rawValue: UInt32(truncatingIfNeeded: word & 0xFF))
    maximum = Protection(rawValue: UInt32(truncatingIfNeeded: word >> 8 & 0xFF))
  }

  var word: UInt64 { guardPageCount << 16 | UInt64(maximum.rawValue) << 8 | UInt64(protection.rawValue) }
}

/// What became of an attempt to grow a stack.
enum StackGrowth {
  case grown
  /// It is at its end or its limit.
  case refused
  /// Memory for the entry cannot be had now.
  case wait
}

extension AddressSpace {
  /// Makes memory of the part of a gap from `address` on up to its stack, and more as the step of growth and the limits have it
  /// (FreeBSD's vm_map_growstack).
  func growStack(into gap: Handle<MapEntry>, at address: UInt64) -> StackGrowth {
    let entries = system.entries
    let (start, end) = (entries[gap].start, entries[gap].end)
    let stack = entries[gap].next
    guard !stack.isNone, entries[stack].kind == .stack, entries[stack].start == end else { return .refused }
    let description = StackGap(entries[gap].offset)
    let guardByteCount = description.guardPageCount << Page.shift
    guard let byteCount = growth(of: gap, from: address & ~Page.offsetMask, guardByteCount) else { return .refused }
    guard admitsKernelMemory else { return .wait }
    let charge = description.protection.contains(.write) ? byteCount >> Page.shift : 0
    do throws(Errno) { try system.reserve(charge, for: account) } catch { return .refused }
    let new = MapEntry(
      start: end - byteCount, end: end, offset: 0, object: nil, charge: charge, account: charge == 0 ? nil : account,
      protection: description.protection, maximum: description.maximum, kind: .stack, sharing: .private,
      inheritance: .copy, needsCopy: false, countsAsWritable: false)
    guard let handle = entries.allocate(new, system) else {
      system.release(charge, of: account)
      return .wait
    }
    if end - byteCount == start {
      remove(gap)
      release(gap)
    } else {
      trimEnd(gap, to: end - byteCount)
    }
    insert(handle)
    // What grows on wired memory, or where all is to be, is brought in as it is used, and kept from then on.
    if wiresFuture || entries[stack].wiring == .wired, mayWire(byteCount >> Page.shift) {
      entries[handle].wiring = .wired
      countWired(Int(byteCount >> Page.shift))
    }
    mergeWithNext(handle)
    return .grown
  }

  /// How much a stack grows for an access of a page; nil when it may not grow so far.
  private func growth(of gap: Handle<MapEntry>, from page: UInt64, _ guardByteCount: UInt64) -> UInt64? {
    let end = system.entries[gap].end
    let room = end - system.entries[gap].start
    let needed = end - page
    guard guardByteCount <= room, needed <= room - guardByteCount else { return nil }
    let step = UserSpace.stackGrowthByteCount
    var byteCount = min((needed + step - 1) / step * step, room - guardByteCount)
    let caller = system.services.caller.instance
    if page >= UserSpace.stackTop - UserSpace.maximumStackByteCount && page < UserSpace.stackTop {
      // The program's own stack: RLIMIT_STACK, as it is now.
      let limit = (caller?.stackByteLimit ?? UInt64.max) & ~Page.offsetMask
      let grown = UserSpace.stackTop - end
      guard limit >= grown, needed <= limit - grown else { return nil }
      byteCount = min(byteCount, limit - grown)
    }
    let limit = caller?.addressSpaceByteLimit ?? UInt64.max
    return virtualByteCount <= limit && byteCount <= limit - virtualByteCount ? byteCount : nil
  }
}
