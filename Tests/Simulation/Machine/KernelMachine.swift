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
  /// Which process of the script a context belongs to.
  var contexts: [UInt64: Int] = [:]
  /// The kernel's number of each process of the script.
  var identifiers: [Int: Int32] = [0: 1]
  /// The number that the script gives to the child that is being made.
  var childBeingMade: Int?
  /// The calls that processes of the script are in, and those that returned and were not asked for yet.
  var pendingCalls: [Int: PendingCall] = [:]
  var returnedCalls: [Int: Observation] = [:]
  /// The second results of calls that have one.
  var secondResults: [Int: UInt64] = [:]
  /// What blocked processes are doing.
  var blockedOperations: [Int: Operation] = [:]
  /// Through which call the next one goes, if not directly, and which of its pointers point elsewhere.
  var indirection: SystemCallNumber?
  var places: [CallPointer: UInt64] = [:]
  var noise = SeededGenerator(seed: 0)
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
    if let number = contexts[context] {
      try capture(number)
      return
    }
    if contexts.isEmpty { return }
    if runsFreely { return }
    guard let child = childBeingMade else { throw Difference("a thread runs that nobody made") }
    contexts[context] = child
    childBeingMade = nil
    if register(.rax) != 0 || register(.rdx) != 1 || register(.rflags) & 1 != 0 {
      throw Difference("a child starts with the wrong result of fork")
    }
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
    if noise.chance(oneIn: 3) {
      hardware.processor.memoryUnit.speculate()
      try tick()
    } else {
      setRegister(.rax, UInt64(SystemCallNumber.schedYield.rawValue))
      enterKernel()
      if !kernel.watch(.systemCall) { try advance() }
    }
  }

  /// Whether the kernel still knows the process as one that can run.
  func isAlive(_ number: Int) -> Bool {
    guard let identifier = identifiers[number] else { return childBeingMade == number }
    guard let process = kernel.inspectedProcesses.process(identifier) else { return false }
    return process.state == .running
  }

  /// Waits until a process that is ending has given back everything.
  func settle(_ number: Int) throws(Difference) {
    guard let identifier = identifiers[number] else { return }
    for _ in 0..<5000 {
      if report != nil { break }
      guard let process = kernel.inspectedProcesses.process(identifier), process.state != .zombie else { break }
      if contexts.first(where: { $0.value == number })?.key == current {
        // A signal acts when the thread is about to return to ring 3, at the latest after its next event.
        try tick()
      } else {
        try burnTime()
      }
    }
    forget(number)
  }

  /// Waits for every process that a signal is about to end, or has ended already.
  func settleDoomed() throws(Difference) {
    for number in Set(contexts.values).sorted() where isDoomed(number) { try settle(number) }
  }

  private func isDoomed(_ number: Int) -> Bool {
    guard let identifier = identifiers[number], let process = kernel.inspectedProcesses.process(identifier) else {
      return true
    }
    switch process.state {
    case .zombie, .exiting: return true
    case .running:
      let processes = kernel.inspectedProcesses
      guard let thread = processes.firstThread(of: process), let signal = processes.fatalSignal(thread, process) else {
        return false
      }
      return signal == .sigkill || !process.isStopped
    }
  }

  /// Whether the process cannot go on before another does something.
  func isBlocked(_ number: Int) -> Bool {
    guard let identifier = identifiers[number], let process = kernel.inspectedProcesses.process(identifier),
      let thread = kernel.inspectedProcesses.firstThread(of: process)
    else { return false }
    if process.isStopped { return true }
    let scheduler = kernel.inspectedProcesses.scheduler
    return scheduler.isParked(thread.slot, on: .child(ofSlot: process.slot.raw))
      || scheduler.isParked(thread.slot, on: .consoleInput)
      || scheduler.parkedChannel(thread.slot)?.isForPipe ?? false
  }

  func forget(_ number: Int) {
    contexts = contexts.filter { $0.value != number }
    pendingCalls[number] = nil
    returnedCalls[number] = nil
    blockedOperations[number] = nil
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
