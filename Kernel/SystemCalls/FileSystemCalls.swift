// Calls that are for files of a file system: flock(2), fchflags(2), futimes(2), futimens(2), fstatfs(2), fchdir(2), fpathconf(2),
// truncate(2); and kcmp(2). What can be open here is none of that but for what lies in /dev and /bin, which they leave as it is
// (spec shm.md, section 3.30).

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareFileSystemCalls() {
    declare(.flock, "flock", [.descriptor, .bits]) { call throws(Errno) in
      // Nothing here can be locked, whatever is asked.
      _ = try call.fileReference(call.arguments.first.descriptor, needing: .lock)
      throw .eopnotsupp
    }
    declare(.fchflags, "fchflags", [.descriptor, .bits]) { call throws(Errno) in
      try call.refuseChange(needing: .changeFlags)
    }
    let times = CopyIn.chosen { call throws(Errno) in
      call.arguments.second.isNull ? .nothing : .bytes(call.arguments.second.range(2 * Timespec.byteCount))
    }
    declare(.futimes, "futimes", [.descriptor, .pointer], copyIn: times) { call throws(Errno) in
      try call.checkTimes(perSecond: 1_000_000)
      return try call.refuseChange(needing: .changeTimes)
    }
    declare(.futimens, "futimens", [.descriptor, .pointer], copyIn: times) { call throws(Errno) in
      try call.checkTimes(perSecond: 1_000_000_000)
      return try call.refuseChange(needing: .changeTimes)
    }
    declare(.fstatfs, "fstatfs", [.descriptor, .pointer]) { call throws(Errno) in
      try call.refuseChange(needing: .fileSystemStatus)
    }
    declare(.fchdir, "fchdir", [.descriptor]) { call throws(Errno) in
      // No directory can be open.
      throw try call.file(call.arguments.first.descriptor, needing: .changeDirectory).kind == .object
        ? .einval : .enotdir
    }
    declare(.fpathconf, "fpathconf", [.descriptor, .integer]) { call throws(Errno) in try call.pathConfiguration() }
    declare(
      .truncate, "truncate", [.path, .long],
      copyIn: .chosen { call throws(Errno) in
        guard call.arguments.second.long >= 0 else { throw .einval }
        return .path(call.arguments.first.address)
      }
    ) { call throws(Errno) in
      try call.withPath { path throws(Errno) in try call.kernel.files.truncate(path: path) }
      return .value(0)
    }
    declare(.kcmp, "kcmp", [.integer, .integer, .integer, .long, .long]) { call throws(Errno) in
      try call.compareResources()
    }
  }
}

extension SystemCall {
  /// Whether the times that were copied in are some. (UTIME_NOW and UTIME_OMIT are −1 and −2.)
  ///
  /// Throws EINVAL.
  fileprivate func checkTimes(perSecond: Int64) throws(Errno) {
    if arguments.second.isNull { return }
    for index in 0..<2 {
      let offset = 8 + index * Timespec.byteCount
      let fraction = Int64(bitPattern: stagedLong(at: offset))
      let isWord = perSecond == 1_000_000_000 && (fraction == -1 || fraction == -2)
      guard isWord || (0..<perSecond).contains(fraction) else { throw .einval }
    }
  }

  /// Refuses what is for files of a file system.
  ///
  /// Throws EBADF, ENOTCAPABLE; EINVAL for what is no such file, EROFS for a file of /bin, EOPNOTSUPP for a device.
  fileprivate func refuseChange(needing rights: CapabilityRights) throws(Errno) -> Answer {
    switch try file(arguments.first.descriptor, needing: rights).kind {
    case .object: throw .einval
    case .regular: throw .erofs
    case .device: throw .eopnotsupp
    }
  }

  /// fpathconf(2): of a pipe or socket, how many bytes are written as a whole; of shared memory nothing.
  ///
  /// Throws EBADF, ENOTCAPABLE; EINVAL, EOPNOTSUPP for what is not known of the file.
  fileprivate func pathConfiguration() throws(Errno) -> Answer {
    let file = try file(arguments.first.descriptor, needing: .pathConfiguration)
    let name = PathConfiguration(rawValue: arguments.second.integer)
    if name == .asynchronous { return .value(PathConfiguration.asynchronousVersion) }
    switch file.kind {
    case .object:
      guard file is PipeFile || file is SocketFile else { throw .eopnotsupp }
      guard name == .pipeBuffer else { throw .einval }
      return .value(UInt64(PipeFile.atomicWriteByteCount))
    case .device, .regular:
      switch name {
      case .nameMaximum: return .value(255)
      case .pathMaximum: return .value(UInt64(InterfaceLimits.pathByteCount))
      case .linkMaximum: return .value(1)
      case .pipeBuffer: return .value(UInt64(PipeFile.atomicWriteByteCount))
      case .chownRestricted, .noTruncation: return .value(1)
      default: throw .einval
      }
    }
  }

  /// kcmp(2): 0 for the same, 1 and 2 for two in some order, 3 for what cannot be ordered.
  ///
  /// Throws ESRCH, EPERM for processes that the caller may not look at, EBADF, EINVAL for what cannot be compared.
  fileprivate func compareResources() throws(Errno) -> Answer {
    let first = try comparedProcess(arguments.first.integer)
    let second = try comparedProcess(arguments.second.integer)
    switch ComparedResource(rawValue: arguments.third.integer) {
    case .file:
      let one = try openFile(arguments.fourth, of: first)
      return order(one.rawAddress, try openFile(arguments.fifth, of: second).rawAddress)
    case .object:
      let one = try openFile(arguments.fourth, of: first)
      let other = try openFile(arguments.fifth, of: second)
      guard let identity = one.instance?.comparedObject, let otherIdentity = other.instance?.comparedObject else {
        return order(one.rawAddress, other.rawAddress)
      }
      guard identity.type == otherIdentity.type else { return .value(3) }
      return order(identity.address, otherIdentity.address)
    case .files: return order(address(first.files), address(second.files))
    case .signals: return order(address(first), address(second))
    case .memory: return order(address(first.addressSpace), address(second.addressSpace))
    case nil: throw .einval
    }
  }

  private func comparedProcess(_ identifier: Int32) throws(Errno) -> Process {
    guard let subject = kernel.processes.livingProcess(identifier), subject.state == .running else { throw .esrch }
    guard kernel.processes.mayInspect(subject, by: process) else { throw .eperm }
    return subject
  }

  private func openFile(_ argument: Argument, of subject: Process) throws(Errno) -> BackReference<OpenFile> {
    guard let table = subject.files, let number = Int32(exactly: argument.long) else { throw .ebadf }
    return try table.reference(at: number, needing: [])
  }

  private func address<Instance: Nameable>(_ instance: Instance?) -> UInt {
    instance.map { BackReference($0).rawAddress } ?? 0
  }

  private func order(_ first: UInt, _ second: UInt) -> Answer { .value(first == second ? 0 : first < second ? 1 : 2) }
}

/// What kcmp(2) compares.
private enum ComparedResource: Int32 {
  /// KCMP_FILE
  case file = 100
  /// KCMP_FILEOBJ
  case object = 101
  /// KCMP_FILES
  case files = 102
  /// KCMP_SIGHAND
  case signals = 103
  /// KCMP_VM
  case memory = 104
}

/// Names of pathconf(2) (_PC_*).
private enum PathConfiguration: Int32 {
  case linkMaximum = 1
  case nameMaximum = 4
  case pathMaximum = 5
  case pipeBuffer = 6
  case chownRestricted = 7
  case noTruncation = 8
  case asynchronous = 53

  /// _POSIX_ASYNCHRONOUS_IO
  static let asynchronousVersion: UInt64 = 200_112
}
