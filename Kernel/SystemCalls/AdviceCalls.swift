// msync(2), madvise(2), minherit(2), and mlock(2) and its like: the argument checks in the order of spec shm.md 3.15, 3.17 and
// 3.18; of mlock(2) in that of FreeBSD's kern_mlock.

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
    declare(.mlock, "mlock", [.pointer, .size], .refuses(.enomem, .none)) { call throws(Errno) in
      try call.lockMemory()
    }
    declare(.munlock, "munlock", [.pointer, .size]) { call throws(Errno) in try call.unlockMemory() }
    declare(.mlockall, "mlockall", [.bits], .refuses(.enomem, .none)) { call throws(Errno) in
      try call.lockAllMemory()
    }
    declare(.munlockall, "munlockall", []) { call throws(Errno) in try call.unlockAllMemory() }
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
    if flags.contains(.invalidate), let range = userPart(first, last), space.cutsLargePage(range) { throw .ebusy }
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
      if space.cutsLargePage(range) { throw .einval }
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
    if space.cutsLargePage(range) { throw .einval }
    return try goOn(.mark(PendingMark(range, .inheritance(inheritance))))
  }

  // MARK: mlock

  /// Whether so many pages more of the process may be wired (RLIMIT_MEMLOCK).
  func mayLock(_ pages: UInt64) -> Bool {
    let limit = process.limit(.lockedMemory).soft
    let (total, overflow) = space.wiredPageCount.addingReportingOverflow(pages)
    return limit == ResourceLimit.infinity || !overflow && total <= UInt64(max(0, limit)) >> Page.shift
  }

  /// The first page of mlock(2) and munlock(2), and the bytes of all. EINVAL when the range wraps.
  private func lockedPages() throws(Errno) -> (start: UInt64, byteCount: UInt64) {
    let address = arguments.first.raw
    let (last, wraps) = address.addingReportingOverflow(arguments.second.raw)
    let end = (last &+ Page.offsetMask) & ~Page.offsetMask
    guard !wraps, end >= last else { throw .einval }
    let start = address & ~Page.offsetMask
    return (start, end - start)
  }

  /// The range of such pages. ENOMEM when they leave user space, where nothing is mapped.
  private func lockedRange(_ start: UInt64, _ byteCount: UInt64) throws(Errno) -> AddressRange {
    guard start >= ABI.UserSpace.start, ABI.UserSpace.contains(VirtualAddress(start), byteCount: byteCount),
      let range = AddressRange(covering: VirtualAddress(start), byteCount: byteCount)
    else { throw .enomem }
    return range
  }

  /// mlock(2): EINVAL for a range that wraps, ENOMEM for more than `vm.max_user_wired` or RLIMIT_MEMLOCK allow.
  fileprivate func lockMemory() throws(Errno) -> Answer {
    let (start, byteCount) = try lockedPages()
    let pages = byteCount >> Page.shift
    guard pages <= kernel.memory.mostWiredPageCount, mayLock(pages) else { throw .enomem }
    if pages == 0 { return .value(0) }
    let range = try lockedRange(start, byteCount)
    if let answer = waitForEdit() { return answer }
    if space.cutsLargePage(range) { throw .einval }
    return try goOn(.wire(PendingWiring(range), value: 0))
  }

  /// munlock(2)
  fileprivate func unlockMemory() throws(Errno) -> Answer {
    let (start, byteCount) = try lockedPages()
    if byteCount == 0 { return .value(0) }
    let range = try lockedRange(start, byteCount)
    if let answer = waitForEdit() { return answer }
    if space.cutsLargePage(range) { throw .einval }
    return try goOn(.unwire(PendingUnwiring(range)))
  }

  /// mlockall(2): EINVAL for no flag or unknown ones, ENOMEM when RLIMIT_MEMLOCK does not allow what there is.
  fileprivate func lockAllMemory() throws(Errno) -> Answer {
    let flags = MemoryLockFlags(rawValue: arguments.first.word)
    guard !flags.isEmpty, flags.isSubset(of: [.current, .future]) else { throw .einval }
    if flags.contains(.current) {
      let limit = process.limit(.lockedMemory).soft
      guard limit == ResourceLimit.infinity || space.virtualByteCount <= UInt64(max(0, limit)) else { throw .enomem }
      if let answer = waitForEdit() { return answer }
    }
    if flags.contains(.future) { space.wiresFuture = true }
    guard flags.contains(.current) else { return .value(0) }
    return try goOn(.wire(.everything, value: 0))
  }

  /// munlockall(2)
  fileprivate func unlockAllMemory() throws(Errno) -> Answer {
    if let answer = waitForEdit() { return answer }
    space.wiresFuture = false
    return try goOn(.unwire(.everything))
  }
}
