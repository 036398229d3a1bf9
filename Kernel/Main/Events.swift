// What Entry.S and the runtime below this module call by a symbol. Most of it is in Swift's own calling convention: every instruction
// between the entry code and the kernel counts. It stands here because the code of this module is the only one that is not
// made anew elsewhere (Package.swift).
//
// The entry code calls it through the processor record, which names either the plain entries or those of a kernel that is
// watched (kernel option `inspect`).
//
// Invariant: the processor record names a kernel and a dispatcher before ring 3 first runs, and `Machine` keeps both alive
// for ever. Before that nothing can come here: interrupts are off, and the kernel's own faults end in panic.

internal import Machine
internal import MachineSupport
internal import SystemCalls

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

/// A fault in the kernel, NMI, double fault or machine check; `frame` lies on the stack that it arrived on.
@c(machine_panic_trap)
func machinePanicTrap(_ frame: UnsafePointer<trap_frame>) -> Never { unsafe panicTrap(frame) }

/// What the runtime cannot go on after.
@c(runtime_failed)
func runtimeFailed(_ kind: UInt32) -> Never { panic(runtimeFailure: kind) }
