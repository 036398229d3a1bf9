// Threads of the reference model, with the handlers that they are in.

/// What a process has asked for when a signal comes (sigaction(2)), for signals that are caught.
struct ModelAction: Equatable {
  var handler: UInt64
  var flags: UInt32
  var mask: Set<Int32>

  var usesAlternateStack: Bool { flags & 1 != 0 }
  var restarts: Bool { flags & 2 != 0 }
  var isForOnce: Bool { flags & 4 != 0 }
  var isNotHeldBack: Bool { flags & 0x10 != 0 }
  var wantsInformation: Bool { flags & 0x40 != 0 }
}

/// A handler that has begun and not returned.
struct ModelFrame {
  var signal: ModelSignal
  /// The handler, and whether it asked for information.
  var action: ModelAction
  /// The mask that its return restores.
  var savedMask: Set<Int32>
  /// The alternate stack as it was.
  var stack: [UInt64]
  /// Where the frame lies; known once the interrupted stack pointer is.
  var address: UInt64 = 0
  /// The call that begins anew when it returns.
  var restarting: Operation?
  /// The access that faulted: its address, what the frame says of it.
  var fault: ModelFault?
}

/// What a frame says of an access that faulted.
struct ModelFault {
  var address: UInt64
  var error: UInt64
}

/// What a signal made of the sleep of a call.
enum ModelSleepEnd {
  case none
  /// It begins anew where it can.
  case restart
  /// It gives EINTR where it can.
  case fail
}

/// What a signal that is caught does to a call that sleeps.
enum ModelInterruption {
  case none
  case restartsIfAsked
  case fails
  /// EINTR, once a handler has begun.
  case failsForHandler
}

/// A thread.
final class ModelThread {
  /// The script's number for it, in its process.
  let number: Int
  /// Which of the stacks in the initial stack is its own (`Program.stack`); 0: what a program begins with.
  var stackSlot = 0
  /// What thr_self(2) gives, once known.
  var identifier: UInt64?
  /// Held back (sigprocmask(2)).
  var mask: Set<Int32> = []
  /// What the mask was before sigsuspend(2).
  var suspendedMask: Set<Int32>?
  /// Signals for it alone, in their order.
  var queue: [ModelSignal] = []
  /// What it waits for (sigwait(2)), and lower ones that were there when it got another: somebody else must have had them.
  var awaited: Set<Int32> = []
  var passedOver: Set<Int32> = []
  /// The stack that sigaltstack(2) has set: address, size, flags.
  var alternateStack: [UInt64] = [0, 0, 4]
  var segmentBases: [UInt64] = [0, 0]
  /// The handlers that it is in, the innermost last.
  var frames: [ModelFrame] = []
  /// How many of them have begun without having been seen yet.
  var unseenFrameCount = 0
  /// The call that it is blocked in.
  var blocked: Operation?
  /// When it fell asleep, compared with others.
  var sleepNumber = 0
  /// The word that it sleeps on (_umtx_op(2)), and whether somebody has woken it.
  var key: ModelWordKey?
  var isWoken = false
  var sleepEnd = ModelSleepEnd.none
  /// thr_wake(2) was for it.
  var hasWake = false
  /// The call that begins anew when a handler has returned that began now.
  var restarting: Operation?
  /// The call that is made again now, because a handler has returned.
  var resumed: Operation?
  /// Which of its frames the last arrival began with.
  var firstNewFrame: Int?

  init(number: Int) { self.number = number }

  /// Whether it can take a step, its process being able to.
  var isRunnable: Bool { blocked == nil }

  /// The signals for it alone.
  var pending: Set<Int32> { Set(queue.map(\.number)) }

  /// Whether a signal does not reach it now.
  func holdsBack(_ signal: Int32) -> Bool { mask.contains(signal) && !awaited.contains(signal) }

  /// Whether its stack pointer is on the alternate stack.
  var isOnAlternateStack: Bool {
    guard let frame = frames.last, alternateStack[2] == 0 else { return false }
    return frame.address >= alternateStack[0] && frame.address - alternateStack[0] < alternateStack[1]
  }

  /// What sigaltstack(2) tells.
  var stackFlags: UInt64 { alternateStack[2] != 0 ? 4 : isOnAlternateStack ? 1 : 0 }
}

/// What sleepers on a word are known by.
enum ModelWordKey: Equatable {
  /// An address of one process.
  case own(process: Int, UInt64)
  /// A place of an object.
  case shared(ModelObject, Int)

  static func == (left: ModelWordKey, right: ModelWordKey) -> Bool {
    switch (left, right) {
    case (.own(let one, let place), .own(let other, let otherPlace)): one == other && place == otherPlace
    case (.shared(let one, let place), .shared(let other, let otherPlace)): one === other && place == otherPlace
    default: false
    }
  }
}
