// Watches events: what each of them takes from the heap, against what it declares, how long interrupts wait for it, and when an
// inspection is due.
//
// There is one only where it was asked for (the simulation; the kernel option `inspect`), and only the watched entries of
// Kernel+Watching.swift know of it, so that a kernel without one pays nothing.
//
// Invariants
// - Between `begin` and the next `begin` or `end`, all that is allocated is the work of one kind of event.
// - The objects of faults that the kernel resolves on its way to user memory are taken off: all are alike, so `faultObject`
//   times their number is exact.

import Memory
public import Primitives

/// A kind of event that is told apart.
struct EventKind: Equatable, BitwiseCopyable {
  /// The place in tables: the calls in the order of their declarations, then the others.
  let index: Int

  /// So many calls can be told apart.
  static let callCount = 250
  /// The number of kinds.
  static let count = callCount + otherNames.count

  /// A call, from its beginning or from where it was parked.
  static func call(_ entry: SystemCallEntry) -> EventKind { EventKind(index: Int(entry.index)) }
  static let pageFault = EventKind(index: callCount)
  static let exception = EventKind(index: callCount + 1)
  static let timerTick = EventKind(index: callCount + 2)
  static let consoleInterrupt = EventKind(index: callCount + 3)
  static let deviceInterrupt = EventKind(index: callCount + 4)
  /// What `next()` does: releases, reclaim, ends of processes, choosing whose turn it is.
  static let betweenEvents = EventKind(index: callCount + 5)

  fileprivate static var otherNames: [6 of String] {
    ["page fault", "exception", "timer tick", "console interrupt", "device interrupt", "between events"]
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
  private let declarations: [SystemCallDeclaration]
  /// What the object of a fault takes.
  private let faultObject: HeapAmount
  private var bounds = [256 of HeapAmount](repeating: .none)
  private var largest = [256 of HeapAmount](repeating: .none)
  private var counts = [256 of Int](repeating: 0)
  private var kind: EventKind?
  private var start = HeapAmount.none
  private var startFaultCount = 0
  /// The first event that used more than it declares.
  public private(set) var excess: EventHeapUse?
  /// Set by tests: the next event of this kind takes one object more than it declares.
  var plantedExcess: EventKind?

  /// When the kernel was entered last, in nanoseconds since boot, and for what, while it is in there.
  private var stretch: (start: UInt64, kind: EventKind)?
  private var longest = [256 of UInt64](repeating: 0)

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
    declarations = table.declarations
    precondition(declarations.count <= EventKind.callCount)
    for index in declarations.indices { bounds[index] = declarations[index].demand.heapBound }
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
      excess = EventHeapUse(name: name(index), count: counts[index], largest: use, bound: bounds[index])
    }
  }

  /// From now on interrupts wait, because of an event of this kind, unless they do so already.
  func beginStretch(_ kind: EventKind) {
    if stretch == nil { stretch = (memory.services.nanoseconds, kind) }
  }

  /// Interrupts are let in.
  func endStretch() {
    guard let (start, kind) = stretch else { return }
    longest[kind.index] = max(longest[kind.index], memory.services.nanoseconds &- start)
    stretch = nil
  }

  /// Calls `body` with the kinds of events for which interrupts have waited longest, and for how many nanoseconds.
  func forEachLongStretch(_ count: Int, _ body: (String, UInt64) -> Void) {
    var left = longest
    for _ in 0..<count {
      var most = 0
      for index in 0..<EventKind.count where left[index] > left[most] { most = index }
      if left[most] == 0 { return }
      body(name(most), left[most])
      left[most] = 0
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
      guard counts[index] > 0 || bounds[index] != .none else { continue }
      body(EventHeapUse(name: name(index), count: counts[index], largest: largest[index], bound: bounds[index]))
    }
  }

  private func name(_ index: Int) -> String {
    if index >= EventKind.callCount { return EventKind.otherNames[index - EventKind.callCount] }
    return declarations[index].name
  }

  /// The kind of event with this name, for tests.
  func kind(named wanted: String) -> EventKind? {
    for index in 0..<EventKind.count where index < declarations.count || index >= EventKind.callCount {
      if name(index) == wanted { return EventKind(index: index) }
    }
    return nil
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
