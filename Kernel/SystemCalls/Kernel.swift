// The root of the portable kernel: a deterministic machine that answers events. The machine calls exactly one event method,
// with interrupts off, and then `next()`; nothing here blocks or switches stacks.
//
// Invariants
// - `processes.current` is the thread whose registers are in its context and whose event is being handled, or nil when
//   nobody ran (idling).
// - An event leaves the current thread in one of these: current (it goes on), ready, parked, suspended, or gone.

import ABI
import Files
import Memory
import Primitives
public import Processes

/// The kernel.
public final class Kernel {
  let memory: MemorySystem
  let services: KernelServices
  let processes: ProcessSystem
  let files: FileServices
  let table = SystemCallTable()
  let controls = SystemControlTable()
  let modules: [BootModule]
  let isQuiet: Bool
  /// The environment of process 1.
  let environment: [[UInt8]]
  /// Whole frames of the machine's memory (`hw.physmem`).
  let physicalFrameCount: Int
  var unknownCallsRaiseSignal: Bool
  /// When the timer is to interrupt the thread that `next()` has said runs, at the latest, in nanoseconds since boot: its turn
  /// ends, somebody who sleeps is due, or whoever woke goes first.
  public internal(set) var nextLookNanoseconds: UInt64 = 0
  /// `kern.logsigexit`: whether it is said what ended a process that something went wrong with.
  var saysWhatDied = true
  /// Whether a mapping never allows more than what was asked for when it was made, if the program did not say what it may allow
  /// (vm.imply_prot_max).
  var impliesMaximumProtection = false
  /// Looks for fail points that let nobody get on.
  var standstill = Standstill()
  /// When `keepHouse` last ran, in nanoseconds since boot.
  var houseKeptNanoseconds: UInt64 = 0
  /// When memory is reclaimed next.
  var room = Room()
  /// What is going on about memory that has run out.
  var shortage = Shortage()
  /// Frames that calls which can refuse leave to those that can not.
  let frameHeadroom: Int
  /// How many map entries, translations, pages and descriptors a call handles before others have a turn.
  let unitsPerTurn: Int
  /// What existed before process 1.
  var baseline = ResourceCount()
  /// Frames of the machine, those of the heap left out, before process 1.
  var baselineKernelFrameCount = 0
  /// What is known of this start, for the random numbers.
  let seedMaterial: [UInt64]
  /// Watches events, if that was asked for (Kernel+Watching.swift).
  public internal(set) var monitor: EventMonitor?
  /// Shows what programs call, if that was asked for.
  var tracer: CallTracer?
  /// Whether the machine is to call the watched entries.
  public var isWatched: Bool { monitor != nil || tracer != nil }
  /// Whether an inspection or the monitor found something wrong.
  public internal(set) var hasViolation = false
  /// What has happened.
  var counters = KernelCounters()
  /// What reboot(2) decided, if it was called.
  var hasHalted = false

  /// Builds the kernel at boot; arrays of fixed size are allocated here and nowhere else.
  public init(_ configuration: consuming KernelConfiguration) {
    memory = configuration.memory
    services = configuration.memory.services
    modules = configuration.modules
    environment = configuration.environment
    isQuiet = configuration.isQuiet
    seedMaterial = configuration.seedMaterial
    services.isQuiet = isQuiet
    frameHeadroom = min(
      SystemCallLimits.frameHeadroom,
      configuration.memory.managedFrameCount / SystemCallLimits.framesPerHeadroomFrame)
    unitsPerTurn = configuration.unitsPerTurn
    physicalFrameCount = configuration.physicalFrameCount ?? configuration.memory.managedFrameCount
    unknownCallsRaiseSignal = configuration.unknownCallsRaiseSignal
    files = FileServices(configuration.memory, consoleOutputByteCount: configuration.consoleOutputByteCount)
    files.console.inputIsFramed = configuration.inputIsFramed
    files.limitSteps(toPageCount: configuration.unitsPerTurn)
    processes = ProcessSystem(
      memory: configuration.memory, floatingPoint: configuration.floatingPoint,
      maximumProcessCount: configuration.maximumProcessCount
        ?? ProcessLimits.processCount(forFrames: configuration.memory.managedFrameCount),
      turnNanoseconds: configuration.turnNanoseconds)
    processes.watchers = BackReference(files.watchers)
    files.ownerSignals = BackReference(processes.ownerSignals)
    processes.scheduler.watchers = BackReference(files.watchers)
    for module in modules { addToFiles(module) }
  }

  /// Where the thread that `next()` has said runs lies, and its process: what entry code hands to `systemCall`.
  public var current: (thread: UInt, process: UInt) {
    (processes.processor.thread.rawAddress, processes.processor.process.rawAddress)
  }

  // MARK: Events

  // Not inlined: as parameters both are borrowed all the way down, without counting a reference.
  /// A system call of the current thread, whose registers are in its context; `process` is its process. Entry code hands both
  /// along, from `current`, and calls this by its symbol.
  ///
  /// True: the same thread goes on at once with the registers in its context (the fast way; fs and gs bases unchanged).
  /// False: call `next()`.
  @inline(never)
  @_silgen_name("kernel_system_call")
  public func systemCall(_ thread: Thread, _ process: Process) -> Bool {
    thread.hasRun = true
    counters.calls &+= 1
    thread.takeArgumentsFromRegisters()
    let number = thread.context.rax
    guard number < UInt64(SystemCallTable.count) else { return begin(table.unknown, thread, process) }
    guard table[Int(truncatingIfNeeded: number)].preparation.isEmpty else {
      return begin(table[Int(truncatingIfNeeded: number)], thread, process)
    }
    return run(table[Int(truncatingIfNeeded: number)].declaration, thread, process)
  }

  /// An exception of the current thread. Returns what `systemCall()` returns.
  @discardableResult
  public func exception(_ event: ProcessorException) -> Bool {
    processes.processor.thread.borrow { thread in
      processes.processor.process.borrow { process in exception(event, thread, process) }
    }
  }

  @inline(__always)
  private func exception(_ event: ProcessorException, _ thread: Thread, _ process: Process) -> Bool {
    thread.hasRun = true
    counters.exceptions &+= 1
    if event.vector == ExceptionVector.pageFault {
      return pageFault(event, thread, process)
    }
    raise(event.information(at: thread.context.rip), event, thread, process)
    return false
  }

  /// What is due now and then, whether ticks come or not: a thread whose every turn ends in a fault leaves the timer no time
  /// to interrupt.
  func keepHouse(now: UInt64) {
    houseKeptNanoseconds = now
    endStarvation(now: now)
    guardReserve()
    if services.failures.isArmed { endStandstill(now: now) }
    services.heap?.giveBackExcess()
  }

  /// The timer interrupt: wakes who is due, and ends the current thread's turn if it is used up.
  func timerTick() {
    counters.interrupts &+= 1
    let now = processes.lookAtClock()
    keepHouse(now: now)
    processes.noteTeardown()
    if memory.hasTeardown { workOffTeardown() }
    processes.endUsedTurn()
  }
}

/// Counts of events (`vm.stats`).
struct KernelCounters: BitwiseCopyable {
  var calls = 0
  var exceptions = 0
  var interrupts = 0
  /// Page faults that waited for a page.
  var majorFaults = 0
}
