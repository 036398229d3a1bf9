// kinfo_proc: what sysctl(3) tells of a process (KERN_PROC_PID and its like; FreeBSD's sys/user.h).

/// What a process is doing (S*).
public enum ProcessInformationState: UInt8, Sendable {
  /// SRUN
  case running = 2
  /// SSLEEP
  case sleeping = 3
  /// SSTOP
  case stopped = 4
  /// SZOMB
  case zombie = 5
}

/// A kinfo_proc.
public struct ProcessInformation: Sendable {
  /// The structure. Addresses in the kernel are not told.
  public private(set) var bytes = [1088 of UInt8](repeating: 0)

  /// KINFO_PROC_SIZE
  public static let byteCount = 1088

  /// One of which nothing is said yet.
  public init() {
    bytes.store(UInt32(Self.byteCount), at: 0)
    // ki_tpgid, ki_tdev, ki_oncpu: no terminal, no processor.
    bytes.store(Int32(-1), at: 84)
    bytes.store(UInt64.max, at: 560)
    bytes.store(UInt32.max, at: 100)
    bytes[392] = 0xff
    bytes.store(Int32(-1), at: 568)
    put("FreeBSD ELF64", at: 467)
    put("default", at: 484)
  }

  /// ki_pid, ki_ppid, ki_pgid, ki_sid
  public mutating func setFamily(identifier: Int32, parent: Int32, group: Int32, session: Int32) {
    bytes.store(identifier, at: 72)
    bytes.store(parent, at: 76)
    bytes.store(group, at: 80)
    bytes.store(session, at: 88)
  }

  /// ki_siglist, ki_sigmask, ki_sigignore, ki_sigcatch
  public mutating func setSignals(
    pending: UInt64, pendingHigh: UInt64 = 0, mask: UInt64, ignored: UInt64, caught: UInt64
  ) {
    bytes.store(pending, at: 104)
    bytes.store(pendingHigh, at: 112)
    bytes.store(mask, at: 120)
    bytes.store(ignored, at: 136)
    bytes.store(caught, at: 152)
  }

  /// ki_uid, ki_ruid, ki_svuid, ki_rgid, ki_svgid
  public mutating func setIdentity(
    effectiveUser: UInt32, user: UInt32, savedUser: UInt32, group: UInt32, savedGroup: UInt32
  ) {
    bytes.store(effectiveUser, at: 168)
    bytes.store(user, at: 172)
    bytes.store(savedUser, at: 176)
    bytes.store(group, at: 180)
    bytes.store(savedGroup, at: 184)
  }

  /// How many groups of a process are told.
  public static let groupCapacity = 16

  /// ki_ngroups and ki_groups: the next of the groups, the effective one first.
  public mutating func addGroup(_ group: UInt32) {
    let count = Int(bytes[188])
    guard count < Self.groupCapacity else { return }
    bytes.store(group, at: 192 + 4 * count)
    bytes[188] = UInt8(count + 1)
  }

  /// ki_size in bytes; ki_rssize, ki_tsize, ki_dsize in pages.
  public mutating func setSize(byteCount: UInt64, residentPages: UInt64, text: UInt64, data: UInt64) {
    bytes.store(byteCount, at: 256)
    bytes.store(residentPages, at: 264)
    bytes.store(text, at: 280)
    bytes.store(data, at: 288)
  }

  /// ki_xstat
  public mutating func setExitStatus(_ status: UInt16) { bytes.store(status, at: 304) }

  /// ki_runtime in microseconds, ki_start, ki_childtime, ki_rusage and ki_rusage_ch
  public mutating func setTimes(
    microseconds: UInt64, start: Timeval, childTime: Timeval, _ usage: Rusage, ofChildren childUsage: Rusage
  ) {
    bytes.store(microseconds, at: 328)
    withPart(336, 32) { part in
      start.encode(into: &part, at: 0)
      childTime.encode(into: &part, at: 16)
    }
    withPart(608, 144) { usage.encode(into: &$0) }
    withPart(752, 144) { childUsage.encode(into: &$0) }
  }

  /// ki_stat, ki_nice, ki_numthreads, ki_tid, ki_pri
  public mutating func setState(
    _ state: ProcessInformationState, niceness: Int8, threadCount: Int, thread: Int32, priorityClass: UInt8,
    level: UInt8
  ) {
    bytes[388] = state.rawValue
    bytes[389] = UInt8(bitPattern: niceness)
    bytes.store(Int32(truncatingIfNeeded: threadCount), at: 596)
    bytes.store(thread, at: 600)
    bytes[604] = priorityClass
    bytes[605] = level
    bytes[606] = level
    bytes[607] = level
  }

  /// ki_flag, ki_kiflag and ki_cr_flags: whether it has changed its identity since it executed a program, whether it leads its
  /// session, and whether it is in capability mode.
  public mutating func setFlags(hasChangedIdentity: Bool, leadsSession: Bool, isInCapabilityMode: Bool) {
    // P_SUGID, P_INMEM; KI_SLEADER; KI_CRF_CAPABILITY_MODE
    bytes.store(UInt64((hasChangedIdentity ? 0x100 : 0) | 0x1000_0000), at: 368)
    bytes.store(UInt64(leadsSession ? 2 : 0), at: 376)
    bytes.store(UInt32(isInCapabilityMode ? 1 : 0), at: 588)
  }

  /// A byte of ki_comm, which has up to 19, or of ki_tdname, up to 16.
  public mutating func setNameByte(ofThread: Bool, _ index: Int, _ byte: UInt8) {
    if index < (ofThread ? 16 : 19) { bytes[(ofThread ? 394 : 447) + index] = byte }
  }

  /// ki_wmesg: what it waits for, in up to eight letters.
  public mutating func setWaitMessage(_ message: String) { put(message, at: 411, limit: 8) }

  private mutating func put(_ text: String, at offset: Int, limit: Int = 16) {
    var index = 0
    for byte in text.utf8 where index < limit {
      bytes[offset + index] = byte
      index += 1
    }
  }

  private mutating func withPart(_ offset: Int, _ byteCount: Int, _ body: (inout MutableRawSpan) -> Void) {
    var span = bytes.mutableSpan
    var whole = MutableRawSpan(_elements: &span)
    var part = whole._mutatingExtracting(offset..<offset + byteCount)
    body(&part)
  }
}
