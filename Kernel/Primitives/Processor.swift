// The machine as portable code sees it: a handful of operations (DESIGN, "One idea").
//
// The processor and the heap are classes to be overridden rather than protocols, so that a back reference can name them:
// what every event uses is borrowed without counting.

/// The processor that runs the kernel, real or simulated.
open class Processor: Nameable {
  /// Makes one; every member has to be overridden.
  public init() {}
  /// Makes the page table whose root is `root` the current one; translations that are not global are forgotten.
  open func loadPageTable(root: FrameNumber) { preconditionFailure("abstract") }
  /// Forgets the translation of one page of the current address space, and all cached upper-level entries.
  open func invalidate(page: VirtualAddress) { preconditionFailure("abstract") }
  /// Forgets every translation that is not global.
  open func invalidateAll() { preconditionFailure("abstract") }
  /// Nanoseconds since the machine started; never goes back.
  open var nanoseconds: UInt64 { preconditionFailure("abstract") }
  /// What to add to `nanoseconds` to get nanoseconds since 1970-01-01 00:00 UTC.
  open var realTimeOffsetNanoseconds: UInt64 { preconditionFailure("abstract") }
  /// 64 fresh bits from the machine's source of entropy; nil when it has none, or none now.
  open func drawEntropy() -> UInt64? { nil }
  /// Hands bytes, of which there is at least one, to the console's device as they are, as many as it takes at once; returns
  /// how many. When that is not all, the device interrupts as soon as it takes more.
  open func sendToConsole(_ bytes: RawSpan) -> Int { preconditionFailure("abstract") }
  /// Hands a text to whoever started the machine, beside the console; false when nobody listens there.
  open func tellHost(_ channel: HostChannel, _ bytes: RawSpan) -> Bool { false }
  /// The oldest byte that the console's device has received, which it gives up; nil when it has none.
  open func receiveFromConsole() -> UInt8? { preconditionFailure("abstract") }
  /// Chooses what the console's device interrupts for. It interrupts anew for what is so already, whatever it did before.
  open func setConsoleInterrupts(_ events: ConsoleEvents) { preconditionFailure("abstract") }
}

/// What whoever started the machine can listen to. No program can write there.
public enum HostChannel: Sendable {
  /// How processes ended.
  case report
  /// What programs call, and what comes of it.
  case trace
}

/// What the console's device interrupts for. Its interrupt is an edge: as long as it has something to say and the kernel
/// does not silence it, it will not interrupt for something else.
public struct ConsoleEvents: OptionSet, BitwiseCopyable, Sendable {
  /// The bits; those of a 16550's interrupt enable register.
  public let rawValue: UInt8
  /// A set of these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Bytes have been received.
  public static let input = ConsoleEvents(rawValue: 1)
  /// Bytes can be sent.
  public static let room = ConsoleEvents(rawValue: 2)
}
