// Waiting for children: wait4(2).

public import ABI

/// What wait4(2) found.
public enum WaitResult {
  /// A child changed state; `usage` is what it used.
  case found(identifier: Int32, status: WaitStatus, usage: ResourceUsage)
  /// There are children, but none has anything to report.
  case notYet
}

extension ProcessSystem {
  /// Looks for a child with something to report, and takes the report.
  ///
  /// - Parameter target: −1 any child, 0 the caller's group, positive that child, below −1 that group.
  ///
  /// Throws ECHILD when no child can ever match.
  public func pollChildren(_ target: Int32, _ options: WaitOptions, of parent: Process) throws(Errno) -> WaitResult {
    if target > 0 {
      guard let child = process(target), child.parent == parent.slot, child.slot != parent.slot,
        tellsAsAsked(child, options)
      else { throw .echild }
      return report(child, options, to: parent) ?? .notYet
    }
    var hasCandidate = false
    var slot = parent.firstZombie
    while let child = self[slot] {
      slot = child.nextSibling
      guard matches(child, target, parent), tellsAsAsked(child, options) else { continue }
      if let result = report(child, options, to: parent) { return result }
      hasCandidate = true
    }
    slot = parent.firstChild
    // Without interest in stops, one living child is as good as all.
    let inspects = options.contains(.stopped) || options.contains(.continued)
    while let child = self[slot] {
      slot = child.nextSibling
      guard matches(child, target, parent), tellsAsAsked(child, options) else { continue }
      hasCandidate = true
      guard inspects else { break }
      if let result = report(child, options, to: parent) { return result }
    }
    guard hasCandidate else { throw .echild }
    return .notYet
  }

  /// Children that do not end with SIGCHLD are only for who asks for them (FreeBSD's proc_to_reap).
  private func tellsAsAsked(_ child: Process, _ options: WaitOptions) -> Bool {
    (child.endSignal != .sigchld) == options.contains(.otherSignal)
  }

  private func matches(_ child: Process, _ target: Int32, _ parent: Process) -> Bool {
    switch target {
    case -1: true
    case 0: child.groupIdentifier == parent.groupIdentifier
    default: target != Int32.min && child.groupIdentifier == -target
    }
  }

  private func report(_ child: Process, _ options: WaitOptions, to parent: Process) -> WaitResult? {
    if child.state == .zombie {
      var usage = child.usage
      usage.add(child.childUsage)
      let result = WaitResult.found(identifier: child.identifier, status: child.exitStatus, usage: usage)
      if !options.contains(.noWait) {
        parent.childUsage.add(usage)
        reap(child)
      }
      return result
    }
    if options.contains(.stopped) && child.isStopped && child.stopIsUnreported {
      if !options.contains(.noWait) {
        child.stopIsUnreported = false
        withdrawNotice(of: child)
      }
      return .found(identifier: child.identifier, status: .stopped(child.stopSignal), usage: child.currentUsage)
    }
    if options.contains(.continued) && child.continuationIsUnreported {
      if !options.contains(.noWait) {
        child.continuationIsUnreported = false
        withdrawNotice(of: child)
      }
      return .found(identifier: child.identifier, status: .continued, usage: child.currentUsage)
    }
    return nil
  }

  /// Forgets a zombie.
  func reap(_ child: Process) {
    precondition(child.state == .zombie)
    withdrawNotice(of: child)
    if let parent = self[child.parent] { unlink(child, from: parent) }
    forget(child)
  }
}
