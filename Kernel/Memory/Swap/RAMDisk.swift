// The first block device: a part of the machine's memory that the allocator never sees.

public import Primitives

/// A block device in physical memory. Transfers are complete when they return.
public final class RAMDisk: BlockDevice {
  private let physical: PhysicalMemory
  private let start: PhysicalAddress
  /// Page-sized blocks on the disk.
  public let blockCount: UInt32

  /// Makes a disk of `blockCount` pages from `start` on, which the caller reserved.
  public init(_ physical: PhysicalMemory, at start: PhysicalAddress, blockCount: UInt32) {
    self.physical = physical
    self.start = start
    self.blockCount = blockCount
  }

  /// Copies a page.
  public func transfer(_ direction: TransferDirection, block: UInt32, frame: FrameNumber) -> TransferStatus {
    guard block < blockCount else { return .failed }
    let place = (start + UInt64(block) * Page.byteCount).frame
    switch direction {
    case .read: physical.copy(place, to: frame)
    case .write: physical.copy(frame, to: place)
    }
    return .done
  }
}
