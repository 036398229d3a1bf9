// What remains to be done for a thread that is parked or was cut in the middle of a long piece of work (DESIGN, "Parking").
//
// A continuation owns everything it names: open files, transfers with the locks they hold, address spaces under
// construction, staged strings. Dropping it releases all of that; nothing is resolved or read from user memory twice. What can
// remain of a call, and what becomes of it when its thread stops, dies or sleeps for another reason, is said where the call
// belongs: FileContinuation, MemoryContinuation, ProcessContinuation.
//
// A page that was brought in (`Thread.awaitedFrame`) is kept for the thread's next turn, and given up when it stops or dies. A
// thread that waits for its own doing, or for another process, keeps nothing from anybody.

public import Files
public import Memory
public import Primitives

/// What remains of a thread's call.
public enum Continuation {
  /// Nothing: the thread goes on in ring 3.
  case none
  /// A phase of the call that comes before or after its handler, or a call that only moves bytes.
  case phase(CallPhase)
  /// A call on files.
  case file(FileContinuation)
  /// A change of the address space.
  case memory(MemoryContinuation)
  /// A call on processes.
  case process(ProcessContinuation)
  /// The end of the thread, and of the process if it is the last.
  case exit(ExitPhase)

  /// Whether nothing remains.
  public var isNone: Bool {
    if case .none = self { return true }
    return false
  }

  /// Whether the thread is in the middle of changing or copying the map, so that it has the edit lock.
  var editsMap: Bool {
    if case .process(.fork) = self { return true }
    return changesMap
  }

  /// Whether it is a change of the map that others who run in the memory see when it is half done.
  public var changesMap: Bool {
    if case .memory(let remainder) = self { return remainder.changesMap }
    return false
  }
}

extension Continuation: Remainder {
  /// Whether a kill acts only when the call has stored its result.
  public var outlastsKill: Bool {
    switch self {
    case .file(let remainder): remainder.outlastsKill
    case .process(let remainder): remainder.outlastsKill
    default: false
    }
  }

  /// Whether a stop acts only when the call has stored its result.
  public var outlastsStop: Bool {
    switch self {
    case .phase(let remainder): remainder.outlastsStop
    case .file(let remainder): remainder.outlastsStop
    case .memory(let remainder): remainder.outlastsStop
    case .process(let remainder): remainder.outlastsStop
    case .none, .exit: false
    }
  }

  /// Whether the call goes on without a reserve of the heap.
  public var needsNoReserve: Bool {
    switch self {
    case .file(let remainder): remainder.needsNoReserve
    case .process(let remainder): remainder.needsNoReserve
    default: false
    }
  }

  /// What a caught signal does to the call while it sleeps.
  public var interruption: Interruption {
    switch self {
    case .phase(let remainder): remainder.interruption
    case .file(let remainder): remainder.interruption
    case .memory(let remainder): remainder.interruption
    case .process(let remainder): remainder.interruption
    case .none, .exit: .none
    }
  }

  /// Gives up what a call that has not begun keeps from others.
  public mutating func giveUpPlace() {
    guard case .file(var remainder) = self else { return }
    remainder.giveUpPlace()
    self = .file(remainder)
  }
}

/// A phase of a call.
public enum CallPhase: Remainder, BitwiseCopyable {
  /// The whole call: nothing has been done for it yet, but that it may stand in line (`Thread.place`).
  case whole
  /// The argument that is on the stack is being copied in; `progress` bytes of it have been.
  case stackArgument(progress: Int)
  /// The path or structure of the call is being copied into the thread's buffer; `progress` bytes of it have been.
  case copyIn(progress: Int)
  /// The results are being copied out of the thread's buffer (`ThreadRecord.delivery`).
  case delivery
  /// Random bytes are being handed out.
  case random(PendingRandom)
  /// Records are being listed (sysctl(3)).
  case listing(PendingListing)
  /// A word that says whether signals are held back is being brought in (sigfastblock(2)).
  case signalWord
  /// The frame of a handler is being stored.
  case signalFrame(PendingSignalFrame)

  /// Whether a stop acts only when the call has stored its result.
  public var outlastsStop: Bool {
    switch self {
    case .delivery, .signalFrame: true
    default: false
    }
  }

  /// A call that waits for children or for nothing that comes by itself begins anew, if the action says so.
  public var interruption: Interruption {
    if case .whole = self { return .restartsIfAsked }
    return .none
  }
}

/// A handler that is to begin once its frame is stored: the frame lies in the thread's buffer, the rest of the floating point
/// state in its context.
public struct PendingSignalFrame: BitwiseCopyable {
  /// Where the frame goes.
  public var frameAddress: UInt64
  /// Where what the frame itself has no room for of the floating point state goes.
  public var extendedAddress: UInt64
  /// The length of that.
  public var extendedByteCount: Int
  /// Bytes of both that are stored.
  public var progress = 0
  /// Whether the handler wants a siginfo_t.
  public var wantsInformation: Bool

  /// Nothing is stored yet.
  public init(frameAddress: UInt64, extendedAddress: UInt64, extendedByteCount: Int, wantsInformation: Bool) {
    self.frameAddress = frameAddress
    self.extendedAddress = extendedAddress
    self.extendedByteCount = extendedByteCount
    self.wantsInformation = wantsInformation
  }
}

/// A request for random numbers of which a part is done.
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

/// A listing of records under way. It holds nothing but, where it is at a name of shared memory, the path of that, in the thread's
/// buffer.
public struct PendingListing: BitwiseCopyable {
  /// What is listed, and how far that is.
  public enum Subject: BitwiseCopyable {
    /// Names of shared memory; whether the record of the one that it is at is still to be copied out.
    case names(NameListing, isAtName: Bool)
    /// The descriptors of a process, from this one on; below 0 come the files that it has without a descriptor.
    case descriptors(ListedProcess, next: Int32)
    /// The mappings of a process.
    case mappings(ListedProcess, MappingListing)
    /// Processes.
    case processes(ProcessListing)
    /// What is counted of all processes; the structure is at the front of the buffer.
    case totals(TotalsCount)
    /// What lies in the memory of a process.
    case strings(ListedProcess, StringListing)
  }

  /// What is listed.
  public var subject: Subject
  /// Bytes of the records so far.
  public var byteCount: UInt64 = 0
  /// Bytes that there is room for.
  public let room: UInt64

  /// Nothing is listed yet.
  public init(_ subject: Subject, room: UInt64) {
    self.subject = subject
    self.room = room
  }
}

/// A process of which something is listed, which may end meanwhile.
public struct ListedProcess: BitwiseCopyable {
  private let slot: ProcessSlot
  private let number: UInt64

  /// This process.
  public init(_ process: Process) {
    slot = process.slot
    number = process.number
  }

  /// The process, if it is still there and runs programs.
  public func process(_ processes: ProcessSystem) -> Process? {
    guard let process = processes[slot], process.number == number, process.state == .running else { return nil }
    return process
  }
}

/// How far the end of a thread, and with the last one of its process, is.
public enum ExitPhase {
  /// The descriptors of a child that was being made are closed.
  case unfinishedFiles(FileTable)
  /// What the thread has said in user memory is taken back, and its robust mutexes are unlocked.
  case words
  /// The thread goes; the last one goes on with the end of the process.
  case thread
  /// Descriptors are being closed.
  case files
  /// The address space is given up.
  case memory
  /// Children are handed over to process 1.
  case children
  /// The stopped members of a group which the process has left alone are told (SIGHUP, SIGCONT).
  case hangUp(OrphanedGroup)
}
