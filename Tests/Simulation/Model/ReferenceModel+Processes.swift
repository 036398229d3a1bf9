// fork, exit, execve and wait4 (spec abi.md sections 12 to 15), naively.
import ABI

extension ReferenceModel {
  /// The number that a call was told.
  func identifier(_ target: ProcessTarget) -> Int32 {
    switch target {
    case .caller: 0
    case .all: -1
    case .process(let number): identifiers[number] ?? ProcessTarget.nobody
    case .group(let number): -(identifiers[number] ?? ProcessTarget.nobody)
    case .raw(let value): value
    }
  }

  /// The process with this identifier, zombies included.
  func process(_ identifier: Int32) -> ModelProcess? { processes.values.first { $0.identifier == identifier } }

  func fork(_ process: ModelProcess, _ number: Int, _ observed: Observation) throws(Difference) -> Expectation {
    // These privileges are the real user's on FreeBSD.
    let isSuperuser = process.credentials.realUser == 0
    if processes.count >= facts.maximumProcessCount - (isSuperuser ? 0 : 10) { return .error(.eagain) }
    let own = processes.values.filter { $0.credentials.realUser == process.credentials.realUser }.count
    if !isSuperuser && Int64(own) >= process.limits[7].soft { return .error(.eagain) }
    if isRefused(reservation(of: process), for: process.credentials.realUser, by: process) { return .error(.enomem) }
    guard case .value(let identifier) = observed else { throw Difference("got \(observed), expected a process") }
    if identifier == 0 || identifier > 99_999 || identifiers.values.contains(Int32(identifier)) {
      throw Difference("fork gave \(identifier), which is not a new process")
    }
    processes[number] = ModelProcess(number: number, identifier: Int32(identifier), copyOf: process)
    identifiers[number] = Int32(identifier)
    return .value(identifier)
  }

  func exit(_ process: ModelProcess, _ status: WaitStatus) -> Expectation {
    process.state = .zombie(status.rawValue)
    process.descriptors = [:]
    process.memory = [:]
    process.threads = []
    process.signals.isStopped = false
    // SIG_IGN for SIGCHLD: nobody wants the status.
    for child in processes.values where child.parent == process.number {
      child.parent = 0
      if child.state != .running && processes[0]?.signals.ignored.contains(20) == true { processes[child.number] = nil }
    }
    if processes[process.parent]?.signals.ignored.contains(20) == true { processes[process.number] = nil }
    return .ended
  }

  /// The program begins anew; descriptors marked close-on-exec are gone (spec abi.md section 14).
  func execute(_ process: ModelProcess, _ path: String, _ argumentCount: Int) -> Expectation {
    if let error = pathError(process, path) { return .error(error) }
    if !reaches(process, .input, 8 * (argumentCount + 1), write: false) { return .error(.efault) }
    if argumentCount == 0 { return .error(.einval) }
    switch resolve(path) {
    case .error(let error): return .error(error)
    case .file(.program(let content)):
      if content != Program.image { return .error(.enoexec) }
    default: return .error(.eacces)
    }
    // The new program's memory is there before the old one's is gone.
    let user = process.credentials.realUser
    let stackByteCount = ModelProcess.initialStackByteCount
    if isRefused(stackByteCount / 4096 + Program.dataPageCount, for: user, by: process) { return .error(.enomem) }
    process.memory = Program.initialMemory(of: user, showing: programObject(Program.image))
    process.descriptors = process.descriptors.filter { !$0.value.closesOnExec }
    process.stackByteCount = stackByteCount
    process.stackUser = user
    process.breakAddress = Program.dataEnd
    process.hasExecuted = true
    process.timers = []
    // Of what is ignored, only the ends of children are not any more.
    process.signals.ignored.remove(20)
    for signal in process.signals.caught {
      process.signals.actions[signal]?.flags &= ~0x40
      if ModelSignals.harmless.contains(signal) { discard([signal], of: process) }
    }
    process.signals.caught = []
    let thread = process.thread
    thread.segmentBases = [0, 0]
    thread.alternateStack = [0, 0, 4]
    thread.frames = []
    thread.stackSlot = 0
    process.threads = [thread]
    let who = process.credentials
    if who.realUser == who.effectiveUser && who.realGroup == who.effectiveGroup { process.isTainted = false }
    process.credentials.savedUser = who.effectiveUser
    process.credentials.savedGroup = who.effectiveGroup
    return .value(0)
  }

  // MARK: wait4

  /// The children that a wait4 is about.
  func children(of process: ModelProcess, _ target: ProcessTarget) -> [ModelProcess] {
    let wanted = identifier(target)
    return processes.values.filter {
      guard $0.number != process.number && $0.parent == process.number else { return false }
      return switch wanted {
      case -1: true
      case 0: $0.group == process.group
      case 1...: $0.identifier == wanted
      default: $0.group == 0 &- wanted
      }
    }
  }

  /// What a child has to report, if anything.
  private func report(_ child: ModelProcess, _ options: UInt32) -> Int32? {
    if case .zombie(let status) = child.state { return status }
    return child.signals.report(options)
  }

  /// The children that have something to report.
  func reporting(to process: ModelProcess, _ target: ProcessTarget, _ options: UInt32) -> [ModelProcess] {
    children(of: process, target).filter { report($0, options) != nil }
  }

  func wait(
    _ process: ModelProcess, _ target: ProcessTarget, _ options: UInt32, _ usage: Bool, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if options & ~0x8000_003F != 0 { return .error(.einval) }
    // WLINUXCLONE: for children that do not end with SIGCHLD, and there are none.
    if options >> 31 != 0 || children(of: process, target).isEmpty { return .error(.echild) }
    let ready = reporting(to: process, target, options)
    if ready.isEmpty { return options & 1 != 0 ? .value(0) : .blocked }
    let reaches =
      reaches(process, .output, 4, write: true) && (!usage || self.reaches(process, .second, 144, write: true))
    if !reaches {
      // The report is taken all the same; there is only one then.
      if let child = ready.first { take(child, options, nil, process) }
      return .error(.efault)
    }
    guard case .value(let identifier) = observed,
      let child = ready.first(where: { UInt64($0.identifier) == identifier }), let status = report(child, options)
    else { throw Difference("got \(observed), expected one of \(ready.map(\.identifier))") }
    try check("wait status", output(.output, 4), 0, 4, UInt64(UInt32(bitPattern: status)))
    var told: ModelUsage?
    if usage {
      let all = try ModelUsage(decoding: output(.second, 144))
      var known = child.usage
      // What is told of the dead includes their children.
      if child.state != .running { known.add(child.childUsage) }
      known.isExact = false
      try known.learn(all)
      told = all
    }
    take(child, options, told, process)
    return .value(identifier)
  }

  /// Takes a report that wait4 made, unless it only looked (WNOWAIT).
  private func take(_ child: ModelProcess, _ options: UInt32, _ told: ModelUsage?, _ process: ModelProcess) {
    if options & 8 != 0 { return }
    if case .zombie = child.state {
      if let told {
        process.childUsage.add(told)
      } else {
        process.childUsage.isExact = false
        process.childUsage.signalCount += child.usage.signalCount + child.childUsage.signalCount
      }
      processes[child.number] = nil
    } else if options & 2 != 0 && child.signals.isStopped && child.signals.stopIsUnreported {
      child.signals.stopIsUnreported = false
    } else {
      child.signals.continuationIsUnreported = false
    }
  }

  /// Whether the call that a thread is blocked in goes on now.
  func isReady(_ process: ModelProcess) -> Bool {
    let thread = process.thread
    guard !process.signals.isStopped, let operation = thread.blocked else { return false }
    return thread.sleepEnd != .none || isSatisfied(process, thread, operation)
  }

  /// Whether what a call waits for is there.
  func isSatisfied(_ process: ModelProcess, _ thread: ModelThread, _ operation: Operation) -> Bool {
    switch operation.call {
    case let wait as WaitCall:
      return children(of: process, wait.target).isEmpty || !reporting(to: process, wait.target, wait.options).isEmpty
    case let read as ReadCall:
      guard let end = process.file(read.descriptor)?.pipe else { return !consoleInput.isEmpty }
      return !end.bytes.isEmpty || end.peer == nil
    case is WordWaitCall: return thread.isWoken
    case let poll as PollCall: return !poll.waits(self, process)
    case let call as ThreadSuspensionCall where call.isEndless: return thread.hasWake
    case is TakeSignalCall:
      return !process.signals.pending.union(thread.pending).isDisjoint(with: thread.awaited)
    case is SuspendCall: return false
    default: return true
    }
  }
}
