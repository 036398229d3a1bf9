// The state of a queue as text (FKQMPRNT; spec kqueue.md section 11, "Dump"), piece by piece: threads come and go meanwhile.

import Memory
public import Primitives

/// A dump under way.
public struct QueueDump: BitwiseCopyable {
  /// What the next piece is about.
  private enum Part: BitwiseCopyable {
    case queue
    case domain(leaf: Int)
    case workers
    case worker(place: UInt32, piece: Int)
    case end
    case nothing
  }

  /// Bytes that a program has room for, besides the NUL.
  private static let byteLimit = 1 << 20

  /// Where the next piece goes.
  public var address: UInt64
  /// The piece in the thread's buffer, and how much of it is copied.
  public var stagedCount = 0
  /// Bytes of it that are copied.
  public var progress = 0
  private var byteCount = 0
  private var part = Part.queue

  /// Nothing is told yet.
  public init(to address: UInt64 = 0) { self.address = address }

  /// The next piece, with the NUL behind the last one; nil when all are told.
  public mutating func next(_ queue: EventQueue) -> ConsoleLine? {
    if case .nothing = part { return nil }
    var line = ConsoleLine()
    write(queue, &line)
    byteCount += line.span.count
    guard byteCount <= QueueDump.byteLimit else {
      part = .nothing
      var end = ConsoleLine()
      end.append(UInt8(0))
      return end
    }
    return line
  }

  private mutating func write(_ queue: EventQueue, _ line: inout ConsoleLine) {
    switch part {
    case .queue:
      queue.describe(&line)
      part = queue.hasDomains ? .domain(leaf: -1) : .workers
    case .domain(let leaf):
      part = queue.describe(leaf: leaf, &line) ? .domain(leaf: leaf + 1) : .workers
    case .workers:
      line.append("<kevq_dump>\n")
      part = .worker(place: 1, piece: 0)
    case .worker(let place, let piece):
      if queue.describe(workerAt: place, piece: piece, &line) {
        part = piece == 3 ? .worker(place: place + 1, piece: 0) : .worker(place: place, piece: piece + 1)
      } else {
        line.append(piece == 0 ? "</kevq_dump>\n" : "/>\n</kevq_dump>\n")
        part = .end
      }
    case .end:
      line.append("</kq_dump>\n")
      line.append(UInt8(0))
      part = .nothing
    case .nothing: break
    }
  }
}

extension ConsoleLine {
  fileprivate mutating func append(_ name: String, _ value: UInt64) {
    append(" ")
    append(name)
    append("=\"")
    append(value)
    append("\"")
  }
}

extension EventQueue {
  fileprivate var hasDomains: Bool {
    guard isMulti else { return false }
    let choice = watch.groups[group].policy.choice
    return choice == .home || choice == .processor
  }

  /// The queue. Kernel addresses are nobody's business: it is named by its number.
  fileprivate func describe(_ line: inout ConsoleLine) {
    let policy = isMulti ? watch.groups[group].policy.word : 0
    line.append("<kq_dump")
    line.append("ptr", number)
    line.append("sched", UInt64(policy & 0xff))
    line.append("sargs", UInt64(policy >> 8 & 0xff))
    line.append("feat", UInt64(policy >> 16 & 0xff))
    line.append("fargs", UInt64(policy >> 24))
    line.append("rtshare", UInt64(realTimeShare))
    line.append("tfreq", UInt64(targetFrequency))
    line.append("total_sched_time", isMulti ? watch.groups[group].scheduleNanoseconds : 0)
    line.append(">\n")
  }

  /// A leaf; before the first, the root with all of them. False when that was the last.
  fileprivate func describe(leaf: Int, _ line: inout ConsoleLine) -> Bool {
    let lastLeaf = watch.hasLeaves ? WorkerGroup.leafLimit - 1 : -1
    if leaf < 0 {
      line.append("<kqdom_dump>\n")
      let active = watch.groups[group].active
      describe(0, level: 0, .max, childCount: watch.hasLeaves ? WorkerGroup.leafLimit : 0, active, &line)
      line.append(watch.hasLeaves ? ">\n" : "/>\n</kqdom_dump>\n")
    } else {
      let set = watch.groups[group].leaves[leaf]
      if set.count > 0 {
        describe(UInt64(leaf + 1), level: 1, 1 << UInt64(leaf), childCount: 0, set, &line)
        line.append("/>\n")
      }
      if leaf == lastLeaf { line.append("</kqdom>\n</kqdom_dump>\n") }
    }
    return leaf < lastLeaf
  }

  private func describe(
    _ identifier: UInt64, level: UInt64, _ mask: UInt64, childCount: Int, _ set: WorkerSet, _ line: inout ConsoleLine
  ) {
    line.append("<kqdom")
    line.append("id", identifier)
    line.append("level", level)
    line.append("cpu_mask", watch.hasLeaves ? mask : 1)
    line.append("num_children", UInt64(childCount))
    line.append("num_active", childCount == 0 ? 0 : UInt64(set.count))
    line.append("leaf", childCount == 0 ? 1 : 0)
    line.append("num_kevq", UInt64(set.count))
  }

  /// A quarter of what there is to say of a worker; false when there is none at the place.
  fileprivate func describe(workerAt place: UInt32, piece: Int, _ line: inout ConsoleLine) -> Bool {
    guard isMulti, place <= watch.groups[group].active.count else { return false }
    let worker = watch.workers[watch.groups[group].active.worker(at: place, watch)]
    let counted = worker.statistics
    switch piece {
    case 0:
      line.append("<kevq")
      line.append("ptr", worker.number)
      line.append("knotes", UInt64(worker.lists[isRealTime: false].count))
      line.append("rt_knotes", UInt64(worker.lists[isRealTime: true].count))
      line.append("avg_rtlimit", worker.realTimeLimits.value)
      line.append("total_time", counted.nanoseconds)
    case 1:
      line.append("total_syscall", counted.callCount)
      line.append("total_events", counted.eventCount)
      line.append("avg_latency", worker.cost.value)
      line.append("avg_events", worker.events.value)
    case 2:
      line.append("total_fallbacks", counted.fallbackCount)
      line.append("total_mismatches", counted.mismatchCount)
      line.append("total_worksteal", counted.stolenCount)
      line.append("total_worksteal_scan", counted.scannedCount)
    default:
      line.append("total_realtime", counted.realTimeCount)
      line.append("total_sched", counted.scheduledCount)
      line.append("last_kev", worker.lastReturn)
      line.append("last_nkev", UInt64(worker.lastCount))
      line.append("/>\n")
    }
    return true
  }
}
