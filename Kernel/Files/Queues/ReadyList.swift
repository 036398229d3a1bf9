// Notes that are ready, in the order in which they are told: a list for each class (EV_REALTIME), of a queue or of one of its
// workers.

import Memory

/// Notes of one class.
struct ReadyList: BitwiseCopyable {
  private(set) var first = Handle<EventNote>.none
  private(set) var last = Handle<EventNote>.none
  private(set) var count: UInt32 = 0

  /// Puts a note behind the others.
  @inline(__always)
  mutating func append(_ handle: Handle<EventNote>, _ notes: Pool<EventNote>) {
    notes[handle].nextReady = .none
    notes[handle].previousReady = last
    if last.isNone { first = handle } else { notes[last].nextReady = handle }
    last = handle
    count &+= 1
  }

  /// Puts a note before the others.
  mutating func prepend(_ handle: Handle<EventNote>, _ notes: Pool<EventNote>) {
    notes[handle].previousReady = .none
    notes[handle].nextReady = first
    if first.isNone { last = handle } else { notes[first].previousReady = handle }
    first = handle
    count &+= 1
  }

  /// Takes a note out.
  @inline(__always)
  mutating func remove(_ handle: Handle<EventNote>, _ notes: Pool<EventNote>) {
    let (next, previous) = (notes[handle].nextReady, notes[handle].previousReady)
    if next.isNone { last = previous } else { notes[next].previousReady = previous }
    if previous.isNone { first = next } else { notes[previous].nextReady = next }
    count &-= 1
  }
}

extension ReadyList {
  /// Puts a note behind the others that is one of them.
  @inline(__always)
  mutating func moveBack(_ handle: Handle<EventNote>, _ notes: Pool<EventNote>) {
    if last == handle { return }
    remove(handle, notes)
    append(handle, notes)
  }
}

/// Notes of both classes.
struct ReadyLists: BitwiseCopyable {
  private var normal = ReadyList()
  private var realTime = ReadyList()

  init() {}

  /// The notes of a class.
  subscript(isRealTime isRealTime: Bool) -> ReadyList {
    @inline(__always) get { isRealTime ? realTime : normal }
    @inline(__always)
    _modify { if isRealTime { yield &realTime } else { yield &normal } }
  }

  /// Notes of both classes.
  @inline(__always)
  var count: UInt32 { normal.count &+ realTime.count }
}
