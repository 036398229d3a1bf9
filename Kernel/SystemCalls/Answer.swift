// What a handler answers when it returns without an error.

import Primitives

/// How a call ended, or that it did not.
///
/// What remains of a call that did not end is in `Thread.continuation` by then, what is to be copied out in the `Delivery` of
/// the thread's record: an answer fits into registers.
enum Answer: BitwiseCopyable {
  /// Returns this value; %rdx stays as it was.
  case value(UInt64)
  /// Returns two values.
  case pair(UInt64, UInt64)
  /// Copies the pieces of the thread's delivery out, then returns what that says.
  case deliver
  /// Wait here; then go on with what remains.
  case wait(Wait)
  /// The same, at the latest until `Thread.deadlineNanoseconds`.
  case waitForDeadline(Wait)
  /// Wait on `Thread.wanted`, then begin anew: nothing has been done that may not be done again.
  case restart
  /// Go on with what remains in a later step, when others have had their turns.
  case later
  /// The registers are as the handler set them, or there is no thread any more.
  case left
  /// The same, and the thread goes on with all of them at once; the bases of fs and gs are unchanged.
  case entered
}
