// Process groups and sessions: setpgid(2), getpgid(2), setsid(2), getsid(2).

public import ABI

/// A process group that nobody is left to continue, while its members are told.
public struct OrphanedGroup: BitwiseCopyable, Sendable {
  let identifier: Int32
  /// The next slot of the table to look at.
  fileprivate var nextSlot: Int32 = 0

  fileprivate init(identifier: Int32) { self.identifier = identifier }

  fileprivate var slot: Int {
    get { Int(nextSlot) }
    set { nextSlot = Int32(truncatingIfNeeded: newValue) }
  }
}

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
    var looks = 0
    return isOrphaned(group: group, &looks)
  }

  /// The same; counts the members that were looked at.
  private func isOrphaned(group: Int32, _ looks: inout Int) -> Bool {
    var slot = groups.first(group)
    while let member = slot {
      looks += 1
      slot = groups.next(after: member)
      guard let process = slots[Int(member)], !process.hasLeftGroup else { continue }
      if process.slot == .initial { return false }
      if let parent = self[process.parent], parent.groupIdentifier != group,
        parent.sessionIdentifier == process.sessionIdentifier
      {
        return false
      }
    }
    return true
  }

  // MARK: Groups that somebody leaves alone

  /// The group of a process that ends, if that was the last who had somebody to continue the group, and a member is stopped.
  func leaveGroup(_ process: Process) -> OrphanedGroup? {
    guard !process.hasLeftGroup else { return nil }
    let counted = isStartedFromOutside(process, parent: self[process.parent])
    process.hasLeftGroup = true
    var looks = 0
    return counted ? orphanedGroup(process.groupIdentifier, &looks) : nil
  }

  /// The group of a child that its parent has left, if nobody is there any more to continue it, and a member is stopped.
  func groupLeft(by parent: Process, _ child: Process, _ looks: inout Int) -> OrphanedGroup? {
    guard isStartedFromOutside(child, parent: parent) else { return nil }
    return orphanedGroup(child.groupIdentifier, &looks)
  }

  /// Whether a process has its parent in another group of its session.
  private func isStartedFromOutside(_ process: Process, parent: Process?) -> Bool {
    guard let parent, !isEnding else { return false }
    return parent.groupIdentifier != process.groupIdentifier && parent.sessionIdentifier == process.sessionIdentifier
  }

  private func orphanedGroup(_ group: Int32, _ looks: inout Int) -> OrphanedGroup? {
    guard isOrphaned(group: group, &looks) else { return nil }
    var slot = groups.first(group)
    while let member = slot {
      looks += 1
      slot = groups.next(after: member)
      if let process = slots[Int(member)], process.isStopped { return OrphanedGroup(identifier: group) }
    }
    return nil
  }

  /// Hangs up on some more members of a group that nobody continues: SIGHUP, and SIGCONT so that they notice. Whether it has
  /// reached all.
  func hangUp(_ group: inout OrphanedGroup) -> Bool {
    var budget = ProcessLimits.childrenPerTurn
    while case let slot = usedSlots.next(from: group.slot), slot < slots.count {
      guard budget > 0 else { return false }
      group.slot = slot
      if let member = slots[group.slot], member.groupIdentifier == group.identifier, !member.hasLeftGroup {
        post(.sighup, to: member)
        post(.sigcont, to: member)
      }
      budget -= 1
      group.slot += 1
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
