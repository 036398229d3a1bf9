// Where programs live, and the fixed sizes that the binary interface promises (spec abi.md, sections 1 and 13, and
// Martlet's own points, which go first).

/// The address range of ring 3, and where a program's stack lies.
public enum UserSpace {
  /// The lowest address a mapping may have: page zero is never mapped.
  public static let start: UInt64 = 0x1000
  /// The first address past user space, 2^46; above it everything behaves like kernel addresses on FreeBSD.
  public static let end: UInt64 = 0x4000_0000_0000
  /// The size of a page in bytes.
  public static let pageByteCount: UInt64 = 4096
  /// The first address past the initial stack.
  public static let stackTop: UInt64 = 0x3fff_ffff_f000
  /// Where struct ps_strings lies, which says where the arguments and the environment of a program are.
  public static let processStrings: UInt64 = stackTop - UInt64(processStringsByteCount)
  /// The size of that structure.
  public static let processStringsByteCount = 32
  /// The code that handlers of signals begin and end with. It is in the kernel's part of every address space, so that no
  /// program's map has it, and can be executed and read in ring 3.
  public static let signalTrampoline: UInt64 = 253 << 39
  /// The bytes of its instructions.
  public static let signalTrampolineByteCount: UInt64 = 24
  /// MAXSSIZ: the address space kept for the initial stack, in bytes.
  public static let maximumStackByteCount: UInt64 = 512 << 20
  /// SGROWSIZ: how much of a stack is there at first, and what it grows by, in bytes.
  public static let stackGrowthByteCount: UInt64 = 128 << 10
  /// DFLSSIZ: the soft limit of the stack that a process starts with, in bytes.
  public static let defaultStackByteCount: UInt64 = 8 << 20
  /// MAXDSIZ: the hard limit of the data segment, in bytes. Mappings without a wish start above it.
  public static let maximumDataByteCount: UInt64 = 32 << 30
}

/// Sizes that the binary interface promises.
public enum InterfaceLimits {
  /// PATH_MAX: the longest path, the NUL included.
  public static let pathByteCount = 1024
  /// ARG_MAX: arguments and environment of execve(2), in bytes.
  public static let argumentByteCount = 524_288
  /// IOV_MAX: the most pieces of readv(2) and writev(2).
  public static let vectorCount = 1024
  /// NGROUPS_MAX: the most supplementary groups.
  public static let groupCount = 1023
  /// PID_MAX
  public static let maximumProcessIdentifier: Int32 = 99_999
  /// OFF_MAX
  public static let maximumOffset = Int64.max
  /// `__FreeBSD_version`, as `kern.osreldate` and AT_OSRELDATE tell it.
  public static let osReleaseDate: UInt32 = 1_500_026
  /// The length in bytes of the canary that AT_CANARY points at.
  public static let canaryByteCount = 64
  /// What is left of the arguments of a system call when it is reached through `syscall` or `__syscall`.
  public static let registerArgumentCount = 6
}
