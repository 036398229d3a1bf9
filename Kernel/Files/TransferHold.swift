// What a call that is parked or cut keeps from others, and its place in the lines for that.
//
// Rules
// - There are two lines: the one for the offset of an open file, and the range lock of an object. A call lines up for the
//   offset first, and holds it while it waits for a range; nobody who holds a range waits for an offset. So the lines have no
//   cycle.
// - A hold belongs to one thread's call. As long as it exists, that thread is ready, or waits for something that comes
//   without its doing: its turn in a line, a page under way, free frames, an object that is being shrunk. A stopped thread has
//   none: what has begun runs to its end first, what has not gives up its place (`ProcessSystem.setAside`). The end of a
//   process drops it.
// - Each waits on a channel of its own; whoever leaves a line wakes those whose turn it is, and nobody else. A turn cannot be
//   lost: whoever goes away with it passes it on (`deinit`).

public import Primitives

/// A place in the line for an offset, in that for a range, or both.
public final class TransferHold: Nameable {
  /// The file that the hold keeps alive.
  public let file: OpenFile
  /// Names the holder among wait channels.
  let number: UInt32
  private var object: SharedMemoryObject?
  private var entry: RangeLockEntry?
  /// Whether it stands in the line for the file's offset.
  private(set) var isInLine = false
  fileprivate var ahead = BackReference<TransferHold>()
  fileprivate var behind = BackReference<TransferHold>()

  init(_ file: OpenFile) {
    self.file = file
    number = file.fileServices.nextHoldNumber()
    file.fileServices.liveHoldCount += 1
  }

  /// Lines up for the file's offset; the first in line has it.
  func lineUp() {
    precondition(!isInLine)
    isInLine = true
    ahead = file.offsetLine.last
    ahead.instance?.behind = BackReference(self)
    if ahead.isEmpty { file.offsetLine.first = BackReference(self) }
    file.offsetLine.last = BackReference(self)
  }

  /// Whether the file's offset is this holder's.
  var hasOffset: Bool { isInLine && ahead.isEmpty }

  /// Takes a place in an object's range lock.
  func enter(_ range: LockedRange, of object: SharedMemoryObject) {
    precondition(entry == nil)
    self.object = object
    entry = object.rangeLock.enter(range, number: number)
  }

  /// Gives up the place in the range lock, if there is one.
  func leaveRange() {
    guard let object, let entry else { return }
    self.entry = nil
    self.object = nil
    object.releaseRange(entry)
  }

  /// Whether a place in a range lock is held.
  var holdsRange: Bool { entry != nil }

  /// What the holder has to wait for; nil when it is its turn wherever it stands.
  public var turnWait: Wait? {
    let waitsForOffset = isInLine && !ahead.isEmpty
    let waitsForRange = entry.map { !$0.hasTurn } ?? false
    return waitsForOffset || waitsForRange ? Wait(channel) : nil
  }

  fileprivate var channel: WaitChannel { .turn(number) }

  deinit {
    leaveRange()
    if isInLine { file.leaveLine(ahead: ahead, behind: behind) }
    file.fileServices.liveHoldCount -= 1
  }
}

/// Those who use a file's own offset, one after the other: the first has it.
struct OffsetLine {
  fileprivate(set) var first = BackReference<TransferHold>()
  fileprivate var last = BackReference<TransferHold>()

  /// Whether nobody has the offset.
  @inline(__always)
  var isEmpty: Bool { first.isEmpty }

  /// How many stand in line, for an inspection.
  var count: Int {
    var count = 0
    var position = first
    while let hold = position.instance {
      count += 1
      position = hold.behind
    }
    return count
  }
}

extension OpenFile {
  /// Closes the gap that somebody left in the line for the offset.
  fileprivate final func leaveLine(ahead: BackReference<TransferHold>, behind: BackReference<TransferHold>) {
    if let ahead = ahead.instance { ahead.behind = behind } else { offsetLine.first = behind }
    guard let next = behind.instance else {
      offsetLine.last = ahead
      return
    }
    next.ahead = ahead
    if ahead.isEmpty { fileServices.wake(next.channel) }
  }
}
