// The machine as portable code sees it: a handful of operations (DESIGN, "One idea").
//
// The processor and the heap are classes to be overridden rather than protocols, so that a back reference can name them:
// what every event uses is borrowed without counting.

/// The processor that runs the kernel, real or simulated.
open class Processor {
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
  /// The oldest byte that the console's device has received, which it gives up; nil when it has none.
  open func receiveFromConsole() -> UInt8? { preconditionFailure("abstract") }
  /// Chooses what the console's device interrupts for. It interrupts anew for what is so already, whatever it did before.
  open func setConsoleInterrupts(_ events: ConsoleEvents) { preconditionFailure("abstract") }
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

/// The allocator behind Swift objects, which must never fail: it keeps a reserve that is filled up before each event.
open class KernelHeap {
  /// Makes one; every member has to be overridden.
  public init() {}
  /// Fills the reserve up to what one event may need. Returns false when frames for it cannot be had.
  open func ensureReserve() -> Bool { preconditionFailure("abstract") }
  /// Bytes of live allocations.
  open var allocatedByteCount: Int { preconditionFailure("abstract") }
  /// All that was ever allocated; only grows.
  open var totalUse: HeapAmount { preconditionFailure("abstract") }
  /// Gives back frames of the reserve beyond what is worth keeping, a bounded number of them.
  open func giveBackExcess() {}
  /// Bytes that an object takes, or nil where that is not known.
  open func byteCount(of object: AnyObject) -> Int? { nil }
  /// Frames that the heap holds, reserve included.
  open var heldFrameCount: Int { preconditionFailure("abstract") }
  /// The address of an object that was written to where nothing may be written, if there is one and it is known.
  open var damagedObject: UInt64? { nil }
  /// Damages an object on purpose; false when there is no such damage (kernel option `inspect-test`).
  open func plantDamage(_ name: Span<UInt8>) -> Bool { false }
  /// Gives back the frames of the reserve and those that nothing lives in.
  open func trim() { preconditionFailure("abstract") }
}

/// The direction of a transfer between memory and a block device.
public enum TransferDirection: Sendable {
  /// From the device into memory.
  case read
  /// From memory to the device.
  case write
}

/// What a block device says when a transfer is started.
public enum TransferStatus: Sendable {
  /// It is complete.
  case done
  /// It failed.
  case failed
  /// It is under way; the device's interrupt leads to `MemorySystem.transferCompleted`.
  case pending
}

/// A device that stores pages.
public protocol BlockDevice: AnyObject {
  /// Page-sized blocks on the device.
  var blockCount: UInt32 { get }
  /// Starts moving one page. The frame stays put until the transfer is complete.
  func transfer(_ direction: TransferDirection, block: UInt32, frame: FrameNumber) -> TransferStatus
}

/// What a parked thread waits for. Threads that wait for equal channels are woken together.
public struct WaitChannel: Equatable, BitwiseCopyable, Sendable {
  /// The kind in the upper 32 bits, which one of the kind in the lower.
  public let raw: UInt64

  private init(kind: UInt64, _ value: UInt32) {
    raw = kind << 32 | UInt64(value)
  }

  /// The end of a transfer of `frame`.
  public static func page(_ frame: FrameNumber) -> WaitChannel { WaitChannel(kind: 1, frame.raw) }
  /// Free frames.
  public static let frames = WaitChannel(kind: 2, 0)
  /// Free frames, for the superuser, who needs fewer of them to be free.
  public static let privilegedFrames = WaitChannel(kind: 2, 1)
  /// Input on the console.
  public static let consoleInput = WaitChannel(kind: 3, 0)
  /// Room for output on the console, or everything sent.
  public static let consoleOutput = WaitChannel(kind: 7, 0)
  /// A change of state of a child of the process in `slot`.
  public static func child(ofSlot slot: UInt32) -> WaitChannel { WaitChannel(kind: 4, slot) }
  /// One's turn in a line of those who wait for the same thing.
  public static func turn(_ number: UInt32) -> WaitChannel { WaitChannel(kind: 5, number) }
  /// Nothing but a deadline or a signal.
  public static func sleep(slot: UInt32) -> WaitChannel { WaitChannel(kind: 6, slot) }
  /// The end of the shrinking of an object.
  static func shrinking(_ number: UInt32) -> WaitChannel { WaitChannel(kind: 8, number) }
  /// For channels of the modules above; `kind` from 16 to 2^16.
  public static func other(kind: UInt16, _ value: UInt32) -> WaitChannel {
    precondition(kind >= 16)
    return WaitChannel(kind: UInt64(kind), value)
  }

  /// Whether this is a turn in a line.
  public var isTurn: Bool { raw >> 32 == 5 }
  /// Whether what is waited for comes without the doing of any process: a page under way, free frames, the end of a
  /// shrinking, which goes on whatever becomes of its process.
  public var comesByItself: Bool { raw >> 32 == 1 || raw >> 32 == 2 || raw >> 32 == 8 }
  /// Whether whoever waits on it waits for free frames.
  @inline(__always)
  public var isFrames: Bool { raw >> 32 == 2 }
  /// The frame, when this is a frame's channel.
  public var frame: FrameNumber? { raw >> 32 == 1 ? FrameNumber(UInt32(truncatingIfNeeded: raw)) : nil }
}

/// Wakes parked threads. A class rather than a protocol, so that a back reference can name one.
open class Waker {
  /// Makes one.
  public init() {}
  /// Makes every thread that is parked on `channel` try again.
  open func wake(_ channel: WaitChannel) {}
}
