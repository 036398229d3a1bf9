// What thr_new(2) is told of a new thread: `struct thr_param` (spec abi.md, section 15), and its priority.

/// The parameters of a new thread, in their layout.
public struct ThreadParameters: BitwiseCopyable, Sendable {
  /// Where it starts.
  public var start: UInt64
  /// The argument of the function there.
  public var argument: UInt64
  /// The lowest byte of its stack.
  public var stackBase: UInt64
  /// Bytes of the stack.
  public var stackByteCount: UInt64
  /// The base of its fs segment.
  public var threadLocalBase: UInt64
  private var threadLocalByteCount: UInt64
  /// Where the thread itself finds its identifier, or 0.
  public var childIdentifierAddress: UInt64
  /// Where its maker finds it, or 0.
  public var parentIdentifierAddress: UInt64
  private var flags: UInt64
  /// Where its priority is, or 0.
  public var priorityAddress: UInt64
  private var spare: [3 of UInt64]
}

extension ThreadParameters {
  /// The size of the structure.
  public static let byteCount = 104

  /// What rsp is when the thread starts, as behind a call.
  public var stackPointer: UInt64 { ((stackBase &+ stackByteCount) & ~15) &- 8 }
}

/// How urgent a thread is: `struct rtprio`, two numbers of 16 bits.
public struct ThreadPriority: Comparable, BitwiseCopyable, Sendable {
  /// The class.
  public var kind: Kind
  /// Its place in the class, 0 first.
  public var level: UInt16

  /// A class of priorities.
  public struct Kind: Equatable, BitwiseCopyable, Sendable {
    /// The number as it crosses the boundary.
    public let rawValue: UInt16
    /// Wraps a number.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// RTP_PRIO_REALTIME
    public static let realTime = Kind(rawValue: 2)
    /// RTP_PRIO_NORMAL
    public static let normal = Kind(rawValue: 3)
    /// RTP_PRIO_IDLE
    public static let idle = Kind(rawValue: 4)
    /// RTP_PRIO_FIFO
    public static let firstInFirstOut = Kind(rawValue: 10)
  }

  /// The size of the structure.
  public static let byteCount = 4
  /// RTP_PRIO_MAX
  public static let maximumLevel: UInt16 = 31
  /// What a thread begins with.
  public static let normal = ThreadPriority(kind: .normal, level: 0)

  /// A priority.
  public init(kind: Kind, level: UInt16) {
    self.kind = kind
    self.level = level
  }

  /// Whether the first is the more urgent, by the numbers of classes and levels (rtprio(2)).
  public static func < (first: ThreadPriority, second: ThreadPriority) -> Bool {
    first.kind == second.kind ? first.level < second.level : first.kind.rawValue < second.kind.rawValue
  }

  /// Reads the structure from its four bytes, little endian.
  public init(word: UInt32) {
    self.init(kind: Kind(rawValue: UInt16(truncatingIfNeeded: word)), level: UInt16(truncatingIfNeeded: word >> 16))
  }

  /// The four bytes of the structure.
  public var word: UInt32 { UInt32(kind.rawValue) | UInt32(level) << 16 }
}

/// What rtprio_thread(2) does.
public enum PriorityFunction {
  /// RTP_LOOKUP
  public static let lookUp: Int32 = 0
  /// RTP_SET
  public static let set: Int32 = 1
}
