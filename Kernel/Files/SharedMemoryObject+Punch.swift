// Holes in a shared memory object (spec shm.md, 3.26), and the value that a parked fspacectl(2) keeps.
//
// Only the range of the hole is kept from others, and nobody sees it half made (VMObject+Shrink). Once the first page has gone it
// needs no memory and waits for nothing, so it gets to its end.

import ABI
import Memory
import Primitives

/// The state of an fspacectl(2) that makes a hole.
public struct Punch {
  /// Where what is still to be done begins, in bytes.
  public private(set) var offset: Int64
  /// How long it is; 0 once it is done.
  public private(set) var length: Int64
  /// Whether the hole is being made: it is made whole, whatever becomes of its process meanwhile.
  public private(set) var hasBegun = false
  var hold: TransferHold?

  /// Describes a hole that has not begun: `offset` and `length` are not negative, and their sum is a size.
  public init(offset: Int64, length: Int64) {
    self.offset = offset
    self.length = length
  }

  /// Gives up the place in the line for the object, because the process stops: it queues up anew when that goes on. The
  /// hole must not have begun.
  public mutating func giveUpPlace() {
    precondition(!hasBegun)
    hold = nil
  }

  /// What nobody else may read or write meanwhile.
  var range: LockedRange { LockedRange(start: UInt64(offset), end: UInt64(offset + length), isExclusive: true) }

  fileprivate mutating func begin() { hasBegun = true }

  fileprivate mutating func finish(at end: Int64) {
    offset = max(offset, end)
    length = 0
  }
}

extension SharedMemoryObject {
  /// Makes a hole of what lies before the end of the object. The caller has its range to itself.
  ///
  /// Throws EPERM when a seal forbids it, EIO when a page that is partly in it cannot be read from swap; then nothing has changed.
  func punch(_ punch: inout Punch) throws(Errno) -> Progress {
    let start = punch.offset
    // Nobody changes the size meanwhile: that takes the whole object.
    let end = min(punch.offset + punch.length, size)
    if !punch.hasBegun {
      guard !seals.contains(.write) else { throw .eperm }
      if start < end {
        switch vmObject.beginPunching(UInt64(start)..<UInt64(end)) {
        case .complete: break
        case .wait(let wait): return .wait(wait)
        case .failed: throw .eio
        }
        punch.begin()
      }
    }
    if start < end {
      var budget = fileServicesReference.borrow { $0.pagesPerResizeStep }
      guard vmObject.continuePunching(UInt64(start)..<UInt64(end), &budget) else { return .again }
    }
    punch.finish(at: end)
    return .complete
  }
}
