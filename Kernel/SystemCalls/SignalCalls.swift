// kill(2), sigaction(2), sigprocmask(2), sigsuspend(2), sigtimedwait(2) and their like (spec signals.md section 1).

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSignalCalls() {
    declare(.kill, "kill", [.integer, .signal]) { call throws(Errno) in try call.kill() }
    declare(.sigqueue, "sigqueue", [.integer, .signal, .bits]) { call throws(Errno) in try call.queueSignal() }
    declare(.thrKill, "thr_kill", [.long, .signal]) { call throws(Errno) in try call.killThread() }
    declare(.thrKill2, "thr_kill2", [.integer, .long, .signal]) { call throws(Errno) in try call.killThreadOfProcess() }
    declare(
      .sigaction, "sigaction", [.signal, .pointer, .pointer],
      copyIn: .optionalStructure(argument: 1, byteCount: SignalAction.byteCount),
      .refuses(.enomem, HeapCost.signalActions)
    ) { call throws(Errno) in try call.signalAction() }
    declare(
      .sigprocmask, "sigprocmask", [.integer, .pointer, .pointer],
      copyIn: .optionalStructure(argument: 1, byteCount: SystemCall.setByteCount)
    ) { call throws(Errno) in try call.signalMask() }
    declare(.sigpending, "sigpending", [.pointer]) { call throws(Errno) in call.pendingSignals() }
    declare(.sigsuspend, "sigsuspend", [.pointer], copyIn: .structure(argument: 0, byteCount: SystemCall.setByteCount))
    {
      call throws(Errno) in
      call.kernel.processes.suspendMask(call.stagedSet(at: 0), of: call.thread, call.process)
      return call.suspend()
    }
    declare(.sigtimedwait, "sigtimedwait", [.pointer, .pointer, .pointer]) { call throws(Errno) in
      try call.waitForSignal(hasTimeout: true)
    }
    declare(.sigwaitinfo, "sigwaitinfo", [.pointer, .pointer]) { call throws(Errno) in
      try call.waitForSignal(hasTimeout: false)
    }
    declare(.sigwait, "sigwait", [.pointer, .pointer]) { call throws(Errno) in try call.waitForSignal(hasTimeout: false)
    }
    declare(.sigfastblock, "sigfastblock", [.integer, .pointer]) { call throws(Errno) in try call.blockFast() }
    declare(
      .sigaltstack, "sigaltstack", [.pointer, .pointer],
      copyIn: .optionalStructure(argument: 0, byteCount: AlternateStack.structureByteCount)
    ) { call throws(Errno) in try call.alternateStack() }
  }
}

extension SystemCall {
  /// The bytes of a sigset_t.
  fileprivate static let setByteCount = 16

  /// A sigset_t in the buffer.
  func stagedSet(at offset: Int) -> SignalSet {
    SignalSet(low: stagedLong(at: offset), high: stagedLong(at: offset + 8))
  }

  /// Puts a sigset_t into the buffer.
  func stage(_ set: SignalSet, at offset: Int) {
    stage(set.low, at: offset)
    stage(set.high, at: offset + 8)
  }

  /// A signal, or nil for 0, which only checks. Throws EINVAL for what is neither.
  private func signal(_ number: Int32) throws(Errno) -> Signal? {
    let signal = Signal(rawValue: number)
    if number == 0 { return nil }
    guard signal.isValid else { throw .einval }
    return signal
  }

  // MARK: Sending

  fileprivate func kill() throws(Errno) -> Answer {
    let signal = try signal(arguments.second.integer)
    if let signal, arguments.first.integer == process.identifier,
      let answer = kernel.handleAtOnce(SignalInformation(signal, .user, from: process), thread, process)
    {
      return answer
    }
    if process.isInCapabilityMode && arguments.first.integer != process.identifier { throw .ecapmode }
    guard let pending = try kernel.processes.kill(arguments.first.integer, signal, by: process) else {
      return .value(0)
    }
    return try continueKill(pending)
  }

  /// Goes on with a signal to many.
  func continueKill(_ pending: PendingKill) throws(Errno) -> Answer {
    var pending = pending
    return try kernel.processes.continueKill(&pending, by: process)
      ? .value(0) : goOnLater(.process(.kill(pending)))
  }

  /// sigqueue(2): EINVAL, ESRCH, EPERM, EAGAIN in this order. With bit 31 of the signal the target is a thread of the caller's.
  fileprivate func queueSignal() throws(Errno) -> Answer {
    let number = arguments.second.word
    let signal = try signal(Int32(bitPattern: number & 0x7fff_ffff))
    if process.isInCapabilityMode && number >> 31 == 0 && arguments.first.integer != process.identifier {
      throw .ecapmode
    }
    let target = arguments.first.integer
    guard target > 0 else { throw .einval }
    let isForThread = number >> 31 != 0
    let receiver: Process
    let thread: Thread?
    if isForThread {
      guard let found = kernel.processes.thread(target), found.process == process.slot else { throw .esrch }
      (receiver, thread) = (process, found)
    } else {
      guard let found = kernel.processes.process(target) else { throw .esrch }
      guard kernel.processes.maySend(signal, from: process, to: found) else { throw .eperm }
      (receiver, thread) = (found, nil)
    }
    guard let signal else { return .value(0) }
    var information = SignalInformation(signal, .queue, from: process)
    information.value = arguments.third.raw
    guard
      kernel.processes.post(information, to: receiver, thread, isItsOwn: receiver === process, needsPlace: true)
    else { throw .eagain }
    return .value(0)
  }

  fileprivate func killThread() throws(Errno) -> Answer {
    let (target, number) = (arguments.first.long, arguments.second.integer)
    if target == -1 {
      try killOtherThreads(of: process, try signal(number))
    } else {
      let receiver = try thread(target, of: process)
      let signal = try signal(number)
      if let signal, receiver === thread,
        let answer = kernel.handleAtOnce(
          SignalInformation(signal, .lightweightProcess, from: process), thread, process)
      {
        return answer
      }
      try post(signal, receiver, of: process)
    }
    return .value(0)
  }

  fileprivate func killThreadOfProcess() throws(Errno) -> Answer {
    let (target, number) = (arguments.second.long, arguments.third.integer)
    let identifier = arguments.first.integer
    guard let receiver = kernel.processes.livingProcess(identifier) else { throw .esrch }
    if target != -1 {
      let thread = try thread(target, of: receiver)
      guard kernel.processes.maySend(try? signal(number), from: process, to: receiver) else { throw .eperm }
      try post(try signal(number), thread, of: receiver)
      return .value(0)
    }
    guard kernel.processes.maySend(try? signal(number), from: process, to: receiver) else { throw .eperm }
    try killOtherThreads(of: receiver, try signal(number))
    return .value(0)
  }

  private func thread(_ identifier: Int64, of receiver: Process) throws(Errno) -> Thread {
    guard let number = Int32(exactly: identifier), let thread = kernel.processes.thread(number),
      thread.process == receiver.slot
    else { throw .esrch }
    return thread
  }

  private func post(_ signal: Signal?, _ thread: Thread, of receiver: Process) throws(Errno) {
    guard let signal else { return }
    _ = kernel.processes.post(
      SignalInformation(signal, .lightweightProcess, from: process), to: receiver, thread,
      isItsOwn: receiver === process)
  }

  private func killOtherThreads(of receiver: Process, _ signal: Signal?) throws(Errno) {
    var found = false
    var slot = receiver.firstThread
    while let other = kernel.processes.thread(in: slot) {
      slot = kernel.processes.slot(after: other)
      if other === thread { continue }
      found = true
      try post(signal, other, of: receiver)
    }
    guard found else { throw .esrch }
  }

  // MARK: Actions and masks

  /// sigaction(2), in FreeBSD's order (spec signals.md section 1.2).
  fileprivate func signalAction() throws(Errno) -> Answer {
    guard let signal = try signal(arguments.first.integer) else { throw .einval }
    let changes = !arguments.second.isNull
    let handler = stagedLong(at: 0)
    let flags = SignalActionFlags(rawValue: stagedWord(at: SignalAction.flagsOffset))
    let mask = stagedSet(at: SignalAction.maskOffset)
    if changes && handler > SignalAction.ignore && !flags.isSubset(of: .known) { throw .einval }
    let old = process.action(signal)
    if changes {
      guard handler == SignalAction.standard || !SignalSet.unblockable.contains(signal) else { throw .einval }
      try kernel.processes.setAction(
        signal, SignalActionDescription(handler: handler, flags: flags, mask: mask), of: process)
    }
    guard !arguments.third.isNull else { return .value(0) }
    zero(SignalAction.byteCount)
    stage(old.handler, at: 0)
    stage(old.flags.rawValue, at: SignalAction.flagsOffset)
    stage(old.mask, at: SignalAction.maskOffset)
    return deliver(SignalAction.byteCount, to: arguments.third.address)
  }

  fileprivate func signalMask() throws(Errno) -> Answer {
    let old = thread.signals.mask
    if !arguments.second.isNull {
      let set = stagedSet(at: 0)
      guard let change = SignalMaskChange(rawValue: arguments.first.integer) else { throw .einval }
      let mask =
        switch change {
        case .block: old.union(set)
        case .unblock: old.subtracting(set)
        case .set: set
        }
      kernel.processes.setMask(mask, of: thread, process)
    }
    guard !arguments.third.isNull else { return .value(0) }
    return deliver(old.low, old.high, to: arguments.third.address)
  }

  fileprivate func pendingSignals() -> Answer {
    let pending = process.pendingSignals.union(thread.signals.queue.pending)
    return deliver(pending.low, pending.high, to: arguments.first.address)
  }

  /// sigfastblock(2): a word of the program's that says how often it holds signals back.
  fileprivate func blockFast() throws(Errno) -> Answer {
    let (operation, address) = (arguments.first.integer, arguments.second.raw)
    let old = thread.signals.fastBlockAddress
    switch operation {
    case FastSignalBlock.set:
      guard old == 0 else { throw .ebusy }
      guard address & 3 == 0 else { throw .einval }
      thread.signals.fastBlockAddress = address
    case FastSignalBlock.unblock, FastSignalBlock.unset:
      guard old != 0 else { throw .einval }
      do throws(WordFailure) {
        let word = try space.load(UInt32.self, at: VirtualAddress(old))
        let isFree = word == FastSignalBlock.pending || word == 0 && operation == FastSignalBlock.unset
        guard isFree else { throw .error(.ebusy) }
        if operation == FastSignalBlock.unblock { try space.store(UInt32(0), at: VirtualAddress(old)) }
      } catch {
        switch error {
        case .error(let error): throw error
        case .wait(let awaited):
          thread.wanted = awaited
          return .restart
        }
      }
      if operation == FastSignalBlock.unset { thread.signals.fastBlockAddress = 0 }
    default: throw .einval
    }
    kernel.processes.endFastBlock(thread, process)
    return .value(0)
  }

  // MARK: Waiting

  /// Sleeps until a handler has run.
  func suspend() -> Answer {
    wait(on: Wait(.sleep(slot: thread.slot.raw)), then: .process(.suspend))
  }

  /// sigtimedwait(2), sigwaitinfo(2), sigwait(2).
  fileprivate func waitForSignal(hasTimeout: Bool) throws(Errno) -> Answer {
    var time: Timespec?
    if hasTimeout && !arguments.third.isNull {
      guard try fetch(arguments.third.range(Timespec.byteCount)) else { return .restart }
      time = Timespec(decoding: thread.frame.value.buffer.span)
    }
    guard try fetch(arguments.first.range(SystemCall.setByteCount)) else { return .restart }
    let set = stagedSet(at: 0)
    if let information = kernel.processes.takePending(set.subtracting(.unblockable), thread, process) {
      return tell(information)
    }
    var deadline: UInt64?
    if let time {
      guard time.nanoseconds >= 0, time.nanoseconds < 1_000_000_000 else { throw .einval }
      guard time.seconds >= 0, time.seconds > 0 || time.nanoseconds > 0 else { throw .eagain }
      deadline = kernel.deadline(after: time)
    }
    kernel.processes.setAwaited(set, of: thread)
    return sleep(for: deadline)
  }

  private func sleep(for deadline: UInt64?) -> Answer {
    thread.continuation = .process(.awaitSignal(deadlineNanoseconds: deadline))
    let awaited = Wait(.sleep(slot: thread.slot.raw))
    guard let deadline else { return .wait(awaited) }
    thread.deadlineNanoseconds = deadline
    return .waitForDeadline(awaited)
  }

  /// Looks whether one of the awaited signals has come, or the time is over.
  func continueSignalWait(_ deadline: UInt64?) throws(Errno) -> Answer {
    if let information = kernel.processes.takePending(thread.signals.awaited, thread, process) {
      kernel.processes.setAwaited(SignalSet(), of: thread)
      return tell(information)
    }
    if let deadline, kernel.services.nanoseconds >= deadline { return try endSignalWait(.eagain) }
    return sleep(for: deadline)
  }

  /// Ends a wait for signals with an error, which sigwait(2) returns as its value.
  func endSignalWait(_ error: Errno) throws(Errno) -> Answer {
    kernel.processes.setAwaited(SignalSet(), of: thread)
    if isSignalWait { return .value(UInt64(error.rawValue)) }
    throw error
  }

  /// Whether the call is sigwait(2).
  private var isSignalWait: Bool {
    kernel.entryInProgress(of: thread).declaration.borrow { $0.number == .sigwait }
  }

  private func tell(_ information: SignalInformation) -> Answer {
    if isSignalWait {
      stage(information.signal.rawValue, at: 0)
      return deliver(4, to: arguments.second.address)
    }
    stage(information, at: 0)
    beginDelivery(value: UInt64(information.signal.rawValue))
    addPiece(at: 0, SignalInformation.byteCount, to: arguments.second)
    return .deliver
  }

  /// Puts a siginfo_t into the buffer.
  func stage(_ information: SignalInformation, at offset: Int) {
    let words = information.words
    for index in words.indices { stage(words[index], at: offset + 8 * index) }
  }

  // MARK: The alternate stack

  fileprivate func alternateStack() throws(Errno) -> Answer {
    let old = thread.signals.alternateStack
    let flags = old.flags(stackPointer: thread.context.rsp)
    if !arguments.first.isNull {
      guard flags != AlternateStack.isOnStackFlag else { throw .eperm }
      var new = old
      let wanted = stagedWord(at: 16)
      guard wanted & ~AlternateStack.disabledFlag == 0 else { throw .einval }
      new.isEnabled = wanted & AlternateStack.disabledFlag == 0
      if new.isEnabled {
        new.start = stagedLong(at: 0)
        new.byteCount = stagedLong(at: 8)
        guard new.byteCount >= AlternateStack.minimumByteCount else { throw .enomem }
      }
      thread.signals.alternateStack = new
    }
    guard !arguments.second.isNull else { return .value(0) }
    stage(old.start, at: 0)
    stage(old.byteCount, at: 8)
    stage(UInt64(flags), at: 16)
    return deliver(AlternateStack.structureByteCount, to: arguments.second.address)
  }
}
