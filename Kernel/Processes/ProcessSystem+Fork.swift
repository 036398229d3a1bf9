// Making processes: process 1 and fork(2).

public import ABI
public import Files
import Memory

extension ProcessSystem {
  /// The limits that process 1 starts with.
  static func initialLimits(processes: Int, files: Int) -> [16 of ResourceLimit] {
    let unlimited = ResourceLimit(soft: ResourceLimit.infinity, hard: ResourceLimit.infinity)
    var limits = [16 of ResourceLimit](repeating: unlimited)
    let stack = ResourceLimit(
      soft: Int64(ABI.UserSpace.defaultStackByteCount), hard: Int64(ABI.UserSpace.maximumStackByteCount))
    let data = Int64(ABI.UserSpace.maximumDataByteCount)
    limits[Int(ResourceLimitIdentifier.data.rawValue)] = ResourceLimit(soft: data, hard: data)
    limits[Int(ResourceLimitIdentifier.stack.rawValue)] = stack
    let processLimit = Int64(processes * 9 / 10)
    limits[Int(ResourceLimitIdentifier.processes.rawValue)] = ResourceLimit(soft: processLimit, hard: processLimit)
    limits[Int(ResourceLimitIdentifier.openFiles.rawValue)] = ResourceLimit(soft: Int64(files), hard: Int64(files))
    return limits
  }

  /// Makes process 1, without an address space: `commit` gives it one. Throws ENOMEM.
  public func makeInitialProcess(files: FileTable, maximumFileCount: Int) throws(Errno) -> Process {
    precondition(processCount == 0)
    guard let record = records.allocate(ThreadRecord(), memory) else { throw .enomem }
    let identifier = takeIdentifier()
    let process = Process(
      slot: ProcessSlot(firstFreeSlot), identifier: identifier, groupIdentifier: identifier,
      sessionIdentifier: identifier, parent: .none, credentials: Credentials(files.fileSystem),
      limits: ResourceLimits(
        ProcessSystem.initialLimits(processes: maximumProcessCount, files: maximumFileCount)))
    process.files = files
    enter(process)
    let thread = Thread(
      slot: process.slot.raw, identifier: takeThreadIdentifier(), process: process.slot, record: record, in: records)
    process.thread = thread
    enter(thread)
    return process
  }

  /// fork(2): makes a child that returns 0 from the same call, and makes it ready. The caller has made sure of the heap's
  /// reserve.
  ///
  /// Throws EAGAIN when there are too many processes, ENOMEM when memory for the child cannot be had or reserved.
  public func fork(_ parent: Process, _ thread: Thread) throws(Errno) -> Process {
    guard let parentSpace = parent.addressSpace, let parentFiles = parent.files else {
      preconditionFailure("fork of a process without memory")
    }
    try checkProcessLimits(parent)
    if floatingPointOwner == thread.slot { saveFloatingPoint() }
    guard let record = records.allocate(records[thread.record], memory) else { throw .enomem }
    let space: AddressSpace
    let files: FileTable
    do throws(Errno) {
      space = try parentSpace.fork()
      do throws(Errno) {
        files = try parentFiles.fork()
      } catch {
        space.retire()
        throw error
      }
    } catch {
      _ = records.take(record, memory)
      throw error
    }
    let child = Process(
      slot: ProcessSlot(firstFreeSlot), identifier: takeIdentifier(), groupIdentifier: parent.groupIdentifier,
      sessionIdentifier: parent.sessionIdentifier, parent: parent.slot, credentials: parent.credentials,
      limits: parent.limits)
    inherit(child, from: parent)
    child.addressSpace = space
    child.files = files
    enter(child)
    adopt(child, by: parent)
    let childThread = Thread(
      slot: child.slot.raw, identifier: takeThreadIdentifier(), process: child.slot, record: record, in: records)
    child.thread = childThread
    enter(childThread)
    returnZero(&records[record].context)
    scheduler.enqueue(childThread.slot)
    return child
  }

  private func checkProcessLimits(_ parent: Process) throws(Errno) {
    guard !isEnding else { throw .eagain }
    let isSuperuser = parent.credentials.isSuperuser
    let limit = isSuperuser ? maximumProcessCount : maximumProcessCount - ProcessLimits.reservedProcessCount
    guard processCount < limit else { throw .eagain }
    guard !isSuperuser else { return }
    let own = parent.limit(.processes).soft
    var count: Int64 = 0
    for index in slots.indices {
      guard let process = slots[index], process.credentials.user == parent.credentials.user else { continue }
      count += 1
      guard count < own else { throw .eagain }
    }
  }

  private func inherit(_ child: Process, from parent: Process) {
    child.creationMask = parent.creationMask
    child.name = parent.name
    child.nameByteCount = parent.nameByteCount
    child.breakStart = parent.breakStart
    child.breakAddress = parent.breakAddress
    child.hasChangedIdentity = parent.hasChangedIdentity
    child.ignoredSignals = parent.ignoredSignals
  }

  /// The child's view of the call: it returned 0, and %rdx is 1 (spec abi.md section 2).
  private func returnZero(_ context: inout ThreadContext) {
    context.rax = 0
    context.rdx = 1
    context.rflags &= ~ThreadContext.carryFlag
    context.r8 = 0
    context.r9 = 0
    context.r10 = 0
  }
}
