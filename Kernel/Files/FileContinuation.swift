// What can remain of a call on files: everything it has resolved, with the locks it holds.
//
// - A file's offset and a range of an object (`TransferHold`): a read, write or truncate that has begun goes on to its end,
//   stopped or killed; one that has not gives up its places when it stops. A read that sleeps before its first byte gives up its
//   range.
// - A read of the console keeps nothing.
// - A place in a line of a socket (SocketPlace.swift): the same; what a receive has taken of a stream counts as read.
// - A place in the lines of a pipe (PipePlace.swift): a write that has begun to store a piece stores all of it, a read takes
//   everything at once when it is done.
// - A read or receive that has stored a byte in the program's memory has begun, whatever it reads.

public import ABI
public import Memory
public import Primitives

/// A call on files under way.
public enum FileContinuation: Remainder {
  /// A read.
  case read(OpenFile, Transfer)
  /// A write.
  case write(OpenFile, Transfer)
  /// A send to or receive from a socket that has more to it than its bytes: the thread's record has the rest.
  case message(SocketFile, Transfer)
  /// An accept(2) that waits for a connection, in the line for those.
  case accept(SocketFile, SocketPlace)
  /// A sendfile(2).
  case sendFile(FileSending)
  /// A read or write of several pieces of memory, which are being copied in.
  case vector(PendingVector)
  /// A change of size.
  case truncate(OpenFile, Resize)
  /// A hole that is being made in an object.
  case punch(OpenFile, Punch)
  /// An open that empties an object which another call holds.
  case open(PendingOpen)
  /// Descriptors from the first number to the second are being closed.
  case closeRange(UInt32, UInt32)
  /// Descriptors from the first number to the second are being marked close-on-exec.
  case markCloseOnExec(UInt32, UInt32)
  /// kevent(2): changes of a queue, and waiting for its events; the thread's record has the rest.
  case events(EventQueueFile)
  /// FKQMPRNT: the state of a queue is being told; the thread's record has the rest.
  case dump(EventQueueFile)
  /// poll(2) or select(2), with what it waits by, if it has that; the thread's record has the rest.
  case poll(Poller?)

  /// Whether a kill acts only when the call has stored its result.
  public var outlastsKill: Bool {
    switch self {
    case .read(_, let transfer): transfer.hasBegun && !transfer.isTooLongToFinish
    case .write(_, let transfer), .message(_, let transfer): transfer.hasBegun
    case .truncate(_, let resize): resize.hasBegun
    case .punch(_, let punch): punch.hasBegun
    case .open(let pending): pending.hasBegun
    case .sendFile(let sending): sending.hasBegun
    case .vector, .closeRange, .markCloseOnExec, .events, .dump, .poll, .accept: false
    }
  }

  /// Whether a stop acts only when the call has stored its result.
  public var outlastsStop: Bool {
    switch self {
    case .read(_, let transfer), .message(_, let transfer): transfer.hasBegun
    case .closeRange, .markCloseOnExec: true
    default: outlastsKill
    }
  }

  /// Whether the call goes on without a reserve of the heap.
  public var needsNoReserve: Bool {
    switch self {
    case .truncate, .punch, .open: true
    default: false
    }
  }

  /// What a caught signal does to it while it sleeps: changes of a queue stay, and the wait ends.
  public var interruption: Interruption {
    switch self {
    case .events, .poll: .fails
    case .read(let file, let transfer), .write(let file, let transfer):
      // One that others keep waiting gives what it has moved by then.
      !file.waitsForOthers ? .none : transfer.moved > 0 ? .concludes : .restartsIfAsked
    case .message(_, let transfer): transfer.moved > 0 ? .concludes : .restartsIfAsked
    case .accept: .restartsIfAsked
    case .sendFile: .concludes
    default: .none
    }
  }

  /// Gives up what a call that has not begun keeps from others.
  public mutating func giveUpPlace() {
    switch self {
    case .read(let file, var transfer):
      transfer.giveUpPlace()
      self = .read(file, transfer)
    case .write(let file, var transfer):
      transfer.giveUpPlace()
      self = .write(file, transfer)
    case .message(let file, var transfer):
      transfer.giveUpPlace()
      self = .message(file, transfer)
    case .truncate(let file, var resize):
      resize.giveUpPlace()
      self = .truncate(file, resize)
    case .punch(let file, var punch):
      punch.giveUpPlace()
      self = .punch(file, punch)
    case .open(var pending):
      pending.giveUpPlace()
      self = .open(pending)
    case .accept(_, let place): place.leaveLine()
    case .sendFile(let sending): sending.giveUpPlace()
    case .vector, .closeRange, .markCloseOnExec, .events, .dump, .poll: break
    }
  }

  /// Goes on; `table` and `space` are those of the process.
  public mutating func step(_ table: FileTable, _ space: AddressSpace) throws(Errno) -> Progress {
    switch self {
    case .read(let file, var transfer):
      let progress = try file.read(&transfer, space)
      self = .read(file, transfer)
      return progress
    case .write(let file, var transfer):
      let progress = try file.write(&transfer, space)
      self = .write(file, transfer)
      return progress
    case .vector(let pending):
      if let unfinished = try begin(pending, table, space) { return unfinished }
      return try step(table, space)
    case .truncate(let file, var resize):
      let progress = try file.truncate(&resize)
      self = .truncate(file, resize)
      return progress
    case .open(var pending):
      let progress = try table.fileServices.finish(&pending, in: table)
      self = .open(pending)
      return progress
    case .events, .dump, .poll, .message, .punch, .accept, .sendFile:
      preconditionFailure("a call that goes on by itself")
    case .closeRange(let low, let high):
      // What is closed already is not found again.
      var budget = FileLimits.descriptorsPerStep
      return table.closeRange(low, high, budget: &budget) ? .complete : .again
    case .markCloseOnExec(var next, let high):
      var leaves = table.fileServices.leavesPerStep
      let isDone = table.markCloseOnExec(from: &next, to: high, budget: &leaves)
      self = .markCloseOnExec(next, high)
      return isDone ? .complete : .again
    }
  }

  /// Goes on with a call of several pieces of memory; once they are there it is a read or a write. Returns what is to be waited
  /// for while they are not.
  private mutating func begin(
    _ pending: PendingVector, _ table: FileTable, _ space: AddressSpace
  ) throws(Errno) -> Progress? {
    switch pending.vector.fill(space) {
    case .complete: break
    case .wait(let wait): return .wait(wait)
    case .fault, .tooLong: throw .efault
    }
    let transfer = try Transfer(pending.vector, at: pending.position)
    var rights: CapabilityRights = pending.writes ? .write : .read
    if pending.position != nil { rights.formUnion(.seek) }
    let file = try table.file(at: pending.descriptor, needing: rights)
    self = pending.writes ? .write(file, transfer) : .read(file, transfer)
    return nil
  }

  /// What the call returns once it is done.
  public var result: UInt64 {
    switch self {
    case .read(_, let transfer), .write(_, let transfer), .message(_, let transfer): transfer.moved
    case .open(let pending): UInt64(pending.descriptor)
    default: 0
    }
  }
}
