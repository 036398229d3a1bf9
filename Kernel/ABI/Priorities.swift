// Nice values (getpriority(2), setpriority(2)) and policies of scheduling (sched_setscheduler(2) and its kind).

/// A nice value: the higher, the less of the processor.
public struct Niceness: Equatable, Comparable, BitwiseCopyable, Sendable {
  /// The value, from -20 to 20.
  public let rawValue: Int8

  /// The nearest value that there is: setpriority(2) cuts off what is beyond.
  public init(clamping value: Int32) { rawValue = Int8(max(-20, min(20, value))) }

  /// That of process 1.
  public static let ordinary = Niceness(clamping: 0)

  /// Whether the first gets more.
  public static func < (first: Niceness, second: Niceness) -> Bool { first.rawValue < second.rawValue }
}

/// Whom getpriority(2) and setpriority(2) mean: the first argument.
public enum PriorityTarget: Int32, BitwiseCopyable, Sendable {
  /// PRIO_PROCESS
  case process = 0
  /// PRIO_PGRP
  case group = 1
  /// PRIO_USER
  case user = 2
}

/// A policy of scheduling.
public enum SchedulingPolicy: Int32, Sendable {
  /// SCHED_FIFO
  case firstInFirstOut = 1
  /// SCHED_OTHER
  case other = 2
  /// SCHED_RR
  case roundRobin = 3

  /// The highest priority of `struct sched_param`; the lowest is 0.
  public var maximumPriority: Int32 {
    self == .other ? Int32(ThreadPriority.maximumNormalLevel) : Int32(ThreadPriority.maximumLevel)
  }

  /// The policy that a class of rtprio(2) amounts to.
  public init(_ kind: ThreadPriority.Kind) {
    switch kind {
    case .firstInFirstOut: self = .firstInFirstOut
    case .realTime: self = .roundRobin
    default: self = .other
    }
  }
}

extension ThreadPriority {
  /// The highest level of the normal class: PRI_MAX_TIMESHARE - PRI_MIN_TIMESHARE of FreeBSD 14.
  public static let maximumNormalLevel: UInt16 = 135

  /// A priority of `struct sched_param`: there the higher goes first.
  public init(_ policy: SchedulingPolicy, _ priority: Int32) {
    let level = UInt16(clamping: policy.maximumPriority - priority)
    switch policy {
    case .firstInFirstOut: self.init(kind: .firstInFirstOut, level: level)
    case .roundRobin: self.init(kind: .realTime, level: level)
    case .other: self.init(kind: .normal, level: level)
    }
  }

  /// The same as sched_getparam(2) tells it.
  public var parameter: Int32 { max(0, SchedulingPolicy(kind).maximumPriority - Int32(level)) }
}
