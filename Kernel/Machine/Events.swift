// What Entry.S calls. The entry code passes the kernel object; the dispatcher is found here.

internal import MachineSupport
internal import SystemCalls

/// Set once, before ring 3 first runs.
nonisolated(unsafe) var dispatcher: Dispatcher?

extension Kernel {
  /// A system call of the current thread. Returns true when the same thread goes on at once. In Swift's own calling
  /// convention, because every instruction between the entry code and the kernel counts.
  @_silgen_name("machine_system_call")
  func machineSystemCall() -> Bool { systemCall() }
}

/// Decides what runs next. Returns false when nothing can.
@c(machine_resume)
func machineResume(_ kernel: UnsafeRawPointer) -> Bool {
  guard let dispatcher = unsafe dispatcher else { panic("there is no kernel to resume") }
  return dispatcher.resume()
}

/// An exception of ring 3, or an interrupt. Returns true when the same thread goes on at once.
@c(machine_trap)
func machineTrap(_ kernel: UnsafeRawPointer, _ vector: UInt64, _ errorCode: UInt64) -> Bool {
  guard let dispatcher = unsafe dispatcher else { panic("an interrupt before there is a kernel; vector", vector) }
  return dispatcher.trap(vector, errorCode)
}
