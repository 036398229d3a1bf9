// Waiting for children: wait4(2), wait6(2).

public import ABI
import Files

/// What became of a child.
public struct ChildReport: BitwiseCopyable {
  /// The child.
  public let identifier: Int32
  /// Its effective user.
  public let user: UInt32
  /// How it ended, or that it stopped or went on.
  public let status: WaitStatus
  /// The same for a siginfo_t.
  public let code: SignalCode
  /// The argument of exit(2), or a signal.
  public let value: Int32
  /// What it used itself.
  public let usage: ResourceUsage
  /// What children of its own used that it waited for.
  public let childUsage: ResourceUsage
}

/// What wait4(2) found.
public enum WaitResult {
  /// A child changed state.
  case found(ChildReport)
  /// There are children, but none has anything to report.
  case notYet
}

/// Which children are waited for.
public struct ChildSelection: BitwiseCopyable {
  /// What the identifier means.
  public let type: IdentifierType
  /// Of whom.
  public let identifier: Int64

  /// Those of whom this is said.
  public init(_ type: IdentifierType, _ identifier: Int64) {
    self.type = type
    self.identifier = identifier
  }

  /// What wait4(2) means: −1 any child, 0 the caller's group, positive that child, below −1 that group.
  public init(target: Int32, by parent: Process) {
    switch target {
    case -1: self.init(.all, 0)
    case 0: self.init(.processGroup, Int64(parent.groupIdentifier))
    default: if target > 0 { self.init(.process, Int64(target)) } else { self.init(.processGroup, -Int64(target)) }
    }
  }

  func contains(_ child: Process) -> Bool {
    switch type {
    case .all: true
    case .process: Int64(child.identifier) == identifier
    case .processGroup: Int64(child.groupIdentifier) == identifier
    case .session: Int64(child.sessionIdentifier) == identifier
    case .user: Int64(child.credentials.effectiveUser) == identifier
    case .group: Int64(child.credentials.effectiveGroup) == identifier
    default: false
    }
  }
}

extension ProcessSystem {
  /// Looks for a child with something to report, and takes the report.
  ///
  /// Throws ECHILD when no child can ever match.
  public func pollChildren(
    _ selection: ChildSelection, _ options: WaitOptions, of parent: Process
  ) throws(Errno) -> WaitResult {
    if selection.type == .process {
      guard let number = Int32(exactly: selection.identifier), let child = process(number),
        child.parent == parent.slot, child.slot != parent.slot, tellsAsAsked(child, options)
      else { throw .echild }
      return report(child, options, to: parent) ?? .notYet
    }
    var hasCandidate = false
    var slot = parent.firstZombie
    while let child = self[slot] {
      slot = child.nextSibling
      guard selection.contains(child), tellsAsAsked(child, options) else { continue }
      if let result = report(child, options, to: parent) { return result }
      hasCandidate = true
    }
    slot = parent.firstChild
    // Without interest in stops, one living child is as good as all.
    let inspects = options.contains(.stopped) || options.contains(.continued)
    while let child = self[slot] {
      slot = child.nextSibling
      guard selection.contains(child), tellsAsAsked(child, options) else { continue }
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

  private func report(_ child: Process, _ options: WaitOptions, to parent: Process) -> WaitResult? {
    if child.state == .zombie {
      guard options.contains(.exited) else { return nil }
      let signal = child.exitStatus.terminationSignal
      let result = ChildReport(
        child, child.exitStatus, signal == nil ? .childExited : .childKilled, signal?.rawValue ?? child.exitValue)
      if !options.contains(.noWait) {
        parent.childUsage.add(result.usage)
        parent.childUsage.add(result.childUsage)
        takeNotice(of: child)
        reap(child)
      }
      return .found(result)
    }
    if options.contains(.stopped) && child.isStopped && child.stopIsUnreported {
      if !options.contains(.noWait) {
        child.stopIsUnreported = false
        takeNotice(of: child)
      }
      return .found(ChildReport(child, .stopped(child.stopSignal), .childStopped, child.stopSignal.rawValue))
    }
    if options.contains(.continued) && child.continuationIsUnreported {
      if !options.contains(.noWait) {
        child.continuationIsUnreported = false
        takeNotice(of: child)
      }
      return .found(ChildReport(child, .continued, .childContinued, Signal.sigcont.rawValue))
    }
    return nil
  }

  /// Who has waited for a child need not be told by a signal any more, unless it is set that it is (FreeBSD's
  /// `kern.wait_dequeue_sigchld`): then that is a signal like any other.
  private func takeNotice(of child: Process) {
    if waitTakesNotice { withdrawNotice(of: child) } else { keepNotice(of: child) }
  }

  /// Forgets a zombie.
  func reap(_ child: Process) {
    precondition(child.state == .zombie)
    withdrawNotice(of: child)
    if let parent = self[child.parent] { unlink(child, from: parent) }
    forget(child)
  }
}

extension ChildReport {
  fileprivate init(_ child: Process, _ status: WaitStatus, _ code: SignalCode, _ value: Int32) {
    self.init(
      identifier: child.identifier, user: child.credentials.effectiveUser, status: status, code: code, value: value,
      usage: child.currentUsage, childUsage: child.childUsage)
  }
}
