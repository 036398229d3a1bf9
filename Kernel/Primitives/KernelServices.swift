// What every part of one kernel is handed, whatever it does: the processor with its clock, the heap, the console, random
// numbers, fail points, and who wakes those who wait. None of it is memory, files or processes.

/// The services of one kernel.
public final class KernelServices: Nameable {
  /// The processor.
  public let processor: Processor
  private let processorReference: BackReference<Processor>
  /// The heap of Swift objects; set once, before the first event.
  public var heap: KernelHeap? {
    didSet { heapReference = heap.map { BackReference($0) } ?? BackReference() }
  }
  private var heapReference = BackReference<KernelHeap>()
  /// Told when something that threads wait for happened; set by the kernel.
  public var waker = BackReference<Waker>()
  /// On whose behalf the kernel works; set by the kernel.
  public var caller = BackReference<Caller>()
  /// The way out to the console; set by the kernel.
  public var consoleOutput: ConsoleOutput?
  /// Where random numbers come from.
  var random = RandomGenerator()
  /// What the time of day was set forward by, in nanoseconds.
  private var realTimeAdjustment: UInt64 = 0
  /// Makes chosen allocations and transfers fail (tests, and the kernel's fail points).
  public var failures = FailurePoints()
  /// Whether fail points print nothing (kernel option `quiet`); a panic of theirs is told.
  public var isQuiet = false

  /// The services of a kernel that runs on this processor.
  public init(_ processor: Processor) {
    self.processor = processor
    processorReference = BackReference(processor)
  }

  /// Nanoseconds since the machine started; never goes back.
  @inline(__always)
  public var nanoseconds: UInt64 { processorReference.borrow { $0.nanoseconds } }

  /// Nanoseconds since 1970-01-01 00:00 UTC.
  @inline(__always)
  public var realNanoseconds: UInt64 {
    processorReference.borrow { $0.nanoseconds &+ $0.realTimeOffsetNanoseconds &+ realTimeAdjustment }
  }

  /// When the machine started, by what the time of day is now, in nanoseconds since 1970-01-01 00:00 UTC.
  public var bootNanoseconds: UInt64 { realNanoseconds &- nanoseconds }

  /// Sets the time of day, in nanoseconds since 1970-01-01 00:00 UTC.
  public func setRealTime(_ nanoseconds: UInt64) { realTimeAdjustment &+= nanoseconds &- realNanoseconds }

  /// Makes the page table whose root is `root` the processor's; translations that are not global are forgotten.
  @inline(__always)
  public func loadPageTable(root: FrameNumber) { processorReference.borrow { $0.loadPageTable(root: root) } }

  /// Makes the processor forget the translation of one page of the current address space.
  @inline(__always)
  public func invalidate(page: VirtualAddress) { processorReference.borrow { $0.invalidate(page: page) } }

  /// Makes the processor forget every translation that is not global.
  @inline(__always)
  public func invalidateAll() { processorReference.borrow { $0.invalidateAll() } }

  /// Whether a few small objects can be made; fills the heap's reserve if need be.
  @inline(__always)
  public var hasHeapReserve: Bool { heapReference.isEmpty || heapReference.borrow { $0.ensureReserve() } }

  /// Wakes every thread parked on `channel`.
  public func wake(_ channel: WaitChannel) {
    waker.instance?.wake(channel)
  }

  /// Hands a line to whoever started the machine; false when nobody listens.
  @discardableResult
  public func tellHost(_ channel: HostChannel, _ line: ConsoleLine) -> Bool { processor.tellHost(channel, line.bytes) }

  /// Writes a line about the kernel's own doings to the console.
  public func report(_ write: (inout ConsoleLine) -> Void) {
    var line = ConsoleLine()
    line.append("martlet: ")
    write(&line)
    guard let consoleOutput else {
      // Before there is a kernel nobody would send what the device does not take.
      line.append("\r\n")
      _ = processor.sendToConsole(line.bytes)
      return
    }
    line.append("\n")
    consoleOutput.write(line: line)
  }
}
