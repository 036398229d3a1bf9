// Which processors a thread may use: the numbers of cpuset_getaffinity(2) and cpuset_setaffinity(2).

/// cpulevel_t
public enum ProcessorSetLevel {
  /// CPU_LEVEL_ROOT
  public static let root: Int32 = 1
  /// CPU_LEVEL_CPUSET
  public static let set: Int32 = 2
  /// CPU_LEVEL_WHICH
  public static let which: Int32 = 3
}

/// cpuwhich_t: what an identifier names.
public enum ProcessorSetSubject {
  /// CPU_WHICH_TID
  public static let thread: Int32 = 1
  /// CPU_WHICH_PID
  public static let process: Int32 = 2
  /// CPU_WHICH_CPUSET
  public static let set: Int32 = 3
  /// CPU_WHICH_JAIL
  public static let jail: Int32 = 5
  /// CPU_WHICH_TIDPID
  public static let threadOrProcess: Int32 = 9
  /// The set that every process is in.
  public static let defaultSet: Int64 = 1
}

/// The bits of a set of processors.
public enum ProcessorSetMask {
  /// `sizeof(cpuset_t)`
  public static let byteCount = 128
}
