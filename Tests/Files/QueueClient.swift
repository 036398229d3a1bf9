// A queue of events, and threads that use it as kevent(2) does.
import ABI
import Memory
import Primitives
import Testing

@testable import Files

/// A queue with its threads.
final class QueueClient {
  let machine: Machine
  let descriptor: Int32
  private(set) var file: EventQueueFile?
  private var calls: [Int32: PendingEvents] = [:]

  init(_ machine: Machine, policy: UInt32? = nil) throws {
    self.machine = machine
    descriptor = try machine.files.makeQueue(
      for: 1, machine.caller, limit: 0, closeOnExec: false, in: machine.table)
    file = try #require(try machine.table.file(at: descriptor) as? EventQueueFile)
    if let policy { try control(.setQueuePolicy, policy) }
  }

  var queue: EventQueue {
    guard let file else { preconditionFailure("the queue is closed") }
    return file.queue
  }
  var watch: EventWatchers { machine.files.watchers }

  func control(_ request: InputOutputControl, _ word: UInt32) throws(Errno) {
    var data = [64 of UInt8](repeating: 0)
    for index in 0..<4 { data[index] = UInt8(truncatingIfNeeded: word >> UInt32(8 * index)) }
    try machine.table.file(at: descriptor).control(request, &data)
  }

  func tune(_ object: UInt32, _ value: UInt32) throws(Errno) { try control(.tuneQueue, object | value << 16) }

  func change(
    _ identifier: UInt64, _ flags: EventFlags, _ notes: UInt32 = 0, filter: EventFilter = .user, data: Int64 = 0,
    thread: Int32 = 1
  ) throws(Errno) {
    var event = KernelEvent()
    event.identifier = identifier
    event.filter = filter
    event.flags = flags
    event.filterFlags = notes
    event.data = data
    event.userData = identifier
    queue.wasUsed = true
    try queue.register(&event, machine.table, .none, thread: thread)
  }

  func trigger(_ identifier: UInt64) throws(Errno) { try change(identifier, [], EventNotes.trigger) }

  /// What a thread is told by a call that has room for so much; when there is nothing it sleeps, and an empty list is given.
  @discardableResult
  func collect(_ thread: Int32 = 1, count: Int32 = 8, steals: Bool = true) throws(Errno) -> [KernelEvent] {
    var pending = PendingEvents(changes: (0, 0), events: (0, count), isOld: false)
    queue.wasUsed = true
    try queue.enter(&pending, thread: thread)
    while !queue.release(&pending, budget: 3) {}
    return goOn(&pending, thread, steals)
  }

  private func goOn(_ pending: inout PendingEvents, _ thread: Int32, _ steals: Bool) -> [KernelEvent] {
    var events: [KernelEvent] = []
    repeat {
      queue.beginPass(&pending)
      var looks = 100_000
      while pending.eventsLeft > 0, let event = queue.takeEvent(&pending, &looks) {
        events.append(event)
        pending.eventsLeft -= 1
        pending.eventCount += 1
      }
    } while events.isEmpty && (queue.hasMore(&pending) || (steals && queue.steals && queue.steal(&pending)))
    pending.passEnd = nil
    if events.isEmpty {
      _ = queue.awaitEvents(&pending)
      calls[thread] = pending
    } else {
      queue.leave(&pending)
      calls[thread] = nil
    }
    return events
  }

  /// Goes on with the call of a thread that sleeps.
  func wake(_ thread: Int32, steals: Bool = true) -> [KernelEvent] {
    guard var pending = calls[thread] else { return [] }
    return goOn(&pending, thread, steals)
  }

  /// Threads that sleep and were woken since this was asked last.
  func takeWoken() -> [Int32] {
    let channels = machine.waker.channels
    machine.waker.channels = []
    return calls.keys.sorted().filter { thread in
      let channel = queue.awaitedChannel(calls[thread] ?? PendingEvents())
      return channels.contains(channel)
    }
  }

  /// A thread ends.
  func end(_ thread: Int32) {
    calls[thread] = nil
    while !watch.threadEnds(thread) {}
  }

  /// What all workers have counted, those that are gone included.
  var statistics: WorkerStatistics {
    let group = watch.groups[queue.group]
    var sum = group.departed
    for place in 1..<max(1, group.active.count + 1) {
      sum += watch.workers[group.active.worker(at: place, watch)].statistics
    }
    return sum
  }

  func statistics(of thread: Int32) -> WorkerStatistics { watch.workers[queue.worker(of: thread)].statistics }

  /// Closes the queue.
  func close() throws(Errno) {
    file = nil
    try machine.table.close(descriptor)
  }
}

extension EventQueue {
  /// On what a thread with such a call sleeps.
  fileprivate func awaitedChannel(_ pending: PendingEvents) -> WaitChannel {
    .events(ofQueue: pending.worker.isNone ? number : watch.workers[pending.worker].number)
  }
}

extension [KernelEvent] {
  var identifiers: [UInt64] { map(\.identifier) }
}
