// A read or write under way, as a value that a parked thread keeps.
//
// Invariants
// - Everything up to `offset` has been moved and counted in `moved`; `pieceProgress` bytes of the piece at `offset` have
//   been moved but are not counted.
// - The `segmentRemaining` bytes from `address` on lie in one piece of the program's memory; those behind are in `vector`.
// - `hold` is nil unless the transfer, of an object, is parked or cut; it keeps the file offset and the range of the object from others, so
//   that they see the transfer as one step. Dropping the value gives them up.
// - Once `hasBegun` is set the transfer goes on to its end, whatever becomes of its process meanwhile: a stop, a signal or a
//   kill acts afterwards (DESIGN, "Steps are invisible"). Before, and while it is away (SharedMemoryFile+Transfer), it can be
//   dropped, or give up its place (`giveUpPlace`), and nobody knows that it was there.
// - What is stored in the program's memory cannot be taken back, and other threads and processes see it: a read that has stored
//   something of what others could take or change meanwhile has begun. It never begins anew.

public import ABI
public import Primitives

/// What a transfer keeps. One word: a transfer is copied with its references when it is parked.
private enum TransferPlace {
  case none
  case range(TransferHold)
  case pipe(PipePlace)
  case socket(SocketPlace)
}

/// The state of a read(2), write(2), pread(2), pwrite(2), or of one of them with several pieces of the program's memory.
public struct Transfer {
  /// Where the next piece lies in the program's memory.
  var address: VirtualAddress
  /// Bytes of the program's memory in one piece from there on.
  private var segmentRemaining: UInt64
  /// The pieces behind that; nil when there is only one.
  let vector: TransferVector?
  /// Bytes still to move, fewer than the program asked for when the file ends sooner.
  var remaining: UInt64
  /// Bytes that the program asked for.
  let requested: UInt64
  /// Bytes moved and counted: the result of the call.
  public internal(set) var moved: UInt64 = 0
  /// The offset that pread(2) and pwrite(2) were given; nil means the file's own.
  let position: Int64?
  /// How a send or receive of a socket is meant (MSG_…).
  public internal(set) var messageFlags: MessageFlags = []
  /// Where the next piece lies in the file.
  var offset: Int64 = 0
  /// Whether offset and range have been settled.
  var isStarted = false
  /// Whether the thread has waited for room on the console.
  var hasWaited = false
  /// Whether the transfer is to be seen as a whole or not at all, and others may see a part of it already.
  public internal(set) var hasBegun = false
  /// Whether a read has given up its range for a while: before its first byte, or in the middle because it is long.
  var isAway = false
  /// How often a read that was away found others in its way when it came back.
  var missedTurns: UInt8 = 0
  /// Bytes already moved of the piece at `offset`.
  var pieceProgress = 0
  /// Whether any byte was moved.
  var hasStored: Bool { moved > 0 || pieceProgress > 0 }
  /// What is kept from others, and where it waits; of one kind, that of its file.
  private var keeps = TransferPlace.none

  /// The offset and the range of an object that are kept from others.
  var hold: TransferHold? {
    @inline(__always) get { if case .range(let hold) = keeps { hold } else { nil } }
    @inline(__always) set {
      if let newValue { keeps = .range(newValue) } else if case .range = keeps { keeps = .none }
    }
  }

  /// The place in the lines of a pipe.
  var place: PipePlace? {
    @inline(__always) get { if case .pipe(let place) = keeps { place } else { nil } }
    @inline(__always) set {
      if let newValue { keeps = .pipe(newValue) } else if case .pipe = keeps { keeps = .none }
    }
  }

  /// The place in a line of a socket, and what comes with a message.
  public var socketPlace: SocketPlace? {
    @inline(__always) get { if case .socket(let place) = keeps { place } else { nil } }
    @inline(__always) set {
      if let newValue { keeps = .socket(newValue) } else if case .socket = keeps { keeps = .none }
    }
  }

  /// Everything was received: what remains is done whatever becomes of the process.
  public mutating func isReceived() {
    hasBegun = true
    socketPlace?.isReceived = true
  }

  /// Describes a transfer that has not begun.
  ///
  /// - Parameter position: where in the file; nil for read(2) and write(2), which use and advance the file's own offset.
  ///
  /// Throws EINVAL when `byteCount` is above SSIZE_MAX, which comes before the descriptor is looked at.
  @inline(__always)
  public init(address: VirtualAddress, byteCount: UInt64, at position: Int64? = nil) throws(Errno) {
    guard byteCount <= UInt64(Int64.max) else { throw .einval }
    self.init(address: address, checkedByteCount: byteCount, at: position)
  }

  /// The same where the length is known to be no more than SSIZE_MAX: what can throw is copied once more.
  @inline(__always)
  public init(
    address: VirtualAddress, checkedByteCount byteCount: UInt64, at position: Int64? = nil, _ flags: MessageFlags = []
  ) {
    messageFlags = flags
    self.address = address
    segmentRemaining = byteCount
    vector = nil
    remaining = byteCount
    requested = byteCount
    self.position = position
  }

  /// Describes a transfer of several pieces that has not begun; they have been copied in.
  ///
  /// Throws EINVAL when they are more than SSIZE_MAX together.
  public init(_ vector: TransferVector, at position: Int64?, _ flags: MessageFlags = []) throws(Errno) {
    messageFlags = flags
    address = VirtualAddress(0)
    segmentRemaining = 0
    self.vector = vector
    remaining = try vector.totalByteCount()
    requested = remaining
    self.position = position
    takeSegment(of: vector)
  }

  private mutating func takeSegment(of vector: TransferVector) {
    guard let piece = vector.takePiece() else { return }
    address = piece.address
    segmentRemaining = piece.byteCount
  }

  /// Whether the transfer, a read, is so long that nobody can wait for its end once its process is killed.
  public var isTooLongToFinish: Bool { remaining > FileLimits.longestFinishedReadByteCount }

  /// Notes that the piece at `offset` has been moved whole.
  @inline(__always)
  mutating func advance(_ byteCount: UInt64) {
    address = VirtualAddress(address.raw &+ byteCount)
    segmentRemaining -= byteCount
    remaining -= byteCount
    moved += byteCount
    // A device has no end; the offset stays at the last one that exists.
    let (next, overflow) = offset.addingReportingOverflow(Int64(byteCount))
    offset = overflow ? Int64.max : next
    pieceProgress = 0
    if segmentRemaining == 0, let vector { takeSegment(of: vector) }
  }

  /// The same as a short one, if it has one piece of 1 to `ShortTransfer.mostBytes` bytes of which none has been moved.
  func untouchedShort(writes: Bool) -> ShortTransfer? {
    guard vector == nil, !hasStored, requested &- 1 < ShortTransfer.mostBytes else { return nil }
    return ShortTransfer(address: address, byteCount: requested, at: position, writes: writes)
  }

  /// Gives up whatever the transfer keeps from others, because its process stops: it queues up anew when that goes on. The
  /// transfer must not have begun.
  public mutating func giveUpPlace() {
    precondition(!hasBegun)
    hold = nil
    if let socketPlace { return giveUp(socketPlace) }
    guard let place, !place.isOffered else { return }
    self.place = nil
  }

  /// A socket has given nothing yet, or what it has given counts; what comes with a message stays.
  private mutating func giveUp(_ place: SocketPlace) {
    place.leaveLine()
    if place.receives { return }
    // A piece that is being made does not exist yet: what was copied of it is copied again.
    precondition(place.message.isEmpty)
    pieceProgress = 0
  }

  /// The largest piece that is in one piece of the program's memory.
  @inline(__always)
  var bytesLeftInSegment: UInt64 { min(remaining, segmentRemaining) }

  /// The largest piece that stays inside one page of the program's memory.
  @inline(__always)
  var bytesLeftInUserPage: UInt64 { min(bytesLeftInSegment, Page.byteCount - address.pageOffset) }
}
