// What Entry.S calls, in Swift's own calling convention: every instruction between the entry code and the kernel counts.
//
// The entry code calls them through the processor record, which names either the plain ones or those of a kernel that is
// watched (kernel option `inspect`).
//
// Invariant: the processor record names a kernel and a dispatcher before ring 3 first runs, and `dispatcher` keeps both
// alive for ever. Before that nothing can come here: interrupts are off, and the kernel's own faults end in panic.

internal import SystemCalls

/// Keeps alive what the processor record names.
nonisolated(unsafe) var dispatcher: Dispatcher?

extension Kernel {
  /// `systemCall(_:_:)`, which the entry code otherwise calls itself, watched.
  @_silgen_name("machine_monitored_system_call")
  func machineMonitoredSystemCall() -> Bool { watch(.systemCall) }
}

extension Dispatcher {
  /// Decides what runs next. Returns false when nothing can.
  @_silgen_name("machine_resume")
  func machineResume() -> Bool { resume(isWatched: false) }

  /// The same, watched.
  @_silgen_name("machine_monitored_resume")
  func machineMonitoredResume() -> Bool { resume(isWatched: true) }

  /// An exception of ring 3, or an interrupt. Returns true when the same thread goes on at once.
  @_silgen_name("machine_trap")
  func machineTrap(_ vector: UInt64, _ errorCode: UInt64) -> Bool { trap(vector, errorCode, isWatched: false) }

  /// The same, watched.
  @_silgen_name("machine_monitored_trap")
  func machineMonitoredTrap(_ vector: UInt64, _ errorCode: UInt64) -> Bool {
    trap(vector, errorCode, isWatched: true)
  }
}
