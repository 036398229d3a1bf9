// Calls on what is at a path: fstatat(2), access(2), chmod(2), chown(2), unlink(2), rename(2), and their like.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declarePathCalls() {
    declare(.fstatat, "fstatat", [.descriptor, .path, .pointer, .bits], copyIn: path(1, flags: 3, .attributes)) {
      call throws(Errno) in
      try call.statusOfPath()
    }
    declareAccessCalls()
    declareAttributeCalls()
    declare(.unlink, "unlink", [.path], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.removeEntry(from: .root, [])
    }
    declare(.unlinkat, "unlinkat", [.descriptor, .path, .bits], copyIn: path(1, flags: 2, .removal)) {
      call throws(Errno) in
      try call.removeEntry(
        from: call.pathStart(call.arguments.first, needing: .lookUp), call.pathFlags(call.arguments.third))
    }
    declare(.rename, "rename", [.path, .path], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.rename(from: .root, to: call.arguments.second, from: .root)
    }
    declare(.renameat, "renameat", [.descriptor, .path, .descriptor, .path], copyIn: .path(argument: 1)) {
      call throws(Errno) in
      try call.rename(
        from: call.pathStart(call.arguments.first, needing: .lookUp), to: call.arguments.fourth,
        from: call.openPathStart(call.arguments.third))
    }
  }

  /// The path in an argument, once the flags in another are known to be some that the call has.
  private func path(_ argument: Int, flags: Int, _ known: PathFlags) -> CopyIn {
    .chosen { call throws(Errno) in
      guard known.isSuperset(of: call.pathFlags(call.arguments[flags])) else { throw .einval }
      return .path(call.arguments[argument].address)
    }
  }

  private mutating func declareAccessCalls() {
    // What is asked about is looked at before the path.
    let copyIn = CopyIn.chosen { call throws(Errno) in
      _ = try call.accessMode(call.arguments.second)
      return .path(call.arguments.first.address)
    }
    declare(.access, "access", [.path, .bits], copyIn: copyIn) { call throws(Errno) in
      try call.checkAccess(from: .root, mode: call.arguments.second, [])
    }
    declare(.eaccess, "eaccess", [.path, .bits], copyIn: copyIn) { call throws(Errno) in
      try call.checkAccess(from: .root, mode: call.arguments.second, .effectiveAccess)
    }
    declare(
      .faccessat, "faccessat", [.descriptor, .path, .bits, .bits],
      copyIn: .chosen { call throws(Errno) in
        guard PathFlags.access.isSuperset(of: call.pathFlags(call.arguments.fourth)) else { throw .einval }
        _ = try call.accessMode(call.arguments.third)
        return .path(call.arguments.second.address)
      }
    ) { call throws(Errno) in
      try call.checkAccess(
        from: call.pathStart(call.arguments.first, needing: .status), mode: call.arguments.third,
        call.pathFlags(call.arguments.fourth))
    }
  }

  private mutating func declareAttributeCalls() {
    declare(.chmod, "chmod", [.path, .mode], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.changeModeOfPath(from: .root, call.arguments.second, [])
    }
    declare(.lchmod, "lchmod", [.path, .mode], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.changeModeOfPath(from: .root, call.arguments.second, [])
    }
    declare(.fchmodat, "fchmodat", [.descriptor, .path, .mode, .bits], copyIn: path(1, flags: 3, .attributes)) {
      call throws(Errno) in
      try call.changeModeOfPath(
        from: call.pathStart(call.arguments.first, needing: .changeMode), call.arguments.third,
        call.pathFlags(call.arguments.fourth))
    }
    declare(.chown, "chown", [.path, .integer, .integer], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.changeOwnerOfPath(from: .root, call.arguments.second, call.arguments.third, [])
    }
    declare(.lchown, "lchown", [.path, .integer, .integer], copyIn: .path(argument: 0)) { call throws(Errno) in
      try call.changeOwnerOfPath(from: .root, call.arguments.second, call.arguments.third, [])
    }
    declare(
      .fchownat, "fchownat", [.descriptor, .path, .integer, .integer, .bits], copyIn: path(1, flags: 4, .attributes)
    ) { call throws(Errno) in
      try call.changeOwnerOfPath(
        from: call.pathStart(call.arguments.first, needing: .changeOwner), call.arguments.third, call.arguments.fourth,
        call.pathFlags(call.arguments.fifth))
    }
  }
}

extension PathFlags {
  /// Those of fstatat(2), fchmodat(2) and fchownat(2).
  fileprivate static let attributes: PathFlags = [.doNotFollow, .beneath, .emptyPath]
  /// Those of faccessat(2).
  fileprivate static let access: PathFlags = [.effectiveAccess, .doNotFollow, .beneath, .emptyPath]
  /// Those of unlinkat(2).
  fileprivate static let removal: PathFlags = [.removeDirectory, .beneath]
}

extension SystemCall {
  /// Where a relative path begins that a call takes from a descriptor on; an empty one may mean the descriptor itself, which then
  /// has to have the rights for that.
  ///
  /// Throws ECAPMODE, ENOTCAPABLE for what a process in capability mode cannot name.
  func pathStart(_ argument: Argument, needing rights: CapabilityRights) throws(Errno) -> PathStart {
    if process.isInCapabilityMode { try checkCapabilityPath(argument.descriptor) }
    return openPathStart(argument, needing: stagedByteCount > 1 ? .lookUp : rights)
  }

  /// The same for a path that is not looked at.
  func openPathStart(_ argument: Argument, needing rights: CapabilityRights = .lookUp) -> PathStart {
    if argument.descriptor == .currentDirectory { return .root }
    do throws(Errno) {
      return .open(try fileReference(argument.descriptor, needing: rights))
    } catch {
      return .closed(error)
    }
  }

  fileprivate func pathFlags(_ argument: Argument) -> PathFlags { PathFlags(rawValue: argument.word) }

  /// Throws EINVAL for what access(2) cannot be asked.
  fileprivate func accessMode(_ argument: Argument) throws(Errno) -> AccessCheckMode {
    let mode = AccessCheckMode(rawValue: argument.word)
    guard AccessCheckMode([.read, .write, .execute]).isSuperset(of: mode) else { throw .einval }
    return mode
  }

  fileprivate func statusOfPath() throws(Errno) -> Answer {
    let flags = pathFlags(arguments.fourth)
    let start = try pathStart(arguments.first, needing: .status)
    let stat = try withPath { path throws(Errno) in
      try kernel.files.status(path: path, from: start, takesEmpty: flags.contains(.emptyPath), in: table)
    }
    thread.frame.value.buffer.withMutableBytes { bytes in stat.encode(into: &bytes) }
    return deliver(Stat.byteCount, to: arguments.third.address)
  }

  fileprivate func checkAccess(
    from start: PathStart, mode argument: Argument, _ flags: PathFlags
  ) throws(Errno) -> Answer {
    let mode = try accessMode(argument)
    try withPath { path throws(Errno) in
      try kernel.files.checkAccess(
        path: path, from: start, takesEmpty: flags.contains(.emptyPath), mode, process.credentials,
        isEffective: flags.contains(.effectiveAccess))
    }
    return .value(0)
  }

  fileprivate func changeModeOfPath(
    from start: PathStart, _ mode: Argument, _ flags: PathFlags
  ) throws(Errno) -> Answer {
    try withPath { path throws(Errno) in
      try kernel.files.changeMode(
        path: path, from: start, takesEmpty: flags.contains(.emptyPath),
        FileMode(rawValue: UInt16(truncatingIfNeeded: mode.raw)), process.credentials)
    }
    return .value(0)
  }

  fileprivate func changeOwnerOfPath(
    from start: PathStart, _ user: Argument, _ group: Argument, _ flags: PathFlags
  ) throws(Errno) -> Answer {
    try withPath { path throws(Errno) in
      try kernel.files.changeOwner(
        path: path, from: start, takesEmpty: flags.contains(.emptyPath), user: user.optionalIdentifier,
        group: group.optionalIdentifier, process.credentials)
    }
    return .value(0)
  }

  fileprivate func removeEntry(from start: PathStart, _ flags: PathFlags) throws(Errno) -> Answer {
    try withPath { path throws(Errno) in
      try kernel.files.removeEntry(
        path: path, from: start, isDirectory: flags.contains(.removeDirectory), process.credentials)
    }
    return .value(0)
  }

  /// The old name is in the buffer; when it has been looked up, the new one takes its place there.
  fileprivate func rename(
    from start: PathStart, to target: Argument, from targetStart: PathStart
  ) throws(Errno) -> Answer {
    let entry = try withPath { path throws(Errno) in
      try kernel.files.beginRename(path: path, from: start, process.credentials)
    }
    var progress = 0
    switch space.copyInPath(target.address, into: &thread.frame.value.buffer, &progress) {
    case .complete: break
    case .fault: throw .efault
    case .tooLong: throw .enametoolong
    case .wait(let awaited):
      thread.wanted = awaited
      return .restart
    }
    thread.stagedByteCount = progress
    try withPath { path throws(Errno) in
      try kernel.files.rename(entry, to: path, from: targetStart, process.credentials)
    }
    return .value(0)
  }
}
