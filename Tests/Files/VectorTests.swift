// Reads and writes of several pieces of memory (spec sockets.md section 9), whatever the file.
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

extension Machine {
  /// Where the descriptions of pieces lie.
  static let vectors: UInt64 = 0x10_0000 + 0x80000

  /// readv(2) and writev(2), or with an offset preadv(2) and pwritev(2).
  func vector(
    _ descriptor: Int32, _ pieces: [(address: UInt64, count: UInt64)], writes: Bool, at position: Int64? = nil,
    from address: UInt64 = Machine.vectors
  ) throws(Errno) -> UInt64 {
    var bytes: [UInt8] = []
    for piece in pieces {
      for word in [piece.address, piece.count] {
        for index in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * index))) }
      }
    }
    if address == Machine.vectors { precondition(store(bytes, at: address)) }
    let vector = try TransferVector.make(
      system, count: UInt32(pieces.count), at: VirtualAddress(address), for: caller.account)
    guard let vector else { preconditionFailure("no memory") }
    var remainder = FileContinuation.vector(
      PendingVector(vector, descriptor: descriptor, at: position, writes: writes))
    while step(try remainder.step(table, space)) {}
    return remainder.result
  }
}

@Suite struct VectorTests {
  private static let here = Machine.buffer

  @Test func `pieces are moved one behind the other, empty ones wherever they are`() throws {
    try withMachine { machine in
      let file = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(file, 10_000)
      #expect(machine.store(pattern(9000), at: Self.here))
      let pieces: [(UInt64, UInt64)] = [(Self.here, 4), (8, 0), (Self.here + 4, 5000), (Self.here + 5004, 3000)]
      #expect(try machine.vector(file, pieces, writes: true) == 8004)
      #expect(try machine.seek(file, 0, .current) == 8004)
      let (far, farther) = (Self.here + 0x10000, Self.here + 0x20000)
      #expect(try machine.vector(file, [(farther, 8000), (far, 1), (far + 1, 100)], writes: false, at: 1) == 8101)
      #expect(machine.load(8000, at: farther) == pattern(8000, from: 1))
      #expect(machine.load(4, at: far) == pattern(3, from: 8001) + [0])
      #expect(try machine.seek(file, 0, .current) == 8004)
      // The end of the object cuts.
      #expect(try machine.vector(file, pieces, writes: true, at: 9994) == 6)
      #expect(try machine.vector(file, [(Self.here, 5000)], writes: false) == 1996)
    }
  }

  @Test(arguments: [0, 1, 8, 9, 256, 257, 1024])
  func `any number of pieces up to 1024`(count: Int) throws {
    try withMachine(frameCount: 1024, swapBlocks: 400) { machine in
      let file = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(file, 4096)
      #expect(machine.store(pattern(count), at: Self.here))
      // Every byte comes from another place.
      let pieces = (0..<count).map { (Self.here + UInt64(count - 1 - $0), UInt64(1)) }
      machine.files.limitSteps(toPageCount: 3)
      #expect(try machine.vector(file, pieces, writes: true) == UInt64(count))
      #expect(machine.caller.account.kernelByteCount < 8192)
      #expect(try machine.read(file, count, at: 0) == pattern(count).reversed())
    }
  }

  @Test func `pages of the pieces and of their descriptions may be on the disk`() throws {
    try withMachine(frameCount: 512, swapBlocks: 600) { machine in
      let file = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(file, 30_000)
      #expect(machine.store(pattern(20_000), at: Self.here))
      let pieces = (0..<600).map { (Self.here + UInt64(33 * $0), UInt64(33)) }
      _ = try machine.vector(file, pieces, writes: true)
      machine.evict()
      machine.isDiskSlow = true
      #expect(try machine.vector(file, pieces, writes: true) == 10_200)
      machine.evict()
      #expect(try machine.read(file, 19_800, at: 19_800).count == 10_200)
      #expect(try machine.read(file, 19_800, at: 0) == pattern(19_800))
    }
  }

  @Test func `what is wrong with the pieces comes before the file, and that before what it says`() throws {
    try withMachine { machine in
      let file = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(file, 4096)
      let many = [(address: UInt64, count: UInt64)](repeating: (Self.here, 1), count: 1025)
      #expect(error { () throws(Errno) in _ = try machine.vector(99, many, writes: true) } == .einval)
      #expect(error { () throws(Errno) in _ = try machine.vector(99, [(8, 1)], writes: true, from: 8) } == .efault)
      #expect(
        error { () throws(Errno) in _ = try machine.vector(99, [(8, 1)], writes: true, from: UInt64.max - 7) }
          == .efault)
      let half = UInt64(1) << 62
      #expect(
        error { () throws(Errno) in _ = try machine.vector(99, [(8, half), (8, half)], writes: true) } == .einval)
      #expect(error { () throws(Errno) in _ = try machine.vector(99, [(8, UInt64.max)], writes: true) } == .einval)
      #expect(error { () throws(Errno) in _ = try machine.vector(99, [(8, 1)], writes: true) } == .ebadf)
      #expect(error { () throws(Errno) in _ = try machine.vector(file, [(8, 1)], writes: true, at: -1) } == .einval)
      #expect(try machine.vector(file, [], writes: true) == 0)
      #expect(try machine.vector(file, [(8, 0)], writes: false) == 0)
    }
  }

  @Test func `a bad piece gives EFAULT, what came before it stays and moves the offset`() throws {
    // shows: shm 3.19.efault
    try withMachine { machine in
      let file = try machine.open2(nil as String?, .readWrite)
      try machine.truncate(file, 4096)
      #expect(machine.store(pattern(100), at: Self.here))
      let pieces: [(UInt64, UInt64)] = [(Self.here, 10), (8, 10)]
      #expect(error { () throws(Errno) in _ = try machine.vector(file, pieces, writes: true) } == .efault)
      #expect(try machine.seek(file, 0, .current) == 10)
      #expect(try machine.read(file, 12, at: 0) == pattern(10) + [0, 0])
      #expect(error { () throws(Errno) in _ = try machine.vector(file, pieces, writes: true, at: 100) } == .efault)
      #expect(try machine.seek(file, 0, .current) == 10)
      #expect(error { () throws(Errno) in _ = try machine.vector(file, pieces, writes: false) } == .efault)
      #expect(try machine.seek(file, 0, .current) == 20)
    }
  }

  @Test func `devices, programs and the console`() throws {
    try withMachine { machine in
      machine.files.addBootFile(
        name: Array("notes".utf8).span, start: PhysicalAddress(0), byteCount: 4)
      let pieces: [(UInt64, UInt64)] = [(Self.here, 3), (Self.here + 100, 5000)]
      let zero = try machine.open("/dev/zero", .readWrite)
      #expect(machine.store(pattern(6000), at: Self.here))
      #expect(try machine.vector(zero, pieces, writes: false) == 5003)
      #expect(machine.load(5, at: Self.here) == [0, 0, 0] + pattern(2, from: 3))
      #expect(try machine.vector(zero, pieces, writes: true) == 5003)
      let program = try machine.open("/bin/notes", .readOnly)
      #expect(try machine.vector(program, pieces, writes: false) == 4)
      #expect(try machine.seek(program, 0, .current) == 4)
      let console = try machine.open("/dev/console", .readWrite)
      machine.type(Array("hello".utf8))
      #expect(try machine.vector(console, pieces, writes: false) == 5)
      #expect(machine.load(2, at: Self.here + 100) == Array("lo".utf8))
      #expect(machine.store(Array("hel".utf8), at: Self.here))
      #expect(try machine.vector(console, [(Self.here, 3), (Self.here + 100, 2)], writes: true) == 5)
      let random = try machine.open("/dev/random", .readOnly)
      #expect(try machine.vector(random, pieces, writes: false) == 5003)
      #expect(error { () throws(Errno) in _ = try machine.vector(console, pieces, writes: true, at: 0) } == .espipe)
    }
  }

  @Test func `in a pipe pieces are one write`() throws {
    try withMachine { machine in
      let (first, second) = try machine.pipe()
      #expect(machine.store(pattern(20_000), at: Self.here))
      // No piece is large enough to be handed over.
      #expect(
        try machine.vector(
          second, [(Self.here, 4096), (Self.here + 4096, 4096), (Self.here + 8192, 4096)], writes: true) == 12_288)
      let parts: [(UInt64, UInt64)] = [(Self.here + 0x10000, 1), (Self.here + 0x11000, 20_000)]
      #expect(try machine.vector(first, parts, writes: false) == 12_288)
      #expect(machine.load(12_287, at: Self.here + 0x11000) == pattern(12_287, from: 1))
      #expect(
        error { () throws(Errno) in _ = try machine.vector(second, [(Self.here, 100), (8, 10)], writes: true) }
          == .efault)
      #expect(try machine.bytesToRead(first) == 0)
      #expect(try machine.vector(second, [(Self.here, 100), (Self.here, 100)], writes: true) == 200)
      #expect(
        error { () throws(Errno) in _ = try machine.vector(first, [(Self.here, 100), (8, 10)], writes: false) }
          == .efault)
      #expect(try machine.bytesToRead(first) == 200)
    }
  }
}
