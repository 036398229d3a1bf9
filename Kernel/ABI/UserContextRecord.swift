// `ucontext_t` as a structure, for whoever has one in memory of the kernel's (ucontext.h; spec signals.md section 1.12). The
// offsets are those of `UserContext`.

/// A context in its layout.
public struct UserContextRecord: BitwiseCopyable, Sendable {
  /// uc_sigmask
  public var maskLow: UInt64
  /// uc_sigmask
  public var maskHigh: UInt64
  /// mc_onstack
  public var onStack: UInt64
  /// mc_rdi
  public var rdi: UInt64
  /// mc_rsi
  public var rsi: UInt64
  /// mc_rdx
  public var rdx: UInt64
  /// mc_rcx
  public var rcx: UInt64
  /// mc_r8
  public var r8: UInt64
  /// mc_r9
  public var r9: UInt64
  /// mc_rax
  public var rax: UInt64
  /// mc_rbx
  public var rbx: UInt64
  /// mc_rbp
  public var rbp: UInt64
  /// mc_r10
  public var r10: UInt64
  /// mc_r11
  public var r11: UInt64
  /// mc_r12
  public var r12: UInt64
  /// mc_r13
  public var r13: UInt64
  /// mc_r14
  public var r14: UInt64
  /// mc_r15
  public var r15: UInt64
  /// mc_trapno
  public var trapNumber: UInt32
  /// mc_fs, mc_gs
  public var upperSelectors: UInt32
  /// mc_addr
  public var address: UInt64
  /// mc_flags
  public var flags: UInt32
  /// mc_es, mc_ds
  public var dataSelectors: UInt32
  /// mc_err
  public var error: UInt64
  /// mc_rip
  public var instructionPointer: UInt64
  /// mc_cs
  public var codeSelector: UInt64
  /// mc_rflags
  public var processorFlags: UInt64
  /// mc_rsp
  public var stackPointer: UInt64
  /// mc_ss
  public var stackSelector: UInt64
  /// mc_len
  public var length: UInt64
  /// mc_fpformat
  public var floatingPointFormat: UInt64
  /// mc_ownedfp
  public var floatingPointOwner: UInt64
  /// mc_fpstate
  public var floatingPoint: LegacyFloatingPoint
  /// mc_fsbase
  public var fsBase: UInt64
  /// mc_gsbase
  public var gsBase: UInt64
  /// From mc_xfpustate on.
  public var rest: Rest

  /// What is behind the registers, all zero at first.
  public struct Rest: BitwiseCopyable, Sendable {
    /// mc_xfpustate
    public var extended: UInt64 = 0
    /// mc_xfpustate_len
    public var extendedLength: UInt64 = 0
    private var spare = [4 of UInt64](repeating: 0)
    private var link: UInt64 = 0
    /// ss_sp
    public var stackStart: UInt64 = 0
    /// ss_size
    public var stackByteCount: UInt64 = 0
    /// ss_flags
    public var stackFlags: UInt64 = 0
    private var end = [4 of UInt64](repeating: 0)

    /// Zeros.
    public init() {}
  }
}

/// What FXSAVE stores.
public typealias LegacyFloatingPoint = [64 of UInt64]
