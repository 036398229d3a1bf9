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

  /// As many pages as page-out and page-in have for one transfer.
  public var mostPagesPerTransfer: Int { SwapLimits.pageOutCluster }
  /// Its memory was taken at the start.
  public var takesMemory: Bool { false }
  /// Copying a page takes about as long as a few looks.
  public var writeCost: Int { 4 }

  /// Copies pages.
  public func transfer(
    _ direction: TransferDirection, block: UInt32, frames: Span<FrameNumber>
  ) -> TransferStatus {
    guard block < blockCount, frames.count <= Int(blockCount - block) else { return .failed }
    for number in frames.indices {
      let place = (start + (UInt64(block) + UInt64(number)) * Page.byteCount).frame
      switch direction {
      case .read: physical.copy(place, to: frames[number])
      case .write: physical.copy(frames[number], to: place)
      }
    }
    return .done
  }

  /// The memory is the disk's whatever it holds.
  public func discard(block: UInt32) {}
}
