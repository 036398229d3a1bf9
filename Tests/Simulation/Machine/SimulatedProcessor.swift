// The processor of a simulated machine, as the kernel sees it: root loads and invalidations go to the software MMU, which
// takes each of them as an occasion to do what processors may do at any moment.

internal import HeapProbe
public import Primitives
public import Processes

/// A processor that runs scripted programs.
public final class SimulatedProcessor: Processor {
  /// The translation hardware.
  public let memoryUnit: SoftwareMMU
  /// Time.
  public let clock: SimulatedClock
  /// The console's device.
  public let console = SimulatedConsole()
  /// Mistakes planted on purpose.
  public var defects = ProcessorDefects()
  /// How many invalidations the kernel asked for.
  public private(set) var invalidationCount = 0
  /// What whoever started the machine was told, by the channel; nil: nobody listens.
  public var told: [HostChannel: String]?
  private var delayed: [VirtualAddress] = []
  private var allIsDelayed = false

  /// A processor over this memory unit and clock.
  public init(memoryUnit: SoftwareMMU, clock: SimulatedClock) {
    self.memoryUnit = memoryUnit
    self.clock = clock
  }

  /// Keeps what is told, if anybody listens.
  public override func tellHost(_ channel: HostChannel, _ bytes: RawSpan) -> Bool {
    SimulatedHeap.outside {
      guard told != nil else { return false }
      let text = bytes.byteOffsets.map { bytes.unsafeLoadByte($0) }
      told?[channel, default: ""] += String(decoding: text, as: UTF8.self)
      return true
    }
  }

  /// A write of CR3.
  public override func loadPageTable(root: FrameNumber) {
    SimulatedHeap.outside { memoryUnit.loadRoot(root.address.raw) }
  }

  /// INVLPG, with speculation on both sides of it: a kernel that invalidates before it changes the entry is caught.
  public override func invalidate(page: VirtualAddress) {
    SimulatedHeap.outside { forget(page) }
  }

  private func forget(_ page: VirtualAddress) {
    memoryUnit.speculate()
    invalidationCount += 1
    if defects.skippedInvalidation == invalidationCount { return }
    if defects.delaysInvalidations {
      delayed.append(page)
      return
    }
    memoryUnit.invalidate(page: page.raw)
    memoryUnit.speculate()
  }

  /// Forgets everything that is not global.
  public override func invalidateAll() {
    SimulatedHeap.outside { forgetAll() }
  }

  private func forgetAll() {
    memoryUnit.speculate()
    invalidationCount += 1
    if defects.skippedInvalidation == invalidationCount { return }
    if defects.delaysInvalidations {
      allIsDelayed = true
      return
    }
    memoryUnit.invalidateAll()
    memoryUnit.speculate()
  }

  /// The end of a kernel event: delayed invalidations, if that defect is planted, happen only now.
  func eventEnded() {
    for page in delayed { memoryUnit.invalidate(page: page.raw) }
    delayed.removeAll()
    if allIsDelayed { memoryUnit.invalidateAll() }
    allIsDelayed = false
  }

  /// What the source of entropy says: numbers that only look random, so that runs can be repeated.
  public var entropySource: () -> UInt64? = SimulatedProcessor.entropySource(seed: 0x5EED)

  /// A source that says what a seed determines; nil: there is none.
  public static func entropySource(seed: UInt64?) -> () -> UInt64? {
    guard let seed else { return { nil } }
    var generator = SeededGenerator(seed: seed)
    return { generator.next() }
  }

  /// The source of entropy.
  public override func drawEntropy() -> UInt64? { entropySource() }

  /// Monotonic time.
  public override var nanoseconds: UInt64 { clock.nanoseconds }

  /// The start of the wall clock.
  public override var realTimeOffsetNanoseconds: UInt64 { SimulatedClock.realTimeAtStart }

  /// Shows what the kernel prints, as far as the console's device takes it.
  public override func sendToConsole(_ bytes: RawSpan) -> Int {
    precondition(bytes.byteCount > 0)
    heap_probe_suspend()
    defer { heap_probe_resume() }
    return console.show(bytes.byteOffsets.map { bytes.unsafeLoadByte($0) })
  }

  /// What was typed and has reached the machine.
  public override func receiveFromConsole() -> UInt8? { SimulatedHeap.outside { console.receive() } }

  /// What the console's device interrupts for.
  public override func setConsoleInterrupts(_ events: ConsoleEvents) { console.interruptEvents = events }

  /// Everything written to the console so far.
  public var consoleOutput: [UInt8] { console.output }

  /// Forgets the console output so far and returns it.
  public func takeConsoleOutput() -> [UInt8] { console.takeOutput() }
}

/// Mistakes that a test plants in the processor's double, standing for the same mistake in the kernel.
public struct ProcessorDefects: Sendable {
  /// The invalidation with this number (from 1) does not happen: the kernel forgot it.
  public var skippedInvalidation = 0
  /// Invalidations happen at the end of the event: the kernel freed page-table pages before it invalidated.
  public var delaysInvalidations = false

  /// No mistakes.
  public init() {}
}

extension RawSpan {
  /// One byte.
  fileprivate func unsafeLoadByte(_ offset: Int) -> UInt8 {
    // SAFETY: the offset is checked by the load; a byte has no invalid patterns.
    unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}

/// Floating point registers that hold one recognisable number, so that a mix-up between threads shows.
public final class SimulatedFloatingPoint: FloatingPointUnit {
  private let memory: SimulatedMemory
  /// The registers: the first two words of the XSAVE area's register part.
  public var registers: (UInt64, UInt64) = (0, 0)

  /// XSAVE with AVX.
  public var extendedByteCount: Int { 320 }
  /// x87, SSE and AVX.
  public var components: UInt64 { 0b111 }
  /// Everything but what is reserved.
  public var vectorStatusMask: UInt32 { 0xffff }

  /// Registers that are saved to `memory`.
  public init(memory: SimulatedMemory) {
    self.memory = memory
  }

  /// Saves the registers.
  public func save(into context: UInt64) {
    memory.setWord(registers.0, at: context + Self.offset)
    memory.setWord(registers.1, at: context + Self.offset + 8)
  }

  /// Restores the registers.
  public func restore(from context: UInt64) {
    registers = (memory.word(at: context + Self.offset), memory.word(at: context + Self.offset + 8))
  }

  /// Saves the registers of one context and restores those of another.
  public func exchange(savingInto old: UInt64, restoringFrom new: UInt64) {
    save(into: old)
    restore(from: new)
  }

  /// The registers with which a context starts.
  public func reset() { registers = (0, 0) }

  /// XMM0 in the standard format, inside the floating point area of a thread context.
  private static let offset: UInt64 = 256 + 160
}
