// fork(2), execve(2), wait4(2), getrusage(2) and their like.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareProcessCalls() {
    declare(.exit, "exit", [.integer]) { call throws(Errno) in
      call.process.exitValue = call.arguments.first.integer
      call.kernel.processes.beginExit(call.process, .exited(call.arguments.first.integer))
      return .left
    }
    let child = MemoryDemand.refuses(.enomem, HeapCost.child)
    declare(.fork, "fork", [], child) { call throws(Errno) in try call.fork(ForkOptions()) }
    declare(.vfork, "vfork", [], child) { call throws(Errno) in try call.fork(.virtual) }
    declare(.rfork, "rfork", [.bits], child) { call throws(Errno) in try call.forkPartly() }
    declare(
      .execve, "execve", [.path, .pointer, .pointer], copyIn: .path(argument: 0), .refuses(.enomem, HeapCost.execution)
    ) {
      call throws(Errno) in try call.execute()
    }
    declare(.wait4, "wait4", [.integer, .pointer, .bits, .pointer]) { call throws(Errno) in try call.waitForChild() }
    declare(.wait6, "wait6", [.integer, .long, .pointer, .bits, .pointer, .pointer]) { call throws(Errno) in
      try call.waitForSelected()
    }
    declare(.schedYield, "sched_yield", []) { call throws(Errno) in
      guard call.kernel.processes.scheduler.hasReady else { return .value(0) }
      let answer = call.leave(with: 0)
      call.kernel.processes.yield()
      return answer
    }
    declare(.thrSelf, "thr_self", [.pointer]) { call throws(Errno) in
      call.deliver(UInt64(call.thread.identifier), to: call.arguments.first.address)
    }
    declare(.getrusage, "getrusage", [.integer, .pointer]) { call throws(Errno) in try call.usage() }
    declareControlCall()
    declareSignalCalls()
    declareSignalFrameCalls()
    declareFamilyCalls()
  }

  private mutating func declareControlCall() {
    declare(
      .procctl, "procctl", [.integer, .long, .integer, .pointer],
      copyIn: .chosen { call throws(Errno) in
        guard call.arguments.third.integer == ProcessControl.protect else { throw .einval }
        return .bytes(call.arguments.fourth.range(4))
      }
    ) { call throws(Errno) in
      let wanted = call.arguments
      try call.kernel.processes.protect(
        IdentifierType(rawValue: wanted.first.integer), wanted.second.long, call.stagedWord(at: 0), by: call.process)
      return .value(0)
    }
  }

  private mutating func declareFamilyCalls() {
    declare(.getpid, "getpid", []) { call throws(Errno) in .value(UInt64(UInt32(bitPattern: call.process.identifier))) }
    declare(.getppid, "getppid", []) { call throws(Errno) in
      .value(UInt64(call.kernel.processes[call.process.parent]?.identifier ?? 0))
    }
    declare(.getpgrp, "getpgrp", []) { call throws(Errno) in .value(UInt64(call.process.groupIdentifier)) }
    declare(.setpgid, "setpgid", [.integer, .integer]) { call throws(Errno) in
      try call.kernel.processes.setProcessGroup(
        call.arguments.first.integer, call.arguments.second.integer, by: call.process)
      return .value(0)
    }
    declare(.getpgid, "getpgid", [.integer]) { call throws(Errno) in
      .value(UInt64(try call.kernel.processes.processGroup(of: call.arguments.first.integer, by: call.process)))
    }
    declare(.setsid, "setsid", []) { call throws(Errno) in
      .value(UInt64(try call.kernel.processes.makeSession(call.process)))
    }
    declare(.getsid, "getsid", [.integer]) { call throws(Errno) in
      .value(UInt64(try call.kernel.processes.session(of: call.arguments.first.integer, by: call.process)))
    }
  }
}

extension SystemCall {
  // MARK: Going on

  /// Ends a call whose sleep a caught signal has ended, where that stores more than a result.
  func concludeInterrupted(_ continuation: consuming Continuation) throws(Errno) -> Answer {
    switch consume continuation {
    case .process(.sleep(let sleep)): try concludeInterrupted(sleep)
    case .process(.awaitSignal): try endSignalWait(.eintr)
    case .process(.userSleep): try concludeInterruptedSleep()
    case .file(.message(let file, let transfer)): try conclude(file, transfer)
    case .file(.sendFile(let sending)): try concludeInterruptedSending(sending)
    case .file(let remainder): .value(remainder.result)
    default: throw .eintr
    }
  }

  /// Goes on with a call on processes.
  func goOn(_ remainder: ProcessContinuation) throws(Errno) -> Answer {
    switch remainder {
    case .suspend: suspend()
    case .awaitSignal(let deadline): try continueSignalWait(deadline)
    case .sleep(let sleep): try goOn(sleep)
    case .clockStep(let slot): continueClockStep(from: slot)
    case .priorities: try continuePriorities()
    case .kill(let pending): try continueKill(pending)
    case .execute(let execution): try continueExecution(execution)
    case .fork(let pending): try continueFork(pending)
    case .lend(let child, let identifier): continueLending(child, identifier)
    case .userSleep(let phase): try goOn(phase)
    case .suspension(let deadline): try continueSuspension(until: deadline)
    }
  }

  // MARK: fork

  fileprivate func fork(_ options: ForkOptions) throws(Errno) -> Answer {
    if let answer = waitForEdit() { return answer }
    return try continueFork(try kernel.processes.beginFork(process, thread, options))
  }

  /// rfork(2), checked in FreeBSD's order (spec abi.md section 15). RFSPAWN is refused, so that posix_spawn(3) takes vfork(2).
  /// What cannot be shared here is refused with EINVAL: memory while the parent goes on, descriptor tables, signal
  /// dispositions.
  fileprivate func forkPartly() throws(Errno) -> Answer {
    let flags = ForkFlags(rawValue: arguments.first.word)
    guard flags.isSubset(of: .known), !flags.isSuperset(of: [.copiesDescriptors, .clearsDescriptors]) else {
      throw .einval
    }
    let tellsBySignal = flags.contains(.endsWithSignal)
    guard tellsBySignal || flags.signal.rawValue == 0, flags.signal.rawValue <= Signal.maximumRawValue else {
      throw .einval
    }
    guard flags.contains(.makesProcess) else { return try divorce(flags) }
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
    return try fork(options)
  }

  /// rfork(2) without RFPROC: what the flags say happens to the caller. Its descriptors are its own already.
  private func divorce(_ flags: ForkFlags) throws(Errno) -> Answer {
    // Memory that was lent by a parent who waits stays that parent's.
    guard flags.contains(.sharesMemory) || process.lender == .none else { throw .einval }
    if flags.contains(.clearsDescriptors) {
      // What is closed already is not found again, so a call that was cut simply starts over.
      var budget = FileLimits.descriptorsPerStep
      guard table.closeRange(0, UInt32.max, budget: &budget) else { return goOnLater(.phase(.whole)) }
    }
    return .pair(0, 0)
  }

  private func continueFork(_ pending: PendingFork) throws(Errno) -> Answer {
    var budget = kernel.unitsPerTurn
    let space = self.space
    let child: Process?
    do throws(Errno) {
      child = try kernel.processes.continueFork(pending, process, thread, &budget)
    } catch {
      space.endEdit(by: thread.identifier)
      throw error
    }
    guard let child else {
      // What is copied is not changed meanwhile.
      space.beginEdit(by: thread.identifier)
      return goOnLater(.process(.fork(pending)))
    }
    space.endEdit(by: thread.identifier)
    guard pending.options.suspendsParent else { return .pair(UInt64(child.identifier), 0) }
    return wait(
      on: Wait(.lentMemory(toSlot: child.slot.raw)),
      then: .process(.lend(child: child.slot, identifier: child.identifier)))
  }

  private func continueLending(_ child: ProcessSlot, _ identifier: Int32) -> Answer {
    if kernel.processes.isLent(to: child, identifier, by: process) {
      return wait(
        on: Wait(.lentMemory(toSlot: child.raw)), then: .process(.lend(child: child, identifier: identifier)))
    }
    // The child may have become another user while it ran in this memory.
    space.account = process.credentials.account
    return .pair(UInt64(identifier), 0)
  }

  // MARK: execve

  fileprivate func execute() throws(Errno) -> Answer {
    let execution = Execution(
      kernel.memory, path: buffer, pathByteCount: stagedByteCount,
      arguments: arguments.second.raw, environment: arguments.third.raw,
      stackLimit: UInt64(max(0, process.limit(.stack).soft)), account: process.credentials.account)
    return try continueExecution(execution)
  }

  private func continueExecution(_ execution: Execution) throws(Errno) -> Answer {
    for _ in 0..<ProcessLimits.executionStepsPerTurn {
      if execution.needsFile {
        let content = try executable(execution)
        try execution.load(ExecutableImage(start: content.start, byteCount: content.byteCount), content)
        continue
      }
      let progress = try execution.step(process.addressSpace)
      switch progress {
      case .again: break
      case .wait: return unfinished(progress, .process(.execute(execution)))
      case .complete:
        // First, so that no other thread finds descriptors closed, or opens more.
        if let awaited = kernel.processes.becomeOnlyThread(thread, of: process) {
          return wait(on: awaited, then: .process(.execute(execution)))
        }
        if let answer = try leaveRobustMutexes(then: execution) { return answer }
        var budget = FileLimits.descriptorsPerStep
        guard table.closeOnExec(budget: &budget) else { return goOnLater(.process(.execute(execution))) }
        kernel.processes.commit(execution, process, thread)
        kernel.processes.processor.needsAttention = true
        return .left
      }
    }
    return goOnLater(.process(.execute(execution)))
  }

  private func executable(_ execution: Execution) throws(Errno) -> FileContent {
    try kernel.files.program(path: execution.path.span.extracting(0..<execution.pathByteCount - 1))
  }

  // MARK: wait4

  fileprivate func waitForChild() throws(Errno) -> Answer {
    let options = WaitOptions(rawValue: arguments.third.word)
    guard options.isSubset(of: .known) else { throw .einval }
    let selection = ChildSelection(target: arguments.first.integer, by: process)
    switch try kernel.processes.pollChildren(selection, options.union([.exited, .trapped]), of: process) {
    case .notYet:
      if options.contains(.noHang) { return .value(0) }
      return wait(on: Wait(.child(ofSlot: process.slot.raw)), then: .phase(.whole))
    case .found(let report):
      var usage = report.usage
      usage.add(report.childUsage)
      stage(report.status.rawValue, at: 0)
      stage(usage.rusage, at: 8)
      beginDelivery(value: UInt64(report.identifier))
      addPiece(at: 0, 4, to: arguments.second)
      addPiece(at: 8, Rusage.byteCount, to: arguments.fourth)
      return .deliver
    }
  }

  /// wait6(2) (spec signals.md section 1.16).
  fileprivate func waitForSelected() throws(Errno) -> Answer {
    let options = WaitOptions(rawValue: arguments.fourth.word)
    guard options.isSubset(of: .knownToWait6), !options.isDisjoint(with: .events) else { throw .einval }
    var selection = ChildSelection(IdentifierType(rawValue: arguments.first.integer), arguments.second.long)
    if selection.identifier == 0 && (selection.type == .process || selection.type == .processGroup) {
      selection = ChildSelection(.processGroup, Int64(process.groupIdentifier))
    }
    let (statusPlace, usagePlace, informationPlace) = (arguments.third, arguments.fifth, arguments.sixth)
    switch try kernel.processes.pollChildren(selection, options, of: process) {
    case .notYet:
      guard options.contains(.noHang) else {
        return wait(on: Wait(.child(ofSlot: process.slot.raw)), then: .phase(.whole))
      }
      zero(SignalInformation.byteCount)
      beginDelivery()
      addPiece(at: 0, SignalInformation.byteCount, to: informationPlace)
    case .found(let report):
      var information = SignalInformation(.sigchld, report.code)
      information.process = report.identifier
      information.user = report.user
      information.status = report.value
      stage(information, at: 0)
      stage(report.status.rawValue, at: 80)
      stage(report.usage.rusage, at: 88)
      stage(report.childUsage.rusage, at: 88 + Rusage.byteCount)
      beginDelivery(value: UInt64(report.identifier))
      addPiece(at: 80, 4, to: statusPlace)
      addPiece(at: 88, 2 * Rusage.byteCount, to: usagePlace)
      addPiece(at: 0, SignalInformation.byteCount, to: informationPlace)
    }
    return .deliver
  }

  private func stage(_ usage: Rusage, at offset: Int) {
    zero(from: offset, Rusage.byteCount)
    encode { buffer in
      var part = buffer._mutatingExtracting(offset..<offset + Rusage.byteCount)
      usage.encode(into: &part)
    }
  }

  fileprivate func usage() throws(Errno) -> Answer {
    switch arguments.first.integer {
    case Rusage.ofProcess:
      kernel.processes.charge()
      stage(process.currentUsage.rusage, at: 0)
    case Rusage.ofThread:
      kernel.processes.charge()
      var usage = thread.frame.value.attributes.usage
      usage.noteResidentPages(process.currentUsage.largestResidentPageCount)
      stage(usage.rusage, at: 0)
    case Rusage.ofChildren: stage(process.childUsage.rusage, at: 0)
    default: throw .einval
    }
    return deliver(Rusage.byteCount, to: arguments.second.address)
  }
}
