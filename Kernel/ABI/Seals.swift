// The seals of a shared memory object (spec abi.md, section 6; shm.md, 3.24).

/// Seals: what may no longer be done with a shared memory object.
public struct Seals: OptionSet, BitwiseCopyable, Sendable {
  /// The number as it crosses the boundary.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }
}

extension Seals {
  /// F_SEAL_SEAL: no more seals
  public static let seal = Seals(rawValue: 1)
  /// F_SEAL_SHRINK
  public static let shrink = Seals(rawValue: 2)
  /// F_SEAL_GROW
  public static let grow = Seals(rawValue: 4)
  /// F_SEAL_WRITE
  public static let write = Seals(rawValue: 8)
}
