// pipe2(2) and its older form, reads and writes that processes sleep in, SIGPIPE, and the calls of several pieces.

import ABI
import Primitives
import Processes
import Simulation
import SystemCalls
import Testing

@Suite("Calls on pipes")
struct PipeCallTests {
  private static let data = TestKernel.data
  private static let ends = TestKernel.data + 0x700
  private static let buffer = TestKernel.data + 4096

  /// Makes a pipe and gives its descriptors.
  private func pipe(_ kernel: TestKernel, flags: UInt64 = 0) -> (UInt64, UInt64) {
    #expect(kernel.call(.pipe2, Self.ends, flags)?.value == 0)
    let word = kernel.loadWord(Self.ends)
    return (word & 0xFFFF_FFFF, word >> 32)
  }

  @Test func `pipe2 stores two descriptors, the older call has them in registers`() throws {
    let kernel = try TestKernel()
    #expect(pipe(kernel, flags: 0x10_0004) == (3, 4))
    #expect(kernel.call(.fcntl, 3, 1)?.value == 1)
    #expect(kernel.call(.fcntl, 4, 3)?.value == 6)
    #expect(kernel.call(.pipe)?.value == 5)
    #expect(kernel.register(24) == 6)
    #expect(kernel.call(.fcntl, 6, 3)?.value == 2)
    #expect(kernel.call(.fcntl, 6, 1)?.value == 0)
  }

  @Test func `errors of pipe2, in their order, leave nothing open`() throws {
    let kernel = try TestKernel()
    #expect(kernel.call(.pipe2, 8, 1)?.errno == .einval)
    #expect(kernel.call(.pipe2, 8, 0x20_0000)?.errno == .einval)
    #expect(kernel.call(.pipe2, 8, 0)?.errno == .efault)
    let page = kernel.call(.mmap, 0x7000_0000, 4096, 3, 0x1010, UInt64.max, 0)?.value ?? 0
    #expect(kernel.call(.pipe2, page + 4092, 0)?.errno == .efault)
    #expect(kernel.setLimit(8, 4)?.value == 0)
    #expect(kernel.call(.pipe2, 8, 0)?.errno == .emfile)
    #expect(kernel.call(.pipe)?.errno == .emfile)
    #expect(kernel.setLimit(8, 100)?.value == 0)
    // RLIMIT_PIPEBUF counts for everybody; 0 is no limit.
    for (limit, error) in [(8191, Errno.enomem), (0, nil), (8192, nil)] as [(UInt64, Errno?)] {
      #expect(kernel.setLimit(15, limit)?.value == 0)
      #expect(kernel.call(.pipe2, Self.ends, 0)?.errno == error)
      if error == nil {
        kernel.call(.close, 3)
        kernel.call(.close, 4)
      }
    }
    #expect(kernel.call(.dup, 0)?.value == 3)
  }

  @Test func `a reader sleeps until another process writes`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    kernel.store([1, 2, 3], at: Self.buffer)
    // The parent sleeps, and the child runs.
    kernel.call(.read, first, Self.buffer, 100)
    #expect(kernel.identifier == child)
    kernel.store([7, 8, 9, 10], at: Self.buffer)
    #expect(kernel.call(.write, second, Self.buffer, 4)?.integer == 4)
    kernel.exit()
    #expect(kernel.identifier == 1)
    #expect(kernel.load(Self.buffer, 4) == [7, 8, 9, 10])
    // The end of the file comes when the last descriptor of the other end is closed.
    kernel.call(.close, second)
    #expect(kernel.call(.read, first, Self.buffer, 100)?.integer == 0)
  }

  @Test func `a reader sleeps until the last writer ends`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    kernel.call(.close, second)
    kernel.call(.read, first, Self.buffer, 100)
    #expect(kernel.identifier == child)
    kernel.exit()
    #expect(kernel.result == CallResult(value: 0, failed: false))
    #expect(kernel.identifier == 1)
  }

  @Test func `a large write hands its bytes to a reader piece by piece`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    kernel.call(.write, second, Self.buffer, 20_000)
    #expect(kernel.identifier == child)
    #expect(kernel.call(.read, first, Self.buffer, 12_000)?.integer == 12_000)
    #expect(kernel.call(.read, first, Self.buffer, 12_000)?.integer == 8000)
    kernel.exit()
    #expect(kernel.result == CallResult(value: 20_000, failed: false))
  }

  @Test func `a write into a broken pipe ends its process, or fails where SIGPIPE is ignored`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    kernel.call(.close, first)
    let (ended, status) = kernel.wait(child) {
      kernel.call(.close, first)
      kernel.call(.write, second, Self.buffer, 0)
    }
    #expect(ended == child && status.rawValue & 0x7F == 13)
    kernel.storeWord(1, at: Self.data + 0x900)
    for offset in [8, 16, 24] as [UInt64] { kernel.storeWord(0, at: Self.data + 0x900 + offset) }
    #expect(kernel.call(.sigaction, 13, Self.data + 0x900, 0)?.value == 0)
    #expect(kernel.call(.write, second, Self.buffer, 1)?.errno == .epipe)
    kernel.storeWord(Self.buffer, at: Self.data + 0x900)
    kernel.storeWord(5, at: Self.data + 0x908)
    #expect(kernel.call(.writev, second, Self.data + 0x900, 1)?.errno == .epipe)
    #expect(kernel.call(.pwrite, second, Self.buffer, 1, 0)?.errno == .espipe)
  }

  @Test func `a killed sleeper passes its wake-up on`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    var children: [Int] = []
    for _ in 0..<2 {
      let child = kernel.fork()
      children.append(child)
      kernel.run(child)
      kernel.call(.read, first, Self.buffer, 10)
    }
    kernel.run(1)
    // Both sleep. The first is woken by the write and killed before it runs.
    #expect(kernel.call(.write, second, Self.buffer, 5)?.integer == 5)
    kernel.call(.kill, UInt64(children[0]), 9)
    var last = kernel.result
    for _ in 0..<200 where kernel.context != nil && kernel.identifier != children[1] {
      kernel.call(.schedYield)
      last = kernel.result
    }
    #expect(kernel.identifier == children[1])
    _ = last
    #expect(kernel.call(.fcntl, first, 3)?.value == 2)
  }

  /// What a caught signal does to a call that a child sleeps in: the result that the handler returns to.
  private func interrupted(flags: UInt64, _ body: (TestKernel, UInt64, UInt64) -> Void) throws -> (CallResult, UInt64) {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    for (offset, word) in [(0, 0x20_0000), (8, flags), (16, 0), (24, 0)] as [(UInt64, UInt64)] {
      kernel.storeWord(word, at: Self.data + 0x900 + offset)
    }
    #expect(kernel.call(.sigaction, 30, Self.data + 0x900, 0)?.value == 0)
    let child = kernel.fork()
    kernel.run(child)
    body(kernel, first, second)
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.kill, UInt64(child), 30)?.value == 0)
    // The handler is entered in the child's next turn.
    let parent = kernel.context
    for _ in 0..<100 where kernel.context == parent { kernel.call(.schedYield) }
    #expect(kernel.register(40) == 30)
    kernel.call(.sigreturn, kernel.register(24))
    return (kernel.result, kernel.register(128))
  }

  @Test func `a caught signal ends a sleep with EINTR, or has the call begin anew, or shows what was written`() throws {
    let (failed, after) = try interrupted(flags: 0) { kernel, first, _ in kernel.call(.read, first, Self.buffer, 1) }
    #expect(failed.errno == .eintr)
    let (begun, before) = try interrupted(flags: 2) { kernel, first, _ in kernel.call(.read, first, Self.buffer, 1) }
    #expect(begun == CallResult(value: 3, failed: false) && before == after - 2)
    let (written, _) = try interrupted(flags: 2) { kernel, _, second in kernel.call(.write, second, Self.buffer, 9000) }
    #expect(written == CallResult(value: 9000, failed: false))
    let (full, _) = try interrupted(flags: 0) { kernel, _, second in
      for _ in 0..<16 { kernel.call(.write, second, Self.buffer, 4096) }
      kernel.call(.write, second, Self.buffer, 1)
    }
    #expect(full.errno == .eintr)
  }

  @Test func `a stop in the middle of a piece acts when the write would sleep`() throws {
    let kernel = try TestKernel(unitsPerTurn: 1)
    let (first, second) = pipe(kernel)
    let memory = kernel.call(.mmap, 0, 65536, 3, 0x1000, UInt64.max, 0)?.value ?? 0
    kernel.store([UInt8](repeating: 5, count: 40_000), at: memory)
    let child = kernel.fork()
    kernel.run(child)
    // Cut after each page.
    kernel.call(.write, second, memory, 40_000)
    #expect(kernel.identifier == 1)
    let thread = try #require(kernel.thread(of: Int32(child)))
    #expect(thread.continuation.outlastsStop)
    #expect(kernel.call(.kill, UInt64(child), 17)?.value == 0)
    kernel.call(.wait4, UInt64(child), TestKernel.data + 0x800, 2, 0)
    for _ in 0..<50 where kernel.context == nil { kernel.tick() }
    #expect(kernel.result.integer == child)
    #expect(kernel.call(.read, first, memory, 65_536)?.integer == 40_000)
    #expect(kernel.call(.kill, UInt64(child), 9)?.value == 0)
  }

  @Test func `ioctl and fcntl remember whom to signal`() throws {
    let kernel = try TestKernel()
    let (first, _) = pipe(kernel)
    #expect(kernel.call(.fcntl, first, 5)?.value == 0)
    #expect(kernel.call(.fcntl, first, 6, 1)?.value == 0)
    #expect(kernel.call(.fcntl, first, 5)?.value == 1)
    #expect(kernel.call(.fcntl, first, 6, 4711)?.errno == .esrch)
    #expect(kernel.call(.fcntl, first, 6, UInt64(bitPattern: -4711))?.errno == .esrch)
    #expect(kernel.call(.fcntl, first, 6, UInt64(bitPattern: -1))?.value == 0)
    kernel.storeWord(0, at: Self.buffer)
    #expect(kernel.call(.ioctl, first, 0x4004_667B, Self.buffer)?.value == 0)
    #expect(kernel.load(Self.buffer, 4) == [255, 255, 255, 255])
    kernel.storeWord(4711, at: Self.buffer)
    #expect(kernel.call(.ioctl, first, 0x8004_667C, Self.buffer)?.errno == .esrch)
    #expect(kernel.call(.ioctl, first, 0x4004_667F, Self.buffer)?.value == 0)
    #expect(kernel.load(Self.buffer, 4) == [0, 0, 0, 0])
  }

  @Test func `vectored calls`() throws {
    let kernel = try TestKernel()
    let object = kernel.call(.shmOpen2, 1, 2, 0, 0, 0)?.value ?? 0
    #expect(kernel.call(.ftruncate, object, 10_000)?.value == 0)
    let vector = Self.data + 0x900
    for (index, word) in [Self.buffer, 4, Self.buffer + 100, 5].enumerated() {
      kernel.storeWord(word, at: vector + UInt64(8 * index))
    }
    kernel.store(Array("abcd".utf8), at: Self.buffer)
    kernel.store(Array("efghi".utf8), at: Self.buffer + 100)
    #expect(kernel.call(.writev, object, vector, 2)?.integer == 9)
    #expect(kernel.call(.pwritev, object, vector, 2, 9996)?.integer == 4)
    // Bits above an int do not count.
    #expect(kernel.call(.preadv, object, vector, 0x1_0000_0002, 4)?.integer == 9)
    #expect(kernel.load(Self.buffer, 4) == Array("efgh".utf8))
    #expect(kernel.load(Self.buffer + 100, 5) == Array("i".utf8) + [0, 0, 0, 0])
    #expect(kernel.call(.readv, object, vector, UInt64.max)?.errno == .einval)
    #expect(kernel.call(.readv, object, vector, 0)?.integer == 0)
    #expect(kernel.call(.readv, 99, vector, 0)?.errno == .ebadf)
    #expect(kernel.call(.preadv, object, vector, 2, UInt64(bitPattern: -1))?.errno == .einval)
    #expect(kernel.call(.writev, object, 8, 1025)?.errno == .einval)
    #expect(kernel.call(.writev, object, 8, 1024)?.errno == .efault)
    let (first, _) = pipe(kernel)
    #expect(kernel.call(.preadv, first, vector, 0, 0)?.errno == .espipe)
  }

  @Test func `a user who makes pipes without end is refused, and others are not`() throws {
    let kernel = try TestKernel(frames: 512)
    let child = kernel.fork()
    _ = kernel.wait(child) {
      #expect(kernel.call(.setuid, 7)?.value == 0)
      var count = 0
      var last: CallResult?
      for _ in 0..<400 {
        last = kernel.call(.pipe)
        if last?.failed ?? true { break }
        count += 1
      }
      #expect(last?.errno == .enomem || last?.errno == .enfile || last?.errno == .emfile)
      #expect(count > 10)
      kernel.exit()
    }
    _ = pipe(kernel)
  }
}
