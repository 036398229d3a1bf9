// Making processes: process 1 and fork(2).

public import ABI
public import Files
import Memory
import Primitives

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
      sessionIdentifier: identifier, parent: .none, credentials: Credentials(files.fileServices),
      limits: ResourceLimits(
        ProcessSystem.initialLimits(processes: maximumProcessCount, files: maximumFileCount)))
    process.files = files
    files.account = process.credentials.account
    enter(process)
    _ = makeFirstThread(process, record)
    return process
  }

  /// Begins fork(2) or one of its kind: checks the limits and keeps a place for the child. The caller has made sure of the
  /// heap's reserve.
  ///
  /// Throws EAGAIN when there are too many processes, or the user has as much kernel memory as one may have, ENOMEM when
  /// memory for the child cannot be had.
  public func beginFork(
    _ parent: Process, _ thread: Thread, _ options: ForkOptions = ForkOptions()
  ) throws(Errno) -> PendingFork {
    try checkProcessLimits(parent)
    if processor.floatingPointOwner == thread.slot { saveFloatingPoint() }
    guard
      let record = records.allocate(copyOf: thread.record, byteCount: ThreadRecord.inheritedByteCount, memory)
    else { throw .enomem }
    records[record].attributes = thread.frame.value.attributes
    records[record].userSleep = UserSleep()
    records[record].robustWalk = thread.frame.value.robustWalk
    if options.lendsMemory { return PendingFork(self, record, nil, parent.credentials.account, options) }
    let space: AddressSpace
    do throws(Errno) {
      space = try AddressSpace.make(memory)
    } catch {
      records.release(record, memory)
      throw error
    }
    space.account = parent.credentials.account
    return PendingFork(self, record, space, parent.credentials.account, options)
  }

  /// Goes on with fork(2): when everything is copied, makes a child that returns 0 from the same call, and makes it ready.
  /// Nil when there is more to do. The caller has made sure of the heap's reserve.
  ///
  /// Throws ENOMEM when memory for the child cannot be had or reserved; nothing is left of the child then.
  public func continueFork(
    _ pending: PendingFork, _ parent: Process, _ thread: Thread, _ budget: inout Int
  ) throws(Errno) -> Process? {
    guard try pending.step(parent, &budget), let copied = pending.complete() else { return nil }
    let child = Process(
      slot: ProcessSlot(firstFreeSlot), identifier: takeIdentifier(), groupIdentifier: parent.groupIdentifier,
      sessionIdentifier: parent.sessionIdentifier, parent: parent.slot, credentials: parent.credentials,
      limits: parent.limits)
    inherit(child, from: parent)
    if let space = copied.space {
      child.addressSpace = space
    } else {
      parent.addressSpace?.share()
      child.addressSpace = parent.addressSpace
    }
    if pending.options.suspendsParent { child.lender = parent.slot }
    child.files = copied.files
    pay(child)
    enter(child)
    if pending.options.isForgotten, let initial = self[.initial] {
      adopt(child, by: initial)
    } else {
      child.endSignal = pending.options.endSignal
      adopt(child, by: parent)
    }
    counters.count(pending.options, pageCount: Int((parent.addressSpace?.virtualByteCount ?? 0) >> Page.shift))
    watchers.instance?.processForked(parent.identifier, child: child.identifier)
    let childThread = makeFirstThread(child, copied.record)
    childThread.signals.mask = thread.signals.mask
    childThread.signals.alternateStack = thread.signals.alternateStack
    childThread.signals.fastBlockAddress = thread.signals.fastBlockAddress
    returnZero(&records[copied.record].context)
    records[copied.record].attributes.usage = ResourceUsage()
    // What the parent has used up to now is not to be shared.
    charge()
    scheduler.enqueue(
      childThread.slot, childOf: thread.slot, thread.frame.value.attributes.priority, child.niceness)
    return child
  }

  /// Another thread may have made the parent another user's while the child was copied.
  private func pay(_ child: Process) {
    let account = child.credentials.account
    if let files = child.files, files.account !== account { files.account = account }
    if child.lender == .none, let space = child.addressSpace, space.account !== account { space.account = account }
  }

  private func checkProcessLimits(_ parent: Process) throws(Errno) {
    guard !isEnding, !services.isToFail(.processSlot) else { throw .eagain }
    // FreeBSD asks for the real user here (PRIV_MAXPROC, PRIV_PROC_LIMIT).
    let isSuperuser = parent.credentials.user == 0
    let limit = isSuperuser ? maximumProcessCount : maximumProcessCount - ProcessLimits.reservedProcessCount
    guard processCount + pendingForkCount < limit else { throw .eagain }
    guard isSuperuser || Int64(parent.credentials.account.processCount) < parent.limit(.processes).soft else {
      throw .eagain
    }
    guard parent.credentials.account.mayMakeProcess else { throw .eagain }
  }

  private func inherit(_ child: Process, from parent: Process) {
    child.creationMask = parent.creationMask
    child.niceness = parent.niceness
    child.name = parent.name
    child.nameByteCount = parent.nameByteCount
    child.title = parent.title
    child.imageStart = parent.imageStart
    child.hasChangedIdentity = parent.hasChangedIdentity
    child.isInCapabilityMode = parent.isInCapabilityMode
    shareActions(of: parent, with: child)
    child.isProtected = parent.protectsChildren
    child.protectsChildren = parent.protectsChildren
    if parent.timers.countsUse { limitUse(of: child) }
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
