// Defects that the simulation found, each as the shortest script that showed it.
import Primitives
import Testing

@testable import Simulation

@Suite struct SimulationDefectTests {
  private func run(_ steps: [ScriptStep], isSlow: Bool = false, unitsPerTurn: Int? = nil, swapBlockCount: UInt32 = 2048)
    throws
  {
    var configuration = HardwareConfiguration()
    configuration.swapBlockCount = swapBlockCount
    configuration.unitsPerTurn = unitsPerTurn
    configuration.frameCount = 160
    configuration.immediateTransferOneIn = isSlow ? 1_000_000 : 1
    let runner = ScriptRunner(try KernelMachine(configuration))
    for step in steps { try runner.perform(step) }
    try runner.finish()
  }

  @Test(arguments: 1...6 as ClosedRange<UInt32>)
  func `a fork whose memory cannot be had closes the child's descriptors`(number: UInt32) throws {
    try run([
      ScriptStep(0, ForkCall(child: 1)),
      ScriptStep(1, SharedMemoryOpenCall(name: "/a", flags: .createReadWrite, mode: 0o600)),
      ScriptStep(1, ForkCall(child: 2), failure: InjectedFailure(.frame, number: number)),
      ScriptStep(1, ForkCall(child: 3)),
    ])
  }

  /// More than the machine has: whoever is killed for it is gone, and with it what was reserved (seed 140 of 1000 steps).
  @Test(arguments: [false, true]) func `a process that is killed for memory ends the comparison`(isActing: Bool) throws
  {
    var configuration = HardwareConfiguration()
    configuration.frameCount = 120
    configuration.swapBlockCount = 0
    let runner = ScriptRunner(try KernelMachine(configuration))
    for process in [1, 2] { try runner.perform(ScriptStep(0, ForkCall(child: process))) }
    func fill(_ process: Int, pages: Int) throws {
      try runner.perform(
        ScriptStep(
          process,
          MapCall(
            address: Program.window, byteCount: UInt64(pages) * 4096, protection: .readWrite,
            flags: .fixedPrivateMemory, descriptor: -1,
            offset: 0)))
      for page in 0..<UInt64(pages) {
        try runner.perform(ScriptStep(process, .store(address: Program.window + page * 4096, byteCount: 8, pattern: 1)))
      }
    }
    if !isActing { try fill(1, pages: 48) }
    #expect(!runner.isModelLost)
    try fill(2, pages: isActing ? 120 : 44)
    #expect(runner.isModelLost)
    try runner.finish()
  }

  /// The kernel is free to let either have it: the model has to follow (seed 383 of `kernel`, 1055 of `calls`).
  @Test(arguments: 1...16 as ClosedRange<UInt64>, [15, 18, 30] as [Int32])
  func `a signal of a process goes to who waits for it, or to who comes across it first`(
    noise: UInt64, signal: Int32
  ) throws {
    try run([
      ScriptStep(0, ForkCall(child: 1)),
      ScriptStep(1, SignalActionCall(signal: 30, handler: Program.text, flags: 0x42, mask: [], wantsOld: false)),
      ScriptStep(1, MakeThreadCall(thread: 1, stack: 1, argument: 7, base: 0)),
      ScriptStep(1, TakeSignalCall(kind: noise % 2 == 0 ? .plain : .informed, set: [15, 18, 30])),
      ScriptStep(0, KillCall(target: .process(1), signal: signal), noise: noise),
      ScriptStep(1, thread: 1, ValueCall.examples[0].call, noise: noise),
    ])
  }

  @Test(arguments: [4, 5, 12, 13, 23] as [Int32], [0, 3] as [UInt32])
  func `what _umtx_op leaves in the word is there afterwards`(operation: Int32, count: UInt32) throws {
    let words = [operation == 23 ? count : 0] + [UInt32](repeating: 0, count: 7)
    try run([
      ScriptStep(0, UserMutexCall(operation: operation, words: words, nanoseconds: operation == 23 ? 1000 : nil)),
      ScriptStep(0, .load(address: Program.input, byteCount: 32)),
    ])
  }

  @Test func `the end of a run waits for transfers that are under way`() throws {
    try run(
      [
        ScriptStep(0, SharedMemoryOpenCall(name: "/a", flags: .createReadWrite, mode: 0o600)),
        ScriptStep(0, TruncateCall(descriptor: 3, length: 65536)),
        ScriptStep(
          0,
          MapCall(
            address: Program.window, byteCount: 65536, protection: .readWrite, flags: .fixedSharedFile, descriptor: 3,
            offset: 0)),
        ScriptStep(0, .store(address: Program.window, byteCount: 64, pattern: 1)),
        ScriptStep(0, .store(address: Program.window + 4096, byteCount: 64, pattern: 2)),
        ScriptStep(0, .evict),
      ], isSlow: true)
  }

  @Test func `sysctl tells how much it copied, and sets nothing when that is not all`() throws {
    try run([
      ScriptStep(0, SystemControlCall(name: .name("hw.physmem"), room: 6)),
      ScriptStep(0, SystemControlCall(name: .name("kern.signosys"), room: 2, newValue: [0, 0, 0, 0])),
      ScriptStep(0, SystemControlCall(name: .name("kern.signosys"))),
      ScriptStep(
        0, .misplaced(.output, 8, .call(SystemControlCall(name: .name("kern.signosys"), newValue: [0, 0, 0, 0])))),
      ScriptStep(0, SystemControlCall(name: .name("kern.signosys"))),
      ScriptStep(0, SystemControlCall(name: .numbers([0, 3]), newValue: [])),
    ])
  }

  @Test func `openat looks at its descriptor when the path is relative`() throws {
    try run([
      ScriptStep(0, OpenCall(path: "dev/null", flags: .readOnlyFile, directory: 50)),
      ScriptStep(0, OpenCall(path: "dev/null", flags: .readOnlyFile, directory: 0)),
      ScriptStep(0, OpenCall(path: "dev/null", flags: .readOnlyFile, directory: -100)),
      ScriptStep(0, OpenCall(path: "/dev/null", flags: .readOnlyFile, directory: 50)),
    ])
  }

  @Test func `break obeys the limit of the address space`() throws {
    let size = Int64(128 << 10) + 9 * 4096
    try run([
      ScriptStep(0, SetLimitCall(which: 10, soft: size + 4096, hard: Int64.max)),
      ScriptStep(0, BreakCall(address: Program.dataEnd + 4096)),
      ScriptStep(0, BreakCall(address: Program.dataEnd + 8192)),
    ])
  }

  @Test func `break may shrink what is over the limit of the data segment`() throws {
    try run([
      ScriptStep(0, BreakCall(address: Program.dataEnd + 8 * 4096)),
      ScriptStep(0, SetLimitCall(which: 2, soft: 4096, hard: 4096)),
      ScriptStep(0, BreakCall(address: Program.dataEnd + 4 * 4096)),
      ScriptStep(0, BreakCall(address: Program.dataEnd + 5 * 4096)),
    ])
  }

  @Test func `an action that is no handler any more asks for no information`() throws {
    try run([
      ScriptStep(0, ForkCall(child: 1)),
      ScriptStep(1, SignalActionCall(signal: 30, handler: Program.text, flags: 0x44)),
      ScriptStep(1, SignalActionCall(signal: 31, handler: Program.text, flags: 0x50, mask: [1])),
      ScriptStep(0, KillCall(target: .process(1), signal: 30)),
      ScriptStep(1, SignalActionCall(signal: 30, handler: nil)),
      ScriptStep(1, ExecuteCall()),
      ScriptStep(1, SignalActionCall(signal: 31, handler: nil)),
    ])
  }

  @Test func `executing a program saves the effective user and group`() throws {
    try run([
      ScriptStep(0, ForkCall(child: 1)),
      ScriptStep(1, SetIdentityCall(kind: .effectiveGroup, value: 2)),
      ScriptStep(1, SetIdentityCall(kind: .effectiveUser, value: 2)),
      ScriptStep(1, ExecuteCall()),
      ScriptStep(1, IdentitiesCall(ofGroups: false)),
      ScriptStep(1, IdentitiesCall(ofGroups: true)),
    ])
  }

  @Test func `F_DUPFD checks its minimum before its descriptor`() throws {
    try run([ScriptStep(0, FileControlCall(descriptor: 50, command: 0, argument: -1))])
  }

  @Test func `an munmap that is cut as small as can be comes to an end`() throws {
    try run(
      [
        ScriptStep(0, ForkCall(child: 2)),
        ScriptStep(
          2, MapCall(address: 0x10_0010_0000, byteCount: 24576, protection: .readWrite, flags: .fixedPrivateMemory)),
        ScriptStep(2, .store(address: 0x10_0010_0000 + 4096, byteCount: 4, pattern: 134)),
        ScriptStep(2, .load(address: 0x10_0010_0000 + 20480, byteCount: 31)),
        ScriptStep(2, UnmapCall(address: 0x10_0010_0000, byteCount: 20480)),
      ], unitsPerTurn: 1)
  }

  @Test func `an munmap that begins inside a group of translations comes to an end`() throws {
    let start: UInt64 = 0x10_0010_3000
    try run(
      [
        ScriptStep(0, ForkCall(child: 2)),
        ScriptStep(2, MapCall(address: start, byteCount: 81920, protection: .readWrite, flags: .fixedPrivateMemory)),
      ]
        + (0..<20).map { ScriptStep(2, .store(address: start + UInt64($0) * 4096, byteCount: 4, pattern: 134)) }
        + [ScriptStep(2, UnmapCall(address: start, byteCount: 81920))], unitsPerTurn: 1)
  }

  @Test func `memory that the kernel holds for itself is no substitute for swap`() throws {
    // Two processes have 82 pages reserved; with every frame of the machine 308 would be allowed.
    try run(
      [
        ScriptStep(0, SystemControlCall(name: .name("vm.overcommit"), newValue: [5, 0, 0, 0])),
        ScriptStep(0, ForkCall(child: 1)),
        ScriptStep(1, SetIdentityCall(kind: .user, value: 1)),
        ScriptStep(1, MapCall(address: 0, byteCount: 226 * 4096, protection: .readWrite, flags: .privateMemory)),
        ScriptStep(1, MapCall(address: 0, byteCount: 90 * 4096, protection: .readWrite, flags: .privateMemory)),
      ], swapBlockCount: 169)
  }
}
