// Changing the size: errors, zeroed tails, accounting, timestamps (spec shm.md, 2.4 to 2.6 and 3.7).
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Resizing shared memory")
struct SharedMemoryResizeTests {
  private func resizeError(_ machine: Machine, _ descriptor: Int32, _ length: Int64) -> Errno? {
    error { () throws(Errno) in try machine.truncate(descriptor, length) }
  }

  @Test
  func `a negative length is refused before the descriptor is looked at; a read-only one gives EINVAL`() throws {
    // shows: shm 3.7.negative, 3.7.ebadf, 3.7.not-writable
    try withMachine { machine in
      #expect(resizeError(machine, 77, -1) == .einval)
      #expect(resizeError(machine, 77, 1) == .ebadf)
      let descriptor = try machine.open2("/r", [.create, .readOnly])
      #expect(resizeError(machine, descriptor, 1) == .einval)
      #expect(resizeError(machine, descriptor, 0) == .einval)
    }
  }

  @Test
  func `pages of the VM object and the reservation follow the size, up to OFF_MAX`() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      let start = machine.system.accounting.reserved
      for length in [0, 1, 4095, 4096, 4097, 1 << 40, 5, Int64.max, Int64.max - 1, 0, 4096] as [Int64] {
        try machine.truncate(descriptor, length)
        let pages = (UInt64(length) + 4095) / 4096
        #expect(try machine.status(descriptor).size == length)
        #expect(file.object.vmObject.pageCount == pages)
        #expect(machine.system.accounting.reserved == start + pages)
        #expect(try machine.status(descriptor).blockCount == 0)
      }
    }
  }

  @Test
  func `growth that vm.overcommit refuses is ENOMEM and changes nothing`() throws {
    // shows: shm 3.7.enomem
    try withMachine(swapBlocks: 100) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 4096)
      let before = try machine.status(descriptor)
      machine.system.setOvercommit(1)
      machine.clock.advance(by: 1_000_000)
      #expect(resizeError(machine, descriptor, 1 << 30) == .enomem)
      #expect(try machine.status(descriptor) == before)
      machine.system.setOvercommit(0)
      #expect(resizeError(machine, descriptor, 1 << 30) == nil)
    }
  }

  @Test(arguments: [0, 1, 100, 4095, 4096, 4097, 8191])
  func `shrinking and growing again shows zeros, wherever the shrink cut`(cut: Int) throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 3 * 4096)
      try machine.write(descriptor, [UInt8](repeating: 7, count: 3 * 4096), at: 0)
      try machine.truncate(descriptor, Int64(cut))
      #expect(try machine.status(descriptor).blockCount == (cut + 4095) / 4096)
      try machine.truncate(descriptor, 3 * 4096)
      let expected = [UInt8](repeating: 7, count: cut) + [UInt8](repeating: 0, count: 3 * 4096 - cut)
      #expect(try machine.read(descriptor, 3 * 4096, at: 0) == expected)
    }
  }

  @Test
  func `stores behind the end in the last page are seen after growth, and zeroed by a shrink`() throws {
    // shows: shm 3.12.tail
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 10)
      let address = try machine.map(descriptor, pages: 1)
      #expect(machine.store([1, 2, 3], at: address + 9))
      #expect(try machine.read(descriptor, 100, at: 0) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
      try machine.truncate(descriptor, 12)
      #expect(try machine.read(descriptor, 100, at: 9) == [1, 2, 3])
      try machine.truncate(descriptor, 11)
      try machine.truncate(descriptor, 20)
      #expect(try machine.read(descriptor, 100, at: 9) == [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }
  }

  @Test
  func `object_resize: a mapping outlives the shrink, faults behind the end, and reads zeros after growth`() throws {
    // shows: shm 3.12.resident, 3.12.untouched, 3.12.shrink
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 4096)
      #expect(machine.store([UInt8(ascii: "1")], at: try machine.map(descriptor, pages: 1)))
      try machine.truncate(descriptor, 8192)
      let address = try machine.map(descriptor, pages: 2)
      #expect(machine.load(1, at: address) == [UInt8(ascii: "1")])
      #expect(machine.store([UInt8(ascii: "2")], at: address + 4096))
      try machine.truncate(descriptor, 4096)
      #expect(machine.load(1, at: address + 4096) == nil)
      #expect(machine.load(1, at: address) == [UInt8(ascii: "1")])
      try machine.truncate(descriptor, 8192)
      #expect(machine.load(1, at: address + 4096) == [0])
    }
  }

  @Test
  func
    `seals: SHRINK and GROW refuse with EPERM, the same size is always fine; a kernel mapping refuses shrinking only`()
    throws
  {
    // shows: shm 3.7.eperm, 3.7.ebusy, 3.24.shrink, 3.24.grow, 3.24.write, 3.24.seal-kernel
    for (seals, grow, shrink) in [
      (Seals.grow, Errno.eperm, nil), (.shrink, nil, .eperm), ([.grow, .shrink], .eperm, .eperm), (.write, nil, nil),
    ] as [(Seals, Errno?, Errno?)] {
      try withMachine { machine in
        let descriptor = try machine.open2(nil as String?, .readWrite, .allowSealing)
        try machine.truncate(descriptor, 6)
        try machine.table.file(at: descriptor).addSeals(seals)
        #expect(resizeError(machine, descriptor, 8) == grow)
        try? machine.truncate(descriptor, 6)
        #expect(resizeError(machine, descriptor, 4) == shrink)
        #expect(resizeError(machine, descriptor, try machine.status(descriptor).size) == nil)
      }
    }
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, .allowSealing)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      file.object.kernelMappingCount = 2
      #expect(resizeError(machine, descriptor, 8) == nil)
      #expect(resizeError(machine, descriptor, 7) == .ebusy)
      // It does not keep anybody from sealing.
      try file.addSeals([.shrink, .write])
      #expect(resizeError(machine, descriptor, 7) == .eperm)
      file.object.kernelMappingCount = 0
    }
  }

  @Test
  func
    `timestamps: creation sets all, resizing ctime and mtime, mmap atime, nothing else any; microseconds by default`()
    throws
  {
    // shows: shm 3.8.times, 3.9.ctime, 3.10.ctime, 3.11.atime, 3.20.timestamps
    try withMachine { machine in
      func tick() -> Timespec {
        machine.clock.advance(by: 1_000_000_777)
        let now = machine.processor.nanoseconds + machine.processor.realTimeOffsetNanoseconds
        return Timespec(nanoseconds: now - now % 1000)
      }
      let created = tick()
      let descriptor = try machine.open2("/t", [.create, .readWrite], .allowSealing)
      var expected = try machine.status(descriptor)
      #expect(expected.accessTime == created && expected.modificationTime == created)
      #expect(expected.changeTime == created && expected.birthTime == created)
      let resized = tick()
      try machine.truncate(descriptor, 100)
      expected.modificationTime = resized
      expected.changeTime = resized
      expected.size = 100
      #expect(try machine.status(descriptor) == expected)
      _ = tick()
      try machine.truncate(descriptor, 100)
      try machine.write(descriptor, [1, 2, 3])
      _ = try machine.read(descriptor, 3, at: 0)
      let file = try machine.table.file(at: descriptor)
      try file.changeMode(FileMode(rawValue: 0o644), machine.caller)
      try file.changeOwner(user: 5, group: 6, machine.caller)
      try file.addSeals(.grow)
      expected.mode = FileMode(rawValue: 0o100644)
      expected.userIdentifier = 5
      expected.groupIdentifier = 6
      expected.blockCount = 1
      #expect(try machine.status(descriptor) == expected)
      let mapped = tick()
      _ = try machine.map(descriptor, pages: 1)
      expected.accessTime = mapped
      expected.linkCount = 2
      #expect(try machine.status(descriptor) == expected)
      _ = tick()
      try machine.unlink("/t")
      #expect(try machine.status(descriptor) == expected)
      machine.files.timestampPrecision = .seconds
      let second = tick()
      try machine.truncate(descriptor, 10)
      #expect(try machine.status(descriptor).changeTime == Timespec(seconds: second.seconds, nanoseconds: 0))
      machine.files.timestampPrecision = .nanoseconds
      _ = tick()
      try machine.truncate(descriptor, 5)
      #expect(try machine.status(descriptor).changeTime.nanoseconds % 1000 != 0)
    }
  }

  @Test
  func `a tail that is in swap is read, zeroed and dirtied; a failing disk gives EIO and leaves the object alone`()
    throws
  {
    // shows: shm 3.7.eio
    try withMachine(frameCount: 600, swapBlocks: 2000) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let pages = 700
      try machine.truncate(descriptor, Int64(pages) << 12)
      for page in 0..<pages {
        try machine.write(descriptor, [UInt8](repeating: UInt8(page & 0xff | 1), count: 4096), at: Int64(page) << 12)
      }
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      #expect(machine.system.counters.swapPagesOut > 0)
      let swapped = try #require((0..<pages).first { !file.object.vmObject.isResident(UInt64($0)) })
      let length = Int64(swapped) << 12 + 100
      machine.doesDiskFail = true
      #expect(resizeError(machine, descriptor, length) == .eio)
      machine.doesDiskFail = false
      #expect(try machine.status(descriptor).size == Int64(pages) << 12)
      machine.isDiskSlow = true
      try machine.truncate(descriptor, length)
      machine.isDiskSlow = false
      try machine.truncate(descriptor, Int64(swapped + 2) << 12)
      let value = UInt8(swapped & 0xff | 1)
      #expect(
        try machine.read(descriptor, 8192, at: Int64(swapped) << 12)
          == [UInt8](repeating: value, count: 100) + [UInt8](repeating: 0, count: 8092))
      #expect(try machine.status(descriptor).blockCount <= Int64(swapped + 1))
    }
  }

  @Test
  func `shrinking many pages is cut, and nobody sees the object half made: size, pages, reservation, content`() throws {
    try withMachine(frameCount: 4096) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      let pages = 1500
      try machine.truncate(descriptor, Int64(pages) << 12 - 10)
      for page in 0..<pages { try machine.write(descriptor, [1], at: Int64(page) << 12) }
      let address = try machine.map(descriptor, pages: UInt64(pages))
      for page in [0, pages / 2, pages - 1] { #expect(machine.load(1, at: address + UInt64(page) << 12) == [1]) }
      #expect(machine.store([9], at: address + 200))
      let before = try machine.status(descriptor)
      func isUnchanged() throws -> Bool {
        let now = try machine.status(descriptor)
        #expect(now.changeTime == before.changeTime && now.blockCount == before.blockCount)
        #expect(try machine.seek(descriptor, 0, .end) == before.size)
        #expect(machine.system.accounting.reserved == UInt64(pages) + Machine.bufferPageCount)
        return now.size == before.size
      }
      let free = machine.system.freeFrameCount
      var resize = try Resize(length: 100)
      #expect(try file.truncate(&resize) == .again)
      #expect(try resize.hasBegun && isUnchanged())
      #expect(machine.system.freeFrameCount >= free + FileLimits.pagesPerResizeStep)
      // What is still mapped shows what it was; a fault on the rest, the new last page included, waits for the end.
      #expect(machine.space.translate(VirtualAddress(address + UInt64(pages / 2) << 12), .read) != nil)
      for page in [0, 1, pages - 513, pages - 1] as [Int] {
        guard
          case .wait(let awaited) = machine.space.resolveFault(
            at: VirtualAddress(address + UInt64(page) << 12), page % 2 == 0 ? .read : .write)
        else {
          Issue.record("a fault in the middle of a change of size")
          return
        }
        #expect(awaited.channel.comesByItself && awaited.keptFrame == .none)
      }
      #expect(machine.waker.channels.isEmpty)
      machine.clock.advance(by: 1_000_000)
      var cuts = 1
      while try file.truncate(&resize) == .again {
        #expect(try isUnchanged())
        cuts += 1
      }
      #expect(cuts == (pages - 1) / FileLimits.pagesPerResizeStep)
      #expect(machine.waker.channels.count == 1)
      let after = try machine.status(descriptor)
      #expect(after.size == 100 && after.changeTime != before.changeTime && after.modificationTime == after.changeTime)
      #expect(machine.system.accounting.reserved == 1 + Machine.bufferPageCount)
      #expect(machine.load(1, at: address + UInt64(pages / 2) << 12) == nil)
      #expect(machine.load(201, at: address)?.last == 0)
      #expect(file.object.rangeLock.isEmpty)
      #expect(try machine.status(descriptor).blockCount == 1)
      try machine.truncate(descriptor, 4096)
      #expect(try machine.read(descriptor, 4096, at: 0) == [1] + [UInt8](repeating: 0, count: 4095))
      // O_TRUNC of an object that is emptied in several steps.
      _ = try machine.open2("/steps", [.create, .readWrite])
      let named = try machine.open2("/steps", .readWrite)
      try machine.truncate(named, Int64(pages) << 12)
      for page in 0..<pages { try machine.write(named, [1], at: Int64(page) << 12) }
      _ = try machine.open2("/steps", [.readWrite, .truncate])
      #expect(try machine.status(named).size == 0)
    }
  }

  @Test
  func `a sparse object shrinks by what is present, not by its size`() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, Int64.max)
      for position in [0, 1 << 20, 1 << 40, 1 << 62, Int64.max - 1] { try machine.write(descriptor, [7], at: position) }
      #expect(try machine.status(descriptor).blockCount == 5)
      try machine.truncate(descriptor, 1 << 62)
      #expect(try machine.status(descriptor).blockCount == 3)
      try machine.truncate(descriptor, 1 << 40 + 1)
      #expect(try machine.status(descriptor).blockCount == 3)
      try machine.truncate(descriptor, 1)
      #expect(try machine.status(descriptor).blockCount == 1)
      #expect(try machine.read(descriptor, 10, at: 0) == [7])
    }
  }
}
