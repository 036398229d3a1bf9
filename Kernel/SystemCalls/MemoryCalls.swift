// mmap(2), munmap(2), mprotect(2) and break(2): the argument checks in the order of spec shm.md 3.11, 3.13 and 3.14.

import ABI
import Files
import Memory
import Processes

/// The arguments of an mmap(2) that passed the checks which come before the descriptor (steps 1 to 13).
private struct MapArguments {
  let address: UInt64
  let byteCount: UInt64
  let protection: Protection
  let maximum: Protection
  let flags: MapFlags
  let descriptor: Int32
  /// The offset, rounded down to a page.
  let offset: UInt64
  /// What rounding took off.
  let pageOffset: UInt64

  var isAnonymous: Bool { flags.contains(.anonymous) || flags.contains(.guardRange) }

  init(_ arguments: Arguments) throws(Errno) {
    let protectionBits = UInt32(truncatingIfNeeded: arguments.third)
    guard protectionBits & ~Protection.argumentMask == 0 else { throw .einval }
    let wanted = Protection(argument: protectionBits)
    let limit = Protection.maximum(inArgument: protectionBits)
    if let limit, !limit.isSuperset(of: wanted) { throw .enotsup }
    protection = wanted
    maximum = limit ?? .all
    var flags = MapFlags(rawValue: UInt32(truncatingIfNeeded: arguments.fourth)).subtracting(.ignored)
    descriptor = Int32(truncatingIfNeeded: arguments.fifth)
    var position = arguments.sixth
    guard arguments.second != 0 else { throw .einval }
    if flags.contains(.anonymous) && (descriptor != -1 || position != 0) { throw .einval }
    if flags.contains(.stack) {
      guard descriptor == -1, wanted.isSuperset(of: [.read, .write]) else { throw .einval }
      flags.insert(.anonymous)
      position = 0
    }
    guard flags.subtracting(.alignmentMask).isSubset(of: .known) else { throw .einval }
    if flags.contains(.exclusive) && !flags.contains(.fixed) { throw .einval }
    if flags.isSuperset(of: [.shared, .privateCopy]) { throw .einval }
    if flags.contains(.guardRange) {
      let allowed: MapFlags = [.guardRange, .fixed, .exclusive, .low32Bit]
      guard flags.subtracting(.alignmentMask).isSubset(of: allowed), wanted.isEmpty, descriptor == -1, position == 0
      else { throw .einval }
    }
    self.flags = flags
    pageOffset = position & Page.offsetMask
    offset = position & ~Page.offsetMask
    let size = (arguments.second &+ pageOffset &+ Page.offsetMask) & ~Page.offsetMask
    guard arguments.second <= size else { throw .enomem }
    byteCount = size
    let shift = flags.alignmentShift
    if shift != 0 && shift != MapFlags.superpageAlignmentShift && (shift >= 64 || shift < 12) { throw .einval }
    address = arguments.first
    if flags.contains(.fixed) {
      let start = address &- pageOffset
      guard start & Page.offsetMask == 0, start >= ABI.UserSpace.start,
        ABI.UserSpace.contains(VirtualAddress(start), byteCount: size)
      else { throw .einval }
      if flags.contains(.low32Bit) && start + size > MapArguments.low32BitEnd { throw .einval }
    }
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

extension Kernel {
  // MARK: mmap

  func map(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let map = try MapArguments(arguments)
    if map.isAnonymous { return try mapAnonymous(map, thread, process) }
    let file = try fileTable(process).file(at: map.descriptor)
    guard map.flags.contains(.shared) || map.flags.contains(.privateCopy) else { throw .einval }
    let sharing: Sharing = map.flags.contains(.shared) ? .shared : .private
    var answer = try file.mapping(
      MappingQuery(
        sharing: sharing, protection: map.protection, maximumProtection: map.maximum, byteCount: map.byteCount,
        offset: Int64(bitPattern: map.offset)))
    var request = MapRequest(
      address: map.address, byteCount: map.byteCount, placement: map.placement,
      protection: map.protection, maximum: answer.maximumProtection,
      sharing: sharing, object: answer.object.take())
    request.offset = answer.pageOffset
    request.countsAsWritable = answer.countsAsWritable
    return try place(request, map, thread, process)
  }

  private func mapAnonymous(
    _ map: MapArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let isShared = map.flags.contains(.shared)
    var request = MapRequest(
      address: map.address, byteCount: map.byteCount, placement: map.placement,
      protection: map.protection, maximum: map.flags.contains(.guardRange) ? [] : map.maximum,
      sharing: isShared ? .shared : .private, object: nil)
    request.isGuard = map.flags.contains(.guardRange)
    if map.flags.contains(.stack) { request.stack = StackRequest(guardPageCount: memory.stackGuardPageCount) }
    return try place(request, map, thread, process)
  }

  private func place(
    _ request: consuming MapRequest, _ map: MapArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    try checkAddressSpaceLimit(map.byteCount, process)
    request.alignment = map.alignment
    let space = space(process)
    choosePlace(&request, map, space.program, process.limit(.data))
    if map.flags.contains(.low32Bit) { request.limit = MapArguments.low32BitEnd }
    var budget = unitsPerTurn
    let (address, outcome) = try space.map(request, &budget)
    let value = address.raw &+ map.pageOffset
    guard case .pending(let pending) = outcome else { return .value(value) }
    return cut(thread, .map(pending, value: value))
  }

  func continueMap(_ pending: PendingMapping, _ value: UInt64, _ thread: Thread) -> Outcome {
    var budget = unitsPerTurn
    switch pending.step(&budget) {
    case .complete: return .value(value)
    case .again: return cut(thread, .map(pending, value: value))
    case .wait(let channel): return park(thread, .map(pending, value: value), on: channel)
    }
  }

  /// Refuses with ENOMEM what RLIMIT_AS does not allow.
  private func checkAddressSpaceLimit(_ byteCount: UInt64, _ process: Process) throws(Errno) {
    let limit = process.limit(.addressSpace).soft
    guard limit != ResourceLimit.infinity else { return }
    let (total, overflow) = space(process).virtualByteCount.addingReportingOverflow(byteCount)
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
    request.address = hint == 0 || hint >= ABI.UserSpace.end ? request.fallback : hint
  }

  // MARK: munmap, mprotect

  /// munmap(2). The sums wrap as FreeBSD's do, so that a range which is empty after rounding is no error (spec shm.md 3.13).
  func unmap(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    guard arguments.second > 0 else { throw .einval }
    let start = arguments.first & ~Page.offsetMask
    let end = start &+ ((arguments.second &+ (arguments.first & Page.offsetMask) &+ Page.offsetMask) & ~Page.offsetMask)
    guard start >= ABI.UserSpace.start, start <= end, end <= ABI.UserSpace.end else { throw .einval }
    guard let range = AddressRange(covering: VirtualAddress(start), byteCount: end - start) else { return .value(0) }
    return continueUnmap(range, dataEnd: nil, thread, process)
  }

  func continueUnmap(
    _ range: AddressRange, dataEnd: UInt64?, _ thread: Thread, _ process: Process
  ) -> Outcome {
    var budget = unitsPerTurn
    switch space(process).unmap(range, &budget) {
    case .complete:
      if let dataEnd { space(process).program.dataEnd = dataEnd }
      return .value(dataEnd ?? 0)
    case .again: return cut(thread, .unmap(range, dataEnd: dataEnd))
    case .wait(let channel): return park(thread, .unmap(range, dataEnd: dataEnd), on: channel)
    }
  }

  func protect(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let bits = UInt32(truncatingIfNeeded: arguments.third)
    guard bits & ~Protection.argumentMask == 0 else { throw .einval }
    let start = arguments.first & ~Page.offsetMask
    let pageOffset = arguments.first & Page.offsetMask
    let size = (arguments.second &+ pageOffset &+ Page.offsetMask) & ~Page.offsetMask
    guard start &+ size >= start else { throw .einval }
    if size == 0 { return .value(0) }
    let protection = Protection(argument: bits)
    let maximum = Protection.maximum(inArgument: bits)
    if let maximum, !maximum.isSuperset(of: protection) { throw .enotsup }
    guard start < ABI.UserSpace.end else { return .value(0) }
    let byteCount = min(size, ABI.UserSpace.end - start)
    guard let range = AddressRange(covering: VirtualAddress(start), byteCount: byteCount) else { return .value(0) }
    return try continueProtect(PendingProtection(range, protection, maximum: maximum), thread, process)
  }

  @inline(__always)
  func continueProtect(
    _ pending: PendingProtection, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var pending = pending
    var budget = unitsPerTurn
    let outcome = try spaceReference(process).tryBorrow { space throws(Errno) in
      try space.protect(&pending, &budget)
    }
    switch outcome {
    case .complete: return .value(0)
    case .again: return cutProtect(pending, thread)
    case .wait(let channel): return park(thread, .protect(pending), on: channel)
    }
  }

  @inline(never)
  private func cutProtect(_ pending: PendingProtection, _ thread: Thread) -> Outcome {
    cut(thread, .protect(pending))
  }

  // MARK: break

  /// Moves the end of the data segment, which is a whole number of pages, and returns it. An address below the segment moves
  /// nothing: that is how a program learns where it ends. ENOMEM when it grows beyond RLIMIT_DATA or RLIMIT_AS, or the memory
  /// cannot be had (spec abi.md section 3).
  func setBreak(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let space = space(process)
    let (start, oldEnd) = (space.program.dataStart, space.program.dataEnd)
    // What is too high wraps to zero.
    let newEnd = (arguments.first &+ Page.offsetMask) & ~Page.offsetMask
    guard newEnd >= start else { return .value(oldEnd) }
    if newEnd > oldEnd {
      guard newEnd - start <= UInt64(max(0, process.limit(.data).soft)), newEnd <= ABI.UserSpace.end else {
        throw .enomem
      }
      try checkAddressSpaceLimit(newEnd - oldEnd, process)
      _ = try space.map(
        MapRequest(
          address: oldEnd, byteCount: newEnd - oldEnd, placement: .exclusive, protection: [.read, .write],
          maximum: .all, sharing: .private, object: nil))
      space.program.dataEnd = newEnd
    } else if newEnd < oldEnd, let range = AddressRange(covering: VirtualAddress(newEnd), byteCount: oldEnd - newEnd) {
      return continueUnmap(range, dataEnd: newEnd, thread, process)
    }
    return .value(newEnd)
  }
}
