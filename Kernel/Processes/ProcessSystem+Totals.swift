// What all threads do and all processes have mapped (sysctl vm.vmtotal), counted in bounded steps.

public import ABI
import Memory
import Primitives

/// How far such a count is.
public struct TotalsCount: BitwiseCopyable, Sendable {
  /// The place of the process that is looked at.
  fileprivate var slot: UInt32 = 0
  /// Where its mappings are to be looked at from.
  fileprivate var address: UInt64 = 0
  /// Whether its threads have been counted.
  fileprivate var hasThreads = false
  /// Marks the objects that were counted.
  fileprivate let number: UInt32

  /// Nothing is counted yet.
  public init(_ processes: ProcessSystem) { number = processes.memory.beginTotals() }
}

extension ProcessSystem {
  /// Goes on with a count; takes processes, threads, mappings and objects off `budget`. Returns whether everything was counted.
  public func count(_ count: inout TotalsCount, into totals: inout SystemTotals, _ budget: inout Int) -> Bool {
    while Int(count.slot) < slots.count {
      guard let process = slots[Int(count.slot)] else {
        count.slot = UInt32(usedSlots.next(from: Int(count.slot)))
        continue
      }
      if budget <= 0 { return false }
      budget -= 1
      if !count.hasThreads { countThreads(of: process, &totals, &budget) }
      count.hasThreads = true
      if let space = process.addressSpace, !space.count(from: &count.address, count.number, &totals, &budget) {
        return false
      }
      count.slot += 1
      count.address = 0
      count.hasThreads = false
    }
    totals.free = UInt64(memory.freeFrameCount)
    totals.waitingForPages = Int16(clamping: scheduler.frameWaiterCount + scheduler.limitWaiterCount)
    return true
  }

  private func countThreads(of process: Process, _ totals: inout SystemTotals, _ budget: inout Int) {
    var slot = process.firstThread
    while let thread = threads[slot] {
      budget -= 1
      if let channel = scheduler.parkedChannel(slot) {
        if channel.comesByItself { totals.waitingForDevice &+= 1 } else { totals.sleeping &+= 1 }
      } else if scheduler.isReady(slot) || current === thread {
        totals.runnable &+= 1
      }
      slot = thread.next
    }
  }
}
