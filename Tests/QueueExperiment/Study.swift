// All runs of the experiment: each workload with each way to share queues, at loads from light to heavy; and what must hold of
// them (spec kqueue.md section 13).

import Dispatch
import Synchronization

extension Workload {
  /// The loads that are tried, as parts of what the processors can do.
  public var loads: [Double] {
    self == .database
      ? [0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
      : [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
  }

  /// The load at which tables compare.
  public var comparedLoad: Double {
    switch self {
    case .exponential: 0.8
    case .bimodal, .byConnection: 0.6
    case .database: 0.2
    }
  }
}

/// Results, by what was run.
public struct Study: Sendable {
  /// What a run is about.
  public struct Key: Hashable, Sendable {
    let workload: Workload
    let sharing: String
    let load: Double

    /// A run.
    public init(_ workload: Workload, _ sharing: String, _ load: Double) {
      self.workload = workload
      self.sharing = sharing
      self.load = load
    }
  }

  /// How late requests may be that count for the low-latency throughput, in microseconds.
  public static let latencyLimit = 1000.0

  /// What the requests were drawn from.
  public let seed: UInt64
  private var outcomes: [Key: Outcome] = [:]

  /// Runs what the keys say.
  public init(_ keys: [Key], seed: UInt64, charges: Charges = Charges()) {
    self.seed = seed
    let found = Mutex<[Key: Outcome]>([:])
    DispatchQueue.concurrentPerform(iterations: keys.count) { index in
      let key = keys[index]
      guard let sharing = Sharing.named(key.sharing) else { preconditionFailure("no sharing \(key.sharing)") }
      do {
        let run = try QueueExperiment(key.workload, sharing, load: key.load, seed: seed, charges: charges)
        let outcome = try run.run()
        found.withLock { $0[key] = outcome }
      } catch {
        preconditionFailure("\(key): \(error)")
      }
    }
    outcomes = found.withLock { $0 }
  }

  /// Everything.
  public static var allKeys: [Key] {
    Workload.allCases.flatMap { workload in
      Sharing.all.flatMap { sharing in workload.loads.map { Key(workload, sharing.name, $0) } }
    }
  }

  /// What is needed for `failures`.
  public static var acceptanceKeys: [Key] {
    var keys = [Key(.exponential, "1:1", 0.8), Key(.exponential, "best2", 0.8)]
    keys += Sharing.all.map { Key(.exponential, $0.name, 0.5) }
    for name in ["1:1", "cpu2+ws"] { keys += Workload.database.loads.map { Key(.database, name, $0) } }
    return keys
  }

  /// What a run gave.
  public subscript(workload: Workload, sharing: String, load: Double) -> Outcome {
    outcomes[Key(workload, sharing, load)] ?? Outcome()
  }

  /// The greatest load at which, as at all below, 99 % of requests are in time; 0 when there is none.
  public func lowLatencyLoad(_ workload: Workload, _ sharing: String) -> Double {
    let inTime = workload.loads.prefix { self[workload, sharing, $0].percentile(0.99) <= Study.latencyLimit }
    return inTime.last ?? 0
  }

  /// The bounds of the specification: what each compares, and whether it holds.
  public var bounds: [(text: String, holds: Bool)] {
    let slow = self[.database, "1:1", 0.2].percentile(0.99)
    let fast = self[.database, "cpu2+ws", 0.2].percentile(0.99)
    let (low, high) = (lowLatencyLoad(.database, "1:1"), lowLatencyLoad(.database, "cpu2+ws"))
    // Where even the lightest load is too much for it, that load is more than what it can do.
    let least = low == 0 ? Workload.database.loads[0] : low
    let own = self[.exponential, "1:1", 0.8].percentile(0.999)
    let best = self[.exponential, "best2", 0.8].percentile(0.999)
    let lowest = low == 0 ? "below \(least)" : "\(low)"
    var list: [(text: String, holds: Bool)] = []
    list.append(
      (
        "RocksDB-like, load 0.2, p99: 1:1 \(slow.rounded()) µs, cpu2+ws \(fast.rounded()) µs: "
          + "\((slow / fast).rounded()) times", slow >= 100 * fast
      ))
    list.append(
      (
        "RocksDB-like, low-latency throughput: 1:1 at load \(lowest), cpu2+ws at \(high): "
          + "\((high / least).rounded()) times", high >= 10 * least
      ))
    list.append(
      (
        "exponential, load 0.8, p99.9: 1:1 \(own.rounded()) µs, best2 \(best.rounded()) µs", best <= own / 2
      ))
    let off = Sharing.all.map { sharing in
      let outcome = self[.exponential, sharing.name, 0.5]
      return abs(Double(outcome.completedCount) / Double(max(1, outcome.offeredCount)) - 1)
    }
    let worst = off.max() ?? 1
    list.append(
      (
        "exponential, load 0.5: completions differ from what is offered by at most "
          + "\((worst * 10000).rounded() / 100) %", worst <= 0.02
      ))
    return list
  }
}
