// RLIMIT_CPU: how long a process may run. Beyond the soft limit it gets SIGXCPU, again after every five seconds more, and at the
// hard one SIGKILL (setrlimit(2)).

import ABI
import Memory
import Primitives

extension ProcessSystem {
  /// After how many nanoseconds more a process is told again that it has run longer than it should.
  private static let warningNanoseconds: UInt64 = 5_000_000_000

  /// Obeys the limit that a process has now. A child begins to count anew.
  public func limitUse(of process: Process) {
    let soft = nanoseconds(process.limit(.processorTime).soft)
    guard soft != ProcessTimer.never || process.timers.limit.isOn else { return }
    process.timers.isUsed = true
    process.timers.limit.deadlineNanoseconds = soft
    process.timers.noteWhetherUseCounts()
    processor.needsAttention = true
  }

  /// Warns a process that has run for longer than it should, or ends it.
  func actOnUseLimit(of process: Process) {
    let use = process.usage.nanoseconds
    let hard = nanoseconds(process.limit(.processorTime).hard)
    let isOver = use >= hard
    process.timers.limit.deadlineNanoseconds =
      isOver ? ProcessTimer.never : min(hard, use &+ ProcessSystem.warningNanoseconds)
    _ = post(SignalInformation(isOver ? .sigkill : .sigxcpu), to: process, isItsOwn: true)
  }

  private func nanoseconds(_ seconds: Int64) -> UInt64 {
    guard seconds != ResourceLimit.infinity else { return ProcessTimer.never }
    let (product, overflow) = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? ProcessTimer.never : product
  }
}
