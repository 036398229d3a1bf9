// Telling events: a call's passes over what is ready, and what a thread is told first (spec kqueue.md sections 6, 11 and 13).

public import ABI
import Memory
public import Primitives

extension EventQueue {
  /// Notes without a worker that a call takes over at a time.
  private static let adoptionCount = 64

  // MARK: Beginning

  /// A thread comes for events; how many it is told at most is limited by what the queue is tuned for. Throws ENOMEM.
  public func enter(_ pending: inout PendingEvents, thread: Int32) throws(Errno) {
    if isMulti {
      let worker = try makeWorker(of: thread)
      try makeActive(worker)
      pending.worker = worker
      pending.isReleasing = true
      comeBack(worker, &pending)
    }
    pending.hasEntered = true
  }

  private func comeBack(_ worker: Handle<QueueWorker>, _ pending: inout PendingEvents) {
    watch.workers[worker].isAwaited = false
    watch.workers[worker].statistics.callCount += 1
    if watch.workers[worker].isAway {
      watch.workers[worker].isAway = false
      let spent = watch.memory.services.nanoseconds &- watch.workers[worker].lastReturn
      let told = UInt64(watch.workers[worker].lastCount)
      watch.workers[worker].statistics.nanoseconds &+= spent
      if told > 0 {
        watch.workers[worker].cost.add(spent / told)
        watch.workers[worker].events.add(told)
      }
    }
    let cost = watch.workers[worker].cost.value
    guard targetFrequency > 0, cost > 0 else { return }
    let (span, isLong) = cost.multipliedReportingOverflow(by: UInt64(targetFrequency))
    let limit = isLong ? 1 : max(1, 1_000_000_000 / span)
    if limit < UInt64(pending.eventsLeft) { pending.eventsLeft = Int32(truncatingIfNeeded: limit) }
  }

  /// What a thread was told of before can be told again; whether all of it can, or there is more to be done.
  public func release(_ pending: inout PendingEvents, budget: Int) -> Bool {
    if !pending.isReleasing { return true }
    return releaseAll(&pending, budget)
  }

  private func releaseAll(_ pending: inout PendingEvents, _ budget: Int) -> Bool {
    var left = budget
    // Not what this call will tell.
    pending.isReleasing = !release(pending.worker, &left)
    watch.tellOuterQueues()
    return !pending.isReleasing
  }

  /// A pass over what is ready begins, before anything was told: what comes later is left to the next. So much of it may be of
  /// the real-time class.
  public func beginPass(_ pending: inout PendingEvents) {
    pending.realTimeLeft = pending.eventsLeft
    if realTimeShare < 100 {
      let share = UInt64(realTimeShare) * UInt64(pending.eventsLeft)
      pending.realTimeLeft = max(1, Int32(truncatingIfNeeded: (share + 99) / 100))
    }
    if !pending.worker.isNone {
      watch.workers[pending.worker].realTimeLimits.add(UInt64(pending.realTimeLeft))
      adopt(pending.worker)
    }
    pending.passEnd = lastOrder
  }

  /// Notes that nobody was there for are the worker's.
  private func adopt(_ worker: Handle<QueueWorker>) {
    if lists.count == 0 { return }
    adopt(worker, isRealTime: true)
    adopt(worker, isRealTime: false)
  }

  private func adopt(_ worker: Handle<QueueWorker>, isRealTime: Bool) {
    for _ in 0..<EventQueue.adoptionCount {
      let handle = lists[isRealTime: isRealTime].first
      if handle.isNone { break }
      dequeue(handle)
      append(handle, to: worker)
      watch.workers[worker].statistics.scheduledCount += 1
    }
  }

  // MARK: Collecting

  /// Takes the next event of a pass that is to be told; nil when there is none left, or when `looks` are used up.
  public func takeEvent(_ pending: inout PendingEvents, _ looks: inout Int) -> KernelEvent? {
    let worker = pending.worker
    while true {
      let isRealTime = pending.realTimeLeft > 0
      let handle = first(isRealTime, worker)
      guard !handle.isNone, watch.notes[handle].order <= pending.passEnd ?? 0 else {
        // The rest is for the others.
        pending.realTimeLeft = 0
        if isRealTime { continue }
        return nil
      }
      if looks <= 0 { return nil }
      looks -= 1
      if !watch.notes[handle].holder.isNone {
        requeue(handle)
        continue
      }
      if watch.notes[handle].isDisabled {
        dequeue(handle)
        continue
      }
      let isOneShot = watch.notes[handle].event.flags.contains(.oneShot)
      guard isOneShot || fires(handle) else {
        dequeue(handle)
        watch.notes[handle].isActive = false
        continue
      }
      if isRealTime { pending.realTimeLeft -= 1 }
      if !worker.isNone { count(isRealTime, worker) }
      return isOneShot ? takeOut(handle) : report(handle, to: worker)
    }
  }

  @inline(__always)
  private func first(_ isRealTime: Bool, _ worker: Handle<QueueWorker>) -> Handle<EventNote> {
    worker.isNone ? lists[isRealTime: isRealTime].first : watch.workers[worker].lists[isRealTime: isRealTime].first
  }

  private func count(_ isRealTime: Bool, _ worker: Handle<QueueWorker>) {
    watch.workers[worker].statistics.eventCount += 1
    if isRealTime { watch.workers[worker].statistics.realTimeCount += 1 }
  }

  /// Deletes a note that is told once.
  private func takeOut(_ handle: Handle<EventNote>) -> KernelEvent {
    let event = watch.notes[handle].event
    delete(handle)
    return event
  }

  private func report(_ handle: Handle<EventNote>, to worker: Handle<QueueWorker>) -> KernelEvent {
    var event = watch.notes[handle].event
    if event.filter == .user {
      event.filterFlags = watch.notes[handle].wantedFlags & EventNotes.userFlags
      event.data = watch.notes[handle].wantedData
    }
    let flags = event.flags
    if flags.contains(.clear) {
      watch.notes[handle].event.data = 0
      watch.notes[handle].event.filterFlags = 0
      if event.filter == .user { watch.notes[handle].isTriggered = false }
    }
    if flags.contains(.dispatch) { watch.notes[handle].isDisabled = true }
    if worker.isNone && flags.isDisjoint(with: [.clear, .dispatch]) {
      requeue(handle)
    } else {
      dequeue(handle)
      watch.notes[handle].isActive = false
      if !worker.isNone {
        watch.notes[handle].wasStolen = false
        hold(handle, by: worker)
      }
      if flags.contains(.clear), event.filter == .timer { scheduleTimer(handle) }
    }
    return event
  }

  // MARK: Ending

  /// Whether another pass would find something that came after the last one began.
  public func hasMore(_ pending: inout PendingEvents) -> Bool {
    lists.count > 0 || (!pending.worker.isNone && watch.workers[pending.worker].availableCount > 0)
  }

  /// What a thread waits for.
  public func awaitEvents(_ pending: inout PendingEvents) -> Wait {
    if pending.worker.isNone {
      isAwaited = true
      return Wait(.events(ofQueue: number))
    }
    watch.workers[pending.worker].isAwaited = true
    return Wait(.events(ofQueue: watch.workers[pending.worker].number))
  }

  /// On what a thread must not be asleep now, because there is something for it to be told; nil when there is not.
  public func channelOfReady(_ pending: PendingEvents) -> WaitChannel? {
    var pending = pending
    if !hasMore(&pending) { return nil }
    return .events(ofQueue: pending.worker.isNone ? number : watch.workers[pending.worker].number)
  }

  /// How long a thread sleeps at most before it looks again for what others have not got round to, in nanoseconds; nil when nobody
  /// has anything that it could take.
  public func stealInterval(_ pending: inout PendingEvents) -> UInt64? {
    steals && watch.groups[group].active.count > 1 ? watch.stealNanoseconds : nil
  }

  /// The call of a thread is over that came for events.
  public func leave(_ pending: inout PendingEvents) {
    let worker = pending.worker
    if worker.isNone { return }
    watch.workers[worker].isAwaited = false
    watch.workers[worker].isAway = true
    watch.workers[worker].lastReturn = watch.memory.services.nanoseconds
    watch.workers[worker].lastCount = UInt32(truncatingIfNeeded: pending.eventCount)
  }
}
