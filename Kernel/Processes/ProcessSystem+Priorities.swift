// Nice values and classes of threads: who may change them, and for whom (getpriority(2), setpriority(2), rtprio(2)).

public import ABI
import Files
import Memory
import Primitives

/// What a getpriority(2) or setpriority(2) of several processes has still to do. As with kill(2), it reaches every process that
/// there is when it has reached the last, so that nobody escapes by forking.
public struct PendingPriorities: BitwiseCopyable {
  /// The group or user; `target` says which.
  fileprivate var identifier: Int32 = 0
  fileprivate var target = PriorityTarget.group
  /// Whether a value is set.
  public private(set) var sets = false
  /// What is set; or the lowest that was found.
  fileprivate var value = Niceness(clamping: 20)
  fileprivate var found = false
  /// What became of the last of them; 0: nothing.
  fileprivate var error: Int32 = 0
  /// The next slot to look at.
  fileprivate var slot: UInt32 = 0
  /// Processes made before this one had their turn in an earlier pass, those from `end` on have it in the next.
  fileprivate var start: UInt64 = 0
  fileprivate var end: UInt64 = 0

  /// Nothing.
  init() {}

  /// For every process of a group or user; `value` nil: asks for the lowest.
  public init(_ target: PriorityTarget, _ identifier: Int32, setting value: Niceness?) {
    self.identifier = identifier
    self.target = target
    sets = value != nil
    if let value { self.value = value }
  }

  /// The lowest value that was found. Throws ESRCH when there was no such process, otherwise what became of the last of them.
  public func result() throws(Errno) -> Niceness {
    guard found else { throw .esrch }
    if error != 0 { throw Errno(rawValue: error) }
    return value
  }
}

extension ProcessSystem {
  // MARK: Nice values

  /// Whether a process may say how the threads of another run (p_cansched(9)).
  public func maySchedule(_ other: Process, by caller: Process) -> Bool {
    if other === caller || caller.credentials.isSuperuser { return true }
    let user = other.credentials.user
    return user == caller.credentials.user || user == caller.credentials.effectiveUser
  }

  /// Sets the nice value of a process. Throws EPERM when the caller may not say how it runs, EACCES when the value is lower than
  /// before and the caller is not the superuser.
  public func setNiceness(of process: Process, _ value: Niceness, by caller: Process) throws(Errno) {
    guard maySchedule(process, by: caller) else { throw .eperm }
    guard value >= process.niceness || caller.credentials.isSuperuser else { throw .eacces }
    guard value != process.niceness else { return }
    process.niceness = value
    if currentProcess === process { charge() }
    forEachThread(of: process) { scheduler.setNiceness($0.slot, value, isRunning: $0 === current) }
  }

  /// Begins to look at the processes of a group or user.
  public func begin(_ pending: inout PendingPriorities) { pending.end = processNumber }

  /// Looks at some more of them; whether it has reached all.
  public func goOn(_ pending: inout PendingPriorities, by caller: Process) -> Bool {
    if pending.target == .group && pending.slot == 0 && pending.start == 0 && !isLarge(pending.identifier) {
      var slot = groups.first(pending.identifier)
      while let member = slot {
        slot = groups.next(after: member)
        if let process = slots[Int(member)] { visit(process, &pending, by: caller) }
      }
      return true
    }
    var (places, changes) = (ProcessLimits.prioritiesPerTurn, ProcessLimits.niceThreadsPerTurn)
    while true {
      while Int(pending.slot) < slots.count {
        guard places > 0, changes > 0 else { return false }
        if let process = slots[Int(pending.slot)], process.number >= pending.start, pending.isFor(process) {
          visit(process, &pending, by: caller)
          changes -= process.threadCount
        }
        pending.slot += 1
        places -= 1
      }
      if processNumber == pending.end { return true }
      pending.start = pending.end
      pending.end = processNumber
      pending.slot = 0
    }
  }

  private func visit(_ process: Process, _ pending: inout PendingPriorities, by caller: Process) {
    guard process.state != .zombie else { return }
    pending.found = true
    guard pending.sets else { return pending.value = min(pending.value, process.niceness) }
    do throws(Errno) {
      try setNiceness(of: process, pending.value, by: caller)
      pending.error = 0
    } catch {
      pending.error = error.rawValue
    }
  }

  // MARK: Classes

  /// The oldest thread of a process, which is meant where a process stands for one thread.
  public func oldestThread(of process: Process) -> Thread? {
    var oldest: Thread?
    forEachThread(of: process) { oldest = $0 }
    return oldest
  }

  /// Changes the class or level of a thread.
  public func setPriority(of thread: Thread, _ priority: ThreadPriority) {
    thread.frame.value.attributes.priority = priority
    let isRunning = thread === current
    if isRunning {
      charge()
      // Somebody may go first now.
      processor.needsAttention = true
    }
    scheduler.setPriority(thread.slot, priority, isRunning: isRunning)
  }
}

extension PendingPriorities {
  fileprivate func isFor(_ process: Process) -> Bool {
    target == .group
      ? process.groupIdentifier == identifier
      : process.credentials.effectiveUser == UInt32(bitPattern: identifier)
  }
}
