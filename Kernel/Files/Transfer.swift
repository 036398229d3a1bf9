// A read or write under way, as a value that a parked thread keeps.
//
// Invariants
// - Everything up to `offset` has been moved and counted in `moved`; `pieceProgress` bytes of the piece at `offset` have
//   been moved but are not counted.
// - `hold` is nil unless the transfer is parked or cut; then it holds the range lock and the file offset, so that other
//   calls see the transfer as one step. Dropping the value gives them up.

public import ABI
public import Memory

/// The state of a read(2), write(2), pread(2) or pwrite(2).
public struct Transfer {
  /// Where the next piece lies in the program's memory.
  var address: VirtualAddress
  /// Bytes still to move, fewer than the program asked for when the file ends sooner.
  var remaining: UInt64
  /// Bytes moved and counted: the result of the call.
  public internal(set) var moved: UInt64 = 0
  /// The offset that pread(2) and pwrite(2) were given; nil means the file's own.
  let position: Int64?
  /// Where the next piece lies in the file.
  var offset: Int64 = 0
  /// Whether offset and range have been settled.
  var isStarted = false
  /// Bytes already moved of the piece at `offset`.
  var pieceProgress = 0
  var hold: TransferHold?

  /// Describes a transfer that has not begun.
  ///
  /// - Parameter position: where in the file; nil for read(2) and write(2), which use and advance the file's own offset.
  ///
  /// Throws EINVAL when `byteCount` is above SSIZE_MAX, which comes before the descriptor is looked at.
  public init(address: VirtualAddress, byteCount: UInt64, at position: Int64? = nil) throws(Errno) {
    guard byteCount <= UInt64(Int64.max) else { throw .einval }
    self.address = address
    remaining = byteCount
    self.position = position
  }

  /// Notes that the piece at `offset` has been moved whole.
  @inline(__always)
  mutating func advance(_ byteCount: UInt64) {
    address = VirtualAddress(address.raw &+ byteCount)
    remaining -= byteCount
    moved += byteCount
    // A device has no end; the offset stays at the last one that exists.
    let (next, overflow) = offset.addingReportingOverflow(Int64(byteCount))
    offset = overflow ? Int64.max : next
    pieceProgress = 0
  }

  /// The largest piece that stays inside one page of the program's memory.
  @inline(__always)
  var bytesLeftInUserPage: UInt64 { min(remaining, Page.byteCount - address.pageOffset) }
}

/// What a parked transfer keeps from others: a range of an object, an offset of an open file, or both.
final class TransferHold {
  private let file: OpenFile
  private var lock: (object: SharedMemoryObject, ticket: RangeLockTicket)?
  private var holdsOffset = false

  init(_ file: OpenFile) {
    self.file = file
    file.fileSystem.liveHoldCount += 1
  }

  /// Takes the file's offset. Nobody else may have it.
  func takeOffset() {
    precondition(!file.offsetIsHeld)
    file.offsetIsHeld = true
    holdsOffset = true
  }

  /// Takes over a place in an object's range lock.
  func take(_ ticket: RangeLockTicket, of object: SharedMemoryObject) {
    precondition(lock == nil)
    lock = (object, ticket)
  }

  /// Whether a place in a range lock is held.
  var holdsRange: Bool { lock != nil }
  /// The file whose offset is held, if one is.
  var fileOfOffset: OpenFile? { holdsOffset ? file : nil }
  /// The file that the hold keeps alive.
  var inspectedFile: OpenFile { file }

  /// Whether a place in a range lock is held, and it is our turn.
  var hasTurn: Bool {
    guard let (object, ticket) = lock else { return true }
    return object.rangeLock.hasTurn(ticket)
  }

  deinit {
    if let (object, ticket) = lock { object.releaseRange(ticket) }
    if holdsOffset {
      file.offsetIsHeld = false
      file.fileSystem.wake(.fileOffset(file.number))
    }
    file.fileSystem.liveHoldCount -= 1
  }
}
