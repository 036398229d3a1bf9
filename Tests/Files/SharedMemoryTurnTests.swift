// Transfers of shared memory that are cut: what they keep from others meanwhile, and who goes next.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite("Reading and writing shared memory, one after the other")
struct SharedMemoryTurnTests {
  @Test
  func `a transfer of many pages is cut, and others see it as one step`() throws {
    // shows: shm 3.19.atomic
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
      guard case .wait(let turn) = try file.seek(0, .current, &seek), turn.channel.isTurn else {
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
      #expect(machine.waker.channels == [try #require(turnOf(reader?.hold)), turn.channel])
      #expect(reader!.hold!.turnWait == nil && seal!.turnWait != nil && resize!.hold!.turnWait != nil)
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

  @Test
  func `a cut pwrite keeps its range, with what it has moved already; a cut write keeps the whole object`() throws {
    // shows: shm 3.19.atomic, 3.20.lock
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

  @Test
  func `a transfer that is dropped gives up its range and its offset, and wakes those behind`() throws {
    try withMachine { machine in
      let descriptor = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(descriptor, 100 << 12)
      let file = try #require(machine.table.file(at: descriptor) as? SharedMemoryFile)
      var transfer: Transfer? = try Transfer(address: VirtualAddress(Machine.buffer), byteCount: 100 << 12)
      #expect(try file.write(&transfer!, machine.space) == .again)
      var waiting = try Resize(length: 1)
      guard case .wait(let turn) = try file.truncate(&waiting), turn.channel.isTurn else {
        Issue.record("a change of size in the middle of a write")
        return
      }
      #expect(machine.waker.channels.isEmpty)
      transfer = nil
      // What had been moved counts for the offset.
      #expect(file.offset == 64 << 12)
      #expect(machine.waker.channels == [turn.channel])
      #expect(try file.truncate(&waiting) == .complete)
      #expect(file.offsetLine.isEmpty && file.object.rangeLock.isEmpty)
    }
  }

  @Test
  func `of a thousand writers each release wakes one, and whoever goes away with its turn passes it on`() throws {
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
}
