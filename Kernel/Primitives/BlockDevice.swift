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
  /// It is under way; the device's interrupt leads to `MemorySystem.transferCompleted`.
  case pending
}

/// A device that stores pages.
public protocol BlockDevice: AnyObject {
  /// Page-sized blocks on the device.
  var blockCount: UInt32 { get }
  /// Starts moving one page. The frame stays put until the transfer is complete.
  func transfer(_ direction: TransferDirection, block: UInt32, frame: FrameNumber) -> TransferStatus
}
