// Leaves of 2 MiB: of objects of pages of that size, which are cut between two of them only (spec shm.md, 3.11), and of full
// reserved blocks (Reservations.swift).
import ABI
import Primitives

extension AddressSpace {
  /// Whether a change of a range would cut a large page in two: then it is refused.
  public func cutsLargePage(_ range: AddressRange) -> Bool {
    if system.largeObjectCount == 0 { return false }
    return cutsLargePage(at: range.start) || cutsLargePage(at: range.end)
  }

  private func cutsLargePage(at address: UInt64) -> Bool {
    guard let handle = find(address), let object = system.entries[handle].objectOrNil, object.hasLargePages else {
      return false
    }
    return (address - system.entries[handle].start) % VMObject.largeByteCount != 0
  }

  /// Whether nothing is mapped in a range.
  public func isFree(_ range: AddressRange) -> Bool {
    guard let handle = findFirst(endingAfter: range.start), !handle.isNone else { return true }
    return system.entries[handle].start >= range.end
  }

  /// Makes an access to a mapping of large pages possible.
  func resolveLarge(
    _ handle: Handle<MapEntry>, _ object: VMObject, at page: UInt64, _ access: AccessType
  ) -> FaultOutcome {
    let index = system.entries[handle].index(of: page)
    guard index < object.pageCount else { return .signal(.sigbus, code: .busObject) }
    let offset = index & (VMObject.largePageCount - 1)
    guard case .resident(let frame) = object.pages.lookup(index - offset, system.indexNodes) else {
      preconditionFailure("a large page with a hole")
    }
    let start = page - offset << Page.shift
    let protection = system.entries[handle].protection
    let isEntered = tables.enter(frame, at: start, .large, allowing: protection, for: access, system)
    return isEntered ? .resolved : .wait(.frames)
  }

  // MARK: Full blocks

  /// Where a shared memory object can be shown by large leaves once its blocks are full: at an address that differs from its offset
  /// by a multiple of 2 MiB (FreeBSD's VMFS_OPTIMAL_SPACE). Nil when it is too small for that, or there is no such place.
  func findPlaceForLargeLeaves(_ request: borrowing MapRequest) -> UInt64? {
    let size = VMObject.largeByteCount
    let remainder = request.offset << Page.shift & (size - 1)
    guard request.alignment == Page.byteCount, request.byteCount >= size,
      request.byteCount - (size - remainder) & (size - 1) >= size
    else { return nil }
    switch request.object {
    case .some(let reference):
      guard reference.object.kind == .sharedMemory, !reference.object.hasLargePages else { return nil }
    case .none: return nil
    }
    // As if the whole large page lay there in which it begins.
    let found = findSpace(
      request.byteCount + remainder, from: request.address, alignment: size, below: request.limit)
    return found.map { $0 + remainder }
  }

  /// Shows the whole block of a page by one leaf, if that is what the entry shows around the page, and nobody has to learn which
  /// of its pages are used. Returns whether it did.
  func enterBlock(
    of frame: FrameNumber, _ object: VMObject, _ handle: Handle<MapEntry>, at page: UInt64, _ protection: Protection,
    _ access: AccessType
  ) -> Bool {
    let start = page & ~(VMObject.largeByteCount - 1)
    let entry = system.entries.pin(handle)
    guard UInt64(frame.raw) & 511 == page >> Page.shift & 511, entry.value.start <= start,
      entry.value.end - start >= VMObject.largeByteCount, entry.value.wiring == .none,
      object.hiddenFrom == UInt64.max, entry.value.index(of: start) + VMObject.largePageCount <= object.pageCount
    else { return false }
    // One mark stands for all pages: where it can be set, all have to be dirty.
    if protection.contains(.write) && !isAllDirty(frame.block, at: start) { return false }
    guard tables.enter(frame.block.firstOfBlock, at: start, .large, allowing: protection, for: access, system) else {
      return false
    }
    system.counters.largeMappings &+= 1
    return true
  }

  /// Whether all pages of a full block are known to be dirty. What is not known is looked at before the space has pages of it.
  private func isAllDirty(_ block: FrameNumber, at start: UInt64) -> Bool {
    if system.blocks[block].isAllDirty { return true }
    if let (_, level) = tables.find(start, system), level == 0 { return false }
    let first = block.firstOfBlock
    system.settleMarks(of: first)
    if !system.hasMark(.dirty, block: block) {
      for raw in first.raw..<first.raw + 512
      where !system.frames[FrameNumber(raw)].flags.contains(.dirty) { return false }
    }
    system.blocks[block].isAllDirty = true
    return true
  }
}
