// How many threads wanted the processor: averages that decay over one, five and fifteen minutes (vm.loadavg, getloadavg(3)), and how the
// processor has spent its time (kern.cp_time).
//
// Every five seconds the number of those that run or are ready goes into the averages. Nothing happens just for that: the number
// changes in events only, and whoever looks at the clock next makes up for the instants that have passed.

import ABI
import Memory
import Primitives

/// The averages, as fixed-point numbers.
public struct LoadAverage: BitwiseCopyable, Sendable {
  /// What stands for 1 (FSCALE).
  public static let one: UInt64 = 2048
  private static let intervalNanoseconds: UInt64 = 5_000_000_000
  /// After so many instants nothing changes any more.
  private static let mostInstants: UInt64 = 2048

  /// Over one, five and fifteen minutes.
  public private(set) var averages = [3 of UInt32](repeating: 0)
  /// When the next number is due, in nanoseconds since boot.
  private(set) var dueNanoseconds = intervalNanoseconds

  /// So many threads ran or were ready at every instant that has passed by now.
  mutating func add(_ threadCount: Int, until now: UInt64) {
    let passed = (now - dueNanoseconds) / LoadAverage.intervalNanoseconds + 1
    dueNanoseconds += passed * LoadAverage.intervalNanoseconds
    // e to the power of -5 s / 1, 5 and 15 minutes.
    let decays: [3 of UInt64] = [1884, 2014, 2036]
    for _ in 0..<min(passed, LoadAverage.mostInstants) {
      for index in averages.indices {
        let decay = decays[index]
        let kept = decay * UInt64(averages[index])
        let added = UInt64(threadCount) * LoadAverage.one * (LoadAverage.one - decay)
        averages[index] = UInt32(clamping: (kept + added) / LoadAverage.one)
      }
    }
  }
}

/// What a processor has spent its time with, in nanoseconds.
struct ProcessorTimes: BitwiseCopyable, Sendable {
  /// In ring 3, and in calls that end at once.
  var user: UInt64 = 0
  /// The same of processes that are nice.
  var nice: UInt64 = 0
  /// In the kernel, for somebody.
  var system: UInt64 = 0
  /// With nothing.
  var idle: UInt64 = 0
  /// Since when there has been nothing to do.
  var idleSince: UInt64 = 0

  /// Counts time that a process was charged for.
  @inline(__always)
  mutating func charge(_ nanoseconds: UInt64, asSystem: Bool, isNice: Bool) {
    if asSystem { system &+= nanoseconds } else if isNice { nice &+= nanoseconds } else { user &+= nanoseconds }
  }
}

/// Counts of processes and threads that only grow.
public struct ProcessCounters: BitwiseCopyable, Sendable {
  /// How often a thread was given the processor.
  public internal(set) var switches = 0
  /// Children of fork(2).
  public internal(set) var forks = 0
  /// The pages that were mapped in their parents.
  public internal(set) var forkPages = 0
  /// Children of vfork(2).
  public internal(set) var lendingForks = 0
  /// The pages that were mapped in their parents.
  public internal(set) var lendingForkPages = 0
  /// Children of rfork(2) and its like.
  public internal(set) var otherForks = 0
  /// The pages that were mapped in their parents.
  public internal(set) var otherForkPages = 0

  /// Counts a child.
  mutating func count(_ options: ForkOptions, pageCount: Int) {
    if options == ForkOptions() {
      forks &+= 1
      forkPages &+= pageCount
    } else if options == .virtual {
      lendingForks &+= 1
      lendingForkPages &+= pageCount
    } else {
      otherForks &+= 1
      otherForkPages &+= pageCount
    }
  }
}

extension ProcessSystem {
  /// Threads that run or are ready.
  public var runnableCount: Int { scheduler.readyCount + (processor.thread.isEmpty ? 0 : 1) }

  /// Ticks of the processor, of which there are 128 in a second: for programs, for nice ones, in the kernel, for nobody (who is
  /// woken by the clock, and the like), idle.
  public var processorTicks: [5 of UInt64] {
    let times = processor.times
    let idle = times.idle + (processor.isIdle ? services.nanoseconds - times.idleSince : 0)
    let counted = times.user + times.nice + times.system + idle
    let now = services.nanoseconds
    let rest = now > counted ? now - counted : 0
    var ticks: [5 of UInt64] = [times.user, times.nice, times.system, rest, idle]
    let nanosecondsPerTick = 1_000_000_000 / UInt64(ClockRate().statisticsTicksPerSecond)
    for index in ticks.indices { ticks[index] /= nanosecondsPerTick }
    return ticks
  }
}
