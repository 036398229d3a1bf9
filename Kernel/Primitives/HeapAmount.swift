// What events may take from the heap of small objects, and the reserve that is kept for it (DESIGN, "Running out of
// memory").
//
// Invariant, kept by three places together: the reserve is never used up.
// - Every event declares how many small objects it makes at most (`SystemCallTable`, `HeapCost`), and none of these
//   declarations, with one more object for a fault on the way, exceeds `reservePageCount` (checked when the kernel starts).
// - An event that declares any object begins, or goes on after it was parked, only after `KernelHeap.ensureReserve` said
//   that `reservePageCount` pages are in reserve; a fault that needs an object asks again right before it makes it.
// - The allocator takes a page from the reserve only where no page of the object's size has room, so n objects take at most
//   n pages, whatever their sizes.
// That the declarations are true is measured: `EventMonitor` compares them with what each event really allocates, after
// every event of the simulation and, with the kernel option `inspect`, of the booted kernel.

/// A number of small objects and the bytes that they take.
public struct HeapAmount: Equatable, BitwiseCopyable, Sendable {
  /// Objects: class instances, boxes, the storage of arrays.
  public var objectCount: Int
  /// Their bytes, as the allocator rounds them.
  public var byteCount: Int

  /// An amount.
  @inline(__always)
  public init(objectCount: Int, byteCount: Int) {
    self.objectCount = objectCount
    self.byteCount = byteCount
  }

  /// Nothing.
  @inline(__always)
  public static var none: HeapAmount { HeapAmount(objectCount: 0, byteCount: 0) }

  /// Both together.
  public static func + (left: HeapAmount, right: HeapAmount) -> HeapAmount {
    HeapAmount(objectCount: left.objectCount + right.objectCount, byteCount: left.byteCount + right.byteCount)
  }

  /// What is left of `left` without `right`.
  public static func - (left: HeapAmount, right: HeapAmount) -> HeapAmount {
    HeapAmount(objectCount: left.objectCount - right.objectCount, byteCount: left.byteCount - right.byteCount)
  }

  /// The amount so many times.
  public static func * (left: HeapAmount, times: Int) -> HeapAmount {
    HeapAmount(objectCount: left.objectCount * times, byteCount: left.byteCount * times)
  }

  /// Whether `use` is no more than this.
  public func covers(_ use: HeapAmount) -> Bool {
    use.objectCount <= objectCount && use.byteCount <= byteCount
  }

  /// The larger of both in each respect.
  public func maximum(_ other: HeapAmount) -> HeapAmount {
    HeapAmount(
      objectCount: max(objectCount, other.objectCount), byteCount: max(byteCount, other.byteCount))
  }
}

/// The limits of the heap of small objects.
public enum HeapLimits {
  /// Pages in reserve when an event begins that may allocate: its bound in objects, each of which may need a page.
  @inline(__always)
  public static var reservePageCount: Int { 16 }
  /// The largest object that is small: the last size class. What is larger is allocated at start only.
  @inline(__always)
  public static var largestObjectByteCount: Int { 2032 }
  /// What resolving one fault allocates, of ring 3 or of the kernel on its way to user memory: the VM object of a mapping
  /// that had none of its own.
  public static var fault: HeapAmount { HeapAmount(objectCount: 1, byteCount: 192) }
}
