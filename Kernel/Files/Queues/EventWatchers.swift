// Who watches what: the notes of all queues, and telling them that something has happened.
//
// Telling costs what watches the thing. Queues that watch queues are told one after the other, not one inside the other, so
// that a long chain of them needs no deep stack; a note that is ready already passes nothing on, so that rings of them end.

public import ABI
import Memory
public import Primitives

/// The notes of one kernel.
public final class EventWatchers: Nameable {
  let notes: Pool<EventNote>
  let pollWatches: Pool<PollWatch>
  let pollWindows: Pool<PollWindow>
  let pollers: Pool<PollerRecord>
  let noteBlocks: Pool<NoteBlock>
  let groups: Pool<WorkerGroup>
  let workers: Pool<QueueWorker>
  let workerBlocks: Pool<WorkerBlock>
  let queueThreads: Pool<QueueThread>
  var timers: NoteTimers
  /// `kern.kq_calloutmax`: timers of all queues together.
  public var maximumTimerCount = 4096
  /// Pollers that are over and have more watches than are given up at once.
  let abandoned = AbandonedPollers()
  let memory: MemorySystem
  /// Notes on processes and their signals, by process identifier.
  private var ofProcesses = [64 of NoteList](repeating: NoteList())
  /// How many those are.
  public private(set) var processNoteCount = 0
  /// Timers of queues.
  public private(set) var timerCount = 0
  /// Queues whose own watchers are to be told yet.
  private var firstUntold = BackReference<EventQueue>()
  private var isTelling = false
  private var lastQueueNumber: UInt64 = 0
  /// Threads that queues know apart, by identifier.
  var threadBuckets = [256 of Handle<QueueThread>](repeating: .none)
  /// Queues that are taken apart.
  private(set) var firstClosing = BackReference<EventQueue>()
  /// The processor, or group of processors with a cache of its own, on which the kernel runs now; a machine that has several
  /// says so before each event.
  public var currentLeaf = 0
  /// Whether there are several; set before there are queues.
  public var hasLeaves = false
  /// `kern.kq_cache_pen`: what it counts against a thread that a note is not in its cache, in nanoseconds.
  public var cachePenaltyNanoseconds: UInt64 = 1000
  /// `kern.kq_ws_int`: how long a thread sleeps at most that could take from others, in nanoseconds.
  public var stealNanoseconds: UInt64 = 100_000
  /// `kern.kq_ws_kn_factor`: how many notes are looked at for each that may be taken.
  public var stealFactor = 2 {
    didSet { stealFactor = min(max(stealFactor, 1), EventWatchers.maximumStealFactor) }
  }
  private static let maximumStealFactor = 16

  init(_ memory: MemorySystem) {
    self.memory = memory
    notes = Pool(memory.physical, .eventNote)
    pollWatches = Pool(memory.physical, .pollWatch)
    pollWindows = Pool(memory.physical, .pollWatch)
    pollers = Pool(memory.physical, .pollWatch)
    noteBlocks = Pool(memory.physical, .eventNote)
    groups = Pool(memory.physical, .eventNote)
    workers = Pool(memory.physical, .eventNote)
    workerBlocks = Pool(memory.physical, .eventNote)
    queueThreads = Pool(memory.physical, .eventNote)
    timers = NoteTimers(memory)
  }

  /// Notes that exist.
  public var noteCount: Int { notes.count }

  /// Names a queue among wait channels.
  func nextQueueNumber() -> UInt64 {
    lastQueueNumber &+= 1
    return lastQueueNumber
  }

  // MARK: Lists of watchers

  private static func bucket(_ process: UInt64) -> Int { Int(truncatingIfNeeded: process & 63) }

  /// Enters a note in the list of what it watches.
  func watch(_ handle: Handle<EventNote>) {
    if let file = notes[handle].file.borrowed.instance {
      prepend(handle, to: &file.watchers)
    } else if notes[handle].event.filter == .timer {
      timerCount += 1
    } else if isOfProcess(handle) {
      processNoteCount += 1
      prepend(handle, to: &ofProcesses[EventWatchers.bucket(subject(handle))])
    }
  }

  /// Takes a note out of that list.
  func unwatch(_ handle: Handle<EventNote>) {
    if let file = notes[handle].file.borrowed.instance {
      remove(handle, from: &file.watchers)
    } else if notes[handle].event.filter == .timer {
      timerCount -= 1
      timers.remove(handle, notes)
    } else if isOfProcess(handle) {
      processNoteCount -= 1
      remove(handle, from: &ofProcesses[EventWatchers.bucket(subject(handle))])
    }
  }

  private func isOfProcess(_ handle: Handle<EventNote>) -> Bool {
    let filter = notes[handle].event.filter
    return filter == .process || filter == .signal
  }

  /// The process that a note is about: its own, for signals.
  private func subject(_ handle: Handle<EventNote>) -> UInt64 {
    notes[handle].event.filter == .process
      ? notes[handle].event.identifier : notes[handle].queue.borrow { $0.process }
  }

  private func prepend(_ handle: Handle<EventNote>, to list: inout NoteList) {
    notes[handle].nextWatcher = list.first
    notes[handle].previousWatcher = .none
    if !list.first.isNone { notes[list.first].previousWatcher = handle }
    list.first = handle
  }

  private func remove(_ handle: Handle<EventNote>, from list: inout NoteList) {
    let (next, previous) = (notes[handle].nextWatcher, notes[handle].previousWatcher)
    if !next.isNone { notes[next].previousWatcher = previous }
    if previous.isNone { list.first = next } else { notes[previous].nextWatcher = next }
  }

  // MARK: Telling

  /// Something has happened to a file: the filters that watch it are asked again.
  @inline(__always)
  public func tell(of file: OpenFile) {
    let list = file.watchers
    if !list.isEmpty { ask(list) }
  }

  /// The same for one of the two filters, of a file on which each hangs on something else.
  func tell(of file: OpenFile, _ filter: EventFilter) {
    let list = file.watchers
    var handle = list.first
    while !handle.isNone {
      let next = notes[handle].nextWatcher
      if notes[handle].event.filter == filter { notes[handle].queue.borrow { $0.evaluate(handle) } }
      handle = next
    }
    if !list.firstPoll.isNone {
      signal(list.firstPoll, filter == .write ? PollEvents.writable : ~PollEvents.writable)
    }
    tellOuterQueues()
  }

  /// Asks all filters of a list.
  func ask(_ list: NoteList) {
    var handle = list.first
    while !handle.isNone {
      let next = notes[handle].nextWatcher
      notes[handle].queue.borrow { $0.evaluate(handle) }
      handle = next
    }
    if !list.firstPoll.isNone { signal(list.firstPoll) }
    tellOuterQueues()
  }

  /// The notes of a queue have become ready: those who watch it are told when that is done.
  func postpone(_ queue: EventQueue) {
    guard let file = queue.file.instance, !file.watchers.isEmpty, !queue.isUntold else { return }
    queue.isUntold = true
    queue.nextUntold = firstUntold
    firstUntold = BackReference(queue)
  }

  /// Tells those who watch queues that have become ready.
  func tellOuterQueues() {
    if isTelling { return }
    isTelling = true
    while let queue = firstUntold.instance {
      firstUntold = queue.nextUntold
      queue.nextUntold = BackReference()
      queue.isUntold = false
      let list = queue.file.instance?.watchers ?? NoteList()
      if !list.firstPoll.isNone { signal(list.firstPoll) }
      var handle = list.first
      while !handle.isNone {
        let next = notes[handle].nextWatcher
        notes[handle].queue.borrow { $0.evaluate(handle) }
        handle = next
      }
    }
    isTelling = false
  }

  // MARK: Queues that go

  /// Enters a queue that is closed.
  func enterClosing(_ queue: EventQueue) {
    queue.previousOfTable = BackReference()
    queue.nextOfTable = firstClosing
    firstClosing.instance?.previousOfTable = BackReference(queue)
    firstClosing = BackReference(queue)
  }

  /// A closed queue has nothing any more.
  func leaveClosing(_ queue: EventQueue) {
    queue.nextOfTable.instance?.previousOfTable = queue.previousOfTable
    if let previous = queue.previousOfTable.instance {
      previous.nextOfTable = queue.nextOfTable
    } else {
      firstClosing = queue.nextOfTable
    }
  }

  // MARK: Processes

  /// A signal was posted to a process (EVFILT_SIGNAL).
  @inline(__always)
  public func signalPosted(_ signal: Signal, to process: Int32) {
    if processNoteCount != 0 { count(signal, process) }
  }

  @inline(never)
  private func count(_ signal: Signal, _ process: Int32) {
    let process = UInt64(UInt32(bitPattern: process))
    let number = UInt64(UInt32(bitPattern: signal.rawValue))
    var handle = ofProcesses[EventWatchers.bucket(process)].first
    while !handle.isNone {
      let next = notes[handle].nextWatcher
      if notes[handle].event.filter == .signal, notes[handle].event.identifier == number, subject(handle) == process {
        notes[handle].event.data &+= 1
        notes[handle].queue.borrow { $0.activate(handle) }
      }
      handle = next
    }
    tellOuterQueues()
  }

  /// A process has executed a program (NOTE_EXEC).
  public func processExecuted(_ process: Int32) {
    guard processNoteCount != 0 else { return }
    forEachNote(onProcess: process) { watchers, handle in watchers.note(EventNotes.execute, handle) }
  }

  /// A process has made a child (NOTE_FORK), which those who track it watch from now on (NOTE_TRACK).
  public func processForked(_ process: Int32, child: Int32) {
    guard processNoteCount != 0 else { return }
    forEachNote(onProcess: process) { watchers, handle in
      if watchers.notes[handle].wantedFlags & EventNotes.track != 0 {
        let isTracked = watchers.notes[handle].queue.borrow { $0.track(child, like: handle) }
        if !isTracked { watchers.notes[handle].event.filterFlags |= EventNotes.trackError }
      }
      watchers.note(EventNotes.fork, handle)
    }
  }

  private func note(_ what: UInt32, _ handle: Handle<EventNote>) {
    notes[handle].event.filterFlags |= notes[handle].wantedFlags & what
    if notes[handle].event.filterFlags != 0 { notes[handle].queue.borrow { $0.activate(handle) } }
  }

  /// A process has ended (NOTE_EXIT): its notes report that once, or go.
  public func processEnded(_ process: Int32, status: Int32) {
    guard processNoteCount != 0 else { return }
    forEachNote(onProcess: process) { watchers, handle in
      watchers.notes[handle].event.flags.formUnion([.end, .oneShot])
      if watchers.notes[handle].wantedFlags & EventNotes.exit != 0 {
        watchers.notes[handle].event.filterFlags |= EventNotes.exit
        watchers.notes[handle].event.data = Int64(status)
      }
      watchers.notes[handle].queue.borrow { queue in
        if watchers.notes[handle].event.filterFlags == 0 { queue.delete(handle) } else { queue.activate(handle) }
      }
    }
  }

  private func forEachNote(onProcess process: Int32, _ body: (EventWatchers, Handle<EventNote>) -> Void) {
    let process = UInt64(UInt32(bitPattern: process))
    var handle = ofProcesses[EventWatchers.bucket(process)].first
    while !handle.isNone {
      let next = notes[handle].nextWatcher
      if notes[handle].event.filter == .process, notes[handle].event.identifier == process { body(self, handle) }
      handle = next
    }
    tellOuterQueues()
  }
}
