// What is told of the mappings of an address space (sysctl kern.proc.vmmap; FreeBSD's kern_proc_vmmap_out).
//
// Mappings are told one at a time, in order: a listing goes on behind the end of the one before, whatever has become of that.
// How many pages of one are in memory is counted in steps; when the mapping has changed meanwhile, what has been counted stands
// for what was there.

public import ABI
import Primitives

/// How far a listing of mappings is.
public struct MappingListing: BitwiseCopyable, Sendable {
  /// Where the next mapping begins, or later.
  fileprivate var address: UInt64 = 0
  /// Where the counting of its pages goes on; 0: at its beginning.
  fileprivate var position: UInt64 = 0
  fileprivate var residentCount = 0

  /// A listing before the first mapping.
  public init() {}
}

/// A mapping as it is told of.
public struct ListedMapping {
  /// What is said of it.
  public let information: MappingInformation
  /// The object that it shows in the end, if it shows one.
  public let object: VMObject?
}

extension AddressSpace {
  /// Pages that are looked at together.
  private static let pagesPerLook: UInt64 = 32

  /// The next mapping, of which the listing is told when it has been delivered (`MappingListing.advance`); nil at the end. Takes
  /// what it looks at off `budget`, and is not complete when that is used up before.
  public func next(_ listing: inout MappingListing, _ budget: inout Int) -> (isComplete: Bool, mapping: ListedMapping?)
  {
    guard let handle = findFirst(endingAfter: listing.address), !handle.isNone else { return (true, nil) }
    guard countResident(handle, &listing, &budget) else { return (false, nil) }
    return (true, describe(handle, residentCount: listing.residentCount))
  }

  /// The listing goes on behind the mapping that it is at.
  public func advance(_ listing: inout MappingListing) {
    let handle = findFirst(endingAfter: listing.address) ?? .none
    listing.address = handle.isNone ? UInt64.max : system.entries[handle].end
    listing.position = 0
    listing.residentCount = 0
  }

  /// Goes on counting the pages of a mapping that are in memory. Returns whether all were.
  private func countResident(_ handle: Handle<MapEntry>, _ listing: inout MappingListing, _ budget: inout Int) -> Bool {
    let end = system.entries[handle].end
    var position = max(listing.position, system.entries[handle].start)
    while position < end, let object = system.entries[handle].objectOrNil {
      if budget <= 0 {
        listing.position = position
        return false
      }
      budget -= 1
      let count = min(Self.pagesPerLook, (end - position) >> Page.shift)
      for page in 0..<count {
        let index = system.entries[handle].index(of: position + page << Page.shift)
        if object.isResident(index, behind: 8) { listing.residentCount += 1 }
      }
      position += count << Page.shift
    }
    return true
  }

  private func describe(_ handle: Handle<MapEntry>, residentCount: Int) -> ListedMapping {
    let object = system.entries[handle].objectOrNil
    let kind = system.entries[handle].kind
    let isPrivate = system.entries[handle].sharing == .private
    var flags: MappingInformationFlags = []
    if isPrivate && !system.entries[handle].isGuard { flags.insert(.copyOnWrite) }
    if system.entries[handle].needsCopy { flags.insert(.needsCopy) }
    if system.entries[handle].wiring != .none { flags.insert(.wired) }
    if system.entries[handle].advice.excludesCore { flags.insert(.noCore) }
    if kind == .stack { flags.insert(.growsDown) }
    var last = object
    while let behind = last?.backingObject { last = behind }
    if let last, last.kind == .sharedMemory { flags.insert(.sharedMemory) }
    let type: MappingInformationType =
      system.entries[handle].isGuard ? .guardRange : last.map { $0.kind == .file ? .file : .swap } ?? .none
    let offset = system.entries[handle].isGuard ? 0 : system.entries[handle].offset << Page.shift
    let information = MappingInformation(
      type, start: system.entries[handle].start, end: system.entries[handle].end, offset: offset, flags,
      system.entries[handle].protection, residentCount: residentCount, privateCount: object?.residentCount ?? 0,
      referenceCount: object?.referenceCount ?? 0, shadowCount: Int(object?.shadowCount ?? 0))
    return ListedMapping(information: information, object: last)
  }
}

extension VMObject {
  /// Whether a page is in memory, in this object or in one of so many behind it.
  fileprivate func isResident(_ index: UInt64, behind depth: Int) -> Bool {
    var index = index
    var object: VMObject? = self
    for _ in 0...depth {
      guard let current = object else { return false }
      switch current.pages.lookup(index, system.indexNodes) {
      case .resident: return index < current.hiddenFrom || index >= current.hiddenEnd
      case .swapped: return false
      case .empty: break
      }
      index &+= current.backingOffset
      object = current.backingObject
    }
    return false
  }
}
