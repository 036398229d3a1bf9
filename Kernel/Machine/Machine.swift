// The machine brought up, in the order that its parts need each other.

public import Handover
internal import MachineSupport
public import Memory
internal import Primitives
public import Processes
internal import Runtime
public import SystemCalls

/// The machine, ready for a kernel.
public final class Machine {
  /// What the command line asks for.
  public let options: KernelOptions
  /// Memory, with the processor and the heap.
  public let memory: MemorySystem
  /// The files that the boot loader brought.
  public let modules: [BootModule]
  /// The floating point registers.
  public let floatingPoint: any FloatingPointUnit
  /// Whole frames of available memory, reserved ones included (`hw.physmem`).
  public let physicalFrameCount: UInt64

  private let features: ProcessorFeatures
  private let clock: Clock
  private let start: UInt64
  private let tables: KernelPageTables
  private var ticker: Ticker

  /// Sets everything up. What happens on the way is timed by the interval timer, which measures the clock.
  public init() {
    MachineConsole.initialize()
    DescriptorTables.load()
    let calibration = ClockCalibration()
    start = memory_read64(boot_record_address())

    features = ProcessorFeatures.detect()
    features.enableNoExecute()
    let handover = BootHandover.take()
    guard features.hasSystemCall else { HostReport.refuseStart("this processor has no SYSCALL instruction") }
    options = handover.options
    modules = handover.modules
    var map = handover.map
    physicalFrameCount = map.physicalFrameCount
    tables = KernelPageTables(&map, features)
    let disks = Machine.takeDisks(options, &map)
    let frameTable = Machine.takeFrameTable(&map)
    tables.load()
    unsafe PowerManagement.tables = tables
    Screen.move(to: tables)
    map.release(AddressLayout.stub)
    features.enableProtections()
    features.enableSystemCalls()
    floatingPoint = FloatingPoint(features)

    guard LegacyInterruptController.initialize() else {
      HostReport.refuseStart("this machine has no 8259 interrupt controllers")
    }
    var controller = LocalInterruptController(tables, features)
    controller?.startMeasuring()

    // SAFETY: the direct map covers all memory up to the last frame, for ever.
    let physical = unsafe PhysicalMemory(
      base: UnsafeMutableRawPointer(bitPattern: UInt(AddressLayout.directMapBase)).unsafelyUnwrapped,
      byteCount: UInt64(map.frameCount) * Page.byteCount)
    let processor = Machine.processor(startedAt: start, features)
    memory = MemorySystem(
      physical, KernelServices(processor), frameTable: frameTable.address, frameCount: map.frameCount,
      available: map.ranges.span, holes: map.holes.span, kernelRoot: tables.root)
    memory.services.heap = FrameBackedHeap(memory, directMapBase: AddressLayout.directMapBase)
    Machine.attachSwap(options, disks, memory)

    let measured = calibration.finish()
    guard measured != nil || controller != nil else {
      HostReport.refuseStart("this machine has no timer that interrupts (neither a local APIC nor an 8254)")
    }
    guard let frequency = measured ?? ClockCalibration.frequencyWithoutIntervalTimer() else {
      HostReport.refuseStart(
        "this machine has no clock to measure the time stamp counter with (no 8254, CPUID 0x15, 0x16, or CMOS clock)")
    }
    clock = Clock(origin: start, frequency: frequency)
    controller?.finishMeasuring()
    processor.setClock(clock)
    ticker = Ticker(controller, clock)
    LegacyInterruptController.unmask(LegacyInterruptController.serialLine)
    if unsafe Keyboard.isPresent { LegacyInterruptController.unmask(LegacyInterruptController.keyboardLine) }
  }

  /// The processor, and what the machine has beside its serial line to read and to type at.
  private static func processor(startedAt start: UInt64, _ features: ProcessorFeatures) -> MachineProcessor {
    guard unsafe Screen.isPresent else { return MachineProcessor(startedAt: start, features) }
    Keyboard.initialize()
    return TerminalProcessor(startedAt: start, features)
  }

  private static func takeFrameTable(_ map: inout MemoryMap) -> FrameNumber {
    let byteCount = FrameTable.byteCount(frameCount: map.frameCount)
    guard let frame = map.take(frameCount: Page.count(covering: byteCount), .anywhere) else {
      HostReport.refuseStart("not enough memory in one piece for the table of frames")
    }
    return frame
  }

  /// Sets memory aside for the RAM disks. Returns where each begins.
  private static func takeDisks(_ options: KernelOptions, _ map: inout MemoryMap) -> [FrameNumber] {
    var starts: [FrameNumber] = []
    for device in options.swapDevices where !device.isCompressed {
      guard let start = map.take(frameCount: device.byteCount >> Page.shift, .anywhere) else {
        HostReport.refuseStart(.swapTooLarge)
      }
      starts.append(start)
    }
    return starts
  }

  /// Attaches the swap devices in their order: `/dev/md0` and so on.
  private static func attachSwap(_ options: KernelOptions, _ disks: [FrameNumber], _ memory: MemorySystem) {
    var diskCount = 0
    var number: UInt8 = 0
    for device in options.swapDevices {
      let path = Array("/dev/md".utf8) + [UInt8(ascii: "0") + number]
      number += 1
      let blockCount = UInt32(clamping: device.byteCount >> Page.shift)
      let isAttached: Bool
      if device.isCompressed {
        isAttached = memory.attachCompressedSwap(blockCount: blockCount, path: path)
      } else {
        let disk = RAMDisk(memory.physical, at: disks[diskCount].address, blockCount: blockCount)
        diskCount += 1
        isAttached = memory.attachSwap(disk, path: path)
      }
      if !isAttached { logLine("a swap device could not be attached") }
    }
  }

  /// Time stamps since the boot stub's first instruction: instructions, where QEMU counts them.
  public var timeStampsSinceStart: UInt64 { read_time_stamp() &- start }

  /// What nobody outside knows exactly of this start: the counter at its beginning and now, how fast it runs, the date.
  public var seedMaterial: [UInt64] {
    [start, read_time_stamp(), clock.frequency, memory.services.processor.realTimeOffsetNanoseconds]
  }

  /// Makes the kernel the one that answers events; `end` is called when process 1 has ended. Before `Kernel.start`, which
  /// counts what exists.
  public func connect(_ kernel: Kernel, end: @escaping (ExitReport) -> Never) {
    if let output = memory.services.consoleOutput { unsafe MachineConsole.output = BackReference(output) }
    let made = Dispatcher(kernel, features, ticker, end: end)
    unsafe dispatcher = made
    // SAFETY: `dispatcher` keeps both alive.
    unsafe set_event_objects(
      UInt64(UInt(bitPattern: Unmanaged.passUnretained(kernel).toOpaque())),
      UInt64(UInt(bitPattern: Unmanaged.passUnretained(made).toOpaque())), kernel.isWatched ? 1 : 0)
  }

  /// Answers events for ever.
  public func run() -> Never {
    MachineSupport.resume()
  }
}
