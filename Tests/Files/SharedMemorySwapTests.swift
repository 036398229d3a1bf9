// Transfers of shared memory whose pages lie in swap: what a read that sleeps keeps from others, and what not.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Reading and writing shared memory that lies in swap")
struct SharedMemorySwapTests {
  private let pages = 1000

  /// An object of more pages than the machine has frames, all ones.
  private func makeLargeObject(_ machine: Machine) throws -> (Int32, SharedMemoryFile) {
    let descriptor = try machine.open2(nil as String?, .readWrite)
    try machine.truncate(descriptor, Int64(pages) << 12)
    for page in 0..<pages { try machine.write(descriptor, [UInt8](repeating: 1, count: 4096), at: Int64(page) << 12) }
    return (descriptor, try #require(machine.table.file(at: descriptor) as? SharedMemoryFile))
  }

  /// Where a large object has a page that is there, if that is wanted, before one that is in swap.
  private func place(_ machine: Machine, _ file: SharedMemoryFile, _ descriptor: Int32, isThere: Bool) throws -> Int64 {
    #expect(machine.system.makeAvailable(300) == .ready)
    let object = file.object.vmObject
    let first = try #require((0..<900).first { !object.isResident(UInt64($0)) && !object.isResident(UInt64($0 + 1)) })
    if isThere { try machine.write(descriptor, [1], at: Int64(first) << 12) }
    #expect(object.isResident(UInt64(first)) == isThere && !object.isResident(UInt64(first + 1)))
    return Int64(first) << 12
  }

  @Test
  func `a read that sleeps before its first byte gives up its range`() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      machine.hardware.swap?.mostPagesPerTransfer = 1
      let (descriptor, file) = try makeLargeObject(machine)
      for (position, changes) in [(0, false), (0, true), (nil, false), (nil, true)] as [(Int64?, Bool)] {
        #expect(machine.store([UInt8](repeating: 1, count: 8 << 12), at: Machine.buffer))
        let start = try place(machine, file, descriptor, isThere: false)
        _ = try machine.seek(descriptor, start)
        machine.isDiskSlow = true
        var read = try Transfer(
          address: VirtualAddress(Machine.buffer), byteCount: 8 << 12, at: position == nil ? nil : start)
        guard case .wait(let awaited) = try file.read(&read, machine.space), awaited.keptFrame != .none else {
          Issue.record("the disk was not asked")
          return
        }
        #expect(!read.hasStored && !read.hasBegun)
        #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty == (position != nil))
        machine.isDiskSlow = false
        machine.hardware.completeTransfers()
        // The owner is not held up.
        if changes { try machine.write(descriptor, [UInt8](repeating: 2, count: 4096), at: start) }
        while try machine.step(file.read(&read, machine.space)) {}
        #expect(read.moved == 8 << 12)
        #expect(machine.load(1, at: Machine.buffer) == [changes ? 2 : 1])
        #expect(machine.load(1, at: Machine.buffer + 4096) == [1])
        #expect(file.offset == start + (position == nil ? Int64(read.moved) : 0))
        try machine.write(descriptor, [UInt8](repeating: 1, count: 4096), at: start)
        #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty)
      }
    }
  }

  @Test(arguments: [true, false])
  func `a read that has stored something keeps its range: what it gives is what was there`(isPositioned: Bool) throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      machine.hardware.swap?.mostPagesPerTransfer = 1
      let (descriptor, file) = try makeLargeObject(machine)
      #expect(machine.store([UInt8](repeating: 7, count: 8 << 12), at: Machine.buffer))
      let start = try place(machine, file, descriptor, isThere: true)
      _ = try machine.seek(descriptor, start)
      machine.isDiskSlow = true
      var read = try Transfer(
        address: VirtualAddress(Machine.buffer), byteCount: 8 << 12, at: isPositioned ? start : nil)
      guard case .wait(let awaited) = try file.read(&read, machine.space), awaited.keptFrame != .none else {
        Issue.record("the disk was not asked")
        return
      }
      // Others who run in the same memory see the first page now: the read is before whatever they do next.
      #expect(read.moved == 4096 && machine.load(4097, at: Machine.buffer) == [UInt8](repeating: 1, count: 4096) + [7])
      #expect(FileContinuation.read(file, read).outlastsStop && FileContinuation.read(file, read).outlastsKill)
      var resize = try Resize(length: start + 2153)
      guard case .wait(let turn) = try file.truncate(&resize) else {
        Issue.record("the object shrank under a read")
        return
      }
      machine.isDiskSlow = false
      machine.hardware.completeTransfers()
      while try machine.step(file.read(&read, machine.space)) {}
      #expect(read.moved == 8 << 12 && machine.waker.channels.contains(turn.channel))
      #expect(machine.load(8 << 12, at: Machine.buffer) == [UInt8](repeating: 1, count: 8 << 12))
      while try machine.step(file.truncate(&resize)) {}
      #expect(try machine.status(descriptor).size == start + 2153)
      #expect(file.object.rangeLock.isEmpty && file.offsetLine.isEmpty)
    }
  }

  @Test
  func `a read that is stopped before its first byte leaves no trace, and begins anew`() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let (descriptor, file) = try makeLargeObject(machine)
      #expect(machine.system.makeAvailable(300) == .ready)
      _ = try machine.seek(descriptor, 0)
      machine.isDiskSlow = true
      var read = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 20 << 12)
      guard case .wait(let awaited) = try file.read(&read, machine.space), awaited.keptFrame != .none else {
        Issue.record("the disk was not asked")
        return
      }
      #expect(!read.hasStored)
      read.giveUpPlace()
      #expect(read.moved == 0 && file.offsetLine.isEmpty && file.object.rangeLock.isEmpty && file.offset == 0)
      machine.isDiskSlow = false
      machine.hardware.completeTransfers()
      #expect(try machine.seek(descriptor, 4096) == 4096)
      while try machine.step(file.read(&read, machine.space)) {}
      #expect(read.moved == 20 << 12 && file.offset == 21 << 12)
    }
  }

  @Test
  func `a read that finds others in its way again and again keeps its range at last`() throws {
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let (_, file) = try makeLargeObject(machine)
      var read = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 8 << 12, at: 0)
      for round in 0...3 {
        // Nothing is there, not even what the last round brought in.
        machine.isDiskSlow = false
        _ = machine.system.makeAvailable(machine.system.managedFrameCount)
        machine.isDiskSlow = true
        guard case .wait(let awaited) = try file.read(&read, machine.space), awaited.keptFrame != .none else {
          Issue.record("the disk was not asked")
          return
        }
        #expect(read.missedTurns == round && read.hasBegun == (round == 3))
        #expect(file.object.rangeLock.isEmpty == (round < 3))
        machine.hardware.completeTransfers()
        if round == 3 { break }
        // A writer that is in the middle of its work when the read comes back.
        let write = TransferHold(file)
        write.enter(.whole, of: file.object)
        #expect(try file.read(&read, machine.space).isTurn)
        write.leaveRange()
      }
      machine.isDiskSlow = false
      machine.hardware.completeTransfers()
      while try machine.step(file.read(&read, machine.space)) {}
      #expect(read.moved == 8 << 12 && file.object.rangeLock.isEmpty)
    }
  }

  @Test
  func `reads and writes through swap, with a disk that takes its time, lose nothing`() throws {
    // shows: shm 3.20.pages
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      machine.isDiskSlow = true
      let descriptor = try machine.open2(nil as String?, .readWrite)
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
      machine.isDiskSlow = false
    }
  }

  @Test
  func `a hole that ends in a page which cannot be read from swap is not made`() throws {
    // shows: shm 3.26.eio
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let (descriptor, file) = try makeLargeObject(machine)
      let swapped = try #require((2..<pages).first { !file.object.vmObject.isResident(UInt64($0)) })
      func punch() throws(Errno) {
        var punch = Punch(offset: Int64(swapped - 2) << 12, length: 2 << 12 + 100)
        while try machine.step(file.punch(&punch)) {}
      }
      machine.doesDiskFail = true
      #expect(error { () throws(Errno) in try punch() } == .eio)
      machine.doesDiskFail = false
      #expect(try machine.read(descriptor, 4096, at: Int64(swapped - 2) << 12) == [UInt8](repeating: 1, count: 4096))
      #expect(try machine.status(descriptor).blockCount == Int64(pages))
      try punch()
      #expect(try machine.status(descriptor).blockCount == Int64(pages - 2))
      let bytes = try machine.read(descriptor, 102, at: Int64(swapped) << 12)
      #expect(bytes == [UInt8](repeating: 0, count: 100) + [1, 1])
    }
  }

  @Test
  func `a page that cannot be read from swap gives EIO, and the pieces before it count for the offset`() throws {
    // shows: shm 3.19.eio
    try withMachine(frameCount: 600, swapBlocks: 4000) { machine in
      let (descriptor, file) = try makeLargeObject(machine)
      let swapped = try #require((0..<pages).first { !file.object.vmObject.isResident(UInt64($0)) })
      machine.doesDiskFail = true
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, 1, at: Int64(swapped) << 12) } == .eio)
      machine.doesDiskFail = false
      #expect(try machine.read(descriptor, 1, at: Int64(swapped) << 12) == [1])
      // That page is there now, the next one is not.
      #expect(machine.store([UInt8](repeating: 0, count: 8192), at: Machine.buffer))
      #expect(file.object.vmObject.isResident(UInt64(swapped)) && !file.object.vmObject.isResident(UInt64(swapped + 1)))
      _ = try machine.seek(descriptor, Int64(swapped) << 12)
      machine.doesDiskFail = true
      #expect(error { () throws(Errno) in _ = try machine.read(descriptor, into: Machine.buffer, 8192) } == .eio)
      machine.doesDiskFail = false
      #expect(try machine.seek(descriptor, 0, .current) == Int64(swapped + 1) << 12)
      // The same when the disk says so only after a while.
      let other = try #require((0..<pages).first { !file.object.vmObject.isResident(UInt64($0)) })
      #expect(machine.system.makeAvailable(16) == .ready)
      machine.isDiskSlow = true
      machine.doesDiskFail = true
      var transfer = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 1, at: Int64(other) << 12)
      guard case .wait = try file.read(&transfer, machine.space) else {
        Issue.record("the disk was not asked")
        return
      }
      machine.hardware.completeTransfers()
      #expect(error { () throws(Errno) in _ = try file.read(&transfer, machine.space) } == .eio)
      machine.doesDiskFail = false
      machine.isDiskSlow = false
      #expect(try machine.read(descriptor, 1, at: Int64(other) << 12) == [1])
      #expect(file.object.rangeLock.isEmpty)
    }
  }
}
