// Who waits at a pipe, and who wakes whom (spec sockets.md section 2.3; PipePlace.swift).
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

/// A read or write under way.
private final class Call {
  let machine: Machine
  let file: OpenFile
  let writes: Bool
  var transfer: Transfer?
  var channel: WaitChannel?

  init(_ machine: Machine, _ descriptor: Int32, writes: Bool, _ count: Int, at address: UInt64) throws {
    self.machine = machine
    file = try machine.table.file(at: descriptor)
    self.writes = writes
    transfer = try Transfer(address: VirtualAddress(address), byteCount: UInt64(count))
    try step()
  }

  /// Goes on; whether it is done.
  @discardableResult
  func step() throws -> Bool {
    guard transfer != nil else { return true }
    while true {
      let progress =
        writes ? try file.write(&transfer!, machine.space) : try file.read(&transfer!, machine.space)
      switch progress {
      case .complete:
        channel = nil
        return true
      case .again: continue
      case .wait(let wait):
        channel = wait.channel
        return false
      }
    }
  }

  var moved: UInt64 { transfer?.moved ?? 0 }
  /// Whether it was woken since it waited.
  var isWoken: Bool { channel.map { machine.waker.channels.contains($0) } ?? false }
  /// Whether it goes on to its end, whatever becomes of its process.
  var outlastsStopAndKill: Bool {
    let remainder = transfer.map { writes ? FileContinuation.write(file, $0) : FileContinuation.read(file, $0) }
    return remainder.map { $0.outlastsStop && $0.outlastsKill } ?? false
  }
  /// It is killed.
  func drop() { transfer = nil }
}

@Suite struct PipeWaitTests {
  private static let places = [Machine.buffer, Machine.buffer + 0x20000, Machine.buffer + 0x40000]

  @Test func `a reader sleeps until something is written, and only the first is woken`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let readers = try Self.places.map { try Call(machine, first, writes: false, 10, at: $0) }
      #expect(readers.allSatisfy { $0.channel != nil && !$0.isWoken })
      _ = try machine.write(second, from: Self.places[0] + 0x10000, 15)
      #expect(readers.map(\.isWoken) == [true, false, false])
      #expect(try readers[0].step())
      #expect(readers[0].moved == 10 && readers[1].isWoken && !readers[2].isWoken)
      // Whoever is killed before it has its turn passes it on.
      readers[1].drop()
      #expect(readers[2].isWoken)
      #expect(try readers[2].step())
      #expect(readers[2].moved == 5)
    }
  }

  @Test func `the end of the file wakes every reader, one after the other`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let readers = try Self.places.map { try Call(machine, first, writes: false, 10, at: $0) }
      try machine.table.close(second)
      for reader in readers {
        #expect(reader.isWoken)
        #expect(try reader.step())
        #expect(reader.moved == 0)
      }
    }
  }

  @Test func `a write of 8192 bytes waits until all of it is read`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let writer = try Call(machine, second, writes: true, 8192, at: Self.places[0])
      #expect(writer.channel != nil)
      #expect(try machine.bytesToRead(first) == 8192 && machine.status(first).size == 8192)
      #expect(try machine.table.file(at: second).poll(4) == 0)
      #expect(try machine.read(first, into: Self.places[1], 8000) == 8000)
      #expect(!writer.isWoken)
      // Others wait too, or are told so.
      let other = try Call(machine, second, writes: true, 1, at: Self.places[0])
      #expect(other.channel != nil)
      #expect(try machine.read(first, into: Self.places[1], 8000) == 192)
      #expect(writer.isWoken && other.isWoken)
      #expect(try writer.step() && other.step())
      #expect(writer.moved == 8192 && other.moved == 1)
      // One byte less does not wait.
      #expect(try machine.read(first, into: Self.places[1], 100) == 1)
      #expect(try machine.write(second, from: Self.places[0], 8191) == 8191)
    }
  }

  @Test func `a large write hands its pieces over one after the other`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      #expect(machine.store(pattern(200_000), at: Self.places[0]))
      let writer = try Call(machine, second, writes: true, 200_000, at: Self.places[0])
      var got: [UInt8] = []
      while got.count < 200_000 {
        #expect(writer.channel != nil || got.count + 3392 == 200_000)
        let count = Int(try machine.read(first, into: Machine.buffer + 0x80000, 50_000))
        got += machine.load(count, at: Machine.buffer + 0x80000) ?? []
        if writer.isWoken { try writer.step() }
      }
      #expect(writer.moved == 200_000 && got == pattern(200_000))
    }
  }

  @Test func `an offered piece stays when its writer is killed, and then is like any other`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let writer = try Call(machine, second, writes: true, 10_000, at: Self.places[0])
      let other = try Call(machine, second, writes: true, 100, at: Self.places[0])
      #expect(FileContinuation.write(writer.file, writer.transfer!).interruption == .concludes)
      #expect(FileContinuation.write(other.file, other.transfer!).interruption == .restartsIfAsked)
      writer.drop()
      #expect(other.isWoken)
      #expect(try other.step())
      #expect(try machine.bytesToRead(first) == 10_100)
    }
  }

  @Test func `a stopped writer goes on waiting for its reader, and keeps nothing else`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let writer = try Call(machine, second, writes: true, 10_000, at: Self.places[0])
      writer.transfer!.giveUpPlace()
      #expect(try !writer.step())
      #expect(try machine.read(first, into: Self.places[1], 20_000) == 10_000)
      #expect(writer.isWoken)
      #expect(try writer.step())
      // One that waits for room leaves the line.
      _ = try machine.write(second, from: Self.places[0], 8191)
      _ = try machine.write(second, from: Self.places[0], 8191)
      let small = try Call(machine, second, writes: true, 400, at: Self.places[0])
      #expect(try machine.end(second).roomWaiters.count == 0)
      #expect(try small.step())
    }
  }

  @Test func `a writer that has no room is woken when few bytes are left`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      for _ in 0..<16 { _ = try machine.write(second, from: Self.places[0], 4096) }
      let writer = try Call(machine, second, writes: true, 500, at: Self.places[0])
      #expect(writer.channel != nil)
      #expect(try machine.read(first, into: Self.places[1], 65_536 - 5461) == UInt64(65_536 - 5461))
      #expect(!writer.isWoken)
      #expect(try machine.read(first, into: Self.places[1], 1) == 1)
      #expect(writer.isWoken)
      #expect(try writer.step())
      #expect(writer.moved == 500)
    }
  }

  @Test func `a writer whose reader goes gets EPIPE, or what it has written`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      for _ in 0..<16 { _ = try machine.write(second, from: Self.places[0], 4096) }
      let writer = try Call(machine, second, writes: true, 500, at: Self.places[0])
      let large = try Call(machine, second, writes: true, 9000, at: Self.places[0])
      try machine.table.close(first)
      #expect(writer.isWoken && large.isWoken)
      #expect(error { () throws(Errno) in _ = try writer.file.write(&writer.transfer!, machine.space) } == .epipe)
      #expect(error { () throws(Errno) in _ = try large.file.write(&large.transfer!, machine.space) } == .epipe)
      writer.drop()
      large.drop()
    }
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      let writer = try Call(machine, second, writes: true, 9000, at: Self.places[0])
      try machine.table.close(first)
      #expect(writer.isWoken)
      #expect(try writer.step())
      #expect(writer.moved == 9000)
    }
  }

  @Test func `writes of one piece do not mix while one waits for a page`() throws {
    try withMachine(frameCount: 512, swapBlocks: 400) { machine in
      let (first, second) = try machine.pipe()
      machine.hardware.swap?.mostPagesPerTransfer = 1
      let end = Self.places[0] + 4096
      #expect(machine.store([UInt8](repeating: 1, count: 300), at: end - 100))
      #expect(machine.store([UInt8](repeating: 2, count: 300), at: Self.places[1]))
      machine.evict()
      machine.isDiskSlow = true
      _ = machine.load(1, at: end - 100)
      // The second page of its memory is missing.
      let slow = try Call(machine, second, writes: true, 300, at: end - 100)
      #expect(slow.channel?.comesByItself == true && slow.transfer!.hasBegun)
      let other = try Call(machine, second, writes: true, 300, at: Self.places[1])
      #expect(other.channel?.comesByItself == false)
      #expect(try machine.bytesToRead(first) == 0)
      machine.hardware.completeTransfers()
      while try !slow.step() { machine.hardware.completeTransfers() }
      #expect(other.isWoken)
      while try !other.step() { machine.hardware.completeTransfers() }
      let wanted = [UInt8](repeating: 1, count: 300) + [UInt8](repeating: 2, count: 300)
      #expect(try machine.read(first, 1000) == wanted)
    }
  }

  @Test func `a read that waits for a page takes nothing yet, and keeps other readers away`() throws {
    try withMachine(frameCount: 512, swapBlocks: 400) { machine in
      let (first, second) = try machine.pipe()
      try machine.write(second, pattern(300))
      #expect(machine.store([0], at: Self.places[0]))
      machine.evict()
      machine.isDiskSlow = true
      let slow = try Call(machine, first, writes: false, 200, at: Self.places[0])
      #expect(slow.channel?.comesByItself == true && !slow.transfer!.hasBegun)
      #expect(try machine.bytesToRead(first) == 300)
      let other = try Call(machine, first, writes: false, 200, at: Self.places[1])
      #expect(other.channel?.comesByItself == false)
      // It stops: the other has its turn.
      slow.transfer!.giveUpPlace()
      #expect(other.isWoken)
      while try !other.step() { machine.hardware.completeTransfers() }
      #expect(other.moved == 200)
      while try !slow.step() { machine.hardware.completeTransfers() }
      #expect(slow.moved == 100)
      #expect(machine.load(100, at: Self.places[0]) == pattern(100, from: 200))
    }
  }

  @Test func `a read that has stored bytes takes them, whatever becomes of its process`() throws {
    try withMachine(frameCount: 512, swapBlocks: 400) { machine in
      let (first, second) = try machine.pipe()
      machine.hardware.swap?.mostPagesPerTransfer = 1
      let end = Self.places[0] + 4096
      try machine.write(second, pattern(300))
      #expect(machine.store([7], at: end - 100) && machine.store([7], at: end))
      machine.evict()
      machine.isDiskSlow = true
      _ = machine.load(1, at: end - 100)
      // The second page of its memory is missing.
      let slow = try Call(machine, first, writes: false, 300, at: end - 100)
      while !slow.transfer!.hasStored {
        machine.hardware.completeTransfers()
        #expect(try !slow.step())
      }
      #expect(slow.channel?.comesByItself == true && slow.outlastsStopAndKill)
      let other = try Call(machine, first, writes: false, 100, at: Self.places[1])
      machine.hardware.completeTransfers()
      while try !slow.step() { machine.hardware.completeTransfers() }
      #expect(slow.moved == 300 && other.channel?.comesByItself == false)
      #expect(machine.load(300, at: end - 100) == pattern(300))
      try machine.write(second, [9])
      while try !other.step() { machine.hardware.completeTransfers() }
      #expect(other.moved == 1)
    }
  }
}
