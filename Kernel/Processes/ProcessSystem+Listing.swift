// What is told of processes and threads (sysctl kern.proc; FreeBSD's fill_kinfo_proc).
//
// Processes are told in the order of their places in the table, a bounded number at a time: those that come and go meanwhile may
// be missing, no other is told twice.

public import ABI
import Files
import Memory
import Primitives

/// Which processes are told of.
public enum ProcessSelection: BitwiseCopyable, Sendable {
  /// All.
  case all
  /// One.
  case one(ProcessSlot)
  /// Those of a group.
  case group(Int32)
  /// Those of a session.
  case session(Int32)
  /// Those whose user is this, the effective or the real one.
  case user(UInt32, isReal: Bool)
  /// Those whose group is this.
  case userGroup(UInt32, isReal: Bool)
}

/// How far a listing of processes is.
public struct ProcessListing: BitwiseCopyable, Sendable {
  fileprivate let selection: ProcessSelection
  fileprivate let tellsThreads: Bool
  fileprivate var slot: UInt32 = 0
  /// The thread of the process that is next; none: the first.
  fileprivate var thread = ThreadSlot.none

  /// A listing before the first process.
  ///
  /// - Parameter tellsThreads: whether each thread is told of, or each process once.
  public init(_ selection: ProcessSelection, tellsThreads: Bool) {
    self.selection = selection
    if case .one(let process) = selection { slot = process.raw }
    self.tellsThreads = tellsThreads
  }

  /// Whether only one process is told of.
  public var isOfOne: Bool { if case .one = selection { true } else { false } }

  /// Goes on to the next place of the table, of which there are so many, or to a later one.
  fileprivate mutating func skip(_ count: Int, to place: Int? = nil) {
    slot = isOfOne ? UInt32(count) : place.map { UInt32($0) } ?? slot + 1
    thread = .none
  }
}

extension ProcessSystem {
  /// The next process of a listing; nil at the end. Takes the processes that it looks at off `budget`, and is not complete when that is used
  /// up before.
  public func next(
    _ listing: inout ProcessListing, _ budget: inout Int
  ) -> (isComplete: Bool, information: ProcessInformation?) {
    while Int(listing.slot) < slots.count {
      if slots[Int(listing.slot)] == nil {
        listing.skip(slots.count, to: usedSlots.next(from: Int(listing.slot)))
        continue
      }
      if budget <= 0 { return (false, nil) }
      budget -= 1
      if let process = slots[Int(listing.slot)], process.matches(listing.selection) {
        // A thread that has gone meanwhile is followed by the next process.
        if listing.thread == .none || threads[listing.thread]?.process == process.slot {
          return (true, information(of: process, listing.thread == .none ? nil : threads[listing.thread]))
        }
      }
      listing.skip(slots.count)
    }
    return (true, nil)
  }

  /// The listing goes on behind what it has told of last.
  public func advance(_ listing: inout ProcessListing) {
    if listing.tellsThreads, Int(listing.slot) < slots.count, let process = slots[Int(listing.slot)] {
      let told = threads[listing.thread == .none ? process.firstThread : listing.thread]
      listing.thread = told?.next ?? .none
      if listing.thread != .none { return }
    }
    listing.skip(slots.count)
  }

  /// Whether a process may look at what another has open and mapped (FreeBSD's p_candebug): the superuser, and who has the same
  /// user and all groups of one that has not changed its identity.
  public func mayInspect(_ subject: Process, by caller: Process) -> Bool {
    if subject === caller { return true }
    let (own, other) = (caller.credentials, subject.credentials)
    if own.isSuperuser { return true }
    guard !subject.hasChangedIdentity, other.user == own.effectiveUser, other.effectiveUser == own.effectiveUser,
      other.savedUser == own.effectiveUser
    else { return false }
    for index in 0..<other.groupCount where !own.isMember(of: other.group(at: index)) { return false }
    return own.isMember(of: other.group) && own.isMember(of: other.savedGroup)
  }

  /// What is told of a process and one of its threads, the first unless another is named.
  public func information(of process: Process, _ named: Thread? = nil) -> ProcessInformation {
    var information = ProcessInformation()
    let thread = named ?? threads[process.firstThread]
    information.setFamily(
      identifier: process.identifier, parent: self[process.parent]?.identifier ?? 0,
      group: process.groupIdentifier, session: process.sessionIdentifier)
    let pending = process.pendingSignals
    information.setSignals(
      pending: pending.low | (thread?.signals.queue.pending.low ?? 0), mask: thread?.signals.mask.low ?? 0,
      ignored: process.ignoredSignals.low, caught: process.caughtSignals.low)
    let identity = process.credentials
    information.setIdentity(
      effectiveUser: identity.effectiveUser, user: identity.user, savedUser: identity.savedUser, group: identity.group,
      savedGroup: identity.savedGroup)
    for index in 0..<min(identity.groupCount, ProcessInformation.groupCapacity) {
      information.addGroup(identity.group(at: index))
    }
    if let space = process.addressSpace {
      let program = space.program
      information.setSize(
        byteCount: space.virtualByteCount, residentPages: UInt64(space.residentPageCount),
        text: (program.dataStart - program.start) >> Page.shift,
        data: (program.dataEnd - program.dataStart) >> Page.shift)
    }
    if process.state == .zombie {
      information.setExitStatus(UInt16(truncatingIfNeeded: process.exitStatus.rawValue))
    }
    let usage = process.currentUsage
    let start = services.processor.realTimeOffsetNanoseconds &+ process.startNanoseconds
    information.setTimes(
      microseconds: usage.nanoseconds / 1000, start: Timeval(nanoseconds: start),
      childTime: Timeval(nanoseconds: process.childUsage.nanoseconds), usage.rusage,
      ofChildren: process.childUsage.rusage)
    let priority = thread?.frame.value.attributes.priority ?? .normal
    information.setState(
      state(of: process, thread), niceness: process.niceness.rawValue, threadCount: process.threadCount,
      thread: thread?.identifier ?? 0, priorityClass: UInt8(truncatingIfNeeded: priority.kind.rawValue),
      level: UInt8(truncatingIfNeeded: priority.level))
    information.setFlags(
      hasChangedIdentity: process.hasChangedIdentity, leadsSession: process.sessionIdentifier == process.identifier,
      isInCapabilityMode: process.isInCapabilityMode)
    for index in 0..<process.nameByteCount { information.setNameByte(ofThread: false, index, process.name[index]) }
    let ownByteCount = Int(thread?.frame.value.attributes.nameByteCount ?? -1)
    for index in 0..<(ownByteCount < 0 ? process.nameByteCount : ownByteCount) {
      let byte = ownByteCount < 0 ? process.name[index] : thread?.frame.value.attributes.name[index] ?? 0
      information.setNameByte(ofThread: true, index, byte)
    }
    return information
  }

  private func state(of process: Process, _ thread: Thread?) -> ProcessInformationState {
    if process.state == .zombie { return .zombie }
    if process.isStopped { return .stopped }
    guard let thread, scheduler.parkedChannel(thread.slot) != nil else { return .running }
    return .sleeping
  }
}

extension Process {
  fileprivate func matches(_ selection: ProcessSelection) -> Bool {
    switch selection {
    case .all: true
    case .one(let slot): self.slot == slot
    case .group(let identifier): groupIdentifier == identifier
    case .session(let identifier): sessionIdentifier == identifier
    case .user(let user, let isReal): (isReal ? credentials.user : credentials.effectiveUser) == user
    case .userGroup(let group, let isReal): isReal ? credentials.group == group : credentials.isMember(of: group)
    }
  }
}
