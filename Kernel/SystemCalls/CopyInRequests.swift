// What each call copies in before it begins, with the checks that come before that.

import ABI
import Files
import Memory
import Processes

extension Kernel {
  /// The path or structure that a call begins with. Throws what the call gives before it looks at user memory.
  func copyInRequest(_ call: SystemCall, _ arguments: Arguments) throws(Errno) -> CopyInRequest {
    switch call {
    case .execve, .open, .shmUnlink: return .path(arguments.first)
    case .openat: return .path(arguments.second)
    case .shmOpen:
      _ = try sharedMemoryRequest(call, arguments)
      return arguments.first == SharedMemoryPath.anonymous ? .nothing : .path(arguments.first)
    case .shmOpen2:
      _ = try sharedMemoryRequest(call, arguments)
      return arguments.first == SharedMemoryPath.anonymous ? .nothing : .path(arguments.first)
    case .nanosleep: return .bytes(arguments.first, count: Timespec.byteCount)
    case .setrlimit: return .bytes(arguments.second, count: ResourceLimit.byteCount)
    case .setgroups: return try groupsRequest(arguments)
    case .sigaction: return arguments.second == 0 ? .nothing : .bytes(arguments.second, count: 32)
    case .procctl:
      guard integer(arguments.third) == ProcessControl.protect else { throw .einval }
      return .bytes(arguments.fourth, count: 4)
    case .sysctl:
      let length = UInt32(truncatingIfNeeded: arguments.second)
      guard length >= 2, length <= UInt32(SystemControl.maximumNameLength) else { throw .einval }
      return .bytes(arguments.first, count: 4 * Int(length))
    case .sysctlbyname:
      guard arguments.second > 0, arguments.second < UInt64(ProcessLimits.callBufferByteCount) else { throw .einval }
      return .bytes(arguments.first, count: Int(arguments.second))
    case .sysarch:
      return SystemArchitecture(arguments.first)?.setsBase == true
        ? .bytes(arguments.second, count: 8) : .nothing
    case .ioctl: return try controlRequest(arguments)
    default: return .nothing
    }
  }

  private func groupsRequest(_ arguments: Arguments) throws(Errno) -> CopyInRequest {
    let count = Int(integer(arguments.first))
    guard count >= 0, count <= SystemCallLimits.groupCount else { throw .einval }
    return count == 0 ? .nothing : .bytes(arguments.second, count: 4 * count)
  }

  func sharedMemoryRequest(_ call: SystemCall, _ arguments: Arguments) throws(Errno) -> SharedMemoryOpenRequest {
    let flags = OpenFlags(rawValue: UInt32(truncatingIfNeeded: arguments.second))
    let mode = FileMode(rawValue: UInt16(truncatingIfNeeded: arguments.third))
    if call == .shmOpen { return try SharedMemoryOpenRequest(generation: .year2008, flags: flags, mode: mode) }
    return try SharedMemoryOpenRequest(
      generation: .today, flags: flags, mode: mode,
      sharedMemoryFlags: SharedMemoryFlags(rawValue: UInt32(truncatingIfNeeded: arguments.fourth)))
  }

  func fileTable(_ process: Process) -> FileTable {
    guard let files = process.files else { preconditionFailure("call of a process without descriptors") }
    return files
  }
}

/// Paths that are no paths.
enum SharedMemoryPath {
  /// SHM_ANON
  static let anonymous: UInt64 = 1
}
