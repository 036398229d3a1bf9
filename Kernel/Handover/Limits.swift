// Every limit of this module by name: what a boot loader may hand over. They keep a damaged table from filling the heap that
// the kernel starts with, which has a fixed size.

/// Limits of what a boot loader hands over.
public enum HandoverLimits {
  /// Entries of the loader's memory map, empty ones not counted.
  public static let regionCount = 256
  /// Microseconds of a turn that can be asked for.
  static let turnMicroseconds: ClosedRange<UInt64> = 20...10_000
  /// Swap devices.
  static let swapDeviceCount = 8
  /// Modules.
  public static let moduleCount = 512
  /// Bytes of a memory map, empty entries and all, and of the whole information of the second specification.
  static let mapByteCount: UInt64 = 64 * 1024
  static let informationByteCount: UInt64 = 1 << 20
  /// Bytes of one command line, the kernel's or a module's.
  public static let textByteCount = 4096
  /// Bytes of all command lines together.
  public static let allTextByteCount = 64 * 1024
  /// Ranges of frames: every region and every module can add one, and so can each of the few things taken out for good.
  static let frameRangeCount = regionCount + moduleCount + 16
  /// Where the identity map of the boot stub, through which everything is read, ends.
  static let readableEnd: UInt64 = 1 << 32
  /// Frames from here on do not fit the frame numbers of the portable kernel: 1 TiB.
  static let frameCount: UInt64 = 1 << 28
  /// Frames from here on cannot be reached before the final page tables are loaded: 4 GiB.
  static let lowFrameCount: UInt32 = 1 << 20
  /// The least memory that the kernel and its tables fit into: 24 MiB, of which a machine with 32 MiB always has more.
  static let leastFrameCount: UInt64 = 24 * 256
}
