// Changing the size of a shared memory object (spec shm.md, 2.4), and the value that a parked ftruncate(2) keeps.

public import ABI
import Memory

/// The state of an ftruncate(2).
public struct Resize {
  let length: Int64
  var hold: TransferHold?

  /// Describes a resize that has not begun.
  ///
  /// Throws EINVAL for a negative length, which comes before the descriptor is looked at.
  public init(length: Int64) throws(Errno) {
    guard length >= 0 else { throw .einval }
    self.length = length
  }
}

extension SharedMemoryObject {
  /// Sets the size. The caller has the whole range to itself.
  ///
  /// Throws EPERM when a seal forbids it, EBUSY while the kernel maps an object that would shrink, EIO when the last page
  /// cannot be read from swap, ENOMEM when swap for the growth is refused; then nothing has changed.
  func setSize(_ length: Int64) throws(Errno) -> Progress {
    if length == size { return .complete }
    if length < size {
      guard !seals.contains(.shrink) else { throw .eperm }
      guard kernelMappingCount == 0 else { throw .ebusy }
      switch zeroTail(from: UInt64(length)) {
      case .complete: break
      case .wait(let channel): return .wait(channel)
      case .failed: throw .eio
      }
    } else {
      guard !seals.contains(.grow) else { throw .eperm }
    }
    let pageCount = Page.count(covering: UInt64(length))
    if pageCount != vmObject.pageCount { try vmObject.resize(toPageCount: pageCount) }
    size = length
    modificationNanoseconds = fileSystem.timestamp
    changeNanoseconds = modificationNanoseconds
    return .complete
  }

  /// Zeroes what lies behind the new end in its page, wherever that page is, so that growing again shows zeros.
  private func zeroTail(from length: UInt64) -> PageOutcome {
    guard length & Page.offsetMask != 0 else { return .complete }
    return vmObject.zero(from: length, to: (length | Page.offsetMask) + 1)
  }
}
