// What a thread keeps in a frame of its own: its registers, in the layout that the machine's entry code knows, and the
// buffer in which paths and structures of its calls are staged, with what of it is being copied out.
//
// Layout (the machine's assembly relies on it): general registers from offset 0 in the order of the fields below, the
// floating point area at 256, 832 bytes in the standard format of XSAVE; the record is 64-byte aligned. The kernel's own
// fields come after the first 1088 bytes.

import ABI
public import Files

/// The registers of ring 3.
public struct ThreadContext: BitwiseCopyable {
  /// rax
  public var rax: UInt64 = 0
  /// rbx
  public var rbx: UInt64 = 0
  /// rcx
  public var rcx: UInt64 = 0
  /// rdx
  public var rdx: UInt64 = 0
  /// rsi
  public var rsi: UInt64 = 0
  /// rdi
  public var rdi: UInt64 = 0
  /// rbp
  public var rbp: UInt64 = 0
  /// rsp
  public var rsp: UInt64 = 0
  /// r8
  public var r8: UInt64 = 0
  /// r9
  public var r9: UInt64 = 0
  /// r10
  public var r10: UInt64 = 0
  /// r11
  public var r11: UInt64 = 0
  /// r12
  public var r12: UInt64 = 0
  /// r13
  public var r13: UInt64 = 0
  /// r14
  public var r14: UInt64 = 0
  /// r15
  public var r15: UInt64 = 0
  /// rip
  public var rip: UInt64 = 0
  /// rflags
  public var rflags: UInt64 = 0
  /// The base of the fs segment.
  public var fsBase: UInt64 = 0
  /// The base of the gs segment.
  public var gsBase: UInt64 = 0
  /// 0: the thread entered by `syscall` and may leave by `sysret`; 1: every register must be restored.
  public var returnPath: UInt64 = 0
  private var spare = [11 of UInt64](repeating: 0)
  static let floatingPointOffset = 256
  /// The floating point area.
  public var floatingPoint = [104 of UInt64](repeating: 0)

  /// Registers that are all zero, floating point registers as at program start.
  public init() {
    setCleanFloatingPoint()
  }

  /// The registers of a call that returned 0: carry clear, %rdx as it was, %r8 to %r10 zero (spec abi.md section 2).
  mutating func setSuccess() {
    rax = 0
    rflags &= ~ThreadContext.carryFlag
    r8 = 0
    r9 = 0
    r10 = 0
  }

  /// The carry flag in rflags, which tells a program that its call failed.
  public static let carryFlag: UInt64 = 1
  /// The trap flag in rflags: a single step.
  public static let trapFlag: UInt64 = 0x100
  /// Whether the call was made through `syscall` or `__syscall`, while its number is still in rax.
  public var isIndirectCall: Bool {
    rax == UInt64(SystemCallNumber.syscall.rawValue) || rax == UInt64(SystemCallNumber.syscallWide.rawValue)
  }

  /// The rflags of a new program: interrupts on, nothing else (spec abi.md section 13).
  public static let initialFlags: UInt64 = 0x202

  /// Gives the floating point area the state of a new program: x87 control word 0x037F, MXCSR 0x1F80.
  public mutating func setCleanFloatingPoint() {
    for index in 0..<104 { floatingPoint[index] = 0 }
    floatingPoint[0] = 0x037f
    floatingPoint[3] = 0x1f80
  }
}

/// What is behind the header of the extended state.
typealias UpperHalves = [32 of UInt64]

/// The registers from which a call takes its arguments, in the layout of the first registers of a `ThreadContext`.
public struct ArgumentRegisters: BitwiseCopyable {
  private var unused = [3 of UInt64](repeating: 0)
  /// The third argument.
  public var rdx: UInt64 = 0
  /// The second argument.
  public var rsi: UInt64 = 0
  /// The first argument.
  public var rdi: UInt64 = 0
  private var unusedToo = [2 of UInt64](repeating: 0)
  /// The fifth argument.
  public var r8: UInt64 = 0
  /// The sixth argument.
  public var r9: UInt64 = 0
  /// The fourth argument.
  public var r10: UInt64 = 0
}

/// The frame of a thread.
public struct ThreadRecord: BitwiseCopyable {
  /// The registers.
  public var context = ThreadContext()
  /// The arguments of a call that was made through `syscall` or `__syscall`, moved to where those of a direct call are.
  var indirectArguments = ArgumentRegisters()
  static let indirectArgumentsOffset = MemoryLayout<ThreadContext>.size
  /// What a thread has from the one that made it: everything up to here. The rest is set, or written before it is read.
  static let inheritedByteCount = MemoryLayout<ThreadContext>.size + MemoryLayout<ArgumentRegisters>.size
  static let bufferOffset = indirectArgumentsOffset + MemoryLayout<ArgumentRegisters>.size
  /// Where a call's path or structure is staged on its way in or out.
  public var buffer = [1024 of UInt8](repeating: 0)
  static let extendedStateOffset = bufferOffset + 1024
  /// The most that a processor has of extended state: a header, and the upper halves of vector registers.
  public static let extendedStateByteCount = 320
  /// Where what a signal's frame has of floating point state elsewhere is staged on its way in.
  public var extendedState = [320 of UInt8](repeating: 0)
  /// What remains of a kevent(2).
  public var events = PendingEvents()
  /// What remains of the dump of a queue.
  public var dump = QueueDump()
  /// What remains of a poll(2) or select(2).
  public var polling = PendingPoll()
  /// What of a message is to be told besides its bytes.
  public var message = PendingMessage()
  /// What of the buffer is being copied out.
  public var delivery = Delivery()
  /// What remains of a getpriority(2) or setpriority(2).
  public var priorities = PendingPriorities()
  /// Its name, its priority.
  public var attributes = ThreadAttributes()
  /// Its sleep on a word of user memory.
  public var userSleep = UserSleep()
  /// The robust mutexes that it owns.
  public var robustWalk = RobustWalk()

  /// A record of a thread that has not run.
  public init() {}
}
