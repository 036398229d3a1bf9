// Start-up order, and nothing else.

internal import ABI
internal import Handover
internal import Machine
internal import Memory
internal import Primitives
internal import SelfTests
internal import SystemCalls

/// From the boot stub to process 1.
func startUp() -> Never {
  let machine = Machine()
  if let kind = machine.options.panicTest { PanicTest.run(kind, machine.memory) }

  var allTestsPassed = true
  if let pattern = machine.options.selfTestPattern {
    allTestsPassed = SelfTestRunner(machine.memory, pattern: pattern).run()
  }

  var configuration = KernelConfiguration(
    memory: machine.memory, floatingPoint: machine.floatingPoint, modules: machine.modules)
  configuration.unknownCallsRaiseSignal = machine.options.unknownCallsRaiseSignal
  configuration.environment = machine.options.environment
  configuration.inputIsFramed = machine.options.inputIsFramed
  configuration.isQuiet = machine.options.isQuiet
  configuration.physicalFrameCount = Int(machine.physicalFrameCount)
  configuration.seedMaterial = machine.seedMaterial
  if let turn = machine.options.turnMicroseconds { configuration.turnNanoseconds = turn * 1000 }
  let kernel = Kernel(configuration)
  if machine.modules.isEmpty && machine.options.initPath.isEmpty {
    logLine("no program to run: the boot loader brought no module")
    leaveMachine(allTestsPassed ? .success : .failure)
  }
  if let interval = machine.options.inspectionInterval { kernel.startMonitoring(inspectionInterval: interval) }
  if machine.options.isTraced { kernel.startTracing(showsFaults: machine.options.tracesFaults) }
  machine.connect(kernel) { report in
    HostReport.write(report)
    leaveMachine(report.isClean && allTestsPassed ? .success : .failure)
  }
  do {
    try kernel.start(machine.options.initPath)
  } catch {
    HostReport.writeRefusal(refusalReason(error))
    leaveMachine(.failure)
  }
  setFailurePoints(machine)
  if let kind = machine.options.inspectionTest, !kernel.plantViolation(kind) {
    HostReport.writeRefusal("inspect-test names no violation")
    leaveMachine(.failure)
  }
  logLine("instructions from power-on to process 1: ", machine.timeStampsSinceStart, " (time stamps)")
  machine.run()
}

/// Sets the fail points that the command line asks for; before process 1 existed, its start would be what fails.
private func setFailurePoints(_ machine: Machine) {
  machine.memory.services.failures.seed(machine.options.seed)
  for text in machine.options.failurePoints where !isSet(text, machine.memory.services) {
    HostReport.writeRefusal("an option fail= names no fail point, or its setting is wrong")
    leaveMachine(.failure)
  }
}

private func isSet(_ text: [UInt8], _ services: KernelServices) -> Bool {
  do throws(Errno) {
    try services.setFailurePoint(text.span)
    return true
  } catch { return false }
}

/// What a refusal means to the person who chose the program.
private func refusalReason(_ error: Errno) -> StaticString {
  switch error {
  case .enoent: "no such file (ENOENT)"
  case .enoexec: "not a static x86-64 ELF executable that fits user space (ENOEXEC)"
  case .enomem: "too little memory (ENOMEM)"
  case .e2big: "its arguments are too long (E2BIG)"
  case .eacces: "not a regular file (EACCES)"
  default: "it cannot be loaded"
  }
}
