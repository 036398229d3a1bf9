// Descriptors as shm_open(2) gave them in 2008 (DESIGN, "Two generations of shared memory").
import ABI
import Simulation
import Testing

@testable import Files

@Suite("Shared memory of 2008")
struct SharedMemory2008Tests {
  @Test
  func `read and write give EOPNOTSUPP, a read of nothing 0; pread, pwrite and lseek ESPIPE`() throws {
    // shows: shm 3.19.2008, 3.19.2008-pread, 3.20.2008, 3.21.2008
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, generation: .year2008)
      try machine.truncate(descriptor, 100)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 1) } == .eopnotsupp)
      #expect(try machine.read(descriptor, 0) == [])
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1]) } == .eopnotsupp)
      #expect(error { () throws(Errno) in try machine.write(descriptor, []) } == .eopnotsupp)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 1, at: -1) } == .espipe)
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1], at: 0) } == .espipe)
      #expect(error { () throws(Errno) in _ = try machine.seek(descriptor, 0) } == .espipe)
      let readOnly = try machine.open2("/r", [.create, .readOnly], generation: .year2008)
      #expect(error { () throws(Errno) in try machine.write(readOnly, [1]) } == .ebadf)
    }
  }

  @Test
  func `ioctl and F_SETFL give EOPNOTSUPP although the flags change; poll answers 0x2d; seals are unknown`() throws {
    // shows: shm 3.22.2008, 3.23.2008-poll, 3.24.setfl, 3.24.2008-add-seals, 3.24.get-seals
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, generation: .year2008)
      let file = try machine.table.file(at: descriptor)
      #expect(error { () throws(Errno) in try file.setStatusFlags([.nonBlocking, .append]) } == .eopnotsupp)
      #expect(file.statusFlags == [.readWrite, .nonBlocking, .append])
      var data = [64 of UInt8](repeating: 0)
      #expect(error { () throws(Errno) in try file.control(.nonBlocking, &data) } == .eopnotsupp)
      #expect(file.statusFlags == [.readWrite, .append])
      #expect(error { () throws(Errno) in try file.control(.getOwner, &data) } == .eopnotsupp)
      #expect(file.poll(1) == 0x2d)
      #expect(error { () throws(Errno) in try file.addSeals(.grow) } == .einval)
      #expect(error { () throws(Errno) in _ = try file.seals() } == .einval)
    }
  }

  @Test
  func `mapping, fstat, fchmod and truncation are today's`() throws {
    try withMachine { machine in
      let descriptor = try machine.open2("/x", [.create, .readWrite], generation: .year2008)
      let address = try machine.map(descriptor, pages: 2)
      try machine.truncate(descriptor, 10)
      #expect(machine.store([1, 2, 3], at: address))
      try machine.table.file(at: descriptor).changeMode(FileMode(rawValue: 0o7644), machine.caller)
      let stat = try machine.status(descriptor)
      #expect(stat.mode.rawValue == 0o100644 && stat.linkCount == 2 && stat.blockCount == 1 && stat.inode == 1)
      let new = try machine.open2("/x", .readWrite)
      #expect(try machine.read(new, 3) == [1, 2, 3])
    }
  }
}
