// Everything of a simulated machine that is not the kernel: memory, processor, clock, swap device, and the memory system
// started on them as a boot would.

public import Memory
public import Primitives

/// How a simulated machine is equipped.
public struct HardwareConfiguration: Sendable {
  /// Frames of physical memory, at most a few thousand.
  public var frameCount = 512
  /// Frames that have a record, if that are more.
  public var recordCount: UInt32 = 0
  /// Blocks of the swap device; 0: none.
  public var swapBlockCount: UInt32 = 2048
  /// Blocks of a second one; 0: none.
  public var secondSwapBlockCount: UInt32 = 0
  /// Pages of a store of compressed pages, which is a swap device as well; 0: none.
  public var compressedPageCount: UInt32 = 0
  /// What the machine's own choices are drawn from.
  public var seed: UInt64 = 1
  /// One transfer in this many is complete at once.
  public var immediateTransferOneIn = 1

  /// Whether whoever reads the console does it a few bytes at a time; the kernel's ring is small then.
  public var consoleIsSlow = false

  /// Map entries, translations, pages and descriptors that a call handles before others have a turn; nil: as many as booted.
  public var unitsPerTurn: Int?
  /// How long a turn is, in nanoseconds; 0: a turn ends whenever the kernel looks at the clock.
  public var turnNanoseconds: UInt64 = 0

  /// A machine that is short of memory only now and then.
  public init() {}

  /// Frames that what is kept about the blocks of the devices takes, as far as it grows with them.
  var swapTableFrameCount: Int {
    func frames(_ blocks: UInt32, _ byteCount: Int) -> Int { (Int(blocks) * byteCount + 4095) / 4096 }
    var count = frames(swapBlockCount, 16)
    if secondSwapBlockCount > 0 { count += 1 + frames(secondSwapBlockCount, 16) }
    if compressedPageCount > 0 { count += 4 + frames(compressedPageCount, 16) + frames(compressedPageCount, 8) }
    return count
  }
}

/// What a machine knows of itself at one moment.
struct MachineFigures {
  /// The memory system's count, which the checker compares with the records of the frames.
  var freeFrameCount: UInt64 = 0
  /// Pages that came from swap.
  var pagesIn: UInt64 = 0
  /// Pages that went to swap.
  var pagesOut: UInt64 = 0
  /// Transfers from swap.
  var reads: UInt64 = 0
  /// Transfers to swap.
  var writes: UInt64 = 0
}

/// The hardware of one simulated machine.
public final class SimulatedHardware {
  /// Physical memory.
  public let memory: SimulatedMemory
  /// Time.
  public let clock = SimulatedClock()
  /// The processor.
  public let processor: SimulatedProcessor
  /// The floating point registers.
  public let floatingPoint: SimulatedFloatingPoint
  /// The kernel heap.
  public let heap = SimulatedHeap()
  /// The first swap device that is a disk, if there is one.
  public var swap: SimulatedSwap? { disks.first }
  /// The swap devices that are disks; their numbers among all devices are those here.
  public let disks: [SimulatedSwap]
  /// What the kernel is handed of it.
  public let services: KernelServices
  /// The memory system that runs on it.
  public let system: MemorySystem
  /// Frames that were free when it started.
  public let initialFreeFrameCount: Int
  /// Where boot modules lie, and how long each is.
  public private(set) var modules: [(start: PhysicalAddress, byteCount: Int)] = []

  /// Builds the machine with boot modules in its memory.
  public init(_ configuration: HardwareConfiguration, modules contents: [[UInt8]] = []) {
    memory = SimulatedMemory(frameCount: configuration.frameCount)
    let unit = SoftwareMMU(memory: memory, seed: configuration.seed ^ 0x4D4D_5500)
    processor = SimulatedProcessor(memoryUnit: unit, clock: clock)
    if configuration.consoleIsSlow { processor.console.limitRoom(to: 16) }
    floatingPoint = SimulatedFloatingPoint(memory: memory)
    // Frame 0 is nobody's, frame 1 the kernel's page-table root, then the frame table and the modules.
    let kernelRoot = FrameNumber(1)
    memory.setBytes([UInt8](repeating: 0, count: 4096), at: kernelRoot.address.raw)
    let table = FrameNumber(2)
    let recordCount = max(UInt32(configuration.frameCount), configuration.recordCount)
    var next = 2 + UInt32((FrameTable.byteCount(frameCount: recordCount) + 4095) / 4096)
    for content in contents {
      let start = FrameNumber(next).address
      memory.setBytes(content, at: start.raw)
      modules.append((start, content.count))
      next += UInt32((content.count + 4095) / 4096)
    }
    let available = [FrameRange(start: next, end: UInt32(configuration.frameCount))]
    let holes: [FrameRange] = []
    services = KernelServices(processor)
    system = MemorySystem(
      memory.physical, services, frameTable: table.address, frameCount: recordCount,
      available: available.span, holes: holes.span, kernelRoot: kernelRoot)
    services.heap = heap
    heap.connect(services)
    var disks: [SimulatedSwap] = []
    for blockCount in [configuration.swapBlockCount, configuration.secondSwapBlockCount] where blockCount > 0 {
      let device = SimulatedSwap(
        memory: memory, clock: clock, blockCount: blockCount,
        seed: configuration.seed ^ 0x5357_4150 ^ UInt64(disks.count))
      device.behaviour.immediateOneIn = configuration.immediateTransferOneIn
      precondition(system.attachSwap(device, path: Array("/dev/md\(disks.count)".utf8)))
      disks.append(device)
    }
    self.disks = disks
    if configuration.compressedPageCount > 0 {
      precondition(
        system.attachCompressedSwap(
          blockCount: configuration.compressedPageCount, path: Array("/dev/md\(disks.count)".utf8)))
    }
    initialFreeFrameCount = system.freeFrameCount
    processor.loadPageTable(root: kernelRoot)
    unit.isPageTable = { [system] physical in
      physical < UInt64(system.inspectedFrameCount) << 12
        && (physical == kernelRoot.address.raw
          || system.inspect(PhysicalAddress(physical).frame).state == .pageTable)
    }
  }

  /// The memory unit asks the memory system, which holds the processor, which holds the memory unit.
  deinit { processor.memoryUnit.isPageTable = nil }

  /// Whether hardly more frames are free than reclaim aims for, or fewer.
  public var isShort: Bool { system.freeFrameCount < system.inspectedFreeFrameGoal * 5 / 4 }

  /// What vm.stats ought to say.
  var figures: MachineFigures {
    var figures = MachineFigures()
    figures.freeFrameCount = UInt64(system.freeFrameCount)
    for disk in disks {
      figures.pagesIn += UInt64(disk.movedPageCounts.read)
      figures.pagesOut += UInt64(disk.movedPageCounts.written)
      figures.reads += UInt64(disk.transferCounts.reads)
      figures.writes += UInt64(disk.transferCounts.writes)
    }
    if let counts = system.compressedStore?.counts {
      figures.pagesIn += UInt64(counts.loads)
      figures.pagesOut += UInt64(counts.stores)
      figures.reads += UInt64(counts.loads)
      figures.writes += UInt64(counts.stores + counts.refusals)
    }
    return figures
  }

  /// Blocks of each swap device that pages can use.
  var swapPageCounts: [UInt64] {
    disks.map { UInt64($0.blockCount) - 1 } + (system.compressedStore.map { [UInt64($0.blockCount) - 1] } ?? [])
  }

  /// The instant at which the next transfer is complete.
  public var nextCompletion: UInt64? { disks.compactMap(\.nextCompletion).min() }

  /// What a block holds that is the copy of a page, if it is on a disk and complete.
  func content(of block: SwapBlock) -> [UInt8]? {
    block.device < disks.count ? disks[block.device].content(of: block.number) : nil
  }

  /// Frames that are free or can be made so, the reserve left out, counted one by one.
  var pageableFrameCount: UInt64 {
    var count = 0
    for number in 0..<system.inspectedFrameCount {
      let record = system.inspect(FrameNumber(number))
      switch record.state {
      case .free, .freeTail, .orphan: count += 1
      case .object: count += record.wireCount == 0 ? 1 : 0
      default: break
      }
    }
    return UInt64(max(0, count - system.reserveFrameCount))
  }

  /// Frames that are free, and those that can be made so as long as swap has room.
  var availableFrameCount: Int {
    let free = Int(system.freeFrameCount)
    guard isShort, let swap, !swap.behaviour.failsWrites else { return free }
    return free + min(system.inspectedFreeSwapBlockCount, max(0, Int(pageableFrameCount) - free))
  }

  /// Delivers the transfers that are complete by now. Returns whether there were any.
  public func deliverTransfers() -> Bool {
    var wereAny = false
    for disk in disks {
      for transfer in disk.takeCompleted() {
        wereAny = true
        for frame in transfer.frames where transfer.succeeded && system.inspect(frame).state != .orphan {
          disk.noteMoved(transfer.direction)
        }
        system.transferCompleted(transfer.frames.span, succeeded: transfer.succeeded)
      }
    }
    return wereAny
  }

  /// Lets time pass until no transfer is under way any more.
  public func completeTransfers() {
    while let next = nextCompletion {
      clock.advance(to: next)
      _ = deliverTransfers()
    }
  }

  /// Makes something fail from now on.
  public func inject(_ failure: InjectedFailure) {
    services.failures.fail(failure.point, number: failure.number)
  }

  /// Ends what `inject` began; whether the failure happened.
  public func withdraw(_ failure: InjectedFailure) -> Bool {
    defer { services.failures.disarm() }
    return services.failures.count(failure.point) >= failure.number
  }

  /// What the hardware saw that no correct kernel does.
  public var violations: [String] { processor.memoryUnit.violations + disks.flatMap(\.violations) }
}
