// Every operation that can allocate or transfer, each after what it needs, for exhaustive failure: its 1st, 2nd, … nth
// allocation fails, until it succeeds untouched.

import Memory
public import Primitives

/// One operation and what comes before it.
public struct FailureCase: Sendable {
  /// What it is called.
  public let name: String
  /// What comes before.
  public let setup: [ScriptStep]
  /// The operation.
  public let operation: Operation

  init(_ name: String, _ setup: [ScriptStep], _ operation: Operation) {
    self.name = name
    self.setup = setup
    self.operation = operation
  }
}

extension FailureCase {
  init(_ name: String, _ setup: [ScriptStep], _ call: any SimulatedCall) { self.init(name, setup, .call(call)) }

  /// The process that acts in every case: a child of process 1, so that it may die.
  static let actor = 1
  static func step(_ operation: Operation) -> ScriptStep { ScriptStep(actor, operation) }
  static func step(_ call: any SimulatedCall) -> ScriptStep { step(.call(call)) }
  private static let window = Program.window

  /// An object of 40 pages on descriptor 3, mapped shared in the window, two of its pages written.
  static let sharedObject: [ScriptStep] = [
    ScriptStep(0, ForkCall(child: actor)),
    step(SharedMemoryOpenCall(name: "/object", flags: .createReadWrite, mode: 0o600, sharedMemoryFlags: 2)),
    step(TruncateCall(descriptor: 3, length: 40 * 4096)),
    step(
      MapCall(
        address: window, byteCount: 16 * 4096, protection: .readWrite, flags: .fixedSharedFile, descriptor: 3, offset: 0
      )),
    step(.store(address: window, byteCount: 8, pattern: 1)),
    step(.store(address: window + 9 * 4096, byteCount: 8, pattern: 2)),
  ]

  /// The same, and a private mapping of it behind, one page copied; then a child that shares everything.
  static let family: [ScriptStep] =
    sharedObject + [
      step(
        MapCall(
          address: window + 65536, byteCount: 8 * 4096, protection: .readWrite, flags: .fixedPrivateFile, descriptor: 3,
          offset: 0)),
      step(.store(address: window + 65536, byteCount: 8, pattern: 3)),
      step(ForkCall(child: 2)),
    ]

  /// Everything in swap.
  static func evicted(_ steps: [ScriptStep]) -> [ScriptStep] { steps + [step(.evict)] }

  /// All cases.
  public static let all = scenes + tables + reservations + calls

  private static let scenes: [FailureCase] = [
    FailureCase(
      "create", [ScriptStep(0, ForkCall(child: actor))],
      SharedMemoryOpenCall(name: "/new", flags: .createReadWrite, mode: 0o600)),
    FailureCase(
      "create with a long name", [ScriptStep(0, ForkCall(child: actor))],
      SharedMemoryOpenCall(name: "/" + String(repeating: "long", count: 120), flags: .createReadWrite, mode: 0o600)),
    FailureCase("open", sharedObject, SharedMemoryOpenCall(name: "/object", flags: .readWriteFile, mode: 0)),
    FailureCase(
      "open and empty", sharedObject, SharedMemoryOpenCall(name: "/object", flags: .truncateReadWrite, mode: 0)),
    FailureCase(
      "open nameless", [ScriptStep(0, ForkCall(child: actor))],
      SharedMemoryOpenCall(name: nil, flags: .readWriteFile, mode: 0)),
    FailureCase("unlink", sharedObject, SharedMemoryUnlinkCall(name: "/object")),
    FailureCase("unlink with the path in swap", evicted(sharedObject), SharedMemoryUnlinkCall(name: "/object")),
    FailureCase("grow", sharedObject, TruncateCall(descriptor: 3, length: 80 * 4096)),
    FailureCase("shrink into a page", sharedObject, TruncateCall(descriptor: 3, length: 9 * 4096 + 5)),
    FailureCase("shrink into a page in swap", evicted(sharedObject), TruncateCall(descriptor: 3, length: 9 * 4096 + 5)),
    FailureCase("status", sharedObject, StatusCall(descriptor: 3)),
    FailureCase("status into swap", evicted(sharedObject), StatusCall(descriptor: 3)),
    FailureCase("dup", sharedObject, DuplicateCall(descriptor: 3)),
    FailureCase("dup2 far away", sharedObject, DuplicateToCall(descriptor: 3, target: 20)),
    FailureCase("fcntl F_DUPFD", sharedObject, FileControlCall(descriptor: 3, command: 0, argument: 12)),
    FailureCase(
      "map", sharedObject,
      MapCall(address: 0, byteCount: 8192, protection: .readWrite, flags: .sharedFile, descriptor: 3, offset: 0)),
    FailureCase(
      "map over the middle of a mapping", family,
      MapCall(
        address: window + 4096, byteCount: 8192, protection: .readWrite, flags: .fixedPrivateFile, descriptor: 3,
        offset: 4096)),
    FailureCase(
      "map shared memory without a file", sharedObject,
      MapCall(address: window + 4096, byteCount: 8192, protection: .readWrite, flags: .fixedSharedMemory)),
    FailureCase("unmap the middle of a mapping", sharedObject, UnmapCall(address: window + 4096, byteCount: 4096)),
    FailureCase(
      "protect the middle of a mapping", sharedObject,
      ProtectCall(address: window + 4096, byteCount: 4096, protection: .readOnly)),
    FailureCase("fork", family, ForkCall(child: 3)),
    FailureCase("fork with everything in swap", evicted(family), ForkCall(child: 3)),
    FailureCase(
      "write", sharedObject, WriteCall(descriptor: 3, address: Program.buffer, byteCount: 9000, offset: 4090)),
    FailureCase(
      "write from swap to swap", evicted(sharedObject),
      WriteCall(descriptor: 3, address: Program.data, byteCount: 4000, offset: 4090 + 9 * 4096)),
    FailureCase(
      "write that grows", sharedObject,
      WriteCall(descriptor: 3, address: Program.buffer, byteCount: 5000, offset: 50 * 4096)),
    FailureCase(
      "write from swap to the console",
      evicted(sharedObject + [step(.store(address: Program.data + 4096, byteCount: 8, pattern: 9))]),
      WriteCall(descriptor: 1, address: Program.data + 4000, byteCount: 5000)),
    FailureCase("read", sharedObject, ReadCall(descriptor: 3, address: Program.buffer, byteCount: 9000, offset: 4090)),
    FailureCase(
      "read from swap to swap", evicted(sharedObject),
      ReadCall(descriptor: 3, address: Program.data, byteCount: 4000, offset: 9 * 4096)),
    FailureCase("first load", sharedObject, .load(address: window + 15 * 4096, byteCount: 8)),
    FailureCase("first store", sharedObject, .store(address: window + 15 * 4096, byteCount: 8, pattern: 4)),
    FailureCase("load from swap", evicted(family), .load(address: window + 9 * 4096, byteCount: 8)),
    FailureCase("store into a private copy", family, .store(address: window + 65536 + 4096, byteCount: 8, pattern: 5)),
    FailureCase("store after fork", family, .store(address: window + 65536, byteCount: 8, pattern: 6)),
    FailureCase(
      "store after fork, from swap", evicted(family), .store(address: window + 65536, byteCount: 8, pattern: 7)),
    FailureCase("close", sharedObject, CloseCall(descriptor: 3)),
    FailureCase("exit", family, ExitCall(status: 3)),
    FailureCase("exit with everything in swap", evicted(family), ExitCall(status: 3)),
    FailureCase("set groups", [ScriptStep(0, ForkCall(child: actor))], SetGroupsCall(groups: [1, 2, 3])),
    FailureCase("set user", [ScriptStep(0, ForkCall(child: actor))], SetIdentityCall(kind: .user, value: 1)),
    FailureCase("sleep with its time in swap", evicted(sharedObject), SleepCall(nanoseconds: 1_000_000)),
    FailureCase("clock into swap", evicted(sharedObject), ClockCall()),
    FailureCase("kill", family, KillCall(target: .process(2), signal: 9)),
    FailureCase(
      "load a page that a child mapped",
      family + [ScriptStep(2, .store(address: window + 12 * 4096, byteCount: 8, pattern: 8))],
      .load(address: window + 12 * 4096, byteCount: 8)),
    FailureCase("execute", sharedObject, ExecuteCall()),
    FailureCase("dup2 beyond the first leaf", sharedObject, DuplicateToCall(descriptor: 3, target: 100)),
    FailureCase(
      "set many groups", [ScriptStep(0, ForkCall(child: actor))], SetGroupsCall(groups: (1...40).map { UInt32($0) })),
  ]
}

/// Runs a case again and again, each time with a later allocation failing.
public struct ExhaustiveFailure {
  /// How many allocations of the operation were failed, one at a time.
  public private(set) var failureCount = 0
  /// What went wrong, if anything did.
  public private(set) var failure: ScriptFailure?

  /// Fails every allocation of `point` that the operation makes.
  public init(_ test: FailureCase, _ point: FailurePoint, isSlow: Bool) {
    var number: UInt32 = 1
    while number < 200 {
      var configuration = HardwareConfiguration()
      configuration.frameCount = 512
      configuration.swapBlockCount = 600
      configuration.secondSwapBlockCount = 64
      configuration.immediateTransferOneIn = isSlow ? 1_000_000 : 1
      configuration.unitsPerTurn = isSlow ? 1 : nil
      do throws(ScriptFailure) {
        if !(try Self.run(test, point, number, configuration)) { return }
      } catch {
        failure = error
        return
      }
      failureCount += 1
      number += 1
    }
    failure = ScriptFailure(index: 0, reason: "the operation never ends allocating", steps: test.setup)
  }

  /// One run; whether the failure happened.
  private static func run(
    _ test: FailureCase, _ point: FailurePoint, _ number: UInt32, _ configuration: HardwareConfiguration
  ) throws(ScriptFailure) -> Bool {
    let machine: KernelMachine
    do throws(Difference) { machine = try KernelMachine(configuration) } catch {
      throw ScriptFailure(index: 0, reason: error.description, steps: [])
    }
    let runner = ScriptRunner(machine)
    runner.contentCheckInterval = 1
    // Until something fails all runs are the same: what comes before the operation is checked once, and the operation that
    // succeeds once.
    if point != .frame || number > 1 { runner.checksInvariants = .afterFailure }
    for step in test.setup { try runner.perform(step) }
    if point == .frame { runner.checksInvariants = .always }
    try runner.perform(
      ScriptStep(FailureCase.actor, test.operation, failure: InjectedFailure(point, number: number)))
    let happened = machine.failureHappened
    if happened { runner.checksInvariants = .always }
    // Untouched it succeeds (or gives the same error as ever).
    try runner.perform(ScriptStep(FailureCase.actor, test.operation.repeated))
    try runner.finish()
    return happened
  }
}

extension Operation {
  /// The operation once more: a second child has a number of its own.
  fileprivate var repeated: Operation {
    if case .systemCall(let made) = self, var fork = made.call as? ForkCall {
      fork.child += 1
      return .call(fork)
    }
    return self
  }
}
