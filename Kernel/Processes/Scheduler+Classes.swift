// Classes of threads: real-time, sharing and idle (rtprio(2)), and how much of the processor nice values give.
//
// Invariants
// - Real-time and idle threads are in queues by level, of which a bit each says whether it holds somebody. A real-time thread
//   runs until it waits, yields, or a lower level is ready; those of one level take turns, unless they are of the FIFO class,
//   which have no end of turn.
// - A thread of the idle class is *raised* while it is in the kernel: when it wakes, when it leaves the processor with a call
//   under way, when it is to act on a signal or to end. It is one of those who share the processor then, so that nobody waits
//   for what it keeps longer than for anybody else. Before it enters ring 3 it is what it was.
// - Only the superuser may make threads real-time or idle, and nice values lower.

import ABI
import Primitives

/// The class and level of a thread, in the order in which they go: real-time 0 to 31, sharing, idle 33 to 64.
struct Rank: Equatable, BitwiseCopyable {
  let raw: UInt8

  /// Shares the processor by turns.
  static let sharing = Rank(raw: 32)

  var isRealTime: Bool { raw < 32 }
  var isIdle: Bool { raw > 32 }
  /// The place among the queues by level.
  var queue: Int { raw < 32 ? Int(raw) : Int(raw) - 1 }

  init(raw: UInt8) { self.raw = raw }

  init(_ priority: ThreadPriority) {
    let level = UInt8(truncatingIfNeeded: min(priority.level, ThreadPriority.maximumLevel))
    switch priority.kind {
    case .realTime, .firstInFirstOut: raw = level
    case .idle: raw = 33 + level
    default: raw = 32
    }
  }
}

/// How a thread stands in its class.
struct ClassStanding: OptionSet, BitwiseCopyable {
  let rawValue: UInt8
  /// Of the idle class, but one of those who share the processor while it is in the kernel.
  static let raised = ClassStanding(rawValue: 1)
  /// Its turn has no end.
  static let firstInFirstOut = ClassStanding(rawValue: 2)
}

extension Niceness {
  /// What a thread of nice 0 is charged for a nanosecond.
  static let unit: UInt32 = 1024
  /// The twentieth root of ten, in that unit.
  private static let step: UInt32 = 1149

  /// What a thread is charged for a nanosecond: ten times as much for every 20.
  var charge: UInt32 {
    var charge = Niceness.unit
    for _ in 0..<abs(Int(rawValue)) {
      charge =
        rawValue > 0
        ? charge * Niceness.step / Niceness.unit : (charge * Niceness.unit + Niceness.step / 2) / Niceness.step
    }
    return charge
  }

  /// What so many nanoseconds are charged as.
  @inline(__always)
  static func weigh(_ nanoseconds: UInt64, _ charge: UInt32) -> UInt64 {
    charge == unit ? nanoseconds : min(nanoseconds, UInt64(UInt32.max)) * UInt64(charge) / UInt64(unit)
  }

  /// How many nanoseconds are charged as this.
  @inline(__always)
  static func unweigh(_ charged: UInt64, _ charge: UInt32) -> UInt64 {
    charge == unit ? charged : min(charged, UInt64(UInt32.max)) * UInt64(unit) / UInt64(charge)
  }
}

extension Scheduler {
  /// Levels of the real-time and of the idle class.
  static let levelCount = 32

  // MARK: Classes

  /// Changes the class of a thread. One that is ready goes behind the others of its class.
  func setPriority(_ slot: ThreadSlot, _ priority: ThreadPriority, isRunning: Bool) {
    if isRunning { settle(slot) }
    let isReady = nodes[slot.index].place == .ready
    if isReady { leave(slot) }
    let rank = Rank(priority)
    let standing: ClassStanding = priority.kind == .firstInFirstOut ? .firstInFirstOut : []
    if rank != turns[slot.index].rank && (rank == .sharing || turns[slot.index].rank == .sharing) {
      turns[slot.index].round = 0
      turns[slot.index].left = 0
      turns[slot.index].parent = .none
    }
    turns[slot.index].rank = rank
    turns[slot.index].standing = standing
    if isRunning {
      runningRank = rank
      runningIsRaised = false
    }
    guard isReady else { return }
    // Whatever it is in the middle of.
    if rank.isIdle { turns[slot.index].standing.insert(.raised) }
    enqueue(slot)
    system.instance?.processor.needsAttention = true
  }

  /// Changes what a thread is charged.
  func setNiceness(_ slot: ThreadSlot, _ niceness: Niceness, isRunning: Bool) {
    if isRunning { settle(slot) }
    turns[slot.index].charge = niceness.charge
  }

  /// Whether a thread does not share the processor by turns, as things stand.
  @inline(__always)
  func isOutside(_ slot: ThreadSlot) -> Bool {
    turns[slot.index].rank != .sharing && !turns[slot.index].standing.contains(.raised) && turnNanoseconds != 0
  }

  /// Whether somebody is ready who shares the processor by turns.
  var hasSharing: Bool { readyCount != outsideCount }

  /// Whether somebody who is ready may go before the running thread.
  var mayHaveBetter: Bool { hasWoken || realTimeLevels != 0 || runningRank.isIdle }

  /// Whether somebody is ready of a class or level that goes before this one, which is not that of those who share.
  func hasBetter(than rank: Rank) -> Bool {
    if rank.isRealTime { return realTimeLevels & ((1 << UInt32(rank.raw)) - 1) != 0 }
    return realTimeLevels != 0 || hasSharing || idleLevels & ((1 << UInt32(rank.queue - Scheduler.levelCount)) - 1) != 0
  }

  // MARK: Queues by level

  /// Makes a thread ready that is in no list and does not share: with a new turn, behind the others of its level, or going on
  /// with its turn before them.
  func enterLevel(_ slot: ThreadSlot, isFirst: Bool = false) {
    let isFirst = isFirst && (turns[slot.index].left > 0 || turns[slot.index].standing.contains(.firstInFirstOut))
    if !isFirst || turns[slot.index].left <= 0 { turns[slot.index].left = Int64(turnNanoseconds) }
    let rank = turns[slot.index].rank
    enter(slot, level: rank.queue, isFirst: isFirst)
    if rank.isRealTime {
      realTimeLevels |= 1 << UInt32(rank.queue)
    } else {
      idleLevels |= 1 << UInt32(rank.queue - Scheduler.levelCount)
    }
  }

  /// Somebody has left the queue of a level.
  func noteEmptied(level: Int) {
    guard levels[level].isEmpty else { return }
    if level < Scheduler.levelCount {
      realTimeLevels &= ~(1 << UInt32(level))
    } else {
      idleLevels &= ~(1 << UInt32(level - Scheduler.levelCount))
    }
  }

  /// Takes the first real-time thread out of its queue, or, where there is none, the first idle one: it runs.
  func dequeueOutside() -> ThreadSlot {
    let level =
      realTimeLevels != 0
      ? realTimeLevels.trailingZeroBitCount : Scheduler.levelCount + idleLevels.trailingZeroBitCount
    let slot = levels[level].head
    leave(slot)
    running = .ordinary
    runningRank = turns[slot.index].rank
    runningIsRaised = false
    return slot
  }

  /// Whether the running thread, which does not share, has to let another of its level run; else it has a new turn.
  func hasUsedSlice(_ slot: ThreadSlot) -> Bool {
    let turn = turns[slot.index]
    if !turn.standing.contains(.firstInFirstOut) && !levels[turn.rank.queue].isEmpty { return true }
    turns[slot.index].left = Int64(turnNanoseconds)
    return false
  }

  /// Makes a thread ready that is not of those who share and has waited; false when it is to be made ready like those.
  func wakeUpOutside(_ slot: ThreadSlot) -> Bool {
    if turns[slot.index].rank.isIdle { turns[slot.index].standing.insert(.raised) }
    guard isOutside(slot) else { return false }
    enterLevel(slot)
    system.instance?.processor.needsAttention = true
    return true
  }

  // MARK: Raising

  /// A thread of the idle class that has just left the processor goes on as one of those who share it.
  func raise(running slot: ThreadSlot) { turns[slot.index].standing.insert(.raised) }

  /// The same of one that is ready.
  func raise(ready slot: ThreadSlot) {
    guard turns[slot.index].rank.isIdle, isOutside(slot), nodes[slot.index].place == .ready else { return }
    leave(slot)
    raise(running: slot)
    enqueue(slot)
    system.instance?.processor.needsAttention = true
  }

  /// The running thread is not raised any more; whether somebody goes before it now.
  func endRaise(_ slot: ThreadSlot) -> Bool {
    turns[slot.index].standing.remove(.raised)
    runningIsRaised = false
    guard isOutside(slot) else { return false }
    settle(slot)
    runningRank = turns[slot.index].rank
    running = .ordinary
    return hasBetter(than: runningRank)
  }
}
