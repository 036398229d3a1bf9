// Sending signals to processes and groups: kill(2), in bounded steps where there are many.

public import ABI

/// A signal on its way to many processes. It reaches every one that there is when it has reached the last: those that were made
/// in the meantime too, so that nobody escapes by forking.
public struct PendingKill: BitwiseCopyable {
  fileprivate let target: Int32
  fileprivate let signal: Signal?
  /// The next slot to look at.
  fileprivate var slot = 0
  /// Processes made before this one had their turn in an earlier pass, those from `end` on have it in the next.
  fileprivate var start: UInt64 = 0
  fileprivate var end: UInt64
  fileprivate var reach = SignalReach()
}

/// Whom a signal to several processes met.
private struct SignalReach: BitwiseCopyable {
  var found = false
  var permitted = false

  /// ESRCH when there was no such process, EPERM when none of them may be signalled.
  func check() throws(Errno) {
    guard found else { throw .esrch }
    guard permitted else { throw .eperm }
  }
}

extension ProcessSystem {
  /// kill(2). `signal` nil only checks. Returns what remains to be done, if there is much.
  ///
  /// Throws ESRCH when there is no such process or group, EPERM when none of the processes may be signalled.
  public func kill(_ target: Int32, _ signal: Signal?, by caller: Process) throws(Errno) -> PendingKill? {
    if target > 0 {
      guard let process = process(target) else { throw .esrch }
      guard maySend(signal, from: caller, to: process) else { throw .eperm }
      if let signal { post(signal, to: process, from: caller) }
      return nil
    }
    let group = target == 0 ? caller.groupIdentifier : target == Int32.min ? 0 : -target
    guard target != -1, !isLarge(group) else {
      return PendingKill(target: target == -1 ? -1 : group, signal: signal, end: processNumber)
    }
    var reach = SignalReach()
    var slot = groups.first(group)
    while let member = slot {
      slot = groups.next(after: member)
      if let process = slots[Int(member)] { send(signal, to: process, from: caller, &reach) }
    }
    try reach.check()
    return nil
  }

  /// Whether a group has more members than are signalled at a time.
  func isLarge(_ group: Int32) -> Bool {
    var count = 0
    var slot = groups.first(group)
    while let member = slot, count <= ProcessLimits.signalsPerTurn {
      slot = groups.next(after: member)
      count += 1
    }
    return count > ProcessLimits.signalsPerTurn
  }

  /// Signals some more of those whom a signal is to reach. Returns whether it has reached all.
  ///
  /// Throws ESRCH when there was no such process, EPERM when none of the processes may be signalled.
  public func continueKill(_ pending: inout PendingKill, by caller: Process) throws(Errno) -> Bool {
    var signals = 0
    while true {
      while pending.slot < slots.count {
        guard signals < ProcessLimits.signalsPerTurn else { return false }
        guard let process = slots[pending.slot] else {
          pending.slot = usedSlots.next(from: pending.slot)
          continue
        }
        if process !== caller, process.number >= pending.start, pending.isFor(process) {
          send(pending.signal, to: process, from: caller, &pending.reach)
          signals += 1
        }
        pending.slot += 1
      }
      if processNumber == pending.end { break }
      pending.start = pending.end
      pending.end = processNumber
      pending.slot = 0
    }
    // The caller comes last: it must not end before.
    if pending.target != -1 && pending.isFor(caller) { send(pending.signal, to: caller, from: caller, &pending.reach) }
    try pending.reach.check()
    return true
  }

  /// Signals one of several processes, if that is permitted. (No function inside `kill`: what it captured would be on the
  /// heap.)
  private func send(_ signal: Signal?, to process: Process, from caller: Process, _ reach: inout SignalReach) {
    guard process.state != .zombie else { return }
    reach.found = true
    guard maySend(signal, from: caller, to: process) else { return }
    reach.permitted = true
    if let signal { post(signal, to: process, from: caller) }
  }
}

extension PendingKill {
  /// Whether the signal is for this process: everybody but process 1, or a group.
  fileprivate func isFor(_ process: Process) -> Bool {
    target == -1 ? process.identifier > 1 : process.groupIdentifier == target
  }
}
