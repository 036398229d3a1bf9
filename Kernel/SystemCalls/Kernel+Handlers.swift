// Running a handler: the frame that it finds on its stack (spec signals.md section 1.12), and what a signal does to the call it
// interrupts.

import ABI
import Memory
import Primitives
import Processes

extension Kernel {
  /// Acts on a signal that is due to a thread before that goes on; whether there was one that could be acted on.
  func actOnSignal(_ thread: Thread, _ process: Process) -> Bool {
    guard processes.hasDueSignal(thread, process) else { return false }
    guard thread.continuation.isNone else {
      let acted = processes.actOnSignalInCall(thread, process)
      if acted { tracer?.end(process) }
      return acted
    }
    if processes.mayBeFastBlocked(thread, process) && !lookAtFastBlock(thread, process) { return true }
    switch processes.actOnSignal(thread, process) {
    case .nothing: return false
    case .done: break
    // That of a call that does not exist was told when it was made.
    case .ended(let information):
      tracer?.end(process)
      if information.signal != .sigsys || information.process != 0 {
        tellOfDeath(of: process, thread, information)
      }
    case .handler(let information): beginHandler(information, nil, thread, process)
    }
    return true
  }

  /// Asks the program whether it holds signals back; false when that has to be waited for, or was not to be found out.
  private func lookAtFastBlock(_ thread: Thread, _ process: Process) -> Bool {
    let result = process.space.borrow { space in
      Result { () throws(WordFailure) in try processes.lookAtFastBlock(thread, in: space) }
    }
    switch result {
    case .success: return true
    case .failure(.wait(let awaited)):
      thread.continuation = .phase(.signalWord)
      processes.park(thread, on: awaited)
    case .failure(.error):
      let address = thread.signals.fastBlockAddress
      thread.signals.fastBlockAddress = 0
      let exception = ProcessorException(vector: ExceptionVector.pageFault, errorCode: 0, address: address)
      raise(
        SignalInformation(.sigsegv, .segmentNotMapped, address: address, trap: .pageFault), exception, thread, process)
    }
    return false
  }

  /// A call whose sleep was ended by a signal that is caught: it gives EINTR, or begins anew when the handler is done.
  func concludeInterrupted(_ end: SleepEnd, _ thread: Thread, _ process: Process) {
    // Who was woken in the meantime does not care.
    if case .process(.userSleep) = thread.continuation, !processes.isAsleep(thread) { return }
    var isSuspended = false
    if case .process(.suspend) = thread.continuation {
      // When another thread took the signal, or its action, it sleeps on, until a handler of its own runs.
      guard processes.hasDueHandler(thread, process) else { return processes.forgetHarmless(thread, process) }
      isSuspended = true
    }
    let interruption = thread.continuation.interruption
    let restarts = interruption == .restarts || interruption == .restartsIfAsked && end == .restart
    switch interruption {
    case .none: return
    case .concludes: concludeByCall(thread, process)
    case .restarts, .restartsIfAsked, .fails:
      if case .process(.userSleep) = thread.continuation {
        guard restarts else { return concludeByCall(thread, process) }
        processes.endUserSleep(thread)
      }
      thread.continuation = .none
      thread.place = nil
      processes.releaseAwaitedFrame(thread)
      // The number of the call and its arguments are in their registers still: back to the instruction, of two bytes.
      if restarts { thread.context.rip &-= 2 } else { _ = fail(.eintr, thread) }
      tracer?.end(thread, process, restarts: restarts)
      // Before another thread can take the signal after all.
      if isSuspended { _ = actOnSignal(thread, process) }
    }
  }

  private func concludeByCall(_ thread: Thread, _ process: Process) {
    let continuation = thread.continuation
    thread.continuation = .none
    do throws(Errno) {
      _ = conclude(
        try SystemCall(kernel: self, thread: thread, process: process).concludeInterrupted(continuation), thread)
    } catch {
      _ = fail(error, thread)
    }
  }

  /// Something that a thread did: its handler runs at once, or the process ends.
  func raise(_ information: SignalInformation, _ exception: ProcessorException, _ thread: Thread, _ process: Process) {
    guard process.state == .running else { return }
    if processes.raise(information.signal, thread, process) {
      beginHandler(information, exception, thread, process)
    } else {
      tracer?.end(process)
      tellOfDeath(of: process, thread, information, exception)
    }
  }

  // MARK: The frame

  /// A thread sends its own process a signal, or itself, whose handler it is to run before it goes on: at once, when nothing
  /// else is due. Nil: the signal is to be posted.
  func handleAtOnce(_ information: SignalInformation, _ thread: Thread, _ process: Process) -> Answer? {
    guard tracer == nil, processes.runsHandler(of: information.signal, thread, process), mayGoOn else { return nil }
    processes.tellWatchers(of: information.signal, process)
    succeed(&thread.context, 0)
    return beginHandler(information, nil, thread, process) ? .entered : .left
  }

  /// Makes the frame of a handler in the thread's buffer, and begins to store it on the stack that is meant. Whether it has
  /// begun.
  @discardableResult
  private func beginHandler(
    _ information: SignalInformation, _ exception: ProcessorException?, _ thread: Thread, _ process: Process
  ) -> Bool {
    let alternate = thread.signals.alternateStack
    tracer?.end(thread, process)
    let entry = processes.enterHandler(information.signal, thread, process)
    tracer?.handle(information, handler: entry.handler, process)
    processes.saveFloatingPoint(of: thread)
    let stackPointer = thread.context.rsp
    var top = stackPointer &- SignalFrame.redZoneByteCount
    if entry.usesAlternateStack && alternate.isEnabled && !alternate.contains(stackPointer) {
      top = alternate.start &+ alternate.byteCount
    }
    let extendedByteCount = processes.extendedStateByteCount
    var extendedAddress: UInt64 = 0
    if extendedByteCount > 0 {
      top = (top &- UInt64(extendedByteCount)) & ~63
      extendedAddress = top
    }
    let frame = (top &- UInt64(SignalFrame.byteCount)) & ~15
    thread.staged(UInt64.self, at: SignalFrame.handler).value = entry.handler
    thread.staged(UInt64.self, at: SignalFrame.handler + 8).value = 0
    thread.stageContext(at: SignalFrame.context, mask: entry.mask)
    thread.stageException(exception, information)
    thread.stageExtended(extendedAddress, extendedByteCount)
    thread.stageStack(alternate)
    // Also without SA_SIGINFO, until the registers are set.
    thread.staged(SignalInformation.Words.self, at: SignalFrame.information).value = information.words
    let pending = PendingSignalFrame(
      frameAddress: frame, extendedAddress: extendedAddress, extendedByteCount: extendedByteCount,
      wantsInformation: entry.wantsInformation)
    if process.space.borrow({ pending.storeAtOnce(thread, $0) }) {
      pending.enter(thread)
      processes.resetFloatingPoint(of: thread)
      return true
    }
    thread.stageFloatingPoint(at: SignalFrame.context)
    storeFrame(pending, thread, process)
    return false
  }

  /// Stores the frame from where it stopped, then enters the handler. A stack that cannot be written ends the process.
  func storeFrame(_ frame: PendingSignalFrame, _ thread: Thread, _ process: Process) {
    var frame = frame
    let outcome = process.space.borrow { frame.store(thread, $0) }
    switch outcome {
    case .complete:
      frame.enter(thread)
      processes.resetFloatingPoint(of: thread)
      thread.continuation = .none
    case .fault, .tooLong:
      thread.continuation = .none
      processes.beginExit(process, .terminated(.sigill))
      tellOfDeath(of: process, thread, SignalInformation(.sigill))
    case .wait(let awaited):
      thread.continuation = .phase(.signalFrame(frame))
      processes.park(thread, on: awaited)
    }
  }
}

extension PendingSignalFrame {
  /// Stores everything, if all of it lies in one page that can be written now: what is staged, and the floating point state
  /// from where it lies. Otherwise nothing has happened.
  fileprivate func storeAtOnce(_ thread: Thread, _ space: AddressSpace) -> Bool {
    let gap = extendedByteCount == 0 ? 0 : extendedAddress &- frameAddress
    let byteCount = extendedByteCount == 0 ? SignalFrame.byteCount : Int(gap) + extendedByteCount
    guard let place = space.translate(VirtualAddress(frameAddress), byteCount: byteCount, .write) else { return false }
    let physical = space.system.physical
    let state = SignalFrame.context + UserContext.floatingPoint
    let rest = SignalFrame.context + UserContext.fsBase
    let end = wantsInformation ? SignalFrame.byteCount : SignalFrame.information
    physical.copy(thread.bufferAddress, to: place, byteCount: state)
    physical.copy(thread.floatingPointAddress, to: place + UInt64(state), byteCount: rest - state)
    physical.copy(thread.bufferAddress + UInt64(rest), to: place + UInt64(rest), byteCount: end - rest)
    if !wantsInformation { physical.zero(place + UInt64(end), byteCount: SignalFrame.byteCount - end) }
    if extendedByteCount > 0 {
      physical.copy(
        thread.floatingPointAddress + UInt64(UserContext.legacyByteCount), to: place + gap,
        byteCount: extendedByteCount)
    }
    return true
  }

  /// Stores what is left.
  fileprivate mutating func store(_ thread: Thread, _ space: AddressSpace) -> UserCopyOutcome {
    if progress < extendedByteCount {
      let bytes = RawSpan(_elements: thread.frame.value.context.floatingPoint.span)
        .extracting(512..<512 + extendedByteCount)
      let outcome = space.copyOut(bytes, to: VirtualAddress(extendedAddress), progress: &progress)
      guard case .complete = outcome else { return outcome }
    }
    var rest = progress - extendedByteCount
    let count = wantsInformation ? SignalFrame.byteCount : SignalFrame.information
    if rest < count {
      let bytes = RawSpan(_elements: thread.frame.value.buffer.span).extracting(0..<count)
      let outcome = space.copyOut(bytes, to: VirtualAddress(frameAddress), progress: &rest)
      progress = extendedByteCount + rest
      guard case .complete = outcome else { return outcome }
    }
    guard count < SignalFrame.byteCount else { return .complete }
    // No siginfo_t is wanted: zeros.
    var zeros = progress - extendedByteCount - count
    let outcome = space.zeroOut(
      to: VirtualAddress(frameAddress &+ UInt64(count)), byteCount: SignalFrame.byteCount - count, progress: &zeros)
    progress = extendedByteCount + count + zeros
    return outcome
  }

  /// The registers that the handler, or rather the trampoline, begins with.
  fileprivate func enter(_ thread: Thread) {
    let information = SignalFrame.information
    let context = frameAddress &+ UInt64(SignalFrame.context)
    let code = UInt64(bitPattern: Int64(thread.staged(Int32.self, at: information + 8).value))
    thread.context.rdi = UInt64(thread.staged(UInt32.self, at: information).value)
    thread.context.rsi = wantsInformation ? frameAddress &+ UInt64(information) : code
    thread.context.rdx = context
    thread.context.rcx = thread.staged(UInt64.self, at: information + 24).value
    thread.context.rip = ABI.UserSpace.signalTrampoline
    thread.context.rsp = frameAddress
    thread.context.rflags &= ~UserContext.flagsClearedForHandlers
    thread.context.returnPath = 1
  }
}

extension Thread {
  fileprivate func stageException(_ exception: ProcessorException?, _ information: SignalInformation) {
    guard let exception else { return }
    let record = stagedContext(at: SignalFrame.context)
    record.value.trapNumber = UInt32(truncatingIfNeeded: information.reason)
    record.value.address = exception.vector == ExceptionVector.pageFault ? exception.address : 0
    record.value.error = exception.errorCode
  }

  fileprivate func stageExtended(_ address: UInt64, _ byteCount: Int) {
    guard byteCount > 0 else { return }
    let record = stagedContext(at: SignalFrame.context)
    record.value.flags = UserContext.hasSelectors | UserContext.hasExtended
    record.value.rest.extended = address
    record.value.rest.extendedLength = UInt64(byteCount)
  }

  fileprivate func stageStack(_ stack: AlternateStack) {
    let record = stagedContext(at: SignalFrame.context)
    record.value.rest.stackStart = stack.start
    record.value.rest.stackByteCount = stack.byteCount
    record.value.rest.stackFlags = UInt64(stack.flags(stackPointer: context.rsp))
  }
}
