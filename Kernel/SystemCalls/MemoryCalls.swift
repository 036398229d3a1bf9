// mmap(2), munmap(2), mprotect(2), break(2) and mincore(2): the argument checks in the order of spec shm.md 3.11, 3.13, 3.14
// and 3.16.

import ABI
import Files
import Memory
import Primitives
import Processes

/// The arguments of an mmap(2) that passed the checks which come before the descriptor (steps 1 to 13).
private struct MapArguments {
  let address: UInt64
  let byteCount: UInt64
  let protection: Protection
  let maximum: Protection
  let flags: MapFlags
  let descriptor: Descriptor
  /// The offset, rounded down to a page.
  let offset: UInt64
  /// What rounding took off.
  let pageOffset: UInt64

  var isAnonymous: Bool { flags.contains(.anonymous) || flags.contains(.guardRange) }

  /// `impliesMaximum`: what is asked for is all that the mapping may ever allow, if nothing else is said.
  init(_ arguments: Arguments, impliesMaximum: Bool) throws(Errno) {
    let protectionBits = arguments.third.word
    guard protectionBits & ~Protection.argumentMask == 0 else { throw .einval }
    let wanted = Protection(argument: protectionBits)
    let limit = Protection.maximum(inArgument: protectionBits)
    if let limit, !limit.isSuperset(of: wanted) { throw .enotsup }
    protection = wanted
    maximum = limit ?? (impliesMaximum && !wanted.isEmpty ? wanted : .all)
    var flags = MapFlags(rawValue: arguments.fourth.word).subtracting(.ignored)
    descriptor = arguments.fifth.descriptor
    var position = arguments.sixth.raw
    guard arguments.second.raw != 0 else { throw .einval }
    if flags.contains(.anonymous) && (descriptor != .none || position != 0) { throw .einval }
    if flags.contains(.stack) {
      guard descriptor == .none, wanted.isSuperset(of: [.read, .write]) else { throw .einval }
      flags.insert(.anonymous)
      position = 0
    }
    guard flags.subtracting(.alignmentMask).isSubset(of: .known) else { throw .einval }
    if flags.contains(.exclusive) && !flags.contains(.fixed) { throw .einval }
    if flags.isSuperset(of: [.shared, .privateCopy]) { throw .einval }
    if flags.contains(.guardRange) {
      let allowed: MapFlags = [.guardRange, .fixed, .exclusive, .low32Bit]
      guard flags.subtracting(.alignmentMask).isSubset(of: allowed), wanted.isEmpty, descriptor == .none, position == 0
      else { throw .einval }
    }
    self.flags = flags
    pageOffset = position & Page.offsetMask
    offset = position & ~Page.offsetMask
    let size = (arguments.second.raw &+ pageOffset &+ Page.offsetMask) & ~Page.offsetMask
    guard arguments.second.raw <= size else { throw .enomem }
    byteCount = size
    let shift = flags.alignmentShift
    if shift != 0 && shift != MapFlags.superpageAlignmentShift && (shift >= 64 || shift < 12) { throw .einval }
    address = arguments.first.raw
    if flags.contains(.fixed) {
      let start = address &- pageOffset
      guard start & Page.offsetMask == 0, start >= ABI.UserSpace.start,
        ABI.UserSpace.contains(VirtualAddress(start), byteCount: size)
      else { throw .einval }
      if flags.contains(.low32Bit) && start + size > MapArguments.low32BitEnd { throw .einval }
    }
  }

  /// What the descriptor has to be good for.
  var rights: CapabilityRights {
    var rights = CapabilityRights.map
    if protection.contains(.read) { rights.formUnion(.mapReadable) }
    if protection.contains(.write) && flags.contains(.shared) { rights.formUnion(.mapWritable) }
    if protection.contains(.execute) { rights.formUnion(.mapExecutable) }
    return rights
  }

  /// The end of what MAP_32BIT may use.
  static let low32BitEnd: UInt64 = 1 << 31

  var placement: Placement {
    if !flags.contains(.fixed) { return .anywhere }
    return flags.contains(.exclusive) ? .exclusive : .fixed
  }

  var alignment: UInt64 {
    switch flags.alignmentShift {
    case 0: Page.byteCount
    case MapFlags.superpageAlignmentShift: 2 << 20
    default: 1 << UInt64(flags.alignmentShift)
    }
  }
}

extension SystemCallTable {
  mutating func declareMemoryCalls() {
    declare(
      .mmap, "mmap", [.pointer, .size, .protection, .mapFlags, .descriptor, .long], .refuses(.enomem, HeapCost.mapping)
    ) { call throws(Errno) in try call.map() }
    declare(.munmap, "munmap", [.pointer, .size]) { call throws(Errno) in try call.unmap() }
    declare(
      .mprotect, "mprotect", [.pointer, .size, .protection], .refuses(.enomem, .none),
      givesBack: { !Protection(argument: $0.arguments.third.word).contains(.write) },
      { call throws(Errno) in try call.protect() })
    declare(
      .break, "break", [.pointer], .refuses(.enomem, .none),
      givesBack: { $0.arguments.first.raw <= $0.space.program.dataEnd },
      { call throws(Errno) in try call.setBreak() })
    declare(.mincore, "mincore", [.pointer, .size, .pointer]) { call throws(Errno) in try call.residence() }
    declareAdviceCalls()
  }
}

extension Descriptor {
  /// No descriptor.
  fileprivate static let none = Descriptor(number: -1)
}

extension SystemCall {
  // MARK: Going on

  /// Begins or goes on with what is done with the address space.
  func goOn(_ remainder: consuming MemoryContinuation) throws(Errno) -> Answer {
    var budget = kernel.unitsPerTurn
    let space = self.space
    let progress: Progress
    do throws(Errno) {
      progress = try remainder.step(space, &budget)
    } catch {
      space.endEdit(by: thread.identifier)
      throw error
    }
    if progress != .complete { return cut(progress, remainder) }
    space.endEdit(by: thread.identifier)
    return .value(remainder.result)
  }

  /// Goes on later; nobody else changes a map meanwhile that is being changed.
  private func cut(_ progress: Progress, _ remainder: consuming MemoryContinuation) -> Answer {
    if remainder.changesMap { spaceReference.borrow { $0.beginEdit(by: thread.identifier) } }
    return unfinished(progress, .memory(remainder))
  }

  /// What to do before the map is changed: wait, when somebody else is in the middle of that, and begin anew.
  @inline(__always)
  func waitForEdit() -> Answer? {
    guard let awaited = spaceReference.borrow({ $0.editWait }) else { return nil }
    return wait(on: awaited, then: .phase(.whole))
  }

  // MARK: mmap

  fileprivate func map() throws(Errno) -> Answer {
    let map = try MapArguments(arguments, impliesMaximum: kernel.impliesMaximumProtection)
    if let answer = waitForEdit() { return answer }
    if map.isAnonymous { return try mapAnonymous(map) }
    let file = try file(map.descriptor, needing: map.rights)
    let allowed = table.limits(of: map.descriptor.number)?.rights.protection ?? .all
    guard map.flags.contains(.shared) || map.flags.contains(.privateCopy) else { throw .einval }
    let sharing: Sharing = map.flags.contains(.shared) ? .shared : .private
    var answer = try file.mapping(
      MappingQuery(
        sharing: sharing, protection: map.protection, maximumProtection: map.maximum.intersection(allowed),
        byteCount: map.byteCount,
        offset: Int64(bitPattern: map.offset)))
    guard map.protection.isSubset(of: allowed) else { throw .eacces }
    var request = MapRequest(
      address: map.address, byteCount: map.byteCount, placement: map.placement,
      protection: map.protection, maximum: answer.maximumProtection,
      sharing: sharing, object: answer.object.take())
    request.offset = answer.pageOffset
    request.countsAsWritable = answer.countsAsWritable
    if answer.hasLargePages {
      try checkLarge(map)
      request.alignment = VMObject.largeByteCount
    }
    return try place(request, map)
  }

  /// What a mapping of large pages has to be like (spec shm.md, 3.11).
  ///
  /// Throws EINVAL, ENOSPC for one that must not replace another.
  private func checkLarge(_ map: MapArguments) throws(Errno) {
    let allowed: MapFlags = [.shared, .fixed, .exclusive, .noCore, .low32Bit]
    let (end, overflow) = map.address.addingReportingOverflow(map.byteCount)
    guard map.flags.subtracting(.alignmentMask).isSubset(of: allowed),
      map.address == 0 && map.placement == .anywhere
        || map.address % VMObject.largeByteCount == 0 && !overflow && end <= ABI.UserSpace.end
    else { throw .einval }
    if map.placement == .exclusive,
      let range = AddressRange(covering: VirtualAddress(map.address), byteCount: map.byteCount), !space.isFree(range)
    {
      throw .enospc
    }
  }

  private func mapAnonymous(_ map: MapArguments) throws(Errno) -> Answer {
    let isShared = map.flags.contains(.shared)
    var request = MapRequest(
      address: map.address, byteCount: map.byteCount, placement: map.placement,
      protection: map.protection, maximum: map.flags.contains(.guardRange) ? [] : map.maximum,
      sharing: isShared ? .shared : .private, object: nil)
    request.isGuard = map.flags.contains(.guardRange)
    if map.flags.contains(.stack) { request.stack = StackRequest(guardPageCount: kernel.memory.stackGuardPageCount) }
    return try place(request, map)
  }

  private func place(_ request: consuming MapRequest, _ map: MapArguments) throws(Errno) -> Answer {
    try checkAddressSpaceLimit(map.byteCount)
    request.alignment = max(request.alignment, map.alignment)
    let space = self.space
    choosePlace(&request, map, space.program, process.limit(.data))
    if map.placement == .fixed,
      let range = AddressRange(covering: VirtualAddress(request.address), byteCount: map.byteCount),
      space.cutsLargePage(range)
    {
      throw .einval
    }
    if map.flags.contains(.low32Bit) { request.limit = MapArguments.low32BitEnd }
    var budget = kernel.unitsPerTurn
    if space.wiresFuture && !map.flags.contains(.guardRange) {
      guard mayLock(map.byteCount >> Page.shift) else { throw .enomem }
    }
    let (address, outcome) = try space.map(request, &budget)
    let value = address.raw &+ map.pageOffset
    if case .pending(let pending) = outcome { return cut(.again, .map(pending, value: value)) }
    if space.wiresFuture { return try wire(from: address.raw, map.byteCount, then: value) }
    // (What took the place of so much that this took several steps has its pages mapped when they are used.)
    guard map.flags.contains(.prefaultRead), !map.isAnonymous,
      let range = AddressRange(covering: address, byteCount: map.byteCount)
    else { return .value(value) }
    return try goOn(.prefault(PendingAdvice(.willNeed, range), value: value))
  }

  /// Wires what has been mapped, if that can be done, and returns a value.
  private func wire(from start: UInt64, _ byteCount: UInt64, then value: UInt64) throws(Errno) -> Answer {
    guard let range = AddressRange(covering: VirtualAddress(start), byteCount: byteCount) else { return .value(value) }
    return try goOn(.wire(PendingWiring(future: range), value: value))
  }

  /// Refuses with ENOMEM what RLIMIT_AS does not allow.
  private func checkAddressSpaceLimit(_ byteCount: UInt64) throws(Errno) {
    let limit = process.limit(.addressSpace).soft
    guard limit != ResourceLimit.infinity else { return }
    let (total, overflow) = space.virtualByteCount.addingReportingOverflow(byteCount)
    guard !overflow && total <= UInt64(limit) else { throw .enomem }
  }

  /// Where to put a mapping, or to start looking: without a hint, or with one between the program's start and the farthest
  /// end of the data segment, behind that end; another hint is rounded up to a page. When there is no room from a hint on,
  /// the search begins again behind the data segment (spec shm.md 3.11, step 13).
  private func choosePlace(
    _ request: inout MapRequest, _ map: MapArguments, _ program: ProgramExtent, _ dataLimit: ResourceLimit
  ) {
    if map.flags.contains(.fixed) {
      request.address = map.address &- map.pageOffset
      return
    }
    let (end, overflow) = program.dataStart.addingReportingOverflow(UInt64(max(0, dataLimit.hard)))
    let behindData =
      overflow || end >= ABI.UserSpace.end ? ABI.UserSpace.start : (end + Page.offsetMask) & ~Page.offsetMask
    var hint = map.address
    if map.flags.contains(.low32Bit) {
      if map.byteCount > MapArguments.low32BitEnd || hint > MapArguments.low32BitEnd - map.byteCount { hint = 0 }
      request.fallback = behindData > MapArguments.low32BitEnd ? ABI.UserSpace.start : behindData
    } else {
      if hint >= program.start && hint < behindData { hint = 0 }
      request.fallback = behindData
    }
    // What is too high wraps to zero, or is refused by the search.
    hint = (hint &+ Page.offsetMask) & ~Page.offsetMask
    request.isWish = hint != 0 && hint < ABI.UserSpace.end
    request.address = request.isWish ? hint : request.fallback
  }

  // MARK: munmap, mprotect

  /// munmap(2). The sums wrap as FreeBSD's do, so that a range which is empty after rounding is no error (spec shm.md 3.13).
  fileprivate func unmap() throws(Errno) -> Answer {
    let (address, byteCount) = (arguments.first.raw, arguments.second.raw)
    guard byteCount > 0 else { throw .einval }
    let start = address & ~Page.offsetMask
    let end = start &+ ((byteCount &+ (address & Page.offsetMask) &+ Page.offsetMask) & ~Page.offsetMask)
    guard start >= ABI.UserSpace.start, start <= end, end <= ABI.UserSpace.end else { throw .einval }
    guard let range = AddressRange(covering: VirtualAddress(start), byteCount: end - start) else { return .value(0) }
    if let answer = waitForEdit() { return answer }
    if space.cutsLargePage(range) { throw .einval }
    return try goOn(.unmap(range, dataEnd: nil))
  }

  fileprivate func protect() throws(Errno) -> Answer {
    let (address, bits) = (arguments.first.raw, arguments.third.word)
    guard bits & ~Protection.argumentMask == 0 else { throw .einval }
    let start = address & ~Page.offsetMask
    let size = (arguments.second.raw &+ (address & Page.offsetMask) &+ Page.offsetMask) & ~Page.offsetMask
    guard start &+ size >= start else { throw .einval }
    if size == 0 { return .value(0) }
    let protection = Protection(argument: bits)
    let maximum = Protection.maximum(inArgument: bits)
    if let maximum, !maximum.isSuperset(of: protection) { throw .enotsup }
    guard start < ABI.UserSpace.end else { return .value(0) }
    let byteCount = min(size, ABI.UserSpace.end - start)
    guard let range = AddressRange(covering: VirtualAddress(start), byteCount: byteCount) else { return .value(0) }
    if let answer = waitForEdit() { return answer }
    if space.cutsLargePage(range) { throw .einval }
    var pending = PendingProtection(range, protection, maximum: maximum)
    var budget = kernel.unitsPerTurn
    let progress = try spaceReference.tryBorrow { space throws(Errno) in try space.protect(&pending, &budget) }
    return progress == .complete ? .value(0) : cut(progress, .protect(pending))
  }

  // MARK: mincore

  /// mincore(2): a byte for each page that the range touches. ENOMEM when it wraps, leaves user space or has a hole; then
  /// EFAULT. An empty range has to begin in a mapping.
  fileprivate func residence() throws(Errno) -> Answer {
    let address = arguments.first.raw
    let start = address & ~Page.offsetMask
    let end = (address &+ arguments.second.raw &+ Page.offsetMask) & ~Page.offsetMask
    guard start <= end, end <= ABI.UserSpace.end else { throw .enomem }
    return try goOn(.residence(PendingResidence(from: start, to: end, into: arguments.third.address)))
  }

  // MARK: break

  /// Moves the end of the data segment, which is a whole number of pages, and returns it. An address below the segment moves
  /// nothing: that is how a program learns where it ends. ENOMEM when it grows beyond RLIMIT_DATA or RLIMIT_AS, or the memory
  /// cannot be had (spec abi.md section 3).
  fileprivate func setBreak() throws(Errno) -> Answer {
    if let answer = waitForEdit() { return answer }
    let space = self.space
    let (start, oldEnd) = (space.program.dataStart, space.program.dataEnd)
    // What is too high wraps to zero.
    let newEnd = (arguments.first.raw &+ Page.offsetMask) & ~Page.offsetMask
    guard newEnd >= start else { return .value(oldEnd) }
    if newEnd > oldEnd {
      guard newEnd - start <= UInt64(max(0, process.limit(.data).soft)), newEnd <= ABI.UserSpace.end else {
        throw .enomem
      }
      try checkAddressSpaceLimit(newEnd - oldEnd)
      _ = try space.map(
        MapRequest(
          address: oldEnd, byteCount: newEnd - oldEnd, placement: .exclusive, protection: [.read, .write],
          maximum: .all, sharing: .private, object: nil))
      space.program.dataEnd = newEnd
      if space.wiresFuture { return try wire(from: oldEnd, newEnd - oldEnd, then: newEnd) }
    } else if newEnd < oldEnd, let range = AddressRange(covering: VirtualAddress(newEnd), byteCount: oldEnd - newEnd) {
      return try goOn(.unmap(range, dataEnd: newEnd))
    }
    return .value(newEnd)
  }
}
