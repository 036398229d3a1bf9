// What is said of a process that something went wrong with: which signal ended it, and what it did (kern.logsigexit). The console
// is told, unless the kernel is quiet, and whoever started the machine, who knows the names of addresses.
//
// As in FreeBSD, only the signals that would leave an image of the process are worth a line: nobody needs to be told of a
// SIGTERM.

import ABI
import Memory
import Primitives
import Processes

extension Kernel {
  /// An exception of the processor ended a process.
  func tellOfDeath(
    of process: Process, _ thread: Thread, _ information: SignalInformation, _ exception: ProcessorException
  ) {
    tellOfDeath(of: process, information.signal) { line in
      line.append(": ")
      line.append(exception, information)
      line.append(" at ")
      line.append(hexadecimal: thread.context.rip)
    }
  }

  /// A signal that somebody sent ended a process.
  func tellOfDeath(of process: Process, _ thread: Thread, _ information: SignalInformation) {
    tellOfDeath(of: process, information.signal) { line in
      if information.process != 0 {
        line.append(": sent by process ")
        line.append(UInt64(UInt32(bitPattern: information.process)))
      }
      line.append(" at ")
      line.append(hexadecimal: thread.context.rip)
    }
  }

  /// A call that does not exist is about to end a process. Its instruction has two bytes.
  func tellOfUnknownCall(of process: Process, _ thread: Thread) {
    let number = thread.context.isIndirectCall ? thread.context.rdi : thread.context.rax
    tellOfDeath(of: process, .sigsys) { line in
      line.append(": call ")
      line.append(number)
      line.append(" at ")
      line.append(hexadecimal: thread.context.rip &- 2)
    }
  }

  private func tellOfDeath(of process: Process, _ signal: Signal, _ reason: (inout ConsoleLine) -> Void) {
    guard saysWhatDied, signal.meansFault else { return }
    var line = ConsoleLine()
    line.append("process ")
    line.append(UInt64(UInt32(bitPattern: process.identifier)))
    line.append(" (")
    for index in 0..<process.nameByteCount { line.append(printable: process.name[index]) }
    line.append(") was killed by ")
    line.append(signal.name)
    reason(&line)
    report { $0.append(line) }
    line.append("\n")
    services.tellHost(.report, line)
  }
}

extension ConsoleLine {
  /// What a program did wrong.
  fileprivate mutating func append(_ exception: ProcessorException, _ information: SignalInformation) {
    guard TrapNumber(rawValue: UInt32(truncatingIfNeeded: information.reason)) == .pageFault else {
      return append(exception.what)
    }
    switch exception.access {
    case .execute: append("execution of ")
    case .write: append("write to ")
    default: append("read of ")
    }
    append(hexadecimal: exception.address)
    switch (information.signal, information.code) {
    case (.sigsegv, .segmentNotMapped): append(", where nothing is mapped")
    case (.sigsegv, .segmentAccess): append(", which the protection forbids")
    case (.sigbus, .busObject), (.sigbus, .busAddress): append(", beyond the end of what is mapped there")
    default: break
    }
  }
}

extension ProcessorException {
  /// What went wrong, in words; not for page faults.
  fileprivate var what: String {
    switch vector {
    case ExceptionVector.divide: "integer division by zero, or its result is too large"
    case ExceptionVector.debug: "single step, or a breakpoint of the debug registers"
    case ExceptionVector.breakpoint: "breakpoint instruction"
    case ExceptionVector.overflow: "overflow"
    case ExceptionVector.bound: "index out of bounds"
    case ExceptionVector.invalidOpcode: "invalid instruction"
    case ExceptionVector.floatingPoint, ExceptionVector.vectorFloatingPoint: "floating point exception"
    case ExceptionVector.alignment: "misaligned access"
    case ExceptionVector.stackSegment: "access through the stack to an address that is none"
    default: "privileged instruction, or an address that is none"
    }
  }
}
