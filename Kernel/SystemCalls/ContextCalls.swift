// sigreturn(2), getcontext(2), setcontext(2), swapcontext(2): registers that lie in a program's memory (spec signals.md section
// 1.13).
//
// Invariant: what a program brings is checked whole before anything of it is taken, so that the processor never refuses in ring
// 0 what is loaded later.

import ABI
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareSignalFrameCalls() {
    declare(.sigreturn, "sigreturn", 1, copyIn: .structure(argument: 0, byteCount: UserContext.byteCount)) {
      call throws(Errno) in try call.signalReturn()
    }
    declare(.getcontext, "getcontext", 1) { call throws(Errno) in
      guard !call.arguments.first.isNull else { throw .einval }
      call.stageOwnContext()
      return call.deliver(UserContext.storedByteCount, to: call.arguments.first.address)
    }
    declare(
      .setcontext, "setcontext", 1,
      copyIn: .chosen { call throws(Errno) in
        guard !call.arguments.first.isNull else { throw .einval }
        return .bytes(call.arguments.first.range(UserContext.byteCount))
      }
    ) { call throws(Errno) in try call.setContext() }
    declare(.swapcontext, "swapcontext", 2) { call throws(Errno) in try call.swapContext() }
  }
}

/// What of a context may be taken, and how strictly it is looked at.
private enum ContextKind {
  case signal
  case user
}

extension SystemCall {
  // MARK: Storing

  /// Puts the thread's registers into the buffer as a ucontext_t, without alternate stack, exception and extended state.
  func stageContext(at offset: Int, mask: SignalSet) {
    zero(from: offset + UserContext.trapNumber, UserContext.instructionPointer - UserContext.trapNumber)
    zero(from: offset + UserContext.extended, UserContext.byteCount - UserContext.extended)
    stage(mask, at: offset + UserContext.mask)
    let context = thread.context
    let isOnStack: UInt64 = thread.signals.alternateStack.contains(context.rsp) ? 1 : 0
    stage(isOnStack, at: offset + UserContext.onStack)
    let registers: [15 of UInt64] = [
      context.rdi, context.rsi, context.rdx, context.rcx, context.r8, context.r9, context.rax, context.rbx, context.rbp,
      context.r10, context.r11, context.r12, context.r13, context.r14, context.r15,
    ]
    for index in 0..<15 { stage(registers[index], at: offset + UserContext.registers + 8 * index) }
    stage(UserContext.upperSelectorsOfPrograms, at: offset + UserContext.upperSelectors)
    stage(UserContext.hasSelectors, at: offset + UserContext.flags)
    let selector = UserContext.dataSelectorOfPrograms
    stage(UInt32(selector | selector << 16), at: offset + UserContext.dataSelectors)
    stage(context.rip, at: offset + UserContext.instructionPointer)
    stage(UserContext.codeSelectorOfPrograms, at: offset + UserContext.codeSelector)
    stage(context.rflags, at: offset + UserContext.processorFlags)
    stage(context.rsp, at: offset + UserContext.stackPointer)
    stage(selector, at: offset + UserContext.stackSelector)
    stage(UserContext.registersByteCount, at: offset + UserContext.length)
    stage(UserContext.vectorFloatingPoint, at: offset + UserContext.floatingPointFormat)
    stage(UserContext.ownedFloatingPoint, at: offset + UserContext.floatingPointOwner)
    for index in 0..<64 {
      stage(thread.context.floatingPoint[index], at: offset + UserContext.floatingPoint + 8 * index)
    }
    stage(context.fsBase, at: offset + UserContext.fsBase)
    stage(context.gsBase, at: offset + UserContext.gsBase)
  }

  /// What getcontext(2) stores: as if the call had returned 0.
  fileprivate func stageOwnContext() {
    kernel.processes.saveFloatingPoint(of: thread)
    stageContext(at: 0, mask: thread.signals.mask)
    // The seventh and the third of the registers.
    stage(UInt64(0), at: UserContext.registers + 48)
    stage(UInt64(0), at: UserContext.registers + 16)
    stage(thread.context.rflags & ~ThreadContext.carryFlag, at: UserContext.processorFlags)
  }

  // MARK: Loading

  /// sigreturn(2), in FreeBSD's order. It leaves with the registers exactly as they were given.
  fileprivate func signalReturn() throws(Errno) -> Answer {
    guard stagedWord(at: UserContext.flags) & ~7 == 0 else { throw .einval }
    let difference = stagedLong(at: UserContext.processorFlags) ^ thread.context.rflags
    guard difference & ~UserContext.changeableFlags == 0 else { throw .einval }
    guard stagedLong(at: UserContext.codeSelector) & 3 == 3 else { throw refuse() }
    return try load(.signal)
  }

  fileprivate func setContext() throws(Errno) -> Answer {
    guard stagedLong(at: UserContext.length) == UserContext.registersByteCount,
      stagedWord(at: UserContext.flags) & ~7 == 0
    else { throw .einval }
    return try load(.user)
  }

  /// What setcontext(2) does, with the context at the front of the buffer; false when that has to wait.
  func takeContext() throws(Errno) -> Bool {
    if case .restart = try setContext() { return false }
    return true
  }

  fileprivate func swapContext() throws(Errno) -> Answer {
    let (old, new) = (arguments.first, arguments.second)
    guard !old.isNull, !new.isNull else { throw .einval }
    stageOwnContext()
    guard try put(old.range(UserContext.storedByteCount)), try fetch(new.range(UserContext.byteCount)) else {
      return .restart
    }
    return try setContext()
  }

  /// What would make the processor fault on the way to ring 3: SIGBUS, and EINVAL.
  private func refuse() -> Errno {
    _ = kernel.processes.post(
      SignalInformation(.sigbus, .busObject, address: thread.context.rip, trap: .protection), to: process, thread,
      isItsOwn: true)
    return .einval
  }

  private func load(_ kind: ContextKind) throws(Errno) -> Answer {
    let flags = stagedWord(at: UserContext.flags)
    let takesBases = kind == .signal || flags & UserContext.hasBases != 0
    let (fsBase, gsBase) = (stagedLong(at: UserContext.fsBase), stagedLong(at: UserContext.gsBase))
    if takesBases && (fsBase >= ABI.UserSpace.end || gsBase >= ABI.UserSpace.end) { throw refuse() }
    guard try loadFloatingPoint(hasExtended: flags & UserContext.hasExtended != 0) else { return .restart }
    if takesBases {
      thread.context.fsBase = fsBase
      thread.context.gsBase = gsBase
    }
    loadRegisters(kind)
    kernel.processes.setMask(stagedSet(at: UserContext.mask), of: thread, process)
    thread.context.returnPath = 1
    // The machine loads the bases only on the way out of `next()`.
    kernel.processes.needsAttention = true
    return .left
  }

  private func loadRegisters(_ kind: ContextKind) {
    func register(_ index: Int) -> UInt64 { stagedLong(at: UserContext.registers + 8 * index) }
    thread.context.rdi = register(0)
    thread.context.rsi = register(1)
    thread.context.rdx = register(2)
    thread.context.rcx = register(3)
    thread.context.r8 = register(4)
    thread.context.r9 = register(5)
    thread.context.rax = register(6)
    thread.context.rbx = register(7)
    thread.context.rbp = register(8)
    thread.context.r10 = register(9)
    thread.context.r11 = register(10)
    thread.context.r12 = register(11)
    thread.context.r13 = register(12)
    thread.context.r14 = register(13)
    thread.context.r15 = register(14)
    thread.context.rip = stagedLong(at: UserContext.instructionPointer)
    thread.context.rsp = stagedLong(at: UserContext.stackPointer)
    let kept = kind == .signal ? 0 : thread.context.rflags & ~UserContext.changeableFlags
    let given = stagedLong(at: UserContext.processorFlags)
    thread.context.rflags = kind == .signal ? given : kept | given & UserContext.changeableFlags
  }

  /// Takes the floating point state of a context; false when the call has to be answered with `restart`.
  private func loadFloatingPoint(hasExtended: Bool) throws(Errno) -> Bool {
    let unit = kernel.processes.floatingPoint
    let length = stagedLong(at: UserContext.extendedLength)
    if hasExtended {
      guard length <= UInt64(unit.extendedByteCount) else { throw .einval }
      let range = UserRange(
        start: VirtualAddress(stagedLong(at: UserContext.extended)), byteCount: Int(truncatingIfNeeded: length))
      guard try fetchExtended(range) else { return false }
    }
    let format = stagedLong(at: UserContext.floatingPointFormat)
    if format == UserContext.withoutFloatingPoint { return true }
    guard format == UserContext.vectorFloatingPoint else { throw .einval }
    let owner = stagedLong(at: UserContext.floatingPointOwner)
    if owner == UserContext.unusedFloatingPoint {
      kernel.processes.reloadFloatingPoint(of: thread)
      thread.context.setCleanFloatingPoint()
      return true
    }
    guard owner == UserContext.ownedFloatingPoint || owner == UserContext.storedFloatingPoint else { throw .einval }
    if hasExtended {
      guard unit.extendedByteCount > 0 else { throw .eopnotsupp }
      guard length >= 64, extendedWord(0) & ~unit.components == 0 else { throw .einval }
    }
    takeFloatingPoint(extendedByteCount: hasExtended ? Int(truncatingIfNeeded: length) : 0, unit.vectorStatusMask)
    return true
  }

  private func fetchExtended(_ range: UserRange) throws(Errno) -> Bool {
    guard range.byteCount > 0 else { return true }
    var progress = 0
    let outcome = thread.frame.value.extendedState.withMutableBytes { bytes in
      var room = bytes._mutatingExtracting(0..<range.byteCount)
      return space.copyIn(from: range.start, into: &room, progress: &progress)
    }
    return try isDone(outcome)
  }

  private func extendedWord(_ index: Int) -> UInt64 { thread.frame.value.extendedState.span.loadUInt64(at: 8 * index) }

  /// Components x87 and SSE, which lie in the first 512 bytes.
  private static let legacyComponents: UInt64 = 0b11

  /// Writes what was given into the floating point area of the context. Of the header only the components count: the rest must
  /// be zero for the processor.
  private func takeFloatingPoint(extendedByteCount: Int, _ vectorStatusMask: UInt32) {
    kernel.processes.saveFloatingPoint(of: thread)
    kernel.processes.reloadFloatingPoint(of: thread)
    for index in 0..<64 {
      thread.context.floatingPoint[index] = stagedLong(at: UserContext.floatingPoint + 8 * index)
    }
    // MXCSR; bits that are reserved would be refused.
    let status = thread.context.floatingPoint[3]
    thread.context.floatingPoint[3] = status & ~UInt64(UInt32.max) | status & UInt64(vectorStatusMask)
    let unit = kernel.processes.floatingPoint
    guard unit.extendedByteCount > 0 else { return }
    let components = extendedByteCount > 0 ? extendedWord(0) : thread.context.floatingPoint[64]
    thread.context.floatingPoint[64] = components | SystemCall.legacyComponents
    for index in 65..<72 { thread.context.floatingPoint[index] = 0 }
    for index in 8..<max(8, extendedByteCount / 8) {
      thread.context.floatingPoint[64 + index] = extendedWord(index)
    }
  }
}
