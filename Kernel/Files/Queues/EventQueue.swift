// A queue of events (kqueue(2); spec kqueue.md sections 2, 3 and 10 to 13).
//
// Invariants
// - The notes of a queue are in its table (NoteTable.swift); `noteCount` is how many. `readyCount` of them are in lists of ready
//   notes: its own, or those of its workers. In each list the `order` of a note is not less than that of the one before.
// - A queue without a `group` has no workers; any thread is told of anything. Of one with a group the own lists hold what nobody
//   was there for.
// - A queue is in the list of the descriptor table that it was made in, as long as that exists and the queue has a file; from
//   then on it is closed, in the list of those that are taken apart, and nothing becomes ready any more.
// - Its notes, and then its workers, go before it does.

import ABI
public import Memory
import Primitives

extension WaitChannel {
  /// Events of the queue, or for the worker, with this number.
  static func events(ofQueue number: UInt64) -> WaitChannel { WaitChannel(Kind(40), number) }
}

/// A queue.
public final class EventQueue: AnyOwner {
  let watch: EventWatchers
  /// The process in whose table it is.
  let process: UInt64
  let account: UserAccount
  let number: UInt64
  /// The file that reaches it; empty once it is closed.
  var file = BackReference<EventQueueFile>()
  /// The table that it was made in.
  var table = BackReference<FileTable>()
  var nextOfTable = BackReference<EventQueue>()
  var previousOfTable = BackReference<EventQueue>()
  var noteTable = NoteTable()
  /// Notes.
  public private(set) var noteCount = 0
  /// Notes that were ever made.
  private var lastNoteNumber: UInt64 = 0
  /// What is ready and has no worker.
  var lists = ReadyLists()
  /// Notes that are ready.
  public private(set) var readyCount = 0
  /// Those of them that a thread was told and has not come back for.
  var heldReadyCount = 0
  private(set) var lastOrder: UInt64 = 0
  /// Whether a thread may be asleep until something is ready.
  var isAwaited = false
  var isUntold = false
  var isClosed = false
  /// Whether a call has used it: then it is too late to know threads apart.
  public var wasUsed = false
  /// RTSHARE, in hundredths.
  var realTimeShare: UInt32 = 100
  /// FREQ: calls a second that a thread is to make at least; 0: any number.
  var targetFrequency: UInt32 = 0
  var group = Handle<WorkerGroup>.none
  var nextUntold = BackReference<EventQueue>()
  private var tearDownPosition = 0

  init(_ watch: EventWatchers, process: Int32, _ account: UserAccount) {
    self.watch = watch
    self.process = UInt64(UInt32(bitPattern: process))
    self.account = account
    number = watch.nextQueueNumber()
    super.init()
    account.eventQueueCount += 1
  }

  /// Whether threads are known apart.
  @inline(__always)
  var isMulti: Bool { !group.isNone }

  /// Notes that can be told now.
  @inline(__always)
  public var availableCount: Int { readyCount &- heldReadyCount }

  // MARK: The end

  /// Nothing reaches it any more: what it has goes in steps.
  func close() {
    leaveTable()
    file = BackReference()
    isClosed = true
    account.eventQueueCount -= 1
    watch.enterClosing(self)
    let unitCount = noteCount + Int(isMulti ? watch.groups[group].count : 0)
    if unitCount == 0 && noteTable.bucketCount <= EventQueue.smallBucketCount && tearDownAtOnce() { return }
    // Each time that it is taken up costs a unit, too.
    let total = unitCount + noteTable.bucketCount / EventQueue.bucketsPerUnit + 1
    watch.memory.tearDown(self, unitCount: total + total / 8 + 1)
  }

  private func tearDownAtOnce() -> Bool {
    var budget = 1 + noteTable.bucketCount / EventQueue.bucketsPerUnit
    return tearDown(&budget, watch.memory)
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

  /// Empty chains that are looked at without more ado.
  private static let smallBucketCount = 256
  /// Empty chains that are looked at for a unit of work.
  private static let bucketsPerUnit = 32

  /// Deletes notes, then workers.
  public override func tearDown(_ budget: inout Int, _ system: MemorySystem) -> Bool {
    while tearDownPosition < noteTable.bucketCount {
      if budget <= 0 { return false }
      let handle = noteTable[bucket: tearDownPosition, watch]
      if handle.isNone {
        tearDownPosition += 1
        if tearDownPosition % EventQueue.bucketsPerUnit == 0 { budget -= 1 }
      } else {
        budget -= 1
        delete(handle)
      }
    }
    guard disband(&budget) else { return false }
    account.countKernelMemory(-noteTable.release(watch))
    watch.leaveClosing(self)
    return true
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
    lastNoteNumber &+= 1
    if isMulti { note.random = QueueRandom(seed: lastNoteNumber) }
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
    if !watch.notes[handle].holder.isNone { letGo(handle) }
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

  /// Puts a note behind all that are ready, and wakes who is to be told.
  func enqueue(_ handle: Handle<EventNote>) {
    if isClosed { return }
    if isMulti { return schedule(handle) }
    append(handle, to: .none)
    if isAwaited {
      isAwaited = false
      watch.memory.services.wake(.events(ofQueue: number))
    }
    watch.postpone(self)
  }

  /// Puts a note behind those of a worker, or of none.
  func append(_ handle: Handle<EventNote>, to worker: Handle<QueueWorker>) {
    lastOrder &+= 1
    watch.notes[handle].order = lastOrder
    watch.notes[handle].isQueued = true
    watch.notes[handle].worker = worker
    readyCount += 1
    let isRealTime = watch.notes[handle].event.flags.contains(.realTime)
    if worker.isNone {
      lists[isRealTime: isRealTime].append(handle, watch.notes)
      return
    }
    watch.workers[worker].lists[isRealTime: isRealTime].append(handle, watch.notes)
    if !watch.notes[handle].holder.isNone { countHeld(1, worker) }
  }

  /// Puts a note that nobody was told of before those of a worker.
  func prepend(_ handle: Handle<EventNote>, to worker: Handle<QueueWorker>) {
    watch.notes[handle].order = 0
    watch.notes[handle].isQueued = true
    watch.notes[handle].worker = worker
    readyCount += 1
    let isRealTime = watch.notes[handle].event.flags.contains(.realTime)
    watch.workers[worker].lists[isRealTime: isRealTime].prepend(handle, watch.notes)
  }

  /// Counts a note of a worker that is ready, and held, or is that no more.
  func countHeld(_ change: Int, _ worker: Handle<QueueWorker>) {
    heldReadyCount += change
    watch.workers[worker].heldCount &+= UInt32(truncatingIfNeeded: change)
  }

  /// Takes a note out of the list of those that are ready.
  func dequeue(_ handle: Handle<EventNote>) {
    let worker = watch.notes[handle].worker
    let isRealTime = watch.notes[handle].event.flags.contains(.realTime)
    watch.notes[handle].isQueued = false
    readyCount -= 1
    if worker.isNone {
      lists[isRealTime: isRealTime].remove(handle, watch.notes)
      return
    }
    if !watch.notes[handle].holder.isNone { countHeld(-1, worker) }
    watch.workers[worker].lists[isRealTime: isRealTime].remove(handle, watch.notes)
    watch.notes[handle].worker = .none
  }

  /// Puts a note behind the others of its list.
  func requeue(_ handle: Handle<EventNote>) {
    lastOrder &+= 1
    watch.notes[handle].order = lastOrder
    let worker = watch.notes[handle].worker
    let isRealTime = watch.notes[handle].event.flags.contains(.realTime)
    if worker.isNone {
      lists[isRealTime: isRealTime].moveBack(handle, watch.notes)
    } else {
      watch.workers[worker].lists[isRealTime: isRealTime].moveBack(handle, watch.notes)
    }
  }
}
