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
    declare(
      .sigreturn, "sigreturn", [.pointer],
      copyIn: .chosen { call throws(Errno) in
        call.contextPlace == nil ? .bytes(call.arguments.first.range(UserContext.byteCount)) : .nothing
      }
    ) { call throws(Errno) in try call.signalReturn() }
    declare(.getcontext, "getcontext", [.pointer]) { call throws(Errno) in
      guard !call.arguments.first.isNull else { throw .einval }
      call.stageOwnContext()
      return call.deliver(UserContext.storedByteCount, to: call.arguments.first.address)
    }
    declare(
      .setcontext, "setcontext", [.pointer],
      copyIn: .chosen { call throws(Errno) in
        guard !call.arguments.first.isNull else { throw .einval }
        return .bytes(call.arguments.first.range(UserContext.byteCount))
      }
    ) { call throws(Errno) in try call.setContext() }
    declare(.swapcontext, "swapcontext", [.pointer, .pointer]) { call throws(Errno) in try call.swapContext() }
  }
}

/// What of a context may be taken, and how strictly it is looked at.
private enum ContextKind {
  case signal
  case user
}

extension Thread {
  // MARK: Storing

  /// Puts the registers into the buffer as a ucontext_t, without alternate stack, exception and floating point state.
  func stageContext(at offset: Int, mask: SignalSet) {
    let record = stagedContext(at: offset)
    record.value.maskLow = mask.low
    record.value.maskHigh = mask.high
    record.value.onStack = signals.alternateStack.contains(context.rsp) ? 1 : 0
    stageRegisters(record)
    record.value.trapNumber = 0
    record.value.upperSelectors = UserContext.upperSelectorsOfPrograms
    record.value.address = 0
    record.value.flags = UserContext.hasSelectors
    let selector = UserContext.dataSelectorOfPrograms
    record.value.dataSelectors = UInt32(selector | selector << 16)
    record.value.error = 0
    record.value.instructionPointer = context.rip
    record.value.codeSelector = UserContext.codeSelectorOfPrograms
    record.value.processorFlags = context.rflags
    record.value.stackPointer = context.rsp
    record.value.stackSelector = selector
    record.value.length = UserContext.registersByteCount
    record.value.floatingPointFormat = UserContext.vectorFloatingPoint
    record.value.floatingPointOwner = UserContext.ownedFloatingPoint
    record.value.fsBase = context.fsBase
    record.value.gsBase = context.gsBase
    record.value.rest = UserContextRecord.Rest()
  }

  /// Puts the legacy part of the floating point state, which is saved, into the ucontext_t.
  func stageFloatingPoint(at offset: Int) { stagedContext(at: offset).value.floatingPoint = legacyFloatingPoint.value }

  private func stageRegisters(_ record: PinnedRecord<UserContextRecord>) {
    record.value.rdi = context.rdi
    record.value.rsi = context.rsi
    record.value.rdx = context.rdx
    record.value.rcx = context.rcx
    record.value.r8 = context.r8
    record.value.r9 = context.r9
    record.value.rax = context.rax
    record.value.rbx = context.rbx
    record.value.rbp = context.rbp
    record.value.r10 = context.r10
    record.value.r11 = context.r11
    record.value.r12 = context.r12
    record.value.r13 = context.r13
    record.value.r14 = context.r14
    record.value.r15 = context.r15
  }
}

extension SystemCall {
  /// What getcontext(2) stores: as if the call had returned 0.
  fileprivate func stageOwnContext() {
    kernel.processes.saveFloatingPoint(of: thread)
    thread.stageContext(at: 0, mask: thread.signals.mask)
    thread.stageFloatingPoint(at: 0)
    staged.value.rax = 0
    staged.value.rdx = 0
    staged.value.processorFlags = thread.context.rflags & ~ThreadContext.carryFlag
  }

  // MARK: Loading

  /// The context at the front of the buffer.
  private var staged: PinnedRecord<UserContextRecord> { thread.stagedContext(at: 0) }

  /// Where the context of a sigreturn(2) lies, if all of it can be read in one piece now: then nothing but its registers goes
  /// through the buffer.
  fileprivate var contextPlace: PhysicalAddress? {
    spaceReference.borrow { $0.translate(arguments.first.address, byteCount: UserContext.byteCount, .read) }
  }

  /// Takes the registers of the context over into the buffer, unless all of it was copied there.
  private func fetchRegisters() -> PhysicalAddress? {
    guard stagedByteCount == 0, let place = contextPlace else { return nil }
    let physical = kernel.memory.physical
    let rest = UInt64(UserContext.fsBase)
    physical.copy(place, to: thread.bufferAddress, byteCount: UserContext.floatingPoint)
    physical.copy(
      place + rest, to: thread.bufferAddress + rest, byteCount: UserContext.byteCount - UserContext.fsBase)
    return place + UInt64(UserContext.floatingPoint)
  }

  /// sigreturn(2), in FreeBSD's order. It leaves with the registers exactly as they were given.
  fileprivate func signalReturn() throws(Errno) -> Answer {
    let state = fetchRegisters()
    guard staged.value.flags & ~7 == 0 else { throw .einval }
    let difference = staged.value.processorFlags ^ thread.context.rflags
    guard difference & ~UserContext.changeableFlags == 0 else { throw .einval }
    guard staged.value.codeSelector & 3 == 3 else { throw refuse() }
    return try load(.signal, state)
  }

  fileprivate func setContext() throws(Errno) -> Answer {
    guard staged.value.length == UserContext.registersByteCount, staged.value.flags & ~7 == 0
    else { throw .einval }
    return try load(.user, nil)
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

  /// Takes a context whose floating point state lies at `state` in memory, or like the rest in the buffer.
  private func load(_ kind: ContextKind, _ state: PhysicalAddress?) throws(Errno) -> Answer {
    let flags = staged.value.flags
    let takesBases = kind == .signal || flags & UserContext.hasBases != 0
    let (fsBase, gsBase) = (staged.value.fsBase, staged.value.gsBase)
    if takesBases && (fsBase >= ABI.UserSpace.end || gsBase >= ABI.UserSpace.end) { throw refuse() }
    guard try loadFloatingPoint(state, hasExtended: flags & UserContext.hasExtended != 0) else { return .restart }
    let keepsBases = !takesBases || fsBase == thread.context.fsBase && gsBase == thread.context.gsBase
    if takesBases {
      thread.context.fsBase = fsBase
      thread.context.gsBase = gsBase
    }
    loadRegisters(kind)
    kernel.processes.setMask(
      SignalSet(low: staged.value.maskLow, high: staged.value.maskHigh), of: thread, process)
    thread.context.returnPath = 1
    if keepsBases && thread.context.rip < ABI.UserSpace.end && kernel.mayGoOn {
      kernel.processes.takeFloatingPoint(for: thread)
      return .entered
    }
    // The machine loads the bases only on the way out of `next()`.
    kernel.processes.processor.needsAttention = true
    return .left
  }

  private func loadRegisters(_ kind: ContextKind) {
    let record = staged
    thread.context.rdi = record.value.rdi
    thread.context.rsi = record.value.rsi
    thread.context.rdx = record.value.rdx
    thread.context.rcx = record.value.rcx
    thread.context.r8 = record.value.r8
    thread.context.r9 = record.value.r9
    thread.context.rax = record.value.rax
    thread.context.rbx = record.value.rbx
    thread.context.rbp = record.value.rbp
    thread.context.r10 = record.value.r10
    thread.context.r11 = record.value.r11
    thread.context.r12 = record.value.r12
    thread.context.r13 = record.value.r13
    thread.context.r14 = record.value.r14
    thread.context.r15 = record.value.r15
    thread.context.rip = record.value.instructionPointer
    thread.context.rsp = record.value.stackPointer
    let kept = kind == .signal ? 0 : thread.context.rflags & ~UserContext.changeableFlags
    let given = record.value.processorFlags
    thread.context.rflags = kind == .signal ? given : kept | given & UserContext.changeableFlags
  }

  /// Takes the floating point state of a context; false when the call has to be answered with `restart`.
  private func loadFloatingPoint(_ state: PhysicalAddress?, hasExtended: Bool) throws(Errno) -> Bool {
    let processes = kernel.processes
    let length = staged.value.rest.extendedLength
    if hasExtended {
      guard length <= UInt64(processes.extendedStateByteCount) else { throw .einval }
      let range = UserRange(
        start: VirtualAddress(staged.value.rest.extended), byteCount: Int(truncatingIfNeeded: length))
      guard try fetchExtended(range) else { return false }
    }
    let format = staged.value.floatingPointFormat
    if format == UserContext.withoutFloatingPoint { return true }
    guard format == UserContext.vectorFloatingPoint else { throw .einval }
    let owner = staged.value.floatingPointOwner
    if owner == UserContext.unusedFloatingPoint {
      processes.resetFloatingPoint(of: thread)
      return true
    }
    guard owner == UserContext.ownedFloatingPoint || owner == UserContext.storedFloatingPoint else { throw .einval }
    if hasExtended {
      guard processes.extendedStateByteCount > 0 else { throw .eopnotsupp }
      guard length >= 64, extendedWord(0) & ~processes.floatingPoint.components == 0 else { throw .einval }
    }
    takeFloatingPoint(state, extendedByteCount: hasExtended ? Int(truncatingIfNeeded: length) : 0)
    return true
  }

  private func fetchExtended(_ range: UserRange) throws(Errno) -> Bool {
    guard range.byteCount > 0 else { return true }
    var progress = 0
    let outcome = thread.frame.value.extendedState.withMutableBytes { bytes in
      var room = bytes._mutatingExtracting(0..<range.byteCount)
      return spaceReference.borrow { $0.copyIn(from: range.start, into: &room, progress: &progress) }
    }
    return try isDone(outcome)
  }

  private func extendedWord(_ index: Int) -> UInt64 { thread.frame.value.extendedState.span.loadUInt64(at: 8 * index) }

  /// Components x87 and SSE, which lie in the first 512 bytes.
  private static let legacyComponents: UInt64 = 0b11

  /// Writes what was given into the floating point area of the context. Of the header only the components count: the rest must
  /// be zero for the processor.
  private func takeFloatingPoint(_ state: PhysicalAddress?, extendedByteCount: Int) {
    kernel.processes.saveFloatingPoint(of: thread)
    kernel.processes.reloadFloatingPoint(of: thread)
    if let state {
      kernel.memory.physical.copy(state, to: thread.floatingPointAddress, byteCount: UserContext.legacyByteCount)
    } else {
      thread.legacyFloatingPoint.value = staged.value.floatingPoint
    }
    // MXCSR; bits that are reserved would be refused.
    let status = thread.context.floatingPoint[3]
    let mask = kernel.processes.floatingPoint.vectorStatusMask
    thread.context.floatingPoint[3] = status & ~UInt64(UInt32.max) | status & UInt64(mask)
    guard kernel.processes.extendedStateByteCount > 0 else { return }
    let components = extendedByteCount > 0 ? extendedWord(0) : thread.context.floatingPoint[64]
    thread.context.floatingPoint[64] = components | SystemCall.legacyComponents
    for index in 65..<72 { thread.context.floatingPoint[index] = 0 }
    if extendedByteCount == ThreadRecord.extendedStateByteCount { return thread.takeUpperHalves() }
    for index in 8..<max(8, extendedByteCount / 8) {
      thread.context.floatingPoint[64 + index] = extendedWord(index)
    }
  }
}
