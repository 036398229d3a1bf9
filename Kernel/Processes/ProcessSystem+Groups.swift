// Process groups and sessions: setpgid(2), getpgid(2), setsid(2), getsid(2).

public import ABI

extension ProcessSystem {
  /// setpgid(2). A `target` of 0 means `caller`; a `group` of 0 the target's own identifier.
  ///
  /// Throws EINVAL for a negative group, ESRCH when the target is neither the caller nor its child, EACCES when the child has
  /// executed a program, EPERM for session leaders, other sessions, and groups that do not exist in the session.
  public func setProcessGroup(_ target: Int32, _ group: Int32, by caller: Process) throws(Errno) {
    guard group >= 0 else { throw .einval }
    let process: Process
    if target != 0 && target != caller.identifier {
      guard let child = livingProcess(target), child.parent == caller.slot else { throw .esrch }
      guard child.sessionIdentifier == caller.sessionIdentifier else { throw .eperm }
      guard !child.hasExecuted else { throw .eacces }
      process = child
    } else {
      process = caller
    }
    guard process.sessionIdentifier != process.identifier else { throw .eperm }
    let wanted = group == 0 ? process.identifier : group
    if wanted == process.groupIdentifier { return }
    if wanted != process.identifier {
      guard let member = groups.first(wanted), let other = slots[Int(member)],
        other.sessionIdentifier == caller.sessionIdentifier
      else { throw .eperm }
    }
    setGroup(process, wanted)
  }

  /// Whether nobody outside a group, in its session, is there to continue its members: none has its parent in another group of
  /// the session. Process 1, which has no parent, counts as started by somebody who is.
  func isOrphaned(group: Int32) -> Bool {
    var slot = groups.first(group)
    while let member = slot {
      slot = groups.next(after: member)
      guard let process = slots[Int(member)], process.state != .zombie else { continue }
      if process.slot == .initial { return false }
      if let parent = self[process.parent], parent.groupIdentifier != group,
        parent.sessionIdentifier == process.sessionIdentifier
      {
        return false
      }
    }
    return true
  }

  /// setsid(2): makes the caller the leader of a new session and a new group. EPERM when it leads a group, or a group with
  /// its identifier exists.
  public func makeSession(_ caller: Process) throws(Errno) -> Int32 {
    guard !groupExists(caller.identifier) else { throw .eperm }
    setGroup(caller, caller.identifier)
    setSession(caller, caller.identifier)
    return caller.identifier
  }

  /// getpgid(2): 0 means the caller. ESRCH when there is no such process.
  public func processGroup(of identifier: Int32, by caller: Process) throws(Errno) -> Int32 {
    if identifier == 0 { return caller.groupIdentifier }
    guard let process = livingProcess(identifier) else { throw .esrch }
    return process.groupIdentifier
  }

  /// getsid(2): 0 means the caller. ESRCH when there is no such process.
  public func session(of identifier: Int32, by caller: Process) throws(Errno) -> Int32 {
    if identifier == 0 { return caller.sessionIdentifier }
    guard let process = livingProcess(identifier) else { throw .esrch }
    return process.sessionIdentifier
  }
}
