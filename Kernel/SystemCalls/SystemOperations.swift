// reboot(2), sysarch(2), getrlimit(2), setrlimit(2).

import ABI
import Files
import Memory
import Processes

/// What sysarch(2) can do (spec abi.md section 16).
enum SystemArchitecture: UInt32 {
  case getFSBase = 128
  case setFSBase = 129
  case getGSBase = 130
  case setGSBase = 131

  init?(_ argument: UInt64) { self.init(rawValue: UInt32(truncatingIfNeeded: argument)) }

  var setsBase: Bool { self == .setFSBase || self == .setGSBase }
}

extension Kernel {
  // MARK: sysarch

  func systemArchitecture(_ arguments: Arguments, _ thread: Thread) throws(Errno) -> Outcome {
    guard let operation = SystemArchitecture(arguments.first) else { throw .einval }
    let staged = thread.frame.value.buffer.span.loadUInt64(at: 0)
    if operation.setsBase && staged >= ABI.UserSpace.end { throw .einval }
    switch operation {
    case .getFSBase:
      return copyOutWord(thread.context.fsBase, to: arguments.second, thread)
    case .getGSBase:
      return copyOutWord(thread.context.gsBase, to: arguments.second, thread)
    case .setFSBase: thread.context.fsBase = staged
    case .setGSBase: thread.context.gsBase = staged
    }
    // The machine reloads the bases only on the way out of `next()`.
    store(0, thread)
    processes.needsAttention = true
    return .registersSet
  }

  // MARK: reboot

  /// reboot(2): everything ends with status 0. EPERM unless the caller is the superuser.
  func reboot(_ arguments: Arguments, _ process: Process) throws(Errno) -> Outcome {
    guard process.credentials.isSuperuser else { throw .eperm }
    processes.beginEnd(.exited(0))
    return .registersSet
  }

  // MARK: Limits

  private func limitIdentifier(_ argument: UInt64) throws(Errno) -> ResourceLimitIdentifier {
    let which = integer(argument)
    guard which >= 0, which < ResourceLimitIdentifier.count else { throw .einval }
    return ResourceLimitIdentifier(rawValue: which)
  }

  func resourceLimit(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let limit = process.limit(try limitIdentifier(arguments.first))
    stage(limit.soft, at: 0, &thread.frame.value.buffer)
    stage(limit.hard, at: 8, &thread.frame.value.buffer)
    return .copyOut(address: arguments.second, byteCount: ResourceLimit.byteCount)
  }

  /// setrlimit(2): negative values mean infinity; raising the hard limit is for the superuser.
  func setResourceLimit(
    _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    var limit = ResourceLimit(decoding: thread.frame.value.buffer.span)
    let identifier = try limitIdentifier(arguments.first)
    if limit.soft < 0 { limit.soft = ResourceLimit.infinity }
    if limit.hard < 0 { limit.hard = ResourceLimit.infinity }
    let old = process.limit(identifier)
    if limit.soft > old.hard || limit.hard > old.hard {
      guard process.credentials.isSuperuser else { throw .eperm }
    }
    limit.soft = min(limit.soft, limit.hard)
    let ceiling: Int64
    switch identifier {
    case .data: ceiling = Int64(ABI.UserSpace.maximumDataByteCount)
    case .stack: ceiling = Int64(ABI.UserSpace.maximumStackByteCount)
    case .openFiles: ceiling = Int64(files.maximumFilesPerProcess)
    case .processes: ceiling = Int64(processes.maximumProcessCount)
    default: ceiling = ResourceLimit.infinity
    }
    // A user has one process at least: the one that asks.
    let floor: Int64 = identifier == .processes ? 1 : 0
    limit.soft = max(floor, min(limit.soft, ceiling))
    limit.hard = max(floor, min(limit.hard, ceiling))
    process.setLimit(limit, for: identifier)
    if identifier == .openFiles { fileTable(process).setLimit(limit.soft) }
    if identifier == .stack { return limitStack(old.soft, limit.soft, thread, process) }
    return .value(0)
  }

  /// What a lowered RLIMIT_STACK excludes of the program's stack cannot be reached any more, and can again when it is raised
  /// (FreeBSD's kern_proc_setrlimit). What has not grown yet is a guard, which this leaves alone.
  private func limitStack(_ old: Int64, _ new: Int64, _ thread: Thread, _ process: Process) -> Outcome {
    let top = ABI.UserSpace.stackTop
    let start = (top - UInt64(max(old, new))) & ~Page.offsetMask
    let end = (top - UInt64(min(old, new))) & ~Page.offsetMask
    guard start < end, let range = AddressRange(covering: VirtualAddress(start), byteCount: end - start) else {
      return .value(0)
    }
    let protection: Protection = new > old ? [.read, .write] : []
    // That a program has made some of its stack less than this is no reason to refuse the limit.
    let outcome = try? continueProtect(PendingProtection(range, protection, maximum: nil), thread, process)
    return outcome ?? .value(0)
  }
}
