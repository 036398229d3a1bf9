// The table of system calls: for every number which call it is, whether something is copied in before it begins, and what
// it does about memory (DESIGN, "Running out of memory").
//
// Invariants, checked when the table is made
// - A call of class `.none` declares no heap at all: it begins and goes on whatever is in reserve.
// - What a call declares, with one object for a fault, is never more than the reserve holds.

import ABI
import Memory

/// What a call does about memory.
enum AllocationClass: UInt8, BitwiseCopyable {
  /// It allocates nothing, or only gives back.
  case none
  /// It allocates a bounded number of small objects, and gives ENOMEM when the heap has no reserve for them.
  case refusesWithNoMemory
  /// The same, with ENFILE, because its manual does not list ENOMEM.
  case refusesWithFileLimit
  /// The same, but it waits until there is a reserve.
  case waits
}

/// One entry of the table.
struct SystemCallEntry: BitwiseCopyable {
  var call: SystemCall
  var allocation: AllocationClass
  /// Whether it needs the heap's reserve.
  var makesObjects: Bool
  var copiesIn: Bool
}

/// A system call that exists. `unknown` does not exist in FreeBSD either and posts SIGSYS; `missing` is a call of FreeBSD that
/// does not exist here and only gives ENOSYS, since programs try calls and do without those that are not there.
enum SystemCall: UInt8, BitwiseCopyable {
  case unknown, missing, indirect
  // Processes
  case exit, fork, vfork, rfork, execve, wait4, getpid, getppid, kill, getpgrp, setpgid, getpgid, setsid, getsid,
    schedYield
  case thrSelf, getrusage, sigaction, procctl
  // Identity
  case getuid, geteuid, getgid, getegid, setuid, seteuid, setgid, setegid, setreuid, setregid, setresuid, setresgid
  case getresuid, getresgid, getgroups, setgroups, issetugid, umask
  // Files
  case read, write, pread, pwrite, open, openat, close, dup, dup2, fcntl, fstat
  case fstat2008, ioctl, lseek, ftruncate, fchmod, fchown, fsync, getdtablesize, closefrom, closeRange
  case copyFileRange
  // Shared memory and memory
  case shmOpen, shmOpen2, shmUnlink, mmap, munmap, mprotect, setBreak
  // Time
  case nanosleep, clockGettime, clockGetres, gettimeofday
  // The system
  case sysctl, sysctlbyname, reboot, sysarch, getrlimit, setrlimit, getrandom
}

/// All entries, by number.
struct SystemCallTable {
  /// Numbers below this can mean something: those of FreeBSD's table.
  static let count = Int(SystemCallNumber.tableEnd)

  private var entries: [590 of SystemCallEntry]
  private var bounds = [128 of HeapAmount](repeating: .none)

  subscript(number: Int) -> SystemCallEntry {
    @inline(__always) get { entries[number] }
  }

  private mutating func add(
    _ number: SystemCallNumber, _ call: SystemCall, _ allocation: AllocationClass = .none, heap: HeapAmount = .none,
    copiesIn: Bool = false
  ) {
    let withFault = heap.objectCount + HeapLimits.fault.objectCount
    precondition(
      heap.objectCount == 0 || allocation != .none && withFault <= HeapLimits.reservePageCount,
      "bound beyond the reserve")
    bounds[Int(call.rawValue)] = bounds[Int(call.rawValue)].maximum(heap)
    entries[Int(number.rawValue)] = SystemCallEntry(
      call: call, allocation: allocation, makesObjects: heap.objectCount > 0, copiesIn: copiesIn)
  }

  /// What a call allocates at most, from its beginning to where it is parked or ends, and again each time it goes on; and
  /// one object more for each page of its own memory that is touched for the first time on the way (`HeapLimits.fault`).
  func heapBound(of call: SystemCall) -> HeapAmount { bounds[Int(call.rawValue)] }

  init() {
    entries = [590 of SystemCallEntry](
      repeating: SystemCallEntry(call: .unknown, allocation: .none, makesObjects: false, copiesIn: false))
    addMissing()
    add(.syscall, .indirect)
    add(.syscallWide, .indirect)
    addProcesses()
    addIdentity()
    addFiles()
    addMemory()
    addSystem()
  }

  /// All calls that FreeBSD has; those that exist here are put over them.
  private mutating func addMissing() {
    SystemCallNumber.forEachOfFreeBSD { number in entries[number].call = .missing }
  }

  private mutating func addProcesses() {
    add(.exit, .exit)
    add(.fork, .fork, .refusesWithNoMemory, heap: HeapCost.child)
    add(.vfork, .vfork, .refusesWithNoMemory, heap: HeapCost.child)
    add(.rfork, .rfork, .refusesWithNoMemory, heap: HeapCost.child)
    add(.execve, .execve, .refusesWithNoMemory, heap: HeapCost.execution, copiesIn: true)
    add(.wait4, .wait4)
    add(.getpid, .getpid)
    add(.getppid, .getppid)
    add(.kill, .kill)
    add(.getpgrp, .getpgrp)
    add(.setpgid, .setpgid)
    add(.getpgid, .getpgid)
    add(.setsid, .setsid)
    add(.getsid, .getsid)
    add(.schedYield, .schedYield)
    add(.thrSelf, .thrSelf)
    add(.getrusage, .getrusage)
    add(.sigaction, .sigaction, copiesIn: true)
    add(.procctl, .procctl, copiesIn: true)
  }

  private mutating func addIdentity() {
    add(.getuid, .getuid)
    add(.geteuid, .geteuid)
    add(.getgid, .getgid)
    add(.getegid, .getegid)
    add(.setuid, .setuid, .waits, heap: HeapCost.credentials + HeapCost.userAccount)
    add(.seteuid, .seteuid, .waits, heap: HeapCost.credentials)
    add(.setgid, .setgid, .waits, heap: HeapCost.credentials)
    add(.setegid, .setegid, .waits, heap: HeapCost.credentials)
    add(.setreuid, .setreuid, .waits, heap: HeapCost.credentials + HeapCost.userAccount)
    add(.setregid, .setregid, .waits, heap: HeapCost.credentials)
    add(.setresuid, .setresuid, .waits, heap: HeapCost.credentials + HeapCost.userAccount)
    add(.setresgid, .setresgid, .waits, heap: HeapCost.credentials)
    add(.getresuid, .getresuid)
    add(.getresgid, .getresgid)
    add(.getgroups, .getgroups)
    add(.setgroups, .setgroups, .waits, heap: HeapCost.credentials + HeapCost.groupList, copiesIn: true)
    add(.issetugid, .issetugid)
    add(.umask, .umask)
  }

  private mutating func addFiles() {
    add(.read, .read, .waits, heap: HeapCost.transferHold)
    add(.write, .write, .waits, heap: HeapCost.transferHold)
    add(.pread, .pread, .waits, heap: HeapCost.transferHold)
    add(.pwrite, .pwrite, .waits, heap: HeapCost.transferHold)
    add(.open, .open, .refusesWithFileLimit, heap: HeapCost.openFile, copiesIn: true)
    add(.openat, .openat, .refusesWithFileLimit, heap: HeapCost.openFile, copiesIn: true)
    add(.close, .close)
    add(.dup, .dup)
    add(.dup2, .dup2)
    add(.fcntl, .fcntl, .waits, heap: HeapCost.transferHold)
    add(.fstat, .fstat)
    add(.fstat2008, .fstat2008)
    add(.ioctl, .ioctl, copiesIn: true)
    add(.lseek, .lseek, .waits, heap: HeapCost.transferHold)
    add(.ftruncate, .ftruncate, .refusesWithNoMemory, heap: HeapCost.transferHold)
    add(.fchmod, .fchmod)
    add(.fchown, .fchown)
    add(.fsync, .fsync)
    add(.fdatasync, .fsync)
    add(.getdtablesize, .getdtablesize)
    add(.closefrom, .closefrom)
    add(.closeRange, .closeRange)
    add(.copyFileRange, .copyFileRange)
  }

  private mutating func addMemory() {
    add(.shmOpen, .shmOpen, .refusesWithFileLimit, heap: HeapCost.sharedMemoryOpen, copiesIn: true)
    add(.shmOpen2, .shmOpen2, .refusesWithFileLimit, heap: HeapCost.sharedMemoryOpen, copiesIn: true)
    add(.shmUnlink, .shmUnlink, copiesIn: true)
    add(.mmap, .mmap, .refusesWithNoMemory, heap: HeapCost.mapping)
    add(.munmap, .munmap)
    add(.mprotect, .mprotect, .refusesWithNoMemory)
    add(.break, .setBreak, .refusesWithNoMemory)
  }

  private mutating func addSystem() {
    add(.nanosleep, .nanosleep, copiesIn: true)
    add(.clockGettime, .clockGettime)
    add(.clockGetres, .clockGetres)
    add(.gettimeofday, .gettimeofday)
    add(.sysctl, .sysctl, copiesIn: true)
    add(.sysctlbyname, .sysctlbyname, copiesIn: true)
    add(.reboot, .reboot)
    add(.sysarch, .sysarch, copiesIn: true)
    add(.getrlimit, .getrlimit)
    add(.setrlimit, .setrlimit, .waits, heap: HeapCost.resourceLimits, copiesIn: true)
    add(.getrandom, .getrandom)
  }
}
