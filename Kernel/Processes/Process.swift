// A process: what its threads share, its place in the family, and what remains of it until its parent asks.
//
// Invariants
// - `.running`: owns an address space, a descriptor table and threads. `.exiting`: gives them back step by step.
//   `.zombie`: owns none of them; only identity, status and usage are left.
// - Family links are process slots; a parent's `firstChild` list holds the living, `firstZombie` the dead.

public import ABI
public import Files
public import Memory
public import Primitives

/// Names a process by its place in the table. Owns nothing.
public struct ProcessSlot: Equatable, BitwiseCopyable, Sendable {
  /// The index.
  public let raw: UInt32

  /// Wraps an index.
  public init(_ raw: UInt32) { self.raw = raw }

  /// Names no process.
  public static let none = ProcessSlot(UInt32.max)
  /// Process 1, always the first in the table.
  public static let initial = ProcessSlot(0)
}

/// How far a process is through its life.
public enum ProcessState: Sendable {
  /// It has threads that run programs.
  case running
  /// It is giving back what it owns.
  case exiting
  /// It waits to be asked for its status.
  case zombie
}

/// A process.
public final class Process: Nameable {
  /// The place in the table.
  public let slot: ProcessSlot
  /// The process identifier.
  public let identifier: Int32
  /// How many processes had been made before it.
  public internal(set) var number: UInt64 = 0
  /// When it was made, in nanoseconds since boot.
  public internal(set) var startNanoseconds: UInt64 = 0
  /// The process group.
  public internal(set) var groupIdentifier: Int32
  /// The session.
  public internal(set) var sessionIdentifier: Int32
  /// How far the process is through its life.
  public internal(set) var state = ProcessState.running

  // Family

  /// The process that will be told of the end.
  public internal(set) var parent: ProcessSlot
  var firstChild = ProcessSlot.none
  var firstZombie = ProcessSlot.none
  var nextSibling = ProcessSlot.none
  var previousSibling = ProcessSlot.none
  /// What tells the parent of the end; wait4(2) without WLINUXCLONE is for those that end with SIGCHLD.
  var endSignal = Signal.sigchld

  // What the process owns

  /// The first of the threads; each names the next.
  public internal(set) var firstThread = ThreadSlot.none
  /// How many threads there are.
  public internal(set) var threadCount = 0
  /// How many of them are set aside because the process is stopped.
  var suspendedThreadCount = 0
  /// The address space.
  public var addressSpace: AddressSpace?
  /// The process that waits until this one, which runs in its memory as a rule, executes a program or ends (vfork(2)).
  public internal(set) var lender = ProcessSlot.none
  /// The descriptor table.
  public var files: FileTable?
  /// The identity that permissions are checked against.
  public var credentials: Credentials
  /// Permission bits that new objects do not get.
  public var creationMask = FileMode.defaultCreationMask
  /// The limits of getrlimit(2), shared with relatives until one of them changes its own.
  public private(set) var limits: ResourceLimits
  /// The name, for listings and messages: the last component of the program's path.
  public var name = [20 of UInt8](repeating: 0)
  /// Bytes of `name` in use.
  public var nameByteCount = 0
  /// Its arguments as others are told of them, or what it wants to be told instead, if that is short.
  public var title = ProcessTitle()
  /// Where the content of the program's file starts.
  public internal(set) var imageStart = PhysicalAddress(0)
  /// Whether it reaches only what it has descriptors of (cap_enter(2)).
  public var isInCapabilityMode = false
  /// Whether identifiers changed since the program started: issetugid(2).
  public var hasChangedIdentity = false
  /// procctl(2), PROC_SPROTECT: whether the process is spared when memory has run out, and its children too from their
  /// beginning.
  public internal(set) var isProtected = false
  var protectsChildren = false
  /// The nice value, of which its threads get the less of the processor the higher it is.
  public internal(set) var niceness = Niceness.ordinary
  /// Whether the process has executed a program since it was forked.
  public internal(set) var hasExecuted = false

  /// What every sleep on a word of user memory lasts at least, unless it is woken (UMTX_OP_SET_MIN_TIMEOUT), in nanoseconds.
  public var minimumSleepNanoseconds: UInt64 = 0

  /// The timers of setitimer(2) and ktimer_create(2).
  public internal(set) var timers = ProcessTimers()

  // Signals

  /// Signals on their way to the process, whichever of its threads acts on them.
  public internal(set) var signalQueue = SignalQueue()
  /// Signals that were posted to the process and not acted upon yet.
  public var pendingSignals: SignalSet { signalQueue.pending }
  /// Instances that count, in the queues of the process and of its threads.
  var queuedSignalCount = 0
  /// What the process has asked for when signals come, if it has asked for anything.
  var actions: SignalActions?
  /// Signals for which the program has a handler.
  public internal(set) var caughtSignals = SignalSet()
  /// Signals that the program ignores.
  public internal(set) var ignoredSignals = SignalSet()
  /// SA_NOCLDWAIT: the process does not want to know how its children end.
  public internal(set) var forgetsChildren = false
  /// SA_NOCLDSTOP: nor when they stop and go on.
  var ignoresChildStops = false
  /// What the parent has not been told yet of this process, in the parent's queue, or none.
  var notice = Handle<QueuedSignal>.none
  /// Whether the process is stopped.
  public internal(set) var isStopped = false
  var stopSignal = Signal.sigstop
  var stopIsUnreported = false
  /// Whether the stop has still to be told, because not all threads are set aside: some act on it only when the calls that
  /// they are in have stored their results.
  var stopIsAhead = false
  var continuationIsUnreported = false
  /// Whether it ends and counts in its group no more, when somebody asks who is there to continue that.
  var hasLeftGroup = false

  // The end

  /// The argument of exit(2), of which `exitStatus` has the low eight bits.
  public var exitValue: Int32 = 0
  /// What wait4(2) will report.
  public internal(set) var exitStatus = WaitStatus.exited(0)
  /// Time and faults of the process.
  public var usage = ResourceUsage()
  /// Time and faults of children that were waited for.
  public var childUsage = ResourceUsage()

  init(
    slot: ProcessSlot, identifier: Int32, groupIdentifier: Int32, sessionIdentifier: Int32, parent: ProcessSlot,
    credentials: Credentials, limits: ResourceLimits
  ) {
    self.slot = slot
    self.identifier = identifier
    self.groupIdentifier = groupIdentifier
    self.sessionIdentifier = sessionIdentifier
    self.parent = parent
    self.credentials = credentials
    self.limits = limits
  }

  /// Whether children leave nothing behind when they end: SIGCHLD is ignored, or SA_NOCLDWAIT set (sigaction(2)).
  var ignoresChildren: Bool { forgetsChildren || ignoredSignals.contains(.sigchld) }

  /// What the process used so far, its present memory included.
  public var currentUsage: ResourceUsage {
    var result = usage
    if let addressSpace { result.noteResidentPages(addressSpace.largestResidentPageCount) }
    return result
  }

  /// Gives up the address space, which other processes may go on using.
  func leaveAddressSpace() {
    guard let space = addressSpace else { return }
    usage.noteResidentPages(space.largestResidentPageCount)
    addressSpace = nil
    space.retire()
  }

  /// A limit of getrlimit(2).
  public func limit(_ identifier: ResourceLimitIdentifier) -> ResourceLimit { limits[identifier] }

  /// Changes a limit of this process only. The caller has made sure of the heap's reserve.
  public func setLimit(_ limit: ResourceLimit, for identifier: ResourceLimitIdentifier) {
    limits = ResourceLimits(limits, changing: identifier, to: limit)
  }
}

/// The limits of getrlimit(2). Never changed, so that processes can share them.
public final class ResourceLimits {
  private var values: [16 of ResourceLimit]
  /// The inspection that visited the limits last.
  var inspection: UInt32 = 0

  init(_ values: [16 of ResourceLimit]) { self.values = values }

  init(_ other: ResourceLimits, changing identifier: ResourceLimitIdentifier, to limit: ResourceLimit) {
    values = other.values
    values[Int(identifier.rawValue)] = limit
  }

  /// One limit.
  public subscript(identifier: ResourceLimitIdentifier) -> ResourceLimit { values[Int(identifier.rawValue)] }
}

/// What a process used.
public struct ResourceUsage: BitwiseCopyable, Sendable {
  /// Nanoseconds in ring 3, and in calls and faults that end at once.
  public var userNanoseconds: UInt64 = 0
  /// Nanoseconds in the kernel between events: in long calls, and in ending.
  public var systemNanoseconds: UInt64 = 0
  /// Both.
  public var nanoseconds: UInt64 { userNanoseconds &+ systemNanoseconds }
  /// Page faults that needed no transfer.
  public var minorFaultCount = 0
  /// Page faults that waited for a transfer.
  public var majorFaultCount = 0
  /// Times the process gave way because it waited.
  public var voluntarySwitchCount = 0
  /// Times the process gave way because its turn was over.
  public var involuntarySwitchCount = 0
  /// Handlers that ran.
  public var signalCount = 0
  /// The most pages present at a time in an address space of the process that is gone.
  public var largestResidentPageCount = 0

  /// No usage.
  public init() {}

  /// Counts time.
  @inline(__always)
  mutating func charge(_ nanoseconds: UInt64, asSystem: Bool) {
    if asSystem { systemNanoseconds &+= nanoseconds } else { userNanoseconds &+= nanoseconds }
  }

  /// Counts that a thread gave the processor away.
  @inline(__always)
  mutating func countSwitch(isVoluntary: Bool) {
    if isVoluntary { voluntarySwitchCount &+= 1 } else { involuntarySwitchCount &+= 1 }
  }

  /// Adds what another process used.
  public mutating func add(_ other: ResourceUsage) {
    userNanoseconds &+= other.userNanoseconds
    systemNanoseconds &+= other.systemNanoseconds
    minorFaultCount &+= other.minorFaultCount
    majorFaultCount &+= other.majorFaultCount
    voluntarySwitchCount &+= other.voluntarySwitchCount
    involuntarySwitchCount &+= other.involuntarySwitchCount
    signalCount &+= other.signalCount
    noteResidentPages(other.largestResidentPageCount)
  }

  /// Notes how many pages were present at a time.
  public mutating func noteResidentPages(_ count: Int) {
    largestResidentPageCount = max(largestResidentPageCount, count)
  }

  /// The usage as getrusage(2) reports it.
  public var rusage: Rusage {
    var result = Rusage()
    result.userTime = Timeval(nanoseconds: userNanoseconds)
    result.systemTime = Timeval(nanoseconds: systemNanoseconds)
    result.minorFaults = Int64(minorFaultCount)
    result.majorFaults = Int64(majorFaultCount)
    result.voluntarySwitches = Int64(voluntarySwitchCount)
    result.involuntarySwitches = Int64(involuntarySwitchCount)
    result.signals = Int64(signalCount)
    result.maximumResidentKibibytes = Int64(largestResidentPageCount) * Int64(Page.byteCount / 1024)
    return result
  }
}
