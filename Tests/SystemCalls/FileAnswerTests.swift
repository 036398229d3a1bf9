// What every call on descriptors answers for every kind of file, as tables: fcntl(2), ioctl(2), fsync(2), copy_file_range(2)
// (spec shm.md 3.22, 3.24 and 3.30, fd.md section 5, and FreeBSD's manuals for devices).

import ABI
import Simulation
import Testing

@testable import SystemCalls

@Suite struct FileAnswerTests {
  private let data = TestKernel.data
  private let minusOne = UInt64.max
  private let nowhere: UInt64 = 8  // Nothing is there.

  /// The kinds of files, each on a descriptor of its own, in the order of the tables' columns.
  private enum Kind: UInt64, CaseIterable {
    case console = 0
    case object = 3
    case object2008, null, zero, full, random, program
    case closed = 20
  }

  private func machine() throws -> TestKernel {
    let kernel = try TestKernel()
    #expect(kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)?.integer == 3)
    #expect(kernel.call(.shmOpen, kernel.string("/o"), .createReadWrite, 0o600)?.integer == 4)
    for (index, path) in ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/bin/prog"].enumerated() {
      let isProgram = path.hasPrefix("/bin")
      #expect(kernel.call(.open, kernel.string(path), isProgram ? 0 : 2)?.integer == 5 + index)
    }
    return kernel
  }

  /// An answer: a value, or an error as a negative number.
  private func answer(_ result: CallResult?) -> Int {
    guard let result else { return Int.min }
    return result.failed ? -result.integer : result.integer
  }

  // MARK: fcntl

  @Test func `fcntl answers by command and kind of file`() throws {
    // shows: shm 3.24.getfd, 3.24.getfl, 3.24.own, 3.24.locks, 3.24.readahead, 3.24.unknown, 3.24.lock-efault
    // shows: shm 3.24.ogetlk, 3.24.isunionstack, 3.24.kinfo-efault, 3.24.add-seals
    let kernel = try machine()
    let (ebadf, einval, enotty, efault) = (-9, -22, -25, -14)
    /// Command, argument, and what the kinds answer.
    let table: [(Int64, UInt64, [Int])] = [
      (1, 0, [0, 0, 1, 0, 0, 0, 0, 0, ebadf]),
      (2, 1, [0, 0, 0, 0, 0, 0, 0, 0, ebadf]),
      (3, 0, [2, 2, 2, 2, 2, 2, 2, 0, ebadf]),
      (4, 0, [0, 0, -45, 0, 0, 0, 0, 0, ebadf]),
      (5, 0, [enotty, enotty, -45, enotty, enotty, enotty, enotty, enotty, ebadf]),
      (6, 1, [enotty, enotty, -45, enotty, enotty, enotty, enotty, enotty, ebadf]),
      // Locks: the structure comes first.
      (7, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (8, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (9, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (11, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (12, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (13, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (14, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (7, data, [ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf]),
      (8, data, [ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf]),
      (9, data, [ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf]),
      (11, data, [ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf]),
      (12, data, [ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf]),
      (13, data, [ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf, ebadf]),
      // l_sysid is 0.
      (14, data, [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
      (15, 0, [enotty, ebadf, ebadf, enotty, enotty, enotty, enotty, 0, ebadf]),
      (15, minusOne, [enotty, ebadf, ebadf, enotty, enotty, enotty, enotty, 0, ebadf]),
      (16, 0, [enotty, ebadf, ebadf, enotty, enotty, enotty, enotty, 0, ebadf]),
      (16, 1, [enotty, ebadf, ebadf, enotty, enotty, enotty, enotty, 0, ebadf]),
      (20, 0, [einval, 1, einval, einval, einval, einval, einval, einval, ebadf]),
      (19, 0, [einval, -1, einval, einval, einval, einval, einval, einval, ebadf]),
      (21, 0, [0, ebadf, ebadf, 0, 0, 0, 0, 0, ebadf]),
      // F_KINFO reads the size first.
      (22, nowhere, [efault, efault, efault, efault, efault, efault, efault, efault, efault]),
      (22, data, [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
      // Commands that do not exist come before the descriptor.
      (23, 0, [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
      (99, 0, [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
      (-1, 0, [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
    ]
    kernel.store([UInt8](repeating: 0, count: 64), at: data)
    for (command, argument, wanted) in table {
      for (kind, wanted) in zip(Kind.allCases, wanted) {
        let got = answer(kernel.call(.fcntl, kind.rawValue, UInt64(bitPattern: command), argument))
        #expect(got == wanted, "fcntl \(command) \(argument) of \(kind)")
      }
    }
    // Bit 0x200 is what the last F_RDAHEAD left.
    #expect(answer(kernel.call(.fcntl, 9, 3)) == 0x200)
    #expect(answer(kernel.call(.fcntl, 9, 15, minusOne)) == 0)
    #expect(answer(kernel.call(.fcntl, 9, 3)) == 0)
  }

  @Test func `locks for another machine are for the superuser`() throws {
    // shows: shm 3.24.setlk-remote
    let kernel = try machine()
    kernel.store([UInt8](repeating: 1, count: 64), at: data)
    #expect(answer(kernel.call(.fcntl, 3, 14, data)) == -9)
    #expect(kernel.call(.seteuid, 7)?.integer == 0)
    #expect(answer(kernel.call(.fcntl, 3, 14, data)) == -1)
    #expect(answer(kernel.call(.fcntl, 20, 14, data)) == -1)
    #expect(answer(kernel.call(.fcntl, 3, 14, nowhere)) == -14)
    // Whatever a lock's structure needs of memory, nothing less will do: 32 bytes, and 24 of the old one.
    let end = data + 65536
    for (command, byteCount) in [(11, 32), (12, 32), (13, 32), (7, 24), (8, 24), (9, 24)] as [(UInt64, UInt64)] {
      #expect(answer(kernel.call(.fcntl, 3, command, end - byteCount)) == -9, "\(command)")
      #expect(answer(kernel.call(.fcntl, 3, command, end - byteCount + 1)) == -14, "\(command)")
    }
  }

  @Test func `a refused asynchronous flag leaves the flags as they were`() throws {
    let kernel = try machine()
    for descriptor in [5, 6, 7] as [UInt64] {
      #expect(answer(kernel.call(.fcntl, descriptor, 4, 0xC)) == 0)
      #expect(answer(kernel.call(.fcntl, descriptor, 4, 0x40)) == -22)
      #expect(answer(kernel.call(.fcntl, descriptor, 4, 0x44)) == -22)
      #expect(answer(kernel.call(.fcntl, descriptor, 3)) == 2 | 0xC)
    }
    // The object of 2008 refuses everything and changes all the same.
    #expect(answer(kernel.call(.fcntl, 4, 4, 0x44)) == -45)
    #expect(answer(kernel.call(.fcntl, 4, 3)) == 2 | 0x44)
    for descriptor in [0, 3, 8, 9] as [UInt64] {
      #expect(answer(kernel.call(.fcntl, descriptor, 4, 0x44)) == 0)
      #expect(answer(kernel.call(.fcntl, descriptor, 3)) & 0x44 == 0x44)
    }
  }

  // MARK: ioctl

  @Test func `ioctl checks the request then the parameter then the descriptor`() throws {
    // shows: shm 3.22.malformed, 3.22.efault
    let kernel = try machine()
    // Malformed: no direction, void with a length that is no int's, a direction without a length.
    for request in [0x0000_6601, 0x2008_6601, 0x4000_6601, 0x8000_6601] as [UInt64] {
      #expect(answer(kernel.call(.ioctl, 20, request, nowhere)) == -25, "\(request)")
      #expect(answer(kernel.call(.ioctl, 3, request, nowhere)) == -25, "\(request)")
    }
    // A parameter that cannot be read.
    for request in [0x8004_667E, 0x8004_667D, 0x8004_667C, 0xC008_6661, 0x8030_6664, 0x8100_6601] as [UInt64] {
      #expect(answer(kernel.call(.ioctl, 20, request, nowhere)) == -14, "\(request)")
      #expect(answer(kernel.call(.ioctl, 3, request, nowhere)) == -14, "\(request)")
      #expect(answer(kernel.call(.ioctl, 20, request, data)) == -9, "\(request)")
    }
    // The whole of the longest parameter is looked for.
    let end = data + 65536
    for missing in [1, 1024, 7000] as [UInt64] {
      #expect(answer(kernel.call(.ioctl, 20, 0x9FFF_6699, end - 8191 + missing)) == -14)
      #expect(answer(kernel.call(.ioctl, 3, 0x9FFF_6699, end - 8191 + missing)) == -14)
    }
    #expect(answer(kernel.call(.ioctl, 20, 0x9FFF_6699, end - 8191)) == -9)
    #expect(answer(kernel.call(.ioctl, 3, 0x9FFF_6699, end - 8191)) == -25)
    #expect(answer(kernel.call(.ioctl, 4, 0x9FFF_6699, end - 8191)) == -45)
    // No parameter, one that is only filled, and one that is the argument itself, whatever the other bits say.
    for request in [0x2000_6601, 0x2000_6602, 0x4004_667F, 0x2004_6699, 0xA004_6699, 0x6004_6699] as [UInt64] {
      #expect(answer(kernel.call(.ioctl, 20, request, nowhere)) == -9, "\(request)")
    }
    for request in [0x2004_6699, 0xA004_6699, 0x6004_6699] as [UInt64] {
      #expect(answer(kernel.call(.ioctl, 3, request, nowhere)) == -25, "\(request)")
    }
  }

  @Test func `ioctl answers by request and kind of file`() throws {
    // shows: shm 3.22.cloexec, 3.22.2008, 3.22.largepage
    let kernel = try machine()
    let (ebadf, enotty, none) = (-9, -25, -45)
    /// Request, the word that it reads, and what the kinds answer.
    let table: [(UInt64, UInt64, [Int])] = [
      (0x2000_6601, 0, [0, 0, 0, 0, 0, 0, 0, 0, ebadf]),
      (0x2000_6602, 0, [0, 0, 0, 0, 0, 0, 0, 0, ebadf]),
      (0x8004_667E, 1, [0, 0, none, 0, 0, 0, 0, 0, ebadf]),
      (0x8004_667E, 0, [0, 0, none, 0, 0, 0, 0, 0, ebadf]),
      (0x8004_667D, 1, [0, 0, none, -22, -22, -22, 0, 0, ebadf]),
      (0x8004_667D, 0, [0, 0, none, 0, 0, 0, 0, 0, ebadf]),
      // FIONREAD, FIODTYPE, FIOSEEKDATA, FIOSEEKHOLE
      (0x4004_667F, 0, [0, enotty, none, enotty, enotty, enotty, enotty, 0, ebadf]),
      (0x4004_667A, 0, [0, enotty, none, 0, 0, 0, 0, enotty, ebadf]),
      (0xC008_6661, 1, [enotty, enotty, none, enotty, enotty, enotty, enotty, 0, ebadf]),
      (0xC008_6662, 1, [enotty, enotty, none, enotty, enotty, enotty, enotty, 0, ebadf]),
      (0xC008_6661, 1 << 40, [enotty, enotty, none, enotty, enotty, enotty, enotty, -6, ebadf]),
      (0x8030_6664, 0, [enotty, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
      (0x4030_6665, 0, [enotty, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
      // TIOCGETA, TIOCGWINSZ, TIOCGETD, TIOCSCTTY, and one that nobody knows.
      (0x402C_7413, 0, [0, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
      (0x4008_7468, 0, [0, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
      (0x4004_741A, 0, [0, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
      (0x2000_7461, 0, [-1, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
      (0x8004_6699, 0, [enotty, enotty, none, enotty, enotty, enotty, enotty, enotty, ebadf]),
    ]
    for (request, word, wanted) in table {
      for (kind, wanted) in zip(Kind.allCases, wanted) {
        kernel.storeWord(word, at: data)
        let got = answer(kernel.call(.ioctl, kind.rawValue, request, data))
        #expect(got == wanted, "ioctl \(request) \(word) of \(kind)")
      }
    }
    // What FIODTYPE says: the console is a terminal (D_TTY).
    for (descriptor, type) in [(0, 4), (5, 0), (6, 0), (7, 0), (8, 0)] as [(UInt64, UInt64)] {
      kernel.storeWord(minusOne, at: data)
      #expect(answer(kernel.call(.ioctl, descriptor, 0x4004_667A, data)) == 0)
      #expect(kernel.loadWord(data) == 0xFFFF_FFFF_0000_0000 | type)
      #expect(answer(kernel.call(.ioctl, descriptor, 0x4004_667A, nowhere)) == -14)
    }
    // What is left of a program behind the offset, and where its data ends.
    let length = UInt64(TestProgram.image.count)
    #expect(answer(kernel.call(.lseek, 9, 5, 0)) == 5)
    kernel.storeWord(0, at: data)
    #expect(answer(kernel.call(.ioctl, 9, 0x4004_667F, data)) == 0)
    #expect(kernel.loadWord(data) == length - 5)
    #expect(answer(kernel.call(.ioctl, 9, 0xC008_6662, data)) == 0)
    #expect(kernel.loadWord(data) == length)
  }

  @Test func `devices tell their names`() throws {
    let kernel = try machine()
    for (kind, name) in [
      (Kind.console, "console"), (.null, "null"), (.zero, "zero"), (.full, "full"), (.random, "random"),
    ] {
      // struct fiodgname_arg: an int, padding, an address.
      kernel.storeWord(UInt64(name.utf8.count + 1), at: data)
      kernel.storeWord(data + 0x100, at: data + 8)
      #expect(answer(kernel.call(.ioctl, kind.rawValue, 0x8010_6678, data)) == 0)
      #expect(kernel.loadString(data + 0x100) == name)
      for room in [UInt64(name.utf8.count), 0, 0xFFFF_FFFF] {
        kernel.storeWord(room, at: data)
        #expect(answer(kernel.call(.ioctl, kind.rawValue, 0x8010_6678, data)) == -22)
      }
      kernel.storeWord(100, at: data)
      kernel.storeWord(nowhere, at: data + 8)
      #expect(answer(kernel.call(.ioctl, kind.rawValue, 0x8010_6678, data)) == -14)
    }
    for descriptor in [3, 9] as [UInt64] { #expect(answer(kernel.call(.ioctl, descriptor, 0x8010_6678, data)) == -25) }
  }

  // MARK: Size, offset, mode and owner

  @Test func `every call answers by kind of file`() throws {
    // shows: shm 3.8.errors, 3.9.ebadf, 3.19.ebadf, 3.21.ebadf
    let (ebadf, einval, espipe, none, efault) = (-9, -22, -29, -45, -14)
    let rofs = -30
    let negative = UInt64(bitPattern: -5)
    /// A call with its arguments behind the descriptor, and what the kinds answer.
    let table: [(SystemCallNumber, [UInt64], [Int])] = [
      (.ftruncate, [negative], [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
      (.ftruncate, [0], [0, 0, 0, 0, 0, 0, 0, einval, ebadf]),
      (.ftruncate, [100], [0, 0, 0, 0, 0, 0, 0, einval, ebadf]),
      (.fsync, [], [0, einval, einval, 0, 0, 0, 0, 0, ebadf]),
      (.fdatasync, [], [0, einval, einval, 0, 0, 0, 0, 0, ebadf]),
      (.fchmod, [0o640], [0, 0, 0, 0, 0, 0, 0, rofs, ebadf]),
      (.fchown, [0, 0], [0, 0, 0, 0, 0, 0, 0, rofs, ebadf]),
      (.fchown, [minusOne, minusOne], [0, 0, 0, 0, 0, 0, 0, rofs, ebadf]),
      (.lseek, [0, 0], [espipe, 0, espipe, 0, 0, 0, 0, 0, ebadf]),
      (.lseek, [7, 0], [espipe, 7, espipe, 7, 7, 7, 7, 7, ebadf]),
      (.lseek, [0, 1], [espipe, 7, espipe, 7, 7, 7, 7, 7, ebadf]),
      (.lseek, [negative, 0], [espipe, einval, espipe, -5, -5, -5, -5, einval, ebadf]),
      (.lseek, [0, 5], [espipe, einval, espipe, einval, einval, einval, einval, einval, ebadf]),
      (.lseek, [3, 3], [espipe, einval, espipe, einval, einval, einval, einval, 3, ebadf]),
      (.lseek, [0, 0], [espipe, 0, espipe, 0, 0, 0, 0, 0, ebadf]),
      (.read, [nowhere, 0], [0, 0, 0, 0, 0, 0, 0, 0, ebadf]),
      (.read, [nowhere, minusOne], [einval, einval, einval, einval, einval, einval, einval, einval, einval]),
      (.read, [data, 4], [-35, 4, none, 0, 4, 4, 4, 4, ebadf]),
      (.read, [nowhere, 4], [-35, efault, none, 0, efault, efault, efault, efault, ebadf]),
      (.write, [nowhere, 0], [0, 0, none, 0, 0, -28, 0, ebadf, ebadf]),
      (.write, [data, 0], [0, 0, none, 0, 0, -28, 0, ebadf, ebadf]),
      (.write, [nowhere, 4], [efault, efault, none, 4, 4, -28, efault, ebadf, ebadf]),
      (.pread, [nowhere, 0, 0], [espipe, 0, espipe, 0, 0, 0, 0, 0, ebadf]),
      (.pread, [nowhere, 0, negative], [espipe, einval, espipe, 0, 0, 0, 0, einval, ebadf]),
      (.pread, [data, 4, negative], [espipe, einval, espipe, 0, 4, 4, 4, einval, ebadf]),
      (.pwrite, [data, 4, negative], [espipe, einval, espipe, 4, 4, -28, 4, ebadf, ebadf]),
      (.pwrite, [nowhere, 0, negative], [espipe, einval, espipe, 0, 0, -28, 0, ebadf, ebadf]),
      (.fstat, [nowhere], [efault, efault, efault, efault, efault, efault, efault, efault, ebadf]),
      (.fstat, [data], [0, 0, 0, 0, 0, 0, 0, 0, ebadf]),
    ]
    let kernel = try machine()
    #expect(answer(kernel.call(.ftruncate, 3, 100)) == 0)
    #expect(answer(kernel.call(.fcntl, 0, 4, 4)) == 0)
    for (call, arguments, wanted) in table {
      for (kind, wanted) in zip(Kind.allCases, wanted) {
        let got = answer(kernel.perform(UInt64(call.rawValue), [kind.rawValue] + arguments))
        #expect(got == wanted, "\(call.rawValue) \(arguments) of \(kind)")
      }
    }
  }

  @Test func `mmap answers by kind of file`() throws {
    let kernel = try machine()
    let (eacces, einval, enodev, fine) = (-13, -22, -19, 0)
    // For reading only from 50 on, for writing only from 60 on.
    for (index, path) in ["/dev/console", "/dev/null", "/dev/zero", "/dev/full", "/dev/random"].enumerated() {
      for access in [0, 1] {
        #expect(kernel.call(.open, kernel.string(path), UInt64(access))?.integer == 10)
        #expect(kernel.call(.dup2, 10, UInt64(50 + 10 * access + index))?.failed == false)
        #expect(kernel.call(.close, 10)?.integer == 0)
      }
    }
    /// The descriptor, protection, flags, and the answer.
    var table: [(UInt64, UInt64, UInt64, Int)] = []
    for (index, both) in ([0, 5, 6, 7, 8] as [UInt64]).enumerated() {
      let (reading, writing, last) = (UInt64(50 + index), UInt64(60 + index), both == 6 ? fine : einval)
      for (protection, flags) in [(0, 1), (1, 1), (2, 1), (3, 1), (3, 2), (5, 2)] as [(UInt64, UInt64)] {
        table.append((both, protection, flags, last))
        table.append((reading, protection, flags, flags == 1 && protection & 2 != 0 ? eacces : last))
        table.append((writing, protection, flags, protection & 1 != 0 ? eacces : last))
      }
    }
    table += [(9, 1, 2, fine), (9, 3, 2, fine), (9, 1, 1, fine), (9, 3, 1, eacces), (20, 1, 2, -9)]
    #expect(kernel.call(.kqueue)?.integer == 10)
    table += [(3, 3, 1, fine), (4, 3, 1, fine), (10, 1, 2, enodev), (10, 1, 1, enodev)]
    for (descriptor, protection, flags, wanted) in table {
      let result = kernel.call(.mmap, 0, 4096, protection, flags, descriptor, 0)
      let got = result?.failed == true ? -(result?.integer ?? 0) : fine
      #expect(got == wanted, "mmap of \(descriptor) \(protection) \(flags)")
    }
  }

  // MARK: fsync and copy_file_range

  @Test func `fsync is for files and devices`() throws {
    // shows: shm 3.30.fsync
    let kernel = try machine()
    for (kind, wanted) in zip(Kind.allCases, [0, -22, -22, 0, 0, 0, 0, 0, -9]) {
      #expect(answer(kernel.call(.fsync, kind.rawValue)) == wanted, "\(kind)")
      #expect(answer(kernel.call(.fdatasync, kind.rawValue)) == wanted, "\(kind)")
    }
  }

  @Test func `copy file range says what makes programs copy themselves`() throws {
    // shows: shm 3.30.copy-file-range
    let kernel = try machine()
    /// Source, target, bytes, flags, and the answer.
    let table: [(UInt64, UInt64, UInt64, UInt64, Int)] = [
      // Whatever is read and whatever written, there is no pair of regular files.
      (9, 0, 100, 0, -22), (9, 5, 100, 0, -22), (9, 3, 100, 0, -22), (3, 5, 100, 0, -22), (3, 3, 100, 0, -22),
      (4, 4, 1, 0, -22), (5, 6, 1, 0, -22), (0, 0, 1, 0, -22),
      // Flags come before descriptors, those before their kind, the source before the target.
      (20, 20, 1, 1, -22), (20, 5, 1, 0, -9), (9, 20, 1, 0, -9), (3, 20, 1, 0, -22), (9, 9, 1, 0, -9),
      (9, 3, 0, 0, -22),
      // Of nothing.
      (9, 0, 0, 0, 0), (5, 6, 0, 0, 0), (9, 9, 0, 0, -9),
    ]
    for (source, target, byteCount, flags, wanted) in table {
      let got = answer(kernel.call(.copyFileRange, source, 0, target, 0, byteCount, flags))
      #expect(got == wanted, "\(source) \(target) \(byteCount) \(flags)")
    }
    // Offsets come before everything and go back as they were.
    #expect(answer(kernel.call(.copyFileRange, 20, nowhere, 20, 0, 1, 1)) == -14)
    #expect(answer(kernel.call(.copyFileRange, 20, 0, 20, nowhere, 1, 1)) == -14)
    kernel.storeWord(5 << 40 | 1, at: data)
    kernel.storeWord(6 << 40 | 2, at: data + 8)
    #expect(answer(kernel.call(.copyFileRange, 9, data, 0, data + 8, 0, 0)) == 0)
    #expect(kernel.loadWord(data) == 5 << 40 | 1 && kernel.loadWord(data + 8) == 6 << 40 | 2)
    // What is appended to cannot be told where.
    #expect(answer(kernel.call(.fcntl, 5, 4, 8)) == 0)
    #expect(answer(kernel.call(.copyFileRange, 9, 0, 5, 0, 0, 0)) == -9)
    let writeOnly = kernel.call(.open, kernel.string("/dev/null"), 1)?.value ?? 0
    #expect(answer(kernel.call(.copyFileRange, writeOnly, 0, 6, 0, 1, 0)) == -9)
  }

  // MARK: Sealing

  @Test func `every open without sealing ends the sealing of an object`() throws {
    // shows: shm 3.2.adds-seal
    for is2008 in [false, true] {
      for flags in [0, 2, 0x402] as [UInt64] {
        let kernel = try TestKernel()
        let path = kernel.string("/o", at: data + 0x100)
        let open: (UInt64, UInt64) -> CallResult? = { kernel.call(.shmOpen2, path, $0, 0o600, $1, 0) }
        #expect(open(0x202, 1)?.integer == 3)
        #expect(answer(kernel.call(.fcntl, 3, 19, 4)) == 0)
        // Refused opens change nothing, and neither does one that may seal.
        #expect(open(0xA02, 0)?.errno == .eexist)
        #expect(open(2, 3)?.errno == .einval)
        #expect(kernel.call(.seteuid, 7)?.integer == 0)
        #expect(open(flags, 0)?.errno == .eacces)
        #expect(kernel.call(.seteuid, 0)?.integer == 0)
        #expect(open(flags, 1)?.integer == 4)
        #expect(answer(kernel.call(.fcntl, 3, 20)) == 4)
        let last = is2008 ? kernel.call(.shmOpen, path, flags, 0) : open(flags, 0)
        #expect(last?.integer == 5)
        #expect(answer(kernel.call(.fcntl, 3, 20)) == 5)
        #expect(answer(kernel.call(.fcntl, 4, 19, 0)) == -1)
        #expect(open(2, 1)?.integer == 6)
      }
    }
  }

  @Test func `an open whose truncation is forbidden does not seal`() throws {
    let kernel = try TestKernel()
    let path = kernel.string("/o", at: data + 0x100)
    #expect(kernel.call(.shmOpen2, path, .createReadWrite, 0o600, 1, 0)?.integer == 3)
    #expect(kernel.call(.ftruncate, 3, 5000)?.integer == 0)
    #expect(answer(kernel.call(.fcntl, 3, 19, 2)) == 0)
    #expect(kernel.call(.shmOpen2, path, .truncateReadWrite, 0, 0, 0)?.errno == .eperm)
    #expect(answer(kernel.call(.fcntl, 3, 20)) == 2)
  }
}
