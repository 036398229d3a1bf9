// procctl(2), PROC_SPROTECT: which processes are spared when memory has run out (VictimSearch.swift).
//
// The order of the checks is FreeBSD's: the process or group, then the flags, then the privilege.

public import ABI
import Files

extension ProcessSystem {
  /// Protects a process, or the members of a group, or lifts that. An identifier of 0 with P_PID is the caller. Of the others
  /// the upper half of the 64 bits counts for nothing, as on FreeBSD, where they are narrowed to a pid_t.
  ///
  /// Throws ESRCH when there is no such process or group, EINVAL for another type or unknown flags, EPERM unless the caller is
  /// the superuser.
  public func protect(
    _ type: IdentifierType, _ identifier: Int64, _ argument: UInt32, by caller: Process
  ) throws(Errno) {
    switch type {
    case .process:
      guard let process = identifier == 0 ? caller : livingProcess(Int32(truncatingIfNeeded: identifier)) else {
        throw .esrch
      }
      try protect(process, argument, by: caller)
    case .processGroup:
      guard let first = groups.first(Int32(truncatingIfNeeded: identifier)) else { throw .esrch }
      var slot: UInt32? = first
      var found = false
      while let member = slot {
        slot = groups.next(after: member)
        guard let process = slots[Int(member)], process.state != .zombie else { continue }
        found = true
        // What is wrong for one is wrong for all.
        try protect(process, argument, by: caller)
      }
      guard found else { throw .esrch }
    default: throw .einval
    }
  }

  private func protect(_ process: Process, _ argument: UInt32, by caller: Process) throws(Errno) {
    let operation = argument & ProtectionFlags.operationMask
    let flags = ProtectionFlags(rawValue: argument & ~ProtectionFlags.operationMask)
    guard operation == ProtectionFlags.set || operation == ProtectionFlags.clear,
      flags.isSubset(of: [.descend, .inherit])
    else { throw .einval }
    guard caller.credentials.isSuperuser else { throw .eperm }
    let isSet = operation == ProtectionFlags.set
    var current = process
    while true {
      current.isProtected = isSet
      current.protectsChildren = isSet && (current.protectsChildren || flags.contains(.inherit))
      guard flags.contains(.descend), let next = nextDescendant(after: current, of: process) else { return }
      current = next
    }
  }

  /// The living process that follows in a walk over the descendants of one: its first child, or the next one beside it or
  /// beside the closest of its ancestors that has one.
  private func nextDescendant(after process: Process, of top: Process) -> Process? {
    if let child = self[process.firstChild] { return child }
    var current = process
    while current !== top {
      if let sibling = self[current.nextSibling] { return sibling }
      guard let parent = self[current.parent] else { return nil }
      current = parent
    }
    return nil
  }
}
