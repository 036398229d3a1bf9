// The end of a kernel that cannot go on: cause, registers, backtrace, exit code 0x12.
//
// This path allocates nothing and counts no references: it uses constant text, numbers, the serial line and the screen. The addresses
// of the backtrace are given their file and line by Boot/Tools/symbolize, on the host.

public import MachineSupport
internal import RuntimeSupport

/// Set while a panic is being reported, so that a fault on the way ends the run at once.
nonisolated(unsafe) private var isPanicking = false

/// How often a panic asks the serial line for room: a few seconds under emulation.
private let patience = 10_000_000

/// Reports a failure of the kernel itself and leaves the machine.
public func panic(_ message: StaticString) -> Never {
  beginPanic()
  MachineConsole.write(message)
  MachineConsole.write(0x0A)
  Backtrace.write(from: frame_pointer(), first: nil)
  leaveMachine(.panic)
}

/// Reports a failure with a number that explains it.
public func panic(_ message: StaticString, _ value: UInt64) -> Never {
  beginPanic()
  MachineConsole.write(message)
  MachineConsole.write(" ")
  MachineConsole.write(hexadecimal: value)
  MachineConsole.write(0x0A)
  Backtrace.write(from: frame_pointer(), first: nil)
  leaveMachine(.panic)
}

private func beginPanic() {
  if unsafe isPanicking {
    MachineConsole.write("\nmartlet: panic during a panic\n")
    leaveMachine(.panic)
  }
  unsafe isPanicking = true
  unsafe SerialLine.patience = patience
  MachineConsole.beginLine(ofFailure: true)
  MachineConsole.write("panic: ")
}

/// A fault in the kernel, NMI, double fault or machine check, from Entry.S; `frame` lies on the stack that it arrived on.
public func panicTrap(_ frame: UnsafePointer<trap_frame>) -> Never {
  // SAFETY: Entry.S passes the frame that it has just pushed.
  let frame = unsafe frame.pointee
  let address = read_control2()
  beginPanic()
  writeCause(frame, address)
  MachineConsole.write(0x0A)
  writeRegisters(frame, address)
  Backtrace.write(from: frame.rbp, first: frame.rip)
  leaveMachine(.panic)
}

private func writeCause(_ frame: trap_frame, _ address: UInt64) {
  let stacks = KernelStack.all
  for index in stacks.indices
  where frame.vector == 8 && (stacks[index].guardHolds(address) || stacks[index].guardHolds(frame.rsp)) {
    MachineConsole.write("stack overflow: the ")
    MachineConsole.write(stacks[index].name)
    MachineConsole.write(" ran into its guard page")
    return
  }
  MachineConsole.write(exceptionName(frame.vector))
  if frame.vector == 14 {
    MachineConsole.write(
      frame.error_code & 16 != 0 ? " executing " : frame.error_code & 2 != 0 ? " writing " : " reading ")
    MachineConsole.write(hexadecimal: address)
    // The reserved bit first: QEMU 7.2 leaves the bit for a present page clear beside it.
    MachineConsole.write(
      frame.error_code & 8 != 0
        ? " (reserved bit set)" : frame.error_code & 1 != 0 ? " (not permitted)" : " (not mapped)")
  } else if frame.error_code != 0 {
    MachineConsole.write(", error code ")
    MachineConsole.write(hexadecimal: frame.error_code)
  }
  MachineConsole.write(frame.cs & 3 == 0 ? " in the kernel" : " in ring 3")
}

private func exceptionName(_ vector: UInt64) -> StaticString {
  switch vector {
  case 0: "division error"
  case 2: "non-maskable interrupt"
  case 3: "breakpoint"
  case 6: "invalid instruction (a failed check, if it is ud2)"
  case 7: "floating point instruction"
  case 8: "double fault"
  case 10: "invalid task state"
  case 11: "segment not present"
  case 12: "stack segment fault"
  case 13: "general protection fault"
  case 14: "page fault"
  case 16: "x87 error"
  case 17: "alignment check"
  case 18: "machine check"
  case 19: "SIMD error"
  case 32...: "interrupt"
  default: "exception"
  }
}

private func writeRegisters(_ frame: trap_frame, _ address: UInt64) {
  writeRegisterLine("rip", frame.rip, "cs ", frame.cs, "rfl", frame.rflags, "vec", frame.vector)
  writeRegisterLine("rsp", frame.rsp, "rbp", frame.rbp, "cr2", address, "cr3", read_control3())
  writeRegisterLine("rax", frame.rax, "rbx", frame.rbx, "rcx", frame.rcx, "rdx", frame.rdx)
  writeRegisterLine("rsi", frame.rsi, "rdi", frame.rdi, "r8 ", frame.r8, "r9 ", frame.r9)
  writeRegisterLine("r10", frame.r10, "r11", frame.r11, "r12", frame.r12, "r13", frame.r13)
  writeRegisterLine("r14", frame.r14, "r15", frame.r15, "err", frame.error_code, "cr4", read_control4())
}

private func writeRegisterLine(
  _ name1: StaticString, _ value1: UInt64, _ name2: StaticString, _ value2: UInt64, _ name3: StaticString,
  _ value3: UInt64, _ name4: StaticString, _ value4: UInt64
) {
  MachineConsole.beginLine()
  writeRegister(name1, value1)
  writeRegister(name2, value2)
  writeRegister(name3, value3)
  writeRegister(name4, value4)
  MachineConsole.write(0x0A)
}

private func writeRegister(_ name: StaticString, _ value: UInt64) {
  MachineConsole.write("  ")
  MachineConsole.write(name)
  MachineConsole.write(" ")
  MachineConsole.write(hexadecimal: value, digits: 16)
}

/// What the runtime below this module cannot go on after.
public func panic(runtimeFailure kind: UInt32) -> Never {
  switch kind {
  case runtime_failure_stack_smashed.rawValue: panic("a stack frame was overrun")
  case runtime_failure_heap_empty.rawValue: panic("the kernel heap's reserve is used up")
  case runtime_failure_heap_misused.rawValue: panic("the kernel heap was given an address that it did not hand out")
  case runtime_failure_heap_overrun.rawValue: panic("an object of the kernel heap was overrun")
  case runtime_failure_heap_used_after_release.rawValue:
    panic("an object of the kernel heap was written to after its release")
  default: panic("an allocation is larger than the kernel heap can serve")
  }
}
