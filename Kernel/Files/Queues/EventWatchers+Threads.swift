// Threads that queues know apart (FKQMULTI): what each has to leave when it ends.
//
// Invariant: a thread has a record exactly while it has a worker in some queue; the record is in the chain of its identifier.

import Memory
import Primitives

extension EventWatchers {
  private func bucket(_ thread: Int32) -> Int { Int(thread) & 255 }

  private func find(_ thread: Int32) -> Handle<QueueThread> {
    var place = threadBuckets[bucket(thread)]
    while !place.isNone, queueThreads[place].identifier != thread { place = queueThreads[place].next }
    return place
  }

  /// The record of a thread, made if there is none; nil when memory cannot be had.
  func enter(_ thread: Int32) -> Handle<QueueThread>? {
    let found = find(thread)
    if !found.isNone { return found }
    guard let new = queueThreads.allocate(QueueThread(identifier: thread), memory) else { return nil }
    queueThreads[new].next = threadBuckets[bucket(thread)]
    threadBuckets[bucket(thread)] = new
    return new
  }

  /// Gives up the record of a thread that has no worker.
  func leaveIfEmpty(_ thread: Handle<QueueThread>) {
    guard queueThreads[thread].first.isNone else { return }
    let (bucket, next) = (bucket(queueThreads[thread].identifier), queueThreads[thread].next)
    var place = threadBuckets[bucket]
    if place == thread {
      threadBuckets[bucket] = next
    } else {
      while queueThreads[place].next != thread { place = queueThreads[place].next }
      queueThreads[place].next = next
    }
    queueThreads.release(thread, memory)
  }

  /// Enters a worker in the list of its thread.
  func link(_ worker: Handle<QueueWorker>) {
    let thread = workers[worker].workers
    let first = queueThreads[thread].first
    workers[worker].nextOfThread = first
    if !first.isNone { workers[first].previousOfThread = worker }
    queueThreads[thread].first = worker
  }

  /// Takes a worker out of that list.
  func unlink(_ worker: Handle<QueueWorker>) {
    let thread = workers[worker].workers
    let (next, previous) = (workers[worker].nextOfThread, workers[worker].previousOfThread)
    if !next.isNone { workers[next].previousOfThread = previous }
    if previous.isNone { queueThreads[thread].first = next } else { workers[previous].nextOfThread = next }
    leaveIfEmpty(thread)
  }

  /// A thread ends: what it was given goes to others, a bounded part of it at a time. Whether nothing is left.
  public func threadEnds(_ thread: Int32) -> Bool {
    if queueThreads.count == 0 { return true }
    var budget = EventWatchers.notesPerStep
    while case let place = find(thread), !place.isNone {
      let worker = queueThreads[place].first
      let isDone = workers[worker].queue.borrow { $0.dissolve(worker, &budget) }
      budget -= 1
      guard isDone, budget > 0 else {
        tellOuterQueues()
        return false
      }
    }
    tellOuterQueues()
    return true
  }

  /// Notes that a thread which ends hands over at a time.
  private static let notesPerStep = 32
}
