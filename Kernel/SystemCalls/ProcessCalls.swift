// fork(2), execve(2), wait4(2), kill(2), getrusage(2), sigaction(2), and going on with calls that waited.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  // MARK: fork

  func fork(_ options: ForkOptions, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    try continueFork(try processes.beginFork(process, thread, options), thread, process)
  }

  /// rfork(2), checked in FreeBSD's order (spec abi.md section 15). RFSPAWN is refused, so that posix_spawn(3) takes vfork(2).
  /// What cannot be shared here is refused with EINVAL: memory while the parent goes on, descriptor tables, signal
  /// dispositions.
  func forkPartly(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let flags = ForkFlags(rawValue: UInt32(truncatingIfNeeded: arguments.first))
    guard flags.isSubset(of: .known), !flags.isSuperset(of: [.copiesDescriptors, .clearsDescriptors]) else {
      throw .einval
    }
    let tellsBySignal = flags.contains(.endsWithSignal)
    guard tellsBySignal || flags.signal.rawValue == 0, flags.signal.rawValue <= Signal.maximumRawValue else {
      throw .einval
    }
    guard flags.contains(.makesProcess) else { return try divorce(flags, thread, process) }
    guard flags.isDisjoint(with: [.sharesLeader, .sharesSignals]),
      !flags.isDisjoint(with: [.copiesDescriptors, .clearsDescriptors]),
      flags.contains(.suspendsParent) || !flags.contains(.sharesMemory)
    else { throw .einval }
    var options = ForkOptions()
    options.lendsMemory = flags.contains(.sharesMemory)
    options.suspendsParent = flags.contains(.suspendsParent)
    options.clearsDescriptors = flags.contains(.clearsDescriptors)
    options.isForgotten = flags.contains(.isForgotten)
    if flags.contains(.endsWithUserSignal) { options.endSignal = .sigusr1 }
    if tellsBySignal { options.endSignal = flags.signal }
    return try fork(options, thread, process)
  }

  /// rfork(2) without RFPROC: what the flags say happens to the caller. Its descriptors are its own already.
  private func divorce(_ flags: ForkFlags, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    // Memory that was lent by a parent who waits stays that parent's.
    guard flags.contains(.sharesMemory) || process.lender == .none else { throw .einval }
    if flags.contains(.clearsDescriptors) {
      // What is closed already is not found again, so a call that was cut simply starts over.
      var budget = ProcessLimits.descriptorsPerTurn
      guard fileTable(process).closeRange(0, UInt32.max, budget: &budget) else { return cut(thread, .call) }
    }
    return .pair(0, 0)
  }

  private func continueFork(
    _ pending: PendingFork, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var budget = unitsPerTurn
    guard let child = try processes.continueFork(pending, process, &budget) else { return cut(thread, .fork(pending)) }
    guard pending.options.suspendsParent else { return .pair(UInt64(child.identifier), 0) }
    return park(
      thread, .lend(child: child.slot, identifier: child.identifier), on: .lentMemory(toSlot: child.slot.raw))
  }

  private func continueLending(
    _ child: ProcessSlot, _ identifier: Int32, _ thread: Thread, _ process: Process
  ) -> Outcome {
    if processes.isLent(to: child, identifier, by: process) {
      return park(thread, .lend(child: child, identifier: identifier), on: .lentMemory(toSlot: child.raw))
    }
    // The child may have become another user while it ran in this memory.
    space(process).account = process.credentials.account
    return .pair(UInt64(identifier), 0)
  }

  // MARK: execve

  func execute(
    _ arguments: Arguments, _ thread: Thread, _ process: Process, _ stagedByteCount: Int
  ) throws(Errno) -> Outcome {
    let execution = Execution(
      memory, path: thread.frame.value.buffer, pathByteCount: stagedByteCount,
      arguments: arguments.second, environment: arguments.third,
      stackLimit: UInt64(max(0, process.limit(.stack).soft)), account: process.credentials.account)
    return try continueExecution(execution, thread, process)
  }

  func continueExecution(
    _ execution: Execution, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var budget = ProcessLimits.executionStepsPerTurn
    while budget > 0 {
      budget -= 1
      switch try execution.step(process.addressSpace) {
      case .again: break
      case .wait(let channel): return park(thread, .execute(execution), on: channel)
      case .wantsFile: try execution.load(try executable(execution))
      case .complete:
        var files = ProcessLimits.descriptorsPerTurn
        guard fileTable(process).closeOnExec(budget: &files) else { return cut(thread, .execute(execution)) }
        processes.commit(execution, process, thread)
        processes.needsAttention = true
        return .registersSet
      }
    }
    return cut(thread, .execute(execution))
  }

  func executable(_ execution: Execution) throws(Errno) -> ExecutableImage {
    let content = try files.program(path: execution.path.span.extracting(0..<execution.pathByteCount - 1))
    return ExecutableImage(start: content.start, byteCount: content.byteCount)
  }

  // MARK: wait4

  func waitForChild(
    _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let options = WaitOptions(rawValue: UInt32(truncatingIfNeeded: arguments.third))
    guard options.isSubset(of: .known) else { throw .einval }
    switch try processes.pollChildren(integer(arguments.first), options, of: process) {
    case .notYet:
      if options.contains(.noHang) { return .value(0) }
      return park(thread, .waitForChild, on: .child(ofSlot: process.slot.raw))
    case .found(let identifier, let status, let usage):
      var result = PendingResult(value: UInt64(identifier))
      if arguments.second != 0 {
        stage(status.rawValue, at: 0, &thread.frame.value.buffer)
        result.append(address: arguments.second, offset: 0, byteCount: 4)
      }
      if arguments.fourth != 0 {
        encode(usage.rusage, at: 8, &thread.frame.value.buffer)
        result.append(address: arguments.fourth, offset: 8, byteCount: Rusage.byteCount)
      }
      _ = copyOut(result, thread, process)
      return .registersSet
    }
  }

  private func encode(_ usage: Rusage, at offset: Int, _ buffer: inout [1024 of UInt8]) {
    for position in stride(from: offset, to: offset + Rusage.byteCount, by: 8) {
      stage(UInt64(0), at: position, &buffer)
    }
    var span = buffer.mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    var part = bytes._mutatingExtracting(offset..<offset + Rusage.byteCount)
    usage.encode(into: &part)
  }

  func usage(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let usage: ResourceUsage
    switch integer(arguments.first) {
    case 0, 1:
      processes.charge()
      usage = process.currentUsage
    case -1: usage = process.childUsage
    default: throw .einval
    }
    encode(usage.rusage, at: 0, &thread.frame.value.buffer)
    return .copyOut(address: arguments.second, byteCount: Rusage.byteCount)
  }

  // MARK: Signals

  func kill(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let signal = Signal(rawValue: integer(arguments.second))
    guard signal.rawValue == 0 || signal.isValid else { throw .einval }
    let pending = try processes.kill(integer(arguments.first), signal.rawValue == 0 ? nil : signal, by: process)
    guard let pending else { return .value(0) }
    return try continueKill(pending, thread, process)
  }

  private func continueKill(
    _ pending: PendingKill, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var pending = pending
    return try processes.continueKill(&pending, by: process) ? .value(0) : cut(thread, .kill(pending))
  }

  /// sigaction(2), as far as it goes yet: SIG_DFL and SIG_IGN, and SA_NOCLDWAIT. Functions are refused with ENOSYS.
  func signalAction(
    _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let signal = Signal(rawValue: integer(arguments.first))
    guard signal.isValid else { throw .einval }
    let old: UInt64 = process.ignoredSignals.contains(signal) ? 1 : 0
    let oldFlags = signal == .sigchld && process.forgetsChildren ? SignalActionFlags.noChildWait : 0
    if arguments.second != 0 {
      let handler = thread.frame.value.buffer.span.loadUInt64(at: 0)
      guard handler == 0 || signal != .sigkill && signal != .sigstop else { throw .einval }
      guard handler <= 1 else { throw .enosys }
      if handler == 1 { process.ignoredSignals.insert(signal) } else { process.ignoredSignals.remove(signal) }
      if signal == .sigchld {
        let flags = thread.frame.value.buffer.span.loadUInt32(at: SignalActionFlags.offset)
        process.forgetsChildren = flags & SignalActionFlags.noChildWait != 0
      }
    }
    guard arguments.third != 0 else { return .value(0) }
    zero(&thread.frame.value.buffer, 32)
    stage(old, at: 0, &thread.frame.value.buffer)
    stage(oldFlags, at: SignalActionFlags.offset, &thread.frame.value.buffer)
    return .copyOut(address: arguments.third, byteCount: 32)
  }

  // MARK: Going on

  /// Goes on with a call from its continuation.
  func goOn(_ continuation: Continuation, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    switch continuation {
    case .read(let file, var transfer): return try continueRead(file, &transfer, thread, process)
    case .write(let file, var transfer): return try continueWrite(file, &transfer, thread, process)
    case .truncate(let file, var resize): return try continueTruncate(file, &resize, thread)
    case .open(let pending): return continueOpen(try files.finish(pending, in: fileTable(process)), thread)
    case .sleep(let deadline): return continueSleep(deadline, thread)
    case .waitForChild: return try waitForChild(callInProgress(thread).1, thread, process)
    case .kill(let pending): return try continueKill(pending, thread, process)
    case .execute(let execution): return try continueExecution(execution, thread, process)
    case .fork(let pending): return try continueFork(pending, thread, process)
    case .lend(let child, let identifier): return continueLending(child, identifier, thread, process)
    case .protect(let pending): return try continueProtect(pending, thread, process)
    case .unmap(let range, let dataEnd): return continueUnmap(range, dataEnd: dataEnd, thread, process)
    case .map(let pending, let value): return continueMap(pending, value, thread)
    case .closeRange(let low, let high): return continueCloseRange(low, high, thread, process)
    case .listNames(let pending): return try continueList(pending, thread, process)
    case .markCloseOnExec(let low, let high): return markRange(low, high, thread, process)
    case .random(let pending): return try continueRandom(pending, callInProgress(thread).1, thread, process)
    default: preconditionFailure("not a continuation of a call")
    }
  }
}

/// The flags of sigaction(2) that mean something yet (spec abi.md section 11).
private enum SignalActionFlags {
  /// Where they are in `struct sigaction`.
  static let offset = 8
  /// SA_NOCLDWAIT
  static let noChildWait: UInt32 = 0x20
}
