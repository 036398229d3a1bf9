// Which thread is told of a note that became ready, and what a thread takes from others (spec kqueue.md sections 11 and 13).

import ABI
import Memory
import Primitives

extension EventQueue {
  // MARK: Choosing

  /// Gives a note that is ready to a worker, or keeps it while there is none.
  func schedule(_ handle: Handle<EventNote>) {
    let start = watch.memory.services.nanoseconds
    let worker = choose(for: handle, now: start)
    append(handle, to: worker)
    if worker.isNone { return watch.postpone(self) }
    watch.workers[worker].statistics.scheduledCount += 1
    watch.groups[group].scheduleNanoseconds &+= watch.memory.services.nanoseconds &- start
    if watch.notes[handle].holder.isNone { tell(worker) }
  }

  private func choose(for handle: Handle<EventNote>, now: UInt64) -> Handle<QueueWorker> {
    let owner = affineWorker(of: handle)
    if !owner.isNone { return owner }
    if watch.groups[group].active.count == 0 { return .none }
    let policy = watch.groups[group].policy
    var chosen = Handle<QueueWorker>.none
    switch policy.choice {
    case .random: return draw(for: handle, from: watch.groups[group].active)
    case .best: chosen = leastBusy(for: handle, besides: .none, policy.candidateCount, now)
    case .processor: chosen = compare(local(for: handle, watch.currentLeaf), for: handle, policy.candidateCount, now)
    case .home:
      if watch.notes[handle].leaf == .max { watch.notes[handle].leaf = UInt16(watch.currentLeaf) }
      let leaf = Int(watch.notes[handle].leaf)
      chosen = compare(local(for: handle, leaf), for: handle, policy.candidateCount, now)
      if leaf != watch.currentLeaf && !chosen.isNone { watch.workers[chosen].statistics.mismatchCount += 1 }
    }
    if !chosen.isNone { return chosen }
    chosen = draw(for: handle, from: watch.groups[group].active)
    watch.workers[chosen].statistics.fallbackCount += 1
    return chosen
  }

  /// The worker that alone may have a note, as long as its thread is there (EV_AFFINITY).
  private func affineWorker(of handle: Handle<EventNote>) -> Handle<QueueWorker> {
    let number = watch.notes[handle].affinity
    if number == 0 { return .none }
    let worker = worker(of: watch.notes[handle].affineThread)
    return !worker.isNone && watch.workers[worker].number == number ? worker : .none
  }

  /// One of a set by lot, or none if it is empty.
  private func draw(for handle: Handle<EventNote>, from set: WorkerSet) -> Handle<QueueWorker> {
    if set.count == 0 { return .none }
    return set.worker(at: watch.notes[handle].random.next(below: set.count) + 1, watch)
  }

  /// One of the workers of a leaf by lot.
  private func local(for handle: Handle<EventNote>, _ leaf: Int) -> Handle<QueueWorker> {
    if !watch.hasLeaves { return draw(for: handle, from: watch.groups[group].active) }
    return draw(for: handle, from: watch.groups[group].leaves[min(leaf, WorkerGroup.leafLimit - 1)])
  }

  /// The one with the least expected time of up to two that are drawn from all but one.
  private func leastBusy(
    for handle: Handle<EventNote>, besides excluded: Handle<QueueWorker>, _ count: Int, _ now: UInt64
  ) -> Handle<QueueWorker> {
    if count == 0 { return .none }
    let excludedPlace = excluded.isNone ? 0 : watch.workers[excluded].place
    let first = drawPlace(for: handle, excludedPlace, 0)
    if first == 0 { return .none }
    let active = watch.groups[group].active
    let one = active.worker(at: first, watch)
    let second = count < 2 ? 0 : drawPlace(for: handle, min(first, excludedPlace), max(first, excludedPlace))
    if second == 0 { return one }
    let other = active.worker(at: second, watch)
    return expectedTime(of: other, now) < expectedTime(of: one, now) ? other : one
  }

  /// A place of the active workers by lot that is neither of two, of which the second is 0 or not less than the first; 0: there is
  /// none.
  private func drawPlace(for handle: Handle<EventNote>, _ low: UInt32, _ high: UInt32) -> UInt32 {
    let excludedCount: UInt32 = (low == 0 ? 0 : 1) + (high == 0 || high == low ? 0 : 1)
    let count = watch.groups[group].active.count
    if count <= excludedCount { return 0 }
    var place = watch.notes[handle].random.next(below: count - excludedCount) + 1
    if low != 0 && place >= low { place += 1 }
    if high > low && place >= high { place += 1 }
    return place
  }

  /// The local worker, or one of others if that is expected to be done earlier although the note is not in its cache.
  private func compare(
    _ local: Handle<QueueWorker>, for handle: Handle<EventNote>, _ count: Int, _ now: UInt64
  ) -> Handle<QueueWorker> {
    let remote = leastBusy(for: handle, besides: local, count, now)
    if local.isNone || remote.isNone { return local.isNone ? remote : local }
    let penalized = expectedTime(of: remote, now).addingClamped(watch.cachePenaltyNanoseconds)
    return penalized < expectedTime(of: local, now) ? remote : local
  }

  /// When a worker will have done what it has, in nanoseconds since boot.
  func expectedTime(of worker: Handle<QueueWorker>, _ now: UInt64) -> UInt64 {
    let cost = watch.workers[worker].cost.value
    var count = UInt64(watch.workers[worker].lists.count)
    var start = now
    if watch.workers[worker].isAway {
      let told = UInt64(watch.workers[worker].lastCount)
      count += told
      let (span, isLong) = told.multipliedReportingOverflow(by: cost)
      start = max(watch.workers[worker].lastReturn, isLong || span > now ? 0 : now - span)
    }
    let (work, isLong) = cost.multipliedReportingOverflow(by: count)
    return isLong ? .max : start.addingClamped(work)
  }

  // MARK: Stealing

  /// Whether idle threads take what others have not got round to.
  public var steals: Bool { isMulti && watch.groups[group].policy.stealCount > 0 }

  /// Takes notes from another worker, drawn by lot; whether there were some.
  public func steal(_ pending: inout PendingEvents) -> Bool {
    let thief = pending.worker
    let (wanted, count) = (watch.groups[group].policy.stealCount, watch.groups[group].active.count)
    let place = watch.workers[thief].place
    guard wanted > 0, count > 1, place != 0 else { return false }
    var other = watch.workers[thief].random.next(below: count - 1) + 1
    if other >= place { other += 1 }
    let victim = watch.groups[group].active.worker(at: other, watch)
    guard watch.workers[victim].availableCount > 0 else { return false }
    let isRealTime = watch.workers[victim].lists[isRealTime: true].count > 0
    var handle = watch.workers[victim].lists[isRealTime: isRealTime].first
    var (looks, taken) = (wanted * watch.stealFactor, 0)
    while !handle.isNone, looks > 0, taken < wanted {
      let next = watch.notes[handle].nextReady
      looks -= 1
      watch.workers[thief].statistics.scannedCount += 1
      if mayBeStolen(handle) {
        dequeue(handle)
        watch.notes[handle].wasStolen = true
        prepend(handle, to: thief)
        taken += 1
      }
      handle = next
    }
    watch.workers[thief].statistics.stolenCount += UInt64(taken)
    return taken > 0
  }

  private func mayBeStolen(_ handle: Handle<EventNote>) -> Bool {
    watch.notes[handle].isActive && !watch.notes[handle].isDisabled && watch.notes[handle].holder.isNone
      && !watch.notes[handle].wasStolen && affineWorker(of: handle).isNone
  }
}
