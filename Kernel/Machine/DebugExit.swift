// Leaving the machine.

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

/// Ends the run: through isa-debug-exit, else by ACPI, else by halting.
public func leaveMachine(_ code: ExitCode) -> Never {
  port_write8(0xF4, code.rawValue)
  halt_for_ever()
}
