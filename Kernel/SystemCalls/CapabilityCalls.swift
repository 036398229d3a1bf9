// Capsicum (capsicum(4)): cap_enter(2) and cap_getmode(2), cap_rights_limit(2), cap_rights_get(3), cap_ioctls_limit(2),
// cap_ioctls_get(2), cap_fcntls_limit(2), cap_fcntls_get(2); and what a process in capability mode cannot do.
//
// Such a process reaches nothing by a name that everybody shares: no path, no name of shared memory, no other process. What it
// was given descriptors of it may use as far as those are good for it. It stays like that, and so do its children.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareCapabilityCalls() {
    declare(.capEnter, "cap_enter", []) { call throws(Errno) in
      call.process.isInCapabilityMode = true
      return .value(0)
    }
    declare(.capGetmode, "cap_getmode", [.pointer]) { call throws(Errno) in
      call.stage(UInt32(call.process.isInCapabilityMode ? 1 : 0))
      return call.deliver(4, to: call.arguments.first.address)
    }
    let copyIn = CopyIn.structure(argument: 1, byteCount: CapabilityRights.byteCount)
    let demand = MemoryDemand.refuses(.enomem, HeapCost.descriptorLimits)
    declare(.capRightsLimit, "cap_rights_limit", [.descriptor, .pointer], copyIn: copyIn, demand) {
      call throws(Errno) in try call.limitRights()
    }
    declare(.capRightsGet, "__cap_rights_get", [.integer, .descriptor, .pointer]) { call throws(Errno) in
      try call.tellRights()
    }
    declare(.capFcntlsLimit, "cap_fcntls_limit", [.descriptor, .bits], demand) { call throws(Errno) in
      let commands = FileCommandRights(rawValue: call.arguments.second.word)
      guard FileCommandRights.all.isSuperset(of: commands) else { throw .einval }
      try call.table.limit(call.arguments.first.descriptor.number, to: commands, call.process.credentials)
      return .value(0)
    }
    declare(.capFcntlsGet, "cap_fcntls_get", [.descriptor, .pointer]) { call throws(Errno) in
      let number = call.arguments.first.descriptor
      _ = try call.fileReference(number, needing: [])
      call.stage((call.table.limits(of: number.number)?.fileCommands ?? .all).rawValue)
      return call.deliver(4, to: call.arguments.second.address)
    }
    declare(
      .capIoctlsLimit, "cap_ioctls_limit", [.descriptor, .pointer, .size],
      .refuses(.enomem, HeapCost.descriptorLimits + HeapCost.requestList)
    ) { call throws(Errno) in try call.limitRequests() }
    declare(.capIoctlsGet, "cap_ioctls_get", [.descriptor, .pointer, .size]) { call throws(Errno) in
      try call.tellRequests()
    }
    // What names something that everybody shares.
    for number in [
      SystemCallNumber.open, .access, .eaccess, .chmod, .lchmod, .chown, .lchown, .unlink, .rename, .execve, .connect,
      .bind, .shmUnlink, .shmRename, .thrKill2, .wait6, .procctl, .setgroups, .setpgid, .clockSettime, .clockNanosleep,
      .reboot, .truncate, .kcmp,
    ] { forbidInCapabilityMode(number) }
  }
}

extension SystemCall {
  /// Refuses a path of a call that takes it from a descriptor on, when a process in capability mode makes it.
  ///
  /// Throws ECAPMODE for a path that begins in the current directory, ENOTCAPABLE for one from the root.
  func checkCapabilityPath(_ directory: Descriptor) throws(Errno) {
    if directory == .currentDirectory { throw .ecapmode }
    if stagedByteCount > 1 && buffer[0] == UInt8(ascii: "/") { throw .enotcapable }
  }

  fileprivate func limitRights() throws(Errno) -> Answer {
    guard let rights = CapabilityRights(words: (stagedLong(at: 0), stagedLong(at: 8))) else { throw .einval }
    try table.limit(arguments.first.descriptor.number, to: rights, process.credentials)
    return .value(0)
  }

  fileprivate func tellRights() throws(Errno) -> Answer {
    guard arguments.first.integer == 0 else { throw .einval }
    let number = arguments.second.descriptor
    _ = try fileReference(number, needing: [])
    let words = (table.limits(of: number.number)?.rights ?? .all).words
    stage(words.0, at: 0)
    stage(words.1, at: 8)
    return deliver(CapabilityRights.byteCount, to: arguments.third.address)
  }

  /// Requests that are copied at a time: those for which the buffer has room, an unsigned long each.
  private static let requestsPerPiece = 128
  /// CAP_IOCTLS_ALL
  private static let allRequests = UInt64(Int64.max)

  /// Throws EINVAL for too many, EFAULT, EBADF, ENOTCAPABLE.
  fileprivate func limitRequests() throws(Errno) -> Answer {
    guard arguments.third.raw <= UInt64(RequestList.capacity) else { throw .einval }
    let (count, list) = (Int(arguments.third.raw), RequestList(process.credentials.account))
    while list.count < count {
      let part = min(count - list.count, SystemCall.requestsPerPiece)
      let range = UserRange(start: VirtualAddress(arguments.second.raw &+ UInt64(8 * list.count)), byteCount: 8 * part)
      guard try fetch(range) else { return .restart }
      for index in 0..<part { list.append(stagedWord(at: 8 * index)) }
    }
    try table.limit(arguments.first.descriptor.number, to: list, process.credentials)
    return .value(0)
  }

  /// Returns how many requests there are, and stores as many as there is room for.
  fileprivate func tellRequests() throws(Errno) -> Answer {
    let number = arguments.first.descriptor
    _ = try fileReference(number, needing: [])
    guard let limits = table.limits(of: number.number), let count = limits.requestCount else {
      return .value(SystemCall.allRequests)
    }
    let room = arguments.second.isNull ? 0 : min(arguments.third.raw, UInt64(count))
    var told = 0
    while told < Int(room) {
      let part = min(Int(room) - told, SystemCall.requestsPerPiece)
      for index in 0..<part { stage(UInt64(limits.request(at: told + index)), at: 8 * index) }
      let range = UserRange(start: VirtualAddress(arguments.second.raw &+ UInt64(8 * told)), byteCount: 8 * part)
      guard try put(range) else { return .restart }
      told += part
    }
    return .value(UInt64(count))
  }
}
