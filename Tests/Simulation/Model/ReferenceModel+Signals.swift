// kill, sigaction, process groups and sessions (kill(2), sigaction(2), setpgid(2), setsid(2)), naively.
import ABI

extension ReferenceModel {
  func maySend(_ signal: Int32, from sender: ModelProcess, to target: ModelProcess) -> Bool {
    let from = sender.credentials
    let to = target.credentials
    if sender === target || from.effectiveUser == 0 { return true }
    if signal == 19 && sender.session == target.session { return true }
    if target.isTainted && ![0, 1, 2, 9, 14, 15, 17, 18, 21, 22, 30, 31].contains(signal) { return false }
    return [from.realUser, from.effectiveUser].contains { $0 == to.realUser || $0 == to.savedUser }
  }

  /// The processes that a kill is about.
  func targets(of process: ModelProcess, _ target: ProcessTarget) -> [ModelProcess] {
    let wanted = identifier(target)
    if wanted > 0 { return self.process(wanted).map { [$0] } ?? [] }
    return processes.values.filter {
      guard $0.state == .running else { return false }
      if wanted == -1 { return $0.number != 0 && $0 !== process }
      return $0.group == (wanted == 0 ? process.group : 0 &- wanted)
    }.sorted { $0.number < $1.number }
  }

  func kill(_ process: ModelProcess, _ target: ProcessTarget, _ signal: Int32) -> Expectation {
    if signal < 0 || signal > 128 { return .error(.einval) }
    let all = targets(of: process, target)
    if all.isEmpty { return .error(.esrch) }
    let allowed = all.filter { maySend(signal, from: process, to: $0) }
    if allowed.isEmpty { return .error(.eperm) }
    if signal != 0 { for target in allowed { post(signal, to: target, from: process) } }
    if process.state != .running { return .ended }
    return process.signals.isStopped ? .blocked : .value(0)
  }

  private func post(_ signal: Int32, to target: ModelProcess, from sender: ModelProcess) {
    post(
      ModelSignal(
        number: signal, code: 0x10001, sender: identifiers[sender.number] ?? 0, user: sender.credentials.realUser),
      to: target, isItsOwn: target === sender)
  }

  /// Posts a signal to a process, or to one of its threads, and does what follows (spec signals.md section 1.6).
  func post(_ signal: ModelSignal, to target: ModelProcess, _ thread: ModelThread? = nil, isItsOwn: Bool) {
    let number = signal.number
    guard target.state == .running else { return }
    let isCaught = target.signals.caught.contains(number)
    let isHarmless = ModelSignals.harmless.contains(number) && number != 19 && !isCaught
    if (isHarmless || target.signals.ignored.contains(number) && number != 19) && number != 9 && number != 17 { return }
    // Process 1 is spared what others send.
    if target.number == 0 && !isItsOwn && !isCaught {
      if number == 19 { resume(target, tells: true) }
      return
    }
    if number == 19 { discard(ModelSignals.stopping, of: target) }
    if ModelSignals.stopping.contains(number) {
      discard([19], of: target)
      target.signals.continuationIsUnreported = false
      if !isCaught && number != 17 && isOrphaned(target.group) { return }
    }
    let decider = thread ?? decidingThread(number, target)
    func enqueue() { if let thread { thread.queue.append(signal) } else { target.signals.queue.append(signal) } }
    if number == 9 {
      _ = exit(target, .terminated(.sigkill))
    } else if number == 19 {
      if isCaught || decider.holdsBack(19) || decider.awaited.contains(19) { enqueue() }
      let wasStopped = target.signals.isStopped
      resume(target, tells: true)
      if !wasStopped && isCaught && !decider.holdsBack(19) && !decider.awaited.contains(19) {
        endSleep(of: decider, number, target)
      }
    } else if decider.awaited.contains(number) {
      enqueue()
    } else if decider.holdsBack(number) {
      enqueue()
    } else if !isCaught && ModelSignals.stopping.contains(number) {
      stop(target, number)
    } else if target.signals.isStopped {
      enqueue()
    } else if isCaught {
      enqueue()
      endSleep(of: decider, number, target)
    } else {
      _ = exit(target, .terminated(Signal(rawValue: number)))
    }
  }

  /// The thread whose mask decides what becomes of a signal for a process.
  private func decidingThread(_ number: Int32, _ target: ModelProcess) -> ModelThread {
    if target === acting, !target.thread.holdsBack(number) { return target.thread }
    return target.threads.first { !$0.holdsBack(number) } ?? target.threads[0]
  }

  func discard(_ signals: Set<Int32>, of target: ModelProcess) {
    target.signals.queue.removeAll { signals.contains($0.number) }
    for thread in target.threads { thread.queue.removeAll { signals.contains($0.number) } }
  }

  func stop(_ target: ModelProcess, _ signal: Int32) {
    guard !target.signals.isStopped else { return }
    target.signals.isStopped = true
    target.signals.stopSignal = signal
    target.signals.stopIsUnreported = true
    target.signals.continuationIsUnreported = false
  }

  /// Those who sleep look at the signals that are due; the others do when they come to ring 3 (`note`).
  private func look(_ target: ModelProcess) {
    for thread in target.threads where target.state == .running && !target.signals.isStopped && isAsleep(thread) {
      lookInCall(target, thread)
    }
  }

  // MARK: Masks and waiting

  /// sigprocmask(2)
  func signalMask(
    _ process: ModelProcess, _ how: Int32, _ set: Set<Int32>?, _ wantsOld: Bool
  ) throws(Difference) -> Expectation {
    if set != nil && !reaches(process, .input, 16, write: false) { return .error(.efault) }
    let thread = process.thread
    let old = thread.mask
    if let set {
      switch how {
      case 1: thread.mask.formUnion(set)
      case 2: thread.mask.subtract(set)
      case 3: thread.mask = set
      default: return .error(.einval)
      }
      thread.mask.subtract([9, 17])
    }
    cross(process, thread)
    if process.state != .running { return .ended }
    if process.signals.isStopped { return .blocked }
    guard wantsOld else { return .value(0) }
    if !reaches(process, .output, 16, write: true) { return .error(.efault) }
    try checkSet("the old mask", old)
    return .value(0)
  }

  /// sigpending(2)
  func pendingSignals(_ process: ModelProcess) throws(Difference) -> Expectation {
    if !reaches(process, .output, 16, write: true) { return .error(.efault) }
    try checkSet("what is pending", process.signals.pending.union(process.thread.pending))
    return .value(0)
  }

  private func checkSet(_ name: String, _ set: Set<Int32>) throws(Difference) {
    let bytes = try output(.output, 16)
    let words = ModelSignals.words(of: set)
    for index in 0..<2 { try check(name, bytes, 8 * index, 8, words[index]) }
  }

  /// sigtimedwait(2) and its like: a signal is there, or the time is over at once; without a time it waits.
  func takeSignal(
    _ process: ModelProcess, _ set: Set<Int32>, _ nanoseconds: Int64?, isPlain: Bool
  ) throws(Difference) -> Expectation {
    if nanoseconds != nil && !reaches(process, .second, 16, write: false) { return .error(.efault) }
    if !reaches(process, .input, 16, write: false) { return .error(.efault) }
    guard let signal = take(chosen(set.subtracting([9, 17]), process), process, process.thread) else {
      guard let nanoseconds else {
        process.thread.awaited = set.subtracting([9, 17])
        return .blocked
      }
      return .error(nanoseconds < 0 || nanoseconds >= 1_000_000_000 ? .einval : .eagain)
    }
    let byteCount = isPlain ? 4 : 80
    if !reaches(process, .output, byteCount, write: true) { return .error(.efault) }
    let bytes = try output(.output, byteCount)
    try check("si_signo", bytes, 0, 4, UInt64(UInt32(bitPattern: signal.number)))
    if isPlain { return .value(0) }
    try check("si_code", bytes, 8, 4, UInt64(signal.code))
    try check("si_pid", bytes, 12, 4, UInt64(UInt32(bitPattern: signal.sender)))
    try check("si_uid", bytes, 16, 4, UInt64(signal.user))
    try check("si_value", bytes, 32, 8, signal.value)
    return .value(UInt64(signal.number))
  }

  /// Which of some signals a thread takes: of what is there the lowest. While it waited others may have taken some of the
  /// process: then it says itself which it found.
  private func chosen(_ set: Set<Int32>, _ process: ModelProcess) -> Set<Int32> {
    let thread = process.thread
    let waited = !thread.awaited.isEmpty
    thread.awaited = []
    guard waited, let bytes = outputs.first(where: { $0.pointer == .output })?.bytes else { return set }
    let told = Int32(truncatingIfNeeded: littleEndian(bytes, 0, byteCount: 4))
    let there = process.signals.pending.union(thread.pending).intersection(set)
    guard there.contains(told) else { return set }
    thread.passedOver = there.filter { $0 < told }
    return [told]
  }

  /// sigqueue(2)
  func queueSignal(_ process: ModelProcess, _ target: ProcessTarget, _ number: Int32, _ value: UInt64) -> Expectation {
    if number < 0 || number > 128 { return .error(.einval) }
    let wanted = identifier(target)
    if wanted <= 0 { return .error(.einval) }
    guard let other = self.process(wanted) else { return .error(.esrch) }
    if !maySend(number, from: process, to: other) { return .error(.eperm) }
    if number != 0 {
      post(
        ModelSignal(
          number: number, code: 0x10002, sender: identifiers[process.number] ?? 0,
          user: process.credentials.realUser, value: value),
        to: other, isItsOwn: other === process)
    }
    if process.state != .running { return .ended }
    return process.signals.isStopped ? .blocked : .value(0)
  }

  /// sigaltstack(2)
  func alternateStack(
    _ process: ModelProcess, _ stack: [UInt64]?, _ wantsOld: Bool
  ) throws(Difference) -> Expectation {
    if stack != nil && !reaches(process, .input, 24, write: false) { return .error(.efault) }
    let thread = process.thread
    let old = [thread.alternateStack[0], thread.alternateStack[1], thread.stackFlags]
    if let stack {
      if old[2] == 1 { return .error(.eperm) }
      if stack[2] & ~4 != 0 { return .error(.einval) }
      if stack[2] == 0 && stack[1] < 2048 { return .error(.enomem) }
      thread.alternateStack = stack[2] == 0 ? stack : [old[0], old[1], 4]
    }
    guard wantsOld else { return .value(0) }
    if !reaches(process, .output, 24, write: true) { return .error(.efault) }
    let bytes = try output(.output, 24)
    for index in 0..<3 { try check("stack_t", bytes, 8 * index, 8, old[index]) }
    return .value(0)
  }

  /// Whether nobody in the session outside a group is the parent of a member. Process 1 counts as somebody's child.
  func isOrphaned(_ group: Int32) -> Bool {
    processes.values.allSatisfy { member in
      guard member.group == group, member.state == .running else { return true }
      if member.number == 0 { return false }
      guard let parent = processes[member.parent] else { return true }
      return parent.group == group || parent.session != member.session
    }
  }

  /// A stopped process goes on, and looks at the signals that were posted meanwhile.
  private func resume(_ target: ModelProcess, tells: Bool) {
    guard target.signals.isStopped else { return }
    target.signals.isStopped = false
    target.signals.stopIsUnreported = false
    if !tells { return }
    target.signals.continuationIsUnreported = true
    look(target)
    // Who slept looks again at what it waited for.
    guard target.state == .running, !target.signals.isStopped else { return }
    for thread in target.threads {
      if let first = due(target, thread).intersection(target.signals.caught).min() {
        endSleep(of: thread, first, target)
      }
    }
  }

  /// sigaction(2)
  func signalAction(
    _ process: ModelProcess, _ signal: Int32, _ new: ModelAction?, _ wantsOld: Bool
  ) throws(Difference) -> Expectation {
    if new != nil && !reaches(process, .input, 32, write: false) { return .error(.efault) }
    if signal <= 0 || signal > 128 { return .error(.einval) }
    if let new, new.handler > 1, new.flags & ~0x7F != 0 { return .error(.einval) }
    var old = process.signals.actions[signal] ?? ModelAction(handler: 0, flags: 2, mask: [])
    let isCaught = process.signals.caught.contains(signal)
    if !isCaught { old.handler = process.signals.ignored.contains(signal) ? 1 : 0 }
    // Those of SIGCHLD alone.
    old.flags &= signal == 20 ? 0x7F : 0x57
    if var new {
      if new.handler != 0 && (signal == 9 || signal == 17) { return .error(.einval) }
      new.mask.subtract([9, 17])
      if new.handler <= 1 { new.flags &= ~0x40 }
      process.signals.actions[signal] = new
      process.signals.caught.remove(signal)
      process.signals.ignored.remove(signal)
      if new.handler == 1 { process.signals.ignored.insert(signal) }
      if new.handler > 1 { process.signals.caught.insert(signal) }
      // What is of no interest any more goes, pending or not.
      if new.handler == 1 || new.handler == 0 && ModelSignals.harmless.contains(signal) {
        discard([signal], of: process)
      }
    }
    if wantsOld {
      if !reaches(process, .output, 32, write: true) { return .error(.efault) }
      let bytes = try output(.output, 32)
      try check("sa_handler", bytes, 0, 8, old.handler)
      try check("sa_flags", bytes, 8, 4, UInt64(old.flags))
      for (index, word) in ModelSignals.words(of: old.mask).enumerated() {
        try check("sa_mask", bytes, 12 + 8 * index, 8, word)
      }
    }
    return .value(0)
  }

  /// procctl(2): what PROC_SPROTECT does shows only in who is killed when memory has run out.
  func controlProcess(
    _ process: ModelProcess, _ type: Int32, _ target: ProcessTarget, _ command: Int32, _ flags: UInt32
  ) -> Expectation {
    if command != 1 { return .error(.einval) }
    if !reaches(process, .input, 4, write: false) { return .error(.efault) }
    let wanted = identifier(target)
    switch type {
    case 0:
      if wanted != 0 && (wanted < 0 || self.process(wanted)?.state != .running) { return .error(.esrch) }
    case 2:
      if !processes.values.contains(where: { $0.state == .running && $0.group == wanted }) { return .error(.esrch) }
    default: return .error(.einval)
    }
    if ![1, 2].contains(flags & 15) || flags & ~0x3F != 0 { return .error(.einval) }
    return process.credentials.effectiveUser == 0 ? .value(0) : .error(.eperm)
  }

  // MARK: Groups and sessions

  func groupOrSession(
    _ process: ModelProcess, _ target: ProcessTarget, _ which: (ModelProcess) -> Int32
  ) -> Expectation {
    let wanted = identifier(target)
    if wanted == 0 { return .value(UInt64(which(process))) }
    guard let other = self.process(wanted), other.state == .running else { return .error(.esrch) }
    return .value(UInt64(which(other)))
  }

  func setProcessGroup(_ process: ModelProcess, _ target: ProcessTarget, _ group: ProcessTarget) -> Expectation {
    let wanted = identifier(group)
    if wanted < 0 { return .error(.einval) }
    var changed = process
    let who = identifier(target)
    if who != 0 && who != process.identifier {
      guard let child = self.process(who), child.state == .running, child.parent == process.number else {
        return .error(.esrch)
      }
      if child.session != process.session { return .error(.eperm) }
      if child.hasExecuted { return .error(.eacces) }
      changed = child
    }
    if changed.session == changed.identifier { return .error(.eperm) }
    let new = wanted == 0 ? changed.identifier : wanted
    if new != changed.identifier && new != changed.group {
      guard let member = processes.values.first(where: { $0.group == new }), member.session == process.session else {
        return .error(.eperm)
      }
    }
    changed.group = new
    return .value(0)
  }

  func makeSession(_ process: ModelProcess) -> Expectation {
    if processes.values.contains(where: { $0.group == process.identifier }) { return .error(.eperm) }
    process.group = process.identifier
    process.session = process.identifier
    return .value(UInt64(process.identifier))
  }
}
