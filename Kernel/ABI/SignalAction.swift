// `struct sigaction` (spec abi.md section 11, signals.md section 1.2).

/// What a program asks for when a signal comes.
public struct SignalAction: BitwiseCopyable, Sendable {
  /// The bytes of the structure.
  public static let byteCount = 32
  /// Where sa_flags lies.
  public static let flagsOffset = 8
  /// Where sa_mask lies.
  public static let maskOffset = 12
  /// SIG_DFL
  public static let standard: UInt64 = 0
  /// SIG_IGN
  public static let ignore: UInt64 = 1
}

/// `sa_flags`
public struct SignalActionFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits that programs see.
  public let rawValue: UInt32
  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// SA_ONSTACK
  public static let onStack = SignalActionFlags(rawValue: 0x01)
  /// SA_RESTART
  public static let restart = SignalActionFlags(rawValue: 0x02)
  /// SA_RESETHAND
  public static let resetHandler = SignalActionFlags(rawValue: 0x04)
  /// SA_NOCLDSTOP
  public static let noChildStop = SignalActionFlags(rawValue: 0x08)
  /// SA_NODEFER
  public static let noDefer = SignalActionFlags(rawValue: 0x10)
  /// SA_NOCLDWAIT
  public static let noChildWait = SignalActionFlags(rawValue: 0x20)
  /// SA_SIGINFO
  public static let information = SignalActionFlags(rawValue: 0x40)
  /// All that there are.
  public static let known = SignalActionFlags(rawValue: 0x7f)
}

/// The operations of sigfastblock(2), and its word.
public enum FastSignalBlock {
  /// SIGFASTBLOCK_SETPTR
  public static let set: Int32 = 1
  /// SIGFASTBLOCK_UNBLOCK
  public static let unblock: Int32 = 2
  /// SIGFASTBLOCK_UNSETPTR
  public static let unset: Int32 = 3
  /// SIGFASTBLOCK_PEND: a signal is held back
  public static let pending: UInt32 = 1
  /// The bits of the word that do not count how often signals are held back.
  public static let flags: UInt32 = 15
}

/// `how` of sigprocmask(2)
public enum SignalMaskChange: Int32, Sendable {
  /// SIG_BLOCK
  case block = 1
  /// SIG_UNBLOCK
  case unblock = 2
  /// SIG_SETMASK
  case set = 3
}

/// `stack_t` (spec signals.md section 1.15).
public struct AlternateStack: BitwiseCopyable, Sendable {
  /// ss_sp
  public var start: UInt64 = 0
  /// ss_size
  public var byteCount: UInt64 = 0
  /// Whether there is one (not SS_DISABLE).
  public var isEnabled = false

  /// None.
  public init() {}

  /// The bytes of a stack_t.
  public static let structureByteCount = 24
  /// SS_ONSTACK
  public static let isOnStackFlag: UInt32 = 1
  /// SS_DISABLE
  public static let disabledFlag: UInt32 = 4
  /// MINSIGSTKSZ
  public static let minimumByteCount: UInt64 = 2048

  /// Whether a stack pointer is on it.
  public func contains(_ stackPointer: UInt64) -> Bool { isEnabled && stackPointer &- start < byteCount }

  /// The flags that are reported.
  public func flags(stackPointer: UInt64) -> UInt32 {
    guard isEnabled else { return AlternateStack.disabledFlag }
    return contains(stackPointer) ? AlternateStack.isOnStackFlag : 0
  }
}
