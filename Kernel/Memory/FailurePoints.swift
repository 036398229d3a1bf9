// Failure on demand, in the manner of fail(9): the nth allocation or transfer of a kind fails.

/// What can be made to fail.
public enum FailureKind: UInt8, BitwiseCopyable, Sendable {
  /// Taking a frame.
  case frame
  /// Filling the heap's reserve.
  case heapReserve
  /// Taking a swap block.
  case swapBlock
  /// A transfer of the block device.
  case transfer
}

/// Which allocations are to fail. Not armed, it costs one test per allocation.
public struct FailurePoints: BitwiseCopyable, Sendable {
  /// Whether anything can fail or is being counted.
  public private(set) var isArmed = false
  private var remaining = [4 of UInt32](repeating: 0)
  private var seen = [4 of UInt32](repeating: 0)

  init() {}

  /// Makes the `number`th (from 1) event of `kind` from now on fail, once.
  public mutating func fail(_ kind: FailureKind, number: UInt32) {
    remaining[Int(kind.rawValue)] = number
    isArmed = true
  }

  /// Counts events without failing any.
  public mutating func startCounting() {
    self = FailurePoints()
    isArmed = true
  }

  /// Forgets everything.
  public mutating func disarm() {
    self = FailurePoints()
  }

  /// Events of `kind` since arming.
  public func count(_ kind: FailureKind) -> UInt32 { seen[Int(kind.rawValue)] }

  /// Counts an event and says whether it is to fail.
  public mutating func shouldFail(_ kind: FailureKind) -> Bool {
    let slot = Int(kind.rawValue)
    seen[slot] &+= 1
    guard remaining[slot] > 0 else { return false }
    remaining[slot] -= 1
    return remaining[slot] == 0
  }
}
