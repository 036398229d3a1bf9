// Mistakes planted on purpose, through doubles of the processor, the device and the waker or by touching memory behind the
// kernel's back: the simulation has to notice each of them (issue 3, acceptance 2).
import ABI
import Files
import Memory
import Primitives
import SystemCalls
import Testing

@testable import Simulation

/// A machine, its runner, and a script that has got as far as a mapped object of four pages on descriptor 3.
private struct PlantedMachine {
  let machine: KernelMachine
  let runner: ScriptRunner
  static let window = Program.window

  init(isSlow: Bool = false) throws {
    var configuration = HardwareConfiguration()
    configuration.frameCount = 256
    configuration.immediateTransferOneIn = isSlow ? 1_000_000 : 1
    machine = try KernelMachine(configuration)
    runner = ScriptRunner(machine)
    runner.contentCheckInterval = 1
    try run(SharedMemoryOpenCall(name: "/object", flags: .createReadWrite, mode: 0o600))
    try run(TruncateCall(descriptor: 3, length: 16384))
    try run(
      MapCall(
        address: Self.window, byteCount: 16384, protection: .readWrite, flags: .fixedSharedFile, descriptor: 3,
        offset: 0))
    try run(.store(address: Self.window, byteCount: 64, pattern: 1))
  }

  func run(_ operation: Simulation.Operation) throws {
    try runner.perform(ScriptStep(0, operation))
  }

  func run(_ call: any SimulatedCall) throws {
    try runner.perform(ScriptStep(0, call))
  }

  /// What the checker or the model says against the operations.
  func objection(_ operations: Simulation.Operation...) -> String? {
    do {
      for operation in operations { try run(operation) }
      return nil
    } catch {
      return (error as? ScriptFailure)?.reason
    }
  }

  /// The object named "/object".
  var object: VMObject? {
    var found: VMObject?
    machine.kernel.inspectedFiles.inspectNames { found = $0.vmObject }
    return found
  }

  /// The frame of the object's first page.
  var firstFrame: FrameNumber? {
    if case .resident(let frame) = object?.inspectPage(at: 0) { return frame }
    return nil
  }
}

/// Says nothing to anyone.
private final class SilentWaker: Waker {}

/// A machine whose kernel gives the wrong error for a name that exists.
private final class WrongErrorMachine: SimulatedSystem {
  let real: KernelMachine
  init(_ real: KernelMachine) { self.real = real }
  var hardware: SimulatedHardware { real.hardware }
  var outputs: [CallOutput] { real.outputs }
  var inputs: [(address: UInt64, bytes: [UInt8])] { real.inputs }
  var failureHappened: Bool { real.failureHappened }
  var facts: SystemFacts { real.facts }
  func problems(withContents: Bool) -> [String] { real.problems(withContents: withContents) }
  func shutDown() -> [String] { real.shutDown() }
  func perform(_ step: ScriptStep) throws(Difference) -> Observation? {
    let observed = try real.perform(step)
    return observed == .error(17) ? .error(2) : observed
  }
}

@Suite struct SimulationPlantedTests {
  private static let window = Program.window

  @Test func `nothing is reported when nothing is planted`() throws {
    let planted = try PlantedMachine()
    #expect(
      planted.objection(
        .call(UnmapCall(address: Self.window, byteCount: 4096)), .call(StatusCall(descriptor: 3)), .evict) == nil)
    try planted.runner.finish()
  }

  @Test func `a missing TLB invalidation is noticed`() throws {
    let planted = try PlantedMachine()
    let processor = planted.machine.hardware.processor
    processor.defects.skippedInvalidation = processor.invalidationCount + 1
    let reason = planted.objection(
      .load(address: Self.window, byteCount: 1),
      .call(ProtectCall(address: Self.window, byteCount: 16384, protection: .readOnly)))
    #expect(reason?.contains("cached writable") == true)
  }

  @Test func `a page-table page freed before its invalidation is noticed`() throws {
    let planted = try PlantedMachine()
    planted.machine.hardware.processor.defects.delaysInvalidations = true
    let reason = planted.objection(
      .load(address: Self.window, byteCount: 1), .call(UnmapCall(address: Self.window, byteCount: 16384)))
    #expect(reason?.contains("was freed while the processor could still walk it") == true)
  }

  @Test func `a missing dirty mark on a page that the kernel wrote is noticed`() throws {
    let planted = try PlantedMachine()
    let frame = try #require(planted.firstFrame)
    let hardware = planted.machine.hardware
    // As if a read(2) had stored into the page without marking it.
    hardware.system.inspectMappings(of: frame) { slot in
      hardware.memory.setWord(hardware.memory.word(at: slot.raw) & ~(1 << 6), at: slot.raw)
    }
    hardware.processor.memoryUnit.invalidateAll()
    #expect(
      planted.objection(.call(ValueCall(.schedYield)))?.contains("is clean, has no swap block and is not zero") == true)
  }

  @Test func `a page whose dirty mark is missing comes back without its content`() throws {
    let planted = try PlantedMachine()
    planted.runner.contentCheckInterval = 1_000_000
    let frame = try #require(planted.firstFrame)
    let hardware = planted.machine.hardware
    hardware.system.inspectMappings(of: frame) { slot in
      hardware.memory.setWord(hardware.memory.word(at: slot.raw) & ~(1 << 6), at: slot.raw)
    }
    hardware.processor.memoryUnit.invalidateAll()
    let reason = planted.objection(.evict, .load(address: Self.window, byteCount: 64))
    #expect(reason?.contains("expected") == true)
  }

  @Test func `a reference that is never dropped is noticed`() throws {
    let planted = try PlantedMachine()
    let extra = VMObjectReference(try #require(planted.object))
    #expect(planted.objection(.call(ValueCall(.schedYield)))?.contains("references, has 2") == true)
    _ = consume extra
  }

  @Test func `a reference that is dropped twice is noticed`() throws {
    let planted = try PlantedMachine()
    let object = try #require(planted.object)
    let place = UnsafeMutablePointer<VMObjectReference>.allocate(capacity: 1)
    unsafe place.initialize(to: VMObjectReference(object))
    _ = unsafe Unmanaged.passRetained(object)
    unsafe place.deinitialize(count: 1)
    unsafe place.deinitialize(count: 1)
    unsafe place.deallocate()
    #expect(planted.objection(.call(ValueCall(.schedYield)))?.contains("object counts 1 references, has 2") == true)
  }

  @Test func `a tail that is not zeroed by shrinking is noticed`() throws {
    let planted = try PlantedMachine()
    try planted.run(TruncateCall(descriptor: 3, length: 10))
    let frame = try #require(planted.firstFrame)
    planted.machine.hardware.memory.setByte(99, at: frame.address.raw + 20)
    let reason = planted.objection(
      .call(TruncateCall(descriptor: 3, length: 4096)), .load(address: Self.window, byteCount: 64))
    #expect(reason?.contains("byte 20 is 99, expected 0") == true)
  }

  @Test func `swap that is reserved for nothing is noticed`() throws {
    let planted = try PlantedMachine()
    let extra = try VMObject.make(planted.machine.hardware.system, .sharedMemory, pageCount: 3)
    #expect(
      planted.objection(.call(ValueCall(.schedYield)))?.contains("47 pages of swap are reserved, expected 44") == true)
    _ = consume extra
  }

  @Test func `a reservation that is granted in spite of vm.overcommit is noticed`() throws {
    let planted = try PlantedMachine()
    try planted.run(SystemControlCall(name: .name("vm.overcommit"), newValue: [1, 0, 0, 0]))
    planted.machine.hardware.system.setOvercommit(0)
    try planted.run(ForkCall(child: 1))
    try planted.runner.perform(ScriptStep(1, SetIdentityCall(kind: .user, value: 1)))
    #expect(throws: ScriptFailure.self) {
      try planted.runner.perform(ScriptStep(1, BreakCall(address: Program.dataEnd + 4096 << 12)))
    }
  }

  @Test func `a wrong errno is noticed`() throws {
    let runner = ScriptRunner(WrongErrorMachine(try KernelMachine(HardwareConfiguration())))
    try runner.perform(ScriptStep(0, SharedMemoryOpenCall(name: "/a", flags: .createReadWrite, mode: 0o600)))
    #expect(throws: ScriptFailure.self) {
      try runner.perform(ScriptStep(0, SharedMemoryOpenCall(name: "/a", flags: .createExclusiveReadWrite, mode: 0o600)))
    }
  }

  @Test func `a forgotten wake-up is noticed`() throws {
    let planted = try PlantedMachine(isSlow: true)
    try planted.run(.evict)
    try planted.run(SleepCall(nanoseconds: 100_000_000))
    let silent = SilentWaker()
    planted.machine.hardware.services.waker = BackReference(silent)
    let reason = planted.objection(.load(address: Self.window, byteCount: 8))
    #expect(reason?.contains("a wake-up was forgotten") == true)
    withExtendedLifetime(silent) {}
  }

  @Test func `a page lost between memory and swap is noticed`() throws {
    let planted = try PlantedMachine()
    try planted.run(.evict)
    guard case .swapped(let block) = planted.object?.inspectPage(at: 0) else {
      Issue.record("the page is not in swap")
      return
    }
    planted.machine.hardware.swap?.lose(block: block.raw)
    #expect(planted.objection(.load(address: Self.window, byteCount: 8)) != nil)
  }

  @Test func `a double free of a frame is stopped`() async {
    await #expect(processExitsWith: .failure) {
      let hardware = SimulatedHardware(HardwareConfiguration())
      guard let frame = hardware.system.allocateKernelFrame() else { return }
      hardware.system.freeKernelFrame(frame)
      hardware.system.freeKernelFrame(frame)
    }
  }

  @Test func `a double free of a swap block is stopped`() async {
    await #expect(processExitsWith: .failure) {
      let hardware = SimulatedHardware(HardwareConfiguration())
      guard let frame = hardware.system.allocateKernelFrame() else { return }
      hardware.system.physical.zero(frame)
      var blocks = SwapBlockAllocator(hardware.system.physical, at: frame.address, blockCount: 64)
      guard let block = blocks.allocate() else { return }
      blocks.free(block)
      blocks.free(block)
    }
  }
}
