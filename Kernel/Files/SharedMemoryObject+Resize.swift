// Changing the size of a shared memory object (spec shm.md, 2.4), and the value that a parked ftruncate(2) keeps.
//
// The size changes once, in the last step of a resize. Shrinking removes pages in steps before that, behind the back of
// everybody: reads, writes and other changes of size wait for the range lock, faults wait for the VM object
// (VMObject+Shrink), and fstat(2) shows what was there. Once the first page has gone the resize needs no memory and waits for
// nothing, so it gets to its end.

public import ABI
import Memory
import Primitives

/// The state of an ftruncate(2).
public struct Resize {
  let length: Int64
  /// Whether pages have gone: the resize runs to its end, whatever becomes of its process meanwhile.
  public internal(set) var hasBegun = false
  /// Where a shrinking that spares wired pages goes on.
  var position: UInt64 = 0
  var hold: TransferHold?

  /// Describes a resize that has not begun.
  ///
  /// Throws EINVAL for a negative length, which comes before the descriptor is looked at.
  public init(length: Int64) throws(Errno) {
    guard length >= 0 else { throw .einval }
    self.length = length
  }

  /// Gives up the place in the line for the object, because the process stops: it queues up anew when that goes on. The
  /// resize must not have begun.
  public mutating func giveUpPlace() {
    precondition(!hasBegun)
    hold = nil
  }
}

extension SharedMemoryObject {
  /// Sets the size. The caller has the whole range to itself.
  ///
  /// Shrinking goes from the end in bounded steps (`.again`); in between the object looks as it did before.
  ///
  /// Throws EPERM when a seal forbids it, EBUSY while the kernel maps an object that would shrink, EIO when the last page
  /// cannot be read from swap, ENOMEM when swap for the growth is refused; then nothing has changed.
  func setSize(_ resize: inout Resize) throws(Errno) -> Progress {
    let length = resize.length
    if isLarge { return try setLargeSize(length) }
    if length < size {
      if !resize.hasBegun {
        switch try beginShrinking(to: UInt64(length)) {
        case .complete: resize.hasBegun = true
        case let unfinished: return unfinished
        }
      }
      var budget = fileServicesReference.borrow { $0.pagesPerResizeStep }
      let pageCount = Page.count(covering: UInt64(length))
      guard vmObject.continueShrinking(toPageCount: pageCount, &resize.position, &budget) else { return .again }
      noteSize(length)
    } else if length > size {
      try grow(to: length)
    }
    return .complete
  }

  /// Makes the object larger, which needs no page and therefore never waits.
  ///
  /// Throws EPERM when a seal forbids it, ENOMEM when swap for the growth is refused; then nothing has changed.
  func grow(to length: Int64) throws(Errno) {
    guard !seals.contains(.grow) else { throw .eperm }
    let pageCount = Page.count(covering: UInt64(length))
    if pageCount != vmObject.pageCount { try vmObject.resize(toPageCount: pageCount) }
    noteSize(length)
  }

  private func beginShrinking(to length: UInt64) throws(Errno) -> Progress {
    guard !seals.contains(.shrink) else { throw .eperm }
    guard kernelMappingCount == 0 else { throw .ebusy }
    switch vmObject.beginShrinking(toByteCount: length) {
    case .complete: return .complete
    case .wait(let wait): return .wait(wait)
    case .failed: throw .eio
    }
  }

  private func noteSize(_ length: Int64) {
    size = length
    modificationNanoseconds = timestamp
    changeNanoseconds = modificationNanoseconds
  }
}
