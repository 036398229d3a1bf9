// Where reads and writes of a pipe wait: for bytes, for room, until the pipe is empty, or until somebody ahead is done.
//
// Rules
// - A call that has to sleep, or is cut, has a place. The place is in one of the lines of its file, or is copying, or has
//   offered a piece whose bytes are still to be read. Each waits on a channel of its own.
// - Only the first that can go on is woken; whoever leaves, in whatever way, wakes the next (`deinit`). So a wake-up is never
//   lost, and costs the same however many wait.
// - Who copies keeps others from copying the same way, as FreeBSD's lock of a pipe does: bytes of two writes do not mix inside
//   a piece. It waits only for what comes by itself (pages, frames, its turn). Whoever sleeps for another reason keeps nothing
//   from others. An offered piece is no such thing: it ends when the other end reads it, whatever becomes of who offered it.

import Memory
public import Primitives

extension WaitChannel {
  /// The place of a read or write of a pipe.
  fileprivate static func pipe(_ number: UInt32) -> WaitChannel { WaitChannel(pipeKind, UInt64(number)) }

  /// Whether whoever waits on it waits for somebody at a pipe.
  public var isForPipe: Bool { isOf(WaitChannel.pipeKind) }

  private static var pipeKind: Kind { Kind(32) }
}

/// The lines of one end.
enum PipeLineKind {
  /// None.
  case none
  /// Reads of this end that wait for bytes.
  case bytes
  /// Writes of this end that wait for room at the other.
  case room
  /// Writes of this end that wait until the other is empty, because they hand over large pieces.
  case emptiness
}

/// A line; it does not own the places.
struct PipeLine {
  fileprivate(set) var first = BackReference<PipePlace>()
  fileprivate var last = BackReference<PipePlace>()

  /// How many stand in line, for an inspection.
  var count: Int {
    var count = 0
    var position = first
    while let place = position.instance {
      count += 1
      position = place.behind
    }
    return count
  }
}

/// The part of a write that is stored at a time.
struct PipePiece: BitwiseCopyable {
  /// Its bytes; 0: there is none.
  var byteCount = 0
  /// Those that are in the buffer already, behind what can be read.
  var storedByteCount = 0
  /// Whether the write goes on only when all of it has been read.
  var isOffered = false
}

/// A place.
final class PipePlace: Nameable {
  /// The end that it reads or writes.
  let file: PipeFile
  private let number: UInt32
  private(set) var line = PipeLineKind.none
  fileprivate private(set) var ahead = BackReference<PipePlace>()
  fileprivate private(set) var behind = BackReference<PipePlace>()
  /// Bytes of room that a write in line needs.
  var neededByteCount = 0
  /// The piece that a write which copies is storing.
  var piece = PipePiece()

  init(_ file: PipeFile) {
    self.file = file
    number = file.fileServices.nextHoldNumber()
    file.fileServices.liveHoldCount += 1
  }

  private var channel: WaitChannel { .pipe(number) }

  /// What the place waits for.
  var wait: Wait { Wait(channel) }

  /// Makes its thread look again.
  func wake() { file.fileServices.wake(channel) }

  /// Whether it is in the middle of moving bytes.
  var isCopying: Bool { file.reading == BackReference(self) || file.writing == BackReference(self) }

  /// Whether it waits until what it has offered is read.
  var isOffered: Bool { file.offer == BackReference(self) }

  /// Whether it waits for a write of less room than there is, or for anything else.
  func fits(_ room: Int) -> Bool { neededByteCount <= room }

  /// The next in line.
  var next: BackReference<PipePlace> { behind }

  /// Goes to the end of a line, unless it stands there.
  func stand(in line: PipeLineKind) {
    if self.line == line { return }
    leaveLine()
    self.line = line
    ahead = file[line].last
    behind = BackReference()
    if let last = ahead.instance { last.behind = BackReference(self) } else { file[line].first = BackReference(self) }
    file[line].last = BackReference(self)
  }

  /// Leaves the line.
  func leaveLine() {
    if line == .none { return }
    if let ahead = ahead.instance { ahead.behind = behind } else { file[line].first = behind }
    if let behind = behind.instance { behind.ahead = ahead } else { file[line].last = ahead }
    ahead = BackReference()
    behind = BackReference()
    line = .none
  }

  deinit {
    let isReader = line == .bytes || file.reading == BackReference(self)
    leaveLine()
    file.forget(BackReference(self))
    if isReader { file.wakeReader() } else { file.wakeWriter() }
    file.fileServices.liveHoldCount -= 1
  }
}

extension PipeFile {
  /// The place of a transfer, made when it waits first. Allocates one small object.
  func place(for transfer: inout Transfer) -> PipePlace {
    if let place = transfer.place { return place }
    let place = PipePlace(self)
    transfer.place = place
    return place
  }

  /// Waits in a line for so many bytes of room, or for bytes.
  func wait(_ transfer: inout Transfer, in line: PipeLineKind, forRoom byteCount: Int = 0) -> Progress {
    let place = place(for: &transfer)
    let wasInLine = place.line == line
    place.neededByteCount = byteCount
    place.stand(in: line)
    // It was woken and cannot go on; another perhaps can.
    if wasInLine && line == .room { wakeWriter() }
    return .wait(place.wait)
  }

  /// Wakes the read whose turn it is, if there is something for it.
  func wakeReader() {
    if readers.first.isEmpty || !reading.isEmpty { return }
    if queuedByteCount > 0 || peer.isEmpty { readers.first.instance?.wake() }
  }

  /// Wakes the writes of this end whose turn it is, if they can go on.
  func wakeWriter() {
    if roomWaiters.first.isEmpty && emptinessWaiters.first.isEmpty || !writing.isEmpty { return }
    guard let reader = peer.instance else {
      roomWaiters.first.instance?.wake()
      emptinessWaiters.first.instance?.wake()
      return
    }
    guard offer.isEmpty else { return }
    if reader.queuedByteCount == 0 { emptinessWaiters.first.instance?.wake() }
    var position = roomWaiters.first
    for _ in 0..<PipeLimits.waitersPerSearch {
      guard let place = position.instance else { return }
      if place.fits(reader.freeByteCount) { return place.wake() }
      position = place.next
    }
  }

  /// Lets go of what a place keeps that goes away.
  fileprivate func forget(_ place: BackReference<PipePlace>) {
    if reading == place { reading = BackReference() }
    if writing == place { writing = BackReference() }
    if offer == place { offer = BackReference() }
  }

  subscript(line: PipeLineKind) -> PipeLine {
    get {
      switch line {
      case .none: PipeLine()
      case .bytes: readers
      case .room: roomWaiters
      case .emptiness: emptinessWaiters
      }
    }
    set {
      switch line {
      case .none: break
      case .bytes: readers = newValue
      case .room: roomWaiters = newValue
      case .emptiness: emptinessWaiters = newValue
      }
    }
  }
}
