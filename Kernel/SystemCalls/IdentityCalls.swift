// Who a process is: getuid(2), setuid(2), getgroups(2), umask(2) and their like.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  func handleIdentity(
    _ call: SystemCall, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) throws(Errno) -> Outcome {
    let first = UInt32(truncatingIfNeeded: arguments.first)
    switch call {
    case .getuid: return .value(UInt64(process.credentials.user))
    case .geteuid: return .value(UInt64(process.credentials.effectiveUser))
    case .getgid: return .value(UInt64(process.credentials.group))
    case .getegid: return .value(UInt64(process.credentials.effectiveGroup))
    case .setuid: try process.setUser(first)
    case .seteuid: try process.setEffectiveUser(first)
    case .setgid: try process.setGroup(first)
    case .setegid: try process.setEffectiveGroup(first)
    case .setreuid:
      try process.setUsers(
        real: optionalIdentifier(arguments.first), effective: optionalIdentifier(arguments.second))
    case .setregid:
      try process.setGroups(
        real: optionalIdentifier(arguments.first), effective: optionalIdentifier(arguments.second))
    case .setresuid:
      try process.setUsers(
        real: optionalIdentifier(arguments.first), effective: optionalIdentifier(arguments.second),
        saved: optionalIdentifier(arguments.third))
    case .setresgid:
      try process.setGroups(
        real: optionalIdentifier(arguments.first), effective: optionalIdentifier(arguments.second),
        saved: optionalIdentifier(arguments.third))
    case .getresuid:
      let credentials = process.credentials
      return threeWords(credentials.user, credentials.effectiveUser, credentials.savedUser, arguments, thread, process)
    case .getresgid:
      let credentials = process.credentials
      return threeWords(
        credentials.group, credentials.effectiveGroup, credentials.savedGroup, arguments, thread, process)
    case .getgroups: return try groups(arguments, thread, process)
    case .setgroups: try setGroups(arguments, thread, process)
    case .issetugid: return .value(process.hasChangedIdentity ? 1 : 0)
    case .umask:
      let old = process.creationMask
      process.creationMask = FileMode(rawValue: UInt16(truncatingIfNeeded: arguments.first))
        .intersection(.allPermissions)
      return .value(UInt64(old.rawValue))
    default: throw .enosys
    }
    return .value(0)
  }

  /// The result of getresuid(2): three integers, each to its own address, those with address 0 left out.
  private func threeWords(
    _ first: UInt32, _ second: UInt32, _ third: UInt32, _ arguments: Arguments, _ thread: Thread, _ process: Process
  ) -> Outcome {
    var result = PendingResult()
    stage(first, at: 0, &thread.frame.value.buffer)
    stage(second, at: 4, &thread.frame.value.buffer)
    stage(third, at: 8, &thread.frame.value.buffer)
    if arguments.first != 0 { result.append(address: arguments.first, offset: 0, byteCount: 4) }
    if arguments.second != 0 { result.append(address: arguments.second, offset: 4, byteCount: 4) }
    if arguments.third != 0 { result.append(address: arguments.third, offset: 8, byteCount: 4) }
    _ = copyOut(result, thread, process)
    return .registersSet
  }

  /// getgroups(2): the effective group first, then the supplementary ones.
  private func groups(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) -> Outcome {
    let credentials = process.credentials
    let count = credentials.groupCount
    let room = integer(arguments.first)
    if room == 0 { return .value(UInt64(count)) }
    guard room >= count else { throw .einval }
    for index in 0..<count {
      stage(credentials.group(at: index), at: 4 * index, &thread.frame.value.buffer)
    }
    var result = PendingResult(value: UInt64(count))
    result.append(address: arguments.second, offset: 0, byteCount: 4 * count)
    _ = copyOut(result, thread, process)
    return .registersSet
  }

  /// setgroups(2): the first becomes the effective group; none keeps only the effective one. The number of groups and their
  /// address have been checked; the privilege comes last.
  private func setGroups(_ arguments: Arguments, _ thread: Thread, _ process: Process) throws(Errno) {
    guard process.credentials.isSuperuser else { throw .eperm }
    let count = Int(integer(arguments.first))
    var groups = [256 of UInt32](repeating: 0)
    for index in 0..<count {
      groups[index] = thread.frame.value.buffer.span.loadUInt32(at: 4 * index)
    }
    try process.setGroups(groups.span.extracting(0..<count))
  }
}
