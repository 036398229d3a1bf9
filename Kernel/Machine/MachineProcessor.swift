// The processor as the portable kernel sees it.

internal import MachineSupport
internal import Primitives

/// The real processor.
class MachineProcessor: Processor {
  private var clock: Clock
  private let entropy: EntropySource
  /// What to add to `nanoseconds` to get nanoseconds since 1970-01-01 00:00 UTC.
  override var realTimeOffsetNanoseconds: UInt64 { realTimeOffset }
  private var realTimeOffset: UInt64 = 0

  /// A processor whose clock is not measured yet: a time stamp passes for a nanosecond until `setClock`.
  init(startedAt origin: UInt64, _ features: ProcessorFeatures) {
    entropy = EntropySource(features)
    clock = Clock(origin: origin, frequency: 1_000_000_000)
  }

  /// Takes over the measured clock and the date.
  func setClock(_ measured: Clock) {
    clock = measured
    let seconds = RealTimeClock.seconds()
    if seconds == nil { logLine("this machine has no real-time clock: its time begins in 1970") }
    realTimeOffset = (seconds ?? 0) &* 1_000_000_000 &- measured.nanoseconds(at: read_time_stamp())
  }

  /// Makes the page table whose root is `root` the current one.
  override func loadPageTable(root: FrameNumber) {
    write_control3(root.address.raw)
  }

  /// Forgets the translation of one page of the current address space, and all cached upper-level entries.
  override func invalidate(page: VirtualAddress) {
    invalidate_page(page.raw)
  }

  /// Forgets every translation that is not global.
  override func invalidateAll() {
    write_control3(read_control3())
  }

  /// Nanoseconds since the boot stub's first instruction.
  override var nanoseconds: UInt64 { clock.nanoseconds(at: read_time_stamp()) }

  /// 64 fresh bits from the processor.
  override func drawEntropy() -> UInt64? { entropy.draw() }

  /// Hands bytes to the serial line, as many as it takes.
  override func sendToConsole(_ bytes: RawSpan) -> Int { MachineConsole.send(bytes) }

  /// Hands a text to one of QEMU's debug consoles.
  override func tellHost(_ channel: HostChannel, _ bytes: RawSpan) -> Bool {
    HostReport.send(bytes, channel == .report ? HostReport.debugConsole : HostReport.traceConsole)
  }

  /// The oldest byte that the serial line has received.
  override func receiveFromConsole() -> UInt8? { SerialLine.read() }

  /// Chooses what the serial line interrupts for.
  override func setConsoleInterrupts(_ events: ConsoleEvents) { SerialLine.setInterrupts(events) }
}
