// Shared memory objects and mappings.

public import ABI
import UserlandSupport

/// shm_open(2) and shm_unlink(2).
public enum SharedMemory {
  /// Opens or creates a named object; the descriptor is closed on exec, as with the C library's shm_open(3).
  public static func open(
    _ name: StaticString, _ flags: OpenFlags, mode: FileMode = [], _ sharedFlags: SharedMemoryFlags = []
  ) throws(Errno) -> FileDescriptor {
    try open(pathAddress: name.address, flags, mode, sharedFlags)
  }

  /// Makes a nameless object (SHM_ANON) that is read and written.
  public static func openAnonymous(
    mode: FileMode = [], _ sharedFlags: SharedMemoryFlags = []
  ) throws(Errno) -> FileDescriptor {
    try open(pathAddress: SharedMemoryFlags.anonymousPath, .readWrite, mode, sharedFlags)
  }

  private static func open(
    pathAddress: UInt64, _ flags: OpenFlags, _ mode: FileMode, _ sharedFlags: SharedMemoryFlags
  ) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      result: try SystemCall.perform(
        .shmOpen2, pathAddress, UInt64(flags.union(.closeOnExec).rawValue), UInt64(mode.rawValue),
        UInt64(sharedFlags.rawValue), 0))
  }

  /// Removes a name.
  public static func unlink(_ name: StaticString) throws(Errno) {
    try SystemCall.perform(.shmUnlink, name.address)
  }
}

/// A range of mapped memory. Accesses are checked against its length; nothing unmaps it but `unmap()`.
///
/// Other processes may change the bytes at any time, so whole words are read and written atomically, one at a time.
@safe
public struct Mapping: Equatable, BitwiseCopyable, Sendable {
  /// The address of its first byte.
  public let address: UInt64
  /// Its length in bytes.
  public let byteCount: Int

  /// mmap(2)
  public init(
    _ descriptor: FileDescriptor? = nil, byteCount: Int, _ protection: Protection = [.read, .write], _ flags: MapFlags,
    offset: Int64 = 0
  ) throws(Errno) {
    address = try SystemCall.perform(
      .mmap, 0, UInt64(byteCount), UInt64(protection.rawValue), UInt64(flags.rawValue),
      descriptor?.argument ?? UInt64.max, UInt64(bitPattern: offset))
    self.byteCount = byteCount
  }

  /// munmap(2); using the value afterwards ends the program with SIGSEGV.
  public func unmap() throws(Errno) {
    try SystemCall.perform(.munmap, address, UInt64(byteCount))
  }

  /// mprotect(2) over the whole range.
  public func protect(_ protection: Protection) throws(Errno) {
    try SystemCall.perform(.mprotect, address, UInt64(byteCount), UInt64(protection.rawValue))
  }

  private func wordAddress(_ offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset % 8 == 0 && offset <= byteCount - 8)
    return address + UInt64(offset)
  }

  /// The word at a byte offset that is a multiple of 8. What was stored before it by another process is seen after it.
  public func load(at offset: Int) -> UInt64 { shared_load(wordAddress(offset)) }

  /// Stores a word at a byte offset that is a multiple of 8, after everything stored before.
  public func store(_ value: UInt64, at offset: Int) { shared_store(wordAddress(offset), value) }

  /// Adds to the word at a byte offset that is a multiple of 8, atomically; gives what was there before.
  @discardableResult
  public func add(_ value: UInt64, at offset: Int) -> UInt64 { shared_add(wordAddress(offset), value) }

  /// The byte at an offset.
  public subscript(offset: Int) -> UInt8 {
    get {
      precondition(offset >= 0 && offset < byteCount)
      return shared_load_byte(address + UInt64(offset))
    }
    nonmutating set {
      precondition(offset >= 0 && offset < byteCount)
      shared_store_byte(address + UInt64(offset), newValue)
    }
  }
}
