// Threads on several processors that take events from the kernel's own queues, in simulated time (spec kqueue.md section 13).
//
// The queues are the real ones of Kernel/Files/Queues: notes are registered, become ready, are given to workers, stolen, told
// and released by the code that boots. What is simulated is around them: processors that run threads side by side, the time that
// things take (`Charges`), and the connections, each of which is a note of the filter USER that is triggered by a packet.
//
// One thread belongs to each processor: it takes events, serves what has come on each connection, and comes back. A call happens
// at the instant at which the thread has the queue's lock.

import ABI
import Files
import Memory
import Primitives
import Simulation

/// Hands wake-ups to the experiment.
private final class ThreadWaker: Waker {
  var channels: [WaitChannel] = []
  override func wake(_ channel: WaitChannel, atMost count: Int) -> Int {
    channels.append(channel)
    return 1
  }
}

/// A thread of the server.
private struct ServerThread {
  var file: EventQueueFile
  var pending = PendingEvents()
  /// Connections that it was told of and has not served, the last first.
  var told: [Int] = []
  /// Connections whose notes its next call enables.
  var disabled: [Int] = []
  /// What it sleeps on, if it does.
  var awaited: WaitChannel?
  /// Counts its sleeps, so that an alarm that is too late means nothing.
  var sleepCount = 0
}

/// A run.
public final class QueueExperiment {
  /// Processors, connections of the load, and those whose requests have their time taken.
  public static let processorCount = 12
  private static let connections = (load: 1296, measured: 12)
  private static let eventsPerCall: Int32 = 2048
  private static let looks = 1 << 20

  private let hardware: SimulatedHardware
  private let files: FileServices
  private let table: FileTable
  private let caller: Credentials
  private let waker = ThreadWaker()
  private let charges: Charges
  private let sharing: Sharing
  private let requests: [Request]
  private let warmUp: UInt64
  private let end: UInt64
  private var threads: [ServerThread] = []
  private var waiting: [[Int]]
  private var agenda = Agenda()
  /// When the lock of each queue is free.
  private var lockFree: [UInt64]
  private var now: UInt64 = 0
  private let start: UInt64
  private var outcome = Outcome()

  /// Prepares a run; `seconds` is how long requests come.
  public init(
    _ workload: Workload, _ sharing: Sharing, load: Double, seed: UInt64, seconds: Double? = nil,
    charges: Charges = Charges()
  ) throws {
    let count = QueueExperiment.processorCount
    let span = seconds ?? workload.span.seconds
    var configuration = HardwareConfiguration()
    configuration.frameCount = 1024
    configuration.swapBlockCount = 0
    hardware = SimulatedHardware(configuration)
    start = hardware.clock.nanoseconds
    files = FileServices(hardware.system)
    files.watchers.hasLeaves = true
    table = FileTable(files)
    caller = Credentials(files)
    hardware.system.services.waker = BackReference(waker)
    self.charges = charges
    self.sharing = sharing
    requests = workload.requests(
      load: load, processorCount: count, connections: QueueExperiment.connections, seconds: span, seed: seed)
    warmUp = UInt64(span * 0.2 * 1e9)
    end = UInt64(span * 1e9)
    let total = QueueExperiment.connections.load + QueueExperiment.connections.measured
    waiting = Array(repeating: [], count: total)
    lockFree = Array(repeating: 0, count: count)
    try makeQueues()
    for connection in 0..<total { try change(connection, [.add, .clear, dispatch]) }
  }

  private var dispatch: EventFlags { sharing == .shared ? .dispatch : [] }

  private func makeQueues() throws {
    let count = sharing == .separate ? QueueExperiment.processorCount : 1
    var made: [EventQueueFile] = []
    for _ in 0..<count {
      let descriptor = try files.makeQueue(for: 1, caller, limit: 0, closeOnExec: false, in: table)
      guard let file = try table.file(at: descriptor, needing: []) as? EventQueueFile else { continue }
      if case .multi(let word) = sharing {
        var data = [64 of UInt8](repeating: 0)
        for index in 0..<4 { data[index] = UInt8(truncatingIfNeeded: word >> UInt32(8 * index)) }
        try file.control(.setQueuePolicy, &data)
      }
      made.append(file)
    }
    for processor in 0..<QueueExperiment.processorCount {
      threads.append(ServerThread(file: made[processor % made.count]))
    }
  }

  /// The thread whose queue a connection is in.
  private func owner(_ connection: Int) -> Int {
    sharing == .separate ? connection % QueueExperiment.processorCount : 0
  }

  /// The processor on which packets of a connection come in, as a hash of addresses says.
  private func home(_ connection: Int) -> Int {
    Int((UInt64(connection + 1) &* 0x9e37_79b9_7f4a_7c15) >> 33) % QueueExperiment.processorCount
  }

  private func change(_ connection: Int, _ flags: EventFlags, _ notes: UInt32 = 0) throws {
    var event = KernelEvent()
    event.identifier = UInt64(connection)
    event.filter = .user
    event.flags = flags
    event.filterFlags = notes
    try threads[owner(connection)].file.queue.register(&event, table, .none, thread: 1)
  }

  // MARK: Running

  /// Runs until every request is served.
  public func run() throws -> Outcome {
    for thread in threads.indices { agenda.add(.enter(thread), at: 0) }
    if !requests.isEmpty { agenda.add(.arrival(0), at: requests[0].arrival) }
    while outcome.servedCount < requests.count, let (time, happening) = agenda.next() {
      now = time
      hardware.clock.advance(to: start + time)
      switch happening {
      case .arrival(let index): try arrive(index)
      case .enter(let thread): try enter(thread)
      case .collect(let thread): try collect(thread)
      case .alarm(let thread, let sleep):
        if threads[thread].awaited != nil && threads[thread].sleepCount == sleep {
          threads[thread].awaited = nil
          try collect(thread)
        }
      case .serve(let thread): try serve(thread)
      }
    }
    outcome.latencies.sort()
    try finish()
    return outcome
  }

  /// A packet comes in: its connection's note is triggered on the processor that the connection's packets come in on.
  private func arrive(_ index: Int) throws {
    let request = requests[index]
    if index + 1 < requests.count { agenda.add(.arrival(index + 1), at: requests[index + 1].arrival) }
    if request.arrival >= warmUp { outcome.offeredCount += 1 }
    waiting[request.connection].append(index)
    files.watchers.currentLeaf = home(request.connection)
    let done = hold(lock(of: owner(request.connection)), count: isPlain ? 1 : 0)
    try change(request.connection, [], EventNotes.trigger)
    wakeThreads(at: done)
  }

  private var isPlain: Bool {
    if case .multi = sharing { false } else { true }
  }

  /// The lock of a thread's queue, or of its worker.
  private func lock(of thread: Int) -> Int { sharing == .shared ? 0 : thread }

  /// Waits for a lock and holds it for so many events; when it is released.
  private func hold(_ lock: Int, count: Int) -> UInt64 {
    let released = max(now, lockFree[lock]) + UInt64(count) * charges.hold
    if count > 0 { lockFree[lock] = released }
    return released
  }

  private func wakeThreads(at time: UInt64) {
    for channel in waker.channels {
      for thread in threads.indices where threads[thread].awaited == channel {
        threads[thread].awaited = nil
        agenda.add(.collect(thread), at: max(time, now) + charges.wake)
      }
    }
    waker.channels.removeAll(keepingCapacity: true)
  }

  /// A thread calls kevent(2).
  private func enter(_ thread: Int) throws {
    let queue = threads[thread].file.queue
    files.watchers.currentLeaf = thread
    let changed = threads[thread].disabled.count
    for connection in threads[thread].disabled { try change(connection, .enable) }
    threads[thread].disabled.removeAll(keepingCapacity: true)
    var pending = PendingEvents(changes: (0, 0), events: (0, QueueExperiment.eventsPerCall), isOld: false)
    try queue.enter(&pending, thread: Int32(thread + 1))
    guard queue.release(&pending, budget: .max) else { preconditionFailure("notes are left") }
    threads[thread].pending = pending
    let done = hold(lock(of: thread), count: changed)
    wakeThreads(at: done)
    agenda.add(.collect(thread), at: done + charges.call + UInt64(changed) * charges.event)
  }

  /// The thread has what it needs to look for events.
  private func collect(_ thread: Int) throws {
    let queue = threads[thread].file.queue
    files.watchers.currentLeaf = thread
    var pending = threads[thread].pending
    var told: [Int] = []
    var attempts: UInt64 = 0
    while true {
      queue.beginPass(&pending)
      var looks = QueueExperiment.looks
      while pending.eventsLeft > 0, let event = queue.takeEvent(&pending, &looks) {
        told.append(Int(event.identifier))
        pending.eventsLeft -= 1
        pending.eventCount += 1
      }
      if !told.isEmpty { break }
      if queue.hasMore(&pending) { continue }
      guard queue.steals else { break }
      attempts += 1
      if !queue.steal(&pending) { break }
    }
    let done = hold(lock(of: thread), count: told.count) + attempts * charges.steal
    pending.passEnd = nil
    threads[thread].pending = pending
    wakeThreads(at: done)
    if told.isEmpty { return sleep(thread, at: done) }
    outcome.eventCount += told.count
    queue.leave(&pending)
    if sharing == .shared { threads[thread].disabled = told }
    threads[thread].told = told.reversed()
    agenda.add(.serve(thread), at: done + UInt64(told.count) * charges.event)
  }

  private func sleep(_ thread: Int, at time: UInt64) {
    let queue = threads[thread].file.queue
    threads[thread].awaited = queue.awaitEvents(&threads[thread].pending).channel
    threads[thread].sleepCount += 1
    if let interval = queue.stealInterval(&threads[thread].pending) {
      agenda.add(.alarm(thread, threads[thread].sleepCount), at: time + interval)
    }
  }

  /// The thread serves what has come on the next connection that it was told of.
  private func serve(_ thread: Int) throws {
    guard let connection = threads[thread].told.popLast() else {
      agenda.add(.enter(thread), at: now)
      return
    }
    var time = now + (home(connection) == thread ? 0 : charges.remote)
    for index in waiting[connection] {
      let request = requests[index]
      time += request.service
      outcome.servedCount += 1
      if time >= warmUp && time < end { outcome.completedCount += 1 }
      let latency = time - request.arrival
      outcome.fingerprint = (outcome.fingerprint ^ latency) &* 0x100_0000_01b3 &+ UInt64(thread)
      if request.isMeasured && request.arrival >= warmUp { outcome.latencies.append(latency) }
    }
    waiting[connection].removeAll(keepingCapacity: true)
    agenda.add(.serve(thread), at: time)
  }

  /// Gives everything back.
  private func finish() throws {
    threads.removeAll()
    var budget = Int.max
    guard table.closeAll(budget: &budget), hardware.system.drainTeardown(budget: .max) else {
      preconditionFailure("queues are left")
    }
    for thread in 0..<QueueExperiment.processorCount { _ = files.watchers.threadEnds(Int32(thread + 1)) }
  }
}
