// The names of swap blocks: unique among all devices.
//
// The upper four bits say which device, the lower 28 which block of it: a device has at most 2^28 blocks (1 TiB).

/// A block of a swap device.
public struct SwapBlock: Equatable, BitwiseCopyable, Sendable {
  /// The number among the blocks of all devices.
  public let raw: UInt32
  /// Wraps a number.
  @inline(__always)
  public init(_ raw: UInt32) { self.raw = raw }
  /// Names a block of a device.
  @inline(__always)
  init(device: Int, _ number: UInt32) { raw = UInt32(truncatingIfNeeded: device) << 28 | number }
  /// No block.
  public static let none = SwapBlock(0)
  /// Blocks that a device may have.
  static let countLimit: UInt32 = 1 << 28

  /// Which device it is on.
  @inline(__always)
  public var device: Int { Int(raw >> 28) }
  /// Its number on the device.
  @inline(__always)
  public var number: UInt32 { raw & (SwapBlock.countLimit - 1) }

  /// The block so many behind.
  @inline(__always)
  func advanced(by count: Int) -> SwapBlock { SwapBlock(raw &+ UInt32(truncatingIfNeeded: count)) }
}

/// Consecutive blocks of one device.
struct SwapRun {
  /// The first.
  let first: SwapBlock
  /// How many; at least one.
  let count: Int
}
