// poll(2) and select(2) across processes: who is woken by what, and what becomes of a wait in the middle (spec kqueue.md section 8).

import ABI
import Primitives
import Processes
import Simulation
import SystemCalls
import Testing

@Suite("poll and select")
struct PollTests {
  private static let entries = TestKernel.data + 4096
  private static let ends = TestKernel.data + 0x700
  private static let buffer = TestKernel.data + 0x800
  private static let forever = UInt64(UInt32.max)

  private func pipe(_ kernel: TestKernel, flags: UInt64 = 4) -> (UInt64, UInt64) {
    #expect(kernel.call(.pipe2, Self.ends, flags)?.value == 0)
    let word = kernel.loadWord(Self.ends)
    return (word & 0xFFFF_FFFF, word >> 32)
  }

  private func store(_ kernel: TestKernel, _ entries: [(descriptor: UInt64, events: UInt64)]) {
    for (index, entry) in entries.enumerated() {
      kernel.storeWord(
        entry.descriptor & 0xFFFF_FFFF | entry.events << 32 | 0x7777 << 48, at: Self.entries + UInt64(8 * index))
    }
  }

  private func found(_ kernel: TestKernel, _ index: Int = 0) -> UInt64 {
    kernel.loadWord(Self.entries + UInt64(8 * index)) >> 48
  }

  @Test func `a poller sleeps until the other end is written to`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    store(kernel, [(first, 1), (second, 1)])
    kernel.call(.poll, Self.entries, 2, Self.forever)
    #expect(kernel.identifier == child)
    #expect(kernel.call(.write, second, Self.buffer, 1)?.integer == 1)
    kernel.exit()
    #expect(kernel.result == CallResult(value: 1, failed: false))
    #expect(found(kernel) == 1 && found(kernel, 1) == 0)
  }

  @Test(arguments: [nil, 1]) func `the end of a peer ends every poll of it`(unitsPerTurn: Int?) throws {
    let kernel = try TestKernel(unitsPerTurn: unitsPerTurn)
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    kernel.call(.close, second)
    store(kernel, [(first, 0)])
    kernel.call(.poll, Self.entries, 1, Self.forever)
    #expect(kernel.identifier == child)
    kernel.exit()
    #expect(kernel.result == CallResult(value: 1, failed: false))
    #expect(found(kernel) == 0x10)
  }

  @Test func `what happens to something else wakes nobody`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    // Room is of no interest to who waits for bytes.
    store(kernel, [(first, 1)])
    kernel.call(.poll, Self.entries, 1, 1000)
    #expect(kernel.identifier == child)
    #expect(kernel.call(.write, first, Self.buffer, 1)?.integer == 1)
    #expect(kernel.call(.read, second, Self.buffer, 1)?.integer == 1)
    #expect(kernel.identifier == child)
    kernel.exit()
    #expect(kernel.isIdle)
    kernel.hardware.clock.advance(by: 1_100_000_000)
    kernel.advance()
    #expect(kernel.result == CallResult(value: 0, failed: false))
    #expect(found(kernel) == 0)
  }

  @Test func `a killed poller of many leaves nothing behind`() throws {
    let kernel = try TestKernel(unitsPerTurn: 1)
    let (first, second) = pipe(kernel)
    let child = kernel.fork()
    // The child has the processor once the parent sleeps.
    kernel.call(.wait4, UInt64(child), 0, 0, 0)
    #expect(kernel.identifier == child)
    let grandchild = kernel.fork()
    store(kernel, Array(repeating: (first, 1), count: 500))
    kernel.call(.poll, Self.entries, 500, Self.forever)
    #expect(kernel.identifier == grandchild)
    #expect(kernel.call(.kill, UInt64(child), 9)?.value == 0)
    kernel.exit()
    #expect(kernel.identifier == 1)
    #expect(kernel.call(.write, second, Self.buffer, 1)?.integer == 1)
    if let violation = kernel.kernel.inspect() { Issue.record("\(violation)") }
  }

  @Test func `the mask of ppoll is put back`() throws {
    let kernel = try TestKernel()
    kernel.storeWord(1 << 29, at: Self.buffer)
    kernel.storeWord(0, at: Self.buffer + 8)
    kernel.storeWord(0, at: Self.buffer + 16)
    kernel.storeWord(0, at: Self.buffer + 24)
    #expect(kernel.call(.ppoll, 0, 0, Self.buffer + 16, Self.buffer)?.value == 0)
    #expect(kernel.call(.sigprocmask, 1, 0, Self.buffer + 32)?.value == 0)
    #expect(kernel.loadWord(Self.buffer + 32) & 1 << 29 == 0)
  }

  @Test func `select writes whole words and nothing on an error`() throws {
    let kernel = try TestKernel()
    let (first, second) = pipe(kernel)
    let set = Self.entries
    kernel.storeWord(1 << first | 1 << second, at: set)
    kernel.storeWord(1 << first | 1 << second, at: set + 8)
    kernel.storeWord(0, at: Self.buffer)
    kernel.storeWord(0, at: Self.buffer + 8)
    #expect(kernel.call(.select, 64, set, set + 8, 0, Self.buffer)?.value == 2)
    #expect(kernel.loadWord(set) == 0)
    #expect(kernel.loadWord(set + 8) == 1 << first | 1 << second)
    kernel.storeWord(1 << 60 | 1 << first, at: set)
    #expect(kernel.call(.select, 64, set, 0, 0, Self.buffer)?.errno == .ebadf)
    #expect(kernel.loadWord(set) == 1 << 60 | 1 << first)
    #expect(kernel.call(.select, 60, set, 0, 0, Self.buffer)?.value == 0)
    #expect(kernel.loadWord(set) == 0)
  }
}
