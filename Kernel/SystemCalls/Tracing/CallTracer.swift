// Shows what programs call, with what arguments, and what comes of it, as truss(1) does: a line for each call, for each signal
// that is acted on, and, if that was asked for, for each page fault. What is shown of a call derives from its declaration.
//
// There is one only where it was asked for (kernel option `trace`); the watched entries of Kernel+Watching.swift call it.
//
// Invariants
// - Nothing is changed by looking: text that a call reads is shown only if it can be had without waiting; else its address is.
// - A thread has `tracedCall` exactly from the line that shows its call as unfinished to the one that shows the result.
// - A line names the process in front.

import ABI
import Memory
import Primitives
import Processes

/// Shows calls.
final class CallTracer {
  /// Whether every page fault is shown, too.
  private let showsFaults: Bool
  private let services: KernelServices
  private let declarations: [SystemCallDeclaration]

  init(_ services: KernelServices, _ declarations: [SystemCallDeclaration], showsFaults: Bool) {
    self.services = services
    self.declarations = declarations
    self.showsFaults = showsFaults
  }

  // MARK: Calls

  /// The line of a call that begins, up to its closing parenthesis.
  func begin(_ call: SystemCall, _ entry: SystemCallEntry) -> ConsoleLine {
    let declaration = declarations[Int(entry.index)]
    call.thread.takeArgumentsFromRegisters()
    var line = ConsoleLine()
    line.append(process: call.process)
    let context = call.thread.context
    let number = context.isIndirectCall ? context.rdi : context.rax
    if entry.index < 2 {
      line.append("call ")
      line.append(number)
    } else {
      line.append(declaration.name)
    }
    line.append("(")
    var arguments = declaration.arguments
    if entry.index == 1 { arguments = [.bits, .bits, .bits] }
    for index in 0..<arguments.count {
      if index > 0 { line.append(", ") }
      call.show(argument: index, arguments[index], in: &line)
    }
    line.append(")")
    return line
  }

  /// A call has stored its result.
  func end(_ line: ConsoleLine, _ thread: Thread) {
    var line = line
    line.append(result: thread.context)
    write(line)
  }

  /// A call that does not return.
  func leave(_ line: ConsoleLine) { write(line) }

  /// A call waits, or lets others go first.
  func suspend(_ line: ConsoleLine, _ thread: Thread, _ entry: SystemCallEntry) {
    var line = line
    line.append(" …")
    write(line)
    thread.tracedCall = UInt16(entry.index) + 1
  }

  /// A thread that is about to run has a result, if it was in a call.
  func end(_ thread: Thread, _ process: Process, restarts: Bool = false) {
    guard thread.tracedCall > 0 else { return }
    var line = ConsoleLine()
    line.append(process: process)
    line.append("… ")
    line.append(declarations[Int(thread.tracedCall) - 1].name)
    thread.tracedCall = 0
    if restarts { line.append(" begins anew") } else { line.append(result: thread.context) }
    write(line)
  }

  // MARK: What else happens

  /// A signal is acted on by a handler.
  func handle(_ information: SignalInformation, handler: UInt64, _ process: Process) {
    var line = ConsoleLine()
    line.append(process: process)
    line.append("signal ")
    line.append(signal: information.signal)
    if information.address != 0 {
      line.append(" at ")
      line.append(hexadecimal: information.address)
    } else if information.process != 0 {
      line.append(" from ")
      line.append(UInt64(UInt32(bitPattern: information.process)))
    }
    line.append(", handler ")
    line.append(hexadecimal: handler)
    write(line)
  }

  /// A signal was acted on: says so if it ended the process.
  func end(_ process: Process) {
    guard process.state != .running, let signal = process.exitStatus.terminationSignal else { return }
    var line = ConsoleLine()
    line.append(process: process)
    line.append("killed by ")
    line.append(signal: signal)
    write(line)
  }

  /// A page fault.
  func fault(_ exception: ProcessorException, _ thread: Thread, _ process: Process) {
    guard showsFaults else { return }
    var line = ConsoleLine()
    line.append(process: process)
    line.append("fault: ")
    switch exception.access {
    case .execute: line.append("execution of ")
    case .write: line.append("write to ")
    default: line.append("read of ")
    }
    line.append(hexadecimal: exception.address)
    line.append(" at ")
    line.append(hexadecimal: thread.context.rip)
    write(line)
  }

  /// Writes a line where traces are read; to the console, if nobody reads them.
  private func write(_ line: ConsoleLine) {
    var ended = line
    ended.append("\n")
    if !services.tellHost(.trace, ended) { services.report { $0.append(line) } }
  }
}

extension ConsoleLine {
  fileprivate mutating func append(process: Process) {
    append(UInt64(UInt32(bitPattern: process.identifier)))
    append(": ")
  }

  fileprivate mutating func append(signal: Signal) {
    if signal.name.isEmpty { append(Int64(signal.rawValue)) } else { append(signal.name) }
  }

  /// A result: a number, in hexadecimal too if that says more; or an error.
  fileprivate mutating func append(result context: borrowing ThreadContext) {
    guard context.rflags & ThreadContext.carryFlag == 0 else {
      append(" ERR#")
      append(context.rax)
      append(" ")
      append(Errno(rawValue: Int32(truncatingIfNeeded: context.rax)).name)
      return
    }
    append(" = ")
    append(Int64(bitPattern: context.rax))
    guard context.rax > 9 else { return }
    append(" (")
    append(hexadecimal: context.rax)
    append(")")
  }
}
