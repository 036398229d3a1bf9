// When the timers of queues go off (EVFILT_TIMER): a binary heap of notes in blocks.
//
// Invariants
// - Places 0 to `count` - 1 hold notes; a note's deadline is not later than those of its two children (2 n + 1, 2 n + 2), and its
//   `timerPlace` is its place plus one.
// - There are blocks for `capacity` places; one that is not needed is kept.

import Memory
import Primitives

/// A part of the heap.
struct TimerBlock: BitwiseCopyable {
  var notes = [1024 of Handle<EventNote>](repeating: .none)
}

/// The heap.
struct NoteTimers {
  private static let blockShift = 10
  private static let blockLimit = 64

  private let pool: Pool<TimerBlock>
  private let memory: MemorySystem
  private var blocks = [64 of Handle<TimerBlock>](repeating: .none)
  private var blockCount = 0
  private var count = 0
  /// The earliest deadline, in nanoseconds since boot; the largest number while there is none.
  private(set) var next = UInt64.max

  init(_ memory: MemorySystem) {
    self.memory = memory
    pool = Pool(memory.physical, .eventNote)
  }

  /// Frames that it takes.
  var frameCount: Int { pool.frameCount }

  /// Gives back what is not needed.
  mutating func trim(_ memory: MemorySystem) {
    while blockCount > 0, (blockCount - 1) << NoteTimers.blockShift >= count {
      blockCount -= 1
      pool.release(blocks[blockCount], memory)
      blocks[blockCount] = .none
    }
    pool.trim(memory)
  }

  /// Sees that there is room for so many timers; whether there is.
  mutating func reserve(_ total: Int) -> Bool {
    while blockCount << NoteTimers.blockShift < total {
      guard blockCount < NoteTimers.blockLimit, let block = pool.allocate(TimerBlock(), memory) else { return false }
      blocks[blockCount] = block
      blockCount += 1
    }
    return true
  }

  private subscript(place: Int) -> Handle<EventNote> {
    get { pool[blocks[place >> NoteTimers.blockShift]].notes[place & 1023] }
    nonmutating set { pool[blocks[place >> NoteTimers.blockShift]].notes[place & 1023] = newValue }
  }

  /// Enters a note that is not there.
  mutating func insert(_ handle: Handle<EventNote>, _ notes: Pool<EventNote>) {
    precondition(notes[handle].timerPlace == 0)
    count += 1
    rise(handle, from: count - 1, notes)
    next = notes[self[0]].deadline
  }

  /// Takes a note out, if it is there.
  mutating func remove(_ handle: Handle<EventNote>, _ notes: Pool<EventNote>) {
    let place = Int(notes[handle].timerPlace)
    guard place != 0 else { return }
    notes[handle].timerPlace = 0
    count -= 1
    let last = self[count]
    if last != handle {
      rise(last, from: place - 1, notes)
      sink(last, from: Int(notes[last].timerPlace) - 1, notes)
    }
    next = count == 0 ? .max : notes[self[0]].deadline
  }

  /// Takes out a note that is due, or gives none.
  mutating func popDue(_ now: UInt64, _ notes: Pool<EventNote>) -> Handle<EventNote> {
    guard next <= now, count > 0 else { return .none }
    let handle = self[0]
    remove(handle, notes)
    return handle
  }

  private func put(_ handle: Handle<EventNote>, at place: Int, _ notes: Pool<EventNote>) {
    self[place] = handle
    notes[handle].timerPlace = UInt32(place + 1)
  }

  private func rise(_ handle: Handle<EventNote>, from start: Int, _ notes: Pool<EventNote>) {
    var place = start
    let deadline = notes[handle].deadline
    while place > 0 {
      let parent = self[(place - 1) / 2]
      guard notes[parent].deadline > deadline else { break }
      put(parent, at: place, notes)
      place = (place - 1) / 2
    }
    put(handle, at: place, notes)
  }

  private func sink(_ handle: Handle<EventNote>, from start: Int, _ notes: Pool<EventNote>) {
    var place = start
    let deadline = notes[handle].deadline
    while 2 * place + 1 < count {
      var child = 2 * place + 1
      if child + 1 < count && notes[self[child + 1]].deadline < notes[self[child]].deadline { child += 1 }
      guard notes[self[child]].deadline < deadline else { break }
      put(self[child], at: place, notes)
      place = child
    }
    put(handle, at: place, notes)
  }
}
