// kill, sigaction, process groups and sessions (kill(2), sigaction(2), setpgid(2), setsid(2)), naively.
import ABI

extension ReferenceModel {
  private func maySend(_ signal: Int32, from sender: ModelProcess, to target: ModelProcess) -> Bool {
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
    guard target.state == .running else { return }
    if signal == 19 || signal == 9 { resume(target, tells: signal == 19) }
    if target.state != .running || target.signals.ignored.contains(signal) && signal != 9 && signal != 17 { return }
    if [18, 21, 22].contains(signal) && isOrphaned(target.group) { return }
    // Process 1 is spared what others send.
    if target.number == 0 && target !== sender || ModelSignals.harmless.contains(signal) { return }
    if ModelSignals.stopping.contains(signal) {
      guard !target.signals.isStopped else { return }
      target.signals.isStopped = true
      target.signals.stopSignal = signal
      target.signals.stopIsUnreported = true
      target.signals.continuationIsUnreported = false
    } else if target.signals.isStopped {
      target.signals.pending.insert(signal)
    } else {
      _ = exit(target, .terminated(Signal(rawValue: signal)))
    }
  }

  /// Whether nobody in the session outside a group is the parent of a member. Process 1 counts as somebody's child.
  private func isOrphaned(_ group: Int32) -> Bool {
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
    if let first = target.signals.pending.min() { _ = exit(target, .terminated(Signal(rawValue: first))) }
  }

  /// sigaction(2) with SIG_DFL and SIG_IGN.
  func signalAction(
    _ process: ModelProcess, _ signal: Int32, _ handler: UInt64?, _ wantsOld: Bool
  ) throws(Difference) -> Expectation {
    if handler != nil && !reaches(process, .input, 32, write: false) { return .error(.efault) }
    if signal <= 0 || signal > 128 { return .error(.einval) }
    let old: UInt64 = process.signals.ignored.contains(signal) ? 1 : 0
    let oldFlags: UInt64 = process.signals.touched.contains(signal) ? 0 : 2
    if let handler {
      if handler != 0 && (signal == 9 || signal == 17) { return .error(.einval) }
      process.signals.touched.insert(signal)
      if handler == 1 { process.signals.ignored.insert(signal) } else { process.signals.ignored.remove(signal) }
    }
    if wantsOld {
      if !reaches(process, .output, 32, write: true) { return .error(.efault) }
      let bytes = try output(.output, 32)
      try check("sa_handler", bytes, 0, 8, old)
      try check("sa_flags", bytes, 8, 8, oldFlags)
      for offset in [16, 24] { try check("sa_mask", bytes, offset, 8, 0) }
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
