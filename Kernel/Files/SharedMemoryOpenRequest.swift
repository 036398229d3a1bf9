// The arguments of shm_open(2) and shm_open2(2), checked as far as that goes without the path (spec shm.md, 3.1 and 3.2).

public import ABI

/// Which of the two system calls opened a descriptor (DESIGN, "Two generations of shared memory").
public enum SharedMemoryGeneration: BitwiseCopyable, Sendable {
  /// System call 482, the call of 2008: no read, write or lseek.
  case year2008
  /// System call 571, today's call.
  case today
}

/// Arguments of an open that passed steps 1 to 4 of spec shm.md 3.1, which come before the path is copied in.
public struct SharedMemoryOpenRequest: BitwiseCopyable, Sendable {
  let generation: SharedMemoryGeneration
  let flags: OpenFlags
  let mode: FileMode
  let sharedMemoryFlags: SharedMemoryFlags

  /// Checks the arguments. System call 482 has no `sharedMemoryFlags` and always closes on exec.
  ///
  /// Throws EINVAL for unknown bits and for access modes other than O_RDONLY and O_RDWR.
  public init(
    generation: SharedMemoryGeneration, flags: OpenFlags, mode: FileMode, sharedMemoryFlags: SharedMemoryFlags = []
  ) throws(Errno) {
    guard sharedMemoryFlags.isSubset(of: .known) else { throw .einval }
    let access = flags.accessMode
    guard access == .readOnly || access == .readWrite else { throw .einval }
    guard flags.isSubset(of: SharedMemoryOpenRequest.accepted) else { throw .einval }
    self.generation = generation
    self.flags = generation == .year2008 ? flags.union(.closeOnExec) : flags
    self.mode = mode
    self.sharedMemoryFlags = sharedMemoryFlags
  }

  private static let accepted: OpenFlags = [.accessModeMask, .create, .exclusive, .truncate, .closeOnExec]

  @inline(__always)
  var closesOnExec: Bool { flags.contains(.closeOnExec) }
  @inline(__always)
  var writes: Bool { flags.contains(.readWrite) }
  @inline(__always)
  var fileFlags: FileFlags { writes ? [.read, .write] : .read }
  /// Every open without SHM_ALLOW_SEALING sets F_SEAL_SEAL, on an object that exists too (spec shm.md, 3.2).
  @inline(__always)
  var forbidsSealing: Bool { !sharedMemoryFlags.contains(.allowSealing) }
  @inline(__always)
  var accessRequest: AccessRequest { writes ? [.read, .write] : .read }
}
