// Words of user memory that an event reads and changes, and what names one among all processes (spec signals.md section 3.2).
//
// An event runs to its end undisturbed, so a load and a store of the same event are one step for every thread.

public import ABI
public import Primitives

/// Why a word of user memory cannot be used now.
public enum WordFailure: Error, BitwiseCopyable {
  /// The operation is refused: EFAULT where there is no such word.
  case error(Errno)
  /// Park, then begin anew.
  case wait(Wait)
}

/// A word that other processes may see, by where it lies and not by its address.
public struct SharedPlace: BitwiseCopyable, Sendable {
  /// Names the object; no other ever has the same number.
  public let objectNumber: UInt64
  /// Bytes from the start of the object.
  public let offset: UInt64
  /// Whether children share the mapping that shows it (MAP_SHARED, or minherit(2)).
  public let isInherited: Bool
}

extension SharedPlace {
  /// Whether both are the same place of the same object.
  public func isSame(as other: SharedPlace) -> Bool {
    objectNumber == other.objectNumber && offset == other.offset
  }
}

/// Keeps something about places in objects as long as those exist. A class rather than a protocol, so that a back reference can
/// name one.
open class PlaceWatcher: Nameable {
  /// Makes one.
  public init() {}
  /// An object has gone that has this number in its places.
  open func placesEnded(_ objectNumber: UInt64) {}
}

extension AddressSpace {
  /// Names the space among those that there are.
  @inline(__always)
  public var number: UInt64 { UInt64(tables.root.raw) }

  /// Where a byte lies, with the rest of its page, brought in and made private if the access wants that.
  @inline(__always)
  private func reach(_ address: VirtualAddress, _ access: AccessType) throws(WordFailure) -> PhysicalAddress {
    if let place = translate(address, access) { return place }
    return try bringIn(address, access)
  }

  @inline(never)
  private func bringIn(_ address: VirtualAddress, _ access: AccessType) throws(WordFailure) -> PhysicalAddress {
    switch resolveFault(at: address, access) {
    case .wait(let wait): throw .wait(wait)
    case .signal: throw .error(.efault)
    case .resolved:
      guard let place = translate(address, access) else { throw .error(.efault) }
      return place
    }
  }

  /// A word.
  @inline(__always)
  public func load<Value: FixedWidthInteger & BitwiseCopyable>(
    _ type: Value.Type, at address: VirtualAddress
  ) throws(WordFailure) -> Value {
    if crossesPage(address, MemoryLayout<Value>.size) {
      return Value(truncatingIfNeeded: try loadAcross(address, MemoryLayout<Value>.size))
    }
    return system.physical.load(bytesOf: type, at: try reach(address, .read))
  }

  /// Stores a word.
  @inline(__always)
  public func store<Value: FixedWidthInteger & BitwiseCopyable>(
    _ value: Value, at address: VirtualAddress
  ) throws(WordFailure) {
    if crossesPage(address, MemoryLayout<Value>.size) {
      return try storeAcross(UInt64(truncatingIfNeeded: value), MemoryLayout<Value>.size, address)
    }
    system.physical.store(bytesOf: value, at: try reach(address, .write))
  }

  /// Makes sure that a word can be stored in this event.
  @inline(__always)
  public func prepareStore(of byteCount: Int, at address: VirtualAddress) throws(WordFailure) {
    _ = try reach(address, .write)
    if crossesPage(address, byteCount) { _ = try reach(VirtualAddress(address.raw &+ UInt64(byteCount) &- 1), .write) }
  }

  @inline(__always)
  private func crossesPage(_ address: VirtualAddress, _ byteCount: Int) -> Bool {
    address.pageOffset > Page.byteCount &- UInt64(byteCount)
  }

  /// A word that lies in two pages.
  @inline(never)
  private func loadAcross(_ address: VirtualAddress, _ byteCount: Int) throws(WordFailure) -> UInt64 {
    var word: UInt64 = 0
    for index in 0..<UInt64(byteCount) {
      let place = try reach(VirtualAddress(address.raw &+ index), .read)
      word |= UInt64(system.physical.load(bytesOf: UInt8.self, at: place)) &<< (8 &* index)
    }
    return word
  }

  @inline(never)
  private func storeAcross(_ word: UInt64, _ byteCount: Int, _ address: VirtualAddress) throws(WordFailure) {
    try prepareStore(of: byteCount, at: address)
    for index in 0..<UInt64(byteCount) {
      let place = try reach(VirtualAddress(address.raw &+ index), .write)
      system.physical.store(bytesOf: UInt8(truncatingIfNeeded: word &>> (8 &* index)), at: place)
    }
  }

  /// Whether what a mapping shows has been destroyed (UMTX_SHM_ALIVE). Throws EFAULT when nothing is mapped there that can be
  /// read, EINVAL when nothing is behind it yet.
  public func showsDestroyedObject(at address: VirtualAddress) throws(WordFailure) -> Bool {
    if let wait = editWait { throw .wait(wait) }
    guard address.raw >= UserSpace.start, address.raw < UserSpace.end, let handle = find(address.raw),
      system.entries[handle].protection.contains(.read)
    else { throw .error(.efault) }
    let object = system.entries[handle].objectReference
    if object.isEmpty { throw .error(.einval) }
    return object.borrow { $0.isDestroyed }
  }

  /// Names a word of a mapping that can be written. The mapping gets an object of its own first if it needs one; the word's
  /// page is not brought in.
  public func sharedPlace(of address: VirtualAddress) throws(WordFailure) -> SharedPlace {
    if let wait = editWait { throw .wait(wait) }
    guard address.raw >= UserSpace.start, address.raw < UserSpace.end, let handle = find(address.raw),
      system.entries[handle].protection.contains(.write)
    else { throw .error(.efault) }
    if system.entries[handle].needsCopy || system.entries[handle].objectOrNil == nil {
      guard system.hasHeapReserve else { throw .wait(.frames) }
      ownObject(of: handle)
    }
    let entries = system.entries
    let object = entries[handle].objectReference
    let number = object.borrow { $0.placeNumber(system) }
    let offset = entries[handle].offset &<< Page.shift &+ (address.raw &- entries[handle].start)
    return SharedPlace(objectNumber: number, offset: offset, isInherited: entries[handle].inheritance == .share)
  }
}
