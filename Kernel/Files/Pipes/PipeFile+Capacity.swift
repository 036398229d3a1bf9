// How large the buffer of a pipe is (spec sockets.md section 2.1): a write makes it larger while the machine's space for pipes
// lasts, and smaller again when that is scarce.

import ABI
import Memory
import Primitives

extension PipeFile {
  /// Makes the buffer of the other end as large as a write that begins wants it, if that can be had. Returns what to wait for
  /// when a page of it is needed that is not there.
  @inline(__always)
  func adaptCapacity(of reader: PipeFile, to byteCount: UInt64) -> Wait? {
    let isScarce = withServices { $0.pipeSpace.isScarce }
    if UInt64(reader.freeByteCount) >= byteCount && !isScarce { return nil }
    if isScarce {
      reader.giveUpCapacity(isCopying: false)
      return nil
    }
    return reader.grow(forByteCount: byteCount)
  }

  /// Doubles the capacity until there is room for so many bytes more, it is as large as it may be, or space gets short.
  @inline(never)
  private func grow(forByteCount byteCount: UInt64) -> Wait? {
    let space = fileServices.pipeSpace
    var wanted = byteCapacity
    while UInt64(wanted - queuedByteCount) < byteCount && wanted < PipeLimits.largestByteCount && space.allowsGrowth {
      wanted *= 2
    }
    if wanted == byteCapacity { return nil }
    return resize(to: wanted)
  }

  private func resize(to newCapacity: Int) -> Wait? {
    let isWrapped = readPosition + queuedByteCount > byteCapacity
    // The first page of the data is the last one too where the end has come round to it.
    let first = isWrapped ? readPosition >> Int(Page.shift) : 0
    let offset = readPosition & Int(Page.offsetMask)
    let overlap = isWrapped ? offset + queuedByteCount - byteCapacity : 0
    var source = FrameNumber.none
    if overlap > 0 {
      switch object.page(at: place(of: readPosition).page, for: .read) {
      case .frame(let frame): source = frame
      case .wait(let wait): return wait
      case .absent, .failed: return noteFailedResize()
      }
    }
    guard admitsCapacity(newCapacity) else { return noteFailedResize() }
    do throws(Errno) {
      try object.resize(toPageCount: UInt64(newCapacity) >> Page.shift)
    } catch {
      return noteFailedResize()
    }
    if overlap > 0 {
      switch object.page(at: UInt64(byteCapacity) >> Page.shift, for: .write) {
      case .frame(let frame): fileServices.memory.physical.copy(source.address, to: frame.address, byteCount: overlap)
      case .wait(let wait):
        // Back: making it smaller never fails.
        try? object.resize(toPageCount: UInt64(byteCapacity) >> Page.shift)
        return wait
      case .absent, .failed: preconditionFailure("a new page is made")
      }
    }
    if isWrapped {
      rotate(by: first)
      readPosition = offset
    }
    countCapacity(newCapacity - byteCapacity)
    byteCapacity = newCapacity
    return nil
  }

  /// Makes a page of the ring its first one; the pages that are added come behind the last.
  private func rotate(by slotCount: Int) {
    let bits = (UInt64(byteCapacity) >> Page.shift) << 2
    let shift = UInt64(slotCount) << 2
    if shift == 0 { return }
    let mask: UInt64 = bits == 64 ? UInt64.max : 1 << bits - 1
    let ring = pageOrder & mask
    pageOrder = pageOrder & ~mask | (ring >> shift | ring << (bits - shift)) & mask
  }

  private func noteFailedResize() -> Wait? {
    fileServices.pipeSpace.failedResizeCount &+= 1
    return nil
  }

  /// Makes the buffer as small as it can be when its bytes fit and nobody copies; left for later when a page of them is not
  /// there.
  ///
  /// - Parameter isCopying: whether a write is storing in it.
  @inline(never)
  func giveUpCapacity(isCopying: Bool) {
    let smallest = PipeLimits.smallestByteCount
    guard fileServices.pipeSpace.allowsResizing, byteCapacity > smallest, queuedByteCount <= smallest, !isCopying,
      reading.isEmpty, peer.instance?.offer.isEmpty ?? true
    else { return }
    if queuedByteCount > 0 && !gatherInFirstPage() { return }
    // Making it smaller never fails.
    try? object.resize(toPageCount: UInt64(smallest) >> Page.shift)
    countCapacity(smallest - byteCapacity)
    byteCapacity = smallest
    readPosition &= smallest - 1
    pageOrder = PipeFile.pagesInOrder
  }

  /// Copies the bytes to where they belong in a ring of page 0 alone. Whether that could be done.
  private func gatherInFirstPage() -> Bool {
    guard case .frame(let target) = object.page(at: 0, for: .write) else { return false }
    let physical = fileServices.memory.physical
    var done = 0
    while done < queuedByteCount {
      let (page, offset) = place(of: readPosition + done)
      let byteCount = min(queuedByteCount - done, Int(Page.byteCount - offset))
      if page != 0 {
        // What lies in page 0 stays where it is: positions in the page do not change.
        guard case .frame(let source) = object.page(at: page, for: .read) else { return false }
        physical.copy(source.address + offset, to: target.address + offset, byteCount: byteCount)
      }
      done += byteCount
    }
    return true
  }
}
