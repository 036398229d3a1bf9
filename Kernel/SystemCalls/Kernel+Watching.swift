// The events of a kernel that is watched: the simulation and a machine with the kernel option `inspect` call these instead.
// Each does what its namesake does, between two looks at the heap.

import Memory
import Primitives
import Processes

extension Kernel {
  /// Watches every event from now on; the machine calls the watched entries from then on.
  ///
  /// - Parameter interval: the whole kernel is inspected after every so many events; 0: not in between.
  public func startMonitoring(inspectionInterval interval: UInt64 = 0) {
    guard let heap = services.heap else { return }
    monitor = EventMonitor(memory, heap, table, inspectionInterval: interval)
    // The object that it measured.
    while !memory.drainTeardown(budget: 64) {}
  }

  /// Shows what programs call from now on; the machine calls the watched entries from then on.
  ///
  /// - Parameter showsFaults: page faults are shown, too.
  public func startTracing(showsFaults: Bool) {
    tracer = CallTracer(services, table.declarations, showsFaults: showsFaults)
  }

  /// `handle(_:)`, watched.
  @discardableResult
  public func watch(_ event: Event) -> Bool {
    let trace = tracer.flatMap { begin(event, $0) }
    monitor?.beginStretch(kind(of: event))
    monitor?.begin(kind(of: event))
    var isCall = false
    if case .systemCall = event { isCall = true }
    if isCall { processes.current?.context.returnPath = 0 }
    var goesOn = handle(event)
    // A thread that would go on at once with every register set goes the long way, where it is seen what became of it.
    if isCall, goesOn, let thread = processes.current, thread.context.returnPath != 0 { goesOn = false }
    monitor?.end()
    if goesOn { monitor?.endStretch() }
    if let trace { end(trace, goesOn: goesOn) }
    if goesOn { eventEnded() }
    return goesOn
  }

  // MARK: Traces

  /// A call that is traced: its line so far, its thread, its entry.
  private struct Trace {
    let line: ConsoleLine
    let thread: Thread
    let entry: SystemCallEntry
  }

  /// Begins to show an event.
  private func begin(_ event: Event, _ tracer: CallTracer) -> Trace? {
    guard let thread = processes.current, let process = processes.currentProcess else { return nil }
    switch event {
    case .systemCall:
      let entry = entryInProgress(of: thread)
      let call = SystemCall(kernel: self, thread: thread, process: process)
      return Trace(line: tracer.begin(call, entry), thread: thread, entry: entry)
    case .exception(let exception):
      if exception.vector == ExceptionVector.pageFault { tracer.fault(exception, thread, process) }
      return nil
    default: return nil
    }
  }

  /// Shows the result of a call, if there is one now.
  private func end(_ trace: Trace, goesOn: Bool) {
    let isOver = goesOn || trace.thread.continuation.isNone && processes.current === trace.thread
    if case .exit = trace.thread.continuation {
      tracer?.leave(trace.line)
    } else if isOver {
      tracer?.end(trace.line, trace.thread)
    } else {
      tracer?.suspend(trace.line, trace.thread, trace.entry)
    }
  }

  /// `next()`, watched.
  public func watchNext() -> Next {
    monitor?.beginStretch(.betweenEvents)
    monitor?.begin(.betweenEvents)
    let result = next()
    monitor?.end()
    monitor?.endStretch()
    if case .finished = result { return result }
    if case .run = result, let tracer, let thread = processes.current, let process = processes.currentProcess {
      tracer.end(thread, process)
    }
    eventEnded()
    return result
  }

  /// `resume`, which goes on with one call between others, as an event of that call.
  func watchResume(_ thread: Thread, _ process: Process, _ monitor: EventMonitor) {
    monitor.begin(.call(entryInProgress(of: thread)))
    resume(thread, process)
    monitor.begin(.betweenEvents)
  }

  private func kind(of event: Event) -> EventKind {
    switch event {
    case .systemCall: processes.current.map { .call(entryInProgress(of: $0)) } ?? .betweenEvents
    case .exception(let exception): exception.vector == ExceptionVector.pageFault ? .pageFault : .exception
    case .timerTick: .timerTick
    case .consoleInterrupt: .consoleInterrupt
    case .deviceInterrupt: .deviceInterrupt
    }
  }

  // MARK: What is found

  /// Everything that an event leads to is done; ring 3 or nobody runs next.
  private func eventEnded() {
    guard let monitor, !hasViolation else { return }
    if let excess = monitor.excess { return reportExcess(excess) }
    if monitor.inspectionIsDue() { _ = isSound() }
  }

  /// The last event was handled: says what was measured.
  func endMonitoring() {
    monitor?.forEachLongStretch(SystemCallLimits.longStretchesShown) { name, nanoseconds in
      report { line in
        line.append("interrupts waited ")
        line.append(nanoseconds)
        line.append(" nanoseconds at most in ")
        line.append(name)
        line.append(" and what follows it")
      }
    }
    monitor?.forEachKind { use in
      guard use.count > 0 else { return }
      report { line in
        line.append("heap use of ")
        line.append(use.name)
        line.append(": ")
        line.append(use.largest)
        line.append(" of ")
        line.append(use.bound)
        line.append("; events: ")
        line.append(UInt64(use.count))
      }
    }
  }

  private func reportExcess(_ excess: EventHeapUse) {
    hasViolation = true
    report { line in
      line.append("inspection: heap use of ")
      line.append(excess.name)
      line.append(": ")
      line.append(excess.largest)
      line.append(", declared: ")
      line.append(excess.bound)
    }
  }
}

extension ConsoleLine {
  /// Adds an amount in words.
  fileprivate mutating func append(_ amount: HeapAmount) {
    append(UInt64(max(0, amount.objectCount)))
    append(" objects, ")
    append(UInt64(max(0, amount.byteCount)))
    append(" bytes")
  }
}
