// What the experiment charges for, in nanoseconds of simulated time, and how threads share queues.

import Foundation

/// What things cost.
public struct Charges: Sendable {
  /// A call of kevent(2).
  public var call: UInt64 = 600
  /// An event that is told, and a change that is made.
  public var event: UInt64 = 300
  /// From a wake-up until the thread runs.
  public var wake: UInt64 = 2000
  /// A look for something to steal.
  public var steal: UInt64 = 200
  /// An event on another processor than the one that its packet came in on: what has to be fetched from its cache.
  public var remote: UInt64 = 300
  /// How long the lock of a queue, or of a worker, is held for one event that is put in or taken out.
  public var hold: UInt64 = 300

  /// What `make skq` charges.
  public init() {}
}

/// How threads share queues.
public enum Sharing: Equatable, Sendable {
  /// Each thread has a queue of its own; connections are dealt out to them.
  case separate
  /// All threads have one queue; notes are disabled when they are told and enabled by the next call.
  case shared
  /// All threads have one queue that knows them apart (FKQMULTI).
  case multi(UInt32)

  /// All that are compared, by name.
  public static let all: [(name: String, sharing: Sharing)] = [
    ("1:1", .separate), ("1:N", .shared), ("random", .multi(0)), ("queue0", .multi(0x001)), ("cpu0", .multi(0x002)),
    ("best2", .multi(0x204)), ("cpu2", .multi(0x202)), ("cpu0+ws", .multi(0x0101_0002)),
    ("best2+ws", .multi(0x0101_0204)), ("cpu2+ws", .multi(0x0101_0202)),
  ]

  /// One of them.
  public static func named(_ name: String) -> Sharing? { all.first { $0.name == name }?.sharing }
}

extension Double {
  var logarithm: Double { Foundation.log(self) }
  func power(_ exponent: Double) -> Double { Foundation.pow(self, exponent) }
}

/// What a run gave.
public struct Outcome: Sendable {
  /// How late the requests were whose time was taken, in nanoseconds: sorted, and without those of the first fifth.
  public var latencies: [UInt64] = []
  /// Requests that were offered after the first fifth of the time.
  public var offeredCount = 0
  /// Requests that were done in that time.
  public var completedCount = 0
  /// Requests that were done in all.
  public var servedCount = 0
  /// Events that were told.
  public var eventCount = 0
  /// A number that differs if anything has gone otherwise.
  public var fingerprint: UInt64 = 0

  /// The latency below which this part of the requests was (nearest rank), in microseconds.
  public func percentile(_ part: Double) -> Double {
    guard !latencies.isEmpty else { return 0 }
    let rank = Int((part * Double(latencies.count)).rounded(.up))
    return Double(latencies[min(max(rank, 1), latencies.count) - 1]) / 1000
  }
}
