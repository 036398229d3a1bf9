// Who a process is: getuid(2), setuid(2), getgroups(2), umask(2) and their like.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareIdentityCalls() {
    declare(.getuid, "getuid", []) { call throws(Errno) in .value(UInt64(call.process.credentials.user)) }
    declare(.geteuid, "geteuid", []) { call throws(Errno) in .value(UInt64(call.process.credentials.effectiveUser)) }
    declare(.getgid, "getgid", []) { call throws(Errno) in .value(UInt64(call.process.credentials.group)) }
    declare(.getegid, "getegid", []) { call throws(Errno) in .value(UInt64(call.process.credentials.effectiveGroup)) }
    declare(.getresuid, "getresuid", [.pointer, .pointer, .pointer]) { call throws(Errno) in
      let credentials = call.process.credentials
      return call.deliver(credentials.user, credentials.effectiveUser, credentials.savedUser)
    }
    declare(.getresgid, "getresgid", [.pointer, .pointer, .pointer]) { call throws(Errno) in
      let credentials = call.process.credentials
      return call.deliver(credentials.group, credentials.effectiveGroup, credentials.savedGroup)
    }
    declare(.issetugid, "issetugid", []) { call throws(Errno) in .value(call.process.hasChangedIdentity ? 1 : 0) }
    declare(.umask, "umask", [.mode]) { call throws(Errno) in
      let old = call.process.creationMask
      call.process.creationMask = FileMode(rawValue: UInt16(truncatingIfNeeded: call.arguments.first.raw))
        .intersection(.allPermissions)
      return .value(UInt64(old.rawValue))
    }
    declareChangesOfIdentity()
    declare(.getgroups, "getgroups", [.integer, .pointer]) { call throws(Errno) in try call.groups() }
    declare(
      .setgroups, "setgroups", [.integer, .pointer], copyIn: .chosen { call throws(Errno) in try call.groupsRequest() },
      .waits(HeapCost.credentials + HeapCost.groupList)
    ) { call throws(Errno) in try call.setGroups() }
  }

  private mutating func declareChangesOfIdentity() {
    let copy = MemoryDemand.waits(HeapCost.credentials)
    let copyAndAccount = MemoryDemand.waits(HeapCost.credentials + HeapCost.userAccount)
    declare(.setuid, "setuid", [.integer], copyAndAccount) { call throws(Errno) in
      try call.process.setUser(call.arguments.first.word)
      return .value(0)
    }
    declare(.seteuid, "seteuid", [.integer], copy) { call throws(Errno) in
      try call.process.setEffectiveUser(call.arguments.first.word)
      return .value(0)
    }
    declare(.setgid, "setgid", [.integer], copy) { call throws(Errno) in
      try call.process.setGroup(call.arguments.first.word)
      return .value(0)
    }
    declare(.setegid, "setegid", [.integer], copy) { call throws(Errno) in
      try call.process.setEffectiveGroup(call.arguments.first.word)
      return .value(0)
    }
    declare(.setreuid, "setreuid", [.integer, .integer], copyAndAccount) { call throws(Errno) in
      let wanted = call.arguments
      try call.process.setUsers(real: wanted.first.optionalIdentifier, effective: wanted.second.optionalIdentifier)
      return .value(0)
    }
    declare(.setregid, "setregid", [.integer, .integer], copy) { call throws(Errno) in
      let wanted = call.arguments
      try call.process.setGroups(real: wanted.first.optionalIdentifier, effective: wanted.second.optionalIdentifier)
      return .value(0)
    }
    declare(.setresuid, "setresuid", [.integer, .integer, .integer], copyAndAccount) { call throws(Errno) in
      let wanted = call.arguments
      try call.process.setUsers(
        real: wanted.first.optionalIdentifier, effective: wanted.second.optionalIdentifier,
        saved: wanted.third.optionalIdentifier)
      return .value(0)
    }
    declare(.setresgid, "setresgid", [.integer, .integer, .integer], copy) { call throws(Errno) in
      let wanted = call.arguments
      try call.process.setGroups(
        real: wanted.first.optionalIdentifier, effective: wanted.second.optionalIdentifier,
        saved: wanted.third.optionalIdentifier)
      return .value(0)
    }
  }
}

extension SystemCall {
  /// The result of getresuid(2): three integers, each to its own address, those with address 0 left out.
  fileprivate func deliver(_ first: UInt32, _ second: UInt32, _ third: UInt32) -> Answer {
    let (one, two, three) = (arguments.first, arguments.second, arguments.third)
    if (one.isNull || store(first, (), at: one.address)) && (two.isNull || store(second, (), at: two.address))
      && (three.isNull || store(third, (), at: three.address))
    {
      return .value(0)
    }
    stage(first, at: 0)
    stage(second, at: 4)
    stage(third, at: 8)
    beginDelivery()
    addPiece(at: 0, 4, to: one)
    addPiece(at: 4, 4, to: two)
    addPiece(at: 8, 4, to: three)
    return .deliver
  }

  /// getgroups(2): the effective group first, then the supplementary ones.
  fileprivate func groups() throws(Errno) -> Answer {
    let credentials = process.credentials
    let count = credentials.groupCount
    let room = arguments.first.integer
    if room == 0 { return .value(UInt64(count)) }
    guard room >= count else { throw .einval }
    // Few, as they usually are, are stored one by one.
    var stored = 0
    if count <= 4 {
      while stored < count && store(credentials.group(at: stored), (), at: address(of: stored)) { stored += 1 }
    }
    if stored == count { return .value(UInt64(count)) }
    for index in 0..<count { stage(credentials.group(at: index), at: 4 * index) }
    // A null pointer is a bad address here, not one that wants nothing.
    thread.frame.value.delivery.begin(value: UInt64(count))
    thread.frame.value.delivery.append(address: arguments.second.address, offset: 0, byteCount: 4 * count)
    return .deliver
  }

  private func address(of group: Int) -> VirtualAddress {
    VirtualAddress(arguments.second.raw &+ 4 * UInt64(group))
  }

  fileprivate func groupsRequest() throws(Errno) -> CopyInRequest {
    let count = Int(arguments.first.integer)
    guard count >= 0, count <= SystemCallLimits.groupCount else { throw .einval }
    return count == 0 ? .nothing : .bytes(arguments.second.range(4 * count))
  }

  /// setgroups(2): the first becomes the effective group; none keeps only the effective one. The number of groups and their
  /// address have been checked; the privilege comes last.
  fileprivate func setGroups() throws(Errno) -> Answer {
    guard process.credentials.isSuperuser else { throw .eperm }
    let count = Int(arguments.first.integer)
    var groups = [256 of UInt32](repeating: 0)
    for index in 0..<count { groups[index] = stagedWord(at: 4 * index) }
    try process.setGroups(groups.span.extracting(0..<count))
    return .value(0)
  }
}
