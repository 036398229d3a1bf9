// The phases that every call goes through: reserve, copy in, the call itself, copy out, result.
//
// A phase that cannot finish parks the thread with a continuation from which the same phase goes on; phases before it are
// not repeated. The number and the arguments stay in the thread's registers until the result is stored.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// Whether the current thread may return to ring 3 at once.
  @inline(__always)
  var mayGoOn: Bool { !processes.needsAttention && !memory.isShort && (!memory.hasTeardown || payQuickly()) }

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

  /// Fills the heap's reserve; false when it cannot be filled.
  @inline(__always)
  func hasHeapReserve() -> Bool { memory.hasHeapReserve }

  // MARK: Begin

  /// A call from its beginning.
  func perform(_ entry: SystemCallEntry, _ thread: Thread, _ process: Process) -> Bool {
    if entry.call.isSpecial { return performSpecial(entry.call, thread, process) }
    return begin(entry, Arguments(thread.context), thread, process)
  }

  private func performSpecial(_ call: SystemCall, _ thread: Thread, _ process: Process) -> Bool {
    switch call {
    case .indirect:
      thread.stackArgument = nil
      return performIndirect(thread, process, progress: 0)
    case .missing: return finish(Errno.enosys, thread)
    default: return finish(unknownCall(process, thread), thread)
    }
  }

  /// A call that does not exist: ENOSYS, and SIGSYS if `kern.signosys` says so. It is posted, not forced on a program that
  /// ignores it (spec abi.md section 2).
  func unknownCall(_ process: Process, _ thread: Thread) -> Errno {
    if unknownCallsRaiseSignal { processes.post(.sigsys, to: process, from: process) }
    return .enosys
  }

  /// A call through `syscall` or `__syscall`. Its sixth argument is on the stack, above the slot of a return address.
  private func performIndirect(_ thread: Thread, _ process: Process, progress: Int) -> Bool {
    let number = thread.context.rdi
    guard number < UInt64(SystemCallTable.count) else { return finish(unknownCall(process, thread), thread) }
    let entry = table[Int(number)]
    switch entry.call {
    case .indirect, .unknown: return finish(unknownCall(process, thread), thread)
    case .missing: return finish(Errno.enosys, thread)
    default: break
    }
    if entry.call.hasSixArguments && thread.stackArgument == nil {
      let address = thread.context.rsp &+ 8
      var progress = progress
      switch space(process).copyIn(address, into: &thread.frame.value.buffer, count: 8, &progress) {
      case .complete: thread.stackArgument = thread.frame.value.buffer.span.loadUInt64(at: 0)
      case .fault, .tooLong: return finish(Errno.efault, thread)
      case .wait(let channel):
        thread.continuation = .stackArguments(progress: progress)
        processes.park(thread, on: channel)
        return false
      }
    }
    return begin(entry, indirectArguments(thread), thread, process)
  }

  private func indirectArguments(_ thread: Thread) -> Arguments {
    Arguments(indirect: thread.context, sixth: thread.stackArgument ?? 0)
  }

  @inline(__always)
  private func begin(
    _ entry: SystemCallEntry, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) -> Bool {
    if entry.allocation != .none && (memory.isShort || (entry.makesObjects && !hasHeapReserve())) {
      guard givesBack(entry.call, arguments, process) || admitShort(entry.allocation, thread) else { return false }
    }
    if entry.copiesIn { return copyIn(entry.call, arguments, thread, process, progress: 0) }
    return run(entry.call, arguments, thread, process, stagedByteCount: 0)
  }

  /// Decides about a call that allocates while memory is short; false when it was refused or is parked.
  ///
  /// Calls that can refuse leave some frames to those that can not: what a program piles up in the kernel must not take the
  /// last pages from everybody's faults.
  private func admitShort(_ allocation: AllocationClass, _ thread: Thread) -> Bool {
    if allocation != .waits {
      switch memory.makeAvailable(frameHeadroom, looks: Kernel.headroomLooks) {
      case .ready: break
      case .pending: return parkWholeCall(thread)
      case .unfinished: return tryAgain(thread)
      case .exhausted: return waitOrRefuse(allocation, thread)
      }
    }
    if hasHeapReserve() { return true }
    return waitOrRefuse(allocation, thread)
  }

  /// Calls wait for what those give back who have ended; the superuser's, for what a process of a user leaves that has to go
  /// for them.
  private func waitOrRefuse(_ allocation: AllocationClass, _ thread: Thread) -> Bool {
    if allocation == .waits { return parkWholeCall(thread) }
    if processes.isGivingBack { return tryAgain(thread) }
    let isPrivileged = processes.currentProcess?.credentials.isSuperuser ?? false
    return isPrivileged && expectsFrames() ? parkWholeCall(thread) : refuse(allocation, thread)
  }

  /// Pages that are looked at for a call before others have a turn.
  private static var headroomLooks: Int { 256 }

  /// Begins the whole call anew once others have had their turns: there are more pages to look at, or somebody who has ended
  /// is about to give memory back.
  private func tryAgain(_ thread: Thread) -> Bool {
    thread.continuation = .call
    if processes.isGivingBack {
      if memory.hasTeardown { workOffTeardown() }
      processes.yield()
    } else {
      processes.endUsedTurn()
    }
    return false
  }

  /// Whether a call that can need memory only gives back this time: it is never refused, and what it needs on the way it takes
  /// from the reserve or waits for (munmap(2), close(2) and others need nothing at all). Bad arguments are left to the call.
  private func givesBack(_ call: SystemCall, _ arguments: Arguments, _ process: Process) -> Bool {
    switch call {
    case .ftruncate:
      guard let status = try? fileTable(process).file(at: descriptor(arguments.first)).status() else { return true }
      return Int64(bitPattern: arguments.second) <= status.size
    case .setBreak: return arguments.first <= space(process).program.dataEnd
    case .mprotect:
      return !Protection(argument: UInt32(truncatingIfNeeded: arguments.third)).contains(.write)
    default: return false
    }
  }

  private func parkWholeCall(_ thread: Thread) -> Bool {
    thread.continuation = .call
    thread.place = nil
    processes.park(thread, on: .frames)
    return false
  }

  private func refuse(_ allocation: AllocationClass, _ thread: Thread) -> Bool {
    _ = finish(allocation == .refusesWithFileLimit ? Errno.enfile : Errno.enomem, thread)
    return false
  }

  // MARK: Copy in

  @inline(__always)
  private func copyIn(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process, progress start: Int
  ) -> Bool {
    let request: CopyInRequest
    do throws(Errno) {
      request = try copyInRequest(call, arguments)
    } catch {
      return finish(error, thread)
    }
    var progress = start
    let outcome: UserCopyOutcome
    switch request {
    case .nothing: outcome = .complete
    case .path(let address):
      outcome = spaceReference(process).borrow { $0.copyInPath(address, into: &thread.frame.value.buffer, &progress) }
    case .bytes(let address, let count):
      outcome = space(process).copyIn(
        address, into: &thread.frame.value.buffer, count: count, &progress)
    }
    switch outcome {
    case .complete: return run(call, arguments, thread, process, stagedByteCount: progress)
    case .fault: return finish(Errno.efault, thread)
    case .tooLong: return finish(Errno.enametoolong, thread)
    case .wait(let channel):
      thread.continuation = .copyIn(progress: progress)
      processes.park(thread, on: channel)
      return false
    }
  }

  /// Lends the identity and the descriptors of a process to a call that leaves them in place.
  @inline(__always)
  func lend<Value>(
    of process: Process, _ body: (Credentials, FileTable) throws(Errno) -> Value
  ) throws(Errno) -> Value {
    try BackReference(process.credentials).tryBorrow { credentials throws(Errno) in
      try BackReference(fileTable(process)).tryBorrow { table throws(Errno) in try body(credentials, table) }
    }
  }

  /// The memory of a process, to be borrowed: it keeps it until it ends.
  @inline(__always)
  func spaceReference(_ process: Process) -> BackReference<AddressSpace> { BackReference(space(process)) }

  @inline(__always)
  func space(_ process: Process) -> AddressSpace {
    guard let space = process.addressSpace else { preconditionFailure("call of a process without memory") }
    return space
  }

  // MARK: The call itself

  @inline(__always)
  private func run(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process, stagedByteCount: Int
  ) -> Bool {
    do throws(Errno) {
      return finish(try handle(call, arguments, thread, process, stagedByteCount: stagedByteCount), thread, process)
    } catch {
      return finish(error, thread)
    }
  }

  // MARK: Results

  /// Stores the result of a call whose handler returned.
  @inline(__always)
  func finish(_ outcome: Outcome, _ thread: Thread, _ process: Process) -> Bool {
    switch outcome {
    case .value(let value):
      succeed(&thread.context, value)
      return mayGoOn
    case .pair(let first, let second):
      succeed(&thread.context, first)
      thread.context.rdx = second
      return mayGoOn
    case .copyOut(let address, let byteCount):
      var progress = 0
      switch space(process).copyOut(
        &thread.frame.value.buffer, count: byteCount, to: address, &progress)
      {
      case .complete:
        succeed(&thread.context, 0)
        return mayGoOn
      case .fault, .tooLong: return finish(Errno.efault, thread)
      case .wait(let channel):
        var pending = PendingResult()
        pending.append(address: address, offset: 0, byteCount: byteCount)
        pending.progress = progress
        thread.continuation = .copyOut(pending)
        processes.park(thread, on: channel)
        return false
      }
    case .parked, .registersSet: return false
    }
  }

  /// Stores the value of a call that is done.
  @inline(__always)
  func succeed(_ value: UInt64, _ thread: Thread) -> Bool {
    succeed(&thread.context, value)
    return mayGoOn
  }

  /// Stores an error.
  func finish(_ error: Errno, _ thread: Thread) -> Bool {
    fail(&thread.context, error)
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

  @inline(__always)
  private func fail(_ context: inout ThreadContext, _ error: Errno) {
    context.rax = UInt64(error.rawValue)
    context.rflags |= ThreadContext.carryFlag
    context.r8 = 0
    context.r9 = 0
    context.r10 = 0
  }

  /// Copies the pieces of a result out, now or from where it stopped.
  func copyOut(_ result: PendingResult, _ thread: Thread, _ process: Process) -> Bool {
    var result = result
    while result.index < result.count {
      let piece = result.pieces[result.index]
      switch space(process).copyOut(
        &thread.frame.value.buffer, from: piece.offset, count: piece.byteCount, to: piece.address,
        &result.progress)
      {
      case .complete:
        result.index += 1
        result.progress = 0
      case .fault, .tooLong: return finish(Errno.efault, thread)
      case .wait(let channel):
        thread.continuation = .copyOut(result)
        processes.park(thread, on: channel)
        return false
      }
    }
    if let error = result.error { return finish(error, thread) }
    return finish(.value(result.value), thread, process)
  }

  // MARK: Going on

  /// Goes on with the call of a thread whose turn it is again.
  func resume(_ thread: Thread, _ process: Process) {
    // A call that only gives back goes on without a reserve.
    guard
      thread.continuation.needsNoReserve || hasHeapReserve()
        || table.heapBound(of: callInProgress(of: thread)) == .none
    else {
      processes.giveUpPlaces(thread)
      processes.park(thread, on: .frames)
      return
    }
    let continuation = thread.continuation
    thread.continuation = .none
    switch continuation {
    case .none: break
    case .call:
      let number = thread.context.rax
      if number < UInt64(SystemCallTable.count) { _ = perform(table[Int(number)], thread, process) }
    case .stackArguments(let progress): _ = performIndirect(thread, process, progress: progress)
    case .copyIn(let progress):
      let (call, arguments) = callInProgress(thread)
      _ = copyIn(call, arguments, thread, process, progress: progress)
    case .copyOut(let result): _ = copyOut(result, thread, process)
    case .exit: preconditionFailure("an exit is not a call")
    default:
      do throws(Errno) {
        _ = finish(try goOn(continuation, thread, process), thread, process)
      } catch {
        _ = finish(error, thread)
      }
    }
  }

  /// The call that a thread is in, and its arguments.
  func callInProgress(_ thread: Thread) -> (SystemCall, Arguments) {
    let context = thread.context
    let entry = table[Int(context.rax)]
    if entry.call != .indirect { return (entry.call, Arguments(context)) }
    return (table[Int(context.rdi)].call, indirectArguments(thread))
  }
}

extension SystemCall {
  /// Whether it is no call of its own.
  @inline(__always)
  var isSpecial: Bool { rawValue <= SystemCall.indirect.rawValue }

  /// Whether it has a sixth argument.
  var hasSixArguments: Bool {
    self == .mmap || self == .sysctl || self == .sysctlbyname || self == .copyFileRange
  }
}
