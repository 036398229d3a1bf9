// Mappings of objects of 2 MiB pages: they are cut between two such pages only, and shown by leaves of that size (spec shm.md,
// 3.11).
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
}
