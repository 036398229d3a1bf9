// The operations of scripts as system calls: steps, memory, processes.

import ABI
import Files
import Memory
import Primitives
import Processes
import SystemCalls

extension KernelMachine {
  /// Performs a step.
  public func perform(_ step: ScriptStep) throws(Difference) -> Observation? {
    outputs = []
    inputs = []
    noise = SeededGenerator(seed: step.noise)
    if noise.chance(oneIn: 3) { hardware.processor.memoryUnit.speculate() }
    hardware.clock.advance(by: UInt64(noise.number(below: 100_000)))
    try deliverInterrupts()
    if noise.chance(oneIn: 6) { try tick() }
    if noise.chance(oneIn: 12) { hardware.system.reclaim(budget: 1 + noise.number(below: 8)) }
    guard try schedule(step.process) else { return .ended }
    failureHappened = false
    if let failure = step.failure { hardware.inject(failure) }
    defer { if let failure = step.failure { failureHappened = hardware.withdraw(failure) } }
    let observation = try perform(step.operation, step.process)
    if observation == .ended { try settle(step.process) }
    if observation == .blocked { blockedOperations[step.process] = step.operation }
    return observation
  }

  /// Whether the call that a process was blocked in has returned, unasked.
  public func hasReturned(_ process: Int) -> Bool { returnedCalls[process] != nil }

  /// Waits for the call that a process is blocked in.
  public func finishBlocked(_ process: Int) throws(Difference) -> Observation {
    outputs = []
    let observation = try awaitReturn(process)
    guard let operation = blockedOperations[process] else { throw Difference("process \(process) is not blocked") }
    if observation == .blocked { return .blocked }
    blockedOperations[process] = nil
    try collect(operation, process, observation)
    return observation
  }

  /// What the reference model has to know about the machine.
  public var facts: SystemFacts {
    var facts = SystemFacts()
    facts.isWhole = true
    facts.consoleIsSlow = hardware.processor.console.isSlow
    facts.maximumProcessCount = kernel.inspectedProcesses.maximumProcessCount
    facts.maximumFileCount = kernel.inspectedFiles.maximumFileCount
    facts.maximumFilesPerProcess = kernel.inspectedFiles.maximumFilesPerProcess
    facts.pageCount = hardware.system.managedFrameCount
    facts.swapPageCount = UInt64(hardware.swap.map { $0.blockCount - 1 } ?? 0)
    return facts
  }

  private func perform(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .through(let isWide, let inner):
      indirection = isWide ? .syscallWide : .syscall
      defer { indirection = nil }
      return try perform(inner, number)
    case .misplaced(let pointer, let address, let inner):
      places[pointer] = address
      defer { places = [:] }
      return try perform(inner, number)
    case .load(let address, let byteCount):
      return try load(number, address, byteCount: byteCount).map { .bytes($0) } ?? .ended
    case .store(let address, let byteCount, let pattern):
      let bytes = Operation.patternBytes(pattern, count: byteCount)
      return try store(number, bytes, at: address) ? .value(0) : .ended
    case .fetch(let address): return try access(number, address, .fetch) ? .value(0) : .ended
    case .evict:
      _ = hardware.system.makeAvailable(hardware.system.managedFrameCount)
      return .value(0)
    case .type(let text):
      hardware.processor.console.type(text.utf8)
      try deliverInterrupts()
      return .value(0)
    case .map(let address, let byteCount, let protection, let flags, let descriptor, let offset):
      return try simpleCall(
        number, .mmap, address, byteCount, UInt64(protection), UInt64(flags), Self.word(descriptor),
        UInt64(bitPattern: offset))
    case .unmap(let address, let byteCount): return try simpleCall(number, .munmap, address, byteCount)
    case .protect(let address, let byteCount, let protection):
      return try simpleCall(number, .mprotect, address, byteCount, UInt64(protection))
    case .setBreak(let address): return try simpleCall(number, .break, address)
    default: return try performProcessOperation(operation, number)
    }
  }

  private func performProcessOperation(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .fork(let child, let isPartial): return try fork(number, child, isPartial)
    case .exit(let status):
      _ = try simpleCall(number, .exit, Self.word(status))
      return .ended
    case .execute(let path, let argumentCount): return try execute(number, path, argumentCount)
    case .wait(let target, let options, let usage):
      let observation = try simpleCall(
        number, .wait4, Self.word(identifier(target)), place(.output), UInt64(options), usage ? place(.second) : 0)
      try collect(operation, number, observation)
      return observation
    case .kill(let target, let signal):
      let observation = try simpleCall(number, .kill, Self.word(identifier(target)), Self.word(signal))
      try settleDoomed()
      return observation
    case .signalAction(let signal, let handler, let wantsOld):
      if let handler {
        let bytes = Self.bytes(of: handler) + [UInt8](repeating: 0, count: 24)
        guard try prepare(number, bytes, at: .input) else { return .ended }
      }
      let observation = try simpleCall(
        number, .sigaction, Self.word(signal), handler == nil ? 0 : place(.input), wantsOld ? place(.output) : 0)
      if wantsOld { try fetch(number, observation, .output, 32) }
      return observation
    case .controlProcess(let type, let target, let command, let flags):
      guard try prepare(number, Self.bytes(of: flags), at: .input) else { return .ended }
      // An id_t has 64 bits.
      let wanted = identifier(target)
      return try simpleCall(
        number, .procctl, Self.word(type), wanted == 0 ? 0 : Self.word(wanted), Self.word(command), place(.input))
    case .processGroup: return try simpleCall(number, .getpgrp)
    case .processGroupOf(let target): return try simpleCall(number, .getpgid, Self.word(identifier(target)))
    case .setProcessGroup(let target, let group):
      return try simpleCall(number, .setpgid, Self.word(identifier(target)), Self.word(identifier(group)))
    case .makeSession: return try simpleCall(number, .setsid)
    case .sessionOf(let target): return try simpleCall(number, .getsid, Self.word(identifier(target)))
    default: return try performFileOperation(operation, number)
    }
  }

  /// The number that a call is told for a process or processes of the script.
  func identifier(_ target: ProcessTarget) -> Int32 {
    switch target {
    case .caller: 0
    case .all: -1
    case .process(let number): identifiers[number] ?? ProcessTarget.nobody
    case .group(let number): -(identifiers[number] ?? ProcessTarget.nobody)
    case .raw(let value): value
    }
  }

  /// Reads back what a call stored that may have been blocked.
  private func collect(_ operation: Operation, _ number: Int, _ observation: Observation) throws(Difference) {
    switch operation {
    case .through(_, let inner): try collect(inner, number, observation)
    case .misplaced(let pointer, let address, let inner):
      places[pointer] = address
      try collect(inner, number, observation)
      places = [:]
    case .wait(_, _, let usage):
      guard observation != .value(0) else { return }
      try fetch(number, observation, .output, 4)
      if usage { try fetch(number, observation, .second, Rusage.byteCount) }
    case .read(_, let address, _, _):
      if case .value(let count) = observation { try fetch(number, at: address, .output, Int(count)) }
    default: break
    }
  }

  private func fork(_ number: Int, _ child: Int, _ isPartial: Bool) throws(Difference) -> Observation {
    childBeingMade = child
    let observation = isPartial ? try simpleCall(number, .rfork, Self.word(0x14)) : try simpleCall(number, .fork)
    guard case .value(let identifier) = observation else {
      childBeingMade = nil
      return observation
    }
    identifiers[child] = Int32(truncatingIfNeeded: identifier)
    // The child has to be met before another can be made.
    guard try schedule(child) else { throw Difference("a child ended before it began") }
    return observation
  }

  /// The argument vector lies where structures go; every argument is the path.
  private func execute(_ number: Int, _ path: String, _ argumentCount: Int) throws(Difference) -> Observation {
    let vector = [[UInt8]](repeating: Self.bytes(of: place(.path)), count: argumentCount).flatMap { $0 }
    guard try prepare(number, vector + Self.bytes(of: UInt64(0)), at: .input) else { return .ended }
    let observation = try pathCall(number, .execve, path, [place(.input), 0])
    if observation == .value(0) {
      guard try schedule(number) else { return .ended }
      if register(.rip) != Program.text { throw Difference("a program starts at the wrong place") }
      let count = try load(number, register(.rdi), byteCount: 8)
      if let count, count != Self.bytes(of: UInt64(argumentCount)) {
        throw Difference("argc is \(count), expected \(argumentCount)")
      }
      inputs = []
    }
    return observation
  }

  /// read(2) or pread(2).
  func readCall(
    _ number: Int, _ operation: Operation, _ descriptor: Int32, _ address: UInt64, _ byteCount: Int, _ offset: Int64?
  ) throws(Difference) -> Observation {
    let observation = try simpleCall(
      number, offset == nil ? .read : .pread, Self.word(descriptor), address,
      UInt64(bitPattern: Int64(byteCount)), UInt64(bitPattern: offset ?? 0))
    try collect(operation, number, observation)
    return observation
  }

  /// An int in a register: what is above its 32 bits does not count, so it is noise.
  static func word(_ value: Int32) -> UInt64 { UInt64(UInt32(bitPattern: value)) | 0xDEAD_0000_0000 }
}

extension ProcessTarget {
  /// An identifier that no process of a script ever has.
  static let nobody: Int32 = 99_999
}
