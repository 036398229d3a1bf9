// Every call that exists, for exhaustive failure: on a process that was just made, on one whose memory is shared with a
// child and lies in swap, and where the tables that it needs are full.

extension FailureCase {
  private static let window = Program.window

  /// One operation for every call, and for every way in which a call allocates or transfers.
  static let everyCall: [(String, Operation)] = memoryCalls + fileCalls + descriptorCalls + processCalls + systemCalls

  private static let memoryCalls: [(String, Operation)] = [
    (
      "mmap",
      .map(address: window + 60 * 4096, byteCount: 8192, protection: 3, flags: 0x1012, descriptor: -1, offset: 0)
    ),
    ("mmap of a guard", .map(address: 0, byteCount: 8192, protection: 0, flags: 0x2000, descriptor: -1, offset: 0)),
    ("mmap of a file of /bin", .map(address: 0, byteCount: 8192, protection: 1, flags: 2, descriptor: 4, offset: 0)),
    ("munmap", .unmap(address: window + 4096, byteCount: 4096)),
    ("mprotect", .protect(address: window + 4096, byteCount: 4096, protection: 1)),
    ("break", .setBreak(Program.dataEnd + 9000)),
    (
      "mmap through __syscall",
      .through(
        isWide: true, .map(address: 0, byteCount: 8192, protection: 3, flags: 1, descriptor: 3, offset: 4096))
    ),
  ]

  private static let fileCalls: [(String, Operation)] = [
    ("shm_open of 2008", .sharedMemoryOpen(name: "/other", flags: 0x202, mode: 0o600, is2008: true)),
    ("shm_open2", .sharedMemoryOpen(name: "/other", flags: 0x202, mode: 0o600)),
    ("shm_unlink", .sharedMemoryUnlink(name: "/object")),
    ("open", .open(path: "/bin/notes", flags: 0)),
    ("open of a descriptor", .open(path: "/dev/fd/3", flags: 2)),
    ("open of /dev/random", .open(path: "/dev/random", flags: 0)),
    ("openat", .open(path: "dev/zero", flags: 2, directory: -100)),
    ("ftruncate", .truncate(descriptor: 3, length: 9 * 4096 + 7)),
    ("fstat", .status(descriptor: 3)),
    ("fstat of 2008", .status(descriptor: 3, is2008: true)),
    ("fchmod", .changeMode(descriptor: 3, mode: 0o640)),
    ("fchown", .changeOwner(descriptor: 3, user: 1, group: 1)),
    ("fstat of a file of /bin", .status(descriptor: 4)),
    ("fchmod of a file of /bin", .changeMode(descriptor: 4, mode: 0o640)),
    ("fchown of the console", .changeOwner(descriptor: 0, user: 1, group: 1)),
    ("read", .read(descriptor: 3, address: Program.data + 100, byteCount: 9000)),
    ("pread", .read(descriptor: 3, address: Program.data + 100, byteCount: 9000, offset: 9 * 4096 - 50)),
    ("read from the console", .read(descriptor: 0, address: Program.buffer, byteCount: 100)),
    ("read of a program", .read(descriptor: 4, address: Program.data + 100, byteCount: 5000)),
    ("write", .write(descriptor: 3, address: Program.data + 100, byteCount: 9000)),
    ("pwrite", .write(descriptor: 3, address: Program.data + 100, byteCount: 9000, offset: 9 * 4096 - 50)),
    ("write to the console", .write(descriptor: 1, address: Program.data + 100, byteCount: 300)),
    ("lseek", .seek(descriptor: 3, offset: 20, origin: 0)),
    ("ioctl", .deviceControl(descriptor: 3, request: 0x8004_667E, word: 1)),
    ("ioctl of the console", .deviceControl(descriptor: 0, request: 0x402C_7413)),
    ("fsync", .synchronize(descriptor: 3)),
    ("fsync of a file of /bin", .synchronize(descriptor: 4)),
    ("copy_file_range of nothing", .copyRange(source: 4, target: 1, byteCount: 0, offsets: 3)),
    ("copy_file_range", .copyRange(source: 4, target: 3, byteCount: 100)),
    ("fcntl F_SETLK", .fileControl(descriptor: 3, command: 12, argument: Int64(Program.data + 100))),
    ("fdatasync", .synchronize(descriptor: 3, onlyData: true)),
  ]

  private static let descriptorCalls: [(String, Operation)] = [
    ("close", .close(descriptor: 3)),
    ("dup", .duplicate(descriptor: 3)),
    ("dup into a new leaf", .duplicateTo(descriptor: 3, target: 80)),
    ("fcntl F_DUPFD_CLOEXEC into a new leaf", .fileControl(descriptor: 3, command: 17, argument: 70)),
    ("fcntl F_GETFL", .fileControl(descriptor: 3, command: 3, argument: 0)),
    ("getdtablesize", .descriptorTableSize),
    ("closefrom", .closeFrom(lowest: 3)),
    ("close_range", .closeRange(lowest: 0, highest: 70, flags: 4)),
  ]

  private static let processCalls: [(String, Operation)] = [
    ("fork", .fork(child: 9)),
    ("rfork", .fork(child: 9, isPartial: true)),
    ("exit", .exit(status: 4)),
    ("execve", .execute(argumentCount: 60)),
    ("wait4", .wait(for: .all, options: 3, usage: true)),
    ("kill", .kill(.process(2), signal: 17)),
    ("sigaction", .signalAction(signal: 20, handler: 1)),
    ("sigaction that asks", .signalAction(signal: 20, handler: nil)),
    ("procctl", .controlProcess(type: 0, .process(2), flags: 0x31)),
    ("getpgrp", .processGroup),
    ("getpgid", .processGroupOf(.process(2))),
    ("setpgid", .setProcessGroup(.process(2), group: .caller)),
    ("setsid", .makeSession),
    ("getsid", .sessionOf(.caller)),
    ("getpid", .processIdentifier),
    ("getppid", .parentIdentifier),
    ("thr_self", .threadIdentifier),
    ("sched_yield", .yield),
    ("getrusage", .resourceUsage(who: 0)),
    ("a call that does not exist", .unknownCall(590)),
  ]

  private static let systemCalls: [(String, Operation)] = [
    ("getuid", .identity(.user)), ("geteuid", .identity(.effectiveUser)), ("getgid", .identity(.group)),
    ("getegid", .identity(.effectiveGroup)), ("setuid", .setIdentity(.user, 1)),
    ("seteuid", .setIdentity(.effectiveUser, 1)), ("setgid", .setIdentity(.group, 1)),
    ("setegid", .setIdentity(.effectiveGroup, 1)), ("setreuid", .setIdentities(ofGroups: false, [1, 1])),
    ("setregid", .setIdentities(ofGroups: true, [1, 1])), ("setresuid", .setIdentities(ofGroups: false, [-1, 1, 2])),
    ("setresgid", .setIdentities(ofGroups: true, [-1, 1, 2])), ("getresuid", .identities(ofGroups: false)),
    ("getresgid", .identities(ofGroups: true)), ("getgroups", .groups(room: 16)),
    ("setgroups", .setGroups([1, 2, 3])), ("setgroups of many", .setGroups([UInt32](repeating: 5, count: 60))),
    ("issetugid", .isTainted), ("umask", .mask(0o77)), ("getrlimit", .resourceLimit(8)),
    ("setrlimit", .setResourceLimit(8, soft: 30, hard: 40)), ("nanosleep", .sleep(nanoseconds: 1_000_000)),
    ("clock_gettime", .clock()), ("clock_getres", .clockResolution(identifier: 4)),
    ("gettimeofday", .timeOfDay(wanted: 3)), ("__sysctl", .systemControl(.numbers([1, 24]))),
    ("__sysctl through syscall", .through(isWide: false, .systemControl(.numbers([6, 7])))),
    (
      "__sysctlbyname that sets",
      .systemControl(.name("kern.signosys"), newValue: [0, 0, 0, 0])
    ),
    ("getrandom", .randomBytes(count: 700)), ("sysarch that sets", .architecture(operation: 129, word: 0x1000)),
    ("sysarch that asks", .architecture(operation: 128)), ("reboot", .restart(how: 8)),
  ]

  // MARK: Setups

  /// A process with the object on 3 and a file of /bin on 4; a child that has ended and one that lives, input that waits.
  private static let relatives: [ScriptStep] =
    family + [
      step(.open(path: "/bin/notes", flags: 0)),
      step(.fork(child: 3)),
      ScriptStep(3, .exit(status: 7)),
      step(.type("typed")),
    ]

  /// Forty mappings that do not join, so that the records of mappings fill pages, and a store in each.
  private static let manyMappings: [ScriptStep] =
    sharedObject
    + (0..<40).flatMap { index -> [ScriptStep] in
      let address = window + UInt64(64 + 2 * index) * 4096
      return [
        step(.map(address: address, byteCount: 4096, protection: 3, flags: 0x1012, descriptor: -1, offset: 0)),
        step(.store(address: address, byteCount: 4, pattern: UInt8(index))),
      ]
    }

  /// Thirty names and descriptors.
  private static let manyNames: [ScriptStep] =
    [ScriptStep(0, .fork(child: actor))]
    + (0..<30).map { step(.sharedMemoryOpen(name: "/name \($0)", flags: 0x202, mode: 0o600)) }

  /// Where reboot(2) is to be refused: the superuser would end everything.
  private static func ordinary(_ steps: [ScriptStep], _ operation: Operation) -> [ScriptStep] {
    if case .restart = operation { return steps + [step(.setIdentity(.user, 1))] }
    return steps
  }

  /// Every call on a process that was just made, and with everything in swap and a child that shares it.
  static let calls: [FailureCase] = everyCall.flatMap { name, operation in
    [
      FailureCase("\(name), fresh", ordinary([ScriptStep(0, .fork(child: actor))], operation), operation),
      FailureCase("\(name), in swap after fork", evicted(ordinary(relatives, operation)), operation),
    ]
  }

  /// Calls and accesses that need another page of a table or pool.
  static let tables: [FailureCase] = [
    FailureCase("fork of many mappings", manyMappings, .fork(child: 9)),
    FailureCase("fork of many mappings in swap", evicted(manyMappings), .fork(child: 9)),
    FailureCase("exit with many mappings", manyMappings, .exit(status: 0)),
    FailureCase(
      "map after many", manyMappings,
      .map(address: 0, byteCount: 4096, protection: 3, flags: 0x1001, descriptor: -1, offset: 0)),
    FailureCase("unmap of many", manyMappings, .unmap(address: window + 65 * 4096, byteCount: 70 * 4096)),
    FailureCase("create after many names", manyNames, .sharedMemoryOpen(name: "/another", flags: 0x202, mode: 0o600)),
    FailureCase(
      "store in a new page table", sharedObject + [farMapping], .store(address: far, byteCount: 8, pattern: 1)),
    FailureCase(
      "read into a new page table", sharedObject + [farMapping],
      .read(descriptor: 3, address: far - 100, byteCount: 3000, offset: 0)),
    FailureCase(
      "write far behind", sharedObject,
      .write(descriptor: 3, address: Program.buffer, byteCount: 100, offset: 1 << 40)),
    FailureCase(
      "a store far behind in the object",
      sharedObject + [
        step(.truncate(descriptor: 3, length: 1 << 42)),
        step(.map(address: far, byteCount: 8192, protection: 3, flags: 0x11, descriptor: 3, offset: 1 << 41)),
      ], .store(address: far, byteCount: 8, pattern: 2)),
  ]

  /// Where no page table is yet, at no level but the top.
  private static let far: UInt64 = 0x2000_0040_0000
  private static let farMapping = step(
    .map(address: far - 4096, byteCount: 8192, protection: 3, flags: 0x1012, descriptor: -1, offset: 0))
}
