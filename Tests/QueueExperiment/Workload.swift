// What clients ask for in the experiment with SKQ (spec kqueue.md sections 12 and 13): how long requests take, and when they come.

import Primitives

/// Random numbers of a seed, as fractions.
struct Draws {
  private var generator: SplitMix

  init(seed: UInt64) {
    generator = SplitMix(seed: seed)
    // Seeds that lie side by side are to have nothing in common.
    generator = SplitMix(seed: generator.next() ^ 0x5351_4b00)
  }

  /// A number above 0, up to 1.
  mutating func fraction() -> Double { Double((generator.next() >> 11) + 1) / Double(UInt64(1) << 53) }

  /// A number below a limit.
  mutating func index(below limit: Int) -> Int { Int(generator.next() % UInt64(limit)) }

  /// A time of an exponential distribution, in nanoseconds.
  mutating func exponential(mean: Double) -> Double { -mean * fraction().logarithm }
}

/// A kind of request mix.
public enum Workload: String, CaseIterable, Sendable {
  case exponential
  case bimodal
  case byConnection
  case database

  /// What it is called in tables.
  public var title: String {
    switch self {
    case .exponential: "exponential, mean 10 µs"
    case .bimodal: "0.5 % of requests 1000 µs, the others 10 µs"
    case .byConnection: "95 / 4 / 1 % of connections 10 / 50 / 200 µs"
    case .database: "RocksDB-like: 83 % 4 µs, 14 % 8 µs, 3 % scans"
    }
  }

  private static let scanShape = 2.517
  private static let scanScale = 14.236
  private static let nanosecondsPerKey = 200.0
  /// The longest scan, in nanoseconds.
  private static let longestScan = 100e6

  /// The mean of service times, in nanoseconds.
  public var mean: Double {
    switch self {
    case .exponential: 10_000
    case .bimodal: 0.995 * 10_000 + 0.005 * 1_000_000
    case .byConnection: 0.95 * 10_000 + 0.04 * 50_000 + 0.01 * 200_000
    case .database: 0.83 * 4000 + 0.14 * 8000 + 0.03 * (4000 + Workload.meanScan)
    }
  }

  /// The mean of the generalised Pareto distribution, cut at the longest: the integral of what is above each number of keys.
  private static var meanScan: Double {
    let (length, power) = (scanScale / scanShape, 1 - 1 / scanShape)
    let keys = longestScan / nanosecondsPerKey
    return nanosecondsPerKey * length / power * ((1 + keys / length).power(power) - 1)
  }

  /// How long a request takes that comes on a connection, in nanoseconds.
  func serviceTime(connection: Int, _ draws: inout Draws) -> UInt64 {
    switch self {
    case .exponential: return UInt64(draws.exponential(mean: mean))
    case .bimodal: return draws.fraction() <= 0.005 ? 1_000_000 : 10_000
    case .byConnection:
      let place = connection % 100
      return place < 95 ? 10_000 : place < 99 ? 50_000 : 200_000
    case .database:
      let kind = draws.fraction()
      if kind <= 0.83 { return 4000 }
      if kind <= 0.97 { return 8000 }
      let (scale, shape) = (Workload.scanScale, Workload.scanShape)
      let keys = scale / shape * (draws.fraction().power(-shape) - 1)
      return 4000 + UInt64(min(keys * Workload.nanosecondsPerKey, Workload.longestScan))
    }
  }

  /// The same for requests whose time is taken.
  func measuredTime(_ draws: inout Draws) -> UInt64 {
    switch self {
    case .exponential, .bimodal: serviceTime(connection: 0, &draws)
    case .byConnection: 2000
    case .database: 4000
    }
  }

  /// How long requests come, in seconds, and how many a second have their time taken: heavy tails take long to show.
  public var span: (seconds: Double, measuredPerSecond: Double) {
    self == .database ? (4, 1000) : (0.4, 10_000)
  }
}

/// A request.
struct Request {
  let arrival: UInt64
  let service: UInt64
  let connection: Int
  let isMeasured: Bool
}

extension Workload {
  /// The requests of a run, in the order in which they come: those of the load, and those whose time is taken, each by a Poisson
  /// process and on connections of its own.
  func requests(
    load: Double, processorCount: Int, connections: (load: Int, measured: Int), seconds: Double, seed: UInt64
  ) -> [Request] {
    var draws = Draws(seed: seed)
    let interval = mean / (load * Double(processorCount))
    var list: [Request] = []
    var time = draws.exponential(mean: interval)
    while time < seconds * 1e9 {
      let connection = draws.index(below: connections.load)
      list.append(
        Request(
          arrival: UInt64(time), service: serviceTime(connection: connection, &draws), connection: connection,
          isMeasured: false))
      time += draws.exponential(mean: interval)
    }
    let measuredInterval = 1e9 / span.measuredPerSecond
    time = draws.exponential(mean: measuredInterval)
    while time < seconds * 1e9 {
      list.append(
        Request(
          arrival: UInt64(time), service: measuredTime(&draws),
          connection: connections.load + draws.index(below: connections.measured), isMeasured: true))
      time += draws.exponential(mean: measuredInterval)
    }
    // Those that come at the same time stay in this order.
    let order = list.indices.sorted { (list[$0].arrival, $0) < (list[$1].arrival, $1) }
    return order.map { list[$0] }
  }
}
