// What the kernel knows of an aligned block of 512 frames (2 MiB) beside what it knows of each: a record of the same form, by
// block number.
//
// Invariants
// - `mappings`, and the tree that begins at `mappingRoot`, name every leaf of 2 MiB or more that maps the block; the frames' own
//   sets name only leaves of 4 KiB.
// - `flags` are marks of such leaves that are gone, which have not been noted for each frame of the block yet (`settleMarks`). Who
//   asks for a frame's marks, or gives the frame to another page, has them noted first.
// - A block with a `population` is reserved (Reservations.swift); `owner` and `index` say for what, and `queue`'s place is taken
//   by the links of `partialReservations`.

import Primitives

extension FrameNumber {
  /// The number of the block that the frame is in.
  @inline(__always)
  var block: FrameNumber { FrameNumber(raw >> 9) }

  /// The first frame of the block with this number.
  @inline(__always)
  var firstOfBlock: FrameNumber { FrameNumber(raw << 9) }
}

extension PageFrame {
  /// Of a block: how many of its frames are pages of the object that it is reserved for; 0 when it is not reserved.
  @inline(__always)
  var population: Int {
    get { Int(waiterCount) }
    set { waiterCount = UInt16(truncatingIfNeeded: newValue) }
  }

  /// Of a reserved block: whether all of its pages are known to be dirty.
  @inline(__always)
  var isAllDirty: Bool {
    get { order != 0 }
    set { order = newValue ? 1 : 0 }
  }
}

extension MemorySystem {
  /// Notes for each frame of a frame's block what leaves of the whole block have left behind.
  @inline(__always)
  func settleMarks(of frame: FrameNumber) {
    if blocks[frame.block].flags.rawValue != 0 { settleMarks(ofBlock: frame.block) }
  }

  @inline(never)
  private func settleMarks(ofBlock block: FrameNumber) {
    let marks = blocks[block].flags
    blocks[block].flags = FrameFlags(rawValue: 0)
    let first = block.firstOfBlock.raw
    for raw in first..<min(first + 512, frames.count) where frames[FrameNumber(raw)].state == .object {
      frames[FrameNumber(raw)].flags = FrameFlags(rawValue: frames[FrameNumber(raw)].flags.rawValue | marks.rawValue)
      if marks.rawValue & FrameFlags.dirty.rawValue != 0 { markDirty(FrameNumber(raw)) }
    }
  }
}
