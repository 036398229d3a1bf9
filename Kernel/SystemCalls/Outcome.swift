// What a call's handler says when it returns without an error, and the arguments it is given.

import ABI
import Memory
import Processes

/// How a call ended, or that it did not.
enum Outcome: BitwiseCopyable {
  /// Returns this value; %rdx stays as it was.
  case value(UInt64)
  /// Returns two values.
  case pair(UInt64, UInt64)
  /// Copies the first bytes of the thread's buffer out, then returns 0.
  case copyOut(address: UInt64, byteCount: Int)
  /// The thread is parked, or will go on with its continuation in its next turn.
  case parked
  /// The registers are as the handler set them, or there is no thread any more.
  case registersSet
}

/// The arguments of a call. The seventh and eighth are on the stack and only fetched for calls that have them.
struct Arguments: BitwiseCopyable {
  var first: UInt64
  var second: UInt64
  var third: UInt64
  var fourth: UInt64
  var fifth: UInt64
  var sixth: UInt64

  /// The arguments of a direct call.
  @inline(__always)
  init(_ context: borrowing ThreadContext) {
    first = context.rdi
    second = context.rsi
    third = context.rdx
    fourth = context.r10
    fifth = context.r8
    sixth = context.r9
  }

  /// The arguments of a call made through `syscall` or `__syscall`: shifted by one, the sixth from the stack.
  init(indirect context: borrowing ThreadContext, sixth: UInt64) {
    first = context.rsi
    second = context.rdx
    third = context.r10
    fourth = context.r8
    fifth = context.r9
    self.sixth = sixth
  }
}

/// What is copied in before a call begins.
enum CopyInRequest: BitwiseCopyable {
  /// Nothing after all.
  case nothing
  /// A path: a string of at most PATH_MAX bytes.
  case path(UInt64)
  /// So many bytes.
  case bytes(UInt64, count: Int)
}
