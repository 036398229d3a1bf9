// What FreeBSD calls the exceptions of the processor: `si_trapno`, `mc_trapno` (spec signals.md section 1.11; machine/trap.h).

/// The number of a trap.
public struct TrapNumber: Equatable, BitwiseCopyable, Sendable {
  /// The number that programs see.
  public let rawValue: UInt32

  /// Wraps a value of the binary interface.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// T_PRIVINFLT: an instruction that does not exist or is not for programs
  public static let invalidOpcode = TrapNumber(rawValue: 1)
  /// T_BPTFLT
  public static let breakpoint = TrapNumber(rawValue: 3)
  /// T_ARITHTRAP: the x87 unit
  public static let floatingPoint = TrapNumber(rawValue: 6)
  /// T_PROTFLT
  public static let protection = TrapNumber(rawValue: 9)
  /// T_TRCTRAP
  public static let trace = TrapNumber(rawValue: 10)
  /// T_PAGEFLT
  public static let pageFault = TrapNumber(rawValue: 12)
  /// T_ALIGNFLT
  public static let alignment = TrapNumber(rawValue: 14)
  /// T_DIVIDE
  public static let divide = TrapNumber(rawValue: 18)
  /// T_OFLOW
  public static let overflow = TrapNumber(rawValue: 20)
  /// T_BOUND
  public static let bound = TrapNumber(rawValue: 21)
  /// T_TSSFLT
  public static let taskSegment = TrapNumber(rawValue: 25)
  /// T_SEGNPFLT
  public static let segmentNotPresent = TrapNumber(rawValue: 26)
  /// T_STKFLT
  public static let stackSegment = TrapNumber(rawValue: 27)
  /// T_XMMFLT
  public static let vectorFloatingPoint = TrapNumber(rawValue: 29)
}
