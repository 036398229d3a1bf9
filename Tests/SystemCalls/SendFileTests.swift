// sendfile(2) (spec sockets.md section 9.1): what is sent, how much, and what is refused in which order.

import ABI
import Processes
import Simulation
import SystemCalls
import Testing

@Suite struct SendFileTests {
  private static let sent = TestKernel.data + 0x600
  private static let ends = TestKernel.data + 0x620
  private static let pieces = TestKernel.data + 0x640
  private static let texts = TestKernel.data + 0x680
  private static let window: UInt64 = 0x1_0000_0000

  /// An object of so many bytes with a pattern in it.
  private func object(_ kernel: TestKernel, _ byteCount: UInt64) -> UInt64 {
    let file = kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0o600, 0, 0)?.value ?? 99
    #expect(kernel.call(.ftruncate, file, byteCount)?.value == 0)
    #expect(
      kernel.call(.mmap, Self.window, 65_536, .readWrite, .fixedSharedFile, file, 0)?.value == Self.window)
    kernel.store((0..<Int(byteCount)).map(byte), at: Self.window)
    return file
  }

  private func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index &* 7 &+ index >> 8) }

  private func sendFile(
    _ kernel: TestKernel, _ file: UInt64, _ socket: UInt64, _ offset: UInt64 = 0, _ byteCount: UInt64 = 0,
    ends: UInt64 = 0, flags: UInt64 = 0
  ) -> CallResult? {
    kernel.storeWord(0x7777, at: Self.sent)
    kernel.storeWord(flags, at: kernel.register(56) + 8)
    return kernel.call(.sendfile, file, socket, offset, byteCount, ends, Self.sent)
  }

  private func sent(_ kernel: TestKernel) -> UInt64 { kernel.loadWord(Self.sent) }

  /// Headers "ab" and "c", trailers "yz".
  private func storeEnds(_ kernel: TestKernel) -> UInt64 {
    kernel.store(Array("abcyz".utf8), at: Self.texts)
    for (index, word) in [Self.texts, 2, Self.texts + 2, 1, Self.texts + 3, 2].enumerated() {
      kernel.storeWord(word, at: Self.pieces + UInt64(8 * index))
    }
    for (index, word) in [Self.pieces, 2, Self.pieces + 32, 1].enumerated() {
      kernel.storeWord(word, at: Self.ends + UInt64(8 * index))
    }
    return Self.ends
  }

  private func received(_ kernel: TestKernel, _ socket: UInt64, _ room: UInt64 = 30_000) -> [UInt8] {
    guard let result = kernel.call(.recvfrom, socket, Self.window + 0x10_0000, room, 0x80, 0, 0), !result.failed else {
      return []
    }
    return kernel.load(Self.window + 0x10_0000, result.integer) ?? []
  }

  private func mapRoom(_ kernel: TestKernel) {
    kernel.call(.mmap, Self.window + 0x10_0000, 65_536, .readWrite, .fixedPrivateMemory, UInt64.max, 0)
  }

  @Test func `bytes of an object, between headers and trailers`() throws {
    // shows: shm 3.30.sendfile
    let kernel = try TestKernel()
    mapRoom(kernel)
    let file = object(kernel, 6000)
    let (first, second) = kernel.socketPair(.stream)
    #expect(sendFile(kernel, file, first)?.value == 0)
    #expect(sent(kernel) == 6000)
    #expect(received(kernel, second) == (0..<6000).map(byte))
    #expect(sendFile(kernel, file, first, 4090, 20)?.value == 0)
    #expect(sent(kernel) == 20)
    #expect(received(kernel, second) == (4090..<4110).map(byte))
    #expect(sendFile(kernel, file, first, 5990, 100, ends: storeEnds(kernel))?.value == 0)
    #expect(sent(kernel) == 15)
    #expect(received(kernel, second) == Array("abc".utf8) + (5990..<6000).map(byte) + Array("yz".utf8))
    // It leaves the mark of how much room there must be at half of the buffer.
    #expect(kernel.option(first, 0x1003) == 4096)
    // The offset of the file is not used, nor moved.
    #expect(kernel.call(.lseek, file, 0, 1)?.value == 0)
  }

  @Test func `behind the end there are trailers only`() throws {
    let kernel = try TestKernel()
    mapRoom(kernel)
    let file = object(kernel, 100)
    let (first, second) = kernel.socketPair(.stream)
    for (offset, count) in [(100, 0), (5000, 7), (0, 1 << 63)] as [(UInt64, UInt64)] {
      #expect(sendFile(kernel, file, first, offset, count, ends: storeEnds(kernel))?.value == 0)
      #expect(sent(kernel) == 2)
      #expect(received(kernel, second) == Array("yz".utf8))
    }
    // Not even the connection is looked at.
    let alone = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    #expect(sendFile(kernel, file, alone, 100)?.value == 0 && sent(kernel) == 0)
    #expect(sendFile(kernel, file, alone, 0)?.errno == .enotconn && sent(kernel) == 0)
  }

  @Test func `what does not fit is told with the error, or waited for`() throws {
    let kernel = try TestKernel()
    mapRoom(kernel)
    let file = object(kernel, 20_000)
    let (first, second) = kernel.socketPair(.stream)
    #expect(sendFile(kernel, file, first)?.errno == .eagain)
    #expect(sent(kernel) == 8192)
    #expect(sendFile(kernel, file, first, 8192)?.errno == .eagain && sent(kernel) == 0)
    #expect(received(kernel, second) == (0..<8192).map(byte))
    // Headers count for the first piece.
    #expect(sendFile(kernel, file, first, 0, 9000, ends: storeEnds(kernel))?.errno == .eagain && sent(kernel) == 8192)
    #expect(received(kernel, second) == Array("abc".utf8) + (0..<8189).map(byte))
    // A blocking one sends it piece by piece.
    #expect(kernel.call(.fcntl, first, 4, 0)?.value == 0)
    let child = kernel.fork()
    _ = sendFile(kernel, file, first)
    #expect(kernel.identifier == child)
    var bytes: [UInt8] = []
    for _ in 0..<20 where bytes.count < 20_000 {
      bytes += received(kernel, second)
      kernel.call(.schedYield)
      if kernel.identifier == 1 { break }
    }
    kernel.run(child)
    while bytes.count < 20_000 {
      let more = received(kernel, second)
      if more.isEmpty { break }
      bytes += more
    }
    #expect(bytes == (0..<20_000).map(byte))
    kernel.exit()
    kernel.run(1)
    #expect(sent(kernel) == 20_000)
  }

  @Test func `errors in their order`() throws {
    let kernel = try TestKernel()
    let file = object(kernel, 100)
    let (first, second) = kernel.socketPair(.stream)
    let minusOne = UInt64.max
    // Up to here nothing is stored.
    #expect(sendFile(kernel, 99, 98, minusOne, ends: 1)?.errno == .einval && sent(kernel) == 0x7777)
    #expect(sendFile(kernel, 99, 98, ends: 1)?.errno == .efault && sent(kernel) == 0x7777)
    let ends = storeEnds(kernel)
    kernel.storeWord(1025, at: Self.ends + 8)
    #expect(sendFile(kernel, 99, 98, ends: ends)?.errno == .einval && sent(kernel) == 0x7777)
    _ = storeEnds(kernel)
    kernel.storeWord(1, at: Self.ends)
    #expect(sendFile(kernel, 99, 98, ends: ends)?.errno == .efault && sent(kernel) == 0x7777)
    _ = storeEnds(kernel)
    kernel.storeWord(UInt64(Int64.max), at: Self.pieces + 8)
    #expect(sendFile(kernel, 99, 98, ends: ends)?.errno == .einval && sent(kernel) == 0x7777)
    // A null vector has no count.
    _ = storeEnds(kernel)
    kernel.storeWord(0, at: Self.ends)
    kernel.storeWord(5000, at: Self.ends + 8)
    #expect(sendFile(kernel, 99, 98, ends: ends)?.errno == .ebadf && sent(kernel) == 0)
    #expect(sendFile(kernel, first, 98)?.errno == .einval && sent(kernel) == 0)
    #expect(sendFile(kernel, 0, 98)?.errno == .einval)
    #expect(sendFile(kernel, file, 98)?.errno == .ebadf)
    #expect(sendFile(kernel, file, 0)?.errno == .enotsock)
    #expect(sendFile(kernel, file, kernel.socketPair(.datagram).0)?.errno == .einval)
    // The count need not be storable, nor wanted.
    kernel.storeWord(0, at: kernel.register(56) + 8)
    #expect(kernel.call(.sendfile, file, first, 0, 3, 0, 8)?.value == 0)
    #expect(kernel.call(.sendfile, file, first, 0, 3, 0, 0)?.value == 0)
    // A program of /bin, and what is read-only or not readable.
    let program = try #require(kernel.call(.open, kernel.string("/bin/prog"), 0)?.value)
    #expect(sendFile(kernel, program, first, 0, 16)?.value == 0 && sent(kernel) == 16)
    let null = try #require(kernel.call(.open, kernel.string("/dev/null"), 1)?.value)
    #expect(sendFile(kernel, null, first)?.errno == .ebadf)
    // A broken connection raises no signal, but in the trailers.
    kernel.call(.close, second)
    #expect(sendFile(kernel, file, first, ends: storeEnds(kernel))?.errno == .epipe && sent(kernel) == 0)
    #expect(kernel.call(.getpid)?.value == 1)
  }

  @Test func `a faulting header sends nothing`() throws {
    let kernel = try TestKernel()
    let file = object(kernel, 100)
    let (first, second) = kernel.socketPair(.stream)
    let ends = storeEnds(kernel)
    kernel.storeWord(8, at: Self.pieces)
    #expect(sendFile(kernel, file, first, ends: ends)?.errno == .efault && sent(kernel) == 0)
    #expect(received(kernel, second) == [])
  }

  @Test func `an object that is cut shorter does not take back what was sent`() throws {
    let kernel = try TestKernel()
    mapRoom(kernel)
    let file = object(kernel, 5000)
    let (first, second) = kernel.socketPair(.stream)
    #expect(sendFile(kernel, file, first)?.value == 0)
    #expect(kernel.call(.ftruncate, file, 0)?.value == 0)
    #expect(received(kernel, second) == (0..<5000).map(byte))
  }

  @Test func `SF_SYNC waits for the receiver, and a signal ends the wait`() throws {
    let kernel = try TestKernel()
    mapRoom(kernel)
    let file = object(kernel, 100)
    let (first, second) = kernel.socketPair(.stream)
    let child = kernel.fork()
    _ = sendFile(kernel, file, first, flags: 4)
    #expect(kernel.identifier == child)
    kernel.call(.schedYield)
    #expect(kernel.identifier == child)
    #expect(received(kernel, second).count == 100)
    kernel.exit()
    #expect(kernel.identifier == 1)
    #expect(sent(kernel) == 100)
  }
}
