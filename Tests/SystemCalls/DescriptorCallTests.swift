// Calls on descriptors that other tests do not make: fcntl(2) and ioctl(2) in full, close_range(2), both layouts of fstat(2).

import ABI
import Simulation
import Testing

@testable import SystemCalls

@Suite struct DescriptorCallTests {
  private let data = TestKernel.data
  private let minusOne = UInt64.max

  private func error(_ result: CallResult?) -> Errno? { result?.errno }

  /// The descriptors below 100 that are open, with whether they are closed at exec.
  private func open(_ kernel: TestKernel) -> [Int: Bool] {
    var result: [Int: Bool] = [:]
    for number in 0..<100 {
      if let flags = kernel.call(.fcntl, UInt64(number), 1), !flags.failed { result[number] = flags.integer == 1 }
    }
    return result
  }

  @Test func `fcntl duplicates`() throws {
    // shows: shm 3.24.dupfd, 3.27.dup
    let kernel = try TestKernel()
    #expect(kernel.call(.fcntl, 0, 0, 70)?.integer == 70)
    #expect(kernel.call(.fcntl, 0, 17, 70)?.integer == 71)
    #expect(kernel.call(.fcntl, 1, 10, 80)?.integer == 80)
    #expect(kernel.call(.fcntl, 1, 18, 81)?.integer == 81)
    #expect(open(kernel) == [0: false, 1: false, 2: false, 70: false, 71: true, 80: false, 81: true])
    // Onto itself: nothing happens, but the flag of F_DUP2FD_CLOEXEC is set.
    #expect(kernel.call(.fcntl, 81, 10, 81)?.integer == 81)
    #expect(kernel.call(.fcntl, 80, 18, 80)?.integer == 80)
    #expect(open(kernel)[81] == true && open(kernel)[80] == true)
    // A replaced descriptor has the new one's flag.
    #expect(kernel.call(.dup2, 0, 81)?.integer == 81)
    #expect(open(kernel)[81] == false)
    for command in [0, 17] as [UInt64] {
      #expect(error(kernel.call(.fcntl, 0, command, minusOne)) == .einval)
      #expect(error(kernel.call(.fcntl, 50, command, minusOne)) == .einval)
      #expect(error(kernel.call(.fcntl, 50, command, 0)) == .ebadf)
      #expect(error(kernel.call(.fcntl, minusOne, command, 0)) == .ebadf)
    }
    for command in [10, 18] as [UInt64] {
      #expect(error(kernel.call(.fcntl, 0, command, minusOne)) == .ebadf)
      #expect(error(kernel.call(.fcntl, 50, command, 60)) == .ebadf)
      #expect(error(kernel.call(.fcntl, 0, command, 1 << 30)) == .ebadf)
    }
  }

  @Test func `fcntl refuses what a descriptor does not have`() throws {
    let kernel = try TestKernel()
    for command in [5, 6] as [UInt64] { #expect(error(kernel.call(.fcntl, 0, command, 0)) == .enotty) }
    for command in [1, 2, 3, 4, 5, 15, 19, 20, 21] as [UInt64] {
      #expect(error(kernel.call(.fcntl, 50, command, 0)) == .ebadf, "\(command)")
    }
    for command in [19, 20] as [UInt64] { #expect(error(kernel.call(.fcntl, 0, command, 0)) == .einval) }
    // Only the close-on-exec bit of a descriptor can be set.
    #expect(kernel.call(.fcntl, 0, 2, 0xFFFF_FFFE)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 1)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 2, minusOne)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 1)?.integer == 1)
    // O_RDWR; then O_NONBLOCK (4) and O_APPEND (8), but not the access mode.
    #expect(kernel.call(.fcntl, 0, 3)?.integer == 2)
    #expect(kernel.call(.fcntl, 0, 4, 4 | 1)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 3)?.integer == 2 | 4)
    #expect(error(kernel.call(.read, 0, data, 1)) == .eagain)
  }

  @Test func `ioctl of descriptor and file`() throws {
    // shows: shm 3.22.cloexec
    let kernel = try TestKernel()
    let close: UInt64 = 0x2000_6601
    let keep: UInt64 = 0x2000_6602
    #expect(kernel.call(.ioctl, 0, close, 0)?.integer == 0)
    #expect(open(kernel)[0] == true)
    #expect(kernel.call(.ioctl, 0, keep, 0)?.integer == 0)
    #expect(open(kernel)[0] == false)
    #expect(error(kernel.call(.ioctl, 9, close, 0)) == .ebadf)
    // FIONBIO takes an int.
    kernel.storeWord(1, at: data)
    #expect(kernel.call(.ioctl, 0, 0x8004_667e, data)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 3)?.integer == 2 | 4)
    kernel.storeWord(0, at: data)
    #expect(kernel.call(.ioctl, 0, 0x8004_667e, data)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 3)?.integer == 2)
    // FIOASYNC sets O_ASYNC.
    kernel.storeWord(7, at: data)
    #expect(kernel.call(.ioctl, 0, 0x8004_667d, data)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 3)?.integer == 2 | 0x40)
    #expect(kernel.call(.fcntl, 0, 4, 0x40)?.integer == 0)
    #expect(kernel.call(.fcntl, 0, 3)?.integer == 2 | 0x40)
    #expect(error(kernel.call(.ioctl, 0, 0x8004_667e, 8)) == .efault)
    // FIONREAD counts what was typed.
    kernel.type([65, 66])
    #expect(kernel.call(.ioctl, 0, 0x4004_667f, data)?.integer == 0)
    #expect(kernel.loadWord(data) == 2)
    #expect(error(kernel.call(.ioctl, 0, 0x4004_667f, 8)) == .efault)
    // The window has 24 rows and 80 columns.
    #expect(kernel.call(.ioctl, 0, 0x4008_7468, data)?.integer == 0)
    #expect(kernel.loadWord(data) == 80 << 16 | 24)
  }

  @Test func `ioctl requests that make no sense`() throws {
    let kernel = try TestKernel()
    // No direction; void with a length that is no int's; a direction without a length; too long; unknown.
    for request in [0x0000_6601, 0x2008_6601, 0x4000_6601, 0x8000_6601, 0x4041_6601, 0x8004_6699, 0x2004_6699] {
      #expect(error(kernel.call(.ioctl, 0, UInt64(request), data)) == .enotty, "\(request)")
    }
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)?.integer == 3)
    #expect(kernel.call(.shmOpen, kernel.string("/o"), .createReadWrite, 0o600)?.integer == 4)
    #expect(kernel.call(.open, kernel.string("/dev/zero"), 2)?.integer == 5)
    #expect(kernel.call(.open, kernel.string("/bin/prog"), 0)?.integer == 6)
    kernel.storeWord(0, at: data)
    let answers: [(UInt64, Errno?, Errno?)] = [
      (3, nil, .enotty), (4, .eopnotsupp, .eopnotsupp), (5, nil, .enotty), (6, nil, nil),
    ]
    for (descriptor, toNonBlocking, toOthers) in answers {
      #expect(error(kernel.call(.ioctl, descriptor, 0x8004_667e, data)) == toNonBlocking)
      #expect(error(kernel.call(.ioctl, descriptor, 0x8004_667d, data)) == toNonBlocking)
      #expect(error(kernel.call(.ioctl, descriptor, 0x4004_667f, data)) == toOthers)
      #expect(error(kernel.call(.ioctl, descriptor, 0x2008_6601, data)) == .enotty)
    }
  }

  @Test func `close range closes or marks what is open`() throws {
    let kernel = try TestKernel()
    for number in [5, 6, 7, 63, 64, 65, 90] as [UInt64] { kernel.call(.dup2, 0, number) }
    #expect(error(kernel.call(.closeRange, 7, 6, 0)) == .einval)
    #expect(error(kernel.call(.closeRange, 5, 7, 1)) == .einval)
    #expect(error(kernel.call(.closeRange, 5, 7, 8)) == .einval)
    #expect(kernel.call(.closeRange, 6, 64, 4)?.integer == 0)
    #expect(
      open(kernel) == [
        0: false, 1: false, 2: false, 5: false, 6: true, 7: true, 63: true, 64: true, 65: false, 90: false,
      ])
    #expect(kernel.call(.closeRange, 6, 7, 0)?.integer == 0)
    #expect(kernel.call(.closeRange, 65, 0xFFFF_FFFF, 4)?.integer == 0)
    #expect(open(kernel) == [0: false, 1: false, 2: false, 5: false, 63: true, 64: true, 65: true, 90: true])
    #expect(kernel.call(.closeRange, 64, 0xFFFF_FFFF, 0)?.integer == 0)
    #expect(Set(open(kernel).keys) == [0, 1, 2, 5, 63])
    #expect(kernel.call(.closefrom, minusOne)?.integer == 0)
    #expect(open(kernel).isEmpty)
  }

  @Test func `closing many is cut into turns`() throws {
    let kernel = try TestKernel()
    for number in 3..<400 as Range<UInt64> { kernel.call(.dup2, 0, number) }
    let child = kernel.fork()
    let parent = kernel.context
    kernel.call(.closefrom, 3)
    // The child had a turn before the call was over.
    #expect(kernel.context != parent)
    #expect(kernel.identifier == child)
    #expect(kernel.call(.fcntl, 399, 1)?.integer == 0)
    kernel.run(1)
    #expect(Set(open(kernel).keys) == [0, 1, 2])
    #expect(error(kernel.call(.fcntl, 399, 1)) == .ebadf)
  }

  @Test func `the old layout of stat has the same answers in narrower fields`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen2, kernel.string("/o"), .createReadWrite, 0o640, 0, 0)?.integer == 3)
    #expect(kernel.call(.ftruncate, 3, 5000)?.integer == 0)
    #expect(kernel.call(.pwrite, 3, data, 1, 0)?.integer == 1)
    kernel.store([UInt8](repeating: 0xFF, count: 512), at: data + 0x400)
    #expect(kernel.call(.fstat, 3, data + 0x400)?.integer == 0)
    let encoded = kernel.load(data + 0x400, Stat.byteCount) ?? []
    let today = Stat(decoding: encoded.span)
    #expect(kernel.load(data + 0x400 + UInt64(Stat.byteCount), 1) == [0xFF])
    #expect(kernel.call(.fstat2008, 3, data + 0x800)?.integer == 0)
    let bytes = kernel.load(data + 0x800, 120) ?? []
    func number(_ offset: Int, _ count: Int) -> UInt64 {
      (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
    #expect(number(0, 4) == today.device && number(4, 4) == today.inode)
    #expect(number(8, 2) == 0o100640 && number(10, 2) == today.linkCount)
    #expect(number(12, 4) == 0 && number(16, 4) == 0 && number(20, 4) == 0)
    #expect(number(24, 8) == UInt64(today.accessTime.seconds) && number(32, 8) == UInt64(today.accessTime.nanoseconds))
    #expect(number(40, 8) == UInt64(today.modificationTime.seconds))
    #expect(number(56, 8) == UInt64(today.changeTime.seconds))
    #expect(number(72, 8) == 5000 && number(80, 8) == 1 && number(88, 4) == 4096)
    #expect(number(104, 8) == UInt64(today.birthTime.seconds))
    #expect(today.size == 5000 && today.blockCount == 1)
    #expect(error(kernel.call(.fstat2008, 9, data)) == .ebadf)
    #expect(error(kernel.call(.fstat2008, 3, 8)) == .efault)
    #expect(error(kernel.call(.fstat, 3, 8)) == .efault)
  }

  @Test func `an object grows up to the last offset and not beyond`() throws {
    // shows: shm 3.20.efbig, 3.20.clamp
    let kernel = try TestKernel()
    let last = UInt64(Int64.max)
    // SHM_GROW_ON_WRITE
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 2, 0)?.integer == 3)
    #expect(error(kernel.call(.pwrite, 3, data, 1, last)) == .efbig)
    #expect(error(kernel.call(.pwrite, 3, data, 2, last - 1)) == .efbig)
    #expect(kernel.call(.lseek, 3, 0, 2)?.value == 0)
    #expect(kernel.call(.pwrite, 3, data, 1, last - 1)?.integer == 1)
    #expect(kernel.call(.lseek, 3, 0, 2)?.value == last)
    // Without the flag a write past the end moves what is inside.
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)?.integer == 4)
    #expect(kernel.call(.ftruncate, 4, last)?.integer == 0)
    #expect(kernel.call(.pwrite, 4, data, 2, last - 1)?.integer == 1)
    #expect(kernel.call(.pwrite, 4, data, 2, last)?.integer == 0)
  }

  @Test func `openat takes paths from the root`() throws {
    let kernel = try TestKernel()
    let path = kernel.string("/dev/null")
    #expect(kernel.call(.openat, minusOne &- 99, path, 0, 0)?.integer == 3)
    #expect(error(kernel.call(.openat, 3, 8, 0, 0)) == .efault)
    #expect(error(kernel.call(.openat, 3, kernel.string("/dev/none"), 0, 0)) == .enoent)
    // A relative path needs a directory, and there is none but the current one.
    for descriptor in [minusOne, minusOne &- 98, minusOne &- 100, 9] {
      #expect(error(kernel.call(.openat, descriptor, kernel.string("dev/null"), 0, 0)) == .ebadf)
    }
    #expect(error(kernel.call(.openat, 3, kernel.string("dev/null"), 0, 0)) == .enotdir)
    #expect(kernel.call(.openat, minusOne &- 99, kernel.string("dev/null"), 0, 0)?.integer == 4)
    #expect(error(kernel.call(.open, kernel.string("/dev/null/x"), 0)) == .enotdir)
    #expect(error(kernel.call(.open, kernel.string("/dev/null/"), 0)) == .enotdir)
    #expect(error(kernel.call(.open, kernel.string(""), 0)) == .enoent)
  }
}
