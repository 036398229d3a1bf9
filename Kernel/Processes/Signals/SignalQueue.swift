// Signals that were sent and not acted upon yet. Every instance is queued, with what is known of it, for standard signals too
// (spec signals.md section 1.7).
//
// Invariants
// - `pending` has exactly the signals of which there is an instance in the queue or in `bare`.
// - `bare` has those of which one instance carries nothing: SIGKILL and SIGSTOP, and what found no place. It comes before
//   those that are queued.
// - Instances of a process and its threads that are counted are at most 128 (`maximumQueuedSignals`), and kernel memory of the
//   user whose process it is, who gets none beyond what a user may have (`UserAccount`). A child's end, stop or continuation is not
//   counted, and is in the queue of its parent at most once (`Process.notice`); the same goes for the signal of a timer
//   (`KernelTimer.entry`).

import ABI
import Files
import Memory
import Primitives

/// One instance in a queue.
public struct QueuedSignal: BitwiseCopyable {
  /// What is known of it.
  var information: SignalInformation
  /// Whether it counts.
  var isCounted: Bool
  /// The child that it tells of, or `.none`.
  var child: ProcessSlot
  var next = Handle<QueuedSignal>.none
  var previous = Handle<QueuedSignal>.none

  /// The kernel memory that one takes.
  static var byteCount: Int { MemoryLayout<QueuedSignal>.stride }
}

/// The signals on their way to a process, or to one thread.
public struct SignalQueue: BitwiseCopyable {
  /// The signals of which there is an instance.
  public internal(set) var pending = SignalSet()
  var bare = SignalSet()
  var first = Handle<QueuedSignal>.none
  var last = Handle<QueuedSignal>.none

  init() {}
}

extension ProcessSystem {
  // MARK: Entering

  /// Makes a signal pending; whether with what is known of it. If there is no place, and it need not be with that, it is
  /// pending without.
  func enqueue(_ information: SignalInformation, _ process: Process, _ thread: Thread?, needsPlace: Bool) -> Bool {
    let signal = information.signal
    var isQueued = false
    if !SignalSet.unblockable.contains(signal) {
      // Of a timer there is one at most.
      let isCounted = information.code != .timer
      isQueued = append(QueuedSignal(information: information, isCounted: isCounted, child: .none), process, thread)
      if !isQueued && needsPlace { return false }
    }
    if let thread {
      thread.signals.queue.pending.insert(signal)
      if !isQueued { thread.signals.queue.bare.insert(signal) }
    } else {
      process.signalQueue.pending.insert(signal)
      if !isQueued { process.signalQueue.bare.insert(signal) }
    }
    return true
  }

  private func append(_ entry: QueuedSignal, _ process: Process, _ thread: Thread?) -> Bool {
    if entry.isCounted {
      guard process.queuedSignalCount < maximumQueuedSignals else {
        signalOverflowCount &+= 1
        return false
      }
    }
    guard !entry.isCounted || process.credentials.account.mayMakeKernelMemory,
      let handle = signalRecords.allocate(entry, memory)
    else {
      signalFailureCount &+= 1
      return false
    }
    if entry.isCounted {
      process.queuedSignalCount += 1
      process.credentials.account.countKernelMemory(QueuedSignal.byteCount)
    }
    if let thread { link(handle, &thread.signals.queue) } else { link(handle, &process.signalQueue) }
    return true
  }

  private func link(_ handle: Handle<QueuedSignal>, _ queue: inout SignalQueue) {
    signalRecords[handle].previous = queue.last
    if queue.last.isNone { queue.first = handle } else { signalRecords[queue.last].next = handle }
    queue.last = handle
  }

  /// Tells a parent of what became of its child: in the place of what it has not been told yet, if there is that.
  func enqueueNotice(_ information: SignalInformation, of child: Process, to parent: Process) {
    if !child.notice.isNone {
      guard signalRecords[child.notice].information.signal != information.signal else {
        signalRecords[child.notice].information = information
        return
      }
      withdrawNotice(of: child)
    }
    parent.signalQueue.pending.insert(information.signal)
    guard
      let handle = signalRecords.allocate(
        QueuedSignal(information: information, isCounted: false, child: child.slot), memory)
    else {
      parent.signalQueue.bare.insert(information.signal)
      return
    }
    link(handle, &parent.signalQueue)
    child.notice = handle
  }

  /// Takes back what the parent of a child has not been told yet.
  func withdrawNotice(of child: Process) {
    guard !child.notice.isNone, let parent = self[child.parent] else { return }
    let signal = signalRecords[child.notice].information.signal
    _ = unlink(child.notice, parent, nil)
    refresh(signal, &parent.signalQueue)
  }

  /// Makes what the parent of a child has not been told yet a signal like any other, which counts.
  func keepNotice(of child: Process) {
    guard !child.notice.isNone, let parent = self[child.parent] else { return }
    let information = signalRecords[child.notice].information
    withdrawNotice(of: child)
    _ = enqueue(information, parent, nil, needsPlace: false)
  }

  // MARK: Leaving

  /// Takes the first instance of a pending signal out of a queue.
  func dequeue(_ signal: Signal, _ process: Process, _ thread: Thread?) -> SignalInformation {
    let queue = thread?.signals.queue ?? process.signalQueue
    var information = SignalInformation(signal, .noInformation)
    if queue.bare.contains(signal) {
      if let thread { thread.signals.queue.bare.remove(signal) } else { process.signalQueue.bare.remove(signal) }
    } else {
      let handle = find(signal, queue)
      precondition(!handle.isNone, "pending signal without an instance")
      information = unlink(handle, process, thread)
      if information.code == .timer { countOverruns(&information, process) }
    }
    if let thread { refresh(signal, &thread.signals.queue) } else { refresh(signal, &process.signalQueue) }
    return information
  }

  private func find(_ signal: Signal, _ queue: SignalQueue) -> Handle<QueuedSignal> {
    var handle = queue.first
    while !handle.isNone, signalRecords[handle].information.signal != signal { handle = signalRecords[handle].next }
    return handle
  }

  /// Whether the signal is pending still.
  private func refresh(_ signal: Signal, _ queue: inout SignalQueue) {
    if queue.bare.contains(signal) || !find(signal, queue).isNone { return }
    queue.pending.remove(signal)
  }

  /// Takes one instance out, of the process or of one of its threads.
  func withdraw(_ handle: Handle<QueuedSignal>, _ process: Process, _ thread: Thread?) {
    let signal = unlink(handle, process, thread).signal
    if let thread { refresh(signal, &thread.signals.queue) } else { refresh(signal, &process.signalQueue) }
  }

  private func unlink(_ handle: Handle<QueuedSignal>, _ process: Process, _ thread: Thread?) -> SignalInformation {
    let entry = signalRecords.take(handle, memory)
    if entry.isCounted {
      process.queuedSignalCount -= 1
      process.credentials.account.countKernelMemory(-QueuedSignal.byteCount)
    }
    self[entry.child]?.notice = .none
    if entry.information.code == .timer { signalHasLeft(handle, process) }
    if !entry.next.isNone { signalRecords[entry.next].previous = entry.previous }
    if !entry.previous.isNone { signalRecords[entry.previous].next = entry.next }
    if let thread { bridge(entry, &thread.signals.queue) } else { bridge(entry, &process.signalQueue) }
    return entry.information
  }

  private func bridge(_ entry: QueuedSignal, _ queue: inout SignalQueue) {
    if entry.previous.isNone { queue.first = entry.next }
    if entry.next.isNone { queue.last = entry.previous }
  }

  /// Discards all instances of some signals, of the process and of its threads.
  func discard(_ signals: SignalSet, of process: Process) {
    discard(signals, process, nil)
    var slot = process.firstThread
    while let thread = threads[slot] {
      slot = thread.next
      discard(signals, process, thread)
    }
  }

  /// Discards all instances of some signals in one queue.
  func discard(_ signals: SignalSet, _ process: Process, _ thread: Thread?) {
    let pending = thread?.signals.queue.pending ?? process.signalQueue.pending
    guard !pending.intersection(signals).isEmpty else { return }
    var handle = thread?.signals.queue.first ?? process.signalQueue.first
    while !handle.isNone {
      let next = signalRecords[handle].next
      if signals.contains(signalRecords[handle].information.signal) { _ = unlink(handle, process, thread) }
      handle = next
    }
    if let thread {
      thread.signals.queue.bare = thread.signals.queue.bare.subtracting(signals)
      thread.signals.queue.pending = thread.signals.queue.pending.subtracting(signals)
    } else {
      process.signalQueue.bare = process.signalQueue.bare.subtracting(signals)
      process.signalQueue.pending = process.signalQueue.pending.subtracting(signals)
    }
  }
}

extension SignalSet {
  /// Every signal.
  static let all = SignalSet(low: UInt64.max, high: UInt64.max)
}
