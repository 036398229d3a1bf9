// A sleep of nanosleep(2) or clock_nanosleep(2), and those who sleep until a time of a clock that is set.

import ABI
import Memory
import Primitives

/// A sleep under way.
public struct PendingSleep: BitwiseCopyable, Sendable {
  /// When it is over, in nanoseconds since boot; what is left of it, once it is interrupted.
  public var nanoseconds: UInt64
  /// What the real clock shows then, in nanoseconds; 0: setting that clock does not change when the sleep is over.
  public var realNanoseconds: UInt64 = 0
  /// Whether the program gave a time, and no span: then nothing is said about what is left.
  public var isAbsolute = false
  /// Whether the call gives its error as its value (clock_nanosleep(2)).
  public var givesErrorAsValue = false
  /// Whether it has been interrupted, and the call waits for a page to say what is left.
  public var isInterrupted = false

  /// A sleep until a time in nanoseconds since boot.
  public init(until nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
}

extension ProcessSystem {
  /// Makes threads look at the clock again that sleep until a time of the real one, which was set; from `slot` on, which goes
  /// on, so many at a time. Whether all of them do.
  public func wakeRealTimeSleepers(from slot: inout UInt32) -> Bool {
    let end = UInt32(threads.capacity)
    for _ in 0..<ProcessLimits.sleepersPerTurn {
      guard slot < end else { return true }
      if let thread = threads[ThreadSlot(slot)], followsRealTime(thread) { scheduler.unpark(thread.slot) }
      slot += 1
    }
    return slot >= end
  }

  private func followsRealTime(_ thread: Thread) -> Bool {
    switch thread.continuation {
    case .process(.sleep(let sleep)): return sleep.realNanoseconds != 0
    case .process(.userSleep):
      guard let deadline = thread.frame.value.userSleep.deadline else { return false }
      return !deadline.isRelative && deadline.clock.isOfRealTime
    default: return false
    }
  }
}
