// Pages that are kept in memory because a program said so (mlock(2)).
//
// Invariant: `wireCount` of a frame is the number of its leaves that are marked `wired`; while it is not 0 the frame is in no
// queue. A leaf that goes takes its mark along, whatever it goes for.
import ABI
import Primitives

extension MemorySystem {
  /// One more leaf keeps a page.
  @inline(never)
  func wire(_ frame: FrameNumber) {
    if frames[frame].wireCount == 0 { queues.remove(frame, frames) }
    frames[frame].wireCount += 1
  }

  /// One leaf fewer keeps a page.
  @inline(never)
  func unwire(_ frame: FrameNumber) {
    frames[frame].wireCount -= 1
    guard frames[frame].wireCount == 0, frames[frame].state == .object,
      frames[frame].flags.isDisjoint(with: .withoutContent)
    else { return }
    queues.append(frame, to: .active, frames)
  }
}

extension PageTables {
  /// Goes on taking the marks of wired leaves in a range away. Returns where to go on, the end of the range when it is done.
  mutating func unwire(_ range: AddressRange, _ budget: inout Int, _ system: MemorySystem) -> UInt64 {
    visitLeaves(range, &budget, system) { _, slot, _, _, _, entry in
      if entry & PageTableEntry.wired != 0 {
        _ = system.physical.clear(bits: PageTableEntry.wired, at: slot)
        system.unwire(PageTableEntry.frame(entry))
      }
      return 0
    } leaving: { _, _ in
      0
    }
  }
}
