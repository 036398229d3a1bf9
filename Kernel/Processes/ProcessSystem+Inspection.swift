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
      guard let process = slots[index] else { continue }
      counts.processes += 1
      memory.require(Int(process.slot.raw) == index, "process in the wrong slot", UInt64(index))
      inspect(process, &memory, &files, &counts)
    }
    memory.require(counts.processes == processCount, "count of processes", UInt64(counts.processes))
    memory.require(counts.ending == endingCount, "count of processes that are ending", UInt64(counts.ending))
    memory.require(counts.forks == pendingForkCount, "count of forks under way", UInt64(counts.forks))
    var threadCount = 0
    for index in threads.indices where threads[index] != nil { threadCount += 1 }
    memory.require(counts.threads == threadCount, "threads without a process", UInt64(threadCount))
    memory.require(counts.records == records.count, "thread records that nothing reaches", UInt64(records.count))
    return (counts.stagingFrames, counts.waiters)
  }

  /// What one pass finds.
  private struct ProcessCounts {
    var processes = 0
    var threads = 0
    var records = 0
    var forks = 0
    var ending = 0
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
    if let space = process.addressSpace { memory.visit(space) }
    if let table = process.files { files.visit(table, &memory) }
    if let table = process.unfinishedFiles { files.visit(table, &memory) }
    let isZombie = process.state == .zombie
    if process.state == .exiting { counts.ending += 1 }
    let ownsNothing = process.thread == nil && process.addressSpace == nil && process.files == nil
    memory.require(!isZombie || ownsNothing, "zombie that owns something", identifier)
    memory.require(isZombie || process.thread != nil, "process without a thread", identifier)
    memory.require(
      process.state != .running || (process.addressSpace != nil && process.files != nil),
      "running process without memory or descriptors", identifier)
    if let thread = process.thread { inspect(thread, identifier, &memory, &files, &counts) }
  }

  private func inspect(
    _ thread: Thread, _ identifier: UInt64, _ memory: inout MemoryInspector, _ files: inout FileInspector,
    _ counts: inout ProcessCounts
  ) {
    counts.threads += 1
    counts.records += 1
    memory.count(thread)
    memory.require(threads[Int(thread.slot)] === thread, "thread in the wrong slot", identifier)
    let isCurrent = current === thread
    memory.require(
      (isCurrent ? 1 : 0) + (scheduler.isListed(thread.slot) ? 1 : 0) + (thread.isSuspended ? 1 : 0) == 1,
      "thread that is nowhere, or in two places", identifier)
    if thread.awaitedFrame != .none { counts.waiters += 1 }
    var place = thread.place
    if let place { files.visit(place, &memory) }
    switch thread.continuation {
    case .file(let remainder): place = files.visit(remainder, &memory) ?? place
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
    default: break
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
        memory.require(place?.turnChannel == channel, "thread that waits for a turn which it has", identifier)
      } else {
        memory.require(
          place == nil || channel.comesByItself, "holder that waits for what nobody has promised", identifier)
      }
      if let frame = channel.frame {
        memory.require(memory.isUnderWay(frame), "thread that waits for a page which is not under way", identifier)
      }
    }
  }

  /// Compares the references of open files with those that were found; after every visit.
  public func inspectReferences(_ memory: inout MemoryInspector, _ files: borrowing FileInspector) {
    for index in slots.indices {
      guard let process = slots[index] else { continue }
      if let table = process.files { files.checkReferences(table, &memory) }
      if let table = process.unfinishedFiles { files.checkReferences(table, &memory) }
    }
  }
}
