// All processes and threads of one kernel.
//
// Invariants
// - The tables never grow: a process needs a free slot of each, or fork(2) gives EAGAIN.
// - Every process that is not `nil` in `slots` is in the index of identifiers, of groups and of sessions, zombies included,
//   so that no identifier is given out again while something still goes by it.
// - `usedSlots` are those of `slots` that are not `nil`.
// - `current` is the thread whose registers the machine saved last; it is in no list of the scheduler.

public import ABI
public import Files
public import Memory
public import Primitives

/// The caller of the event being handled, as the memory system wants to know it.
final class CurrentCaller: FileCaller {
  var system = BackReference<ProcessSystem>()

  private var process: Process? { system.instance?.currentProcess }

  override var processIdentifier: Int32 { process?.identifier ?? 0 }

  override var credentials: Credentials? { process?.credentials }

  override var isPrivileged: Bool { process?.credentials.isSuperuser ?? true }

  override var pageLimit: UInt64 {
    let limit = byteLimit(.swap)
    return limit == UInt64.max ? limit : limit >> Page.shift
  }

  override var stackByteLimit: UInt64 { byteLimit(.stack) }

  override var pipeByteLimit: UInt64 { byteLimit(.pipeBuffers) }
  override var socketByteLimit: UInt64 { byteLimit(.socketBuffers) }

  override var addressSpaceByteLimit: UInt64 { byteLimit(.addressSpace) }

  private func byteLimit(_ identifier: ResourceLimitIdentifier) -> UInt64 {
    guard let limit = process?.limit(identifier).soft, limit != ResourceLimit.infinity else { return UInt64.max }
    return UInt64(max(0, limit))
  }
}

/// The processes of one kernel.
public final class ProcessSystem: Nameable {
  /// Memory.
  public let memory: MemorySystem
  /// The processor, the clock, fail points.
  public let services: KernelServices
  /// The ready and the parked.
  public let scheduler: Scheduler
  /// Those who sleep on words of their memory.
  var sleepers: UserSleepQueue
  /// The frames of the threads.
  public let records: Pool<ThreadRecord>
  /// The signals that are queued.
  public let signalRecords: Pool<QueuedSignal>
  /// What processes have asked for when signals come.
  let actionRecords: Pool<SignalActionRecord>
  /// Signals that lost what was known of them because the queue was full (`kern.sigqueue.overflow`).
  public internal(set) var signalOverflowCount = 0
  /// The same, because there was no memory for it (`kern.sigqueue.alloc_fail`).
  public internal(set) var signalFailureCount = 0
  /// The most signals in the queues of one process (`kern.sigqueue.max_pending_per_proc`).
  public var maximumQueuedSignals = ProcessLimits.maximumQueuedSignals
  /// Whether signals that are ignored are forgotten at once, not when a thread would act on them (`kern.sig_discard_ign`).
  public var discardsIgnoredSignals = true
  /// Whether who has waited for a child is not told of its end by a signal any more (`kern.wait_dequeue_sigchld`).
  public var waitTakesNotice = true
  /// Who watches processes (kqueue(2)).
  public var watchers = BackReference<EventWatchers>()
  /// The floating point registers.
  public let floatingPoint: any FloatingPointUnit
  /// Bytes of its state behind the first 512.
  public let extendedStateByteCount: Int
  /// How many processes there may be.
  public let maximumProcessCount: Int
  /// Processes, zombies included.
  public internal(set) var processCount = 0
  /// Processes that were ever made.
  var processNumber: UInt64 = 0
  /// Children that are being made and have their place kept.
  public internal(set) var pendingForkCount = 0

  /// The processor.
  public var processor = ProcessorState()
  /// How many threads wanted it.
  public internal(set) var load = LoadAverage()
  /// What has happened.
  public internal(set) var counters = ProcessCounters()
  /// Set once process 1 is ending: nothing is created any more and nothing waits to be asked for its status.
  public internal(set) var isEnding = false
  /// How process 1 ended, once it has.
  public internal(set) var initialStatus: WaitStatus?

  /// Processes that are giving back what they own.
  var endingCount = 0
  var slots: [Process?]
  /// Where there are processes.
  private(set) var usedSlots: SlotSet
  var threads: ThreadTable
  /// Threads beyond one of each process.
  var extraThreadCount = 0
  var nextFreeSlots: [UInt32]
  var firstFreeSlot: UInt32
  var identifiers: SlotIndex
  var groups: SlotIndex
  var sessions: SlotIndex
  /// The identifier that was given out last.
  public internal(set) var lastIdentifier: Int32 = 0

  private let caller = CurrentCaller()
  /// Who signals the owners of files.
  public var ownerSignals: OwnerSignals { processOwnerSignals }
  private let processOwnerSignals = ProcessOwnerSignals()

  /// Makes an empty system; every table is allocated here.
  public init(
    memory: MemorySystem, floatingPoint: any FloatingPointUnit, maximumProcessCount: Int,
    turnNanoseconds: UInt64 = ProcessLimits.turnNanoseconds
  ) {
    self.memory = memory
    services = memory.services
    self.floatingPoint = floatingPoint
    extendedStateByteCount = floatingPoint.extendedByteCount
    self.maximumProcessCount = maximumProcessCount
    threads = ThreadTable(
      processCapacity: maximumProcessCount,
      extraCapacity: ProcessLimits.extraThreadCount(forProcesses: maximumProcessCount))
    scheduler = Scheduler(
      slotCount: threads.capacity, processSlotCount: maximumProcessCount, turnNanoseconds: turnNanoseconds)
    sleepers = UserSleepQueue(slotCount: threads.capacity)
    records = Pool(memory.physical, .threadRecord, alignment: 64)
    signalRecords = Pool(memory.physical, .signalRecord)
    actionRecords = Pool(memory.physical, .signalActions)
    slots = Array(repeating: nil, count: maximumProcessCount)
    usedSlots = SlotSet(slotCount: maximumProcessCount)
    nextFreeSlots = Array(repeating: 0, count: maximumProcessCount)
    for index in 0..<maximumProcessCount { nextFreeSlots[index] = UInt32(index + 1) }
    firstFreeSlot = 0
    identifiers = SlotIndex(slotCount: maximumProcessCount)
    groups = SlotIndex(slotCount: maximumProcessCount)
    sessions = SlotIndex(slotCount: maximumProcessCount)
    #if !hasFeature(Embedded)
      super.init()
    #endif
    services.waker = BackReference(scheduler)
    scheduler.system = BackReference(self)
    caller.system = BackReference(self)
    services.caller = BackReference(caller)
    processOwnerSignals.system = BackReference(self)
  }

  /// The thread whose event is being handled.
  public var current: Thread? { processor.thread.instance }
  /// The process of `current`.
  public var currentProcess: Process? { processor.process.instance }

  /// Gives the processor to a thread of a process.
  @inline(__always)
  func setCurrent(_ thread: Thread, of process: Process) {
    processor.thread = BackReference(thread)
    processor.process = BackReference(process)
    memory.setCaller(isPrivileged: process.credentials.isSuperuser, user: process.credentials.user)
  }

  /// Nobody has the processor.
  func forgetCurrent() {
    processor.thread = BackReference()
    processor.process = BackReference()
    memory.setCaller(isPrivileged: true, user: 0)
  }

  /// The process in a slot, if there is one.
  public subscript(slot: ProcessSlot) -> Process? {
    slot == .none ? nil : slots[Int(slot.raw)]
  }

  /// The process with this identifier, zombies included.
  public func process(_ identifier: Int32) -> Process? {
    guard let slot = identifiers.first(identifier) else { return nil }
    return slots[Int(slot)]
  }

  /// The process that is not a zombie with this identifier.
  public func livingProcess(_ identifier: Int32) -> Process? {
    guard let process = process(identifier), process.state != .zombie else { return nil }
    return process
  }

  /// A process of a group, if there is one.
  public func firstProcess(ofGroup identifier: Int32) -> Process? {
    groups.first(identifier).flatMap { slots[Int($0)] }
  }

  /// Whether a process group exists.
  public func groupExists(_ identifier: Int32) -> Bool { groups.first(identifier) != nil }

  /// Whether every thread that could run only tries again what a fail point refuses for ever, as it has since those who wait
  /// for frames were woken so often; and at least one does.
  public func onlyFaultsRun(since wakeCount: UInt64) -> Bool {
    guard scheduler.frameWakeCount > wakeCount else { return false }
    for raw in 0..<UInt32(threads.capacity) {
      let slot = ThreadSlot(raw)
      guard let thread = threads[slot], let process = self[thread.process] else { continue }
      if scheduler.hasWaitedForFrames(slot, since: wakeCount) {
        if !services.failures.stopFaultsForEver(of: process.identifier) { return false }
      } else if current === thread || scheduler.isReady(slot) {
        return false
      }
    }
    return true
  }

  // MARK: Making and forgetting

  /// An identifier that no process, group or session goes by. FreeBSD's order: ascending, after the highest from 100 on.
  func takeIdentifier() -> Int32 {
    var candidate = lastIdentifier
    repeat {
      candidate += 1
      if candidate > InterfaceLimits.maximumProcessIdentifier { candidate = 100 }
    } while identifiers.first(candidate) != nil || groups.first(candidate) != nil || sessions.first(candidate) != nil
    lastIdentifier = candidate
    return candidate
  }

  /// Enters a process in the tables; its slot must be the first free one.
  func enter(_ process: Process) {
    let slot = process.slot.raw
    precondition(slot == firstFreeSlot)
    process.number = processNumber
    process.startNanoseconds = services.nanoseconds
    processNumber += 1
    firstFreeSlot = nextFreeSlots[Int(slot)]
    slots[Int(slot)] = process
    usedSlots.insert(Int(slot))
    identifiers.insert(slot, key: process.identifier)
    groups.insert(slot, key: process.groupIdentifier)
    sessions.insert(slot, key: process.sessionIdentifier)
    process.credentials.account.processCount += 1
    processCount += 1
  }

  /// Takes a process out of the tables.
  func forget(_ process: Process) {
    let slot = process.slot.raw
    identifiers.remove(slot)
    groups.remove(slot)
    sessions.remove(slot)
    slots[Int(slot)] = nil
    usedSlots.remove(Int(slot))
    nextFreeSlots[Int(slot)] = firstFreeSlot
    firstFreeSlot = slot
    process.credentials.account.processCount -= 1
    processCount -= 1
  }

  // MARK: Family

  func adopt(_ child: Process, by parent: Process) {
    child.parent = parent.slot
    link(child, to: parent)
  }

  private func link(_ child: Process, to parent: Process) {
    let head = child.state == .zombie ? parent.firstZombie : parent.firstChild
    child.nextSibling = head
    child.previousSibling = .none
    self[head]?.previousSibling = child.slot
    if child.state == .zombie { parent.firstZombie = child.slot } else { parent.firstChild = child.slot }
  }

  func unlink(_ child: Process, from parent: Process) {
    self[child.nextSibling]?.previousSibling = child.previousSibling
    if let previous = self[child.previousSibling] {
      previous.nextSibling = child.nextSibling
    } else if child.state == .zombie {
      parent.firstZombie = child.nextSibling
    } else {
      parent.firstChild = child.nextSibling
    }
    child.nextSibling = .none
    child.previousSibling = .none
  }

  /// Moves a child of `parent` from the living to the dead.
  func markZombie(_ child: Process, of parent: Process?) {
    if let parent { unlink(child, from: parent) }
    child.state = .zombie
    if let parent { link(child, to: parent) }
  }

  // MARK: Groups and sessions

  func setGroup(_ process: Process, _ identifier: Int32) {
    groups.remove(process.slot.raw)
    process.groupIdentifier = identifier
    groups.insert(process.slot.raw, key: identifier)
  }

  func setSession(_ process: Process, _ identifier: Int32) {
    sessions.remove(process.slot.raw)
    process.sessionIdentifier = identifier
    sessions.insert(process.slot.raw, key: identifier)
  }

  // MARK: Parking

  /// Lets go of the frame that was kept for the thread's turn.
  public func releaseAwaitedFrame(_ thread: Thread) {
    guard thread.awaitedFrame != .none else { return }
    memory.endWait(thread.awaitedFrame)
    thread.awaitedFrame = .none
  }

  /// Lets go of the frame that was kept for the thread's turn, if it has had that.
  @inline(__always)
  public func releaseAwaitedFrameAfterTurn(_ thread: Thread) {
    if thread.hasRun { releaseAwaitedFrame(thread) }
  }

  /// Whether a thread is to stop or to end now that its call has come to where it can wait: what it began is done.
  private func isToLeave(_ thread: Thread, _ process: Process) -> Bool {
    if thread.isEnding { return !outlastsKill(thread, process) }
    return process.isStopped && !thread.continuation.outlastsStop
  }

  /// Parks a thread that is in no list. A page that is kept for it is so until it has had its turn.
  public func park(_ thread: Thread, on wait: Wait, deadlineNanoseconds: UInt64? = nil) {
    releaseAwaitedFrame(thread)
    var channel = wait.channel
    var deadlineNanoseconds = deadlineNanoseconds
    if channel == .frames {
      if memory.hasUserOverLimit {
        channel = .kernelMemory
        deadlineNanoseconds = nextLimitLook
      } else if self[thread.process]?.credentials.isSuperuser ?? false {
        channel = .privilegedFrames
      }
    }
    if wait.keptFrame != .none {
      memory.beginWait(wait.keptFrame)
      thread.awaitedFrame = wait.keptFrame
      thread.hasRun = false
    }
    if thread === current {
      let actsFirst = processor.process.borrow { process in
        // It looks at the signal before anything else.
        (thread.hasOwnWake || hasDueSignal(thread, process)) && isKeptAwake(thread, process, by: channel)
          || !channel.comesByItself && isToLeave(thread, process)
      }
      if actsFirst {
        processor.needsAttention = true
        return
      }
      countSwitch(of: thread, isVoluntary: true)
      leaveTurn(thread)
    }
    scheduler.park(thread.slot, on: channel, deadlineNanoseconds: deadlineNanoseconds)
  }

  /// When a thread that may have no more kernel memory tries again, in nanoseconds since boot: all of them together take a
  /// small part of the processor for that, however many they are. Woken as soon as frames are free, each would use up its
  /// turns with trying, before everybody who did not wait: before those, too, whose end would help.
  private var nextLimitLook: UInt64 {
    let others = UInt64(scheduler.limitWaiterCount)
    return scheduler.now
      &+ max(ProcessLimits.limitWaitNanoseconds, others &* ProcessLimits.limitWaitNanosecondsPerWaiter)
  }

  /// Frames that hold the records of threads, signals and actions.
  public var recordFrameCount: Int { records.frameCount + signalRecords.frameCount + actionRecords.frameCount }
}
