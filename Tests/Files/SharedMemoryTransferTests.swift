// read, write, pread, pwrite and lseek on shared memory, parked and resumed (spec shm.md, 3.19 to 3.21).
import ABI
import Memory
import Simulation
import Testing

@testable import Files

@Suite("Reading and writing shared memory")
struct SharedMemoryTransferTests {
  @Test("agrees with a byte array under random operations", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func random(seed: UInt64) throws {
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

  @Test("reading what was never written gives zeros and allocates nothing")
  func holes() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 1 << 40)
      #expect(try machine.read(descriptor, 10_000, at: 1 << 39) == [UInt8](repeating: 0, count: 10_000))
      #expect(try machine.status(descriptor).blockCount == 0)
      try machine.write(descriptor, [1], at: (1 << 40) - 1)
      #expect(try machine.status(descriptor).blockCount == 1)
    }
  }

  @Test("errors: access, position, length, in that order")
  func errors() throws {
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

  @Test("GROW_ON_WRITE: grows first, EFBIG past OFF_MAX, EPERM by seal, all without partial transfer (memfd basic)")
  func grow() throws {
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

  @Test("lseek: not before the start, not behind the end, no data or holes")
  func seek() throws {
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

  @Test("a dup shares the offset, another open does not")
  func sharedOffset() throws {
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

  @Test("a bad user page half way is EFAULT; the offset has advanced by the whole pieces")
  func fault() throws {
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

  @Test("pwrite from the object's own mapping (shm_functionality_across_fork)")
  func selfMapping() throws {
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

  @Test("a transfer of many pages is cut, and others see it as one step")
  func cut() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite, .allowSealing)
      let pages = 200
      try machine.truncate(descriptor, Int64(pages) << 12)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      #expect(machine.store([UInt8](repeating: 5, count: pages << 12), at: Machine.buffer))
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: UInt64(pages) << 12)
      #expect(try file.write(&transfer, machine.space) == .again)
      #expect(transfer.moved == 64 << 12)
      #expect(transfer.hasBegun)
      // Nobody reads, writes, seals, resizes or seeks meanwhile.
      var reader: Transfer? = try Transfer(
        address: VirtualAddress(Machine.buffer), byteCount: 1, at: Int64(pages - 1) << 12)
      #expect(try file.read(&reader!, machine.space).isTurn)
      var seal: TransferHold?
      #expect(try file.addSeals([], &seal).isTurn)
      var resize: Resize? = try Resize(length: 0)
      #expect(try file.truncate(&resize!).isTurn)
      var seek: TransferHold?
      guard case .wait(let turn) = try file.seek(0, .current, &seek), turn.isTurn else {
        Issue.record("a seek in the middle of a write")
        return
      }
      #expect(try file.seekAtOnce(0, .current) == nil)
      var second: Transfer? = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 1)
      #expect(try file.read(&second!, machine.space).isTurn)
      #expect(!(reader!.hasBegun || resize!.hasBegun || second!.hasBegun))
      #expect(machine.waker.channels.isEmpty)
      while try file.write(&transfer, machine.space) == .again {}
      #expect(transfer.moved == UInt64(pages) << 12)
      // First come, first served, and only those are woken whose turn it is: the reader, and the seek.
      #expect(machine.waker.channels == [try #require(turnOf(reader?.hold)), turn])
      #expect(reader!.hold!.turnChannel == nil && seal!.turnChannel != nil && resize!.hold!.turnChannel != nil)
      #expect(try file.truncate(&resize!).isTurn)
      #expect(try file.addSeals([], &seal).isTurn)
      #expect(try file.read(&second!, machine.space).isTurn)
      var late = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 1, at: 0)
      #expect(try file.write(&late, machine.space).isTurn)
      machine.waker.channels = []
      #expect(try file.seek(0, .current, &seek) == .offset(Int64(pages) << 12))
      #expect(machine.waker.channels == [try #require(turnOf(second?.hold))])
      #expect(try file.read(&reader!, machine.space) == .complete)
      #expect(try file.addSeals([], &seal) == .complete)
      #expect(try file.truncate(&resize!) == .complete)
      #expect(try file.write(&late, machine.space) == .complete)
      #expect(late.moved == 0)
      #expect(try file.read(&second!, machine.space) == .complete)
      reader = nil
      resize = nil
      second = nil
      #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty)
      #expect(file.offset == Int64(pages) << 12)
    }
  }

  /// The channel of a hold, whether it waits or not.
  private func turnOf(_ hold: TransferHold?) -> WaitChannel? { hold.map { .turn($0.number) } }

  @Test("a cut pwrite keeps its range, with what it has moved already; a cut write keeps the whole object")
  func cutRanges() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 300 << 12)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      func waits(_ page: Int64) throws -> Bool {
        var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 1, at: page << 12)
        let progress = try file.read(&transfer, machine.space)
        #expect(progress.isTurn || progress == .complete)
        return progress.isTurn
      }
      for position in [0, nil] as [Int64?] {
        var transfer: Transfer? = try Transfer(
          address: VirtualAddress(Machine.buffer), byteCount: 200 << 12, at: position)
        #expect(try file.write(&transfer!, machine.space) == .again)
        #expect(try waits(0) && waits(199))
        #expect(try waits(200) == (position == nil))
        transfer = nil
        #expect(try !waits(0))
      }
      #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty)
    }
  }

  @Test("a transfer that is dropped gives up its range and its offset, and wakes those behind")
  func dropped() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 100 << 12)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      var transfer: Transfer? = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 100 << 12)
      #expect(try file.write(&transfer!, machine.space) == .again)
      var waiting = try Resize(length: 1)
      guard case .wait(let turn) = try file.truncate(&waiting), turn.isTurn else {
        Issue.record("a change of size in the middle of a write")
        return
      }
      #expect(machine.waker.channels.isEmpty)
      transfer = nil
      // What had been moved counts for the offset.
      #expect(file.offset == 64 << 12)
      #expect(machine.waker.channels == [turn])
      #expect(try file.truncate(&waiting) == .complete)
      #expect(file.offsetLine.isEmpty && file.object.rangeLock.isEmpty)
    }
  }

  @Test("of a thousand writers each release wakes one, and whoever goes away with its turn passes it on")
  func herd() throws {
    try withMachine(frameCount: 4096) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 100 << 12)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      for position in [nil, 0] as [Int64?] {
        var writers: [Transfer?] = []
        for _ in 0..<1000 {
          var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 65 << 12, at: position)
          let progress = try file.write(&transfer, machine.space)
          #expect(writers.isEmpty ? progress == .again : progress.isTurn)
          writers.append(transfer)
        }
        machine.waker.channels = []
        for index in writers.indices {
          if index % 3 == 1 {
            writers[index] = nil
          } else {
            var progress = try file.write(&writers[index]!, machine.space)
            while progress == .again { progress = try file.write(&writers[index]!, machine.space) }
            #expect(progress == .complete)
            if position == nil { file.offset = 0 }
            writers[index] = nil
          }
          let next = index + 1 < writers.count ? [try #require(turnOf(writers[index + 1]?.hold))] : []
          #expect(machine.waker.channels == next)
          machine.waker.channels = []
        }
        #expect(file.offsetLine.isEmpty && file.object.rangeLock.isEmpty)
      }
    }
  }

  @Test("a read that sleeps gives up its range, and goes on if nobody has changed the object, or begins anew")
  func sleepingRead() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let pages = 1000
      try machine.truncate(descriptor, Int64(pages) << 12)
      for page in 0..<pages { try machine.write(descriptor, [UInt8](repeating: 1, count: 4096), at: Int64(page) << 12) }
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      for (position, changes) in [(0, false), (0, true), (nil, false), (nil, true)] as [(Int64?, Bool)] {
        #expect(machine.system.makeAvailable(300) == .ready)
        #expect(machine.store([UInt8](repeating: 1, count: 8 << 12), at: Machine.buffer))
        // A page that is there, before one that is not.
        let first = try #require((0..<900).first { !file.object.vmObject.isResident(UInt64($0 + 1)) })
        let start = Int64(first) << 12
        try machine.write(descriptor, [1], at: start)
        _ = try machine.seek(descriptor, start)
        machine.disk.isDelayed = true
        var read = try Transfer(
          address: VirtualAddress(Machine.buffer), byteCount: 8 << 12, at: position == nil ? nil : start)
        guard case .wait(let channel) = try file.read(&read, machine.space), channel.frame != nil else {
          Issue.record("the disk was not asked")
          return
        }
        #expect(read.moved == 4096 && !read.hasBegun)
        #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty == (position != nil))
        machine.disk.isDelayed = false
        machine.disk.completeAll(machine.system)
        // The owner is not held up.
        if changes { try machine.write(descriptor, [UInt8](repeating: 2, count: 4096), at: start) }
        while try machine.step(file.read(&read, machine.space)) {}
        #expect(read.moved == 8 << 12)
        #expect(machine.load(1, at: Machine.buffer) == [changes ? 2 : 1])
        #expect(machine.load(1, at: Machine.buffer + 4096) == [1])
        #expect(file.offset == start + (position == nil ? 8 << 12 : 0))
        try machine.write(descriptor, [1], at: start)
        #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty)
      }
    }
  }

  @Test("a read that is stopped while it sleeps leaves no trace, and begins anew")
  func stoppedRead() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let pages = 1000
      try machine.truncate(descriptor, Int64(pages) << 12)
      for page in 0..<pages { try machine.write(descriptor, [UInt8](repeating: 1, count: 4096), at: Int64(page) << 12) }
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      #expect(machine.system.makeAvailable(300) == .ready)
      _ = try machine.seek(descriptor, 0)
      machine.disk.isDelayed = true
      var read = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 20 << 12)
      guard case .wait(let channel) = try file.read(&read, machine.space), channel.frame != nil else {
        Issue.record("the disk was not asked")
        return
      }
      read.giveUpPlace()
      #expect(read.moved == 0 && file.offsetLine.isEmpty && file.object.rangeLock.isEmpty && file.offset == 0)
      machine.disk.isDelayed = false
      machine.disk.completeAll(machine.system)
      #expect(try machine.seek(descriptor, 4096) == 4096)
      while try machine.step(file.read(&read, machine.space)) {}
      #expect(read.moved == 20 << 12 && file.offset == 21 << 12)
    }
  }

  @Test("a read that finds others in its way again and again keeps its range at last")
  func readComesToItsEnd() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let pages = 1000
      try machine.truncate(descriptor, Int64(pages) << 12)
      for page in 0..<pages { try machine.write(descriptor, [UInt8](repeating: 1, count: 4096), at: Int64(page) << 12) }
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      var read = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 8 << 12, at: 0)
      for round in 0...3 {
        // Nothing is there, not even what the last round brought in.
        machine.disk.isDelayed = false
        _ = machine.system.makeAvailable(machine.system.managedFrameCount)
        machine.disk.isDelayed = true
        guard case .wait(let channel) = try file.read(&read, machine.space), channel.frame != nil else {
          Issue.record("the disk was not asked")
          return
        }
        #expect(read.missedTurns == round && read.hasBegun == (round == 3))
        #expect(file.object.rangeLock.isEmpty == (round < 3))
        machine.disk.completeAll(machine.system)
        if round == 3 { break }
        // A writer that is in the middle of its work when the read comes back.
        let write = TransferHold(file)
        write.enter(.whole, of: file.object)
        #expect(try file.read(&read, machine.space).isTurn)
        write.leaveRange()
      }
      machine.disk.isDelayed = false
      machine.disk.completeAll(machine.system)
      while try machine.step(file.read(&read, machine.space)) {}
      #expect(read.moved == 8 << 12 && file.object.rangeLock.isEmpty)
    }
  }

  @Test("reads and writes through swap, with a disk that takes its time, lose nothing")
  func swap() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      machine.disk.isDelayed = true
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let pages = 1000
      try machine.truncate(descriptor, Int64(pages) << 12)
      func pattern(_ page: Int) -> [UInt8] {
        (0..<4096).map { UInt8(truncatingIfNeeded: $0 * 7 + page * 13 + page >> 8) }
      }
      for page in 0..<pages { try machine.write(descriptor, pattern(page)) }
      _ = try machine.seek(descriptor, 0)
      for page in 0..<pages { #expect(try machine.read(descriptor, 4096) == pattern(page)) }
      #expect(machine.system.counters.swapPagesOut > 0 && machine.system.counters.swapPagesIn > 0)
      #expect(try machine.status(descriptor).blockCount == Int64(pages))
      // Sixteen pages at once, at odd offsets.
      var generator = SeededGenerator(seed: 3)
      for _ in 0..<50 {
        let start = Int.random(in: 0..<(pages - 17) * 4096, using: &generator)
        let got = try machine.read(descriptor, 16 * 4096, at: Int64(start))
        let first = start / 4096
        let expected = (first...first + 16).flatMap { pattern($0) }
        #expect(got == Array(expected[(start % 4096)..<(start % 4096 + 16 * 4096)]))
      }
      machine.disk.isDelayed = false
    }
  }

  @Test("a page that cannot be read from swap gives EIO, and the pieces before it count for the offset")
  func readError() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      let pages = 1000
      try machine.truncate(descriptor, Int64(pages) << 12)
      for page in 0..<pages { try machine.write(descriptor, [UInt8](repeating: 1, count: 4096), at: Int64(page) << 12) }
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      let swapped = try #require((0..<pages).first { !file.object.vmObject.isResident(UInt64($0)) })
      machine.disk.fails = true
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 1, at: Int64(swapped) << 12) } == .eio)
      machine.disk.fails = false
      #expect(try machine.read(descriptor, 1, at: Int64(swapped) << 12) == [1])
      // That page is there now, the next one is not.
      #expect(machine.store([UInt8](repeating: 0, count: 8192), at: Machine.buffer))
      #expect(file.object.vmObject.isResident(UInt64(swapped)) && !file.object.vmObject.isResident(UInt64(swapped + 1)))
      _ = try machine.seek(descriptor, Int64(swapped) << 12)
      machine.disk.fails = true
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: Machine.buffer, 8192) } == .eio)
      machine.disk.fails = false
      #expect(try machine.seek(descriptor, 0, .current) == Int64(swapped + 1) << 12)
      // The same when the disk says so only after a while.
      let other = try #require((0..<pages).first { !file.object.vmObject.isResident(UInt64($0)) })
      #expect(machine.system.makeAvailable(16) == .ready)
      machine.disk.isDelayed = true
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 1, at: Int64(other) << 12)
      guard case .wait = try file.read(&transfer, machine.space) else {
        Issue.record("the disk was not asked")
        return
      }
      machine.disk.fails = true
      machine.disk.completeAll(machine.system)
      #expect(error { () throws(Errno) in _ = try file.read(&transfer, machine.space) } == .eio)
      machine.disk.fails = false
      machine.disk.isDelayed = false
      #expect(try machine.read(descriptor, 1, at: Int64(other) << 12) == [1])
      #expect(file.object.rangeLock.isEmpty)
    }
  }
}

@Suite("Shared memory of 2008")
struct SharedMemory2008Tests {
  @Test("read and write give EOPNOTSUPP, a read of nothing 0; pread, pwrite and lseek ESPIPE")
  func transfers() throws {
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

  @Test("ioctl and F_SETFL give EOPNOTSUPP although the flags change; poll answers 0x2d; seals are unknown")
  func answers() throws {
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

  @Test("mapping, fstat, fchmod and truncation are today's")
  func today() throws {
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
