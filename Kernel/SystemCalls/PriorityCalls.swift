// getpriority(2), setpriority(2), rtprio(2), rtprio_thread(2), sched_setscheduler(2) and their like, checked in the order of
// FreeBSD's kern_resource.c and p1003_1b.c.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declarePriorityCalls() {
    declare(.getpriority, "getpriority", [.integer, .integer]) { call throws(Errno) in try call.niceness() }
    declare(.setpriority, "setpriority", [.integer, .integer, .integer]) { call throws(Errno) in try call.setNiceness()
    }
    declare(.rtprio, "rtprio", [.integer, .integer, .pointer]) { call throws(Errno) in try call.processPriority() }
    declare(.rtprioThread, "rtprio_thread", [.integer, .long, .pointer]) { call throws(Errno) in
      try call.threadPriority()
    }
    declare(.schedSetparam, "sched_setparam", [.integer, .pointer]) { call throws(Errno) in
      try call.setSchedulingParameter()
    }
    declare(.schedGetparam, "sched_getparam", [.integer, .pointer]) { call throws(Errno) in
      let priority = try call.scheduledThread().frame.value.attributes.priority
      call.stage(priority.parameter)
      return call.deliver(4, to: call.arguments.second.address)
    }
    declare(.schedSetscheduler, "sched_setscheduler", [.integer, .integer, .pointer]) { call throws(Errno) in
      try call.setSchedulingPolicy()
    }
    declare(.schedGetscheduler, "sched_getscheduler", [.integer]) { call throws(Errno) in
      let priority = try call.scheduledThread().frame.value.attributes.priority
      return .value(UInt64(SchedulingPolicy(priority.kind).rawValue))
    }
    declare(.schedGetPriorityMax, "sched_get_priority_max", [.integer]) { call throws(Errno) in
      .value(UInt64(try call.schedulingPolicy(call.arguments.first).maximumPriority))
    }
    declare(.schedGetPriorityMin, "sched_get_priority_min", [.integer]) { call throws(Errno) in
      _ = try call.schedulingPolicy(call.arguments.first)
      return .value(0)
    }
    declare(.schedRrGetInterval, "sched_rr_get_interval", [.integer, .pointer]) { call throws(Errno) in
      _ = try call.scheduledThread()
      let turn = Timespec(nanoseconds: ProcessLimits.turnNanoseconds)
      return call.deliver(turn.seconds, turn.nanoseconds, to: call.arguments.second.address)
    }
  }
}

extension SystemCall {
  // MARK: Nice values

  /// The process that an identifier names, 0 the caller's. Throws ESRCH.
  private func subject(_ identifier: Int32) throws(Errno) -> Process {
    if identifier == 0 { return process }
    guard let found = kernel.processes.livingProcess(identifier) else { throw .esrch }
    return found
  }

  /// getpriority(2): the lowest nice value of those who are meant.
  fileprivate func niceness() throws(Errno) -> Answer {
    guard let target = PriorityTarget(rawValue: arguments.first.integer) else { throw .einval }
    if target == .process { return value(try subject(arguments.second.integer).niceness) }
    return try beginPriorities(target, arguments.second, nil)
  }

  /// setpriority(2). Where several are meant, what becomes of the last decides.
  fileprivate func setNiceness() throws(Errno) -> Answer {
    guard let target = PriorityTarget(rawValue: arguments.first.integer) else { throw .einval }
    let value = Niceness(clamping: arguments.third.integer)
    if target == .process {
      try kernel.processes.setNiceness(of: try subject(arguments.second.integer), value, by: process)
      return .value(0)
    }
    return try beginPriorities(target, arguments.second, value)
  }

  private func beginPriorities(
    _ target: PriorityTarget, _ who: Argument, _ value: Niceness?
  ) throws(Errno) -> Answer {
    var identifier = who.integer
    if identifier == 0 {
      identifier =
        target == .group ? process.groupIdentifier : Int32(bitPattern: process.credentials.effectiveUser)
    }
    thread.frame.value.priorities = PendingPriorities(target, identifier, setting: value)
    kernel.processes.begin(&thread.frame.value.priorities)
    return try continuePriorities()
  }

  /// Goes on with what many processes are asked or told.
  func continuePriorities() throws(Errno) -> Answer {
    guard kernel.processes.goOn(&thread.frame.value.priorities, by: process) else {
      return goOnLater(.process(.priorities))
    }
    let niceness = try thread.frame.value.priorities.result()
    return thread.frame.value.priorities.sets ? .value(0) : value(niceness)
  }

  private func value(_ niceness: Niceness) -> Answer { .value(UInt64(bitPattern: Int64(niceness.rawValue))) }

  // MARK: Classes

  /// Throws EPERM for a priority that only the superuser may give, EINVAL for one that there is not.
  func check(_ priority: ThreadPriority) throws(WordFailure) {
    switch priority.kind {
    case .realTime, .firstInFirstOut, .idle:
      guard process.credentials.isSuperuser else { throw .error(.eperm) }
      guard priority.level <= ThreadPriority.maximumLevel else { throw .error(.einval) }
    case .normal:
      guard priority.level <= ThreadPriority.maximumNormalLevel else { throw .error(.einval) }
    default: throw .error(.einval)
    }
  }

  /// rtprio_thread(2): a bad address is told only if what it names is wanted.
  fileprivate func threadPriority() throws(Errno) -> Answer {
    let (function, identifier) = (arguments.first.integer, arguments.second.integer)
    let subject = identifier == 0 ? thread : kernel.processes.thread(identifier)
    guard let subject, let owner = kernel.processes[subject.process] else { throw .esrch }
    switch function {
    case PriorityFunction.lookUp: return deliver(subject.frame.value.attributes.priority)
    case PriorityFunction.set:
      return try withWords { () throws(WordFailure) in
        kernel.processes.setPriority(of: subject, try wantedPriority(of: owner))
        return .value(0)
      }
    default: throw .einval
    }
  }

  /// rtprio(2): of the calling thread, or of all threads of a process, of which the most urgent is told.
  fileprivate func processPriority() throws(Errno) -> Answer {
    let (function, identifier) = (arguments.first.integer, arguments.second.integer)
    let subject = try subject(identifier)
    switch function {
    case PriorityFunction.lookUp:
      if identifier == 0 { return deliver(thread.frame.value.attributes.priority) }
      var highest = ThreadPriority(kind: .idle, level: ThreadPriority.maximumLevel)
      kernel.processes.forEachThread(of: subject) { highest = min(highest, $0.frame.value.attributes.priority) }
      return deliver(highest)
    case PriorityFunction.set:
      return try withWords { () throws(WordFailure) in
        let priority = try wantedPriority(of: subject)
        if identifier == 0 {
          kernel.processes.setPriority(of: thread, priority)
        } else {
          kernel.processes.forEachThread(of: subject) { kernel.processes.setPriority(of: $0, priority) }
        }
        return .value(0)
      }
    default: throw .einval
    }
  }

  private func deliver(_ priority: ThreadPriority) -> Answer {
    stage(priority.word)
    return deliver(ThreadPriority.byteCount, to: arguments.third.address)
  }

  /// The priority that the third argument points to, for a thread of a process. Throws EPERM, EFAULT, EPERM, EINVAL in this
  /// order.
  private func wantedPriority(of owner: Process) throws(WordFailure) -> ThreadPriority {
    guard kernel.processes.maySchedule(owner, by: process) else { throw .error(.eperm) }
    let priority = ThreadPriority(word: try space.load(UInt32.self, at: arguments.third.address))
    try check(priority)
    return priority
  }

  // MARK: Policies

  /// A policy. Throws EINVAL.
  fileprivate func schedulingPolicy(_ argument: Argument) throws(Errno) -> SchedulingPolicy {
    guard let policy = SchedulingPolicy(rawValue: argument.integer) else { throw .einval }
    return policy
  }

  /// The thread that the first argument means: the caller, or the oldest of a process. Throws ESRCH.
  fileprivate func scheduledThread() throws(Errno) -> Thread {
    let identifier = arguments.first.integer
    if identifier == 0 { return thread }
    guard let found = kernel.processes.oldestThread(of: try subject(identifier)) else { throw .esrch }
    return found
  }

  /// sched_setparam(2): EFAULT, ESRCH, EPERM in this order, then what the priority is refused for.
  fileprivate func setSchedulingParameter() throws(Errno) -> Answer {
    try withWords { () throws(WordFailure) in
      let wanted = try space.load(UInt32.self, at: arguments.second.address)
      let subject = try refusing { () throws(Errno) in try scheduledThread() }
      let policy = SchedulingPolicy(subject.frame.value.attributes.priority.kind)
      try setPriority(of: subject, policy, Int32(bitPattern: wanted))
      return .value(0)
    }
  }

  /// sched_setscheduler(2): EPERM of who is not the superuser, EFAULT, ESRCH, EINVAL in this order.
  fileprivate func setSchedulingPolicy() throws(Errno) -> Answer {
    guard process.credentials.isSuperuser else { throw .eperm }
    return try withWords { () throws(WordFailure) in
      let wanted = try space.load(UInt32.self, at: arguments.third.address)
      let subject = try refusing { () throws(Errno) in try scheduledThread() }
      let policy = try refusing { () throws(Errno) in try schedulingPolicy(arguments.second) }
      try setPriority(of: subject, policy, Int32(bitPattern: wanted))
      return .value(0)
    }
  }

  /// Gives a thread a priority of `struct sched_param`. Throws EPERM when the caller may not say how it runs; when there is no
  /// such priority, EPERM of a real-time policy and EINVAL of the other.
  private func setPriority(
    of subject: Thread, _ policy: SchedulingPolicy, _ priority: Int32
  ) throws(WordFailure) {
    guard let owner = kernel.processes[subject.process], kernel.processes.maySchedule(owner, by: process) else {
      throw .error(.eperm)
    }
    guard priority >= 0, priority <= policy.maximumPriority else {
      throw .error(policy == .other ? .einval : .eperm)
    }
    kernel.processes.setPriority(of: subject, ThreadPriority(policy, priority))
  }
}
