// Timers of queues (EVFILT_TIMER; spec kqueue.md section 7.5).
//
// A timer that has gone off and was not told yet, or is disabled, needs no attention: how often it went off meanwhile is found out
// when somebody asks. So a program makes no work by timers that it does not look at.
//
// Invariant: a timer is in the queue of deadlines exactly while it is on and not active.

import ABI
import Memory
import Primitives

/// What a change says of a timer.
struct TimerRequest {
  let deadline: UInt64
  let period: UInt64

  /// Throws EINVAL for a negative time, for what is no unit, and for two of them.
  init(_ flags: UInt32, data: Int64, isOneShot: Bool, _ services: KernelServices) throws(Errno) {
    guard data >= 0, flags & ~(EventNotes.timerUnits | EventNotes.absoluteTime) == 0 else { throw .einval }
    let count = UInt64(data == 0 && !isOneShot ? 1 : data)
    let (product, isBeyond) = count.multipliedReportingOverflow(by: try TimerRequest.unit(flags))
    let nanoseconds = isBeyond || product / 1_000_000_000 > UInt64(Int32.max) ? UInt64.max : product
    let now = services.nanoseconds
    if flags & EventNotes.absoluteTime != 0 {
      let offset = services.realNanoseconds &- now
      // A time of the clock is not bounded as a span is.
      deadline = isBeyond ? .max : product > offset ? product - offset : 0
      period = 0
    } else {
      let (sum, isNever) = now.addingReportingOverflow(nanoseconds)
      deadline = isNever ? .max : sum
      period = isOneShot ? 0 : nanoseconds
    }
  }

  private static func unit(_ flags: UInt32) throws(Errno) -> UInt64 {
    switch flags & EventNotes.timerUnits {
    case EventNotes.seconds: return 1_000_000_000
    case 0, EventNotes.milliseconds: return 1_000_000
    case EventNotes.microseconds: return 1000
    case EventNotes.nanoseconds: return 1
    default: throw .einval
    }
  }
}

extension EventQueue {
  /// What a new timer is asked. Throws EINVAL, and ENOMEM when there are too many.
  func timerRequest(_ change: KernelEvent) throws(Errno) -> TimerRequest {
    let request = try TimerRequest(
      change.filterFlags, data: change.data, isOneShot: change.flags.contains(.oneShot), watch.memory.services)
    guard watch.timerCount < watch.maximumTimerCount, watch.reserveTimer() else { throw .enomem }
    return request
  }

  /// Begins a new timer.
  func begin(_ handle: Handle<EventNote>, _ request: TimerRequest) {
    watch.notes[handle].deadline = request.deadline
    watch.notes[handle].period = request.period
    scheduleTimer(handle)
  }

  /// An existing timer begins anew; what it was asked wrongly is told as an event.
  func restartTimer(_ handle: Handle<EventNote>, _ change: KernelEvent) {
    watch.unscheduleTimer(handle)
    if watch.notes[handle].isQueued { dequeue(handle) }
    watch.notes[handle].isActive = false
    watch.notes[handle].event.data = 0
    watch.notes[handle].event.flags.remove(.error)
    watch.notes[handle].deadline = .max
    watch.notes[handle].wantedFlags = change.filterFlags
    watch.notes[handle].wantedData = change.data
    let isOneShot = watch.notes[handle].event.flags.contains(.oneShot)
    do throws(Errno) {
      begin(
        handle,
        try TimerRequest(change.filterFlags, data: change.data, isOneShot: isOneShot, watch.memory.services))
    } catch {
      watch.notes[handle].event.flags.insert(.error)
      watch.notes[handle].event.data = Int64(error.rawValue)
    }
  }

  /// Sees that a timer which is on and not active is looked at in time.
  func scheduleTimer(_ handle: Handle<EventNote>) {
    guard !watch.notes[handle].isActive, watch.notes[handle].deadline != .max, watch.notes[handle].timerPlace == 0
    else {
      return
    }
    watch.scheduleTimer(handle)
  }

  /// Counts what a timer has gone off up to now; whether there is something to be told.
  func advanceTimer(_ handle: Handle<EventNote>, now: UInt64) -> Bool {
    let deadline = watch.notes[handle].deadline
    if deadline <= now {
      let period = watch.notes[handle].period
      watch.unscheduleTimer(handle)
      if period == 0 {
        watch.notes[handle].event.data = 1
        watch.notes[handle].deadline = .max
      } else {
        let passed = (now - deadline) / period + 1
        watch.notes[handle].event.data &+= Int64(truncatingIfNeeded: passed)
        let (next, isNever) = deadline.addingReportingOverflow(passed &* period)
        watch.notes[handle].deadline = isNever ? .max : next
      }
    }
    return watch.notes[handle].event.data != 0
  }
}

extension EventWatchers {
  /// Timers that are dealt with between two looks at who goes first.
  private static let timersPerLook = 64

  /// When the next timer goes off, in nanoseconds since boot.
  @inline(__always)
  public var nextTimerNanoseconds: UInt64 { timers.next }

  /// Whether there is room for one timer more.
  func reserveTimer() -> Bool { timers.reserve(timerCount + 1) }

  func scheduleTimer(_ handle: Handle<EventNote>) { timers.insert(handle, notes) }

  func unscheduleTimer(_ handle: Handle<EventNote>) { timers.remove(handle, notes) }

  /// Deals with timers that are due, a bounded number of them; those that are left over are still due.
  public func fireTimers(_ now: UInt64) {
    for _ in 0..<EventWatchers.timersPerLook {
      let handle = timers.popDue(now, notes)
      if handle.isNone { break }
      notes[handle].queue.borrow { queue in if queue.advanceTimer(handle, now: now) { queue.activate(handle) } }
    }
    tellOuterQueues()
  }
}
