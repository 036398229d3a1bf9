// The kernel heap of a simulated machine. The objects themselves come from the host; what is simulated is the reserve that
// the kernel asks for before each event, which can fail.

public import Memory

/// A heap whose reserve fails on demand.
public final class SimulatedHeap: KernelHeap {
  /// How often the reserve was asked for.
  public private(set) var requestCount = 0
  /// The reserve fails at the request with this number (counted from 1), and only there; 0: never.
  public var failingRequest = 0
  /// The reserve fails at every request while this is set.
  public var alwaysFails = false

  /// A heap that never fails until told to.
  public override init() {}

  /// Says whether the reserve is full.
  public override func ensureReserve() -> Bool {
    requestCount += 1
    return !alwaysFails && requestCount != failingRequest
  }

  /// The host's allocator is not counted.
  public override var allocatedByteCount: Int { 0 }
  /// The simulated heap holds no frames.
  public override var heldFrameCount: Int { 0 }
  /// Nothing to give back.
  public override func trim() {}
}
