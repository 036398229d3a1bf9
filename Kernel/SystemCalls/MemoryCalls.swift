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
    let position = arguments.sixth
    guard arguments.second != 0 else { throw .einval }
    if flags.contains(.anonymous) && (descriptor != -1 || position != 0) { throw .einval }
    if flags.contains(.stack) {
      guard descriptor == -1, wanted.isSuperset(of: [.read, .write]) else { throw .einval }
      flags.insert(.anonymous)
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
      address: placementAddress(map, process), byteCount: map.byteCount, placement: map.placement,
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
    let request = MapRequest(
      address: placementAddress(map, process), byteCount: map.byteCount, placement: map.placement,
      protection: map.protection, maximum: map.flags.contains(.guardRange) ? [] : map.maximum,
      sharing: isShared ? .shared : .private, object: nil)
    return try place(request, map, thread, process)
  }

  private func place(
    _ request: consuming MapRequest, _ map: MapArguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    try checkAddressSpaceLimit(map.byteCount, process)
    request.alignment = map.alignment
    if map.flags.contains(.low32Bit) { request.limit = MapArguments.low32BitEnd }
    var budget = unitsPerTurn
    let (address, outcome) = try space(process).map(request, &budget)
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
  /// end of the data segment, behind that end (spec shm.md 3.11, step 13).
  private func placementAddress(_ map: MapArguments, _ process: Process) -> UInt64 {
    if map.flags.contains(.fixed) { return map.address &- map.pageOffset }
    let hint = map.address & ~Page.offsetMask
    if map.flags.contains(.low32Bit) { return hint < MapArguments.low32BitEnd ? hint : 0 }
    let data = UInt64(process.limit(.data).hard)
    let (end, overflow) = process.breakStart.addingReportingOverflow(data)
    let behindData =
      overflow || end >= ABI.UserSpace.end ? ABI.UserSpace.start : (end + Page.offsetMask) & ~Page.offsetMask
    let isInReachOfData = hint >= process.programStart && hint < behindData
    return map.address == 0 || isInReachOfData || hint >= ABI.UserSpace.end ? behindData : hint
  }

  // MARK: munmap, mprotect

  func unmap(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    guard let range = AddressRange(covering: VirtualAddress(arguments.first), byteCount: arguments.second) else {
      throw .einval
    }
    return continueUnmap(range, breakAddress: nil, thread, process)
  }

  func continueUnmap(
    _ range: AddressRange, breakAddress: UInt64?, _ thread: Thread, _ process: Process
  ) -> Outcome {
    var budget = unitsPerTurn
    switch space(process).unmap(range, &budget) {
    case .complete:
      if let breakAddress { process.breakAddress = breakAddress }
      return .value(breakAddress ?? 0)
    case .again: return cut(thread, .unmap(range, breakAddress: breakAddress))
    case .wait(let channel): return park(thread, .unmap(range, breakAddress: breakAddress), on: channel)
    }
  }

  func protect(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let bits = UInt32(truncatingIfNeeded: arguments.third)
    guard bits & ~Protection.argumentMask == 0 else { throw .einval }
    let start = arguments.first & ~Page.offsetMask
    let pageOffset = arguments.first & Page.offsetMask
    let size = (arguments.second &+ pageOffset &+ Page.offsetMask) & ~Page.offsetMask
    guard start &+ size >= start else { throw .einval }
    let protection = Protection(argument: bits)
    let maximum = Protection.maximum(inArgument: bits)
    if let maximum, !maximum.isSuperset(of: protection) { throw .enotsup }
    guard arguments.second > 0, start < ABI.UserSpace.end else { return .value(0) }
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

  /// Moves the end of the data segment. EINVAL below its start; ENOMEM when it grows beyond RLIMIT_DATA or RLIMIT_AS, or the
  /// memory cannot be had.
  func setBreak(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let wanted = arguments.first
    guard wanted >= process.breakStart else { throw .einval }
    guard wanted <= process.breakAddress || wanted - process.breakStart <= UInt64(max(0, process.limit(.data).soft)),
      wanted <= ABI.UserSpace.end
    else { throw .enomem }
    let oldEnd = (process.breakAddress + Page.offsetMask) & ~Page.offsetMask
    let newEnd = (wanted + Page.offsetMask) & ~Page.offsetMask
    if newEnd > oldEnd {
      try checkAddressSpaceLimit(newEnd - oldEnd, process)
      _ = try space(process).map(
        MapRequest(
          address: oldEnd, byteCount: newEnd - oldEnd, placement: .exclusive, protection: [.read, .write],
          maximum: .all, sharing: .private, object: nil))
    } else if newEnd < oldEnd, let range = AddressRange(covering: VirtualAddress(newEnd), byteCount: oldEnd - newEnd) {
      return continueUnmap(range, breakAddress: wanted, thread, process)
    }
    process.breakAddress = wanted
    return .value(wanted)
  }
}
