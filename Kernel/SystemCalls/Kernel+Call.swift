// The phases that every call goes through: admission, copy in, the handler, copy out, result.
//
// A phase that cannot finish parks the thread with a continuation from which the same phase goes on; phases before it are
// not repeated. `conclude` acts on what a handler answers: it parks, cuts, copies out, stores the result and chooses the fast
// way back.

import ABI
import Files
import Memory
import Primitives
import Processes

extension Kernel {
  // MARK: Begin

  /// The entry of the call whose number is in a thread's registers.
  @inline(never)
  func entry(_ number: UInt64) -> SystemCallEntry {
    number < UInt64(SystemCallTable.count) ? table[Int(truncatingIfNeeded: number)] : table.unknown
  }

  /// A call from its beginning.
  func begin(_ entry: SystemCallEntry, _ thread: Thread, _ process: Process) -> Bool {
    if entry.preparation.contains(.indirect) { return performIndirect(thread, process, progress: 0) }
    if entry.preparation.contains(.naming) && process.isInCapabilityMode { return fail(.ecapmode, thread) }
    if entry.preparation.contains(.admission)
      && (memory.isShort || (entry.preparation.contains(.reserve) && !hasHeapReserve()))
    {
      guard admitShort(entry, thread, process) else { return false }
    }
    if entry.preparation.contains(.copyIn) && !hasCopied(entry.structure, thread, process) {
      return copyIn(entry, thread, process, progress: 0)
    }
    return run(entry.declaration, thread, process)
  }

  /// Runs the handler of a call.
  @inline(__always)
  func run(
    _ declaration: BackReference<SystemCallDeclaration>, _ thread: Thread, _ process: Process
  ) -> Bool {
    declaration.borrowNamed { declaration in
      do throws(Errno) {
        let answer = try declaration.handler(SystemCall(kernel: self, thread: thread, process: process))
        return conclude(answer, thread)
      } catch {
        return fail(error, thread)
      }
    }
  }

  // MARK: Indirect calls

  /// A call through `syscall` or `__syscall`: the arguments are shifted by one, and the sixth lies on the stack, above the slot
  /// of a return address.
  private func performIndirect(_ thread: Thread, _ process: Process, progress: Int) -> Bool {
    var entry = entry(thread.context.rdi)
    if entry.preparation.contains(.indirect) { entry = table.unknown }
    let argumentCount = entry.declaration.borrow { $0.arguments.count }
    var sixth: UInt64 = 0
    if argumentCount > 5 {
      var progress = progress
      let address = VirtualAddress(thread.context.rsp &+ 8)
      let call = SystemCall(kernel: self, thread: thread, process: process)
      switch call.space.copyIn(UserRange(start: address, byteCount: 8), into: &thread.frame.value.buffer, &progress) {
      case .complete: sixth = call.stagedLong(at: 0)
      case .fault, .tooLong: return fail(.efault, thread)
      case .wait(let awaited):
        thread.continuation = .phase(.stackArgument(progress: progress))
        return conclude(.wait(awaited), thread)
      }
    }
    thread.takeShiftedArguments(sixth: sixth)
    return begin(entry, thread, process)
  }

  /// The entry of the call that a thread is in, made directly or through `syscall`.
  func entryInProgress(of thread: Thread) -> SystemCallEntry {
    let context = thread.context
    return entry(context.isIndirectCall ? context.rdi : context.rax)
  }

  // MARK: Copy in

  /// Copies a short structure into the buffer, if it can be reached at once; whether that was all there is to copy.
  @inline(__always)
  private func hasCopied(_ structure: ShortStructure, _ thread: Thread, _ process: Process) -> Bool {
    if structure.wordCount == 0 { return false }
    let argument = Arguments(thread.arguments.value)[Int(structure.argument)]
    if structure.isOptional && argument.isNull { return true }
    return process.space.borrow { space in
      guard let place = space.translate(argument.address, byteCount: Int(structure.wordCount) &* 8, .read) else {
        return false
      }
      memory.physical.copyWords(place, to: thread.bufferAddress, count: Int(structure.wordCount))
      return true
    }
  }

  private func copyIn(_ entry: SystemCallEntry, _ thread: Thread, _ process: Process, progress: Int) -> Bool {
    var progress = progress
    let outcome = entry.declaration.borrow { declaration in
      copyIn(
        declaration, SystemCall(kernel: self, thread: thread, process: process), &progress)
    }
    switch outcome {
    case .success(.complete):
      thread.stagedByteCount = progress
      return run(entry.declaration, thread, process)
    case .success(.fault): return fail(.efault, thread)
    case .success(.tooLong): return fail(.enametoolong, thread)
    case .success(.wait(let awaited)):
      thread.continuation = .phase(.copyIn(progress: progress))
      return conclude(.wait(awaited), thread)
    case .failure(let error): return fail(error, thread)
    }
  }

  private func copyIn(
    _ declaration: SystemCallDeclaration, _ call: borrowing SystemCall, _ progress: inout Int
  ) -> Result<UserCopyOutcome, Errno> {
    let request: CopyInRequest
    do throws(Errno) {
      switch declaration.copyIn {
      case .nothing: request = .nothing
      case .path(let argument): request = .path(call.arguments[argument].address)
      case .structure(let argument, let byteCount): request = .bytes(call.arguments[argument].range(byteCount))
      case .optionalStructure(let argument, let byteCount):
        request = call.arguments[argument].isNull ? .nothing : .bytes(call.arguments[argument].range(byteCount))
      case .chosen(let choose): request = try choose(call)
      }
    } catch {
      return .failure(error)
    }
    return .success(call.copyIn(request, &progress))
  }

  // MARK: Results

  /// Does what an answer says; whether the thread goes on in ring 3 at once.
  @inline(__always)
  func conclude(_ answer: Answer, _ thread: Thread) -> Bool {
    if case .value(let value) = answer {
      succeed(&thread.context, value)
      return mayGoOn
    }
    return concludeOther(answer, thread)
  }

  private func concludeOther(_ answer: Answer, _ thread: Thread) -> Bool {
    switch answer {
    case .value: preconditionFailure("concluded already")
    case .pair(let first, let second):
      succeed(&thread.context, first)
      thread.context.rdx = second
      return mayGoOn
    case .deliver: return processes.processor.process.borrow { deliver(thread, $0) }
    case .wait(let awaited): processes.park(thread, on: awaited)
    case .waitForDeadline(let awaited):
      processes.park(thread, on: awaited, deadlineNanoseconds: thread.deadlineNanoseconds)
    case .restart:
      thread.continuation = .phase(.whole)
      processes.park(thread, on: thread.wanted)
    case .later:
      // Who wakes takes the processor in `next()`.
      processes.processor.needsAttention = true
      processes.lookAtClock()
      processes.endUsedTurn()
    case .left: break
    case .entered: return true
    }
    return false
  }

  /// Copies the pieces of a delivery out, from where it stopped.
  private func deliver(_ thread: Thread, _ process: Process) -> Bool {
    while let piece = thread.frame.value.delivery.next {
      var progress = thread.frame.value.delivery.progress
      let outcome = process.space.borrow { space in
        let bytes = RawSpan(_elements: thread.frame.value.buffer.span)
        let part = bytes.extracting(piece.offset..<piece.offset + piece.byteCount)
        return space.copyOut(part, to: piece.address, progress: &progress)
      }
      switch outcome {
      case .complete: thread.frame.value.delivery.pieceIsDone()
      case .fault, .tooLong: return fail(.efault, thread)
      case .wait(let awaited):
        thread.frame.value.delivery.progress = progress
        thread.continuation = .phase(.delivery)
        processes.park(thread, on: awaited)
        return false
      }
    }
    if let error = thread.frame.value.delivery.error { return fail(error, thread) }
    succeed(&thread.context, thread.frame.value.delivery.value)
    return mayGoOn
  }

  /// Carry clear, %rdx as it was, %r8 to %r10 zero (spec abi.md section 2).
  @inline(__always)
  func succeed(_ context: inout ThreadContext, _ value: UInt64) {
    context.rax = value
    context.rflags &= ~ThreadContext.carryFlag
    context.r8 = 0
    context.r9 = 0
    context.r10 = 0
  }

  /// Stores an error.
  func fail(_ error: Errno, _ thread: Thread) -> Bool {
    thread.context.rax = UInt64(error.rawValue)
    thread.context.rflags |= ThreadContext.carryFlag
    thread.context.r8 = 0
    thread.context.r9 = 0
    thread.context.r10 = 0
    return mayGoOn
  }

  /// Whether the current thread may return to ring 3 at once.
  @inline(__always)
  var mayGoOn: Bool { !processes.processor.needsAttention && !memory.isShort && (!memory.hasTeardown || payQuickly()) }

  /// Works off what the event released if it is little; returns whether nothing is owed for it. More is left to `next()`.
  @inline(never)
  private func payQuickly() -> Bool {
    let debt = memory.takeNewTeardown()
    guard debt > 0 else { return true }
    let left = memory.payTeardown(debt, budget: Kernel.quickTeardownBudget)
    guard left > 0 else { return true }
    processes.current?.teardownDebt += left
    return false
  }

  /// Units of released work that are done before the thread goes on at once.
  private static var quickTeardownBudget: Int { 16 }

  // MARK: Going on

  /// Goes on with the call of a thread whose turn it is again. A page that was waited for has done its service once the call
  /// is over.
  func resume(_ thread: Thread, _ process: Process) {
    goOn(thread, process)
    if thread.continuation.isNone && processes.current === thread { processes.releaseAwaitedFrame(thread) }
  }

  private func goOn(_ thread: Thread, _ process: Process) {
    let entry = entryInProgress(of: thread)
    // A call that only gives back goes on without a reserve.
    guard
      thread.continuation.needsNoReserve || hasHeapReserve()
        || entry.declaration.borrow({ $0.demand.heapBound == .none })
    else {
      processes.giveUpPlaces(thread)
      processes.park(thread, on: .frames)
      return
    }
    // Taken out and apart, not copied: it has references.
    let call = SystemCall(kernel: self, thread: thread, process: process)
    do throws(Errno) {
      switch thread.takeContinuation() {
      case .phase(let phase): try goOn(phase, call, entry)
      case .file(let remainder): _ = conclude(try call.goOn(remainder), thread)
      case .memory(let remainder): _ = conclude(try call.goOn(remainder), thread)
      case .process(let remainder): _ = conclude(try call.goOn(remainder), thread)
      case .none, .exit: preconditionFailure("not what remains of a call")
      }
    } catch {
      _ = fail(error, thread)
    }
  }

  private func goOn(_ phase: CallPhase, _ call: SystemCall, _ entry: SystemCallEntry) throws(Errno) {
    let (thread, process) = (call.thread, call.process)
    switch phase {
    case .whole:
      thread.takeArgumentsFromRegisters()
      _ = begin(self.entry(thread.context.rax), thread, process)
      // A call that is over stands in no line, however it ended.
      if thread.continuation.isNone { thread.place = nil }
    case .stackArgument(let progress): _ = performIndirect(thread, process, progress: progress)
    case .copyIn(let progress): _ = copyIn(entry, thread, process, progress: progress)
    case .delivery: _ = deliver(thread, process)
    case .signalFrame(let frame): storeFrame(frame, thread, process)
    // It is looked at again before anything else.
    case .signalWord: break
    case .random(let pending): _ = conclude(try call.continueRandom(pending), thread)
    case .listing(let pending): _ = conclude(try call.continueListing(pending), thread)
    }
  }
}

extension SystemCall {
  /// Copies what was asked for into the buffer.
  fileprivate func copyIn(_ request: CopyInRequest, _ progress: inout Int) -> UserCopyOutcome {
    switch request {
    case .nothing: .complete
    case .path(let address):
      spaceReference.borrow { $0.copyInPath(address, into: &thread.frame.value.buffer, &progress) }
    case .bytes(let range): spaceReference.borrow { $0.copyIn(range, into: &thread.frame.value.buffer, &progress) }
    }
  }
}
