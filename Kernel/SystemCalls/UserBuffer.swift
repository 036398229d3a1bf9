// Moving a thread's call buffer from and to user memory.

import ABI
import Memory

extension AddressSpace {
  /// Copies `count` bytes into the front of a call buffer.
  func copyIn(
    _ address: UInt64, into buffer: inout [1024 of UInt8], count: Int, _ progress: inout Int
  ) -> UserCopyOutcome {
    precondition(count <= buffer.count)
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var room = bytes._mutatingExtracting(0..<count)
    return copyIn(from: VirtualAddress(address), into: &room, progress: &progress)
  }

  /// Copies a path into a call buffer.
  func copyInPath(_ address: UInt64, into buffer: inout [1024 of UInt8], _ progress: inout Int) -> UserCopyOutcome {
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    return copyInString(from: VirtualAddress(address), into: &bytes, progress: &progress)
  }

  /// Copies `count` bytes of a call buffer to user memory.
  @inline(__always)
  func copyOut(
    _ buffer: inout [1024 of UInt8], from offset: Int = 0, count: Int, to address: UInt64, _ progress: inout Int
  ) -> UserCopyOutcome {
    let bytes = RawSpan(_elements: buffer.span)
    return copyOut(bytes.extracting(offset..<offset + count), to: VirtualAddress(address), progress: &progress)
  }
}
