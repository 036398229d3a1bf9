// What Entry.S calls.

internal import MachineSupport

@c(machine_system_call)
func systemCall(_ kernel: UInt64) -> Bool { panic("no kernel") }

@c(machine_resume)
func resume(_ kernel: UInt64) -> Bool { panic("no kernel") }

@c(machine_trap)
func trap(_ kernel: UInt64, _ vector: UInt64, _ errorCode: UInt64) { panic("no kernel") }
