// read, write, pread, pwrite and lseek on shared memory (spec shm.md, 3.19 to 3.21).
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Reading and writing shared memory")
struct SharedMemoryTransferTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func `agrees with a byte array under random operations`(seed: UInt64) throws {
    // shows: shm 3.19.end, 3.19.offset, 3.20.end, 3.20.grows
    try withMachine { machine in
      var generator = SeededGenerator(seed: seed)
      let grows = seed % 2 == 0
      let descriptor = try machine.open2(nil as String?, .readWrite, grows ? .growOnWrite : [])
      var model: [UInt8] = []
      var offset = 0
      for _ in 0..<400 {
        let count = Int.random(in: 0...[3, 5000, 20_000].randomElement(using: &generator)!, using: &generator)
        let position = Bool.random(using: &generator) ? nil : Int.random(in: 0..<40_000, using: &generator)
        let start = position ?? offset
        switch Int.random(in: 0..<5, using: &generator) {
        case 0, 1:
          let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
          if grows && start + count > model.count {
            model += [UInt8](repeating: 0, count: start + count - model.count)
          }
          let moved = max(0, min(count, model.count - start))
          if moved > 0 { model.replaceSubrange(start..<start + moved, with: bytes.prefix(moved)) }
          #expect(try machine.write(descriptor, bytes, at: position.map { Int64($0) }) == UInt64(moved))
          if position == nil { offset += moved }
        case 2, 3:
          let moved = max(0, min(count, model.count - start))
          let expected = moved > 0 ? Array(model[start..<start + moved]) : []
          #expect(try machine.read(descriptor, count, at: position.map { Int64($0) }) == expected)
          if position == nil { offset += moved }
        default:
          if Bool.random(using: &generator) {
            let length = Int.random(in: 0..<50_000, using: &generator)
            try machine.truncate(descriptor, Int64(length))
            if length < model.count {
              model.removeLast(model.count - length)
            } else {
              model += [UInt8](repeating: 0, count: length - model.count)
            }
          } else {
            let target = Int.random(in: 0...model.count, using: &generator)
            #expect(try machine.seek(descriptor, Int64(target)) == Int64(target))
            offset = target
          }
        }
        #expect(try machine.status(descriptor).size == model.count)
        #expect(try machine.table.file(at: descriptor).offset == Int64(offset))
      }
    }
  }

  @Test
  func `reading what was never written gives zeros and allocates nothing`() throws {
    // shows: shm 3.19.sparse, 3.20.pages
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 1 << 40)
      #expect(try machine.read(descriptor, 10_000, at: 1 << 39) == [UInt8](repeating: 0, count: 10_000))
      #expect(try machine.status(descriptor).blockCount == 0)
      try machine.write(descriptor, [1], at: (1 << 40) - 1)
      #expect(try machine.status(descriptor).blockCount == 1)
    }
  }

  @Test
  func `errors: access, position, length, in that order`() throws {
    // shows: shm 3.19.ssize-max, 3.19.negative, 3.19.zero-length, 3.19.end, 3.20.ebadf, 3.20.clamp, 3.20.end
    try withMachine { machine in
      #expect(error { () throws(Errno) in _ = try Transfer(address: VirtualAddress(0), byteCount: 1 << 63) } == .einval)
      let descriptor = try machine.open2("/e", [.create, .readOnly])
      #expect(error { () throws(Errno) in try machine.write(descriptor, [], at: -1) } == .ebadf)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 0, at: -1) } == .einval)
      #expect(try machine.read(descriptor, 0, at: 5) == [])
      #expect(try machine.read(descriptor, 10, at: Int64.max) == [])
      let writable = try machine.open2("/e", .readWrite)
      #expect(error { () throws(Errno) in try machine.write(writable, [1], at: -1) } == .einval)
      #expect(try machine.write(writable, [1, 2], at: Int64.max - 1) == 0)
      #expect(try machine.write(writable, [1], at: Int64.max) == 0)
      #expect(try machine.status(writable).size == 0)
    }
  }

  @Test
  func `GROW_ON_WRITE: grows first, EFBIG past OFF_MAX, EPERM by seal, all without partial transfer (memfd basic)`()
    throws
  {
    // shows: shm 3.2.grow-on-write, 3.20.efbig, 3.20.eperm, 3.20.grows, 3.24.grow, 3.24.write
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, [.growOnWrite, .allowSealing])
      try machine.write(descriptor, [UInt8](repeating: 1, count: 8))
      #expect(try machine.status(descriptor).size == 8)
      try machine.truncate(descriptor, 14)
      try machine.write(descriptor, [UInt8](repeating: 2, count: 8))
      #expect(try machine.status(descriptor).size == 16)
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1, 2], at: Int64.max - 1) } == .efbig)
      try machine.table.file(at: descriptor).addSeals(.grow)
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1, 2], at: 15) } == .eperm)
      #expect(try machine.read(descriptor, 20, at: 15) == [2])
      #expect(try machine.write(descriptor, [1, 2], at: 14) == 2)
      try machine.table.file(at: descriptor).addSeals(.write)
      #expect(error { () throws(Errno) in try machine.write(descriptor, [1, 2], at: 14) } == .eperm)
      #expect(error { () throws(Errno) in try machine.write(descriptor, []) } == .eperm)
    }
  }

  @Test
  func `lseek: not before the start, not behind the end, no data or holes`() throws {
    // shows: shm 3.21.whence, 3.21.overflow, 3.21.other, 3.21.range
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 100)
      func seekError(_ offset: Int64, _ origin: SeekOrigin) -> Errno? {
        error { () throws(Errno) in _ = try machine.seek(descriptor, offset, origin) }
      }
      #expect(try machine.seek(descriptor, 100) == 100)
      #expect(try machine.seek(descriptor, -10, .current) == 90)
      #expect(try machine.seek(descriptor, -100, .end) == 0)
      #expect(seekError(101, .start) == .einval)
      #expect(seekError(-1, .start) == .einval)
      #expect(seekError(1, .end) == .einval)
      #expect(try machine.seek(descriptor, 50) == 50)
      #expect(seekError(Int64.max, .current) == .eoverflow)
      #expect(seekError(Int64.max, .end) == .eoverflow)
      #expect(seekError(Int64.min, .current) == .einval)
      #expect(seekError(0, .data) == .einval)
      #expect(seekError(0, .hole) == .einval)
      #expect(seekError(0, SeekOrigin(rawValue: -1)) == .einval)
      #expect(try machine.seek(descriptor, 0, .current) == 50)
    }
  }

  @Test
  func `a dup shares the offset, another open does not`() throws {
    // shows: shm 3.1.fill, 3.19.offset, 3.27.dup
    try withMachine { machine in
      let descriptor = try machine.open2("/o", [.create, .readWrite])
      try machine.truncate(descriptor, 100)
      let copy = try machine.table.duplicate(descriptor, atOrAbove: 0, closeOnExec: false)
      let other = try machine.open2("/o", .readWrite)
      try machine.write(descriptor, [1, 2, 3])
      #expect(try machine.seek(copy, 0, .current) == 3)
      #expect(try machine.seek(other, 0, .current) == 0)
      #expect(try machine.read(other, 2) == [1, 2])
    }
  }

  @Test
  func `a bad user page half way is EFAULT; the offset has advanced by the whole pieces`() throws {
    // shows: shm 3.19.efault
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 5 * 4096)
      try machine.write(descriptor, [UInt8](repeating: 9, count: 5 * 4096), at: 0)
      let end = Machine.buffer + Machine.bufferPageCount << 12
      // Pieces end at the object's pages: two whole ones fit, the third is cut in its middle.
      #expect(machine.store([UInt8](repeating: 0, count: 3 * 4096), at: end - 3 * 4096))
      let address = end - 3 * 4096 + 100
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: address, 4 * 4096) } == .efault)
      #expect(try machine.seek(descriptor, 0, .current) == 2 * 4096)
      #expect(machine.load(1, at: end - 1) == [9])
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: address, 4 * 4096, at: 0) } == .efault)
      #expect(try machine.seek(descriptor, 0, .current) == 2 * 4096)
      _ = try machine.seek(descriptor, 0)
      #expect(error { () throws(Errno) in _ = try machine.write(descriptor, from: address, 4 * 4096) } == .efault)
      #expect(try machine.seek(descriptor, 0, .current) == 2 * 4096)
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: 1 << 46, 1, at: 0) } == .efault)
      #expect(try machine.table.file(at: descriptor).offsetLine.isEmpty)
    }
  }

  @Test(arguments: [true, false], [true, false])
  func `a long read is away between its steps: it goes on with what is there, and does not begin anew`(
    isPositioned: Bool, isStopped: Bool
  ) throws {
    try withMachine { machine in
      let hold = Int64(FileLimits.longestReadHoldByteCount)
      let step = Int64(FileLimits.pagesPerTransferStep) << 12
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 4 * hold)
      let file = try machine.table.file(at: descriptor)
      let buffer = Machine.buffer + 0x80000
      #expect(machine.store([UInt8](repeating: 7, count: 2 * Int(step)), at: buffer))
      _ = try machine.seek(descriptor, hold)
      var read = try Transfer(
        address: VirtualAddress(buffer), byteCount: UInt64(2 * step), at: isPositioned ? hold : nil)
      // As if it had read almost as much as it may at a time.
      read.moved = UInt64(hold - step)
      #expect(try file.read(&read, machine.space) == .again)
      #expect(read.isAway && !read.hasBegun && read.moved == UInt64(hold))
      if isStopped { read.giveUpPlace() }
      try machine.write(descriptor, [5], at: hold + step)
      try machine.truncate(descriptor, hold + step + 100)
      if isStopped && !isPositioned { #expect(try machine.seek(descriptor, 17) == 17) }
      while try machine.step(file.read(&read, machine.space)) {}
      let ends = isStopped && !isPositioned
      #expect(read.moved == UInt64(hold) + (ends ? 0 : 100))
      #expect(machine.load(1, at: buffer + UInt64(step)) == [ends ? 7 : 5])
      #expect(machine.load(1, at: buffer + UInt64(step) + 100) == [7])
      #expect(file.offset == (isPositioned ? hold : isStopped ? 17 : hold + step + 100) && file.offsetLine.isEmpty)
    }
  }

  @Test
  func `pwrite from the object's own mapping (shm_functionality_across_fork)`() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 4096)
      let address = try machine.map(descriptor, pages: 1)
      #expect(machine.store([UInt8](repeating: 0xff, count: 4096), at: address))
      #expect(machine.store([UInt8](repeating: 0x69, count: 4094), at: address))
      #expect(try machine.write(descriptor, from: address, 2, at: 4094) == 2)
      #expect(machine.load(4096, at: address) == [UInt8](repeating: 0x69, count: 4096))
      #expect(try machine.read(descriptor, 4096) == [UInt8](repeating: 0x69, count: 4096))
    }
  }
}
