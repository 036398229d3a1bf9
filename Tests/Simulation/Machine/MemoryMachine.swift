// The lower half of a machine: address spaces and objects driven directly, without system calls. It performs the
// operations of a script that concern memory, as the layers above would, so that the memory system can be tested alone.

import ABI
import Memory
import Primitives

/// Something that performs the steps of a script.
public protocol SimulatedSystem: AnyObject {
  /// The machine.
  var hardware: SimulatedHardware { get }
  /// What the last operation left in the buffers that the kernel filled.
  var outputs: [CallOutput] { get }
  /// What the driver stored in the program's memory for the last operation.
  var inputs: [(address: UInt64, bytes: [UInt8])] { get }
  /// Whether what was to fail in the last step did.
  var failureHappened: Bool { get }
  /// Performs a step to its end; nil when it cannot be performed by this system.
  func perform(_ step: ScriptStep) throws(Difference) -> Observation?
  /// Everything that is wrong with the system's state, or nothing.
  func problems(withContents: Bool) -> [String]
  /// Ends every process and says what is left behind.
  func shutDown() -> [String]
  /// Whether the call that a thread (`Actor`) was blocked in has returned, unasked.
  func hasReturned(_ actor: Int) -> Bool
  /// Waits for the call that a thread is blocked in.
  func finishBlocked(_ actor: Int) throws(Difference) -> Observation
  /// What the reference model has to know about the machine.
  var facts: SystemFacts { get }
}

extension SimulatedSystem {
  /// The kernel's own count of reserved swap; nil while something that was given up is still being taken apart.
  var reservation: SwapReservation? {
    let system = hardware.system
    if system.hasTeardown { return nil }
    var count = SwapReservation()
    count.total = system.accounting.reserved
    system.inspectAccounts { if $0.reservedPageCount > 0 { count.ofUsers[$0.user] = $0.reservedPageCount } }
    return count
  }
}

/// What a call left in memory.
public struct CallOutput: Equatable, Sendable {
  /// Which of its pointers pointed there.
  public let pointer: CallPointer
  /// Where.
  public let address: UInt64
  /// What.
  public let bytes: [UInt8]
}

/// Figures of a machine that follow from its size.
public struct SystemFacts: Sendable {
  /// Whether there is a kernel with processes that execute a program, and not just memory.
  public var isWhole = false
  /// `kern.maxproc`
  public var maximumProcessCount = Int.max
  /// `kern.maxfiles`
  public var maximumFileCount = Int.max
  /// `kern.maxfilesperproc`
  public var maximumFilesPerProcess = Int.max
  /// `vm.stats.vm.v_page_count`
  public var pageCount = 0
  /// Pages that each swap device has room for: one block of it is never used.
  public var swapPageCounts: [UInt64] = []

  /// Whether the console shows later what was written.
  public var consoleIsSlow = false

  /// A machine without limits.
  public init() {}
}

extension SimulatedSystem {
  /// Nothing blocks.
  public func hasReturned(_ process: Int) -> Bool { false }
  /// Nothing blocks.
  public func finishBlocked(_ process: Int) throws(Difference) -> Observation { throw Difference("nothing blocks") }
  /// No limits.
  public var facts: SystemFacts { SystemFacts() }
}

/// Address spaces and objects without a kernel around them.
public final class MemoryMachine: SimulatedSystem {
  /// The machine.
  public let hardware: SimulatedHardware
  /// Nothing is read back: reads are compared through memory.
  public let outputs: [CallOutput] = []
  /// Whether what was to fail in the last step did.
  public private(set) var failureHappened = false
  /// Nothing is prepared.
  public let inputs: [(address: UInt64, bytes: [UInt8])] = []
  var processes: [Int: SpaceOwner] = [:]
  private var system: MemorySystem { hardware.system }

  final class SpaceOwner {
    let space: AddressSpace
    var descriptors: [Int32: ObjectOwner] = [:]
    init(_ space: AddressSpace) { self.space = space }
  }

  final class ObjectOwner {
    let reference: VMObjectReference
    var size: Int64 = 0
    init(_ reference: consuming VMObjectReference) { self.reference = reference }
  }

  /// A machine with one process, whose data segment is anonymous memory.
  public init(_ configuration: HardwareConfiguration) throws(Difference) {
    hardware = SimulatedHardware(configuration)
    do throws(Errno) {
      let owner = SpaceOwner(try AddressSpace.make(hardware.system))
      processes[0] = owner
      _ = try owner.space.map(
        MapRequest(
          address: Program.data, byteCount: Program.dataPageCount * 4096, placement: .fixed,
          protection: [.read, .write], maximum: .all, sharing: .private, object: nil))
    } catch { throw Difference("no memory to start with: error \(error.rawValue)") }
    for offset in stride(from: 0, to: 4096, by: 512) {
      try store(Array(Program.dataPage[offset..<offset + 512]), at: Program.data + UInt64(offset), 0)
    }
  }

  /// Performs a step.
  public func perform(_ step: ScriptStep) throws(Difference) -> Observation? {
    var noise = SeededGenerator(seed: step.noise)
    if noise.chance(oneIn: 3) { hardware.processor.memoryUnit.speculate() }
    if noise.chance(oneIn: 16) { system.reclaim(budget: 1 + noise.number(below: 8)) }
    hardware.clock.advance(by: UInt64(noise.number(below: 200_000)))
    _ = hardware.deliverTransfers()
    try waitForFrames(12)
    defer {
      while !system.drainTeardown(budget: 1 + noise.number(below: 40)) {}
      if system.isShort { system.reclaim(budget: 16) }
      hardware.processor.eventEnded()
      // Ring 3 goes on with the space that is loaded; a machine with no process left would idle on the kernel's own.
      processes[step.process]?.space.activate()
    }
    guard let owner = processes[step.process] else { return nil }
    owner.space.activate()
    if let failure = step.failure { hardware.inject(failure) }
    defer { if let failure = step.failure { failureHappened = hardware.withdraw(failure) } }
    return try perform(step, owner)
  }

  /// Everything that is wrong.
  public func problems(withContents: Bool) -> [String] {
    var held: [VMObject] = []
    var seen: Set<ObjectIdentifier> = []
    for process in processes.values {
      for owner in process.descriptors.values where seen.insert(ObjectIdentifier(owner)).inserted {
        held.append(owner.reference.object)
      }
    }
    return InvariantChecker.problems(
      hardware, spaces: processes.values.map(\.space), holding: held, withContents: withContents)
  }

  /// Ends every process; then everything must be free again.
  public func shutDown() -> [String] {
    for process in processes.values { process.space.retire() }
    processes.removeAll()
    while !system.drainTeardown(budget: 100) {}
    hardware.completeTransfers()
    while !system.drainTeardown(budget: 100) {}
    system.trim()
    var left = problems(withContents: true)
    let lost = hardware.initialFreeFrameCount - system.freeFrameCount
    if lost != 0 {
      left.append("\(lost) frames are lost")
    }
    if let taken = system.inspectedSwapBlockCount, taken != 0 { left.append("\(taken) swap blocks are lost") }
    return left
  }

  // MARK: Waiting

  /// Has the machine wait for something that the memory system wants to wait for.
  func wait(_ awaited: Wait) throws(Difference) {
    if awaited == .frames { return try waitForFrames(2) }
    guard let due = hardware.nextCompletion else { throw Difference("waits for a page that nobody transfers") }
    hardware.clock.advance(to: due)
    _ = hardware.deliverTransfers()
  }

  private func waitForFrames(_ count: Int) throws(Difference) {
    while true {
      switch system.makeAvailable(count) {
      case .ready: return
      case .unfinished: break
      case .pending: try wait(.page(FrameNumber(0)))
      case .exhausted:
        if system.drainTeardown(budget: 1000) { throw Difference("memory is exhausted") }
      }
    }
  }

  /// Translates for the running program, resolving faults; the signal if the access is wrong.
  func access(_ address: UInt64, _ access: MemoryAccess, _ number: Int) throws(Difference) -> Signal? {
    guard let space = processes[number]?.space else { return .sigkill }
    for _ in 0..<1000 {
      space.activate()
      do throws(PageFault) {
        _ = try hardware.processor.memoryUnit.translate(address, access)
        return nil
      } catch {
        switch space.resolveFault(at: VirtualAddress(address), access == .read ? .read : .write) {
        case .resolved: continue
        case .wait(let awaited): try wait(awaited)
        case .signal(let signal, _): return signal
        }
      }
    }
    throw Difference("a fault at \(hexadecimal(address)) is resolved again and again")
  }

  func store(_ bytes: [UInt8], at address: UInt64, _ number: Int) throws(Difference) {
    _ = try access(address, .write, number)
    try hardware.storeNow(bytes, at: address)
  }
}

extension SimulatedHardware {
  /// Stores bytes where an access was just made possible.
  func storeNow(_ bytes: [UInt8], at address: UInt64) throws(Difference) {
    do throws(PageFault) {
      try processor.memoryUnit.storeBytes(bytes, at: address)
    } catch { throw Difference("a store faults right after its fault was resolved") }
  }

  /// Loads bytes where an access was just made possible.
  func loadNow(_ address: UInt64, byteCount: Int) throws(Difference) -> [UInt8] {
    do throws(PageFault) {
      return try processor.memoryUnit.loadBytes(at: address, byteCount: byteCount)
    } catch { throw Difference("a load faults right after its fault was resolved") }
  }
}
