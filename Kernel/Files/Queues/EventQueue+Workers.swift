// Threads that a queue knows apart: how they come to be its workers, and how they leave it (spec kqueue.md sections 10, 11, 13).

import ABI
import Memory
import Primitives

extension EventQueue {
  // MARK: Settings

  /// FKQMULTI. Throws EINVAL when the queue was used before, or has a policy already; ENOMEM.
  func setPolicy(_ policy: QueuePolicy) throws(Errno) {
    guard !wasUsed, !isMulti else { throw .einval }
    guard account.mayMakeKernelMemory, let new = watch.groups.allocate(WorkerGroup(policy), watch.memory) else {
      throw .enomem
    }
    account.countKernelMemory(MemoryLayout<WorkerGroup>.stride)
    group = new
  }

  /// FKQTUNE: an object and its value. Throws EINVAL.
  func tune(_ word: UInt32) throws(Errno) {
    let value = word >> 16
    switch word & 0xffff {
    case 1: targetFrequency = value
    case 2:
      guard value >= 1, value <= 100 else { throw .einval }
      realTimeShare = value
    default: throw .einval
    }
  }

  // MARK: Coming

  private func bucket(_ thread: Int32) -> Int { Int(thread) & (WorkerGroup.bucketCount - 1) }

  /// The worker of a thread, or none.
  func worker(of thread: Int32) -> Handle<QueueWorker> {
    var worker = watch.groups[group].buckets[bucket(thread)]
    while !worker.isNone, watch.workers[worker].thread != thread { worker = watch.workers[worker].nextInBucket }
    return worker
  }

  /// The same; made if there is none. Throws ENOMEM.
  func makeWorker(of thread: Int32) throws(Errno) -> Handle<QueueWorker> {
    let found = worker(of: thread)
    if !found.isNone { return found }
    guard account.mayMakeKernelMemory, let workers = watch.enter(thread) else { throw .enomem }
    let number = watch.nextQueueNumber()
    let new = QueueWorker(
      number: number, queue: BackReference(self), thread: thread, workers: workers, random: QueueRandom(seed: number))
    guard let worker = watch.workers.allocate(new, watch.memory) else {
      watch.leaveIfEmpty(workers)
      throw .enomem
    }
    account.countKernelMemory(MemoryLayout<QueueWorker>.stride)
    watch.workers[worker].nextInBucket = watch.groups[group].buckets[bucket(thread)]
    watch.groups[group].buckets[bucket(thread)] = worker
    watch.groups[group].count += 1
    watch.link(worker)
    return worker
  }

  /// Makes a worker one that is chosen from. Throws ENOMEM.
  func makeActive(_ worker: Handle<QueueWorker>) throws(Errno) {
    if watch.workers[worker].place != 0 { return }
    let leaf = min(watch.currentLeaf, WorkerGroup.leafLimit - 1)
    guard watch.groups[group].active.reserve(watch, account),
      !watch.hasLeaves || watch.groups[group].leaves[leaf].reserve(watch, account)
    else { throw .enomem }
    watch.workers[worker].leaf = UInt16(leaf)
    watch.workers[worker].place = watch.groups[group].active.add(worker, watch)
    if watch.hasLeaves { watch.workers[worker].leafPlace = watch.groups[group].leaves[leaf].add(worker, watch) }
  }

  // MARK: Notes that a thread was told of

  /// Nobody else is told of a note until the thread comes back.
  func hold(_ handle: Handle<EventNote>, by worker: Handle<QueueWorker>) {
    let first = watch.workers[worker].firstHeld
    watch.notes[handle].holder = worker
    watch.notes[handle].nextHeld = first
    watch.notes[handle].previousHeld = .none
    if !first.isNone { watch.notes[first].previousHeld = handle }
    watch.workers[worker].firstHeld = handle
  }

  /// Takes a note from the thread that was told of it.
  func letGo(_ handle: Handle<EventNote>) {
    let worker = watch.notes[handle].holder
    let (next, previous) = (watch.notes[handle].nextHeld, watch.notes[handle].previousHeld)
    if !next.isNone { watch.notes[next].previousHeld = previous }
    if previous.isNone { watch.workers[worker].firstHeld = next } else { watch.notes[previous].nextHeld = next }
    watch.notes[handle].holder = .none
    let owner = watch.notes[handle].worker
    if watch.notes[handle].isQueued && !owner.isNone { countHeld(-1, owner) }
  }

  /// The thread of a worker comes back: what it was told of can be told again. Goes on until `budget` is used up; whether nothing
  /// is left.
  func release(_ worker: Handle<QueueWorker>, _ budget: inout Int) -> Bool {
    while case let handle = watch.workers[worker].firstHeld, !handle.isNone {
      if budget <= 0 { return false }
      budget -= 1
      letGo(handle)
      if watch.notes[handle].isQueued {
        let owner = watch.notes[handle].worker
        if !owner.isNone { tell(owner) }
        continue
      }
      if watch.notes[handle].event.flags.contains(.clear) || watch.notes[handle].isDisabled { continue }
      if watch.workers[worker].isLeaving {
        evaluate(handle)
      } else {
        watch.notes[handle].isActive = true
        prepend(handle, to: worker)
        watch.postpone(self)
      }
    }
    return true
  }

  /// Wakes the thread of a worker that has something, and tells those who watch the queue.
  func tell(_ worker: Handle<QueueWorker>) {
    if watch.workers[worker].isAwaited {
      watch.workers[worker].isAwaited = false
      watch.memory.services.wake(.events(ofQueue: watch.workers[worker].number))
    }
    watch.postpone(self)
  }

  // MARK: Going

  /// The thread of a worker ends: what it had goes to others. Goes on until `budget` is used up; whether nothing is left of it.
  func dissolve(_ worker: Handle<QueueWorker>, _ budget: inout Int) -> Bool {
    if !watch.workers[worker].isLeaving {
      deactivate(worker)
      unlink(worker)
      watch.workers[worker].isLeaving = true
    }
    guard release(worker, &budget) else { return false }
    while case let handle = first(of: worker), !handle.isNone {
      if budget <= 0 { return false }
      budget -= 1
      dequeue(handle)
      schedule(handle)
    }
    remove(worker)
    return true
  }

  /// The first note that a worker has, of whichever class.
  private func first(of worker: Handle<QueueWorker>) -> Handle<EventNote> {
    let first = watch.workers[worker].lists[isRealTime: true].first
    return first.isNone ? watch.workers[worker].lists[isRealTime: false].first : first
  }

  private func deactivate(_ worker: Handle<QueueWorker>) {
    let (place, leafPlace) = (watch.workers[worker].place, watch.workers[worker].leafPlace)
    if place == 0 { return }
    let moved = watch.groups[group].active.remove(at: place, watch)
    if !moved.isNone { watch.workers[moved].place = place }
    watch.workers[worker].place = 0
    if leafPlace == 0 { return }
    let next = watch.groups[group].leaves[Int(watch.workers[worker].leaf)].remove(at: leafPlace, watch)
    if !next.isNone { watch.workers[next].leafPlace = leafPlace }
    watch.workers[worker].leafPlace = 0
  }

  /// Takes a worker out of the chain of its thread.
  private func unlink(_ worker: Handle<QueueWorker>) {
    let bucket = bucket(watch.workers[worker].thread)
    let next = watch.workers[worker].nextInBucket
    var place = watch.groups[group].buckets[bucket]
    if place == worker {
      watch.groups[group].buckets[bucket] = next
      return
    }
    while watch.workers[place].nextInBucket != worker { place = watch.workers[place].nextInBucket }
    watch.workers[place].nextInBucket = next
  }

  /// Releases a worker that has nothing.
  private func remove(_ worker: Handle<QueueWorker>) {
    let counted = watch.workers[worker].statistics
    watch.groups[group].departed += counted
    watch.groups[group].count -= 1
    watch.unlink(worker)
    watch.workers.release(worker, watch.memory)
    account.countKernelMemory(-MemoryLayout<QueueWorker>.stride)
  }

  /// The queue goes, and has no notes any more: so do its workers. Whether none is left.
  func disband(_ budget: inout Int) -> Bool {
    guard isMulti else { return true }
    for bucket in 0..<WorkerGroup.bucketCount {
      while case let worker = watch.groups[group].buckets[bucket], !worker.isNone {
        if budget <= 0 { return false }
        budget -= 1
        deactivate(worker)
        unlink(worker)
        remove(worker)
      }
    }
    // A thread that leaves one of them sees to that itself; it is no use to look again at once.
    if watch.groups[group].count > 0 {
      budget = 0
      return false
    }
    watch.groups[group].active.release(watch, account)
    for leaf in 0..<WorkerGroup.leafLimit { watch.groups[group].leaves[leaf].release(watch, account) }
    watch.groups.release(group, watch.memory)
    group = .none
    account.countKernelMemory(-MemoryLayout<WorkerGroup>.stride)
    return true
  }
}
