// Bytes of a thread's call buffer.

import ABI
import Memory
import Primitives

extension InlineArray where Element == UInt8 {
  /// Lends the bytes to `body`.
  @inline(__always)
  mutating func withMutableBytes<Value>(_ body: (inout MutableRawSpan) -> Value) -> Value {
    var span = mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    return body(&bytes)
  }
}

extension AddressSpace {
  /// Copies bytes of user memory into the front of a call buffer.
  func copyIn(_ range: UserRange, into buffer: inout [1024 of UInt8], _ progress: inout Int) -> UserCopyOutcome {
    precondition(range.byteCount <= buffer.count)
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var room = bytes._mutatingExtracting(0..<range.byteCount)
    return copyIn(from: range.start, into: &room, progress: &progress)
  }

  /// Copies a path into a call buffer, from `start` on.
  func copyInPath(
    _ address: VirtualAddress, into buffer: inout [1024 of UInt8], from start: Int = 0, _ progress: inout Int
  ) -> UserCopyOutcome {
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var room = bytes._mutatingExtracting(start..<1024)
    return copyInString(from: address, into: &room, progress: &progress)
  }
}
