// Pipes (spec sockets.md section 2): what an end tells of itself, what goes through, and what is refused.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

extension Machine {
  /// Makes a pipe.
  func pipe(_ flags: OpenFlags = []) throws(Errno) -> (Int32, Int32) {
    try files.makePipe(flags, caller, into: table)
  }

  /// The end behind a descriptor.
  func end(_ descriptor: Int32) throws -> PipeFile { try #require(try table.file(at: descriptor) as? PipeFile) }

  /// What FIONREAD tells.
  func bytesToRead(_ descriptor: Int32) throws(Errno) -> UInt32 {
    var data = [64 of UInt8](repeating: 0)
    try table.file(at: descriptor).control(.bytesToRead, &data)
    return data.span.loadUInt32(at: 0)
  }

  /// Moves every page that can be to the disk.
  func evict() {
    // Pages are written first, and given up then.
    for _ in 0..<3 {
      _ = system.makeAvailable(system.managedFrameCount)
      hardware.completeTransfers()
    }
  }
}

/// Bytes in which each place can be told from its neighbours.
func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
  (start..<start + count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
}

@Suite struct PipeTests {
  // MARK: What an end tells

  @Test func `both ends can be read and written, and have what the other wrote`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      #expect([first, second] == [0, 1])
      #expect(try machine.table.file(at: first).statusFlags == .readWrite)
      try machine.write(second, pattern(100))
      try machine.write(first, pattern(50, from: 9))
      #expect(try machine.bytesToRead(first) == 100)
      #expect(try machine.bytesToRead(second) == 50)
      #expect(try machine.read(first, 4000) == pattern(100))
      #expect(try machine.read(second, 20) == pattern(20, from: 9))
      #expect(try machine.read(second, 4000) == pattern(30, from: 29))
    }
  }

  @Test func `fstat tells a fifo of which nothing can be found but what waits`() throws {
    try withMachine { machine in
      machine.caller.effectiveUser = 7
      machine.caller.effectiveGroup = 8
      let (first, second) = try machine.pipe()
      machine.caller.effectiveUser = 0
      machine.clock.advance(by: 5_000_000)
      let fresh = try machine.status(first)
      #expect(fresh.mode == .fifo && fresh.linkCount == 0 && fresh.size == 0 && fresh.blockCount == 0)
      #expect(fresh.userIdentifier == 7 && fresh.groupIdentifier == 8 && fresh.device != 0)
      #expect(fresh.representedDevice == 0 && fresh.preferredBlockByteCount == 4096)
      #expect(fresh.birthTime == Timespec(nanoseconds: 0) && fresh.accessTime == fresh.changeTime)
      #expect(try machine.status(second).inode == fresh.inode + 1)
      try machine.write(second, pattern(4097))
      let full = try machine.status(first)
      #expect(full.size == 4097 && full.blockCount == 2)
      #expect(full.modificationTime != fresh.modificationTime && full.accessTime == fresh.accessTime)
      #expect(try machine.status(second).modificationTime == fresh.modificationTime)
      _ = try machine.read(first, 1)
      #expect(try machine.status(first).accessTime == full.modificationTime)
    }
  }

  @Test func `what pipes do not have is refused`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let file = try machine.table.file(at: first)
      #expect(error { () throws(Errno) in _ = try machine.seek(first, 0) } == .espipe)
      #expect(error { () throws(Errno) in _ = try machine.read(first, 0, at: 0) } == .espipe)
      #expect(error { () throws(Errno) in _ = try machine.write(second, [], at: 0) } == .espipe)
      #expect(error { () throws(Errno) in try machine.truncate(first, 0) } == .einval)
      #expect(error { () throws(Errno) in try file.changeMode(.accessPermissions, machine.caller) } == .einval)
      #expect(error { () throws(Errno) in _ = try machine.map(first, pages: 1) } == .enodev)
      #expect(error { () throws(Errno) in _ = try file.seals() } == .einval)
      var data = [64 of UInt8](repeating: 0)
      #expect(error { () throws(Errno) in try file.control(.bytesToSend, &data) } == .enotty)
      #expect(file.kind == .object)
    }
  }

  @Test func `status flags are each end's own`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe([.nonBlocking])
      let file = try machine.table.file(at: first)
      #expect(file.statusFlags == [.readWrite, .nonBlocking])
      try file.setStatusFlags([.append, .asynchronous])
      #expect(file.statusFlags == [.readWrite, .append, .asynchronous])
      #expect(try machine.table.file(at: second).statusFlags == [.readWrite, .nonBlocking])
      var data = [64 of UInt8](repeating: 0)
      data[0] = 1
      try file.control(.nonBlocking, &data)
      #expect(file.statusFlags.contains(.nonBlocking))
    }
  }

  @Test func `readiness`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe([.nonBlocking])
      let file = try machine.table.file(at: first)
      let (readable, writable, hungUp): (UInt16, UInt16, UInt16) = (0x41, 4, 0x10)
      #expect(file.poll(readable | writable) == writable)
      try machine.write(second, pattern(1))
      #expect(file.poll(readable | writable) == readable | writable)
      _ = try machine.write(first, pattern(65_536 - 511))
      #expect(file.poll(readable | writable) == readable)
      _ = try machine.read(second, 1)
      #expect(file.poll(readable | writable) == readable | writable)
      try machine.table.close(second)
      #expect(file.poll(readable | writable) == readable | hungUp)
      #expect(file.poll(0) == hungUp)
    }
  }

  @Test func `what a filter of kevent is told`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe([.nonBlocking])
      let file = try machine.table.file(at: first)
      func said(_ filter: EventFilter) -> [Int64] {
        let readiness = file.readiness(filter, lowWater: nil)
        return [readiness.data, readiness.isReady ? 1 : 0, readiness.isEnd ? 1 : 0]
      }
      #expect(error { () throws(Errno) in try file.attach(.node) } == .einval)
      try file.attach(.write)
      #expect(said(.read) == [0, 0, 0] && said(.write) == [4096, 1, 0])
      try machine.write(second, pattern(10))
      try machine.write(first, pattern(65_536 - 511))
      #expect(said(.read) == [10, 1, 0] && said(.write) == [511, 0, 0])
      try machine.table.close(second)
      #expect(said(.read) == [10, 1, 1] && said(.write) == [0, 1, 1])
      #expect(error { () throws(Errno) in try file.attach(.write) } == .epipe)
      try file.attach(.read)
    }
  }

  // MARK: Reading and writing

  @Test func `an end whose other is closed gives what is left, then the end of the file, and cannot be written`() throws
  {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      try machine.write(second, pattern(10))
      try machine.table.close(second)
      #expect(error { () throws(Errno) in _ = try machine.write(first, pattern(1)) } == .epipe)
      #expect(error { () throws(Errno) in _ = try machine.write(first, []) } == .epipe)
      #expect(try machine.read(first, 4) == pattern(4))
      #expect(try machine.read(first, 100) == pattern(6, from: 4))
      #expect(try machine.read(first, 100) == [])
    }
  }

  @Test func `up to PIPE_BUF bytes are written as a whole, of more what fits`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe([.nonBlocking])
      #expect(error { () throws(Errno) in _ = try machine.read(first, 1) } == .eagain)
      #expect(try machine.write(second, pattern(65_536 - 511)) == 65_025)
      #expect(error { () throws(Errno) in _ = try machine.write(second, pattern(512)) } == .eagain)
      #expect(try machine.write(second, pattern(513)) == 511)
      #expect(error { () throws(Errno) in _ = try machine.write(second, pattern(513)) } == .eagain)
      #expect(error { () throws(Errno) in _ = try machine.write(second, pattern(1)) } == .eagain)
      #expect(try machine.write(second, []) == 0)
      #expect(try machine.read(first, 70_000).count == 65_536)
    }
  }

  @Test func `eight writes of a page fit while nobody reads`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      for (from, to) in [(second, first), (first, second)] {
        for index in 0..<8 { #expect(try machine.write(from, pattern(4096, from: index << 12)) == 4096) }
        #expect(try machine.read(to, 40_000) == pattern(32_768))
      }
    }
  }

  @Test(arguments: 1...24)
  func `what is read is what was written`(seed: Int) throws {
    try withMachine(frameCount: 512, swapBlocks: 400) { machine in
      var random = SeededGenerator(seed: UInt64(seed))
      let (first, second) = try machine.pipe([.nonBlocking])
      var content: [Int32: [UInt8]] = [first: [], second: []]
      var capacity = [first: 16_384, second: 4096]
      machine.isDiskSlow = seed % 2 == 0
      if seed % 3 == 0 { machine.files.limitSteps(toPageCount: 1) }
      var written = 0
      for _ in 0..<300 {
        let isForward = random.chance(oneIn: 2)
        let (from, to) = isForward ? (second, first) : (first, second)
        if random.chance(oneIn: 6) { machine.evict() }
        let largest = [16, 600, 5000, 30_000][random.number(below: 4)]
        let count = 1 + random.number(below: largest)
        if random.chance(oneIn: 2) {
          let room = Model.write(count, content[to]!.count, &capacity[to]!)
          let bytes = pattern(count, from: written)
          if room == 0 {
            #expect(error { () throws(Errno) in _ = try machine.write(from, bytes) } == .eagain)
          } else {
            #expect(try machine.write(from, bytes) == UInt64(room))
            content[to]! += bytes.prefix(room)
            written += room
          }
        } else if content[to]!.isEmpty {
          #expect(error { () throws(Errno) in _ = try machine.read(to, count) } == .eagain)
        } else {
          let expected = Array(content[to]!.prefix(count))
          #expect(try machine.read(to, count) == expected)
          content[to]!.removeFirst(expected.count)
        }
        #expect(try machine.bytesToRead(to) == UInt32(content[to]!.count))
        #expect(try machine.end(to).byteCapacity == capacity[to]!)
      }
    }
  }

  /// What a write without O_NONBLOCK's waiting stores, by the specification.
  private enum Model {
    static func write(_ count: Int, _ queued: Int, _ capacity: inout Int) -> Int {
      while capacity < queued + count && capacity < 65_536 { capacity *= 2 }
      let room = capacity - queued
      return count > 512 ? min(count, room) : count <= room ? count : 0
    }
  }

  @Test func `a fault loses nothing that is in the pipe, and leaves nothing in it`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      try machine.write(second, pattern(6000))
      let end = Machine.buffer + Machine.bufferPageCount << 12
      #expect(error { () throws(Errno) in _ = try machine.read(first, into: end - 4096, 6000) } == .efault)
      #expect(try machine.bytesToRead(first) == 6000)
      #expect(error { () throws(Errno) in _ = try machine.write(second, from: end - 4096, 6000) } == .efault)
      #expect(error { () throws(Errno) in _ = try machine.write(second, from: end - 1, 2) } == .efault)
      #expect(try machine.read(first, 7000) == pattern(6000))
      #expect(try machine.bytesToRead(first) == 0)
    }
  }

  @Test func `its pages can be on the disk, and come back or fail`() throws {
    try withMachine(frameCount: 512, swapBlocks: 400) { machine in
      let (first, second) = try machine.pipe([.nonBlocking])
      try machine.write(second, pattern(9000))
      machine.evict()
      #expect(try !machine.end(first).object.isResident(0))
      machine.isDiskSlow = true
      #expect(try machine.read(first, 5000) == pattern(5000))
      machine.evict()
      #expect(try !machine.end(first).object.isResident(1))
      #expect(machine.load(1, at: Machine.buffer) != nil)
      machine.doesDiskFail = true
      #expect(error { () throws(Errno) in _ = try machine.read(first, into: Machine.buffer, 4000) } == .eio)
      machine.doesDiskFail = false
      #expect(try machine.read(first, 5000) == pattern(4000, from: 5000))
    }
  }
}
