// Calls on objects of shared memory: paths, both generations of shm_open(2), fstat(2) to the byte, who watches and who waits (spec
// shm.md sections 3.1 to 3.8, 3.20 and 3.23 to 3.26).

import ABI
import Files
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ObjectCallTests {
  private let data = TestKernel.data
  private let place = TestKernel.data + 0x100
  private let name = TestKernel.data + 0x4000
  private let area: UInt64 = 0x1_0000_0000

  private func object(_ kernel: TestKernel, sharedMemoryFlags: UInt64 = 1) throws -> UInt64 {
    try #require(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, sharedMemoryFlags, 0)).value
  }

  private func size(_ kernel: TestKernel, _ object: UInt64) -> UInt64 {
    #expect(kernel.call(.fstat, object, place)?.integer == 0)
    return kernel.loadWord(place + StatField.size)
  }

  // MARK: Paths

  @Test(arguments: [false, true]) func `a path is read before a descriptor is taken`(is2008: Bool) throws {
    // shows: shm 3.1.path, 3.1.null-path, 3.1.emfile-anon, 3.1.2008-path
    let kernel = try TestKernel()
    let create: UInt64 = .createReadWrite
    func open(_ path: UInt64, _ flags: UInt64) -> Errno? {
      is2008
        ? kernel.call(.shmOpen, path, flags, 0o600)?.errno : kernel.call(.shmOpen2, path, flags, 0o600, 0, 0)?.errno
    }
    let longest = kernel.string("/" + String(repeating: "n", count: 1022), at: name)
    #expect(open(longest, create) == nil)
    #expect(kernel.call(.shmUnlink, longest)?.integer == 0)
    #expect(kernel.setLimit(8, 0, 100)?.integer == 0)
    #expect(open(0, create) == .efault && open(8, create) == .efault)
    let end = data + 65536
    kernel.store(Array("/nn".utf8), at: end - 3)
    #expect(open(end - 3, create) == .efault)
    #expect(open(kernel.string("/n", at: end - 3), create) == .emfile)
    #expect(open(kernel.string("/" + String(repeating: "n", count: 1023), at: name), create) == .enametoolong)
    // Without its slash, too.
    #expect(open(kernel.string(String(repeating: "n", count: 1024), at: name), create) == .enametoolong)
    #expect(open(kernel.string("relative", at: name), create) == .einval)
    #expect(open(kernel.string("", at: name), create) == .einval)
    #expect(open(kernel.string("/name", at: name), create) == .emfile)
    #expect(open(.anonymousObject, 0) == .emfile)
    #expect(kernel.setLimit(8, 50, 100)?.integer == 0)
    #expect(open(.anonymousObject, 0) == .einval)
  }

  @Test func `shm_unlink reads its path as shm_open does, and knows no SHM_ANON`() throws {
    // shows: shm 3.3.path, 3.3.anon, 3.3.enoent
    let kernel = try TestKernel()
    func unlink(_ path: UInt64) -> Errno? { kernel.call(.shmUnlink, path)?.errno }
    #expect(unlink(0) == .efault && unlink(8) == .efault && unlink(1) == .efault)
    #expect(unlink(kernel.string("/" + String(repeating: "n", count: 1023), at: name)) == .enametoolong)
    #expect(unlink(kernel.string("relative", at: name)) == .einval)
    #expect(unlink(kernel.string("", at: name)) == .einval)
    #expect(unlink(kernel.string("/" + String(repeating: "n", count: 1022), at: name)) == .enoent)
  }

  @Test func `the name that shm_open2 is given is not looked at`() throws {
    // shows: shm 3.2.name-ignored
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 8)?.failed == false)
  }

  @Test func `an object is not a folder`() throws {
    // shows: shm 3.30.openat
    let kernel = try TestKernel()
    let object = try object(kernel)
    #expect(kernel.call(.openat, object, kernel.string("x", at: name), 0, 0)?.errno == .enotdir)
  }

  // MARK: Opening

  @Test func `the call of 2008 masks the mode, and has no read-only anonymous objects`() throws {
    // shows: shm 3.1.2008-mode, 3.1.2008-anon, 3.1.2008-lock
    let kernel = try TestKernel()
    kernel.call(.umask, 0o27)
    let path = kernel.string("/masked", at: name)
    #expect(kernel.call(.shmOpen, path, .readWriteFile, 0o7777)?.errno == .enoent)
    let object = try #require(kernel.call(.shmOpen, path, .createReadWrite, 0o7777)).value
    #expect(kernel.call(.fstat, object, place)?.integer == 0)
    #expect(kernel.loadWord(place + 24) & 0xFFFF == 0o100750)
    #expect(kernel.call(.shmOpen, .anonymousObject, 0, 0o600)?.errno == .einval)
    #expect(kernel.call(.shmOpen, .anonymousObject, .readWriteFile, 0o600)?.failed == false)
  }

  @Test func `an open that truncates takes the pages from every mapping`() throws {
    // shows: shm 3.1.trunc-mapped, 3.1.trunc-new
    let kernel = try TestKernel()
    let path = kernel.string("/o", at: name)
    let object = try #require(kernel.call(.shmOpen2, path, .createTruncateReadWrite, 0o600, 0, 0)).value
    #expect(size(kernel, object) == 0)
    #expect(kernel.call(.ftruncate, object, 8192)?.integer == 0)
    #expect(kernel.call(.mmap, area, 8192, .readWrite, .fixedSharedFile, object, 0)?.value == area)
    kernel.store([7], at: area + 4096)
    #expect(kernel.call(.shmOpen2, path, .truncateReadWrite, 0, 0, 0)?.failed == false)
    #expect(size(kernel, object) == 0)
    _ = kernel.fork()
    let (_, status) = kernel.wait { kernel.store([1], at: area) }
    #expect(status == .terminated(.sigbus))
    #expect(kernel.call(.ftruncate, object, 8192)?.integer == 0)
    #expect(kernel.load(area + 4096, 1) == [0])
  }

  @Test func `a signal does not interrupt an open that waits for a writer`() throws {
    // shows: shm 3.1.no-eintr
    let kernel = try TestKernel(frames: 1024, unitsPerTurn: 4)
    let first = kernel.context
    let path = kernel.string("/o", at: name)
    #expect(kernel.call(.shmOpen2, path, .createReadWrite, 0o600, 0, 0)?.value == 3)
    #expect(kernel.call(.ftruncate, 3, 40 * 4096)?.integer == 0)
    kernel.call(.mmap, area, 40 * 4096, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
    for page in 0..<40 as Range<UInt64> { kernel.store([1], at: area + page * 4096) }
    kernel.storeWord(0x40_1234, at: place)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: place + offset) }
    #expect(kernel.call(.sigaction, 30, place, 0)?.integer == 0)
    for _ in 0..<2 { _ = kernel.fork() }
    // One child is in the middle of a write, and the other waits for it.
    kernel.call(.schedYield)
    kernel.call(.write, 3, area, 40 * 4096)
    let opener = kernel.context
    let identifier = UInt64(kernel.identifier)
    kernel.call(.shmOpen2, path, .truncateReadWrite, 0, 0, 0)
    for _ in 0..<100 where kernel.context != first { kernel.advance() }
    #expect(kernel.kernel.inspectedFiles.counts.holds == 2)
    #expect(kernel.call(.kill, identifier, 30)?.integer == 0)
    for _ in 0..<200 where kernel.context != opener { kernel.call(.schedYield) }
    #expect(kernel.context == opener)
    // The handler runs, and what it returns to has the descriptor.
    let frame = kernel.register(56)
    #expect(kernel.register(128) == UserSpace.signalTrampoline && kernel.loadWord(frame) == 0x40_1234)
    #expect(kernel.loadWord(frame + 88) == 4)
    #expect(size(kernel, 4) == 0)
  }

  // MARK: Status

  @Test func `what fstat has no answer for is zero`() throws {
    // shows: shm 3.8.others, 3.8.mode, 3.8.readonly
    let kernel = try TestKernel()
    let object = try #require(
      kernel.call(.shmOpen2, kernel.string("/o", at: name), UInt64(OpenFlags.create.rawValue), 0o640, 0, 0)
    ).value
    kernel.store([UInt8](repeating: 0xEE, count: 232), at: place)
    #expect(kernel.call(.fstat, object, place)?.integer == 0)
    let bytes = try #require(kernel.load(place, 232))
    #expect(bytes[24] == 0o240 && bytes[25] == 0x81)
    // Padding, st_rdev, then st_flags, st_gen, and what is spare.
    for range in [26..<28, 36..<48, 132..<224] { #expect(bytes[range].allSatisfy { $0 == 0 }, "\(range)") }
    #expect(bytes[224...].allSatisfy { $0 == 0xEE })
  }

  // MARK: Room

  @Test func `growth that cannot be reserved is refused whole, by every call that grows`() throws {
    // shows: shm 3.7.enomem, 3.20.grows, 3.25.enospc
    let kernel = try TestKernel(frames: 1024, swapBlocks: 256)
    let object = try object(kernel, sharedMemoryFlags: 2)
    kernel.store([1, 2, 3, 4], at: data)
    #expect(kernel.call(.pwrite, object, data, 4, 0)?.integer == 4)
    #expect(kernel.call(.seteuid, 5)?.integer == 0)
    kernel.hardware.system.setOvercommit(1)
    let far: UInt64 = 1 << 30
    #expect(kernel.call(.pwrite, object, data, 4, far)?.errno == .enomem)
    #expect(kernel.call(.ftruncate, object, far)?.errno == .enomem)
    #expect(kernel.call(.posixFallocate, object, 0, far)?.integer == Int(Errno.enospc.rawValue))
    #expect(size(kernel, object) == 4)
    kernel.hardware.system.setOvercommit(0)
    #expect(kernel.call(.pwrite, object, data, 4, far)?.integer == 4)
    #expect(size(kernel, object) == far + 4)
  }

  @Test func `room is made where nothing may be written, and never for the call of 2008`() throws {
    // shows: shm 3.25.write-seal, 3.25.ebadf, 3.26.ebadf
    let kernel = try TestKernel()
    let object = try object(kernel)
    // F_SEAL_WRITE
    #expect(kernel.call(.fcntl, object, 19, 8)?.integer == 0)
    #expect(kernel.call(.posixFallocate, object, 0, 8192)?.integer == 0)
    #expect(size(kernel, object) == 8192)
    let path = kernel.string("/o", at: name)
    let old = try #require(kernel.call(.shmOpen, path, .createReadWrite, 0o600)).value
    #expect(kernel.call(.posixFallocate, old, 0, 1)?.integer == Int(Errno.espipe.rawValue))
    let readOnly = try #require(kernel.call(.shmOpen2, path, 0, 0, 0, 0)).value
    kernel.storeWord(0, at: place)
    kernel.storeWord(1, at: place + 8)
    #expect(kernel.call(.fspacectl, readOnly, 1, place, 0, 0)?.errno == .ebadf)
    #expect(kernel.call(.posixFallocate, readOnly, 0, 1)?.integer == Int(Errno.ebadf.rawValue))
  }

  // MARK: Watching

  @Test func `select finds an object ready, one of 2008 for everything`() throws {
    // shows: shm 3.23.select, 3.23.2008-poll
    let kernel = try TestKernel()
    let object = try object(kernel)
    let old = try #require(kernel.call(.shmOpen, .anonymousObject, .readWriteFile, 0)).value
    for (descriptor, ready) in [(object, [true, true, false]), (old, [true, true, true])] {
      for offset in [0, 8, 16] as [UInt64] { kernel.storeWord(1 << descriptor, at: place + offset) }
      kernel.storeWord(0, at: place + 24)
      kernel.storeWord(0, at: place + 32)
      let count = kernel.call(.select, descriptor + 1, place, place + 8, place + 16, place + 24)?.integer
      #expect(count == ready.count { $0 })
      #expect([0, 8, 16].map { kernel.loadWord(place + $0) == 1 << descriptor } == ready)
      kernel.store(TestKernel.words([UInt32(descriptor), 1]), at: place)
      #expect(kernel.call(.poll, place, 1, 0)?.integer == 1)
      #expect(kernel.loadWord(place) >> 48 == (ready[2] ? 0x2D : 1))
    }
  }

  @Test func `a queue watches no object`() throws {
    // shows: shm 3.23.kevent, 3.23.2008-kevent
    let kernel = try TestKernel()
    let objects = [
      (try object(kernel), Errno.einval),
      (try #require(kernel.call(.shmOpen, .anonymousObject, .readWriteFile, 0)).value, .eopnotsupp),
    ]
    let queue = try #require(kernel.call(.kqueue)).value
    for (descriptor, error) in objects {
      for filter in [0xFFFF, 0xFFFE] as [UInt64] {
        // struct kevent: ident, then EVFILT_READ or EVFILT_WRITE, and EV_ADD.
        kernel.storeWord(descriptor, at: place)
        kernel.storeWord(filter | 1 << 16, at: place + 8)
        for offset in stride(from: 16 as UInt64, to: 64, by: 8) { kernel.storeWord(0, at: place + offset) }
        #expect(kernel.call(.kevent, queue, place, 1, 0, 0, 0)?.errno == error)
        // With room for it the error is told there: EV_ERROR.
        #expect(kernel.call(.kevent, queue, place, 1, place + 64, 1, 0)?.integer == 1)
        #expect(kernel.loadWord(place + 72) & 0x4000_FFFF == 0x4000_0000 | filter)
        #expect(kernel.loadWord(place + 80) == UInt64(error.rawValue))
      }
    }
  }
}
