// thr_new(2), thr_exit(2), thr_set_name(2), thr_suspend(2), thr_wake(2) (spec signals.md section 2).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareThreadCalls() {
    declare(
      .thrNew, "thr_new", [.pointer, .integer],
      copyIn: .chosen { call throws(Errno) in
        let byteCount = Int(call.arguments.second.integer)
        guard byteCount >= 0, byteCount <= ThreadParameters.byteCount else { throw .einval }
        return .bytes(call.arguments.first.range(byteCount))
      }, .refuses(.enomem, HeapCost.thread)
    ) { call throws(Errno) in try call.newThread() }
    declare(
      .thrCreate, "thr_create", [.pointer, .pointer, .bits],
      copyIn: .structure(argument: 0, byteCount: UserContext.byteCount),
      .refuses(.enomem, HeapCost.thread)
    ) { call throws(Errno) in try call.createThread() }
    declare(.thrExit, "thr_exit", [.pointer]) { call throws(Errno) in try call.exitThread() }
    declare(.thrSetName, "thr_set_name", [.long, .path]) { call throws(Errno) in try call.setThreadName() }
    declare(
      .thrSuspend, "thr_suspend", [.pointer],
      copyIn: .optionalStructure(argument: 0, byteCount: Timespec.byteCount)
    ) { call throws(Errno) in try call.suspendThread() }
    declare(.thrWake, "thr_wake", [.long]) { call throws(Errno) in try call.wakeThread() }
    declareProcessorSetCalls()
  }
}

extension SystemCall {
  /// The thread of the caller's process that an identifier names. Throws ESRCH.
  func ownThread(_ identifier: Int64) throws(Errno) -> Thread {
    guard let identifier = Int32(exactly: identifier), let found = kernel.processes.thread(identifier),
      found.process == process.slot
    else { throw .esrch }
    return found
  }

  // MARK: thr_new

  /// thr_new(2), checked in FreeBSD's order. The identifiers are stored before the thread can run; on an error there is none.
  fileprivate func newThread() throws(Errno) -> Answer {
    let byteCount = Int(arguments.second.integer)
    zero(from: byteCount, ThreadParameters.byteCount - byteCount)
    let parameters = thread.stagedParameters
    return try withWords { () throws(WordFailure) in try newThread(parameters) }
  }

  private func newThread(_ parameters: ThreadParameters) throws(WordFailure) -> Answer {
    let (processes, space) = (kernel.processes, space)
    var priority = thread.frame.value.attributes.priority
    if parameters.priorityAddress != 0 {
      let wanted = ThreadPriority(word: try space.load(UInt32.self, at: VirtualAddress(parameters.priorityAddress)))
      if wanted.kind == .idle { throw .error(.einval) }
      // Of the normal class the level does not count (thread_create(9)).
      if wanted.kind != .normal {
        try check(wanted)
        priority = wanted
      } else if priority.kind != .normal {
        priority = .normal
      }
    }
    try refusing { () throws(Errno) in try processes.checkThreadLimits(process) }
    let (child, parent) = (parameters.childIdentifierAddress, parameters.parentIdentifierAddress)
    let stackPointer = parameters.stackPointer
    // Who has to wait for one of the pages begins anew, with another identifier.
    let identifier = processes.takeThreadIdentifier()
    if child != 0 { try space.store(UInt64(identifier), at: VirtualAddress(child)) }
    if parent != 0 { try space.store(UInt64(identifier), at: VirtualAddress(parent)) }
    try space.store(UInt64(0), at: VirtualAddress(stackPointer))
    guard parameters.threadLocalBase < ABI.UserSpace.end else { throw .error(.einval) }
    let made = try refusing { () throws(Errno) in
      try processes.makeThread(process, like: thread, identifier: identifier)
    }
    made.frame.value.attributes.priority = priority
    begin(made, parameters)
    return .value(0)
  }

  /// Gives a new thread its registers, and its turn.
  private func begin(_ made: Thread, _ parameters: ThreadParameters) {
    let caller = thread.context.rip
    made.context.rcx = caller
    made.context.r11 = thread.context.rflags
    made.context.rip = parameters.start
    made.context.rdi = parameters.argument
    made.context.rsp = parameters.stackPointer
    made.context.rbp = 0
    made.context.fsBase = parameters.threadLocalBase
    made.context.rflags &= ~ThreadContext.trapFlag
    made.context.returnPath = 1
    kernel.processes.begin(made, madeBy: thread)
  }

  /// thr_create(2): the new thread has the registers of a context, as setcontext(2) takes them, and its maker's mask.
  fileprivate func createThread() throws(Errno) -> Answer {
    let (processes, place) = (kernel.processes, arguments.second)
    try processes.checkThreadLimits(process)
    let identifier = processes.takeThreadIdentifier()
    if !place.isNull {
      let outcome = try withWords { () throws(WordFailure) in
        try space.store(UInt64(identifier), at: place.address)
        return .value(0)
      }
      if case .restart = outcome { return outcome }
    }
    let made = try processes.makeThread(process, like: thread, identifier: identifier)
    // The context is taken from a copy of the buffer.
    made.frame.value.buffer = thread.frame.value.buffer
    let call = SystemCall(kernel: kernel, thread: made, process: process)
    do throws(Errno) {
      guard try call.takeContext() else {
        thread.wanted = made.wanted
        processes.abandon(made, process)
        return .restart
      }
    } catch {
      processes.abandon(made, process)
      throw error
    }
    processes.begin(made, madeBy: thread)
    return .value(0)
  }

  // MARK: thr_exit

  /// thr_exit(2). The last thread of a process stays: the call returns 0 (spec signals.md section 0).
  fileprivate func exitThread() throws(Errno) -> Answer {
    try withWords { () throws(WordFailure) in
      let space = space
      guard try kernel.processes.releaseRobustMutexes(thread, in: space) else { return goOnLater(.phase(.whole)) }
      let place = arguments.first
      guard !place.isNull, let key = try storeEnd(at: place.address, space) else { return endThread() }
      return try refusing { () throws(Errno) in try wake(key, atMost: .max, then: .ends) }
    }
  }

  /// Stores that the thread has ended, and gives the key of those who wait for that; nil where there is no such word.
  private func storeEnd(at address: VirtualAddress, _ space: AddressSpace) throws(WordFailure) -> WaitChannel? {
    do throws(WordFailure) {
      try space.store(UInt64(1), at: address)
      return try WaitChannel.userSleep(.word, at: address, .byMapping, in: space)
    } catch {
      if case .wait = error { throw error }
      return nil
    }
  }

  /// Ends the thread, unless it is the last.
  func endThread() -> Answer {
    if process.threadCount == 1 { return .value(0) }
    kernel.processes.exitThread(thread, process)
    return .left
  }

  /// execve(2): the robust mutexes of the caller are unlocked before its memory goes. The answer when that takes longer.
  func leaveRobustMutexes(then execution: Execution) throws(Errno) -> Answer? {
    if thread.frame.value.robustWalk.isDone { return nil }
    do throws(WordFailure) {
      if try kernel.processes.releaseRobustMutexes(thread, in: space) { return nil }
    } catch {
      guard case .wait(let awaited) = error else { return nil }
      return wait(on: awaited, then: .process(.execute(execution)))
    }
    return goOnLater(.process(.execute(execution)))
  }

  // MARK: Names

  /// thr_set_name(2): what is beyond 19 bytes is cut off.
  fileprivate func setThreadName() throws(Errno) -> Answer {
    var byteCount = 0
    if !arguments.second.isNull {
      let room = ProcessLimits.nameByteCount - 1
      let outcome = thread.frame.value.buffer.withMutableBytes { bytes in
        var name = bytes._mutatingExtracting(0..<room)
        return space.copyInString(from: arguments.second.address, into: &name, progress: &byteCount)
      }
      switch outcome {
      case .complete: byteCount -= 1
      case .tooLong: break
      case .fault: throw .efault
      case .wait(let awaited):
        thread.wanted = awaited
        return .restart
      }
    }
    let subject = try ownThread(arguments.first.long)
    for index in 0..<byteCount { subject.frame.value.attributes.name[index] = thread.frame.value.buffer[index] }
    subject.frame.value.attributes.nameByteCount = Int32(byteCount)
    return .value(0)
  }

  // MARK: thr_suspend

  fileprivate func suspendThread() throws(Errno) -> Answer {
    var deadline = UInt64.max
    if !arguments.first.isNull {
      let time = Timespec(decoding: thread.frame.value.buffer.span)
      guard time.isValid, time.seconds >= 0 else { throw .einval }
      deadline = kernel.services.nanoseconds
      if time.seconds != 0 || time.nanoseconds != 0 {
        deadline = deadline.addingClamped(time.clampedNanoseconds)
      }
    }
    if thread.hasOwnWake {
      thread.hasOwnWake = false
      return .value(0)
    }
    return try continueSuspension(until: deadline)
  }

  /// Goes on with a thr_suspend(2). Throws ETIMEDOUT.
  func continueSuspension(until deadline: UInt64) throws(Errno) -> Answer {
    if thread.hasWake {
      thread.hasWake = false
      return .value(0)
    }
    if kernel.services.nanoseconds >= deadline { throw .etimedout }
    thread.continuation = .process(.suspension(deadlineNanoseconds: deadline))
    let awaited = kernel.processes.userSleepWait(thread)
    if deadline == .max { return .wait(awaited) }
    thread.deadlineNanoseconds = deadline
    return .waitForDeadline(awaited)
  }

  /// thr_wake(2): another thread's thr_suspend(2) returns, now or the next time; of the caller the next sleep that signals
  /// interrupt.
  fileprivate func wakeThread() throws(Errno) -> Answer {
    let subject = try ownThread(arguments.first.long)
    if subject === thread {
      thread.hasOwnWake = true
      return .value(0)
    }
    subject.hasWake = true
    if case .process(.suspension) = subject.continuation { kernel.processes.scheduler.unpark(subject.slot) }
    return .value(0)
  }
}
