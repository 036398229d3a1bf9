// The kernel heap of a simulated machine. The objects themselves come from the host, where they are counted; what is
// simulated is the reserve that the kernel asks for before each event, which can fail.

internal import HeapProbe
public import Primitives

/// A heap whose reserve fails on demand.
public final class SimulatedHeap: KernelHeap {
  /// How often the reserve was asked for.
  public private(set) var requestCount = 0
  /// The reserve fails at every request while this is set.
  public var alwaysFails = false

  private weak var services: KernelServices?

  /// A heap that never fails until told to.
  public override init() {}

  /// Lets the fail points of a kernel decide.
  func connect(_ services: KernelServices) { self.services = services }

  /// Says whether the reserve is full.
  public override func ensureReserve() -> Bool {
    requestCount += 1
    return !alwaysFails && services?.isToFail(.heapReserve) != true
  }

  /// What is alive is not counted: the host's runtime says only what it allocates.
  public override var allocatedByteCount: Int { 0 }
  /// What this thread has allocated, the machine's doubles left out.
  public override var totalUse: HeapAmount {
    HeapAmount(objectCount: Int(heap_probe_object_count()), byteCount: Int(heap_probe_byte_count()))
  }

  /// Whether allocations are counted: not under a sanitizer (Tests/HeapProbe).
  public static var isMeasured: Bool { heap_probe_is_active() != 0 }

  /// Runs a part of a double, whose allocations are not the kernel's.
  static func outside<Result>(_ body: () -> Result) -> Result {
    heap_probe_suspend()
    defer { heap_probe_resume() }
    return body()
  }
  /// The simulated heap holds no frames.
  public override var heldFrameCount: Int { 0 }
  /// Nothing to give back.
  public override func trim() {}
}
