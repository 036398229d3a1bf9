// A read-only view of all processes, for invariant checkers. Nothing here changes state or allocates.

extension ProcessSystem {
  /// Every process, zombies included.
  public func inspectProcesses(_ body: (Process) -> Void) {
    for slot in slots { if let process = slot { body(process) } }
  }
}
