// Figures of paging.

/// What bounds a transfer, and a swap space.
enum SwapLimits {
  /// Neighbours that are written out in one transfer (FreeBSD's MAX_PAGEOUT_CLUSTER).
  static let pageOutCluster = 32
  /// Pages that are read in one transfer: those of an aligned group of so many (spec vm.md section 6).
  static let readAround = 16
  /// Free runs of blocks that are looked at for one that is long enough.
  static let runsPerSearch = 8
  /// Devices that there may be.
  static let devices = 8
  /// Blocks beside those in use that have to be free elsewhere for a device to be taken out of use (FreeBSD's nswap_lowat).
  static let spareForRemoval = 128
  /// Work of a step of swapoff(2), in looks at a page: moving a page may take as long as compressing one.
  static let unitsForPage = 4
}
