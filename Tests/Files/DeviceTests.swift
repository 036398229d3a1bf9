// open(2), the console, /dev/null, /dev/zero and the files of /bin.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Devices and boot files")
struct DeviceTests {
  private func openError(_ machine: Machine, _ path: String, _ flags: OpenFlags) -> Errno? {
    error { () throws(Errno) in _ = try machine.open(path, flags) }
  }

  /// Adds /bin/NAME with these bytes.
  private func addProgram(_ machine: Machine, _ name: String, _ content: [UInt8]) throws {
    let start = try #require(machine.system.allocateKernelBlock(order: 2))
    machine.initialFree -= 4
    machine.memory.physical.write(
      RawSpan(_elements: content.span), from: 0, byteCount: content.count, to: start.address)
    let bytes = Array(name.utf8)
    machine.files.addBootFile(name: bytes.span, start: start.address, byteCount: UInt64(content.count))
  }

  @Test
  func `paths: slashes and dots, what is missing, what is no directory, what is too long`() throws {
    try withMachine { machine in
      for path in ["/dev/null", "dev/null", "//dev///null", "/./dev/../bin/../dev/null", "/../../dev/./null"] {
        #expect(openError(machine, path, .readOnly) == nil)
      }
      #expect(openError(machine, "", .readOnly) == .enoent)
      for path in ["/dev/nul", "/dev/nulll", "/null", "/de/null", "/bin/missing", "/tmp/x"] {
        #expect(openError(machine, path, .readOnly) == .enoent)
      }
      #expect(openError(machine, "/dev/null/", .readOnly) == .enotdir)
      #expect(openError(machine, "/dev/null/x", .readOnly) == .enotdir)
      #expect(openError(machine, "/dev/null/..", .readOnly) == .enotdir)
      #expect(openError(machine, "/" + String(repeating: "x", count: 255), .readOnly) == .enoent)
      #expect(openError(machine, "/" + String(repeating: "x", count: 256), .readOnly) == .enametoolong)
      for path in ["/", "/dev", "/bin/", ".", "/dev/fd", "/dev/fd/../fd/."] {
        #expect(openError(machine, path, .readOnly) == .eisdir)
      }
    }
  }

  @Test
  func `/dev/full reads zeros and has no room; /dev/tty is no terminal of anybody's`() throws {
    try withMachine { machine in
      let descriptor = try machine.open("/dev/full", .readWrite)
      #expect(try machine.read(descriptor, 5000) == [UInt8](repeating: 0, count: 5000))
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1]) } == .enospc)
      #expect(error { () throws(Errno) in try machine.write(descriptor, []) } == .enospc)
      #expect(error { () throws(Errno) in _ = try machine.map(descriptor, pages: 1) } == .einval)
      #expect(try machine.status(descriptor).representedDevice == 0x303)
      for flags in [.readOnly, .writeOnly, .readWrite] as [OpenFlags] {
        #expect(openError(machine, "/dev/tty", flags) == .enxio)
      }
      #expect(openError(machine, "/dev/tty", [.readWrite, .directory]) == .enotdir)
      #expect(openError(machine, "/dev/tty/x", .readOnly) == .enotdir)
    }
  }

  @Test
  func `/dev/random gives what its source says, however it is cut, and stirs what it is given`() throws {
    try withMachine { machine in
      for path in ["/dev/random", "/dev/urandom"] {
        let start: [UInt64] = [1, 2, 3]
        _ = machine.system.services.seedRandom(with: start.span)
        let descriptor = try machine.open(path, .readWrite)
        let bytes = try machine.read(descriptor, 100_000)
        #expect(bytes.count == 100_000 && Set(bytes).count > 200)
        // No word of any piece is left out.
        #expect(stride(from: 0, to: 100_000, by: 8).allSatisfy { bytes[$0..<$0 + 8].contains { $0 != 0 } })
        #expect(try machine.seek(descriptor, 0, .current) == 100_000)
        #expect(try machine.read(descriptor, 3, at: -8).count == 3)
        #expect(try machine.write(descriptor, Array(1...20)) == 20)
        let end = Machine.buffer + Machine.bufferPageCount << 12
        #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: end - 10, 20) } == .efault)
        #expect(error { () throws(Errno) in _ = try machine.write(descriptor, from: end - 10, 20) } == .efault)
        #expect(error { () throws(Errno) in _ = try machine.map(descriptor, pages: 1) } == .einval)
      }
      machine.caller = Credentials(machine.files, user: 7, group: 7)
      #expect(openError(machine, "/dev/random", .readOnly) == nil)
      #expect(openError(machine, "/dev/random", .writeOnly) == .eacces)
    }
  }

  @Test
  func `fstat tells /dev/null and /dev/zero apart`() throws {
    try withMachine { machine in
      let null = try machine.table.file(at: try machine.open("/dev/null", .readWrite)).status()
      let zero = try machine.table.file(at: try machine.open("/dev/zero", .readWrite)).status()
      #expect(null.inode != zero.inode && null.representedDevice != zero.representedDevice)
      #expect(zero.inode == 3 && zero.representedDevice == 0x302)
      #expect(zero.mode == null.mode && zero.mode.rawValue & 0o170000 == 0o020000)
      #expect(zero.size == 0)
    }
  }

  @Test
  func `flags: access mode, O_CREAT and O_EXCL, O_DIRECTORY, and close-on-exec`() throws {
    try withMachine { machine in
      try addProgram(machine, "tool", [1, 2, 3])
      #expect(openError(machine, "/dev/null", OpenFlags(rawValue: 3)) == .einval)
      #expect(openError(machine, "/dev/null", [.readWrite, .create]) == nil)
      #expect(openError(machine, "/dev/null", [.readWrite, .create, .exclusive]) == .eexist)
      #expect(openError(machine, "/dev/null", [.directory]) == .enotdir)
      #expect(openError(machine, "/bin/tool", .writeOnly) == .erofs)
      #expect(openError(machine, "/bin/tool", .readWrite) == .erofs)
      #expect(openError(machine, "/bin/tool", [.readOnly, .truncate]) == .erofs)
      #expect(openError(machine, "/bin/new", [.readWrite, .create]) == .erofs)
      #expect(openError(machine, "/tmp/new", [.readWrite, .create]) == .eopnotsupp)
      let descriptor = try machine.open("/bin/tool", [.readOnly, .closeOnExec, .nonBlocking])
      #expect(try machine.table.flags(of: descriptor) == .closeOnExec)
      #expect(try machine.table.file(at: descriptor).statusFlags == .nonBlocking)
    }
  }

  @Test
  func `/dev/null is empty and takes everything`() throws {
    try withMachine { machine in
      let descriptor = try machine.open("/dev/null", .readWrite)
      #expect(try machine.read(descriptor, 10) == [])
      #expect(try machine.write(descriptor, from: 0xdead_0000_0000, 1 << 40) == 1 << 40)
      #expect(try machine.seek(descriptor, 5) == 5)
      #expect(try machine.status(descriptor).mode.rawValue == 0o020666)
      #expect(error { () throws(Errno) in try machine.truncate(descriptor, 5000) } == nil)
      #expect(error { () throws(Errno) in _ = try machine.map(descriptor, pages: 1) } == .einval)
      let writeOnly = try machine.open("/dev/null", .writeOnly)
      #expect(error { () throws(Errno) in _ = try machine.map(writeOnly, pages: 1, .private, .read) } == .eacces)
      #expect(error { () throws(Errno) in _ = try machine.map(writeOnly, pages: 1, .private, []) } == .einval)
      let readOnly = try machine.open("/dev/null", .readOnly)
      #expect(error { () throws(Errno) in _ = try machine.map(readOnly, pages: 1) } == .eacces)
      #expect(error { () throws(Errno) in try machine.truncate(readOnly, 0) } == .einval)
      #expect(error { () throws(Errno) in _ = try machine.read(writeOnly, 0) } == .ebadf)
    }
  }

  @Test
  func `/dev/zero gives zeros, and mappings of it are fresh memory`() throws {
    try withMachine { machine in
      let descriptor = try machine.open("/dev/zero", .readWrite)
      #expect(try machine.read(descriptor, 300_000) == [UInt8](repeating: 0, count: 300_000))
      #expect(try machine.write(descriptor, [1, 2, 3]) == 3)
      let end = Machine.buffer + Machine.bufferPageCount << 12
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: end - 10, 20) } == .efault)
      #expect(try machine.read(descriptor, 5000, at: Int64.max - 1).count == 5000)
      #expect(try machine.seek(descriptor, Int64.max) == Int64.max)
      #expect(try machine.read(descriptor, 5000).count == 5000)
      // A device has no end on either side.
      #expect(try machine.seek(descriptor, 1, .current) == Int64.min)
      #expect(try machine.seek(descriptor, -5, .end) == -5)
      #expect(try machine.read(descriptor, 10).count == 10)
      #expect(try machine.seek(descriptor, 0, .current) == 5)
      #expect(try machine.read(descriptor, 10, at: -100).count == 10)
      #expect(error { () throws(Errno) in _ = try machine.seek(descriptor, 0, .data) } == .einval)
      let first = try machine.map(descriptor, pages: 1, offset: 1 << 40)
      let second = try machine.map(descriptor, pages: 1)
      #expect(machine.store([1], at: first))
      #expect(machine.load(1, at: second) == [0])
      let readOnly = try machine.open("/dev/zero", .readOnly)
      #expect(error { () throws(Errno) in _ = try machine.map(readOnly, pages: 1) } == .eacces)
      _ = try machine.map(readOnly, pages: 1, .private)
      _ = try machine.map(readOnly, pages: 1, .shared, .read)
      let writeOnly = try machine.open("/dev/zero", .writeOnly)
      for sharing in [Sharing.shared, .private] {
        #expect(error { () throws(Errno) in _ = try machine.map(writeOnly, pages: 1, sharing, .read) } == .eacces)
      }
    }
  }

  @Test
  func `a file of /bin is read like any file and never changes`() throws {
    try withMachine { machine in
      let content = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 31 >> 3) }
      try addProgram(machine, "tool", content)
      let descriptor = try machine.open("/bin/tool", .readOnly)
      #expect(try machine.read(descriptor, 5000) == Array(content[0..<5000]))
      #expect(try machine.read(descriptor, 100_000) == Array(content[5000...]))
      #expect(try machine.read(descriptor, 10) == [])
      #expect(try machine.read(descriptor, 4096, at: 4000) == Array(content[4000..<8096]))
      #expect(try machine.seek(descriptor, -10, .end) == 9990)
      #expect(try machine.read(descriptor, 100) == Array(content[9990...]))
      #expect(try machine.seek(descriptor, 1 << 40) == 1 << 40)
      #expect(try machine.read(descriptor, 10) == [])
      // Whole pieces count for the offset, also when the next one meets a bad address.
      let bad = Machine.buffer + Machine.bufferPageCount << 12
      _ = try machine.seek(descriptor, 0)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: bad - 6000, 10_000) } == .efault)
      #expect(try machine.seek(descriptor, 0, .current) == 4096)
      #expect(error { () throws(Errno) in _ = try machine.seek(descriptor, -1) } == .einval)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 1, at: -1) } == .einval)
      // All of it is data, and the hole is behind it.
      #expect(try machine.seek(descriptor, 9999, .data) == 9999)
      #expect(try machine.seek(descriptor, 0, .hole) == 10_000)
      for (offset, origin) in [(10_000, SeekOrigin.data), (-1, .data), (10_000, .hole), (-1, .hole)]
        as [(Int64, SeekOrigin)]
      {
        #expect(error { () throws(Errno) in _ = try machine.seek(descriptor, offset, origin) } == .enxio)
      }
      let file = try machine.table.file(at: descriptor)
      #expect(error { () throws(Errno) in try file.changeMode(FileMode(rawValue: 0o600), machine.caller) } == .erofs)
      #expect(error { () throws(Errno) in try file.changeOwner(user: 1, group: 1, machine.caller) } == .erofs)
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1]) } == .ebadf)
      #expect(error { () throws(Errno) in _ = try machine.map(descriptor, pages: 1) } == .eacces)
      let stat = try machine.status(descriptor)
      #expect(stat.mode.rawValue == 0o100555 && stat.size == 10_000 && stat.linkCount == 1 && stat.blockCount == 24)
      let path = Array("/bin/../bin/tool".utf8)
      #expect(try machine.files.program(path: path.span).byteCount == 10_000)
      for (path, expected) in [("/bin", Errno.eacces), ("/dev/null", .eacces), ("/bin/x", .enoent)] {
        let bytes = Array(path.utf8)
        #expect(error { () throws(Errno) in _ = try machine.files.program(path: bytes.span) } == expected)
      }
    }
  }
}

@Suite("Console")
struct ConsoleTests {
  @Test
  func `a line feed goes out as two bytes, everything else as it is, however long the write`() throws {
    try withMachine { machine in
      let descriptor = try machine.files.openConsole(into: machine.table)
      #expect(try machine.write(descriptor, Array("a\nb\r\n\0\u{7f}\n".utf8)) == 8)
      #expect(machine.processor.takeConsoleOutput() == Array("a\r\nb\r\r\n\0\u{7f}\r\n".utf8))
      let long = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
      #expect(try machine.write(descriptor, long) == 20_000)
      #expect(machine.processor.takeConsoleOutput() == long.flatMap { $0 == 10 ? [13, 10] : [$0] })
    }
  }

  @Test
  func `a long write is cut between pieces`() throws {
    try withMachine { machine in
      _ = try machine.files.openConsole(into: machine.table)
      #expect(machine.store([UInt8](repeating: 65, count: 10_000), at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 10_000)
      #expect(try machine.table.file(at: 0).write(&transfer, machine.space) == .again)
      #expect(transfer.moved == 448 && machine.processor.consoleOutput.count == 448)
    }
  }

  @Test
  func `a read waits for input, gives what is there, and EAGAIN with O_NONBLOCK`() throws {
    try withMachine { machine in
      let descriptor = try machine.files.openConsole(into: machine.table)
      let file = try machine.table.file(at: descriptor)
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 100)
      #expect(try file.read(&transfer, machine.space) == .wait(Wait(.consoleInput)))
      machine.type("hi".utf8)
      #expect(machine.waker.channels == [.consoleInput])
      #expect(try file.read(&transfer, machine.space) == .complete)
      #expect(transfer.moved == 2)
      #expect(machine.load(2, at: Machine.buffer) == Array("hi".utf8))
      try file.setStatusFlags(.nonBlocking)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 10) } == .eagain)
      #expect(try machine.read(descriptor, 0) == [])
      #expect(file.poll(0x5) == 0x4)
      machine.type([3])
      #expect(file.poll(0x5) == 0x5)
      #expect(try machine.read(descriptor, 1) == [3])
    }
  }

  @Test
  func `input that nobody reads waits, in the buffer up to 4096 bytes and then in the device, and comes in order`()
    throws
  {
    try withMachine { machine in
      let descriptor = try machine.files.openConsole(into: machine.table)
      var next = 0
      var expected = 0
      for round in 0..<10 {
        let count = round % 2 == 0 ? 3000 : 5000
        machine.type((next..<next + count).map { UInt8(truncatingIfNeeded: $0) })
        next += count
        #expect(machine.files.console.count == min(count, 4096))
        while machine.files.console.count > 0 {
          for byte in try machine.read(descriptor, 700) {
            #expect(byte == UInt8(truncatingIfNeeded: expected))
            expected += 1
          }
          machine.answerConsole()
        }
        #expect(expected == next)
      }
    }
  }

  @Test
  func `a bad address loses no input`() throws {
    try withMachine { machine in
      let descriptor = try machine.files.openConsole(into: machine.table)
      machine.type(0..<20 as Range<UInt8>)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: 0x1000, 10) } == .efault)
      #expect(error { () throws(Errno) in _ = try machine.write(descriptor, from: 0x1000, 10) } == .efault)
      let end = Machine.buffer + Machine.bufferPageCount << 12
      #expect(try machine.read(descriptor, into: end - 5, 10) == 5)
      #expect(try machine.read(descriptor, 100) == Array(5..<20))
    }
  }

  @Test
  func `isatty: TIOCGETA and TIOCGWINSZ answer on the console and nowhere else`() throws {
    try withMachine { machine in
      let descriptor = try machine.open("/dev/console", .readWrite)
      let file = try machine.table.file(at: descriptor)
      var data = [64 of UInt8](repeating: 0xff)
      try file.control(.getTerminalAttributes, &data)
      #expect(data.span.loadUInt32(at: 0) == 0 && data.span.loadUInt32(at: 4) == 3)
      #expect(data.span.loadUInt32(at: 12) == 0)
      try file.control(.getWindowSize, &data)
      #expect(data.span.loadUInt16(at: 0) == 24 && data.span.loadUInt16(at: 2) == 80)
      machine.type([1])
      try file.control(.bytesToRead, &data)
      #expect(data.span.loadUInt32(at: 0) == 1)
      #expect(error { () throws(Errno) in _ = try machine.seek(descriptor, 0) } == .espipe)
      #expect(try machine.status(descriptor).mode.rawValue == 0o020666)
      let null = try machine.table.file(at: try machine.open("/dev/null", .readWrite))
      #expect(error { () throws(Errno) in try null.control(.getTerminalAttributes, &data) } == .enotty)
    }
  }
}
