// reboot(2), sysarch(2), getrlimit(2), setrlimit(2).

import ABI
import Files
import Memory
import Primitives
import Processes

/// What sysarch(2) can do (spec abi.md section 16).
enum SystemArchitecture: UInt32 {
  case getFSBase = 128
  case setFSBase = 129
  case getGSBase = 130
  case setGSBase = 131

  init?(_ argument: Argument) { self.init(rawValue: argument.word) }

  var setsBase: Bool { self == .setFSBase || self == .setGSBase }
}

extension SystemCallTable {
  mutating func declareSystemCalls() {
    declare(
      .sysarch, "sysarch", [.integer, .pointer],
      copyIn: .chosen { call throws(Errno) in
        SystemArchitecture(call.arguments.first)?.setsBase == true
          ? .bytes(call.arguments.second.range(8)) : .nothing
      }
    ) { call throws(Errno) in try call.systemArchitecture() }
    declare(.reboot, "reboot", [.bits]) { call throws(Errno) in try call.reboot() }
    declare(.getrlimit, "getrlimit", [.integer, .pointer]) { call throws(Errno) in try call.resourceLimit() }
    declare(
      .setrlimit, "setrlimit", [.integer, .pointer],
      copyIn: .structure(argument: 1, byteCount: ResourceLimit.byteCount),
      .waits(HeapCost.resourceLimits)
    ) { call throws(Errno) in try call.setResourceLimit() }
    declareRandomCalls()
    declareSwapCalls()
    declareSystemControlCalls()
  }
}

extension SystemCall {
  // MARK: sysarch

  fileprivate func systemArchitecture() throws(Errno) -> Answer {
    guard let operation = SystemArchitecture(arguments.first) else { throw .einval }
    let staged = stagedLong(at: 0)
    if operation.setsBase && staged >= ABI.UserSpace.end { throw .einval }
    switch operation {
    case .getFSBase: return deliver(thread.context.fsBase, to: arguments.second.address)
    case .getGSBase: return deliver(thread.context.gsBase, to: arguments.second.address)
    case .setFSBase: thread.context.fsBase = staged
    case .setGSBase: thread.context.gsBase = staged
    }
    // The machine reloads the bases only on the way out of `next()`.
    kernel.processes.processor.needsAttention = true
    return leave(with: 0)
  }

  // MARK: reboot

  /// reboot(2): everything ends with status 0. EPERM unless the caller is the superuser.
  fileprivate func reboot() throws(Errno) -> Answer {
    guard process.credentials.isSuperuser else { throw .eperm }
    kernel.processes.beginEnd(.exited(0))
    return .left
  }

  // MARK: Limits

  private func limitIdentifier() throws(Errno) -> ResourceLimitIdentifier {
    let which = arguments.first.integer
    guard which >= 0, which < ResourceLimitIdentifier.count else { throw .einval }
    return ResourceLimitIdentifier(rawValue: which)
  }

  fileprivate func resourceLimit() throws(Errno) -> Answer {
    let limit = process.limit(try limitIdentifier())
    return deliver(limit.soft, limit.hard, to: arguments.second.address)
  }

  /// setrlimit(2): negative values mean infinity; raising the hard limit is for the superuser.
  fileprivate func setResourceLimit() throws(Errno) -> Answer {
    var limit = ResourceLimit(decoding: thread.frame.value.buffer.span)
    let identifier = try limitIdentifier()
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
    case .openFiles: ceiling = Int64(kernel.files.maximumFilesPerProcess)
    case .processes: ceiling = Int64(kernel.processes.maximumProcessCount)
    default: ceiling = ResourceLimit.infinity
    }
    // A user has one process at least: the one that asks.
    let floor: Int64 = identifier == .processes ? 1 : 0
    limit.soft = max(floor, min(limit.soft, ceiling))
    limit.hard = max(floor, min(limit.hard, ceiling))
    process.setLimit(limit, for: identifier)
    if identifier == .openFiles { table.setLimit(limit.soft) }
    if identifier == .processorTime { kernel.processes.limitUse(of: process) }
    if identifier == .stack { return limitStack(old.soft, limit.soft) }
    return .value(0)
  }

  /// What a lowered RLIMIT_STACK excludes of the program's stack cannot be reached any more, and can again when it is raised
  /// (FreeBSD's kern_proc_setrlimit). What has not grown yet is a guard, which this leaves alone.
  private func limitStack(_ old: Int64, _ new: Int64) -> Answer {
    let top = ABI.UserSpace.stackTop
    let start = (top - UInt64(max(old, new))) & ~Page.offsetMask
    let end = (top - UInt64(min(old, new))) & ~Page.offsetMask
    guard start < end, let range = AddressRange(covering: VirtualAddress(start), byteCount: end - start) else {
      return .value(0)
    }
    let protection: Protection = new > old ? [.read, .write] : []
    // That a program has made some of its stack less than this is no reason to refuse the limit.
    let outcome = try? goOn(.protect(PendingProtection(range, protection, maximum: nil)))
    return outcome ?? .value(0)
  }
}
