// Delivery of signals in the reference model: what a thread finds that crosses into ring 3, what its handlers find on the stack, and
// what becomes of the calls that they interrupt (spec signals.md sections 1.8, 1.12 and 1.17).
//
// Who crosses first the machine decides, and whether a thread that waits for a signal of the process has it before another comes
// across it; what anybody finds then follows from the model alone.

import ABI

extension ReferenceModel {
  // MARK: What is due

  /// The signals that a thread would act on now.
  func due(_ process: ModelProcess, _ thread: ModelThread) -> Set<Int32> {
    process.signals.pending.union(thread.pending).subtracting(thread.mask).subtracting(thread.awaited)
  }

  /// Takes the first instance of the lowest of some signals: what is for the thread goes before what is for the process.
  func take(_ set: Set<Int32>, _ process: ModelProcess, _ thread: ModelThread) -> ModelSignal? {
    guard let number = process.signals.pending.union(thread.pending).intersection(set).min() else { return nil }
    if let index = thread.queue.firstIndex(where: { $0.number == number }) { return thread.queue.remove(at: index) }
    guard let index = process.signals.queue.firstIndex(where: { $0.number == number }) else { return nil }
    return process.signals.queue.remove(at: index)
  }

  /// A thread goes on in ring 3, and acts on what is due first.
  func cross(_ process: ModelProcess, _ thread: ModelThread) {
    while process.state == .running, !process.signals.isStopped,
      let signal = take(due(process, thread), process, thread)
    {
      let number = signal.number
      if process.signals.caught.contains(number) {
        push(signal, nil, process, thread)
      } else if process.signals.ignored.contains(number) || ModelSignals.harmless.contains(number) {
        continue
      } else if ModelSignals.stopping.contains(number) {
        if number == 17 || !isOrphaned(process.group) { stop(process, number) }
      } else {
        _ = exit(process, .terminated(Signal(rawValue: number)))
      }
    }
  }

  /// A thread looks at its signals in the middle of a call that sleeps: what ends or stops the process does so.
  func lookInCall(_ process: ModelProcess, _ thread: ModelThread) {
    let others = due(process, thread).subtracting(process.signals.caught)
    let stop = others.intersection(ModelSignals.stopping).min()
    let fatal = others.subtracting(ModelSignals.stopping).subtracting(ModelSignals.harmless)
      .subtracting(process.signals.ignored).min()
    if let fatal, fatal < stop ?? 129 {
      _ = exit(process, .terminated(Signal(rawValue: fatal)))
    } else if let stop {
      process.signals.queue.removeAll { $0.number == stop }
      thread.queue.removeAll { $0.number == stop }
      if process.signals.ignored.contains(stop) { return }
      if stop == 17 || !isOrphaned(process.group) { self.stop(process, stop) }
    }
  }

  // MARK: Handlers

  /// A stack that is nowhere, as scripts set it.
  static let badStack: UInt64 = 0x1000

  /// A handler begins.
  private func push(_ signal: ModelSignal, _ fault: ModelFault?, _ process: ModelProcess, _ thread: ModelThread) {
    guard let action = process.signals.actions[signal.number] else { return }
    if action.usesAlternateStack && thread.alternateStack[2] == 0 && thread.alternateStack[0] == Self.badStack {
      _ = exit(process, .terminated(.sigill))
      return
    }
    thread.frames.append(
      ModelFrame(
        signal: signal, action: action, savedMask: thread.suspendedMask ?? thread.mask, stack: thread.alternateStack,
        fault: fault))
    thread.unseenFrameCount += 1
    thread.suspendedMask = nil
    thread.mask.formUnion(action.mask)
    if !action.isNotHeldBack { thread.mask.insert(signal.number) }
    thread.mask.subtract([9, 17])
    if action.isForOnce {
      process.signals.caught.remove(signal.number)
      process.signals.actions[signal.number]?.flags &= ~0x40
    }
    process.usage.signalCount += 1
  }

  /// An access that is not allowed: its handler begins at once; who holds the signal back, or has no handler, dies of it.
  func fault(
    _ process: ModelProcess, _ number: Int32, _ code: Int32, _ address: UInt64, error: UInt64
  ) -> Expectation {
    guard process.signals.caught.contains(number), !process.thread.mask.contains(number) else {
      return exit(process, .terminated(Signal(rawValue: number)))
    }
    let signal = ModelSignal(number: number, code: UInt32(bitPattern: code), address: address)
    push(signal, ModelFault(address: address, error: error), process, process.thread)
    return process.state == .running ? .handled : .ended
  }

  /// sigreturn(2) of the innermost handler, with the mask that its frame has, or another that was put there.
  func returnFromHandler(
    _ process: ModelProcess, _ mask: Set<Int32>?, _ observed: Observation
  ) throws(Difference) -> Expectation {
    let thread = process.thread
    guard let frame = thread.frames.popLast() else { throw Difference("there is no handler to return from") }
    thread.mask = (mask ?? frame.savedMask).subtracting([9, 17])
    if !due(process, thread).isEmpty {
      // Another handler begins before the call is made again.
      thread.restarting = frame.restarting
      return .value(0)
    }
    guard let operation = frame.restarting else { return .value(0) }
    thread.resumed = operation
    let result = try expectation(operation, process, observed)
    if case .blocked = result { return result }
    thread.resumed = nil
    return result
  }

  // MARK: What threads find

  /// Checks who has come to ring 3, and with which handlers; `fate` says what has become of a process. A signal is taken before
  /// the stack for its frame is brought in, so that others may come to ring 3 in between who do not find it any more: those
  /// without a handler are looked at last.
  func note(_ arrivals: [Arrival], _ fate: (Int) -> ModelFate) throws(Difference) {
    for arrival in arrivals.filter(\.isHandler) + arrivals.filter({ !$0.isHandler }) {
      guard let process = processes[Actor.process(arrival.actor)], process.state == .running,
        let thread = process.thread(Actor.thread(arrival.actor))
      else { continue }
      // Who sleeps only came back to sleep again.
      if !arrival.isHandler && thread.blocked != nil { continue }
      let first = thread.frames.count - thread.unseenFrameCount
      cross(process, thread)
      // Nobody can read the frames of who has ended.
      if fate(process.number) == .ended { continue }
      let frames = Array(thread.frames[first...])
      thread.unseenFrameCount = 0
      let who = "thread \(thread.number) of process \(process.number)"
      guard frames.count == arrival.frames.count else {
        throw Difference(
          "\(arrival.frames.count) handlers begin in \(who), expected those of \(frames.map(\.signal.number))")
      }
      guard arrival.isHandler else { continue }
      thread.firstNewFrame = first
      try check(arrival, frames, process, thread, first, who)
      thread.frames[first].restarting = thread.restarting
      thread.restarting = nil
    }
    for process in running { settle(process, fate(process.number)) }
  }

  /// Who has ended or stopped its process came nowhere: the other threads that can run act on what is left to them, and, where
  /// the process has gone or stopped nevertheless, those that sleep.
  private func settle(_ process: ModelProcess, _ fate: ModelFate) {
    for thread in process.threads where !isAsleep(thread) { cross(process, thread) }
    for thread in process.threads where process.state == .running && !process.signals.isStopped && fate != .running {
      lookInCall(process, thread)
    }
  }

  /// Whether a thread sleeps in a call that a signal may end.
  func isAsleep(_ thread: ModelThread) -> Bool { thread.blocked.map { interruption(of: $0) != .none } ?? false }

  private func check(
    _ arrival: Arrival, _ frames: [ModelFrame], _ process: ModelProcess, _ thread: ModelThread, _ first: Int,
    _ who: String
  ) throws(Difference) {
    var stackPointer = arrival.oldStackPointer
    for (index, frame) in frames.enumerated() {
      let bytes = arrival.frames[frames.count - 1 - index]
      let isOn = frame.stack[2] == 0 && stackPointer >= frame.stack[0] && stackPointer - frame.stack[0] < frame.stack[1]
      var top = stackPointer - 128
      if frame.action.usesAlternateStack && frame.stack[2] == 0 && !isOn { top = frame.stack[0] + frame.stack[1] }
      let extended = (top - 320) & ~63
      let address = (extended - 976) & ~15
      thread.frames[first + index].address = address
      try check(frame, bytes, "the handler of \(frame.signal.number) in \(who)", stackPointer, extended, isOn)
      stackPointer = address
    }
    if stackPointer != arrival.stackPointer {
      throw Difference("a frame of \(who) lies at \(arrival.stackPointer), expected \(stackPointer)")
    }
    guard let last = frames.last else { return }
    let code = UInt64(bitPattern: Int64(Int32(bitPattern: last.signal.code)))
    let wanted = [
      UInt64(last.signal.number), last.action.wantsInformation ? stackPointer + 896 : code, stackPointer + 16,
      last.signal.address,
    ]
    for (index, name) in ["rdi", "rsi", "rdx", "rcx"].enumerated() where arrival.registers[index] != wanted[index] {
      throw Difference("\(name) of a handler in \(who) is \(arrival.registers[index]), expected \(wanted[index])")
    }
    if arrival.registers[4] & 0x500 != 0 { throw Difference("a handler begins with TF or DF") }
  }

  private func check(
    _ frame: ModelFrame, _ bytes: [UInt8], _ name: String, _ stackPointer: UInt64, _ extended: UInt64, _ isOn: Bool
  ) throws(Difference) {
    func check(_ field: String, _ offset: Int, _ byteCount: Int, _ wanted: UInt64) throws(Difference) {
      try self.check("\(field) of \(name)", bytes, offset, byteCount, wanted)
    }
    try check("sf_ahu", 0, 8, frame.action.handler)
    for (index, word) in ModelSignals.words(of: frame.savedMask).enumerated() {
      try check("uc_sigmask", 16 + 8 * index, 8, word)
    }
    try check("mc_onstack", 32, 8, isOn ? 1 : 0)
    try check("mc_trapno", 160, 4, frame.fault == nil ? 0 : 12)
    try check("mc_addr", 168, 8, frame.fault?.address ?? 0)
    try check("mc_flags", 176, 4, 5)
    // Whether there was a page is not for the model.
    if let fault = frame.fault, littleEndian(bytes, 184) & ~1 != fault.error | 4 {
      throw Difference("mc_err of \(name) is \(littleEndian(bytes, 184)), expected \(fault.error | 4)")
    }
    try check("mc_rsp", 216, 8, stackPointer)
    try check("mc_len", 232, 8, 800)
    try check("mc_fpformat", 240, 8, 0x10002)
    try check("mc_xfpustate", 784, 8, extended)
    try check("mc_xfpustate_len", 792, 8, 320)
    for index in 0..<2 { try check("uc_stack", 840 + 8 * index, 8, frame.stack[index]) }
    try check("uc_stack", 856, 4, frame.stack[2] != 0 ? 4 : isOn ? 1 : 0)
    guard frame.action.wantsInformation else {
      for offset in stride(from: 896, to: 976, by: 8) { try check("siginfo that nobody wants", offset, 8, 0) }
      return
    }
    let signal = frame.signal
    try check("si_signo", 896, 4, UInt64(signal.number))
    try check("si_errno", 900, 4, 0)
    try check("si_code", 904, 4, UInt64(signal.code))
    try check("si_pid", 908, 4, UInt64(UInt32(bitPattern: signal.sender)))
    try check("si_uid", 912, 4, UInt64(signal.user))
    try check("si_status", 916, 4, 0)
    try check("si_addr", 920, 8, signal.address)
    try check("si_value", 928, 8, signal.value)
    try check("si_trapno", 936, 4, frame.fault == nil ? 0 : 12)
  }

  /// Nothing may be due any more to who can run.
  func checkNothingIsDue() throws(Difference) {
    for process in running where !process.signals.isStopped {
      for thread in process.threads {
        let left = due(process, thread).filter { process.signals.caught.contains($0) }
        if thread.unseenFrameCount > 0 || thread.isRunnable && !left.isEmpty {
          let numbers = left.sorted() + thread.frames.suffix(thread.unseenFrameCount).map(\.signal.number)
          throw Difference("no handler begins in thread \(thread.number) of process \(process.number) for \(numbers)")
        }
        thread.firstNewFrame = nil
        let passedOver = process.signals.pending.union(thread.pending).intersection(thread.passedOver)
        thread.passedOver = []
        if !passedOver.isEmpty {
          throw Difference("thread \(thread.number) of process \(process.number) did not take \(passedOver) first")
        }
      }
    }
  }

  // MARK: Interrupted calls

  /// What a caught signal does to a call that sleeps until another does something.
  func interruption(of operation: Operation) -> ModelInterruption {
    switch operation.call {
    case is ReadCall, is WaitCall: .restartsIfAsked
    case let call as ThreadSuspensionCall: call.isEndless ? .restartsIfAsked : .none
    case is WordWaitCall, is TakeSignalCall, is PollCall: .fails
    case is SuspendCall: .failsForHandler
    default: .none
    }
  }

  /// A signal that is caught ends the sleep of a thread, if it sleeps.
  func endSleep(of thread: ModelThread, _ number: Int32, _ process: ModelProcess) {
    guard let operation = thread.blocked, interruption(of: operation) != .none, thread.sleepEnd == .none else { return }
    thread.sleepEnd = process.signals.actions[number]?.restarts == true ? .restart : .fail
  }

  /// Whether a call that has returned did so because of a signal, and gave what it has to.
  func isInterrupted(
    _ process: ModelProcess, _ thread: ModelThread, _ operation: Operation, _ observed: Observation
  ) throws(Difference) -> Bool {
    let end = thread.sleepEnd
    thread.sleepEnd = .none
    if end == .none || isSatisfied(process, thread, operation) { return false }
    let kind = interruption(of: operation)
    let isHandled = thread.firstNewFrame != nil
    if kind == .restartsIfAsked && end == .restart || kind == .failsForHandler && !isHandled {
      // Where another thread took the signal, the call goes on.
      guard isHandled else {
        if observed != .blocked { throw Difference("got \(observed), expected to wait again") }
        return true
      }
      if observed != .handled { throw Difference("got \(observed), expected a handler before the call begins anew") }
      if let first = thread.firstNewFrame { thread.frames[first].restarting = operation }
    } else {
      let eintr = Errno.eintr.rawValue
      let isPlain = (operation.call as? TakeSignalCall)?.kind == .plain
      if observed != (isPlain ? .value(UInt64(eintr)) : .error(eintr)) {
        throw Difference("got \(observed), expected EINTR")
      }
    }
    thread.blocked = nil
    thread.key = nil
    thread.awaited = []
    return true
  }
}
