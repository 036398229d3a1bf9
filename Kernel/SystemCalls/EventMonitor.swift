// Watches events: what each of them takes from the heap, against what it declares, and when an inspection is due.
//
// There is one only where it was asked for (the simulation; the kernel option `inspect`), and only the monitored entries of
// Kernel+Monitored.swift know of it, so that a kernel without one pays nothing.
//
// Invariants
// - Between `begin` and the next `begin` or `end`, all that is allocated is the work of one kind of event.
// - The objects of faults that the kernel resolves on its way to user memory are taken off: all are alike, so `faultObject`
//   times their number is exact.

public import Memory

/// The kinds of events that are told apart.
enum EventKind: Equatable, BitwiseCopyable {
  /// A call, from its beginning or from where it was parked.
  case call(SystemCall)
  case pageFault, exception, tick, console, deviceInterrupt
  /// What `next()` does: releases, reclaim, ends of processes, choosing whose turn it is.
  case betweenEvents

  /// The number of kinds that are no calls, which come behind the calls in tables.
  static let otherCount = 6
  static let firstOther = 128
  static let count = firstOther + otherCount

  var index: Int {
    switch self {
    case .call(let call): Int(call.rawValue)
    case .pageFault: EventKind.firstOther
    case .exception: EventKind.firstOther + 1
    case .tick: EventKind.firstOther + 2
    case .console: EventKind.firstOther + 3
    case .deviceInterrupt: EventKind.firstOther + 4
    case .betweenEvents: EventKind.firstOther + 5
    }
  }

  init?(index: Int) {
    switch index {
    case EventKind.firstOther: self = .pageFault
    case EventKind.firstOther + 1: self = .exception
    case EventKind.firstOther + 2: self = .tick
    case EventKind.firstOther + 3: self = .console
    case EventKind.firstOther + 4: self = .deviceInterrupt
    case EventKind.firstOther + 5: self = .betweenEvents
    default:
      guard index < EventKind.firstOther, let call = SystemCall(rawValue: UInt8(index)) else { return nil }
      self = .call(call)
    }
  }

  var name: String {
    switch self {
    case .call(let call): call.name
    case .pageFault: "page fault"
    case .exception: "exception"
    case .tick: "timer tick"
    case .console: "console interrupt"
    case .deviceInterrupt: "device interrupt"
    case .betweenEvents: "between events"
    }
  }
}

/// What one kind of event declares and was seen to use.
public struct EventHeapUse {
  /// The kind.
  public let name: String
  /// How often it was seen.
  public let count: Int
  /// The most it used.
  public let largest: HeapAmount
  /// What it declares.
  public let bound: HeapAmount
}

/// Measures the heap use of events.
public final class EventMonitor {
  private let memory: MemorySystem
  private let heap: KernelHeap
  /// What the object of a fault takes.
  private let faultObject: HeapAmount
  private var bounds = [134 of HeapAmount](repeating: .none)
  private var largest = [134 of HeapAmount](repeating: .none)
  private var counts = [134 of Int](repeating: 0)
  private var kind: EventKind?
  private var start = HeapAmount.none
  private var startFaultCount = 0
  /// The first event that used more than it declares.
  public private(set) var excess: EventHeapUse?
  /// Set by tests: the next event of this kind takes one object more than it declares.
  var plantedExcess: EventKind?

  private let inspectionInterval: UInt64
  private var eventsUntilInspection: UInt64

  init(
    _ memory: MemorySystem, _ heap: KernelHeap, _ table: borrowing SystemCallTable, inspectionInterval: UInt64
  ) {
    self.inspectionInterval = inspectionInterval
    eventsUntilInspection = inspectionInterval
    self.memory = memory
    self.heap = heap
    let before = heap.totalUse
    let probe = try? VMObject.make(memory, .anonymous, pageCount: 0)
    faultObject = heap.totalUse - before
    _ = consume probe
    for index in 0..<EventKind.count {
      if case .call(let call) = EventKind(index: index) { bounds[index] = table.heapBound(of: call) }
    }
    bounds[EventKind.pageFault.index] = HeapLimits.fault
  }

  /// An event begins; the one before is over.
  func begin(_ next: EventKind) {
    end()
    kind = next
    startFaultCount = memory.counters.objectsMadeByFaults
    start = heap.totalUse
    if plantedExcess == next { takeTooMuch(bounds[next.index].objectCount + 1) }
  }

  /// The event is over.
  func end() {
    guard let kind else { return }
    var use = heap.totalUse - start
    self.kind = nil
    if kind != .pageFault {
      use = use - faultObject * (memory.counters.objectsMadeByFaults - startFaultCount)
    }
    let index = kind.index
    counts[index] += 1
    largest[index] = largest[index].maximum(use)
    if !bounds[index].covers(use) && excess == nil {
      excess = EventHeapUse(name: kind.name, count: counts[index], largest: use, bound: bounds[index])
    }
  }

  /// Counts an event; whether an inspection is due after it.
  func inspectionIsDue() -> Bool {
    guard inspectionInterval > 0 else { return false }
    eventsUntilInspection -= 1
    guard eventsUntilInspection == 0 else { return false }
    eventsUntilInspection = inspectionInterval
    return true
  }

  /// Every kind of event that was seen or declares anything.
  public func forEachKind(_ body: (EventHeapUse) -> Void) {
    for index in 0..<EventKind.count {
      guard let kind = EventKind(index: index), counts[index] > 0 || bounds[index] != .none else { continue }
      body(EventHeapUse(name: kind.name, count: counts[index], largest: largest[index], bound: bounds[index]))
    }
  }

  private func takeTooMuch(_ count: Int) {
    plantedExcess = nil
    for _ in 0..<count { planted = Planted(planted) }
    planted = nil
  }

  private final class Planted {
    let next: Planted?
    init(_ next: Planted?) { self.next = next }
  }
  private var planted: Planted?
}
