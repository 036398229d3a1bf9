// The threads of processes: how they come, how they go, and how one of them comes to be the only one.
//
// Invariants
// - The threads of a process are chained from `firstThread`; each names its neighbours. A running or exiting process has at
//   least one.
// - A thread that is to end (`isEnding`) drops what remains of its call at once, unless that has to finish (`outlastsKill`):
//   then it ends as soon as the call has stored its result. It goes in its own turn, and no stop holds it back. Who stays last ends the process, or goes
//   on as its only thread.

public import ABI
import Files
import Memory
public import Primitives

extension WaitChannel {
  /// The moment at which only one thread is left of the process in `slot`.
  static func onlyThread(ofSlot slot: UInt32) -> WaitChannel { WaitChannel(Kind(18), UInt64(slot)) }
}

extension ProcessSystem {
  /// The thread with this identifier, if there is one (thr_self(2)).
  public func thread(_ identifier: Int32) -> Thread? { threads.thread(identifier) }

  /// The thread in a slot, if there is one.
  public func thread(in slot: ThreadSlot) -> Thread? { threads[slot] }

  /// The slot of the next thread of the same process.
  public func slot(after thread: Thread) -> ThreadSlot { thread.next }

  /// One of the threads of a process; nil once it has none.
  public func firstThread(of process: Process) -> Thread? { threads[process.firstThread] }

  /// Calls `body` for every thread of a process, which may go meanwhile.
  public func forEachThread(of process: Process, _ body: (Thread) -> Void) {
    var slot = process.firstThread
    while let thread = threads[slot] {
      slot = thread.next
      body(thread)
    }
  }

  /// Whether something is so for one of the threads of a process.
  @inline(__always)
  func hasThread(_ process: Process, where condition: (Thread) -> Bool) -> Bool {
    var slot = process.firstThread
    while let thread = threads[slot] {
      if condition(thread) { return true }
      slot = thread.next
    }
    return false
  }

  // MARK: Coming

  /// Makes the first thread of a process, which takes over the record.
  func makeFirstThread(_ process: Process, _ record: Handle<ThreadRecord>) -> Thread {
    precondition(process.threadCount == 0)
    return enterThread(process, record)
  }

  /// Makes one more thread of a running process, with registers that are a copy of another's; it is not ready yet. The caller
  /// has made sure of the heap's reserve.
  ///
  /// Throws what `checkThreadLimits` throws, ENOMEM when memory cannot be had (thr_new(2)).
  public func makeThread(
    _ process: Process, like other: Thread, identifier: Int32? = nil
  ) throws(Errno) -> Thread {
    try checkThreadLimits(process)
    if processor.floatingPointOwner == other.slot { saveFloatingPoint() }
    guard
      let record = records.allocate(
        copyOf: other.record, byteCount: ThreadRecord.inheritedByteCount, memory)
    else { throw .enomem }
    let thread = enterThread(process, record, identifier)
    thread.signals.mask = other.signals.mask
    thread.frame.value.attributes = ThreadAttributes()
    thread.frame.value.attributes.priority = other.frame.value.attributes.priority
    thread.frame.value.userSleep = UserSleep()
    thread.frame.value.robustWalk = RobustWalk()
    return thread
  }

  /// Throws what keeps a process from having one more thread: EPROCLIM when it has as many as one may have, ENOMEM when the
  /// machine has, or the user has as much kernel memory as one may have.
  public func checkThreadLimits(_ process: Process) throws(Errno) {
    guard process.state == .running, process.threadCount < ProcessLimits.maximumThreadsPerProcess else {
      throw .eproclim
    }
    guard extraThreadCount < threads.extraCapacity, process.credentials.account.mayMakeKernelMemory else {
      throw .enomem
    }
  }

  /// How many threads the machine can have.
  public var maximumThreadCount: Int { threads.capacity }

  /// An identifier for a thread that is to be made.
  public func takeThreadIdentifier() -> Int32 { threads.takeIdentifier() }

  /// Takes a thread back that has never been ready.
  public func abandon(_ thread: Thread, _ process: Process) {
    scheduler.forgetParent(thread.slot)
    forget(thread, of: process)
  }

  /// Makes a thread ready for the first time, with a part of the turn of the one that made it, and its mask.
  public func begin(_ thread: Thread, madeBy other: Thread) {
    thread.signals.mask = other.signals.mask
    charge()
    scheduler.enqueue(
      thread.slot, childOf: other.slot, thread.frame.value.attributes.priority,
      self[thread.process]?.niceness ?? .ordinary)
  }

  private func enterThread(
    _ process: Process, _ record: Handle<ThreadRecord>, _ identifier: Int32? = nil
  ) -> Thread {
    let thread = Thread(
      slot: threads.freeSlot, identifier: identifier ?? threads.takeIdentifier(), process: process.slot,
      record: record, in: records)
    threads.insert(thread)
    thread.next = process.firstThread
    threads[process.firstThread]?.previous = thread.slot
    process.firstThread = thread.slot
    process.threadCount += 1
    if process.threadCount > 1 {
      extraThreadCount += 1
      process.credentials.account.countKernelMemory(KernelMemoryCost.thread)
    }
    return thread
  }

  // MARK: Going

  /// Where the end of a thread begins.
  func firstPhase(_ thread: Thread) -> ExitPhase {
    thread.frame.value.userSleep.mark == .none && thread.frame.value.robustWalk.isDone ? .thread : .words
  }

  /// Does some of what the end of a thread means for words of user memory; whether it is done. The process keeps its memory until
  /// its last thread is gone.
  func leaveWords(_ process: Process, _ thread: Thread) -> Bool {
    guard let space = process.addressSpace else { return true }
    do throws(WordFailure) {
      try takeMarkBack(thread, in: space)
      return try releaseRobustMutexes(thread, in: space)
    } catch {
      guard case .wait(let awaited) = error else {
        // What cannot be reached is left as it is.
        thread.frame.value.userSleep.mark = .none
        return false
      }
      guard awaited.channel.isFrames else {
        park(thread, on: Wait(awaited.channel))
        return false
      }
      // Nobody could free what a thread that ends waits for for ever.
      thread.frame.value.userSleep.patience -= 1
      if thread.frame.value.userSleep.patience < 0 { return true }
      park(
        thread, on: awaited, deadlineNanoseconds: services.nanoseconds &+ ProcessLimits.endPatienceNanoseconds)
      return false
    }
  }

  /// Ends the current thread, which is in no call (thr_exit(2)); with the last one the process ends.
  public func exitThread(_ thread: Thread, _ process: Process) {
    if process.threadCount == 1 { return beginExit(process, .exited(0)) }
    end(thread, process, isForced: true)
  }

  /// Makes the threads of a process end, but `survivor`.
  func endThreads(of process: Process, but survivor: Thread? = nil, isForced: Bool = false) {
    var slot = process.firstThread
    while let thread = threads[slot] {
      slot = thread.next
      if thread !== survivor { end(thread, process, isForced: isForced) }
    }
  }

  /// Makes a thread end. What it was waiting for is released at once, unless its call has to finish and it is not forced.
  func end(_ thread: Thread, _ process: Process, isForced: Bool) {
    if case .exit = thread.continuation { return }
    thread.isEnding = true
    if isForced || !outlastsKill(thread, process) {
      releaseAwaitedFrame(thread)
      endUserSleep(thread)
      thread.place = nil
      process.addressSpace?.endEdit(by: thread.identifier)
      if case .process(.fork(let pending)) = thread.continuation, let files = pending.takeFiles() {
        thread.continuation = .exit(.unfinishedFiles(files))
      } else {
        thread.continuation = .exit(firstPhase(thread))
      }
    }
    if thread.isSuspended {
      wakeSuspended(thread, process)
    } else if thread !== current {
      scheduler.unpark(thread.slot)
      scheduler.raise(ready: thread.slot)
    } else {
      // What it woke for, and went before others, was its signal.
      scheduler.calmDown()
      processor.needsAttention = true
    }
  }

  /// A thread that had to finish its call before it ends has done so.
  public func endAfterCall(_ thread: Thread, _ process: Process) { end(thread, process, isForced: true) }

  /// Whether a thread is the only one of its process. If not, the others end (execve(2)), and the caller waits.
  public func becomeOnlyThread(_ thread: Thread, of process: Process) -> Wait? {
    if process.threadCount == 1 { return nil }
    endThreads(of: process, but: thread)
    return Wait(.onlyThread(ofSlot: process.slot.raw))
  }

  /// Takes a thread that has ended out of everything: nothing of it is left in the scheduler, the processor or the pool.
  func forget(_ thread: Thread, of process: Process) {
    scheduler.remove(thread.slot)
    sleepers.remove(thread.slot)
    releaseAwaitedFrame(thread)
    discard(.all, process, thread)
    thread.continuation = .none
    thread.place = nil
    if processor.floatingPointOwner == thread.slot { processor.floatingPointOwner = .none }
    leaveTurn(thread)
    scheduler.giveBack(thread.slot)
    if thread.isSuspended { process.suspendedThreadCount -= 1 }
    threads[thread.next]?.previous = thread.previous
    if let previous = threads[thread.previous] {
      previous.next = thread.next
    } else {
      process.firstThread = thread.next
    }
    process.threadCount -= 1
    if process.threadCount >= 1 {
      extraThreadCount -= 1
      process.credentials.account.countKernelMemory(-KernelMemoryCost.thread)
      passOn(.all, of: process)
      if process.threadCount == 1 { scheduler.wake(.onlyThread(ofSlot: process.slot.raw)) }
      // Who was waited for before the process counts as stopped is gone.
      tellOfStopIfComplete(process)
    }
    threads.remove(thread)
    records.release(thread.record, memory)
  }
}
