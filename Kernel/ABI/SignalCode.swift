// Why a signal was sent: `si_code` (spec abi.md, section 11 and the table of processor exceptions).

/// The `si_code` of a siginfo_t; its meaning depends on the signal.
public struct SignalCode: Equatable, BitwiseCopyable, Sendable {
  /// The number in `si_code`.
  public let rawValue: Int32

  /// Wraps a value of the binary interface.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }
}

extension SignalCode {

  // SIGILL

  /// ILL_ILLOPC
  public static let illegalOpcode = SignalCode(rawValue: 1)
  /// ILL_ILLOPN
  public static let illegalOperand = SignalCode(rawValue: 2)
  /// ILL_ILLADR
  public static let illegalAddressing = SignalCode(rawValue: 3)
  /// ILL_ILLTRP
  public static let illegalTrap = SignalCode(rawValue: 4)
  /// ILL_PRVOPC
  public static let illegalPrivilegedOpcode = SignalCode(rawValue: 5)

  // SIGBUS

  /// BUS_ADRALN
  public static let busAlignment = SignalCode(rawValue: 1)
  /// BUS_ADRERR
  public static let busAddress = SignalCode(rawValue: 2)
  /// BUS_OBJERR
  public static let busObject = SignalCode(rawValue: 3)
  /// BUS_OOMERR
  public static let busOutOfMemory = SignalCode(rawValue: 100)

  // SIGSEGV

  /// SEGV_MAPERR
  public static let segmentNotMapped = SignalCode(rawValue: 1)
  /// SEGV_ACCERR
  public static let segmentAccess = SignalCode(rawValue: 2)
  /// SEGV_PKUERR
  public static let segmentProtectionKey = SignalCode(rawValue: 100)

  // SIGFPE

  /// FPE_INTOVF
  public static let floatIntegerOverflow = SignalCode(rawValue: 1)
  /// FPE_INTDIV
  public static let floatIntegerDivide = SignalCode(rawValue: 2)
  /// FPE_FLTDIV
  public static let floatDivide = SignalCode(rawValue: 3)
  /// FPE_FLTOVF
  public static let floatOverflow = SignalCode(rawValue: 4)
  /// FPE_FLTUND
  public static let floatUnderflow = SignalCode(rawValue: 5)
  /// FPE_FLTRES
  public static let floatInexact = SignalCode(rawValue: 6)
  /// FPE_FLTINV
  public static let floatInvalid = SignalCode(rawValue: 7)
  /// FPE_FLTSUB
  public static let floatSubscript = SignalCode(rawValue: 8)

  // SIGTRAP

  /// TRAP_BRKPT
  public static let trapBreakpoint = SignalCode(rawValue: 1)
  /// TRAP_TRACE
  public static let trapTrace = SignalCode(rawValue: 2)
  /// TRAP_CAP
  public static let trapCapability = SignalCode(rawValue: 4)

  // SIGCHLD

  /// CLD_EXITED
  public static let childExited = SignalCode(rawValue: 1)
  /// CLD_KILLED
  public static let childKilled = SignalCode(rawValue: 2)
  /// CLD_DUMPED
  public static let childDumped = SignalCode(rawValue: 3)
  /// CLD_TRAPPED
  public static let childTrapped = SignalCode(rawValue: 4)
  /// CLD_STOPPED
  public static let childStopped = SignalCode(rawValue: 5)
  /// CLD_CONTINUED
  public static let childContinued = SignalCode(rawValue: 6)

  // Any signal

  /// SI_NOINFO
  public static let noInformation = SignalCode(rawValue: 0)
  /// SI_USER: kill(2)
  public static let user = SignalCode(rawValue: 0x10001)
  /// SI_QUEUE
  public static let queue = SignalCode(rawValue: 0x10002)
  /// SI_TIMER
  public static let timer = SignalCode(rawValue: 0x10003)
  /// SI_ASYNCIO
  public static let asynchronousIO = SignalCode(rawValue: 0x10004)
  /// SI_MESGQ
  public static let messageQueue = SignalCode(rawValue: 0x10005)
  /// SI_KERNEL
  public static let kernel = SignalCode(rawValue: 0x10006)
  /// SI_LWP
  public static let lightweightProcess = SignalCode(rawValue: 0x10007)
}
