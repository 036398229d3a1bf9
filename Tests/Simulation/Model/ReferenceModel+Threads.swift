// Threads of a process in the reference model: signals for one of them, and words that they wait for (spec signals.md sections 1.5, 2
// and 3.2).

import ABI

extension ReferenceModel {
  /// thr_kill(2) and thr_kill2(2): of one thread of a process, which need not be the one that was told, or of all but the caller.
  func signalThread(
    _ caller: ModelProcess, _ told: Int, _ owner: Int, _ thread: Int?, _ number: Int32
  ) -> Expectation {
    guard let target = processes[told], target.state == .running else { return .error(.esrch) }
    let isValid = number >= 0 && number <= 128
    if thread == nil && told == caller.number && !isValid { return .error(.einval) }
    var receivers = target.threads.filter { $0.number == thread && told == owner }
    if thread == nil { receivers = target.threads.filter { target !== caller || $0 !== caller.thread } }
    if thread != nil && receivers.isEmpty { return .error(.esrch) }
    if !maySend(isValid ? number : 0, from: caller, to: target) { return .error(.eperm) }
    if !isValid { return .error(.einval) }
    if receivers.isEmpty { return .error(.esrch) }
    if number != 0 {
      for receiver in receivers where target.state == .running {
        post(
          ModelSignal(
            number: number, code: 0x10007, sender: identifiers[caller.number] ?? 0,
            user: caller.credentials.realUser),
          to: target, receiver, isItsOwn: target === caller)
      }
    }
    if caller.state != .running { return .ended }
    return caller.signals.isStopped ? .blocked : .value(0)
  }

  /// Ends the acting thread, if it is not the last of its process.
  func exitThread(_ process: ModelProcess) -> Expectation {
    if process.threads.count == 1 { return .value(0) }
    let thread = process.thread
    process.threads.removeAll { $0 === thread }
    process.thread = process.threads[0]
    return .ended
  }

  // MARK: Words

  /// Whether the word is one that threads of scripts wait for: in shared memory, or in memory of the process alone.
  func isPlainWord(_ process: ModelProcess, _ address: UInt64) -> Bool {
    guard let view = process.memory[address / 4096], view.inheritance == nil else { return false }
    return view.isShared || view.object == nil
  }

  /// What those who wait for a word are known by.
  func key(_ process: ModelProcess, _ address: UInt64, isPrivate: Bool) -> ModelWordKey {
    guard !isPrivate, let view = process.memory[address / 4096], view.isShared, let object = view.object else {
      return .own(process: process.number, address)
    }
    return .shared(object, view.objectPage * 4096 + Int(address % 4096))
  }

  /// Wakes so many of those who sleep on a word, in the order in which they fell asleep.
  func wake(_ key: ModelWordKey, atMost count: Int) {
    let sleepers = blockedThreads.map(\.1).filter { $0.key == key && !$0.isWoken }
    for thread in sleepers.sorted(by: { $0.sleepNumber < $1.sleepNumber }).prefix(count) { thread.isWoken = true }
  }
}
