// The steps of scripts: system calls, accesses of memory, and what the machine does.

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
    arrivals = []
    faultedActors = []
    noise = SeededGenerator(seed: step.noise)
    if noise.chance(oneIn: 3) { hardware.processor.memoryUnit.speculate() }
    hardware.clock.advance(by: UInt64(noise.number(below: 100_000)))
    try deliverInterrupts()
    if noise.chance(oneIn: 6) { try tick() }
    if noise.chance(oneIn: 12) { hardware.system.reclaim(budget: 1 + noise.number(below: 8)) }
    guard try schedule(step.actor) else { return .ended }
    failureHappened = false
    if let failure = step.failure { hardware.inject(failure) }
    defer { if let failure = step.failure { failureHappened = hardware.withdraw(failure) } }
    var observation = try perform(step.operation, step.actor)
    if observation == .ended && faultedActors.remove(step.actor) != nil { observation = .handled }
    if observation == .ended { try settle(step.actor) }
    if observation == .blocked && blockedOperations[step.actor] == nil {
      blockedOperations[step.actor] = step.operation
    }
    try settleSignals()
    return observation
  }

  /// Whether the call that a process was blocked in has returned, unasked.
  public func hasReturned(_ actor: Int) -> Bool { returnedCalls[actor] != nil }

  /// Waits for the call that a thread is blocked in.
  public func finishBlocked(_ actor: Int) throws(Difference) -> Observation {
    outputs = []
    guard let operation = blockedOperations[actor] else { throw Difference("\(actor) is not blocked") }
    let observation = try awaitReturn(actor)
    if observation == .blocked { return .blocked }
    blockedOperations[actor] = nil
    if observation == .handled {
      // It goes on when the handler has returned.
      for (address, call) in interruptedCalls[actor] ?? [:] where call.operation == nil {
        interruptedCalls[actor]?[address]?.operation = operation
      }
      return .handled
    }
    try collect(operation, actor, observation)
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
    facts.swapPageCounts = hardware.swapPageCounts
    return facts
  }

  private func perform(_ operation: Operation, _ number: Int) throws(Difference) -> Observation {
    switch operation {
    case .systemCall(let made): return try made.call.make(self, by: number)
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
  func collect(_ operation: Operation, _ number: Int, _ observation: Observation) throws(Difference) {
    if case .misplaced(let pointer, let address, _) = operation { places[pointer] = address }
    defer { places = [:] }
    try operation.call?.collect(self, by: number, observation)
  }

  /// Stores what the arguments of a call point to, and gives what goes into the registers; nil when the process is gone.
  func prepare(_ arguments: [CallArgument], by number: Int) throws(Difference) -> [UInt64]? {
    var registers: [UInt64] = []
    for argument in arguments {
      switch argument {
      case .register(let value): registers.append(value)
      case .int(let value): registers.append(Self.word(value))
      case .processes(let target): registers.append(Self.word(identifier(target)))
      case .thread(let actor): registers.append(UInt64(threadIdentifiers[actor] ?? 99_999))
      case .ownThread(let thread):
        let actor = Actor.number(process: Actor.process(number), thread: thread)
        registers.append(UInt64(threadIdentifiers[actor] ?? 99_999))
      case .anything: registers.append(noise.next())
      case .path(let text):
        guard try prepare(number, Array(text.utf8) + [0], at: .path) else { return nil }
        registers.append(place(.path))
      case .input(let bytes, let pointer):
        guard try prepare(number, bytes, at: pointer) else { return nil }
        registers.append(place(pointer))
      case .output(_, let pointer): registers.append(place(pointer))
      }
    }
    return registers
  }

  /// An int in a register: what is above its 32 bits does not count, so it is noise.
  static func word(_ value: Int32) -> UInt64 { UInt64(UInt32(bitPattern: value)) | 0xDEAD_0000_0000 }
}

extension ProcessTarget {
  /// An identifier that no process of a script ever has.
  static let nobody: Int32 = 99_999
}
