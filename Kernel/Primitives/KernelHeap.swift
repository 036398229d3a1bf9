// The heap of small objects as portable code sees it (HeapAmount.swift).

/// The allocator behind Swift objects, which must never fail: it keeps a reserve that is filled up before each event.
open class KernelHeap: Nameable {
  /// Makes one; every member has to be overridden.
  public init() {}
  /// Fills the reserve up to what one event may need. Returns false when frames for it cannot be had.
  open func ensureReserve() -> Bool { preconditionFailure("abstract") }
  /// Bytes of live allocations.
  open var allocatedByteCount: Int { preconditionFailure("abstract") }
  /// All that was ever allocated; only grows.
  open var totalUse: HeapAmount { preconditionFailure("abstract") }
  /// Gives back frames of the reserve beyond what is worth keeping, a bounded number of them.
  open func giveBackExcess() {}
  /// Bytes that an object takes, or nil where that is not known.
  open func byteCount(of object: AnyObject) -> Int? { nil }
  /// Frames that the heap holds, reserve included.
  open var heldFrameCount: Int { preconditionFailure("abstract") }
  /// The address of an object that was written to where nothing may be written, if there is one and it is known.
  open var damagedObject: UInt64? { nil }
  /// Damages an object on purpose; false when there is no such damage (kernel option `inspect-test`).
  open func plantDamage(_ name: Span<UInt8>) -> Bool { false }
  /// Gives back the frames of the reserve and those that nothing lives in.
  open func trim() { preconditionFailure("abstract") }
}
