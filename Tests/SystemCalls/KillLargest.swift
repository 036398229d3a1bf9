import Processes

extension ProcessSystem {
  /// Kills a process in one go. Returns it, or nil when there is none.
  func killLargest(_ scope: VictimScope = .anybody) -> Process? {
    var search = VictimSearch(scope)
    while true {
      var budget = Int.max
      switch step(&search, budget: &budget) {
      case .again: continue
      case .killed(let process): return process
      case .nobody: return nil
      }
    }
  }
}
