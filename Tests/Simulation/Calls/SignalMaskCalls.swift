// sigprocmask(2), sigpending(2), sigtimedwait(2) and its like, sigqueue(2), thr_kill(2), sigaltstack(2), sigsuspend(2), and
// contexts.

import ABI

extension OperationGenerator {
  /// Signals to hold back or to take: those that end, stop, or do nothing to a process.
  fileprivate mutating func signals() -> Set<Int32> {
    var set: Set<Int32> = []
    for signal in [1, 15, 18, 19, 20, 30, 65, 128, 9, 17] as [Int32] where random.chance(oneIn: 3) {
      set.insert(signal)
    }
    return set
  }
}

/// The bytes of a sigset_t.
private func bytes(of set: Set<Int32>) -> [UInt8] {
  ModelSignals.words(of: set).flatMap { KernelMachine.bytes(of: $0) }
}

/// sigprocmask(2); no set only asks
struct SignalMaskCall: SimulatedCall {
  var how: Int32
  var set: Set<Int32>?
  var wantsOld = true

  static var weight: Int { 6 }
  static var examples: [CallExample] { [("sigprocmask", SignalMaskCall(how: 1, set: [15, 30]))] }

  var number: SystemCallNumber { .sigprocmask }
  var arguments: [CallArgument] {
    [.int(how), set.map { .input(bytes(of: $0)) } ?? .null, wantsOld ? .output(16) : .null]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.signalMask(process, how, set, wantsOld)
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    // Process 1 stops or ends itself; two things that the parent waits for follow from one call.
    let due = process.signals.pending.union(process.thread.pending).subtracting(ModelSignals.harmless)
      .subtracting(process.signals.caught)
    return !due.isEmpty && (process.number == 0 || model.processes[process.parent]?.isBlocked == true)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    try machine.settleSignals()
    if case .ended = observation { return }
    if wantsOld { try machine.fetch(process, observation, .output, 16) }
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SignalMaskCall(
      how: generator.random.pick([1, 1, 2, 3, 3, 0, 4]) ?? 1,
      set: generator.random.chance(oneIn: 6) ? nil : generator.signals(),
      wantsOld: !generator.random.chance(oneIn: 4))
  }
}

/// sigpending(2)
struct PendingSignalsCall: SimulatedCall {
  static var examples: [CallExample] { [("sigpending", PendingSignalsCall())] }

  var number: SystemCallNumber { .sigpending }
  var arguments: [CallArgument] { [.output(16)] }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.pendingSignals(process)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    PendingSignalsCall()
  }
}

/// sigtimedwait(2) with a time that is over at once; sigwaitinfo(2) and sigwait(2), which wait for a signal that is not there
struct TakeSignalCall: SimulatedCall {
  enum Kind: String, Codable {
    case timed, informed, plain
  }

  var kind: Kind
  /// Nil: one that cannot be read.
  var set: Set<Int32>?
  var nanoseconds: Int64 = 0

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [
      ("sigtimedwait", TakeSignalCall(kind: .timed, set: [30])),
      ("sigwaitinfo of a bad set", TakeSignalCall(kind: .informed)),
      ("sigwait of a bad set", TakeSignalCall(kind: .plain)),
    ]
  }

  var number: SystemCallNumber {
    switch kind {
    case .timed: .sigtimedwait
    case .informed: .sigwaitinfo
    case .plain: .sigwait
    }
  }
  var arguments: [CallArgument] {
    let time: [UInt8] = KernelMachine.bytes(of: UInt64(0)) + KernelMachine.bytes(of: UInt64(bitPattern: nanoseconds))
    let common: [CallArgument] = [set.map { .input(bytes(of: $0)) } ?? .register(8), .output(kind == .plain ? 4 : 80)]
    return kind == .timed ? common + [.input(time, at: .second)] : common
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    guard let set else { return .error(.efault) }
    return try model.takeSignal(process, set, kind == .timed ? nanoseconds : nil, isPlain: kind == .plain)
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let set, kind != .timed else { return false }
    return process.number == 0
      && process.signals.pending.union(process.thread.pending).intersection(set.subtracting([9, 17])).isEmpty
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    // The errors of sigwait(2) are values.
    if kind == .plain && observation != .value(0) { return }
    try machine.fetch(process, observation, .output, kind == .plain ? 4 : 80)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.random.chance(oneIn: 8) {
      return TakeSignalCall(kind: generator.random.chance(oneIn: 2) ? .informed : .plain)
    }
    let set = generator.signals()
    let isThere = !process.signals.pending.union(process.thread.pending).intersection(set.subtracting([9, 17])).isEmpty
    let mayWait = generator.mayBlock(model, process) && generator.random.chance(oneIn: 3)
    let kind = isThere || mayWait ? generator.random.pick([Kind.timed, .informed, .plain]) ?? .timed : .timed
    return TakeSignalCall(
      kind: kind, set: set, nanoseconds: generator.random.pick([0, 0, -1, 1_000_000_000]) ?? 0)
  }
}

/// sigqueue(2)
struct QueueSignalCall: SimulatedCall {
  var target: ProcessTarget
  var signal: Int32
  var value: UInt64

  static var weight: Int { 4 }
  static var examples: [CallExample] {
    [("sigqueue", QueueSignalCall(target: .process(2), signal: 17, value: 3))]
  }

  var number: SystemCallNumber { .sigqueue }
  var arguments: [CallArgument] { [.processes(target), .int(signal), .register(value)] }
  var memoryErrors: [Errno] { [.eagain] }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    KillCall(target: target, signal: signal).leavesOpen(model, process)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    model.queueSignal(process, target, signal, value)
  }

  func collect(_ machine: KernelMachine, by process: Int, _ observation: Observation) throws(Difference) {
    try machine.settleSignals()
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    guard let number = generator.random.pick(model.processes.keys.sorted()) else { return nil }
    return QueueSignalCall(
      target: generator.random.chance(oneIn: 6) ? .raw(0) : .process(number),
      signal: generator.random.pick([0, 1, 15, 18, 19, 20, 30, 65, 128, 129]) ?? 0,
      value: generator.random.pick([0, 7, UInt64.max]) ?? 0)
  }
}

/// thr_kill(2) and thr_kill2(2) of nobody, and of nothing
struct ThreadKillCall: SimulatedCall {
  var identifier: Int64
  var signal: Int32
  var ofProcess = false

  static var weight: Int { 1 }
  static var examples: [CallExample] {
    [
      ("thr_kill", ThreadKillCall(identifier: 7, signal: 0)),
      ("thr_kill2", ThreadKillCall(identifier: 7, signal: 0, ofProcess: true)),
    ]
  }

  var number: SystemCallNumber { ofProcess ? .thrKill2 : .thrKill }
  var arguments: [CallArgument] {
    ofProcess ? [.processes(.caller), .word(identifier), .int(signal)] : [.word(identifier), .int(signal)]
  }

  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    identifier == -1 && process.threads.count > 1
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    // ProcessTarget.caller is 0, which is no process.
    if ofProcess { return .error(.esrch) }
    return .error(identifier == -1 && (signal < 0 || signal > 128) ? .einval : .esrch)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    ThreadKillCall(
      identifier: generator.random.pick([-1, 0, 7, Int64.max]) ?? 0,
      signal: generator.random.pick([0, 30, 129, -1]) ?? 0,
      ofProcess: generator.random.chance(oneIn: 2))
  }
}

/// sigaltstack(2)
struct AlternateStackCall: SimulatedCall {
  /// Address, size, flags.
  var stack: [UInt64]?
  var wantsOld = true

  static var weight: Int { 2 }
  static var examples: [CallExample] { [("sigaltstack", AlternateStackCall(stack: [0x1000, 4096, 0]))] }

  var number: SystemCallNumber { .sigaltstack }
  var arguments: [CallArgument] {
    [
      stack.map { .input($0.flatMap { KernelMachine.bytes(of: $0) }) } ?? .null, wantsOld ? .output(24) : .null,
    ]
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.alternateStack(process, stack, wantsOld)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    AlternateStackCall(
      stack: generator.random.pick(stacks(process, generator.random.chance(oneIn: 20))) ?? nil,
      wantsOld: !generator.random.chance(oneIn: 4))
  }
}

extension AlternateStackCall {
  /// Stacks that are there, too small, or switched off, and one that is nowhere.
  fileprivate static func stacks(_ process: ModelProcess, _ mayBeBad: Bool) -> [[UInt64]?] {
    let (start, size) = (Program.alternateStack(process.thread.stackSlot), Program.alternateStackByteCount)
    var stacks: [[UInt64]?] = [
      nil, [start, size, 0], [start, size, 0], [start + 64, size - 64, 0], [start, 2047, 0], [0, 0, 4], [1, 9, 1],
    ]
    // A handler would end the process.
    if mayBeBad && process.number != 0 { stacks.append([ReferenceModel.badStack, 4096, 0]) }
    return stacks
  }
}

/// sigsuspend(2) until a handler has run; nil: with a mask that cannot be read
struct SuspendCall: SimulatedCall {
  var mask: Set<Int32>?

  static var weight: Int { 4 }
  static var examples: [CallExample] { [("sigsuspend with a bad mask", SuspendCall())] }

  var number: SystemCallNumber { .sigsuspend }
  var arguments: [CallArgument] { [mask.map { .input(bytes(of: $0)) } ?? .register(8)] }

  /// What would end or stop the process, or would do either later; process 1 does not wait.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard mask != nil else { return false }
    return process.number == 0
      || !process.signals.pending.union(process.thread.pending).isSubset(of: process.signals.caught)
  }

  func answer(_ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation) -> Expectation {
    guard let mask, model.reaches(process, .input, 16, write: false) else { return .error(.efault) }
    let thread = process.thread
    thread.suspendedMask = thread.mask
    thread.mask = mask.subtracting([9, 17])
    return model.due(process, thread).isEmpty ? .blocked : .error(.eintr)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    if generator.random.chance(oneIn: 6) { return SuspendCall() }
    guard generator.mayBlock(model, process), !process.signals.caught.isEmpty else { return nil }
    return SuspendCall(mask: generator.signals().subtracting(process.signals.caught))
  }
}

/// sigreturn(2) of the innermost handler, which may have put another mask into its frame
struct SignalReturnCall: SimulatedCall {
  var mask: Set<Int32>?

  static var weight: Int { 0 }
  static var examples: [CallExample] { [] }

  var number: SystemCallNumber { .sigreturn }
  var arguments: [CallArgument] { [] }

  /// What the mask lets through may do no more than to run handlers.
  func leavesOpen(_ model: ReferenceModel, _ process: ModelProcess) -> Bool {
    guard let frame = process.thread.frames.last else { return true }
    if let restarting = frame.restarting, model.leavesOpen(restarting, process) { return true }
    let pending = process.signals.pending.union(process.thread.pending).subtracting(mask ?? frame.savedMask)
    return !pending.isSubset(of: process.signals.caught)
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    try model.returnFromHandler(process, mask, observed)
  }

  func make(_ machine: KernelMachine, by process: Int) throws(Difference) -> Observation {
    try machine.returnFromHandler(process, mask: mask.map { bytes(of: $0) })
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    SignalReturnCall(mask: generator.random.chance(oneIn: 6) ? generator.signals() : nil)
  }
}

/// getcontext(2); sigreturn(2), setcontext(2) and swapcontext(2) with a context of zeros
struct ContextCall: SimulatedCall {
  enum Kind: String, Codable, CaseIterable {
    case get, set, swap, signalReturn
  }

  var kind: Kind

  static var weight: Int { 2 }
  static var examples: [CallExample] {
    [
      ("getcontext", ContextCall(kind: .get)), ("setcontext of zeros", ContextCall(kind: .set)),
      ("swapcontext from nowhere", ContextCall(kind: .swap)), ("sigreturn of zeros", ContextCall(kind: .signalReturn)),
    ]
  }

  private static let zeros = [UInt8](repeating: 0, count: 880)

  var number: SystemCallNumber {
    switch kind {
    case .get: .getcontext
    case .set: .setcontext
    case .swap: .swapcontext
    case .signalReturn: .sigreturn
    }
  }
  var arguments: [CallArgument] {
    switch kind {
    case .get: [.output(816)]
    case .set, .signalReturn: [.input(Self.zeros)]
    // What it leaves behind, registers, scripts do not know.
    case .swap: [.null, .input(Self.zeros)]
    }
  }

  func answer(
    _ model: ReferenceModel, _ process: ModelProcess, _ observed: Observation
  ) throws(Difference) -> Expectation {
    if kind == .swap { return .error(.einval) }
    if kind == .get {
      if !model.reaches(process, .output, 816, write: true) { return .error(.efault) }
      let bytes = try model.output(.output, 816)
      for (index, word) in ModelSignals.words(of: process.thread.mask).enumerated() {
        try model.check("uc_sigmask", bytes, 8 * index, 8, word)
      }
      try model.check("mc_len", bytes, 216, 8, 800)
      try model.check("mc_rax", bytes, 72, 8, 0)
      try model.check("mc_fpformat", bytes, 224, 8, 0x10002)
    }
    if kind == .get { return .value(0) }
    if !model.reaches(process, .input, 880, write: false) { return .error(.efault) }
    // Interrupts would be off, or mc_len is wrong.
    return .error(.einval)
  }

  static func draw(_ generator: inout OperationGenerator, _ model: ReferenceModel, _ process: ModelProcess) -> Self? {
    generator.random.pick(Kind.allCases).map { ContextCall(kind: $0) }
  }
}
