// A policy of mandatory access control: each hook refuses what it is asked about, beside the permissions, and nothing has changed
// then (mac(4)); and the calls that are for files of a file system (spec shm.md section 3.30), kcmp(2) among them.

import ABI
import Primitives
import Simulation
import Testing

@testable import Files
@testable import SystemCalls

/// A policy that refuses what it is told to, and counts what it is asked.
private final class DenyingPolicy: SharedMemoryPolicy {
  enum Hook { case create, open, remove, map, status, truncate }
  var refused: Hook?
  /// With room for all: what a hook takes from the heap would count as the kernel's.
  var asked: [Hook] = {
    var asked: [Hook] = []
    asked.reserveCapacity(32)
    return asked
  }()

  private func ask(_ hook: Hook) throws(Errno) {
    asked.append(hook)
    if refused == hook { throw .eperm }
  }

  override func checkCreation(of path: Span<UInt8>, by caller: Credentials) throws(Errno) { try ask(.create) }
  override func checkOpening(of object: SharedMemoryObject, writes: Bool, by caller: Credentials) throws(Errno) {
    try ask(.open)
  }
  override func checkRemoval(of object: SharedMemoryObject, by caller: Credentials) throws(Errno) { try ask(.remove) }
  override func checkMapping(
    of object: SharedMemoryObject, _ query: MappingQuery, by caller: Credentials
  ) throws(Errno) { try ask(.map) }
  override func checkStatus(of object: SharedMemoryObject, by caller: Credentials) throws(Errno) { try ask(.status) }
  override func checkTruncation(of object: SharedMemoryObject, by caller: Credentials) throws(Errno) {
    try ask(.truncate)
  }
}

@Suite struct PolicyTests {
  private let place = TestKernel.data + 0x100
  private let name = TestKernel.data + 0x80

  @Test func `each hook refuses for itself`() throws {
    // shows: shm 3.1.enoent, 3.8.mac, 3.11.mac
    let kernel = try TestKernel()
    let policy = DenyingPolicy()
    kernel.kernel.files.policy = policy
    let path = kernel.string("/guarded", at: name)
    policy.refused = .create
    #expect(kernel.call(.shmOpen2, path, .createReadWrite, 0o600, 0, 0)?.errno == .eperm)
    policy.refused = nil
    #expect(kernel.call(.shmOpen2, path, .readWriteFile, 0o600, 0, 0)?.errno == .enoent)
    #expect(kernel.call(.shmOpen2, path, .createReadWrite, 0o600, 0, 0)?.failed == false)
    let file = kernel.result.value
    policy.refused = .truncate
    #expect(kernel.call(.ftruncate, file, 4096)?.errno == .eperm)
    policy.refused = nil
    #expect(kernel.call(.ftruncate, file, 8192)?.failed == false)
    policy.refused = .open
    #expect(kernel.call(.shmOpen2, path, .readWriteFile, 0, 0, 0)?.errno == .eperm)
    #expect(kernel.call(.shmOpen2, path, .createExclusiveReadWrite, 0, 0, 0)?.errno == .eexist)
    policy.refused = .status
    #expect(kernel.call(.fstat, file, place)?.errno == .eperm)
    policy.refused = .map
    #expect(kernel.call(.mmap, 0, 4096, .readWrite, 1, file, 0)?.errno == .eperm)
    policy.refused = .remove
    #expect(kernel.call(.shmUnlink, path)?.errno == .eperm)
    policy.refused = nil
    policy.asked.removeAll(keepingCapacity: true)
    #expect(kernel.call(.fstat, file, place)?.failed == false)
    #expect(kernel.loadWord(place + StatField.size) == 8192)
    #expect(kernel.call(.mmap, 0, 4096, .readWrite, 1, file, 0)?.failed == false)
    #expect(kernel.call(.shmUnlink, path)?.failed == false)
    #expect(policy.asked == [.status, .map, .remove])
    // An object without a name is nobody's to refuse.
    policy.refused = .create
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.failed == false)
    kernel.kernel.files.policy = nil
  }

  // MARK: Calls for files of a file system

  @Test func `shared memory is no file of a file system`() throws {
    // shows: shm 3.24.locks, 3.30.fchflags, 3.30.fpathconf
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let file = kernel.result.value
    kernel.call(.open, kernel.string("/dev/null", at: name), 2)
    let device = kernel.result.value
    kernel.call(.open, kernel.string("/bin/prog", at: name), 0)
    let program = kernel.result.value
    kernel.call(.pipe2, place, 0)
    let pipe = kernel.loadWord(place) & 0xFFFF_FFFF
    let calls: [(SystemCallNumber, [UInt64], Errno, Errno)] = [
      (.fchflags, [0], .eopnotsupp, .erofs), (.futimes, [0], .eopnotsupp, .erofs),
      (.futimens, [0], .eopnotsupp, .erofs),
      (.fstatfs, [place], .eopnotsupp, .erofs), (.fchdir, [], .enotdir, .enotdir),
      (.flock, [2], .eopnotsupp, .eopnotsupp),
    ]
    for (number, rest, ofDevice, ofProgram) in calls {
      func error(_ descriptor: UInt64) -> Errno? {
        kernel.perform(UInt64(number.rawValue), [descriptor] + rest)?.errno
      }
      #expect(error(file) == (number == .flock ? .eopnotsupp : .einval), "\(number)")
      #expect(error(device) == ofDevice && error(program) == ofProgram && error(99) == .ebadf, "\(number)")
    }
    #expect(kernel.call(.futimens, file, 8)?.errno == .efault)
    kernel.storeWord(2_000_000_000, at: place + 8)
    #expect(kernel.call(.futimens, file, place)?.errno == .einval)
    #expect(kernel.call(.fpathconf, file, 6)?.errno == .eopnotsupp)
    #expect(kernel.call(.fpathconf, file, 53)?.value == 200_112)
    #expect(kernel.call(.fpathconf, pipe, 6)?.value == 512)
    #expect(kernel.call(.fpathconf, pipe, 4)?.errno == .einval)
    #expect(kernel.call(.fpathconf, device, 4)?.value == 255)
    #expect(kernel.call(.fpathconf, 99, 4)?.errno == .ebadf)
    let path = kernel.string("/bin/prog", at: name)
    #expect(kernel.call(.truncate, path, 0)?.errno == .erofs)
    #expect(kernel.call(.truncate, path, UInt64(bitPattern: -1))?.errno == .einval)
    #expect(kernel.call(.truncate, 8, 0)?.errno == .efault)
    #expect(kernel.call(.truncate, kernel.string("/dev/null", at: name), 9)?.failed == false)
    #expect(kernel.call(.truncate, kernel.string("/tmp", at: name), 0)?.errno == .eisdir)
    #expect(kernel.call(.truncate, kernel.string("/no", at: name), 0)?.errno == .enoent)
  }

  @Test func `kcmp tells the same from others`() throws {
    // shows: shm 3.30.kcmp
    let kernel = try TestKernel()
    kernel.call(.shmOpen2, kernel.string("/compared", at: name), .createReadWrite, 0o600, 0, 0)
    let first = kernel.result.value
    kernel.call(.shmOpen2, kernel.string("/compared", at: name), .readWriteFile, 0, 0, 0)
    let second = kernel.result.value
    kernel.call(.shmUnlink, name)
    kernel.call(.dup, first)
    let duplicate = kernel.result.value
    let own = UInt64(kernel.identifier)
    func compare(_ type: UInt64, _ one: UInt64 = 0, _ other: UInt64 = 0, _ process: UInt64? = nil) -> UInt64? {
      let result = kernel.call(.kcmp, own, process ?? own, type, one, other)
      return result?.failed == false ? result?.value : nil
    }
    #expect(compare(100, first, duplicate) == 0)
    let order = compare(100, first, second)
    #expect(order == 1 || order == 2)
    #expect(compare(100, second, first) == 3 - (order ?? 0))
    #expect(compare(101, first, second) == 0)
    #expect(compare(101, first, 0) == 3)
    #expect(compare(102) == 0 && compare(103) == 0 && compare(104) == 0)
    #expect(kernel.call(.kcmp, own, own, 99, 0, 0)?.errno == .einval)
    #expect(kernel.call(.kcmp, own, 9999, 102, 0, 0)?.errno == .esrch)
    #expect(kernel.call(.kcmp, own, own, 100, first, 99)?.errno == .ebadf)
    let child = kernel.fork()
    let other = UInt64(child)
    #expect(compare(100, first, first, other) == 0)
    #expect(compare(104, 0, 0, other) != 0 && compare(102, 0, 0, other) != 0)
    _ = kernel.wait(child) {
      kernel.call(.setuid, 7)
      #expect(kernel.call(.kcmp, own, own, 102, 0, 0)?.errno == .eperm)
      kernel.call(.exit, 0)
    }
  }
}
