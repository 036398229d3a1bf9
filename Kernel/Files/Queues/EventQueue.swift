// A queue of events (kqueue(2); spec kqueue.md sections 2 and 3).
//
// Invariants
// - The notes of a queue are in its table (NoteTable.swift); `noteCount` is how many. `readyCount` of them are in the list from
//   `firstReady` to `lastReady`, in the order in which they became ready, each with a greater `order` than the one before.
// - A queue is in the list of the descriptor table that it was made in, as long as that exists and the queue does.
// - Its notes go before it does.

public import ABI
import Memory
public import Primitives

extension WaitChannel {
  /// Events of the queue with this number.
  static func events(ofQueue number: UInt64) -> WaitChannel { WaitChannel(Kind(40), number) }
}

/// A queue.
public final class EventQueue: OpenFile {
  let watch: EventWatchers
  /// The process in whose table it is.
  let process: UInt64
  private let account: UserAccount
  private let number: UInt64
  /// The table that it was made in.
  var table = BackReference<FileTable>()
  var nextOfTable = BackReference<EventQueue>()
  var previousOfTable = BackReference<EventQueue>()
  var noteTable = NoteTable()
  /// Notes.
  public private(set) var noteCount = 0
  private(set) var firstReady = Handle<EventNote>.none
  private var lastReady = Handle<EventNote>.none
  /// Notes that are ready.
  public private(set) var readyCount = 0
  private var lastOrder: UInt64 = 0
  /// Whether a thread may be asleep until something is ready.
  private var isAwaited = false
  var isUntold = false
  var nextUntold = BackReference<EventQueue>()

  init(_ fileServices: FileServices, process: Int32, _ account: UserAccount) {
    watch = fileServices.watchers
    self.process = UInt64(UInt32(bitPattern: process))
    self.account = account
    number = watch.nextQueueNumber()
    super.init(BackReference(fileServices), [.read, .write], isSeekable: false)
    account.eventQueueCount += 1
  }

  deinit {
    for index in 0..<noteTable.bucketCount {
      while case let handle = noteTable[bucket: index, watch], !handle.isNone { delete(handle) }
    }
    account.countKernelMemory(-noteTable.release(watch))
    account.eventQueueCount -= 1
    leaveTable()
  }

  private func leaveTable() {
    guard let table = table.instance else { return }
    nextOfTable.instance?.previousOfTable = previousOfTable
    if let previous = previousOfTable.instance {
      previous.nextOfTable = nextOfTable
    } else {
      table.firstQueue = nextOfTable
    }
    self.table = BackReference()
  }

  // MARK: Methods of the file

  /// It is not handed to children.
  override var isForOneProcess: Bool { true }

  /// fstat(2): a pipe of nothing.
  public override func status() throws(Errno) -> Stat {
    var stat = Stat()
    stat.mode = .fifo
    return stat
  }

  /// Ready to be read when a note is.
  public override func poll(_ events: UInt16) -> UInt16 { readyCount > 0 ? events & PollEvents.readable : 0 }

  override func attach(_ filter: EventFilter) throws(Errno) {
    guard filter == .read else { throw .einval }
  }

  override func readiness(_ filter: EventFilter, lowWater: Int64?) -> Readiness {
    Readiness(Int64(readyCount), isReady: readyCount > 0)
  }

  // MARK: Notes

  /// The note for something, or none.
  func find(_ identifier: UInt64, _ filter: EventFilter) -> Handle<EventNote> {
    var handle = noteTable[NoteTable.hash(identifier, filter), watch]
    while !handle.isNone {
      if watch.notes[handle].event.identifier == identifier && watch.notes[handle].event.filter == filter { break }
      handle = watch.notes[handle].nextInBucket
    }
    return handle
  }

  /// Enters a new note. Throws ENOMEM.
  func insert(_ note: consuming EventNote) throws(Errno) -> Handle<EventNote> {
    guard account.mayMakeKernelMemory, let handle = watch.notes.allocate(note, watch.memory) else { throw .enomem }
    noteTable.insert(handle, watch)
    noteCount += 1
    account.countKernelMemory(EventQueue.noteByteCount + noteTable.grow(forCount: noteCount, watch))
    watch.watch(handle)
    return handle
  }

  /// Bytes of a note.
  static var noteByteCount: Int { MemoryLayout<EventNote>.stride }

  /// Deletes a note.
  func delete(_ handle: Handle<EventNote>) {
    if watch.notes[handle].isQueued { dequeue(handle) }
    watch.unwatch(handle)
    noteTable.remove(handle, watch)
    var note = watch.notes.take(handle, watch.memory)
    noteCount -= 1
    account.countKernelMemory(-EventQueue.noteByteCount)
    // Last: it may be the end of the file.
    _ = note.file.take()
  }

  /// Calls `body` with every note.
  func forEachNote(_ body: (EventNote) -> Void) {
    for index in 0..<noteTable.bucketCount {
      var handle = noteTable[bucket: index, watch]
      while !handle.isNone {
        body(watch.notes[handle])
        handle = watch.notes[handle].nextInBucket
      }
    }
  }

  /// Who pays for the notes.
  var payer: UserAccount { account }

  /// A descriptor is closed: its notes go.
  func forget(descriptor: Int32) {
    if noteCount == 0 { return }
    let filters: [5 of EventFilter] = [.read, .write, .node, .processDescriptor, .empty]
    for index in 0..<5 {
      let handle = find(UInt64(UInt32(bitPattern: descriptor)), filters[index])
      if !handle.isNone { delete(handle) }
    }
  }

  // MARK: Ready notes

  /// What a note watches has happened.
  func activate(_ handle: Handle<EventNote>) {
    watch.notes[handle].isActive = true
    if !watch.notes[handle].isQueued && !watch.notes[handle].isDisabled { enqueue(handle) }
  }

  /// Puts a note behind all that are ready, and wakes who waits.
  func enqueue(_ handle: Handle<EventNote>) {
    append(handle)
    if isAwaited {
      isAwaited = false
      fileServices.wake(.events(ofQueue: number))
    }
    watch.postpone(self)
  }

  private func append(_ handle: Handle<EventNote>) {
    lastOrder &+= 1
    watch.notes[handle].order = lastOrder
    watch.notes[handle].isQueued = true
    watch.notes[handle].nextReady = .none
    watch.notes[handle].previousReady = lastReady
    if lastReady.isNone { firstReady = handle } else { watch.notes[lastReady].nextReady = handle }
    lastReady = handle
    readyCount += 1
  }

  /// Takes a note out of the list of those that are ready.
  func dequeue(_ handle: Handle<EventNote>) {
    let (next, previous) = (watch.notes[handle].nextReady, watch.notes[handle].previousReady)
    if next.isNone { lastReady = previous } else { watch.notes[next].previousReady = previous }
    if previous.isNone { firstReady = next } else { watch.notes[previous].nextReady = next }
    watch.notes[handle].isQueued = false
    readyCount -= 1
  }

  /// Puts a note that was reported, and holds still, behind the others.
  func requeue(_ handle: Handle<EventNote>) {
    dequeue(handle)
    append(handle)
  }

  /// What comes before the next pass over the ready notes: those with a greater order came later.
  public var passEnd: UInt64 { lastOrder }

  /// What a thread waits for.
  public func awaitEvents() -> Wait {
    isAwaited = true
    return Wait(.events(ofQueue: number))
  }
}
