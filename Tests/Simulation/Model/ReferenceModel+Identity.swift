// Who a process is (setuid(2), setreuid(2), setresuid(2), setgroups(2), issetugid(2), umask(2)), naively.
import ABI

extension ReferenceModel {
  /// Real, effective and saved.
  private func three(_ who: ModelCredentials, _ ofGroups: Bool) -> [UInt32] {
    ofGroups
      ? [who.realGroup, who.effectiveGroup, who.savedGroup] : [who.realUser, who.effectiveUser, who.savedUser]
  }

  private func change(_ process: ModelProcess, _ ofGroups: Bool, to values: [UInt32]) -> Expectation {
    if values != three(process.credentials, ofGroups) { process.isTainted = true }
    if ofGroups {
      process.credentials.realGroup = values[0]
      process.credentials.effectiveGroup = values[1]
      process.credentials.savedGroup = values[2]
    } else {
      process.credentials.realUser = values[0]
      process.credentials.effectiveUser = values[1]
      process.credentials.savedUser = values[2]
    }
    return .value(0)
  }

  func setIdentity(_ process: ModelProcess, _ kind: IdentityKind, _ value: UInt32) -> Expectation {
    let ofGroups = kind == .group || kind == .effectiveGroup
    let old = three(process.credentials, ofGroups)
    let isPrivileged = process.credentials.effectiveUser == 0
    switch kind {
    case .user, .group:
      if value != old[0] && value != old[1] && !isPrivileged { return .error(.eperm) }
      return change(process, ofGroups, to: [value, value, value])
    case .effectiveUser, .effectiveGroup:
      if value != old[0] && value != old[2] && !isPrivileged { return .error(.eperm) }
      return change(process, ofGroups, to: [old[0], value, old[2]])
    }
  }

  func setIdentities(_ process: ModelProcess, _ ofGroups: Bool, _ values: [Int32]) -> Expectation {
    let old = three(process.credentials, ofGroups)
    let isPrivileged = process.credentials.effectiveUser == 0
    let wanted = values.map { $0 == -1 ? nil : UInt32(bitPattern: $0) }
    if values.count == 3 {
      let isFine = wanted.allSatisfy { $0 == nil || old.contains($0 ?? 0) }
      if !isFine && !isPrivileged { return .error(.eperm) }
      return change(process, ofGroups, to: [wanted[0] ?? old[0], wanted[1] ?? old[1], wanted[2] ?? old[2]])
    }
    let realIsFine = wanted[0] == nil || wanted[0] == old[0] || wanted[0] == old[2]
    let effectiveIsFine = wanted[1] == nil || old.contains(wanted[1] ?? 0)
    if !(realIsFine && effectiveIsFine) && !isPrivileged { return .error(.eperm) }
    let real = wanted[0] ?? old[0]
    let effective = wanted[1] ?? old[1]
    return change(process, ofGroups, to: [real, effective, wanted[0] != nil || effective != real ? effective : old[2]])
  }

  func identities(_ process: ModelProcess, _ ofGroups: Bool, _ wanted: UInt8) throws(Difference) -> Expectation {
    let pointers: [CallPointer] = [.output, .second, .third]
    let values = three(process.credentials, ofGroups)
    for index in 0..<3 where wanted >> UInt8(index) & 1 == 1 {
      if !reaches(process, pointers[index], 4, write: true) { return .error(.efault) }
      try check("identity \(index)", output(pointers[index], 4), 0, 4, UInt64(values[index]))
    }
    return .value(0)
  }

  /// The first group is the effective one (getgroups(2)).
  func setGroups(_ process: ModelProcess, _ groups: [UInt32]) -> Expectation {
    if groups.count > 256 { return .error(.einval) }
    if !groups.isEmpty && !reaches(process, .input, 4 * groups.count, write: false) { return .error(.efault) }
    if process.credentials.effectiveUser != 0 { return .error(.eperm) }
    process.isTainted = true
    if let first = groups.first { process.credentials.effectiveGroup = first }
    process.credentials.groups = Array(groups.dropFirst())
    return .value(0)
  }

  func groups(_ process: ModelProcess, _ room: Int32) throws(Difference) -> Expectation {
    let groups = [process.credentials.effectiveGroup] + process.credentials.groups
    if room == 0 { return .value(UInt64(groups.count)) }
    if Int(room) < groups.count { return .error(.einval) }
    if !reaches(process, .output, 4 * groups.count, write: true) { return .error(.efault) }
    let bytes = try output(.output, 4 * groups.count)
    for (index, group) in groups.enumerated() { try check("group \(index)", bytes, 4 * index, 4, UInt64(group)) }
    return .value(UInt64(groups.count))
  }

  func threadIdentifier(_ process: ModelProcess) throws(Difference) -> Expectation {
    if !reaches(process, .output, 8, write: true) { return .error(.efault) }
    let value = littleEndian(try output(.output, 8), 0)
    try learn(identifier: value, of: process.thread)
    return .value(0)
  }

  /// The kernel tells the identifier of a thread.
  func learn(identifier: UInt64, of thread: ModelThread) throws(Difference) {
    let isTaken = processes.values.contains { $0.threads.contains { $0 !== thread && $0.identifier == identifier } }
    let isOther = thread.identifier.map { $0 != identifier } ?? false
    if identifier <= 100_000 || identifier > UInt64(Int32.max) || isTaken || isOther {
      throw Difference("the identifier of a thread is \(identifier)")
    }
    thread.identifier = identifier
  }
}
