// The timer interrupt: a turn's end in ring 3, the next deadline while idling.

internal import MachineSupport

/// Decides when the timer interrupts next.
struct Ticker {
  private var controller: LocalInterruptController?
  private let timeStampsPerTurn: UInt64
  private let clock: Clock
  private var state = State.stopped

  private enum State {
    case stopped
    case turn
    case deadline
  }

  private static let ticksPerSecond: UInt64 = 100

  /// Takes the local interrupt controller, or lets the interval timer tick all the time.
  init(_ controller: LocalInterruptController?, _ clock: Clock) {
    self.controller = controller
    self.clock = clock
    timeStampsPerTurn = clock.frequency / Ticker.ticksPerSecond
    if controller == nil {
      IntervalTimer.startTicking(perSecond: Ticker.ticksPerSecond)
      LegacyInterruptController.unmask(LegacyInterruptController.timerLine)
    }
  }

  /// A thread is about to run: it gets at most a full turn.
  @inline(__always)
  mutating func ensureTurn() {
    guard state != .turn else { return }
    state = .turn
    controller?.setTimer(timeStamps: timeStampsPerTurn)
  }

  /// Nothing can run before `deadline` (nanoseconds since boot), unless a device interrupts.
  mutating func wait(until deadline: UInt64?) {
    guard let deadline else {
      state = .stopped
      controller?.stopTimer()
      return
    }
    state = .deadline
    let now = clock.nanoseconds(at: read_time_stamp())
    let nanoseconds = deadline > now ? min(deadline - now, 3_600_000_000_000) : 0
    controller?.setTimer(timeStamps: clock.timeStamps(forNanoseconds: nanoseconds))
  }

  /// The timer has interrupted.
  mutating func fired() {
    state = .stopped
    controller?.acknowledge()
  }

  /// Ends an interrupt that came through the local controller.
  func acknowledge() {
    controller?.acknowledge()
  }
}
