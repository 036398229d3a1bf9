// What poll(2) and select(2) are remembered by while they wait (spec kqueue.md section 8).
//
// Invariants
// - A watch is in the list of its poller, and in that of its file (`NoteList.firstPoll`) as long as the file is there. It does not
//   keep the file: who closes the last descriptor of what is polled closes it, and the poller is told.
// - `isSignalled` watches are in the list from `firstSignalled` of their poller, or are being asked.
// - The windows of a poller are in the order of what they hold; `cursor` is the one that is in the thread's buffer.

import Memory
import Primitives

extension WaitChannel {
  /// Something that a poller watches.
  static func poll(_ number: UInt64) -> WaitChannel { WaitChannel(Kind(41), number) }
}

/// A descriptor that a call waits for.
struct PollWatch: BitwiseCopyable {
  /// The descriptor in the table of the process.
  let descriptor: Int32
  /// What is of interest, in the bits of poll(2).
  let events: UInt16
  /// Whether something has happened, and nobody has looked.
  var isSignalled = false
  /// The call.
  let poller: Handle<PollerRecord>
  /// What the descriptor meant when it was looked at last; empty once that is gone.
  var file = BackReference<OpenFile>()
  var next = Handle<PollWatch>.none
  var previous = Handle<PollWatch>.none
  var nextOfPoller = Handle<PollWatch>.none
  var nextSignalled = Handle<PollWatch>.none
}

/// A part of what a call asks about, as long as it is not in the thread's buffer.
struct PollWindow: BitwiseCopyable {
  /// The words of the buffer.
  var words = [126 of UInt64](repeating: 0)
  var next = Handle<PollWindow>.none
}

/// What a poller has.
struct PollerRecord: BitwiseCopyable {
  /// Its number among wait channels.
  let number: UInt64
  /// Who pays.
  var account = HeldReference<UserAccount>()
  var firstWatch = Handle<PollWatch>.none
  var watchCount: UInt32 = 0
  var windowCount: UInt32 = 0
  var firstSignalled = Handle<PollWatch>.none
  var firstWindow = Handle<PollWindow>.none
  var lastWindow = Handle<PollWindow>.none
  var cursor = Handle<PollWindow>.none
  /// Whether its thread may be asleep.
  var isAwaited = false
  /// Whether the call is over, and nobody is to be told any more.
  var isAbandoned = false
  var nextAbandoned = Handle<PollerRecord>.none

  init(number: UInt64) { self.number = number }
}
