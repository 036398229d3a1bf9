// fstat, fchmod, fchown, mapping, seals, ioctl, fcntl and poll on shared memory (spec shm.md, 3.8 to 3.11, 3.22 to 3.24).
import ABI
import Memory
import Testing

@testable import Files

@Suite("Attributes of shared memory")
struct SharedMemoryAttributesTests {
  private func file(_ machine: Machine, _ descriptor: Int32) throws -> SharedMemoryFile {
    try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
  }

  @Test
  func `fstat: type and mode, pages in use, references of the VM object, block size; the rest is zero`() throws {
    // shows: shm 3.8.mode, 3.8.blksize, 3.8.size, 3.8.blocks, 3.8.dev, 3.8.nlink, 3.8.readonly, 3.12.untouched
    // shows: shm 3.13.drops
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, mode: 0o640)
      try machine.truncate(descriptor, 10_000)
      try machine.write(descriptor, [1], at: 5000)
      let address = try machine.map(descriptor, pages: 3)
      _ = try machine.map(descriptor, pages: 1)
      let stat = try machine.status(descriptor)
      #expect(stat.mode.rawValue == 0o100640 && stat.size == 10_000 && stat.blockCount == 1)
      #expect(stat.preferredBlockByteCount == 4096 && stat.linkCount == 3 && stat.device != 0)
      #expect(stat.representedDevice == 0)
      #expect(machine.store([1], at: address))
      #expect(try machine.status(descriptor).blockCount == 2)
      try machine.unmap(address, pages: 3)
      #expect(try machine.status(descriptor).linkCount == 2)
      let other = try machine.open2("/other", [.create, .readOnly])
      #expect(try machine.status(other).device == stat.device && machine.status(other).inode != stat.inode)
    }
  }

  @Test
  func `fchmod: owner or superuser, permission bits only, no umask, also on a read-only descriptor`() throws {
    // shows: shm 3.9.eperm, 3.9.mode, 3.9.readonly
    try withMachine { machine in
      machine.caller = Credentials(machine.files, user: 5, group: 5)
      machine.mask = FileMode(rawValue: 0o077)
      let descriptor = try machine.open2("/m", [.create, .readOnly], mode: 0o777)
      let file = try machine.table.file(at: descriptor)
      try file.changeMode(FileMode(rawValue: 0o7755), machine.caller)
      #expect(try machine.status(descriptor).mode.rawValue == 0o100755)
      let other = Credentials(machine.files, user: 6, group: 5)
      #expect(error { () throws(Errno) in try file.changeMode([], other) } == .eperm)
      try file.changeMode([], Credentials(machine.files))
      #expect(try machine.status(descriptor).mode.rawValue == 0o100000)
    }
  }

  @Test
  func `fchown: what the caller is may be set by anyone, the rest by the superuser; nil leaves a value`() throws {
    // shows: shm 3.10.minus-one, 3.10.allowed, 3.10.no-ownership
    try withMachine { machine in
      let descriptor = try machine.open2("/o", [.create, .readWrite])
      let file = try machine.table.file(at: descriptor)
      try file.changeOwner(user: 10, group: 20, machine.caller)
      let stranger = Credentials(machine.files, user: 30, group: 40)
      try stranger.setGroups([40, 41].span)
      func change(_ user: UInt32?, _ group: UInt32?) -> Errno? {
        error { () throws(Errno) in try file.changeOwner(user: user, group: group, stranger) }
      }
      #expect(change(31, nil) == .eperm)
      #expect(change(nil, 42) == .eperm)
      #expect(change(30, 42) == .eperm)
      #expect(change(nil, nil) == nil)
      #expect(change(10, 20) == nil)
      #expect(try machine.status(descriptor).userIdentifier == 10)
      #expect(change(30, 41) == nil)
      #expect(try machine.status(descriptor).userIdentifier == 30)
      #expect(try machine.status(descriptor).groupIdentifier == 41)
      // The effective user counts, not the real one.
      stranger.effectiveUser = 31
      #expect(change(30, nil) == nil)
      #expect(change(31, nil) == nil)
      #expect(change(30, nil) == .eperm)
      #expect(try machine.status(descriptor).userIdentifier == 31)
    }
  }

  @Test
  func `what may be mapped how: sharing, access mode, write seal and the program's own maximum`() throws {
    // shows: shm 3.11.maxprot, 3.11.eacces, 3.11.limits, 3.11.offset
    try withMachine { machine in
      func ask(
        _ file: OpenFile, _ sharing: Sharing, _ protection: Protection, maximum: Protection = .all
      ) -> (maximum: Protection, counts: Bool)? {
        let query = MappingQuery(
          sharing: sharing, protection: protection, maximumProtection: maximum, byteCount: 4096, offset: 0)
        do throws(Errno) {
          let mapping = try file.mapping(query)
          return (mapping.maximumProtection, mapping.countsAsWritable)
        } catch {
          #expect(error == .eacces)
          return nil
        }
      }
      let writable = try file(machine, try machine.open2("/m", [.create, .readWrite], .allowSealing))
      let readOnly = try file(machine, try machine.open2("/m", .readOnly, .allowSealing))
      for sealed in [false, true] {
        if sealed { try writable.addSeals(.write) }
        // readonly_mmap_write: EACCES although the size is 0.
        #expect(ask(readOnly, .shared, [.read, .write]) == nil)
        #expect(ask(readOnly, .shared, .write) == nil)
        #expect(ask(readOnly, .shared, .read)! == ([.read, .execute], false))
        #expect(ask(readOnly, .private, [.read, .write])! == (.all, false))
        #expect(ask(writable, .private, [.read, .write])! == (.all, false))
        if sealed {
          #expect(ask(writable, .shared, [.read, .write]) == nil)
          #expect(ask(writable, .shared, .read)! == ([.read, .execute], false))
        } else {
          #expect(ask(writable, .shared, [.read, .write])! == (.all, true))
          #expect(ask(writable, .shared, [])! == (.all, true))
          #expect(ask(writable, .shared, .read, maximum: .read)! == (.read, true))
        }
      }
      for (count, offset) in [(UInt64(4096), Int64.max - 4095), (1 << 63, 0), (UInt64.max - 4095, 0), (4096, -4096)] {
        let query = MappingQuery(sharing: .shared, protection: .read, byteCount: count, offset: offset)
        #expect(error { () throws(Errno) in _ = try writable.mapping(query) } == .einval)
      }
      #expect(writable.object.vmObject.referenceCount == 1)
    }
  }

  @Test
  func `get_seals, immutable_seals, disallowed_sealing, dup_seals`() throws {
    // shows: shm 3.2.allow-sealing, 3.24.get-seals, 3.24.seal-eperm, 3.24.seal-unchecked, 3.24.seal
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, .allowSealing)
      let file = try file(machine, descriptor)
      #expect(try file.seals() == [])
      try file.addSeals([.write, .grow])
      #expect(try file.seals() == [.write, .grow])
      let copy = try machine.table.duplicate(descriptor, atOrAbove: 0, closeOnExec: false)
      #expect(error { () throws(Errno) in try machine.write(copy, [1]) } == .eperm)
      // Unknown bits are stored.
      try file.addSeals(Seals(rawValue: 0x100))
      try file.addSeals([.grow, .seal])
      #expect(try file.seals().rawValue == 0x10d)
      #expect(error { () throws(Errno) in try file.addSeals(.grow) } == .eperm)
      #expect(error { () throws(Errno) in try file.addSeals([]) } == .eperm)
      let plain = try self.file(machine, try machine.open2(nil as String?, .readWrite))
      #expect(try plain.seals() == .seal)
      #expect(error { () throws(Errno) in try plain.addSeals(.grow) } == .eperm)
      let readOnly = try self.file(machine, try machine.open2("/ro", [.create, .readOnly], .allowSealing))
      try readOnly.addSeals(.write)
    }
  }

  @Test
  func `mmap_write_seal: a shared mapping from a writable descriptor blocks the seal even when it is read-only`() throws
  {
    // shows: shm 3.11.writable-bytes, 3.13.drops, 3.24.seal-ebusy, 3.24.write
    try withMachine { machine in
      let descriptor = try machine.open2("/s", [.create, .readWrite], .allowSealing)
      let readOnly = try machine.open2("/s", .readOnly, .allowSealing)
      try machine.truncate(descriptor, 1024)
      let file = try file(machine, descriptor)
      let shared = try machine.map(descriptor, pages: 1)
      _ = try machine.map(descriptor, pages: 1, .private)
      let sharedReading = try machine.map(descriptor, pages: 1, .shared, .read)
      _ = try machine.map(readOnly, pages: 1, .shared, .read)
      #expect(error { () throws(Errno) in try file.addSeals(.write) } == .ebusy)
      try file.addSeals(.grow)
      try machine.unmap(shared, pages: 1)
      #expect(error { () throws(Errno) in try file.addSeals([.write, .shrink]) } == .ebusy)
      #expect(try file.seals() == .grow)
      try machine.unmap(sharedReading, pages: 1)
      #expect(error { () throws(Errno) in try file.addSeals(.write) } == nil)
      #expect(error { () throws(Errno) in _ = try machine.map(descriptor, pages: 1) } == .eacces)
      _ = try machine.map(descriptor, pages: 1, .private)
      _ = try machine.map(descriptor, pages: 1, .shared, .read)
      // Already set, so nothing is checked.
      #expect(error { () throws(Errno) in try file.addSeals(.write) } == nil)
    }
  }

  @Test
  func `ioctl: FIONBIO and FIOASYNC change the flags, everything else is ENOTTY`() throws {
    // shows: shm 3.22.fionbio-flag, 3.22.fionbio, 3.22.largepage, 3.22.enotty
    try withMachine { machine in
      let file = try file(machine, try machine.open2(nil as String?, .readWrite))
      var data = [64 of UInt8](repeating: 0)
      data[0] = 1
      try file.control(.nonBlocking, &data)
      #expect(file.statusFlags == [.readWrite, .nonBlocking])
      try file.control(.asynchronous, &data)
      data[0] = 0
      try file.control(.nonBlocking, &data)
      #expect(file.statusFlags == [.readWrite, .asynchronous])
      for request in [
        InputOutputControl.getTerminalAttributes, .bytesToRead, .getOwner, .setOwner, .setLargePageConfiguration,
        .getLargePageConfiguration, .seekData, InputOutputControl(rawValue: 0),
      ] {
        #expect(error { () throws(Errno) in try file.control(request, &data) } == .enotty)
      }
    }
  }

  @Test
  func `F_SETFL changes what it may and leaves the access mode; O_APPEND has no effect on writing`() throws {
    // shows: shm 3.20.append, 3.24.setfl
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let file = try file(machine, descriptor)
      try file.setStatusFlags([.append, .nonBlocking, .exclusive, .truncate, .writeOnly])
      #expect(file.statusFlags == [.readWrite, .append, .nonBlocking])
      try machine.truncate(descriptor, 10)
      try machine.write(descriptor, [1, 2])
      #expect(try machine.read(descriptor, 3, at: 0) == [1, 2, 0])
      try file.setStatusFlags([])
      #expect(file.statusFlags == .readWrite)
    }
  }

  @Test
  func `poll: always ready for reading and writing, POLLNVAL for unknown bits`() throws {
    // shows: shm 3.23.poll
    try withMachine { machine in
      let file = try file(machine, try machine.open2(nil as String?, .readWrite))
      #expect(file.poll(0x1ff) == 0x45)
      #expect(file.poll(0x1) == 0x1)
      #expect(file.poll(0x8) == 0)
      #expect(file.poll(0x2001) == 0x20)
    }
  }

  @Test
  func `a mapping keeps the pages when descriptor and name are gone; nothing keeps the object`() throws {
    // shows: shm 3.11.close, 3.11.refcount
    try withMachine { machine in
      let descriptor = try machine.open2("/l", [.create, .readWrite])
      try machine.truncate(descriptor, 4096)
      let address = try machine.map(descriptor, pages: 1)
      #expect(machine.store([42], at: address))
      try machine.table.close(descriptor)
      #expect(machine.files.counts.sharedMemoryObjects == 1)
      try machine.unlink("/l")
      #expect(machine.files.counts.sharedMemoryObjects == 0)
      #expect(machine.load(1, at: address) == [42])
      let liveObjects = machine.system.counters.liveObjects
      try machine.unmap(address, pages: 1)
      while !machine.system.drainTeardown(budget: 8) {}
      #expect(machine.system.counters.liveObjects == liveObjects - 1)
    }
  }
}
