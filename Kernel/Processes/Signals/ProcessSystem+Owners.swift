// Signals to the owners of files (SIGIO; fcntl(2), F_SETOWN).

import ABI
public import Files
import Primitives

/// Who signals the owners of files.
final class ProcessOwnerSignals: OwnerSignals {
  var system = BackReference<ProcessSystem>()

  override func signal(_ owner: SignalOwner) { system.instance?.signal(owner) }
}

extension ProcessSystem {
  /// The process that an owner names, unless it has ended.
  private func process(of owner: SignalOwner) -> Process? {
    guard let process = livingProcess(owner.identifier), process.number == owner.number else { return nil }
    return process
  }

  /// Whether whom an owner names has not ended.
  public func isThere(_ owner: SignalOwner) -> Bool {
    if owner.identifier >= 0 { return process(of: owner) != nil }
    return groupExists(-owner.identifier)
  }

  /// Signals an owner: a process, or all members of a group, as far as whoever named it might.
  func signal(_ owner: SignalOwner) {
    guard let credentials = owner.credentials else { return }
    if owner.identifier > 0 {
      if let process = process(of: owner) { signal(process, credentials) }
      return
    }
    var slot = groups.first(-owner.identifier)
    while let member = slot {
      slot = groups.next(after: member)
      if let process = slots[Int(member)] { signal(process, credentials) }
    }
  }

  /// What FreeBSD calls CANSIGIO: the superuser's, and those who have an identity in common.
  private func signal(_ process: Process, _ source: Credentials) {
    let target = process.credentials
    guard
      source.isSuperuser || source.user == target.user || source.effectiveUser == target.user
        || source.user == target.effectiveUser || source.effectiveUser == target.effectiveUser
    else { return }
    post(.sigio, to: process)
  }
}
