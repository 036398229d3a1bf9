// What a scripted program can do, with plain numbers as arguments so that wrong ones can be written down too.

import Memory
public import Primitives

/// One operation of a scripted process: a system call or an access of memory.
public enum Operation: Equatable, Sendable, Codable {
  /// shm_open2(2), or with `is2008` the call 482; no name means SHM_ANON.
  case sharedMemoryOpen(name: String?, flags: UInt32, mode: UInt16, sharedMemoryFlags: UInt32 = 0, is2008: Bool = false)
  /// shm_unlink(2)
  case sharedMemoryUnlink(name: String)
  /// ftruncate(2)
  case truncate(descriptor: Int32, length: Int64)
  /// fstat(2), or with `is2008` the call 189
  case status(descriptor: Int32, is2008: Bool = false)
  /// fchmod(2)
  case changeMode(descriptor: Int32, mode: UInt16)
  /// fchown(2); −1 leaves a value
  case changeOwner(descriptor: Int32, user: Int32, group: Int32)
  /// mmap(2)
  case map(address: UInt64, byteCount: UInt64, protection: UInt32, flags: UInt32, descriptor: Int32, offset: Int64)
  /// munmap(2)
  case unmap(address: UInt64, byteCount: UInt64)
  /// mprotect(2)
  case protect(address: UInt64, byteCount: UInt64, protection: UInt32)
  /// close(2)
  case close(descriptor: Int32)
  /// dup(2)
  case duplicate(descriptor: Int32)
  /// dup2(2)
  case duplicateTo(descriptor: Int32, target: Int32)
  /// fcntl(2)
  case fileControl(descriptor: Int32, command: Int32, argument: Int64)
  /// read(2), or pread(2) with an offset
  case read(descriptor: Int32, address: UInt64, byteCount: Int, offset: Int64? = nil)
  /// write(2), or pwrite(2) with an offset
  case write(descriptor: Int32, address: UInt64, byteCount: Int, offset: Int64? = nil)
  /// lseek(2)
  case seek(descriptor: Int32, offset: Int64, origin: Int32)
  /// open(2), or openat(2) with a directory descriptor
  case open(path: String, flags: UInt32, directory: Int32? = nil)
  /// ioctl(2); the word is what a request that reads finds
  case deviceControl(descriptor: Int32, request: UInt32, word: UInt32 = 0)
  /// fsync(2) or fdatasync(2)
  case synchronize(descriptor: Int32, onlyData: Bool = false)
  /// copy_file_range(2); bit 0 of `offsets`: with an offset to read from, bit 1: with one to write to
  case copyRange(source: Int32, target: Int32, byteCount: UInt64, flags: UInt32 = 0, offsets: UInt8 = 0)
  /// getdtablesize(2)
  case descriptorTableSize
  /// closefrom(2)
  case closeFrom(lowest: Int32)
  /// close_range(2)
  case closeRange(lowest: UInt32, highest: UInt32, flags: UInt32)
  /// fork(2), or rfork(2) that is asked for the same; `child` is the number that the script gives to the child
  case fork(child: Int, isPartial: Bool = false)
  /// exit(2)
  case exit(status: Int32)
  /// wait4(2), with a structure for the usage if `usage`
  case wait(for: ProcessTarget, options: UInt32, usage: Bool = false)
  /// execve(2), by default of the program itself; so many arguments of 16 bytes each
  case execute(path: String = "/bin/script", argumentCount: Int = 1)
  /// getpid(2)
  case processIdentifier
  /// getppid(2)
  case parentIdentifier
  /// getuid, geteuid, getgid, getegid
  case identity(IdentityKind)
  /// setuid, seteuid, setgid, setegid
  case setIdentity(IdentityKind, UInt32)
  /// setreuid(2) and setregid(2) with two numbers, setresuid(2) and setresgid(2) with three; −1 leaves one
  case setIdentities(ofGroups: Bool, [Int32])
  /// getresuid(2) or getresgid(2); bit n of `wanted` asks for the nth number
  case identities(ofGroups: Bool, wanted: UInt8 = 7)
  /// setgroups(2)
  case setGroups([UInt32])
  /// getgroups(2)
  case groups(room: Int32)
  /// issetugid(2)
  case isTainted
  /// umask(2)
  case mask(UInt16)
  /// kill(2)
  case kill(ProcessTarget, signal: Int32)
  /// sigaction(2); no handler leaves the action as it is
  case signalAction(signal: Int32, handler: UInt64?, wantsOld: Bool = true)
  /// procctl(2)
  case controlProcess(type: Int32, ProcessTarget, command: Int32 = 1, flags: UInt32)
  /// getpgrp(2)
  case processGroup
  /// getpgid(2)
  case processGroupOf(ProcessTarget)
  /// setpgid(2)
  case setProcessGroup(ProcessTarget, group: ProcessTarget)
  /// setsid(2)
  case makeSession
  /// getsid(2)
  case sessionOf(ProcessTarget)
  /// thr_self(2)
  case threadIdentifier
  /// getrusage(2)
  case resourceUsage(who: Int32)
  /// getrlimit(2)
  case resourceLimit(Int32)
  /// setrlimit(2)
  case setResourceLimit(Int32, soft: Int64, hard: Int64)
  /// break(2)
  case setBreak(UInt64)
  /// nanosleep(2), with room for the remaining time
  case sleep(seconds: Int64 = 0, nanoseconds: Int64)
  /// clock_gettime(2), by default CLOCK_MONOTONIC
  case clock(identifier: Int32 = 4)
  /// clock_getres(2)
  case clockResolution(identifier: Int32, wantsTime: Bool = true)
  /// gettimeofday(2); bit 0 of `wanted` asks for the time, bit 1 for the zone
  case timeOfDay(wanted: UInt8 = 1)
  /// sched_yield(2)
  case yield
  /// __sysctl by numbers or __sysctlbyname; no room: no length pointer, and with `isQuery` no buffer
  case systemControl(ControlName, room: Int? = 64, isQuery: Bool = false, newValue: [UInt8]? = nil)
  /// getrandom(2)
  case randomBytes(count: Int, flags: UInt32 = 0)
  /// sysarch(2); the word is what an operation that sets a base finds
  case architecture(operation: UInt32, word: UInt64 = 0)
  /// reboot(2)
  case restart(how: UInt32)
  /// A system call by its number, with arguments that do not matter: one that does not exist.
  case unknownCall(UInt64)
  /// The operation through `syscall`, or `__syscall` if `isWide`.
  indirect case through(isWide: Bool, Operation)
  /// The operation with one of its pointers pointing elsewhere.
  indirect case misplaced(CallPointer, UInt64, Operation)
  /// Loads bytes that lie in one page.
  case load(address: UInt64, byteCount: Int)
  /// Stores a pattern in bytes that lie in one page.
  case store(address: UInt64, byteCount: Int, pattern: UInt8)
  /// Fetches an instruction.
  case fetch(address: UInt64)
  /// No operation of a program: the machine reclaims as many frames as it can.
  case evict
  /// No operation of a program: bytes arrive on the console.
  case type(String)
}

/// The process, or processes, that a call is told.
public enum ProcessTarget: Equatable, Sendable, Codable {
  /// 0: the caller or its group.
  case caller
  /// −1
  case all
  /// A process of the script, by its number there.
  case process(Int)
  /// Minus the identifier of a process of the script: the group that it led or leads.
  case group(Int)
  /// The number itself.
  case raw(Int32)
}

/// What a sysctl(3) call asks for.
public enum ControlName: Equatable, Sendable, Codable {
  /// `__sysctlbyname`
  case name(String)
  /// `__sysctl`
  case numbers([Int32])
}

/// A pointer among the arguments of a call.
public enum CallPointer: String, Sendable, Codable, CaseIterable {
  /// To the path.
  case path
  /// To what the call reads.
  case input
  /// To what the call fills.
  case output
  /// To the second structure that it fills, or to the length of sysctl(3).
  case second
  /// To the third.
  case third
}

/// Which of a process' identities.
public enum IdentityKind: Sendable, Codable {
  /// The real user.
  case user
  /// The effective user.
  case effectiveUser
  /// The real group.
  case group
  /// The effective group.
  case effectiveGroup
}

/// What is made to fail during a step.
public struct InjectedFailure: Equatable, Sendable, Codable {
  /// What fails.
  public var point: FailurePoint
  /// Which one of them, counted from 1 at the start of the step.
  public var number: UInt32

  /// The failure of the `number`th evaluation of a fail point.
  public init(_ point: FailurePoint, number: UInt32) {
    self.point = point
    self.number = number
  }
}

extension FailurePoint: Codable {
  /// Whether it is a transfer of the device that fails.
  public var isTransfer: Bool { self == .transfer || self == .transferRead || self == .transferWrite }
}

/// One step of a script.
public struct ScriptStep: Equatable, Sendable, Codable {
  /// The process that does it; 0 is process 1.
  public var process: Int
  /// What it does.
  public var operation: Operation
  /// What the machine does around it (ticks, evictions, speculation) is drawn from this.
  public var noise: UInt64
  /// What is made to fail meanwhile.
  public var failure: InjectedFailure?

  /// A step.
  public init(_ process: Int, _ operation: Operation, noise: UInt64 = 0, failure: InjectedFailure? = nil) {
    self.failure = failure
    self.process = process
    self.operation = operation
    self.noise = noise
  }
}

/// What an operation gave, as the program sees it.
public enum Observation: Equatable, Sendable {
  /// Carry clear: the first result register.
  case value(UInt64)
  /// Carry set: errno.
  case error(Int32)
  /// Bytes loaded from memory.
  case bytes([UInt8])
  /// The process is gone: it exited or a signal ended it.
  case ended
  /// The call waits for another process, for input, or to be continued.
  case blocked
}

extension Operation {
  /// The pattern that `store` and the buffers of writes are filled with: different in every byte, recognisable by its start.
  static func patternBytes(_ pattern: UInt8, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: Int(pattern) &+ $0 &* 7) }
  }

  /// Whether the operation changes maps, objects, names or memory.
  public var changesState: Bool {
    switch self {
    case .status, .processIdentifier, .parentIdentifier, .identity, .clock, .yield, .sleep, .load, .fetch, .evict: false
    case .synchronize, .copyRange, .descriptorTableSize, .identities, .groups, .isTainted, .processGroup,
      .processGroupOf,
      .sessionOf, .threadIdentifier, .resourceUsage, .resourceLimit, .clockResolution, .timeOfDay, .systemControl,
      .randomBytes, .architecture, .restart, .unknownCall, .type, .kill, .signalAction, .controlProcess,
      .setProcessGroup,
      .makeSession,
      .mask, .setIdentity, .setIdentities, .setGroups, .wait, .deviceControl, .setResourceLimit:
      false
    case .through(_, let operation): operation.changesState
    case .misplaced: false
    default: true
    }
  }
}

extension ScriptStep {
  /// The step as Swift source.
  var source: String {
    // What reflection prints is nearly source already.
    let text = "\(operation)".replacing("Optional(", with: "(")
      .replacing(/Simulation\.[A-Za-z]+\./, with: ".")
    let failing = failure.map { ", failure: InjectedFailure(.\($0.point), number: \($0.number))" } ?? ""
    return "  ScriptStep(\(process), .\(text), noise: \(noise)\(failing)),"
  }
}
