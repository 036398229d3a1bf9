// What a scripted program can do, with plain numbers as arguments so that wrong ones can be written down too.

/// One operation of a scripted process: a system call or an access of memory.
public enum Operation: Equatable, Sendable, Codable {
  /// shm_open2(2), or with `is2008` the call 482; no name means SHM_ANON.
  case sharedMemoryOpen(name: String?, flags: UInt32, mode: UInt16, sharedMemoryFlags: UInt32 = 0, is2008: Bool = false)
  /// shm_unlink(2)
  case sharedMemoryUnlink(name: String)
  /// ftruncate(2)
  case truncate(descriptor: Int32, length: Int64)
  /// fstat(2)
  case status(descriptor: Int32)
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
  /// fork(2); `child` is the number that the script gives to the child
  case fork(child: Int)
  /// exit(2)
  case exit(status: Int32)
  /// wait4(2) for one child of the script, or for any
  case wait(child: Int?, options: UInt32)
  /// execve(2) of the program itself
  case execute
  /// getpid(2)
  case processIdentifier
  /// getppid(2)
  case parentIdentifier
  /// getuid, geteuid, getgid, getegid
  case identity(IdentityKind)
  /// setuid, seteuid, setgid, setegid
  case setIdentity(IdentityKind, UInt32)
  /// setgroups(2)
  case setGroups([UInt32])
  /// umask(2)
  case mask(UInt16)
  /// kill(2) of a process of the script
  case kill(process: Int, signal: Int32)
  /// nanosleep(2)
  case sleep(nanoseconds: Int64)
  /// clock_gettime(2), CLOCK_MONOTONIC
  case clock
  /// sched_yield(2)
  case yield
  /// Loads bytes that lie in one page.
  case load(address: UInt64, byteCount: Int)
  /// Stores a pattern in bytes that lie in one page.
  case store(address: UInt64, byteCount: Int, pattern: UInt8)
  /// Fetches an instruction.
  case fetch(address: UInt64)
  /// No operation of a program: the machine reclaims as many frames as it can.
  case evict
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
  public var kind: Kind
  /// Which one of them, counted from 1 at the start of the step.
  public var number: UInt32

  /// The failure of the `number`th of a kind.
  public init(_ kind: Kind, number: UInt32) {
    self.kind = kind
    self.number = number
  }
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
    default: true
    }
  }
}

extension ScriptStep {
  /// The step as Swift source.
  var source: String {
    // What reflection prints is nearly source already.
    let text = "\(operation)".replacing("Optional(\"", with: "(\"").replacing("Simulation.IdentityKind", with: "")
      .replacing("Optional(", with: "(")
    let failing = failure.map { ", failure: InjectedFailure(.\($0.kind), number: \($0.number))" } ?? ""
    return "  ScriptStep(\(process), .\(text), noise: \(noise)\(failing)),"
  }
}
