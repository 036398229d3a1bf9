// What stores pages outside memory.

/// The direction of a transfer between memory and a block device.
public enum TransferDirection: Sendable {
  /// From the device into memory.
  case read
  /// From memory to the device.
  case write
}

/// What a block device says when a transfer is started.
public enum TransferStatus: Sendable {
  /// It is complete.
  case done
  /// It failed.
  case failed
  /// The device does not take this content; it is as whole as before, and other content may be taken.
  case refused
  /// It is under way; the device's interrupt leads to `MemorySystem.transferCompleted`.
  case pending
}

/// A device that stores pages.
public protocol BlockDevice: AnyObject {
  /// Page-sized blocks on the device.
  var blockCount: UInt32 { get }
  /// Pages that one transfer moves at most.
  var mostPagesPerTransfer: Int { get }
  /// Whether what it holds takes frames that others could have. Such a device may refuse pages.
  var takesMemory: Bool { get }
  /// What it costs to write a page, in looks at a page.
  var writeCost: Int { get }
  /// Starts moving pages from or to consecutive blocks, `block` the first. The frames stay put until the transfer is complete.
  func transfer(_ direction: TransferDirection, block: UInt32, frames: Span<FrameNumber>) -> TransferStatus
  /// Nobody will read a block before it is written again.
  func discard(block: UInt32)
}
