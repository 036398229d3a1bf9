// Sets of signals, and what each signal does by default (spec abi.md section 11).

public import ABI

/// A set of the signals 1 to 128: `sigset_t`, signal n is bit n − 1.
public struct SignalSet: Equatable, BitwiseCopyable, Sendable {
  /// Signals 1 to 64.
  public var low: UInt64
  /// Signals 65 to 128.
  public var high: UInt64

  /// A set from its two words.
  public init(low: UInt64 = 0, high: UInt64 = 0) {
    self.low = low
    self.high = high
  }

  /// Whether the set has no member.
  public var isEmpty: Bool { low | high == 0 }

  /// Whether a signal is a member.
  @inline(__always)
  public func contains(_ signal: Signal) -> Bool {
    let bit = signal.rawValue &- 1
    return (bit < 64 ? low : high) >> UInt64(truncatingIfNeeded: bit & 63) & 1 != 0
  }

  /// Adds a valid signal.
  public mutating func insert(_ signal: Signal) {
    let bit = signal.rawValue - 1
    if bit < 64 { low |= 1 << UInt64(bit) } else { high |= 1 << UInt64(bit - 64) }
  }

  /// Takes a valid signal out.
  public mutating func remove(_ signal: Signal) {
    let bit = signal.rawValue - 1
    if bit < 64 { low &= ~(1 << UInt64(bit)) } else { high &= ~(1 << UInt64(bit - 64)) }
  }

  /// The set of one valid signal.
  public init(of signal: Signal) {
    self.init()
    insert(signal)
  }

  /// Makes a valid signal a member, or not.
  mutating func set(_ signal: Signal, _ isMember: Bool) {
    if isMember { insert(signal) } else { remove(signal) }
  }

  /// The members that are not in `other`.
  public func subtracting(_ other: SignalSet) -> SignalSet {
    SignalSet(low: low & ~other.low, high: high & ~other.high)
  }

  /// The members of both.
  public func union(_ other: SignalSet) -> SignalSet { SignalSet(low: low | other.low, high: high | other.high) }

  /// The members that are in `other` too.
  public func intersection(_ other: SignalSet) -> SignalSet {
    SignalSet(low: low & other.low, high: high & other.high)
  }

  /// The member with the lowest number, or nil.
  public var first: Signal? {
    if low != 0 { return Signal(rawValue: Int32(low.trailingZeroBitCount) + 1) }
    if high != 0 { return Signal(rawValue: Int32(high.trailingZeroBitCount) + 65) }
    return nil
  }

  /// The signals that can neither be caught, ignored nor held back: SIGKILL and SIGSTOP.
  public static let unblockable = SignalSet(low: 1 << 8 | 1 << 16)
  /// The signals that stop a process: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU.
  public static let stops = SignalSet(low: 1 << 16 | 1 << 17 | 1 << 20 | 1 << 21)
  /// The signals that do nothing to a process that has not asked for anything: SIGURG, SIGCHLD, SIGIO, SIGWINCH, SIGINFO.
  public static let ignoredByDefault = SignalSet(low: 1 << 15 | 1 << 19 | 1 << 22 | 1 << 27 | 1 << 28)
  /// The signals that do more when they are posted than to be pending: those that stop, SIGCONT, and SIGKILL.
  static let withConsequences = SignalSet(low: 1 << 8 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 20 | 1 << 21)
  /// SIGCONT alone.
  public static let continuation = SignalSet(low: 1 << 18)
}

/// What a signal does to a process that has not asked for anything else.
public enum DefaultAction: Sendable {
  /// The process ends.
  case terminate
  /// The process stops until it is continued.
  case stop
  /// A stopped process goes on; otherwise nothing.
  case resume
  /// Nothing.
  case ignore
}

extension Signal {
  /// The default action.
  public var defaultAction: DefaultAction {
    switch self {
    case .sigstop, .sigtstp, .sigttin, .sigttou: .stop
    case .sigcont: .resume
    case .sigurg, .sigchld, .sigio, .sigwinch, .siginfo: .ignore
    default: .terminate
    }
  }
}
