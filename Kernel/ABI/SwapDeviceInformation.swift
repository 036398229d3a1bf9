// struct xswdev, which vm.swap_info gives (sys/vm/vm_param.h of FreeBSD 15).

/// A swap device: `struct xswdev`.
public struct SwapDeviceInformation: BitwiseCopyable, Sendable {
  /// The bytes of the structure.
  public static let byteCount = 32
  /// The number of the first swap device (xsw_dev), which no device under /dev has.
  public static let firstDevice: UInt64 = 0x400
  /// XSWDEV_VERSION
  private static let version: UInt32 = 2
  /// SW_CLOSING
  private static let closing: UInt32 = 4

  private let device: UInt64
  private let flags: UInt32
  private let pageCount: UInt32
  private let usedPageCount: UInt32

  /// - Parameters:
  ///   - device: its number.
  ///   - isClosing: whether what is on it is being brought back.
  ///   - pageCount: its size in pages.
  ///   - usedPageCount: how many of them hold something.
  public init(device: UInt64, isClosing: Bool, pageCount: UInt32, usedPageCount: UInt32) {
    self.device = device
    flags = isClosing ? Self.closing : 0
    self.pageCount = pageCount
    self.usedPageCount = usedPageCount
  }

  /// The words of the structure that are not 0, each with its offset in bytes.
  public func forEachWord(_ body: (_ offset: Int, _ word: UInt32) -> Void) {
    body(0, Self.version)
    body(8, UInt32(truncatingIfNeeded: device))
    body(12, UInt32(truncatingIfNeeded: device >> 32))
    body(16, flags)
    body(20, pageCount)
    body(24, usedPageCount)
  }
}
