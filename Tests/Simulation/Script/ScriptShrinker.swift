// Makes a failing script as short as it gets: leaves out ever smaller parts as long as it still fails.

/// Shrinks scripts by running them again and again.
public struct ScriptShrinker {
  private let run: ([ScriptStep]) -> ScriptFailure?
  /// How many runs may be spent.
  public var runLimit = 3000

  /// A shrinker for scripts that `run` runs on a fresh system.
  public init(_ run: @escaping ([ScriptStep]) -> ScriptFailure?) {
    self.run = run
  }

  /// The shortest script found that fails, or `failure` itself.
  public func shrink(_ failure: ScriptFailure) -> ScriptFailure {
    var best = failure
    var runs = 0
    var size = max(1, best.steps.count / 2)
    while size >= 1 && runs < runLimit {
      var start = 0
      var shrank = false
      while start < best.steps.count && runs < runLimit {
        var candidate = best.steps
        candidate.removeSubrange(start..<min(candidate.count, start + size))
        runs += 1
        if let smaller = run(candidate), smaller.steps.count < best.steps.count {
          best = smaller
          shrank = true
        } else {
          start += size
        }
      }
      if size == 1 && !shrank { break }
      size = max(1, shrank ? min(size, best.steps.count / 2) : size / 2)
    }
    return best
  }
}
