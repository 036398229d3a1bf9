// Leaving the machine: through QEMU's isa-debug-exit, else by ACPI, else by halting.

internal import MachineSupport

/// How a run ends; the values are written to QEMU's isa-debug-exit device (DESIGN, "Booted interface").
public enum ExitCode: UInt8 {
  /// All good.
  case success = 0x10
  /// A test or process 1 failed, or something leaked.
  case failure = 0x11
  /// The kernel panicked.
  case panic = 0x12
}

private let debugExitPort: UInt16 = 0xF4

/// Ends the run, once everything written is sent. Without the debug device a machine that panicked stays as it is, for its screen to be read.
public func leaveMachine(_ code: ExitCode) -> Never {
  MachineConsole.finish()
  port_write8(debugExitPort, code.rawValue)
  if code != .panic { PowerManagement.powerOff() }
  halt_for_ever()
}
