// kqueue(2), kqueuex(2), kevent(2) (spec kqueue.md sections 3 and 4).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareQueueCalls() {
    declare(.kqueue, "kqueue", [], .refuses(.enomem, HeapCost.eventQueue)) { call throws(Errno) in
      try call.makeQueue(closeOnExec: false)
    }
    declare(.kqueuex, "kqueuex", [.bits], .refuses(.enomem, HeapCost.eventQueue)) { call throws(Errno) in
      let flags = call.arguments.first.word
      guard flags & ~SystemCall.queueCloseOnExec == 0 else { throw .einval }
      return try call.makeQueue(closeOnExec: flags & SystemCall.queueCloseOnExec != 0)
    }
    declare(
      .kevent, "kevent", [.descriptor, .pointer, .integer, .pointer, .integer, .pointer],
      copyIn: .chosen { call throws(Errno) in call.timeoutToCopy() }
    ) { call throws(Errno) in try call.changeAndCollect(isOld: false) }
    declare(
      .kevent2008, "kevent of FreeBSD 11", [.descriptor, .pointer, .integer, .pointer, .integer, .pointer],
      copyIn: .chosen { call throws(Errno) in call.timeoutToCopy() }
    ) { call throws(Errno) in try call.changeAndCollect(isOld: true) }
  }
}

extension SystemCall {
  /// KQUEUE_CLOEXEC
  fileprivate static let queueCloseOnExec: UInt32 = 1
  /// Where events and results are staged in the buffer; changes lie in front of them.
  private static let stagedEvents = 512
  /// Steps that a call takes before others have a turn.
  private static let eventStepsPerTurn = 64
  /// Notes that a step looks at, whether there is something to be told of them or not.
  private static let looksPerStep = 32

  fileprivate func makeQueue(closeOnExec: Bool) throws(Errno) -> Answer {
    let descriptor = try kernel.files.makeQueue(
      for: process.identifier, process.credentials, limit: process.limit(.eventQueues).soft, closeOnExec: closeOnExec,
      in: table)
    return .value(UInt64(UInt32(bitPattern: descriptor)))
  }

  fileprivate func timeoutToCopy() -> CopyInRequest {
    arguments.sixth.isNull ? .nothing : .bytes(arguments.sixth.range(Timespec.byteCount))
  }

  fileprivate func changeAndCollect(isOld: Bool) throws(Errno) -> Answer {
    var rights: CapabilityRights = []
    if arguments.third.integer > 0 { rights.insert(.queueChange) }
    if arguments.fifth.integer > 0 { rights.insert(.queueEvent) }
    guard let file = try file(arguments.first.descriptor, needing: rights) as? EventQueueFile else { throw .ebadf }
    var pending = PendingEvents(
      changes: (arguments.second.raw, arguments.third.integer), events: (arguments.fourth.raw, arguments.fifth.integer),
      isOld: isOld)
    guard pending.changesLeft >= 0 else { throw .einval }
    if !arguments.sixth.isNull {
      let time = Timespec(decoding: thread.frame.value.buffer.span)
      pending.hasTimeout = true
      pending.seconds = time.seconds
      pending.nanoseconds = time.nanoseconds
    }
    thread.frame.value.events = pending
    file.queue.wasUsed = true
    return try goOn(file)
  }

  /// Goes on with a kevent(2).
  func goOn(_ file: EventQueueFile) throws(Errno) -> Answer {
    let queue = file.queue
    var pending = thread.frame.value.events
    for _ in 0..<SystemCall.eventStepsPerTurn {
      let step: Answer?
      switch pending.phase {
      case .copyIn: step = try copyChanges(file, &pending)
      case .register: step = try registerChange(queue, &pending)
      case .receipt: step = try copyReceipt(file, &pending)
      case .collect: step = try collect(queue, file, &pending)
      case .copyOut: step = try copyEvents(file, &pending)
      }
      if let step { return step }
    }
    thread.frame.value.events = pending
    return goOnLater(.file(.events(file)))
  }

  /// Waits in the middle of a kevent(2).
  private func wait(on awaited: Wait, _ file: EventQueueFile, _ pending: PendingEvents) -> Answer {
    thread.frame.value.events = pending
    return wait(on: awaited, then: .file(.events(file)))
  }

  // MARK: Changes

  private func copyChanges(_ file: EventQueueFile, _ pending: inout PendingEvents) throws(Errno) -> Answer? {
    let count = min(Int(pending.changesLeft), PendingEvents.groupCapacity)
    guard count > 0 else {
      if pending.receiptCount > 0 { return .value(UInt64(pending.receiptCount)) }
      pending.phase = .collect
      return nil
    }
    let byteCount = count * KernelEvent.byteCount(isOld: pending.isOld)
    let range = UserRange(start: VirtualAddress(pending.changeAddress), byteCount: byteCount)
    switch space.copyIn(range, into: &thread.frame.value.buffer, &pending.progress) {
    case .complete: break
    case .fault, .tooLong: throw .efault
    case .wait(let awaited): return wait(on: awaited, file, pending)
    }
    pending.progress = 0
    pending.changeAddress &+= UInt64(byteCount)
    pending.changesLeft -= Int32(count)
    pending.groupCount = count
    pending.groupIndex = 0
    pending.phase = .register
    return nil
  }

  private func registerChange(_ queue: EventQueue, _ pending: inout PendingEvents) throws(Errno) -> Answer? {
    guard pending.groupIndex < pending.groupCount else {
      pending.phase = .copyIn
      return nil
    }
    let size = KernelEvent.byteCount(isOld: pending.isOld)
    var change = KernelEvent(
      decoding: thread.frame.value.buffer.span, at: pending.groupIndex * size, isOld: pending.isOld)
    pending.groupIndex += 1
    if change.filter.rawValue == 0 { return nil }
    change.flags.subtract(.system)
    var failure: Errno?
    let wantsReceipt = change.flags.contains(.receipt)
    do throws(Errno) {
      try queue.register(&change, table, watchedProcess(change), thread: thread.identifier)
    } catch {
      failure = error
    }
    // When to look at the clock again is another time now.
    if change.filter == .timer { kernel.processes.processor.needsAttention = true }
    guard failure != nil || wantsReceipt else { return nil }
    guard pending.eventsLeft > 0 else {
      if let failure { throw failure }
      return .value(0)
    }
    change.flags = .error
    change.data = Int64(failure?.rawValue ?? 0)
    stage(change, pending)
    pending.stagedCount = 1
    pending.phase = .receipt
    return nil
  }

  private func watchedProcess(_ change: KernelEvent) -> WatchedProcess {
    guard change.filter == .process, let identifier = Int32(exactly: change.identifier),
      let subject = kernel.processes.process(identifier)
    else { return .none }
    return subject.state == .running ? .living : .ended(status: subject.exitStatus.rawValue)
  }

  /// Puts an event into the buffer, behind those that are there.
  private func stage(_ event: KernelEvent, _ pending: PendingEvents, at index: Int = 0) {
    let size = KernelEvent.byteCount(isOld: pending.isOld)
    let words = event.words
    for word in 0..<size / 8 { stage(words[word], at: SystemCall.stagedEvents + index * size + 8 * word) }
  }

  /// Copies what is staged to where events go; nil when it has to be waited for.
  private func copyStaged(_ pending: inout PendingEvents) -> UserCopyOutcome {
    let byteCount = pending.stagedCount * KernelEvent.byteCount(isOld: pending.isOld)
    let bytes = RawSpan(_elements: thread.frame.value.buffer.span)
      .extracting(SystemCall.stagedEvents..<SystemCall.stagedEvents + byteCount)
    return space.copyOut(bytes, to: VirtualAddress(pending.eventAddress), progress: &pending.progress)
  }

  private func copyReceipt(_ file: EventQueueFile, _ pending: inout PendingEvents) throws(Errno) -> Answer? {
    // That it cannot be stored is nobody's business.
    if case .wait(let awaited) = copyStaged(&pending) {
      return wait(on: awaited, file, pending)
    }
    pending.progress = 0
    pending.eventAddress &+= UInt64(KernelEvent.byteCount(isOld: pending.isOld))
    pending.eventsLeft -= 1
    pending.receiptCount += 1
    pending.phase = .register
    return nil
  }

  // MARK: Events

  private func collect(
    _ queue: EventQueue, _ file: EventQueueFile, _ pending: inout PendingEvents
  ) throws(Errno) -> Answer? {
    if pending.eventsLeft <= 0 {
      if pending.eventCount != 0 { return leave(queue, &pending) }
      guard pending.eventsLeft == 0 else { throw .einval }
      return .value(0)
    }
    if !pending.isTimed { try beginTime(&pending) }
    if !pending.hasEntered { try queue.enter(&pending, thread: thread.identifier) }
    guard queue.release(&pending, budget: SystemCall.looksPerStep) else { return nil }
    if pending.passEnd == nil { queue.beginPass(&pending) }
    var (count, looks) = (0, SystemCall.looksPerStep)
    while count < min(PendingEvents.groupCapacity, Int(pending.eventsLeft)),
      let event = queue.takeEvent(&pending, &looks)
    {
      stage(event, pending, at: count)
      count += 1
      if event.filter == .timer { kernel.processes.processor.needsAttention = true }
    }
    if count > 0 {
      pending.stagedCount = count
      pending.phase = .copyOut
      return nil
    }
    if looks == 0 { return nil }
    if pending.eventCount > 0 { return leave(queue, &pending) }
    pending.passEnd = nil
    if queue.hasMore(&pending) || (queue.steals && queue.steal(&pending)) { return nil }
    let now = pending.deadline == .max ? 0 : kernel.services.nanoseconds
    if pending.deadline == 0 || now >= pending.deadline { return leave(queue, &pending) }
    return sleep(file, &pending)
  }

  /// Waits for events, until there are some that other threads have not got round to, or until the time is over.
  private func sleep(_ file: EventQueueFile, _ pending: inout PendingEvents) -> Answer {
    var deadline = pending.deadline
    if let interval = file.queue.stealInterval(&pending) {
      deadline = min(deadline, kernel.services.nanoseconds.addingClamped(interval))
    }
    let answer = wait(on: file.queue.awaitEvents(&pending), file, pending)
    guard deadline != .max, case .wait(let awaited) = answer else { return answer }
    thread.deadlineNanoseconds = deadline
    return .waitForDeadline(awaited)
  }

  /// The call is over.
  private func leave(_ queue: EventQueue, _ pending: inout PendingEvents) -> Answer {
    queue.leave(&pending)
    return .value(UInt64(pending.eventCount))
  }

  private func beginTime(_ pending: inout PendingEvents) throws(Errno) {
    pending.isTimed = true
    guard pending.hasTimeout else { return }
    guard pending.seconds >= 0, pending.nanoseconds >= 0, pending.nanoseconds < 1_000_000_000 else { throw .einval }
    if pending.seconds > Int64(Int32.max) { return }
    let time = Timespec(seconds: pending.seconds, nanoseconds: pending.nanoseconds)
    pending.deadline = time.seconds == 0 && time.nanoseconds == 0 ? 0 : kernel.deadline(after: time)
  }

  private func copyEvents(_ file: EventQueueFile, _ pending: inout PendingEvents) throws(Errno) -> Answer? {
    switch copyStaged(&pending) {
    case .complete: break
    case .fault, .tooLong: throw .efault
    case .wait(let awaited): return wait(on: awaited, file, pending)
    }
    pending.progress = 0
    pending.eventAddress &+= UInt64(pending.stagedCount * KernelEvent.byteCount(isOld: pending.isOld))
    pending.eventsLeft -= Int32(pending.stagedCount)
    pending.eventCount += Int32(pending.stagedCount)
    pending.phase = .collect
    return nil
  }
}
