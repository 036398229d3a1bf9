// What happens when in the experiment: a binary heap, in which what was entered first comes first at the same time.

/// Something that happens.
enum Happening {
  /// The request with this number arrives.
  case arrival(Int)
  /// A thread calls kevent(2).
  case enter(Int)
  /// A thread looks for events.
  case collect(Int)
  /// A thread that slept looks again, if it is still the sleep with this number.
  case alarm(Int, Int)
  /// A thread goes on to the next connection that it was told of.
  case serve(Int)
}

/// All that is to happen.
struct Agenda {
  private struct Entry {
    let time: UInt64
    let number: UInt64
    let happening: Happening

    func comes(before other: Entry) -> Bool { (time, number) < (other.time, other.number) }
  }

  private var entries: [Entry] = []
  private var lastNumber: UInt64 = 0

  /// Enters something.
  mutating func add(_ happening: Happening, at time: UInt64) {
    lastNumber += 1
    entries.append(Entry(time: time, number: lastNumber, happening: happening))
    var place = entries.count - 1
    while place > 0, entries[place].comes(before: entries[(place - 1) / 2]) {
      entries.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  /// Takes out what comes next.
  mutating func next() -> (UInt64, Happening)? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if entries.isEmpty { return (first.time, first.happening) }
    entries[0] = last
    var place = 0
    while 2 * place + 1 < entries.count {
      var child = 2 * place + 1
      if child + 1 < entries.count, entries[child + 1].comes(before: entries[child]) { child += 1 }
      guard entries[child].comes(before: entries[place]) else { break }
      entries.swapAt(place, child)
      place = child
    }
    return (first.time, first.happening)
  }
}
