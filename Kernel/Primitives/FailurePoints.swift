// Failure on demand, in the manner of fail(9): every point has a setting, which says at each evaluation whether to fail.
//
// While no point is set, all of them together cost one test of `isArmed` per allocation. What is random comes from a seed, so
// that a run can be repeated.

public import ABI

/// The settings of all points.
public struct FailurePoints: BitwiseCopyable, Sendable {
  /// Whether any point is set.
  public private(set) var isArmed = false
  private var settings = [32 of FailureSetting](repeating: FailureSetting())
  private var evaluations = [32 of UInt32](repeating: 0)
  private var random = SplitMix(seed: 1)

  /// What an evaluation leads to.
  struct Verdict {
    var fails = false
    var panics = false
    var prints = 0
  }

  init() { precondition(FailurePoint.count <= 32, "more fail points than there is room for") }

  /// The setting of a point; terms that have executed as often as they were to are gone from it.
  public subscript(point: FailurePoint) -> FailureSetting {
    get { settings[Int(point.rawValue)] }
    set {
      settings[Int(point.rawValue)] = newValue
      updateArmed()
    }
  }

  /// What percentages are drawn from.
  public mutating func seed(_ seed: UInt64) { random = SplitMix(seed: seed) }

  /// Makes the `number`th (from 1) evaluation of a point from now on fail, once.
  public mutating func fail(_ point: FailurePoint, number: UInt32) {
    evaluations[Int(point.rawValue)] = 0
    self[point] = FailureSetting(failing: number)
  }

  /// Forgets every setting.
  public mutating func disarm() {
    let sequence = random
    self = FailurePoints()
    random = sequence
  }

  /// Evaluations of a point since `fail`, until nothing was set any more.
  public func count(_ point: FailurePoint) -> UInt32 { evaluations[Int(point.rawValue)] }

  /// Whether something that a fault needs fails for a process for ever: its thread waits, and nothing but another setting
  /// can help it.
  public func stopFaultsForEver(of process: Int32) -> Bool {
    for number in 0..<UInt8(FailurePoint.count) {
      guard let point = FailurePoint(rawValue: number), point.isMetByFaults else { continue }
      if self[point].failsForEver(for: process) { return true }
    }
    return false
  }

  private mutating func updateArmed() {
    isArmed = false
    for index in 0..<FailurePoint.count {
      for term in 0..<settings[index].termCount where settings[index].terms[term].count != 0 { isArmed = true }
    }
  }

  /// Evaluates a point for the process with this number.
  mutating func evaluate(_ point: FailurePoint, for process: Int32) -> Verdict {
    let slot = Int(point.rawValue)
    evaluations[slot] &+= 1
    var verdict = Verdict()
    for index in 0..<settings[slot].termCount {
      let term = settings[slot].terms[index]
      guard term.count != 0 else { continue }
      if term.probability < FailureTerm.certainty && random.next() % UInt64(FailureTerm.certainty) >= term.probability {
        continue
      }
      if term.process != FailureTerm.anybody && term.process != process { continue }
      if term.count > 0 {
        settings[slot].terms[index].count -= 1
        if term.count == 1 { updateArmed() }
      }
      switch term.action {
      case .off: return verdict
      case .fail: verdict.fails = true
      case .panic: verdict.panics = true
      case .print:
        verdict.prints += 1
        if term.argument != 0 { continue }
      }
      return verdict
    }
    return verdict
  }
}

extension KernelServices {
  /// Whether what is about to be done is to fail.
  @inline(__always)
  public func isToFail(_ point: FailurePoint) -> Bool { failures.isArmed && evaluate(point) }

  @inline(never)
  private func evaluate(_ point: FailurePoint) -> Bool {
    let verdict = failures.evaluate(point, for: caller.instance?.processIdentifier ?? 0)
    for _ in 0..<verdict.prints where !isQuiet { report(point, " executing") }
    if verdict.panics {
      report(point, " panicking")
      preconditionFailure("a fail point panics")
    }
    return verdict.fails
  }

  private func report(_ point: FailurePoint, _ what: String) {
    report { line in
      line.append("fail point ")
      line.append(point.name)
      line.append(what)
    }
  }

  /// Sets a point by a text `NAME:SETTING` (kernel option `fail=`). Throws ENOENT for an unknown name, EINVAL for a wrong
  /// setting; then nothing has changed.
  public func setFailurePoint(_ text: Span<UInt8>) throws(Errno) {
    var colon = 0
    while colon < text.count && text[colon] != UInt8(ascii: ":") { colon += 1 }
    guard let point = FailurePoint(name: text.extracting(0..<colon)) else { throw .enoent }
    guard colon < text.count else { throw .einval }
    failures[point] = try FailureSetting(parsing: text.extracting((colon + 1)..<text.count))
  }
}
