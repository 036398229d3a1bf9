// The space that all pipes share (spec sockets.md section 2.1).
import ABI
import Memory
import Primitives
import Simulation
import Testing

@testable import Files

@Suite struct PipeSpaceTests {
  /// The least that there is on any machine.
  private static let maximum = 512 << 10

  @Test func `there is a byte of it for 64 of memory, and some on any machine`() {
    #expect(PipeSpace(pageCount: 262_144).maximumByteCount == 16 << 20)
    #expect(PipeSpace(pageCount: 2000).maximumByteCount == Self.maximum)
  }

  /// Makes pipes until the space has so many bytes at least.
  private func fill(_ machine: Machine, to byteCount: Int) throws -> [(Int32, Int32)] {
    var pipes: [(Int32, Int32)] = []
    while machine.files.pipeSpace.byteCount < byteCount { pipes.append(try machine.pipe([.nonBlocking])) }
    return pipes
  }

  @Test func `a pipe takes 20480 bytes, which each end gives back when it is closed`() throws {
    try withMachine { machine in
      #expect(machine.files.pipeSpace.maximumByteCount == Self.maximum)
      let (first, second) = try machine.pipe()
      #expect(machine.files.pipeSpace.byteCount == 20_480)
      #expect(machine.system.accounting.reserved == 5 + Machine.bufferPageCount)
      try machine.table.close(first)
      #expect(machine.files.pipeSpace.byteCount == 4096)
      try machine.table.close(second)
      #expect(machine.files.pipeSpace.byteCount == 0)
      #expect(machine.caller.account.pipeByteCount == 0)
    }
  }

  @Test func `when half is used new pipes are small and nobody grows`() throws {
    try withMachine { machine in
      let pipes = try fill(machine, to: Self.maximum / 2 + 1)
      let before = machine.files.pipeSpace.byteCount
      _ = try machine.pipe()
      #expect(machine.files.pipeSpace.byteCount == before + 8192)
      #expect(try machine.write(pipes[0].1, pattern(30_000)) == 16_384)
    }
  }

  @Test func `when three quarters are used reads and writes make buffers small whose bytes fit`() throws {
    try withMachine(frameCount: 2048, swapBlocks: 200) { machine in
      let pipes = try fill(machine, to: Self.maximum / 2)
      let (first, second) = pipes[0]
      // The bytes lie across two pages of the ring, and across its end.
      for (skipped, kept) in [(2000, 4000), (15_000, 4000)] {
        #expect(try machine.write(second, pattern(skipped)) == UInt64(skipped))
        #expect(try machine.write(second, pattern(1, from: 77)) == 1)
        _ = try machine.read(first, skipped)
        #expect(try machine.write(second, pattern(kept)) == UInt64(kept))
        #expect(try machine.end(first).byteCapacity == 16_384)
        let others = try fill(machine, to: Self.maximum / 4 * 3 + 1)
        #expect(try machine.read(first, 1) == pattern(1, from: 77))
        #expect(try machine.write(second, pattern(1, from: kept)) == 1)
        #expect(try machine.end(first).byteCapacity == 4096)
        #expect(try machine.read(first, 5000) == pattern(kept + 1))
        for (first, second) in others {
          try machine.table.close(first)
          try machine.table.close(second)
        }
        // Large again.
        #expect(try machine.write(second, pattern(16_384)) == 16_384)
        #expect(try machine.read(first, 16_384) == pattern(16_384))
      }
    }
  }

  @Test func `when it is full pipes are refused and everything is as before`() throws {
    try withMachine { machine in
      var count = 0
      while error({ () throws(Errno) in _ = try machine.pipe() }) == nil { count += 1 }
      #expect(error { () throws(Errno) in _ = try machine.pipe() } == .enomem)
      #expect(machine.files.pipeSpace.byteCount <= Self.maximum)
      #expect(machine.files.pipeSpace.byteCount > Self.maximum - 8192)
      #expect(machine.files.openFileCount == 2 * count)
      #expect(machine.files.pipeSpace.failedBufferCount > 0)
      try machine.table.close(0)
      try machine.table.close(1)
      _ = try machine.pipe()
    }
  }

  @Test func `no descriptor is left open when there are not two`() throws {
    try withMachine { machine in
      machine.table.setLimit(1)
      #expect(error { () throws(Errno) in _ = try machine.pipe() } == .emfile)
      #expect(machine.table.count == 0 && machine.files.openFileCount == 0)
      #expect(machine.files.pipeSpace.byteCount == 0)
      machine.table.setLimit(100)
      machine.files.maximumFileCount = 2
      #expect(error { () throws(Errno) in _ = try machine.pipe() } == .enfile)
      #expect(machine.table.count == 0 && machine.files.pipeSpace.byteCount == 0)
    }
  }

  @Test func `swap that may not be reserved is memory that cannot be had, and a buffer that cannot grow stays`() throws
  {
    try withMachine { machine in
      let (first, second) = try machine.pipe([.nonBlocking])
      machine.system.services.failures.fail(.swapReservation, number: 1)
      #expect(error { () throws(Errno) in _ = try machine.pipe() } == .enomem)
      machine.system.services.failures.fail(.swapReservation, number: 1)
      #expect(try machine.write(second, pattern(20_000)) == 16_384)
      #expect(machine.files.pipeSpace.failedResizeCount == 1)
      machine.system.services.failures.disarm()
      #expect(try machine.write(second, pattern(20_000, from: 16_384)) == 20_000)
      #expect(try machine.read(first, 50_000) == pattern(36_384))
    }
  }
}
