// Checks every invariant of this module against the real state, as a part of the inspection of the whole kernel. Nothing
// here allocates, and nothing changes but marks.

public import Files
public import Memory
import Primitives

extension ProcessSystem {
  /// Every process, zombies included.
  public func inspectProcesses(_ body: (Process) -> Void) {
    for slot in slots { if let process = slot { body(process) } }
  }

  /// Visits all that processes and threads own. Returns the frames that they take for staged arguments, and the threads
  /// for which frames are kept.
  public func inspect(
    _ memory: inout MemoryInspector, _ files: inout FileInspector
  ) -> (frameCount: Int, waiterCount: Int) {
    var counts = ProcessCounts()
    for index in slots.indices {
      memory.require(usedSlots.contains(index) == (slots[index] != nil), "places of processes", UInt64(index))
      guard let process = slots[index] else { continue }
      counts.processes += 1
      memory.require(Int(process.slot.raw) == index, "process in the wrong slot", UInt64(index))
      inspect(process, &memory, &files, &counts)
    }
    memory.require(counts.processes == processCount, "count of processes", UInt64(counts.processes))
    memory.require(counts.ending == endingCount, "count of processes that are ending", UInt64(counts.ending))
    memory.require(counts.forks == pendingForkCount, "count of forks under way", UInt64(counts.forks))
    memory.require(counts.threads == threads.count, "threads without a process", UInt64(threads.count))
    memory.require(
      counts.threads - counts.processesWithThreads == extraThreadCount, "count of threads beyond one of each process",
      UInt64(extraThreadCount))
    memory.require(
      counts.signals == signalRecords.count, "queued signals that nothing reaches", UInt64(signalRecords.count))
    memory.require(
      counts.actions == actionRecords.count, "signal actions that nobody has", UInt64(actionRecords.count))
    memory.require(counts.records == records.count, "thread records that nothing reaches", UInt64(records.count))
    return (counts.stagingFrames, counts.waiters)
  }

  /// What one pass finds.
  private struct ProcessCounts {
    var processes = 0
    var threads = 0
    var processesWithThreads = 0
    var records = 0
    var forks = 0
    var ending = 0
    var signals = 0
    var actions = 0
    var waiters = 0
    var stagingFrames = 0
  }

  private func inspect(
    _ process: Process, _ memory: inout MemoryInspector, _ files: inout FileInspector, _ counts: inout ProcessCounts
  ) {
    let identifier = UInt64(process.identifier)
    memory.count(process)
    files.visit(process.credentials, &memory)
    if process.limits.inspection != memory.generation {
      process.limits.inspection = memory.generation
      memory.count(process.limits)
    }
    if let space = process.addressSpace {
      memory.visit(space)
      let isEdited = space.editor == 0 || threads.thread(space.editor)?.continuation.editsMap ?? false
      memory.require(isEdited, "map that nobody is changing", identifier)
    }
    if let table = process.files { files.visit(table, &memory) }
    inspectSignals(process, identifier, &memory, &counts)
    let isZombie = process.state == .zombie
    if process.state == .exiting { counts.ending += 1 }
    let ownsNothing = process.threadCount == 0 && process.addressSpace == nil && process.files == nil
    memory.require(!isZombie || ownsNothing, "zombie that owns something", identifier)
    memory.require(isZombie || process.threadCount != 0, "process without a thread", identifier)
    memory.require(
      process.state != .running || (process.addressSpace != nil && process.files != nil),
      "running process without memory or descriptors", identifier)
    if !isZombie { counts.processesWithThreads += 1 }
    inspectThreads(process, identifier, &memory, &files, &counts)
  }

  private func inspectThreads(
    _ process: Process, _ identifier: UInt64, _ memory: inout MemoryInspector, _ files: inout FileInspector,
    _ counts: inout ProcessCounts
  ) {
    var (count, suspended) = (0, 0)
    var previous = ThreadSlot.none
    var slot = process.firstThread
    while let thread = threads[slot], count < process.threadCount {
      count += 1
      if thread.isSuspended { suspended += 1 }
      memory.require(
        thread.process == process.slot && thread.previous == previous, "thread that is not its process'", identifier)
      inspect(thread, identifier, &memory, &files, &counts)
      previous = slot
      slot = thread.next
    }
    memory.count(
      kernelByteCount: max(0, process.threadCount - 1) * KernelMemoryCost.thread, of: process.credentials.account)
    memory.require(slot == .none && count == process.threadCount, "count of the threads of a process", identifier)
    memory.require(suspended == process.suspendedThreadCount, "count of threads that are set aside", identifier)
  }

  private func inspectSignals(
    _ process: Process, _ identifier: UInt64, _ memory: inout MemoryInspector, _ counts: inout ProcessCounts
  ) {
    if let actions = process.actions, actions.inspection != memory.generation {
      actions.inspection = memory.generation
      memory.count(actions)
      memory.count(kernelByteCount: SignalActions.kernelByteCount, of: actions.account)
      counts.actions += 1
    }
    var counted = inspect(process.signalQueue, identifier, &memory, &counts)
    forEachThread(of: process) { counted += inspect($0.signals.queue, identifier, &memory, &counts) }
    memory.require(counted == process.queuedSignalCount, "count of queued signals", identifier)
    memory.count(kernelByteCount: counted * QueuedSignal.byteCount, of: process.credentials.account)
    if !process.notice.isNone {
      memory.require(signalRecords[process.notice].child == process.slot, "notice of another child", identifier)
    }
  }

  /// Returns how many instances in a queue count.
  private func inspect(
    _ queue: SignalQueue, _ identifier: UInt64, _ memory: inout MemoryInspector, _ counts: inout ProcessCounts
  ) -> Int {
    var found = queue.bare
    var counted = 0
    var handle = queue.first
    while !handle.isNone {
      let entry = signalRecords[handle]
      found.insert(entry.information.signal)
      counts.signals += 1
      if entry.isCounted { counted += 1 }
      handle = entry.next
    }
    memory.require(found == queue.pending, "pending signals that are not queued", identifier)
    return counted
  }

  private func inspect(
    _ thread: Thread, _ identifier: UInt64, _ memory: inout MemoryInspector, _ files: inout FileInspector,
    _ counts: inout ProcessCounts
  ) {
    counts.threads += 1
    counts.records += 1
    memory.count(thread)
    memory.require(threads[thread.slot] === thread, "thread in the wrong slot", identifier)
    let isCurrent = current === thread
    memory.require(
      (isCurrent ? 1 : 0) + (scheduler.isListed(thread.slot) ? 1 : 0) + (thread.isSuspended ? 1 : 0) == 1,
      "thread that is nowhere, or in two places", identifier)
    if thread.awaitedFrame != .none { counts.waiters += 1 }
    var place = thread.place
    if let place { files.visit(place, &memory) }
    switch thread.continuation {
    case .file(let remainder):
      place = files.visit(remainder, &memory) ?? place
      if case .events(let file) = remainder, let channel = file.queue.channelOfReady(thread.frame.value.events) {
        memory.require(!scheduler.isParked(thread.slot, on: channel), "a thread sleeps that is to be told", identifier)
      }
    case .memory(let remainder): memory.visit(remainder)
    case .process(.execute(let execution)):
      memory.count(execution)
      memory.count(execution.staging)
      counts.stagingFrames += execution.staging.frameCount
      if let space = execution.space { memory.visit(space) }
    case .process(.fork(let pending)):
      counts.forks += 1
      memory.count(pending)
      if pending.hasRecord { counts.records += 1 }
      if let space = pending.space { memory.visit(space) }
      if let table = pending.files { files.visit(table, &memory) }
    case .exit(.unfinishedFiles(let table)): files.visit(table, &memory)
    default: break
    }
    if thread.continuation.editsMap {
      let space = self[thread.process]?.addressSpace
      memory.require(space?.editor == thread.identifier, "change of a map without the lock", identifier)
    }
    if sleepers.contains(thread.slot) {
      var isAsleep = false
      if case .process(.userSleep(.asleep)) = thread.continuation { isAsleep = true }
      memory.require(isAsleep, "thread that others take for a sleeper", identifier)
    }
    inspectLiveness(thread, place, identifier, &memory)
  }

  /// Who is stopped or dead keeps nothing that others wait for, and who waits is woken by somebody who runs: it stands
  /// behind others in a line, whose holders are looked at in their turn, or a device is at work for it.
  private func inspectLiveness(
    _ thread: Thread, _ place: TransferHold?, _ identifier: UInt64, _ memory: inout MemoryInspector
  ) {
    var isExiting = false
    if case .exit = thread.continuation { isExiting = true }
    let mayKeep = !thread.isSuspended && !isExiting
    memory.require(mayKeep || place == nil, "place in a line of a thread that is stopped or ends", identifier)
    memory.require(
      mayKeep || thread.awaitedFrame == .none, "page kept for a thread that is stopped or ends", identifier)
    if let channel = scheduler.parkedChannel(thread.slot) {
      if channel.isTurn {
        memory.require(place?.turnWait?.channel == channel, "thread that waits for a turn which it has", identifier)
      } else {
        memory.require(
          place == nil || channel.comesByItself, "holder that waits for what nobody has promised", identifier)
      }
      let frame = thread.awaitedFrame
      memory.require(
        frame == .none || channel != .page(frame) || memory.isUnderWay(frame),
        "thread that waits for a page which is not under way", identifier)
    }
  }

  /// Compares the references of open files with those that were found; after every visit.
  public func inspectReferences(_ memory: inout MemoryInspector, _ files: borrowing FileInspector) {
    for index in slots.indices {
      guard let process = slots[index] else { continue }
      if let table = process.files { files.checkReferences(table, &memory) }
      forEachThread(of: process) { thread in
        if case .exit(.unfinishedFiles(let table)) = thread.continuation { files.checkReferences(table, &memory) }
      }
    }
  }
}
