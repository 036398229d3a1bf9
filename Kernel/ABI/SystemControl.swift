// The numbers of sysctl(3) names (spec abi.md, section 17), for `__sysctl`. Names without a number of their own in
// FreeBSD are given numbers at run time there and are reached by `__sysctlbyname` or through `{0, 3}`.

/// Identifiers of the `__sysctl` name space, by level.
public enum SystemControl {
  /// CTL_MAXNAME: the most integers a name may have.
  public static let maximumNameLength = 24

  /// The first level.
  public enum Top {
    /// {0, …}: the interface for the names themselves.
    public static let meta: Int32 = 0
    /// CTL_KERN
    public static let kern: Int32 = 1
    /// CTL_VM
    public static let vm: Int32 = 2
    /// CTL_NET
    public static let net: Int32 = 4
    /// CTL_DEBUG
    public static let debug: Int32 = 5
    /// CTL_HW
    public static let hw: Int32 = 6
    /// The first number that FreeBSD gives out at boot, here that of `security`.
    public static let security: Int32 = 0x100
  }

  /// Below `Top.meta`.
  public enum Meta {
    /// {0, 3}: name to identifier.
    public static let nameToIdentifier: Int32 = 3
  }

  /// Below `Top.kern`.
  public enum Kern {
    /// KERN_OSTYPE
    public static let osType: Int32 = 1
    /// KERN_OSRELEASE
    public static let osRelease: Int32 = 2
    /// KERN_OSREV
    public static let osRevision: Int32 = 3
    /// KERN_VERSION
    public static let version: Int32 = 4
    /// KERN_MAXPROC
    public static let maximumProcesses: Int32 = 6
    /// KERN_MAXFILES
    public static let maximumFiles: Int32 = 7
    /// KERN_ARGMAX
    public static let argumentMaximum: Int32 = 8
    /// KERN_HOSTNAME
    public static let hostName: Int32 = 10
    /// KERN_CLOCKRATE
    public static let clockRate: Int32 = 12
    /// KERN_PROC
    public static let process: Int32 = 14
    /// KERN_FILE
    public static let file: Int32 = 15
    /// KERN_NGROUPS
    public static let groupMaximum: Int32 = 18
    /// KERN_BOOTTIME
    public static let bootTime: Int32 = 21
    /// KERN_OSRELDATE
    public static let osReleaseDate: Int32 = 24
    /// KERN_MAXFILESPERPROC
    public static let maximumFilesPerProcess: Int32 = 27
    /// KERN_USRSTACK
    public static let userStack: Int32 = 33
    /// KERN_ARND
    public static let random: Int32 = 37
  }

  /// Below KERN_PROC: what each process has one of, whose number follows.
  public enum Process: Int32, CaseIterable, Sendable {
    /// KERN_PROC_ALL: every process.
    case all = 0
    /// KERN_PROC_PID: one.
    case identifier = 1
    /// KERN_PROC_PGRP: those of a group.
    case group = 2
    /// KERN_PROC_SESSION: those of a session.
    case session = 3
    /// KERN_PROC_UID: those with an effective user.
    case effectiveUser = 5
    /// KERN_PROC_RUID: those with a real user.
    case realUser = 6
    /// KERN_PROC_ARGS: its arguments, or the title that it has given itself.
    case arguments = 7
    /// KERN_PROC_PROC: every process, whatever threads it has.
    case processes = 8
    /// KERN_PROC_SV_NAME: the system that its program is for.
    case systemName = 9
    /// KERN_PROC_RGID: those with a real group.
    case realGroup = 10
    /// KERN_PROC_GID: those with a group.
    case effectiveGroup = 11
    /// KERN_PROC_PATHNAME: the path of the file that it executes.
    case path = 12
    /// KERN_PROC_VMMAP: its mappings.
    case mappings = 32
    /// KERN_PROC_FILEDESC: what it has open.
    case descriptors = 33
    /// KERN_PROC_ENV: its environment.
    case environment = 35
    /// KERN_PROC_AUXV: what the kernel told the program when it began.
    case auxiliaryVector = 36
    /// KERN_PROC_PS_STRINGS: where its memory says where arguments and environment are.
    case processStrings = 38
    /// KERN_PROC_UMASK: permission bits that its new objects do not get.
    case creationMask = 39
    /// KERN_PROC_OSREL: the version of the system that its program is for.
    case release = 40
    /// KERN_PROC_SIGTRAMP: where handlers of signals return to.
    case trampoline = 41
    /// KERN_PROC_NFDS: how many descriptors it has open.
    case descriptorCount = 43

    /// KERN_PROC_INC_THREAD: with a node of processes, each of their threads is told of.
    public static let withThreads: Int32 = 0x10

    /// Whether it is one that gives a list of processes.
    public var listsProcesses: Bool {
      rawValue <= Process.effectiveGroup.rawValue && self != .arguments && self != .systemName
    }

    /// The name.
    public var name: String {
      switch self {
      case .all: "kern.proc.all"
      case .identifier: "kern.proc.pid"
      case .group: "kern.proc.pgrp"
      case .session: "kern.proc.sid"
      case .effectiveUser: "kern.proc.uid"
      case .realUser: "kern.proc.ruid"
      case .arguments: "kern.proc.args"
      case .systemName: "kern.proc.sv_name"
      case .processes: "kern.proc.proc"
      case .realGroup: "kern.proc.rgid"
      case .effectiveGroup: "kern.proc.gid"
      case .mappings: "kern.proc.vmmap"
      case .descriptors: "kern.proc.filedesc"
      case .environment: "kern.proc.env"
      case .auxiliaryVector: "kern.proc.auxv"
      case .processStrings: "kern.proc.ps_strings"
      case .creationMask: "kern.proc.umask"
      case .release: "kern.proc.osrel"
      case .path: "kern.proc.pathname"
      case .trampoline: "kern.proc.sigtramp"
      case .descriptorCount: "kern.proc.nfds"
      }
    }
  }

  /// Below `Top.hw`.
  public enum Hardware {
    /// HW_MACHINE
    public static let machine: Int32 = 1
    /// HW_NCPU
    public static let processorCount: Int32 = 3
    /// HW_PHYSMEM
    public static let physicalMemory: Int32 = 5
    /// HW_PAGESIZE
    public static let pageSize: Int32 = 7
  }

  /// Below `Top.vm`.
  public enum VirtualMemory {
    /// VM_TOTAL
    public static let total: Int32 = 1
    /// VM_LOADAVG
    public static let loadAverage: Int32 = 2
    /// VM_OVERCOMMIT
    public static let overcommit: Int32 = 12
  }
}

/// kern.clockrate: `struct clockinfo`. This kernel has no ticks: timers are as fine as its clock. These are what programs
/// expect to be able to divide by.
public struct ClockRate: BitwiseCopyable, Sendable {
  /// hz
  public let ticksPerSecond: UInt32 = 1000
  /// tick
  public let tickMicroseconds: UInt32 = 1000
  /// stathz
  public let statisticsTicksPerSecond: UInt32 = 128
  /// profhz
  public let profilingTicksPerSecond: UInt32 = 8192

  /// The rates.
  public init() {}

  /// The size of the structure.
  public static let byteCount = 20
}
