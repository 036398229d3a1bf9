// Shared memory of large pages: how it is configured and how it grows (SHM_LARGEPAGE; spec shm.md, 2.4 and 3.22).
//
// Pages are 2 MiB; 1 GiB pages are not offered. A page is made when the object grows, in steps; each one that is there extends the
// object for good, even if the next cannot be had. Such an object never shrinks.

import ABI
import Memory
import Primitives

/// What is done when there is no memory for a large page.
enum LargePagePolicy: Int32 {
  /// SHM_LARGEPAGE_ALLOC_DEFAULT: ENOMEM. (FreeBSD moves pages about before; nothing is moved here.)
  case usual = 0
  /// SHM_LARGEPAGE_ALLOC_NOWAIT: ENOMEM.
  case immediate = 1
  /// SHM_LARGEPAGE_ALLOC_HARD: wait for it.
  case hard = 2
}

extension SharedMemoryObject {
  /// Whether it is one of large pages.
  var isLarge: Bool { flags.contains(.largePage) }

  /// The only size that there is, by its place among the sizes of pages.
  private static let largeSize: Int32 = 1

  /// FIOSSHMLPGCNF and FIOGSHMLPGCNF.
  ///
  /// Throws ENOTTY for an object of ordinary pages; EINVAL for a size that there is not, or another than it has, and for an
  /// unknown policy.
  func configureLargePages(_ request: InputOutputControl, _ data: inout [64 of UInt8]) throws(Errno) {
    guard isLarge else { throw .enotty }
    if request == .getLargePageConfiguration {
      data.store(largePageSize, at: 0)
      data.store(largePagePolicy.rawValue, at: 4)
      return
    }
    let wanted = Int32(bitPattern: data.span.loadUInt32(at: 0))
    guard largePageSize == 0 || wanted == largePageSize, wanted == SharedMemoryObject.largeSize,
      let policy = LargePagePolicy(rawValue: Int32(bitPattern: data.span.loadUInt32(at: 4)))
    else { throw .einval }
    if largePageSize == 0 { vmObject.becomeLarge() }
    largePageSize = wanted
    largePagePolicy = policy
  }

  /// Sets the size, in steps. Times stay as they are.
  ///
  /// Throws EINVAL before the size of its pages is known and for what is not a multiple of it; EPERM when a seal forbids it,
  /// EBUSY while the kernel maps it, otherwise EOPNOTSUPP where it would shrink; ENOMEM when there is no memory for a page: what
  /// was added before stays.
  func setLargeSize(_ length: Int64) throws(Errno) -> Progress {
    if length == size { return .complete }
    guard largePageSize != 0, length % Int64(VMObject.largeByteCount) == 0 else { throw .einval }
    if length < size {
      guard !seals.contains(.shrink) else { throw .eperm }
      guard kernelMappingCount == 0 else { throw .ebusy }
      throw .eopnotsupp
    }
    guard !seals.contains(.grow) else { throw .eperm }
    var budget = fileServicesReference.borrow { $0.pagesPerResizeStep }
    while size < length {
      switch vmObject.growByLargePage(&budget) {
      case .complete: size += Int64(VMObject.largeByteCount)
      case .again: return .again
      case .noMemory:
        guard largePagePolicy == .hard else { throw .enomem }
        return .wait(.frames)
      }
    }
    return .complete
  }
}
