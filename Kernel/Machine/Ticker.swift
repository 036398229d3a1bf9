// The timer interrupt: set for the next time at which the kernel wants to look at the clock, in ring 3 and while idling.
//
// Without a local controller the interval timer does the same, as far as its counter reaches (55 ms); the kernel looks at the
// clock whenever it interrupts, and if it was too early sets it again.

internal import MachineSupport

/// Decides when the timer interrupts next.
struct Ticker {
  private var controller: LocalInterruptController?
  private let clock: Clock
  /// When the timer is going to interrupt, in nanoseconds since boot; `Ticker.never`: it is not.
  private var armed = Ticker.never

  private static let never = UInt64.max
  private static let tickNanoseconds: UInt64 = 10_000_000
  private static let longestNanoseconds: UInt64 = 3_600_000_000_000

  /// Takes the local interrupt controller, or uses the interval timer.
  init(_ controller: LocalInterruptController?, _ clock: Clock) {
    self.controller = controller
    self.clock = clock
    if controller == nil { LegacyInterruptController.unmask(LegacyInterruptController.timerLine) }
  }

  /// Makes the timer interrupt at a time in nanoseconds since boot, at the latest. When it is going to interrupt earlier it
  /// stays as it is: those who take turns quickly need not set it each time, and one look too many costs little.
  @inline(__always)
  mutating func arm(until deadline: UInt64) {
    if deadline < armed { set(deadline) }
  }

  @inline(never)
  private mutating func set(_ deadline: UInt64) {
    armed = deadline
    let now = clock.nanoseconds(at: read_time_stamp())
    let nanoseconds = deadline > now ? min(deadline - now, Ticker.longestNanoseconds) : 0
    if let controller {
      controller.setTimer(timeStamps: clock.timeStamps(forNanoseconds: nanoseconds))
    } else {
      IntervalTimer.interrupt(afterNanoseconds: nanoseconds)
    }
  }

  /// The kernel is busy: the timer interrupts some time, though nobody runs for whom it would be set.
  mutating func keepTicking() {
    if armed == Ticker.never { set(clock.nanoseconds(at: read_time_stamp()) + Ticker.tickNanoseconds) }
  }

  /// Nothing can run before `deadline` (nanoseconds since boot), unless a device interrupts.
  mutating func wait(until deadline: UInt64?) {
    if let deadline, deadline != Ticker.never {
      if deadline != armed { set(deadline) }
      return
    }
    armed = Ticker.never
    if let controller { controller.stopTimer() } else { IntervalTimer.stop() }
  }

  /// The timer has interrupted.
  mutating func fired() {
    armed = Ticker.never
    controller?.acknowledge()
  }

  /// Ends an interrupt that came through the local controller.
  func acknowledge() {
    controller?.acknowledge()
  }
}
