// The frame of a signal handler, and the context in it (spec signals.md section 1.12; machine/sigframe.h, ucontext.h).

/// Offsets in `struct sigframe`, from the frame's start.
public enum SignalFrame {
  /// The whole.
  public static let byteCount = 976
  /// sf_ahu: the handler, which the trampoline calls.
  public static let handler = 0
  /// sf_uc
  public static let context = 16
  /// sf_si
  public static let information = 896
  /// Bytes below the stack pointer that a function may use.
  public static let redZoneByteCount: UInt64 = 128
}

/// Offsets in `ucontext_t`, and what stands there.
public enum UserContext {
  /// The whole.
  public static let byteCount = 880
  /// What getcontext(2) stores: mask and registers.
  public static let storedByteCount = 816
  /// uc_sigmask
  public static let mask = 0
  /// mc_onstack
  public static let onStack = 16
  /// mc_rdi; mc_rsi, mc_rdx, mc_rcx, mc_r8, mc_r9, mc_rax, mc_rbx, mc_rbp, mc_r10 to mc_r15 follow.
  public static let registers = 24
  /// mc_trapno
  public static let trapNumber = 144
  /// mc_fs, mc_gs
  public static let upperSelectors = 148
  /// mc_addr
  public static let address = 152
  /// mc_flags
  public static let flags = 160
  /// mc_es, mc_ds
  public static let dataSelectors = 164
  /// mc_err
  public static let error = 168
  /// mc_rip
  public static let instructionPointer = 176
  /// mc_cs
  public static let codeSelector = 184
  /// mc_rflags
  public static let processorFlags = 192
  /// mc_rsp
  public static let stackPointer = 200
  /// mc_ss
  public static let stackSelector = 208
  /// mc_len
  public static let length = 216
  /// mc_fpformat
  public static let floatingPointFormat = 224
  /// mc_ownedfp
  public static let floatingPointOwner = 232
  /// mc_fpstate: what FXSAVE stores
  public static let floatingPoint = 240
  /// Its length.
  public static let legacyByteCount = 512
  /// mc_fsbase
  public static let fsBase = 752
  /// mc_gsbase
  public static let gsBase = 760
  /// mc_xfpustate
  public static let extended = 768
  /// mc_xfpustate_len
  public static let extendedLength = 776
  /// uc_stack
  public static let stack = 824

  /// What mc_len says.
  public static let registersByteCount: UInt64 = 800
  /// mc_flags: selectors are there
  public static let hasSelectors: UInt32 = 1
  /// mc_flags: so are the bases, for setcontext(2)
  public static let hasBases: UInt32 = 2
  /// mc_flags: more of the floating point state lies elsewhere
  public static let hasExtended: UInt32 = 4
  /// mc_fpformat: there is none
  public static let withoutFloatingPoint: UInt64 = 0x10000
  /// mc_fpformat: as FXSAVE stores it
  public static let vectorFloatingPoint: UInt64 = 0x10002
  /// mc_ownedfp: the thread has not used it
  public static let unusedFloatingPoint: UInt64 = 0x20000
  /// mc_ownedfp: it was in the processor
  public static let ownedFloatingPoint: UInt64 = 0x20001
  /// mc_ownedfp: it was in memory
  public static let storedFloatingPoint: UInt64 = 0x20002
  /// The selectors of FreeBSD's programs.
  public static let codeSelectorOfPrograms: UInt64 = 0x43
  /// ss, ds, es
  public static let dataSelectorOfPrograms: UInt64 = 0x3b
  /// fs and gs, one behind the other
  public static let upperSelectorsOfPrograms: UInt32 = 0x1b << 16 | 0x13
  /// The bits of rflags that a program may change: CF PF AF ZF SF TF DF OF NT RF AC ID.
  public static let changeableFlags: UInt64 = 0x25_4dd5
  /// TF and DF, which are clear when a handler begins.
  public static let flagsClearedForHandlers: UInt64 = 0x500
}
