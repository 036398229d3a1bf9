// What remains to be done for a thread that is parked or was cut in the middle of a long piece of work (DESIGN, "Parking").
//
// A continuation owns everything it names: open files, transfers with the locks they hold, address spaces under
// construction, staged strings. Dropping it releases all of that; nothing is resolved or read from user memory twice.
//
// What a continuation keeps from others, and what becomes of it when its thread stops, dies or sleeps for another reason:
// - A file's offset and a range of an object (`TransferHold`): a read, write or truncate that has begun goes on to its end,
//   stopped or killed; one that has not gives up its places when it stops. A read that sleeps gives up its range.
// - A page that was brought in (`Thread.awaitedFrame`): kept for the thread's next turn, given up when it stops or dies.
// - Half-built address spaces and tables, a child's place among the processes: nobody waits for those. A kill drops them; a
//   stop lets the call finish first, so that a stopped process does not sit on them, and nobody finds it half done.
// - Nothing of it is held by a thread that waits for its own doing, or for another process: such calls (`.call`, `.sleep`,
//   `.waitForChild`, a read of the console) keep nothing.

public import ABI
public import Files
public import Memory

/// What remains of a thread's call.
public enum Continuation {
  /// Nothing: the thread goes on in ring 3.
  case none
  /// The whole call: nothing has been done for it yet, but that it may stand in line (`Thread.place`).
  case call
  /// The arguments that are on the stack are being copied in; `progress` bytes of them have been.
  case stackArguments(progress: Int)
  /// The path or structure of the call is being copied into the thread's buffer; `progress` bytes of it have been.
  case copyIn(progress: Int)
  /// The results are being copied out of the thread's buffer.
  case copyOut(PendingResult)
  /// A read.
  case read(OpenFile, Transfer)
  /// A write.
  case write(OpenFile, Transfer)
  /// A change of size.
  case truncate(OpenFile, Resize)
  /// An open that empties an object which another call holds.
  case open(PendingOpen)
  /// Sleep until a time in nanoseconds since boot.
  case sleep(deadlineNanoseconds: UInt64)
  /// Waiting for a child.
  case waitForChild
  /// A signal is being sent to many processes.
  case kill(PendingKill)
  /// Executing a program.
  case execute(Execution)
  /// A child is being made.
  case fork(PendingFork)
  /// Waiting until a child that runs in the process' memory executes a program or ends; the call returns its identifier.
  case lend(child: ProcessSlot, identifier: Int32)
  /// Mappings are being removed; if they are the end of the data segment, this is where it ends afterwards.
  case unmap(AddressRange, dataEnd: UInt64?)
  /// The protection of mappings is being changed.
  case protect(PendingProtection)
  /// A mapping takes the place of others; the call returns this value.
  case map(PendingMapping, value: UInt64)
  /// Descriptors from the first number to the second are being closed.
  case closeRange(UInt32, UInt32)
  /// Descriptors from the first number to the second are being marked close-on-exec.
  case markCloseOnExec(UInt32, UInt32)
  /// Random bytes are being handed out.
  case random(PendingRandom)
  /// The names of shared memory are being listed.
  case listNames(PendingNameList)
  /// The end of the process.
  case exit(ExitPhase)

  /// Whether nothing remains.
  public var isNone: Bool {
    if case .none = self { return true }
    return false
  }
}

extension Continuation {
  /// Whether a kill, or a signal that ends the process, acts only when the call has stored its result: others may see a part
  /// of what it changes already (a signal to its own group reaches all of that, though it ends the sender), or a child runs in
  /// the process' memory (FreeBSD's wait in vfork(2) is not interrupted by any signal).
  public var outlastsKill: Bool {
    switch self {
    case .lend, .kill: true
    case .read(_, let transfer): transfer.hasBegun && !transfer.isTooLongToFinish
    case .write(_, let transfer): transfer.hasBegun
    case .truncate(_, let resize): resize.hasBegun
    case .open(let pending): pending.hasBegun
    default: false
    }
  }

  /// Whether a stop acts only when the call has stored its result. Calls that are only asleep stop at once.
  public var outlastsStop: Bool {
    switch self {
    case .lend: false
    case .read(_, let transfer): transfer.hasBegun
    case .copyOut, .execute, .fork, .unmap, .protect, .map, .closeRange, .markCloseOnExec: true
    default: outlastsKill
    }
  }

  /// Whether the call goes on without a reserve of the heap: it gives back, and sees to it itself that it needs none.
  public var needsNoReserve: Bool {
    switch self {
    case .truncate, .open: true
    default: false
    }
  }

  /// Gives up what a call that has not begun keeps from others.
  mutating func giveUpPlace() {
    switch self {
    case .read(let file, var transfer):
      transfer.giveUpPlace()
      self = .read(file, transfer)
    case .write(let file, var transfer):
      transfer.giveUpPlace()
      self = .write(file, transfer)
    case .truncate(let file, var resize):
      resize.giveUpPlace()
      self = .truncate(file, resize)
    case .open(var pending):
      pending.giveUpPlace()
      self = .open(pending)
    default: break
    }
  }

  /// Whether it is a change of the map that others who run in the memory see when it is half done.
  public var changesMap: Bool {
    switch self {
    case .unmap, .protect, .map: true
    default: false
    }
  }
}

/// A listing of names under way: nothing is held but the path of the name that it is at, in the thread's buffer.
public struct PendingNameList: BitwiseCopyable {
  /// The name that it is at.
  public var listing = NameListing()
  /// Whether the record of that name is still to be copied out.
  public var isAtName = false
  /// Bytes of that record that have been.
  public var progress = 0
  /// Bytes of the records before it.
  public var byteCount: UInt64 = 0
  /// Bytes that there is room for.
  public let room: UInt64

  /// A listing that has not begun.
  public init(room: UInt64) { self.room = room }
}

/// A call that is done but for copying results out: up to three pieces of the thread's buffer.
public struct PendingResult: BitwiseCopyable {
  /// One piece.
  public struct Piece: BitwiseCopyable {
    /// Where it goes.
    public var address: UInt64
    /// Where it lies in the buffer.
    public var offset: Int
    /// Its length.
    public var byteCount: Int

    /// Describes a piece.
    public init(address: UInt64, offset: Int, byteCount: Int) {
      self.address = address
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  /// The pieces, in the order in which they are copied.
  public var pieces = [3 of Piece](repeating: Piece(address: 0, offset: 0, byteCount: 0))
  /// How many there are.
  public var count = 0
  /// The piece being copied.
  public var index = 0
  /// Bytes of that piece that have been copied.
  public var progress = 0
  /// What the call returns once everything is copied.
  public var value: UInt64 = 0
  /// The error that it returns instead; nil: `value`.
  public var error: Errno?

  /// A call without pieces.
  public init(value: UInt64 = 0) { self.value = value }

  /// Adds a piece, unless it is empty.
  public mutating func append(address: UInt64, offset: Int, byteCount: Int) {
    guard byteCount > 0 else { return }
    pieces[count] = Piece(address: address, offset: offset, byteCount: byteCount)
    count += 1
  }
}

/// A getrandom(2) of which a part is done.
public struct PendingRandom: BitwiseCopyable {
  /// Bytes that were handed out.
  public var moved: UInt64 = 0
  /// Bytes in the thread's buffer that are being handed out.
  public var pieceByteCount = 0
  /// Bytes of those that were.
  public var progress = 0

  /// Nothing is done.
  public init() {}
}

/// How far the end of a process is.
public enum ExitPhase {
  /// Descriptors are being closed.
  case files
  /// The address space is given up.
  case memory
  /// Children are handed over to process 1.
  case children
}
