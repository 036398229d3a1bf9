// kevent(2) of several threads and processes: what becomes of a queue that knows threads apart when they wait, are interrupted,
// fork and end (spec kqueue.md sections 4, 10 and 13).

import ABI
import Primitives
import Processes
import Simulation
import SystemCalls
import Testing

@testable import Files
@testable import Memory

@Suite("Calls on queues of events")
struct QueueCallTests {
  private static let changes = TestKernel.data + 0x1000
  private static let events = TestKernel.data + 0x1800
  private static let time = TestKernel.data + 0x700
  private static let word = TestKernel.data + 0x780
  private static let user: UInt64 = 0xfff5
  private static let multi: UInt64 = 0x8004_6659
  private static let tune: UInt64 = 0x8004_665a
  private static let print: UInt64 = 0x8008_665b

  private func queue(_ kernel: TestKernel, policy: UInt64? = nil) -> UInt64 {
    let descriptor = kernel.call(.kqueue)?.value ?? 99
    if let policy { #expect(control(kernel, descriptor, Self.multi, policy) == CallResult(value: 0, failed: false)) }
    return descriptor
  }

  private func control(_ kernel: TestKernel, _ descriptor: UInt64, _ request: UInt64, _ word: UInt64) -> CallResult? {
    kernel.storeWord(word, at: Self.word)
    return kernel.call(.ioctl, descriptor, request, Self.word)
  }

  /// One change of a note of the filter USER.
  private func change(
    _ kernel: TestKernel, _ queue: UInt64, _ identifier: UInt64, _ flags: UInt64, trigger: Bool = false
  ) -> CallResult? {
    store(kernel, identifier, Self.user | flags << 16 | (trigger ? 0x0100_0000 << 32 : 0))
    return kernel.call(.kevent, queue, Self.changes, 1, 0, 0, 0)
  }

  private func store(_ kernel: TestKernel, _ identifier: UInt64, _ kind: UInt64) {
    let words: [UInt64] = [identifier, kind, 0, 0, 0, 0, 0, 0]
    for index in 0..<8 { kernel.storeWord(words[index], at: Self.changes + UInt64(8 * index)) }
  }

  private func collect(_ kernel: TestKernel, _ queue: UInt64, _ count: UInt64 = 8) -> CallResult? {
    kernel.storeWord(0, at: Self.time)
    kernel.storeWord(0, at: Self.time + 8)
    return kernel.call(.kevent, queue, 0, 0, Self.events, count, Self.time)
  }

  @Test func `each thread is told its own, and one that only changes is told nothing`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let queue = queue(kernel, policy: 0)
    let second = try kernel.newThread()
    let third = try kernel.newThread()
    #expect(change(kernel, queue, 1, 0x21)?.value == 0)
    // The third makes changes, and no worker of it.
    kernel.run(third)
    #expect(change(kernel, queue, 2, 0x21)?.value == 0)
    kernel.sleep(second, .kevent, queue, 0, 0, Self.events, 8, 0)
    #expect(kernel.run(third))
    for _ in 0..<20 {
      #expect(change(kernel, queue, 1, 0, trigger: true)?.value == 0)
      #expect(kernel.run(second))
      #expect(kernel.result(of: second) == CallResult(value: 1, failed: false))
      kernel.sleep(second, .kevent, queue, 0, 0, Self.events, 8, 0)
      #expect(kernel.run(third))
      kernel.expectSound()
    }
    #expect(kernel.run(first))
    kernel.exit()
  }

  @Test func `what an ended thread had is told to another`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let queue = queue(kernel, policy: 0)
    let second = try kernel.newThread()
    for number in 1...60 as ClosedRange<UInt64> { #expect(change(kernel, queue, number, 0x21)?.value == 0) }
    kernel.sleep(second, .kevent, queue, 0, 0, Self.events, 8, 0)
    #expect(kernel.run(first))
    for number in 1...60 as ClosedRange<UInt64> {
      #expect(change(kernel, queue, number, 0, trigger: true)?.value == 0)
    }
    #expect(kernel.run(second))
    kernel.call(.thrExit, 0)
    #expect(kernel.run(first))
    kernel.expectSound()
    // It ends in its own turns.
    for _ in 0..<10 { kernel.call(.schedYield) }
    kernel.expectSound()
    var found = 0
    while let count = collect(kernel, queue)?.integer, count > 0 { found += count }
    // Eight had been told.
    #expect(found == 52)
    kernel.expectSound()
    kernel.exit()
  }

  @Test func `a signal ends the wait, and nothing is lost`() throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let queue = queue(kernel, policy: 0x204)
    #expect(change(kernel, queue, 1, 0x21)?.value == 0)
    let second = try kernel.newThread()
    // SIGUSR1 is caught.
    for offset in stride(from: UInt64(0), to: 32, by: 8) { kernel.storeWord(0, at: Self.word + offset) }
    kernel.storeWord(0x40_0100, at: Self.word)
    #expect(kernel.call(.sigaction, 30, Self.word, 0)?.value == 0)
    kernel.sleep(second, .kevent, queue, 0, 0, Self.events, 8, 0)
    #expect(kernel.run(first))
    #expect(kernel.call(.thrKill, UInt64(second.identifier), 30)?.value == 0)
    #expect(change(kernel, queue, 1, 0, trigger: true)?.value == 0)
    kernel.expectSound()
    #expect(kernel.run(second))
    #expect(collect(kernel, queue)?.integer == 1)
    kernel.expectSound()
    kernel.exit()
  }

  @Test(arguments: [0x204, 0x0101_0204] as [UInt64])
  func `a descriptor that is closed wakes nobody, and a time limit is kept`(_ policy: UInt64) throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let queue = queue(kernel, policy: policy)
    let (second, third) = (try kernel.newThread(), try kernel.newThread())
    #expect(change(kernel, queue, 1, 0x1)?.value == 0)
    kernel.storeWord(0, at: Self.time)
    kernel.storeWord(2_000_000, at: Self.time + 8)
    kernel.sleep(second, .kevent, queue, 0, 0, Self.events, 8, Self.time)
    kernel.sleep(third, .kevent, queue, 0, 0, Self.events, 8, 0)
    #expect(kernel.run(first))
    #expect(kernel.call(.close, queue)?.value == 0)
    #expect(collect(kernel, queue)?.errno == .ebadf)
    kernel.expectSound()
    kernel.hardware.clock.advance(by: 1_000_000)
    kernel.tick()
    #expect(kernel.run(first))
    #expect(!kernel.run(second) || kernel.result(of: second) != CallResult(value: 0, failed: false))
    kernel.hardware.clock.advance(by: 1_000_001)
    kernel.tick()
    #expect(kernel.run(second))
    #expect(kernel.result(of: second) == CallResult(value: 0, failed: false))
    kernel.expectSound()
    kernel.exit()
  }

  @Test func `a child has no queue, and its threads none of the parent's`() throws {
    let kernel = try TestKernel()
    let queue = queue(kernel, policy: 0x201)
    #expect(change(kernel, queue, 1, 0x1)?.value == 0)
    #expect(change(kernel, queue, 1, 0, trigger: true)?.value == 0)
    #expect(collect(kernel, queue)?.integer == 1)
    let child = kernel.fork()
    _ = kernel.wait(child) {
      #expect(collect(kernel, queue)?.errno == .ebadf)
      kernel.exit()
    }
    kernel.expectSound()
    #expect(collect(kernel, queue)?.integer == 1)
    kernel.exit()
  }

  @Test func `a closed queue of many notes goes in the turns of who closed it`() throws {
    let kernel = try TestKernel()
    let queue = queue(kernel)
    for number in 0..<400 as Range<UInt64> { #expect(change(kernel, queue, number, 0x1)?.value == 0) }
    #expect(kernel.call(.close, queue) == CallResult(value: 0, failed: false))
    #expect(kernel.kernel.inspectedFiles.watchers.noteCount == 0)
    kernel.expectSound()
    kernel.exit()
  }

  @Test func `FKQMULTI, FKQTUNE and FKQMPRNT by their numbers`() throws {
    let kernel = try TestKernel()
    let queue = queue(kernel, policy: 0x0101_0202)
    #expect(control(kernel, queue, Self.multi, 0)?.errno == .einval)
    #expect(control(kernel, queue, Self.tune, 2 | 101 << 16)?.errno == .einval)
    #expect(control(kernel, queue, Self.tune, 2 | 40 << 16)?.value == 0)
    #expect(control(kernel, queue, Self.tune, 1 | 1000 << 16)?.value == 0)
    for number in 1...3 as ClosedRange<UInt64> {
      #expect(change(kernel, queue, number, number == 1 ? 0x421 : 0x21)?.value == 0)
      #expect(change(kernel, queue, number, 0, trigger: true)?.value == 0)
    }
    #expect(collect(kernel, queue, 2)?.integer == 2)
    let text = TestKernel.data + 0x2000
    #expect(control(kernel, queue, Self.print, text) == CallResult(value: 0, failed: false))
    let found = kernel.loadString(text)
    for part in [
      "<kq_dump ptr=\"", " sched=\"2\" sargs=\"2\" feat=\"1\" fargs=\"1\" rtshare=\"40\" tfreq=\"1000\"",
      "<kqdom_dump>",
      " num_kevq=\"1\"/>\n</kqdom_dump>", "<kevq_dump>\n<kevq ptr=\"",
      " knotes=\"1\" rt_knotes=\"0\" avg_rtlimit=\"1\"",
      " total_syscall=\"1\" total_events=\"2\"", " total_realtime=\"1\" total_sched=\"3\"", " last_nkev=\"2\"/>\n",
    ] {
      #expect(found.contains(part), "\(part) in \(found)")
    }
    #expect(found.hasSuffix("</kevq_dump>\n</kq_dump>\n"))
    // A place that cannot be written to is no error.
    #expect(control(kernel, queue, Self.print, 8) == CallResult(value: 0, failed: false))
    kernel.expectSound()
    kernel.exit()
  }

  // MARK: Mistakes planted on purpose: the inspection has to notice each of them

  @Test func `a note that survives its file is noticed`() throws {
    let kernel = try TestKernel()
    let (outer, inner) = (queue(kernel), queue(kernel))
    store(kernel, inner, 0xffff | 1 << 16)
    #expect(kernel.call(.kevent, outer, Self.changes, 1, 0, 0, 0)?.value == 0)
    kernel.expectSound()
    #expect(try messageWithout(inner, kernel) == "a note that has survived its descriptor")
    kernel.expectSound()
    kernel.exit()
  }

  /// What the inspection says when a descriptor goes as if the queues were not told; it is there again afterwards.
  private func messageWithout(_ descriptor: UInt64, _ kernel: TestKernel) throws -> String? {
    let table = try #require(kernel.kernel.inspectedProcesses.process(1)?.files)
    let queues = table.firstQueue
    table.firstQueue = BackReference()
    let file = try #require(table.clear(Int32(descriptor)))
    table.firstQueue = queues
    let violation = kernel.kernel.inspect()
    table.fill(Int32(descriptor), file, closeOnExec: false)
    return violation?.message
  }

  @Test(arguments: [nil, 0, 0x0101_0204] as [UInt64?]) func `a forgotten wake-up is noticed`(_ policy: UInt64?) throws {
    let kernel = try TestKernel()
    let first = try #require(kernel.current)
    let queue = queue(kernel, policy: policy)
    #expect(change(kernel, queue, 1, 0x21)?.value == 0)
    let second = try kernel.newThread()
    kernel.sleep(second, .kevent, queue, 0, 0, Self.events, 8, 0)
    #expect(kernel.run(first))
    kernel.expectSound()
    let (services, silent) = (kernel.hardware.services, SilentWaker())
    let waker = services.waker
    services.waker = BackReference(silent)
    #expect(change(kernel, queue, 1, 0, trigger: true)?.value == 0)
    services.waker = waker
    #expect(kernel.kernel.inspect()?.message == "a thread sleeps that is to be told")
    withExtendedLifetime(silent) {}
    kernel.exit()
  }
}

/// Says nothing to anyone.
private final class SilentWaker: Waker {}
