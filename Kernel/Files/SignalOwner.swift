// Whom a file signals when something happens to it (SIGIO; F_SETOWN, O_ASYNC).
//
// Who that is is named, not held: when the process has ended, or the group has no member any more, nobody is signalled.

public import Primitives

/// The owner of a file for signals.
public struct SignalOwner {
  /// A process, a group as a negative number, or 0.
  public var identifier: Int32 = 0
  /// Tells a process from a later one with the same identifier.
  public var number: UInt64 = 0
  /// Who named it: what he may signal is.
  public var credentials: Credentials?

  /// Nobody.
  public init() {}

  /// A process or a group that somebody names.
  public init(_ identifier: Int32, number: UInt64, _ credentials: Credentials) {
    self.identifier = identifier
    self.number = number
    self.credentials = credentials
  }
}

/// Whoever sends the signals; a class rather than a protocol, so that a back reference can name one.
open class OwnerSignals: Nameable {
  /// Makes one.
  public init() {}
  /// Signals an owner (SIGIO).
  open func signal(_ owner: SignalOwner) {}
}

extension OpenFile {
  /// Something has happened to a file that signals (O_ASYNC): its owner is told.
  @inline(never)
  final func signalOwnerOfEvent() {
    let owner = signalOwner
    if owner.identifier != 0 { fileServices.ownerSignals.instance?.signal(owner) }
  }
}
