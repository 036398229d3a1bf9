// fork, exit, wait4, kill, and the identities of processes (spec abi.md sections 11 and 12), naively.
import ABI

extension ReferenceModel {
  func fork(_ process: ModelProcess, _ number: Int, _ observed: Observation) throws(Difference) -> Expectation {
    guard case .value(let identifier) = observed else { throw Difference("got \(observed), expected a process") }
    if identifier == 0 || identifier > 99_999 || processes.values.contains(where: { $0.identifier == identifier }) {
      throw Difference("fork gave \(identifier), which is not a new process")
    }
    let child = ModelProcess(number: number, identifier: Int32(identifier), parent: process.number)
    child.descriptors = process.descriptors
    child.memory = process.memory
    child.credentials = process.credentials
    child.mask = process.mask
    processes[number] = child
    return .value(identifier)
  }

  func exit(_ process: ModelProcess, _ status: WaitStatus) -> Expectation {
    process.state = .zombie(status.rawValue)
    process.descriptors = [:]
    process.memory = [:]
    for child in processes.values where child.parent == process.number { child.parent = 0 }
    return .ended
  }

  /// The program begins anew; descriptors marked close-on-exec are gone (spec abi.md section 14).
  func execute(_ process: ModelProcess) -> Expectation {
    process.memory = Program.initialMemory()
    process.descriptors = process.descriptors.filter { !$0.value.closesOnExec }
    return .value(0)
  }

  /// Whether a wait4 would return at once.
  func waitIsReady(_ process: ModelProcess, _ child: Int?, _ options: UInt32) -> Bool {
    let children = processes.values.filter { $0.parent == process.number && (child == nil || $0.number == child) }
    return children.isEmpty || options & 1 != 0 || children.contains { $0.state != .running }
  }

  func wait(
    _ process: ModelProcess, _ child: Int?, _ options: UInt32, _ observed: Observation
  ) throws(Difference) -> Expectation {
    let children = processes.values.filter {
      $0.number != process.number && $0.parent == process.number && (child == nil || $0.number == child)
    }
    if children.isEmpty { return .error(.echild) }
    guard case .value(let identifier) = observed else { throw Difference("got \(observed), expected a process") }
    if identifier == 0 {
      if options & 1 != 0 && !children.contains(where: { $0.state != .running }) { return .value(0) }
      throw Difference("wait4 gave 0 although a child has ended")
    }
    guard let ended = children.first(where: { UInt64($0.identifier) == identifier }),
      case .zombie(let status) = ended.state
    else { throw Difference("wait4 gave \(identifier), which is no ended child") }
    if output.count >= 4 {
      let got = Int32(truncatingIfNeeded: littleEndian(output, 0, byteCount: 4))
      if got != status { throw Difference("wait status is \(got), expected \(status)") }
    }
    processes[ended.number] = nil
    return .value(identifier)
  }

  func kill(_ process: ModelProcess, _ target: Int, _ signal: Int32) -> Expectation {
    if signal < 0 || signal > 128 { return .error(.einval) }
    guard let target = processes[target] else { return .error(.esrch) }
    let from = process.credentials
    let to = target.credentials
    let isAllowed =
      from.effectiveUser == 0 || signal == 19
      || [from.realUser, from.effectiveUser].contains { $0 == to.realUser || $0 == to.savedUser }
    if !isAllowed { return .error(.eperm) }
    if case .zombie = target.state { return .value(0) }
    // 16 URG, 19 CONT, 20 CHLD, 23 IO, 28 WINCH, 29 INFO do nothing by default.
    if signal == 0 || [16, 19, 20, 23, 28, 29].contains(signal) { return .value(0) }
    _ = exit(target, .terminated(Signal(rawValue: signal)))
    return process === target ? .ended : .value(0)
  }

  func identity(_ process: ModelProcess, _ kind: IdentityKind) -> UInt32 {
    switch kind {
    case .user: process.credentials.realUser
    case .effectiveUser: process.credentials.effectiveUser
    case .group: process.credentials.realGroup
    case .effectiveGroup: process.credentials.effectiveGroup
    }
  }

  func setIdentity(_ process: ModelProcess, _ kind: IdentityKind, _ value: UInt32) -> Expectation {
    let who = process.credentials
    let isPrivileged = who.effectiveUser == 0
    switch kind {
    case .user:
      if value != who.realUser && value != who.effectiveUser && !isPrivileged { return .error(.eperm) }
      if value == who.effectiveUser || isPrivileged {
        process.credentials.realUser = value
        process.credentials.savedUser = value
      }
      process.credentials.effectiveUser = value
    case .effectiveUser:
      if value != who.realUser && value != who.savedUser && !isPrivileged { return .error(.eperm) }
      process.credentials.effectiveUser = value
    case .group:
      if value != who.realGroup && value != who.effectiveGroup && !isPrivileged { return .error(.eperm) }
      if value == who.effectiveGroup || isPrivileged {
        process.credentials.realGroup = value
        process.credentials.savedGroup = value
      }
      process.credentials.effectiveGroup = value
    case .effectiveGroup:
      if value != who.realGroup && value != who.savedGroup && !isPrivileged { return .error(.eperm) }
      process.credentials.effectiveGroup = value
    }
    return .value(0)
  }

  func setGroups(_ process: ModelProcess, _ groups: [UInt32]) -> Expectation {
    if process.credentials.effectiveUser != 0 { return .error(.eperm) }
    process.credentials.groups = groups
    return .value(0)
  }

  func mask(_ process: ModelProcess, _ mask: UInt16) -> Expectation {
    let old = process.mask
    process.mask = mask & 0o7777
    return .value(UInt64(old))
  }
}
