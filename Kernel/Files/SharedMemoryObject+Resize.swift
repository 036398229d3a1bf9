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
  /// Shrinking goes from the end in bounded steps (`.again`); in between the object has a size in between.
  ///
  /// Throws EPERM when a seal forbids it, EBUSY while the kernel maps an object that would shrink, EIO when the last page
  /// cannot be read from swap, ENOMEM when swap for the growth is refused; then this step has changed nothing.
  func setSize(_ length: Int64) throws(Errno) -> Progress {
    if length == size { return .complete }
    let isDone: Bool
    if length < size {
      guard !seals.contains(.shrink) else { throw .eperm }
      guard kernelMappingCount == 0 else { throw .ebusy }
      // Every step zeroes the tail anew: others may have stored there through a mapping since the last one.
      switch zeroTail(from: UInt64(length)) {
      case .complete: break
      case .wait(let channel): return .wait(channel)
      case .failed: throw .eio
      }
      isDone = shrink(to: length)
    } else {
      guard !seals.contains(.grow) else { throw .eperm }
      let pageCount = Page.count(covering: UInt64(length))
      if pageCount != vmObject.pageCount { try vmObject.resize(toPageCount: pageCount) }
      size = length
      isDone = true
    }
    modificationNanoseconds = timestamp
    changeNanoseconds = modificationNanoseconds
    return isDone ? .complete : .again
  }

  /// Returns whether the size is reached.
  private func shrink(to length: Int64) -> Bool {
    let pageCount = Page.count(covering: UInt64(length))
    if pageCount < vmObject.pageCount {
      var budget = FileLimits.pagesPerResizeStep
      if !vmObject.shrink(toPageCount: pageCount, budget: &budget) {
        size = Int64(min(UInt64(size), vmObject.pageCount << Page.shift))
        return false
      }
    }
    size = length
    return true
  }

  /// Zeroes what lies behind the new end in its page, wherever that page is, so that growing again shows zeros.
  private func zeroTail(from length: UInt64) -> PageOutcome {
    guard length & Page.offsetMask != 0 else { return .complete }
    return vmObject.zero(from: length, to: (length | Page.offsetMask) + 1)
  }
}
