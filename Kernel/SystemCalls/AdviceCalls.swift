// msync(2), madvise(2) and minherit(2): the argument checks in the order of spec shm.md 3.15, 3.17 and 3.18.

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareAdviceCalls() {
    declare(.msync, "msync", [.pointer, .size, .bits]) { call throws(Errno) in try call.synchronizeMapping() }
    declare(
      .madvise, "madvise", [.pointer, .size, .advice], .refuses(.enomem, .none), givesBack: { $0.adviceGivesBack },
      { call throws(Errno) in try call.advise() })
    declare(.minherit, "minherit", [.pointer, .size, .inheritance], .refuses(.enomem, .none)) { call throws(Errno) in
      try call.setInheritance()
    }
  }
}

extension SystemCall {
  /// The whole pages of the range that the first two arguments name. EINVAL when it wraps.
  private func pages() throws(Errno) -> (start: UInt64, end: UInt64) {
    let address = arguments.first.raw
    let start = address & ~Page.offsetMask
    let size = (arguments.second.raw &+ (address & Page.offsetMask) &+ Page.offsetMask) & ~Page.offsetMask
    guard start &+ size >= start else { throw .einval }
    return (start, start &+ size)
  }

  /// What of a range lies in user space; nil when nothing does.
  private func userPart(_ start: UInt64, _ end: UInt64) -> AddressRange? {
    let start = max(start, ABI.UserSpace.start)
    let end = min(end, ABI.UserSpace.end)
    guard start < end else { return nil }
    return AddressRange(covering: VirtualAddress(start), byteCount: end - start)
  }

  /// msync(2): EINVAL for a range that wraps or flags that make no sense, ENOMEM for a hole.
  fileprivate func synchronizeMapping() throws(Errno) -> Answer {
    let (start, end) = try pages()
    let flags = SynchronizeFlags(rawValue: arguments.third.word)
    let both: SynchronizeFlags = [.asynchronous, .invalidate]
    guard flags.isSubset(of: both), flags != both else { throw .einval }
    // What lies outside is a hole, but for what is below everything.
    let first = min(max(start, ABI.UserSpace.start), ABI.UserSpace.end)
    let last = min(max(end, first), ABI.UserSpace.end)
    return try goOn(
      .advise(PendingAdvice(synchronizing: first, to: last, invalidates: flags.contains(.invalidate))))
  }

  fileprivate var adviceGivesBack: Bool {
    let advice = MemoryAdvice(rawValue: arguments.third.integer)
    return advice == .free || advice == .dontNeed
  }

  /// madvise(2): EINVAL for advice that does not exist, then for a range outside user space; EPERM for MADV_PROTECT, which only
  /// the superuser may ask for.
  fileprivate func advise() throws(Errno) -> Answer {
    let advice = MemoryAdvice(rawValue: arguments.third.integer)
    if advice == .protect {
      try kernel.processes.protect(.process, 0, ProtectionFlags.set, by: process)
      return .value(0)
    }
    guard advice.rawValue >= MemoryAdvice.normal.rawValue, advice.rawValue <= MemoryAdvice.core.rawValue else {
      throw .einval
    }
    let address = arguments.first.raw
    let (end, wraps) = address.addingReportingOverflow(arguments.second.raw)
    guard !wraps, address >= ABI.UserSpace.start, end <= ABI.UserSpace.end else { throw .einval }
    let first = address & ~Page.offsetMask
    let last = (end &+ Page.offsetMask) & ~Page.offsetMask
    guard let range = userPart(first, last) else { return .value(0) }
    switch advice {
    case .willNeed: return try goOn(.advise(PendingAdvice(.willNeed, range)))
    case .dontNeed: return try goOn(.advise(PendingAdvice(.dontNeed, range)))
    case .free: return try goOn(.advise(PendingAdvice(.free, range)))
    default:
      if let answer = waitForEdit() { return answer }
      return try goOn(.mark(PendingMark(range, .advice(advice))))
    }
  }

  /// minherit(2): EINVAL for a range that wraps or a value that does not exist, of which only the low byte counts.
  fileprivate func setInheritance() throws(Errno) -> Answer {
    let (start, end) = try pages()
    let inheritance = Inheritance(rawValue: Int32(Int8(truncatingIfNeeded: arguments.third.integer)))
    guard inheritance.rawValue >= Inheritance.share.rawValue, inheritance.rawValue <= Inheritance.zero.rawValue else {
      throw .einval
    }
    guard let range = userPart(start, end) else { return .value(0) }
    if let answer = waitForEdit() { return answer }
    return try goOn(.mark(PendingMark(range, .inheritance(inheritance))))
  }
}
