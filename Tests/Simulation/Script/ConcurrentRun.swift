// Processes, and threads of them, that all act at once: while a call of one is parked, the others go on, on the same objects. What each call
// gives then depends on the order, so nothing is compared with the model; the invariants are checked after every event, the
// registers at every return, and at the end nothing may be left. What every program saw is kept, so that it can be compared
// with what it sees when each action is complete before the next one begins (`Linearizability`).

public import ABI
import Files
import Memory
import Primitives
import Processes
import SystemCalls

/// One thing that a program does.
public enum Action: Equatable, Sendable {
  /// A system call with its arguments.
  case call(SystemCallNumber, [UInt64])
  /// A load of bytes that lie in one page.
  case load(UInt64, byteCount: Int = 1)
  /// A store of bytes that lie in one page.
  case store(UInt64, [UInt8])
}

/// A machine on which everybody has a list of actions and performs the next one whenever it has the processor. The thread that a
/// process begins with goes by the identifier of the process, others by their own. Handlers of signals return at once.
public final class ConcurrentRun {
  /// The machine.
  public let machine: KernelMachine
  private var queues: [Int32: [Action]] = [:]
  private var returning: [Int32: Return] = [:]
  /// Events performed.
  public private(set) var stepCount = 0
  /// Calls that were parked and returned later.
  public private(set) var parkedCallCount = 0
  /// What everybody saw of its actions, in its order.
  private var observations: [Int32: [Observation]] = [:]
  /// The thread that each process began with.
  private var firstThreads: [Int32: Int32] = [:]
  /// Who came to sleep where one action was to be complete before the next.
  private(set) var sleeper: Int32?
  /// Handlers that ran.
  public private(set) var handlerCount = 0

  /// What a process finds when its call returns.
  private struct Return {
    var kept: [(register: KernelMachine.Register, value: UInt64)]
    var call: SystemCallNumber
    var step: Int
  }

  /// A freshly booted machine; process 1 has no actions yet.
  public init(_ configuration: HardwareConfiguration) throws(Difference) {
    machine = try KernelMachine(configuration)
    machine.runsFreely = true
  }

  /// Who has the processor.
  public var running: Int32? {
    let processes = machine.kernel.inspectedProcesses
    guard let process = processes.currentProcess, let thread = processes.current else { return nil }
    if firstThreads[process.identifier] == nil {
      firstThreads[process.identifier] = thread.identifier
    }
    return firstThreads[process.identifier] == thread.identifier
      ? process.identifier : thread.identifier
  }

  /// Processes that have not begun to end.
  public var livingCount: Int {
    var count = 0
    machine.kernel.inspectedProcesses.inspectProcesses { if $0.state == .running { count += 1 } }
    return count
  }

  /// Whether the running process has nothing left to do.
  public var isBored: Bool { running.map { queues[$0, default: []].isEmpty } ?? true }

  /// Gives actions to a process.
  public func enqueue(_ actions: [Action], for process: Int32) {
    queues[process, default: []] += actions
  }

  /// Has the running process perform its next action.
  public func act() throws(Difference) {
    guard machine.report == nil, let process = running else { return }
    stepCount += 1
    if machine.register(.rip) == UserSpace.signalTrampoline {
      return try returnFromHandler(process)
    }
    if let call = restartedCall(of: process) { return try makeAgain(call) }
    try checkReturn(process)
    guard let action = queues[process]?.first else { return try machine.tick() }
    switch action {
    case .call(let number, let arguments):
      queues[process]?.removeFirst()
      try enter(process, number, arguments)
    case .load(let address, let byteCount):
      try touch(process, address, .read) { () throws(Difference) in
        .bytes(try machine.hardware.loadNow(address, byteCount: byteCount))
      }
    case .store(let address, let bytes):
      try touch(process, address, .write) { () throws(Difference) in
        try machine.hardware.storeNow(bytes, at: address)
        return .value(0)
      }
    }
    try check()
  }

  /// A timer interrupt: another process gets its turn.
  public func tick() throws(Difference) {
    guard machine.report == nil, machine.current != nil else { return }
    stepCount += 1
    try machine.tick()
    try check()
  }

  /// The oldest transfer completes now.
  public func completeTransfer() throws(Difference) {
    guard machine.report == nil, let due = machine.hardware.nextCompletion else { return }
    stepCount += 1
    machine.hardware.clock.advance(to: due)
    try machine.deliverInterrupts()
    try check()
  }

  /// Reclaims everything that can be.
  public func evict() {
    _ = machine.hardware.system.makeAvailable(machine.hardware.system.managedFrameCount)
  }

  // MARK: Handlers

  /// The handler of a signal has begun, and returns at once. What faulted is not tried again.
  private func returnFromHandler(_ actor: Int32) throws(Difference) {
    handlerCount += 1
    let signal = Signal(rawValue: Int32(truncatingIfNeeded: machine.register(.rdi)))
    if signal == .sigsegv || signal == .sigbus, returning[actor] == nil,
      queues[actor]?.isEmpty == false
    {
      queues[actor]?.removeFirst()
      observations[actor, default: []].append(.error(signal.rawValue))
    }
    let frame = machine.register(.rsp)
    machine.setRegister(.rdi, frame + 16)
    machine.setRegister(.rax, UInt64(SystemCallNumber.sigreturn.rawValue))
    try enterKernel()
    try check()
  }

  /// The call that a thread has to make again, because a signal interrupted it.
  private func restartedCall(of actor: Int32) -> SystemCallNumber? {
    guard let call = returning[actor]?.call, machine.register(.rip) == Program.text,
      machine.register(.rax) == UInt64(call.rawValue)
    else { return nil }
    return call
  }

  private func makeAgain(_ call: SystemCallNumber) throws(Difference) {
    try enterKernel()
    try check()
  }

  private func enterKernel() throws(Difference) {
    machine.enterKernel()
    if machine.kernel.watch(.systemCall) {
      machine.hardware.processor.eventEnded()
    } else {
      try machine.advance()
    }
  }

  private func enter(_ process: Int32, _ call: SystemCallNumber, _ arguments: [UInt64])
    throws(Difference)
  {
    let places: [KernelMachine.Register] = [.rdi, .rsi, .rdx, .r10, .r8, .r9]
    for (index, place) in places.enumerated() {
      machine.setRegister(place, index < arguments.count ? arguments[index] : 0)
    }
    var kept: [(register: KernelMachine.Register, value: UInt64)] = []
    for register in [.rbx, .rbp, .rsp, .r12, .r13, .r14, .r15, .rdi, .rsi]
      as [KernelMachine.Register]
    {
      kept.append((register, machine.register(register)))
    }
    machine.setRegister(.rax, UInt64(call.rawValue))
    returning[process] = Return(kept: kept, call: call, step: stepCount)
    try enterKernel()
  }

  private func checkReturn(_ process: Int32) throws(Difference) {
    guard let state = returning.removeValue(forKey: process) else { return }
    if state.call == .execve && machine.register(.rip) == Program.text {
      return observations[process, default: []].append(.value(0))
    }
    if state.step + 1 < stepCount { parkedCallCount += 1 }
    for (register, value) in state.kept where machine.register(register) != value {
      throw Difference(
        "\(register) of process \(process) changed across call \(state.call.rawValue)")
    }
    if machine.register(.rip) != Program.text + 2 {
      throw Difference("call \(state.call.rawValue) returns elsewhere")
    }
    let value = machine.register(.rax)
    let failed = machine.register(.rflags) & 1 != 0
    observations[process, default: []].append(
      failed ? .error(Int32(truncatingIfNeeded: value)) : .value(value))
  }

  /// Makes an access; when it faults, it is made again at the process' next turn.
  private func touch(
    _ process: Int32, _ address: UInt64, _ access: MemoryAccess,
    _ effect: () throws(Difference) -> Observation
  ) throws(Difference) {
    do throws(PageFault) {
      _ = try machine.hardware.processor.memoryUnit.translate(address, access)
    } catch {
      machine.setRegister(.rip, Program.text)
      let event = ProcessorException(
        vector: 14, errorCode: error.code.rawValue, address: error.address)
      if machine.kernel.watch(.exception(event)) {
        machine.hardware.processor.eventEnded()
      } else {
        try machine.advance()
      }
      return
    }
    observations[process, default: []].append(try effect())
    queues[process]?.removeFirst()
  }

  private func check() throws(Difference) {
    if machine.report != nil { return }
    let problems = machine.problems(withContents: stepCount % 16 == 0)
    if !problems.isEmpty { throw Difference(problems.prefix(5).joined(separator: "; ")) }
  }

  // MARK: One action after the other

  /// Whether the process has neither actions left nor a call under way, or is gone.
  func isThrough(_ process: Int32) -> Bool {
    !isAlive(process) || queues[process, default: []].isEmpty && returning[process] == nil
  }

  private func isAlive(_ actor: Int32) -> Bool {
    guard machine.report == nil, process(of: actor)?.state == .running else { return false }
    guard let thread = firstThreads[actor] ?? (isThread(actor) ? actor : nil) else { return true }
    return machine.kernel.inspectedProcesses.thread(thread) != nil
  }

  private func isThread(_ actor: Int32) -> Bool { actor >= ProcessLimits.firstThreadIdentifier }

  private func process(of actor: Int32) -> Process? {
    let processes = machine.kernel.inspectedProcesses
    guard isThread(actor) else { return processes.process(actor) }
    return processes.thread(actor).flatMap { processes[$0.process] }
  }

  private func isStopped(_ actor: Int32) -> Bool { process(of: actor)?.isStopped ?? false }

  /// Whether somebody sleeps until another does something.
  private func isAsleep(_ actor: Int32) -> Bool {
    let processes = machine.kernel.inspectedProcesses
    guard let thread = processes.thread(isThread(actor) ? actor : firstThreads[actor] ?? 0) else {
      return false
    }
    return processes.scheduler.parkedChannel(thread.slot).map { !$0.comesByItself } ?? false
  }

  /// The other threads of process 1.
  func threads(of identifier: Int32) -> [Int32] {
    let processes = machine.kernel.inspectedProcesses
    guard let process = processes.process(identifier) else { return [] }
    var found: [Int32] = []
    processes.forEachThread(of: process) { found.append($0.identifier) }
    found.removeAll { $0 == firstThreads[identifier] }
    return found.sorted()
  }

  /// Has one of them perform its next action to the end, the others only passing time; false when it has none, is
  /// stopped or gone, or comes to sleep until another does something.
  func performNext(of process: Int32) throws(Difference) -> Bool {
    let count = queues[process, default: []].count
    guard count > 0 else { return false }
    var sleepCount = 0
    for _ in 0..<1000 {
      guard isAlive(process), !isStopped(process) else { return false }
      if running == process {
        if !mustGoOn(process) { try checkReturn(process) }
        if queues[process, default: []].count < count && returning[process] == nil { return true }
        if queues[process, default: []].count == count || mustGoOn(process) {
          try act()
        } else {
          try tick()
        }
      } else {
        // What the kernel does by itself is soon done.
        if isAsleep(process) { sleepCount += 1 }
        if sleepCount > 40 {
          sleeper = process
          return false
        }
        try tick()
      }
      try completeTransfer()
    }
    throw Difference("process \(process) never comes to the end of its action")
  }

  /// Whether who runs is in a handler, or has to make its call again.
  private func mustGoOn(_ actor: Int32) -> Bool {
    machine.register(.rip) == UserSpace.signalTrampoline || restartedCall(of: actor) != nil
  }

  /// What each of these processes saw, and whether it is still there.
  func outcome(of processes: [Int32]) -> [String] {
    processes.map { process in
      let seen = observations[process, default: []].map(\.summary).joined(separator: ", ")
      return "\(process)\(isAlive(process) ? "" : " (gone)"): \(seen)"
    }
  }

  /// Has a thread of process 1 end everything, whatever the others are doing, and checks that nothing is left.
  func finish(by actor: Int32) throws(Difference) {
    queues[actor] = [.call(.exit, [0])]
    for _ in 0..<100 where machine.report == nil { try act() }
    guard let report = machine.report, !report.hasLeaks else {
      throw Difference("something is left at the end")
    }
  }

  /// Ends process 1, whatever the others are doing, and checks that nothing is left.
  public func finish() throws(Difference) {
    if machine.report == nil {
      let problems = machine.shutDown()
      if !problems.isEmpty { throw Difference("at the end: " + problems.joined(separator: "; ")) }
    }
  }
}

extension Observation {
  /// The observation with equal bytes counted instead of repeated.
  fileprivate var summary: String {
    guard case .bytes(let bytes) = self else { return "\(self)" }
    var text = "bytes"
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex { $0 != bytes[start] } ?? bytes.count
      text += end - start == 1 ? " \(bytes[start])" : " \(end - start)×\(bytes[start])"
      start = end
    }
    return text
  }
}

extension Continuation {
  /// The file that a parked call holds.
  var file: OpenFile? {
    switch self {
    case .file(.read(let file, _)), .file(.write(let file, _)), .file(.truncate(let file, _)): file
    case .file(.open(let pending)): pending.inspectedFile
    default: nil
    }
  }
}
