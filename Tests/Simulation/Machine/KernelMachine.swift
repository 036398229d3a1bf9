// A whole machine: the kernel on simulated hardware, and scripted processes in ring 3.
//
// The machine keeps to the kernel's contract: exactly one event, then `next()`. The thread that `next()` chooses is the one
// that runs; a step of another process waits until the kernel gives that one the processor, and whoever has it meanwhile
// only burns its time. Registers that a call must preserve are checked at every return.

import ABI
import Files
import Memory
import Primitives
import Processes
public import SystemCalls

/// A simulated machine with a kernel.
public final class KernelMachine: SimulatedSystem {
  /// The hardware.
  public let hardware: SimulatedHardware
  /// The kernel.
  public let kernel: Kernel
  /// What the last operation left in the buffers that the kernel filled.
  public internal(set) var outputs: [CallOutput] = []
  /// What the driver stored in the program's memory for the last operation.
  public internal(set) var inputs: [(address: UInt64, bytes: [UInt8])] = []
  /// How the run ended, once it has.
  public private(set) var report: ExitReport?
  /// Whether what was to fail in the last step did.
  public internal(set) var failureHappened = false
  /// Kernel events so far.
  public private(set) var eventCount = 0

  /// The context of the thread that has the processor; nil: not known yet, ask `next()`.
  var current: UInt64?
  /// Which thread of the script (`Actor`) a context belongs to, and the kernel's number of each.
  var contexts: [UInt64: Int] = [:]
  var threadIdentifiers: [Int: Int32] = [:]
  /// The kernel's number of each process of the script.
  var identifiers: [Int: Int32] = [0: 1]
  /// The number that the script gives to the child, or the thread, that is being made.
  var childBeingMade: Int?
  /// The calls that threads of the script are in, and those that returned and were not asked for yet.
  var pendingCalls: [Int: PendingCall] = [:]
  var returnedCalls: [Int: Observation] = [:]
  /// The second results of calls that have one.
  var secondResults: [Int: UInt64] = [:]
  /// What blocked threads are doing.
  var blockedOperations: [Int: Operation] = [:]
  /// Who came to ring 3 during the step, and which of them have frames that were not read yet.
  var arrivals: [Arrival] = []
  var unreadFrames: [Int] = []
  /// Whether everybody acts on what is due, at the end of a step.
  var isSettling = false
  /// The stack pointer of every thread, and registers that nothing changes between its calls.
  var stackPointers: [Int: UInt64] = [:]
  var knownRegisters: [Int: [(Register, UInt64)]] = [:]
  /// Calls that are to be made again when the handler whose frame lies there has returned, and now.
  var interruptedCalls: [Int: [UInt64: PendingCall]] = [:]
  var callsToMakeAgain: Set<Int> = []
  /// What those calls are.
  var resumedOperations: [Int: Operation] = [:]
  /// Threads whose access has been answered with a handler.
  var faultedActors: Set<Int> = []
  /// Through which call the next one goes, if not directly, and which of its pointers point elsewhere.
  var indirection: SystemCallNumber?
  var places: [CallPointer: UInt64] = [:]
  var noise = SeededGenerator(seed: 0)
  /// What the thread that is being made finds in its registers; nil: a child is being made.
  var threadStart: ThreadStart?
  /// Whether processes act whenever the kernel lets them, so that a thread may turn up unannounced.
  var runsFreely = false

  /// Boots a machine with the scripted program as process 1.
  public init(_ configuration: HardwareConfiguration, programs: [String: [UInt8]] = ["notes": Program.notes])
    throws(Difference)
  {
    let names = programs.keys.sorted()
    hardware = SimulatedHardware(configuration, modules: [Program.image] + names.map { programs[$0] ?? [] })
    let modules = zip(["script"] + names, hardware.modules).map { name, place in
      BootModule(commandLine: Array(name.utf8), start: place.start, byteCount: UInt64(place.byteCount))
    }
    var setup = KernelConfiguration(memory: hardware.system, floatingPoint: hardware.floatingPoint, modules: modules)
    setup.maximumProcessCount = 24
    if let units = configuration.unitsPerTurn { setup.unitsPerTurn = units }
    if configuration.consoleIsSlow { setup.consoleOutputByteCount = 600 }
    setup.turnNanoseconds = configuration.turnNanoseconds
    kernel = Kernel(setup)
    do throws(Errno) { try kernel.start(Array("/bin/script".utf8)) } catch {
      throw Difference("the first process cannot be started: error \(error.rawValue)")
    }
    kernel.startMonitoring()
    try advance()
    guard let current else { throw Difference("the first process does not run") }
    contexts[current] = 0
    threadIdentifiers[0] = kernel.inspectedProcesses.current?.identifier
    stackPointers[0] = register(.rsp)
    for offset in [0, 8, 16, 32, 40] as [UInt64] where offset != 40 {
      if hardware.memory.word(at: current + offset) != 0 { throw Difference("a register is not zero at start") }
    }
    if register(.rip) != Program.text { throw Difference("the first process starts at the wrong place") }
    // What the kernel says from now on is unexpected.
    _ = hardware.processor.takeConsoleOutput()
  }

  // MARK: Events

  /// Asks the kernel what to do until a thread runs or everything is over; waits when nothing can run.
  func advance() throws(Difference) {
    for _ in 0..<10_000 {
      eventCount += 1
      let next = kernel.watchNext()
      hardware.processor.eventEnded()
      switch next {
      case .run(let context):
        try meet(context.raw)
        return
      case .finished(let report):
        self.report = report
        current = nil
        return
      case .idle(let deadline):
        current = nil
        try idle(deadline)
      case .again:
        current = nil
        if hardware.deliverTransfers() { _ = kernel.handle(.deviceInterrupt) }
        answerConsole()
      }
    }
    throw Difference(
      "the machine never comes to run a program; \(hardware.system.freeFrameCount) frames are free, "
        + "\(hardware.system.inspectedFreeSwapBlockCount) swap blocks")
  }

  /// A context got the processor: known, or that of a child just made.
  private func meet(_ context: UInt64) throws(Difference) {
    current = context
    let actor = contexts[context]
    if runsFreely {
      if let actor { try capture(actor) { register($0) } }
      return
    }
    let identifier = kernel.inspectedProcesses.current?.identifier
    if let actor, threadIdentifiers[actor] == identifier { return try arrive(actor) }
    if contexts.isEmpty { return }
    guard let child = childBeingMade else { throw Difference("a thread runs that nobody made") }
    contexts[context] = child
    threadIdentifiers[child] = identifier
    childBeingMade = nil
    if let start = threadStart {
      threadStart = nil
      try start.check(knownRegisters[start.maker] ?? []) { register($0) }
    } else if register(.rax) != 0 || register(.rdx) != 1 || register(.rflags) & 1 != 0 {
      throw Difference("a child starts with the wrong result of fork")
    }
    stackPointers[child] = register(.rsp)
  }

  private func idle(_ deadline: UInt64?) throws(Difference) {
    if answerConsole() { return }
    if deadline == nil && hardware.nextCompletion == nil {
      readConsole()
      if answerConsole() { return }
    }
    let completion = hardware.nextCompletion
    guard let instant = [deadline, completion].compactMap({ $0 }).min() else {
      throw Difference("nothing can run and nothing is under way: a wake-up was forgotten")
    }
    hardware.clock.advance(to: instant)
    if hardware.deliverTransfers() { kernel.watch(.deviceInterrupt) } else { kernel.watch(.timerTick) }
  }

  /// Somebody slow reads some more of the console.
  private func readConsole() {
    let console = hardware.processor.console
    if console.isSlow { console.addRoom(1 + noise.number(below: 48)) }
  }

  /// Answers the interrupts of the console's device; whether there was one.
  @discardableResult
  private func answerConsole() -> Bool {
    var hasInterrupted = false
    while hardware.processor.console.takeInterrupt() {
      hasInterrupted = true
      kernel.watch(.consoleInterrupt)
    }
    return hasInterrupted
  }

  /// A timer interrupt while a program runs.
  func tick() throws(Difference) {
    hardware.clock.advance(by: 1_000_000)
    kernel.watch(.timerTick)
    try advance()
  }

  /// Device interrupts that are due.
  func deliverInterrupts() throws(Difference) {
    readConsole()
    let hasTransferred = hardware.deliverTransfers()
    if hasTransferred { kernel.watch(.deviceInterrupt) }
    if answerConsole() || hasTransferred { try advance() }
  }

  // MARK: Turns

  /// Lets the machine go on until the process has the processor; false when it is gone.
  func schedule(_ number: Int) throws(Difference) -> Bool {
    for _ in 0..<5000 {
      guard report == nil, isAlive(number) else {
        forget(number)
        return false
      }
      guard let current else { throw Difference("no thread runs") }
      if contexts[current] == number { return true }
      try burnTime()
    }
    throw Difference("process \(number) never gets the processor: a wake-up was forgotten")
  }

  /// The process that has the processor does nothing of importance.
  func burnTime() throws(Difference) {
    hardware.clock.advance(by: UInt64(10_000 + noise.number(below: 200_000)))
    try deliverInterrupts()
    if report != nil { return }
    if let current, let actor = contexts[current], callsToMakeAgain.remove(actor) != nil {
      return try enterForCall(actor)
    }
    if noise.chance(oneIn: 3) {
      hardware.processor.memoryUnit.speculate()
      try tick()
    } else {
      setRegister(.rax, UInt64(SystemCallNumber.schedYield.rawValue))
      enterKernel()
      if !kernel.watch(.systemCall) { try advance() }
    }
  }

  /// Whether the kernel still knows the thread, and its process as one that can run.
  func isAlive(_ actor: Int) -> Bool {
    guard let identifier = identifiers[Actor.process(actor)] else { return childBeingMade == actor }
    let processes = kernel.inspectedProcesses
    guard let process = processes.process(identifier), process.state == .running else { return false }
    guard let thread = threadIdentifiers[actor] else { return childBeingMade == actor }
    return processes.thread(thread)?.process == process.slot
  }

  /// Waits until a thread that ends is gone, and its process has given back everything if that ends.
  func settle(_ actor: Int) throws(Difference) {
    guard let identifier = identifiers[Actor.process(actor)] else { return }
    for _ in 0..<5000 {
      if report != nil { break }
      guard let process = kernel.inspectedProcesses.process(identifier), process.state != .zombie else { break }
      if process.state == .running && !isAlive(actor) { break }
      if current.map({ contexts[$0] == actor }) == true {
        // A signal acts when the thread is about to return to ring 3, at the latest after its next event.
        try tick()
      } else {
        try burnTime()
      }
    }
    forget(actor)
  }

  /// Whether the thread cannot go on before another does something.
  func isBlocked(_ actor: Int) -> Bool {
    let processes = kernel.inspectedProcesses
    guard let identifier = threadIdentifiers[actor], let thread = processes.thread(identifier),
      let process = processes[thread.process]
    else { return false }
    if process.isStopped { return true }
    guard let channel = processes.scheduler.parkedChannel(thread.slot), thread.signals.sleepEnd == .none else {
      return false
    }
    if channel.comesByItself || channel.isTurn { return false }
    if channel.isForChildren || channel == .consoleInput || channel.isForPipe { return true }
    return switch thread.continuation {
    case .process(.suspend), .process(.awaitSignal(nil)), .process(.suspension(UInt64.max)): true
    case .file(.poll): thread.frame.value.polling.deadline == .max
    case .process(.userSleep(.asleep)): thread.frame.value.userSleep.deadline == nil
    default: false
    }
  }

  func forget(_ actor: Int) {
    contexts = contexts.filter { $0.value != actor }
    threadIdentifiers[actor] = nil
    pendingCalls[actor] = nil
    returnedCalls[actor] = nil
    blockedOperations[actor] = nil
    stackPointers[actor] = nil
    knownRegisters[actor] = nil
    interruptedCalls[actor] = nil
    callsToMakeAgain.remove(actor)
  }

  // MARK: Registers

  /// Places in a thread context that the driver uses.
  enum Register: UInt64 {
    case rax = 0, rbx = 8, rcx = 16, rdx = 24, rsi = 32, rdi = 40, rbp = 48, rsp = 56
    case r8 = 64, r9 = 72, r10 = 80, r11 = 88, r12 = 96, r13 = 104, r14 = 112, r15 = 120, rip = 128, rflags = 136
  }

  func register(_ register: Register) -> UInt64 {
    guard let current else { return 0 }
    return hardware.memory.word(at: current + register.rawValue)
  }

  func setRegister(_ register: Register, _ value: UInt64) {
    guard let current else { return }
    hardware.memory.setWord(value, at: current + register.rawValue)
  }

  /// What the `syscall` instruction and the entry code do to the registers.
  func enterKernel() {
    eventCount += 1
    setRegister(.rip, Program.text + 2)
    setRegister(.rflags, 0x202 | (noise.chance(oneIn: 2) ? 1 : 0))
    setRegister(.rcx, Program.text + 2)
    setRegister(.r11, register(.rflags))
  }
}
