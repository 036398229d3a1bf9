// What is known of an operation without running it: which system call it is, and what its pointers point to.

public import ABI

extension Operation {
  /// Numbers that mean nothing in FreeBSD either.
  static let unknownCalls: [UInt64] = [8, 11, 91, 215, 399, 521, 549, 590, 591, 599, 1000, 70_000, UInt64(UInt32.max)]
  /// Calls of FreeBSD that do not exist here: link(2), readlink(2), ktrace(2), getlogin(2), FreeBSD 6's lseek(2), jail(2),
  /// sigfastblock(2), sched_getcpu(2), timerfd_settime(2).
  static let missingCalls: [UInt64] = [9, 45, 49, 58, 199, 338, 573, 581, 587]

  /// The operation inside those that only change how it is called.
  public var innermost: Operation {
    switch self {
    case .through(_, let inner), .misplaced(_, _, let inner): inner.innermost
    default: self
    }
  }

  /// The system calls that the operation makes; none for accesses of memory and what the machine does.
  public var systemCalls: [SystemCallNumber] {
    switch self {
    case .through(let isWide, let inner): [isWide ? .syscallWide : .syscall] + inner.systemCalls
    case .misplaced(_, _, let inner): inner.systemCalls
    case .load, .store, .fetch, .evict, .type, .unknownCall: []
    default: [systemCall]
    }
  }

  private var systemCall: SystemCallNumber {
    switch self {
    case .sharedMemoryOpen(_, _, _, _, let is2008): is2008 ? .shmOpen : .shmOpen2
    case .sharedMemoryUnlink: .shmUnlink
    case .truncate: .ftruncate
    case .status(_, let is2008): is2008 ? .fstat2008 : .fstat
    case .changeMode: .fchmod
    case .changeOwner: .fchown
    case .map: .mmap
    case .unmap: .munmap
    case .protect: .mprotect
    case .setBreak: .break
    case .close: .close
    case .duplicate: .dup
    case .duplicateTo: .dup2
    case .fileControl: .fcntl
    case .read(_, _, _, let offset): offset == nil ? .read : .pread
    case .write(_, _, _, let offset): offset == nil ? .write : .pwrite
    case .seek: .lseek
    case .open(_, _, let directory): directory == nil ? .open : .openat
    case .deviceControl: .ioctl
    case .synchronize(_, let onlyData): onlyData ? .fdatasync : .fsync
    case .copyRange: .copyFileRange
    case .descriptorTableSize: .getdtablesize
    case .closeFrom: .closefrom
    case .closeRange: .closeRange
    default: processCall
    }
  }

  private var processCall: SystemCallNumber {
    switch self {
    case .fork(_, let isPartial): isPartial ? .rfork : .fork
    case .exit: .exit
    case .wait: .wait4
    case .execute: .execve
    case .kill: .kill
    case .signalAction: .sigaction
    case .controlProcess: .procctl
    case .processGroup: .getpgrp
    case .processGroupOf: .getpgid
    case .setProcessGroup: .setpgid
    case .makeSession: .setsid
    case .sessionOf: .getsid
    case .processIdentifier: .getpid
    case .parentIdentifier: .getppid
    case .threadIdentifier: .thrSelf
    case .yield: .schedYield
    case .identity(.user): .getuid
    case .identity(.effectiveUser): .geteuid
    case .identity(.group): .getgid
    case .identity(.effectiveGroup): .getegid
    case .setIdentity(.user, _): .setuid
    case .setIdentity(.effectiveUser, _): .seteuid
    case .setIdentity(.group, _): .setgid
    case .setIdentity(.effectiveGroup, _): .setegid
    default: systemCallOfSystem
    }
  }

  private var systemCallOfSystem: SystemCallNumber {
    switch self {
    case .setIdentities(let ofGroups, let values):
      values.count == 2 ? (ofGroups ? .setregid : .setreuid) : (ofGroups ? .setresgid : .setresuid)
    case .identities(let ofGroups, _): ofGroups ? .getresgid : .getresuid
    case .setGroups: .setgroups
    case .groups: .getgroups
    case .isTainted: .issetugid
    case .mask: .umask
    case .resourceUsage: .getrusage
    case .resourceLimit: .getrlimit
    case .setResourceLimit: .setrlimit
    case .sleep: .nanosleep
    case .clock: .clockGettime
    case .clockResolution: .clockGetres
    case .timeOfDay: .gettimeofday
    case .systemControl(.name, _, _, _): .sysctlbyname
    case .systemControl(.numbers, _, _, _): .sysctl
    case .randomBytes: .getrandom
    case .architecture: .sysarch
    case .restart: .reboot
    default: preconditionFailure("no system call: \(self)")
    }
  }

  // MARK: Pointers

  /// What a pointer of the call points to: how many bytes, and whether the kernel fills them.
  struct PointerUse: Equatable {
    var byteCount: Int
    var isFilled: Bool
  }

  /// How the call uses a pointer; nil when it has none of that kind.
  func use(of pointer: CallPointer) -> PointerUse? {
    func reads(_ byteCount: Int) -> PointerUse { PointerUse(byteCount: byteCount, isFilled: false) }
    func fills(_ byteCount: Int) -> PointerUse? {
      byteCount == 0 ? nil : PointerUse(byteCount: byteCount, isFilled: true)
    }
    switch (self, pointer) {
    case (.sharedMemoryOpen(let name?, _, _, _, _), .path), (.sharedMemoryUnlink(let name), .path),
      (.open(let name, _, _), .path), (.execute(let name, _), .path):
      return reads(name.utf8.count + 1)
    case (.execute(_, let count), .input): return reads(8 * (count + 1))
    case (.status(_, let is2008), .output): return fills(is2008 ? 120 : 224)
    case (.deviceControl(_, let request, _), .input):
      return request >> 31 == 1 && request & 0x2000_0000 == 0 ? reads(Int(request >> 16 & 0x1FFF)) : nil
    case (.deviceControl(_, let request, _), .output):
      return request >> 30 == 1 ? fills(Int(request >> 16 & 0x1FFF)) : nil
    case (.copyRange(_, _, _, _, let offsets), .input): return offsets & 1 == 1 ? reads(8) : nil
    case (.copyRange(_, _, _, _, let offsets), .second): return offsets & 2 == 2 ? reads(8) : nil
    case (.wait(_, _, _), .output): return fills(4)
    case (.wait(_, _, let usage), .second): return usage ? fills(144) : nil
    case (.signalAction(_, let handler, _), .input): return handler == nil ? nil : reads(32)
    case (.controlProcess(_, _, let command, _), .input): return command == 1 ? reads(4) : nil
    case (.signalAction(_, _, let wantsOld), .output): return wantsOld ? fills(32) : nil
    case (.threadIdentifier, .output): return fills(8)
    case (.groups(let room), .output): return room > 0 ? fills(4) : nil
    case (.resourceUsage, .output): return fills(144)
    case (.resourceLimit, .output): return fills(16)
    case (.setResourceLimit, .input): return reads(16)
    case (.setGroups(let groups), .input): return groups.isEmpty ? nil : reads(4 * groups.count)
    default: return useOfMore(pointer, reads, fills)
    }
  }

  private func useOfMore(
    _ pointer: CallPointer, _ reads: (Int) -> PointerUse, _ fills: (Int) -> PointerUse?
  ) -> PointerUse? {
    switch (self, pointer) {
    case (.identities(_, let wanted), .output): wanted & 1 == 1 ? fills(4) : nil
    case (.identities(_, let wanted), .second): wanted & 2 == 2 ? fills(4) : nil
    case (.identities(_, let wanted), .third): wanted & 4 == 4 ? fills(4) : nil
    case (.sleep, .input): reads(16)
    case (.clock, .output): fills(16)
    case (.clockResolution(_, let wantsTime), .output): wantsTime ? fills(16) : nil
    case (.timeOfDay(let wanted), .output): wanted & 1 == 1 ? fills(16) : nil
    case (.timeOfDay(let wanted), .second): wanted & 2 == 2 ? fills(8) : nil
    case (.randomBytes(let count, _), .output): fills(count)
    case (.architecture(let operation, _), .input): operation & 1 == 1 ? reads(8) : nil
    case (.architecture(let operation, _), .output): operation & 1 == 0 ? fills(8) : nil
    case (.systemControl(.name(let name), _, _, _), .path): reads(name.utf8.count)
    case (.systemControl(.numbers(let numbers), _, _, _), .path): reads(4 * numbers.count)
    case (.systemControl(_, let room?, false, _), .output): fills(min(room, 4))
    case (.systemControl(_, _?, _, _), .second): reads(8)
    case (.systemControl(_, _, _, let value?), .input): reads(value.count)
    default: nil
    }
  }
}
