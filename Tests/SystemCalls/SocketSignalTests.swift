// SIGIO to the owners of sockets and pipes, and who is woken by a connection (spec sockets.md sections 2, 3.5 and 6).

import ABI
import Simulation
import Testing

@testable import Processes
@testable import SystemCalls

@Suite struct SocketSignalTests {
  private static let waiting = TestKernel.data + 0x300
  private static let set = TestKernel.data + 0x320
  private static let asynchronous: UInt64 = 0x40

  /// Catches SIGIO, which is ignored otherwise, and holds it back, so that it stays pending.
  private func hold(_ kernel: TestKernel) {
    let action = TestKernel.data + 0x340
    for (index, word) in [TestKernel.data, 0, 0, 0].enumerated() {
      kernel.storeWord(word, at: action + UInt64(8 * index))
    }
    #expect(kernel.call(.sigaction, 23, action, 0)?.value == 0)
    kernel.storeWord(1 << 22, at: Self.set)
    kernel.storeWord(0, at: Self.set + 8)
    #expect(kernel.call(.sigprocmask, 1, Self.set, 0)?.value == 0)
  }

  /// Whether SIGIO is pending; then it is taken.
  private func takesSignal(_ kernel: TestKernel) -> Bool {
    kernel.storeWord(0, at: Self.waiting)
    kernel.storeWord(0, at: Self.waiting + 8)
    let result = kernel.call(.sigtimedwait, Self.set, 0, Self.waiting)
    return result?.failed == false
  }

  /// A child that is everything from here on; process 1 waits for nothing.
  private func child(_ kernel: TestKernel) -> UInt64 {
    let child = kernel.fork()
    kernel.run(child)
    hold(kernel)
    return UInt64(child)
  }

  @Test(arguments: [SocketType.stream, .datagram, .sequencedPacket])
  func `the owner of a socket is signalled when something arrives`(_ type: SocketType) throws {
    let kernel = try TestKernel()
    let process = child(kernel)
    let (first, second) = kernel.socketPair(type)
    #expect(kernel.call(.fcntl, second, 6, process)?.value == 0)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(!takesSignal(kernel))
    #expect(kernel.call(.fcntl, second, 4, 4 | Self.asynchronous)?.value == 0)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(takesSignal(kernel) && !takesSignal(kernel))
    kernel.call(.close, first)
    // Nothing will come any more, and nothing can be sent: each of them is told, and signals are queued.
    #expect(takesSignal(kernel))
    while takesSignal(kernel) {}
    #expect(kernel.call(.fcntl, second, 6, 0)?.value == 0)
    #expect(kernel.call(.fcntl, second, 5, 0)?.value == 0)
    kernel.call(.shutdown, second, 2)
    #expect(!takesSignal(kernel))
  }

  @Test func `a sender is signalled when there is room again`() throws {
    let kernel = try TestKernel()
    let process = child(kernel)
    let (first, second) = kernel.socketPair(.stream)
    kernel.call(.fcntl, first, 6, process)
    kernel.call(.fcntl, first, 4, 4 | Self.asynchronous)
    #expect(kernel.call(.write, first, TestKernel.data, 8192)?.value == 8192)
    #expect(!takesSignal(kernel))
    #expect(kernel.call(.read, second, TestKernel.data, 1)?.value == 1)
    #expect(takesSignal(kernel))
  }

  @Test func `a listening socket's owner is signalled, and an accepted socket has the same`() throws {
    let kernel = try TestKernel()
    let process = child(kernel)
    let listener = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    let (address, count) = kernel.socketAddress("/tmp/owner")
    kernel.call(.bind, listener, address, count)
    kernel.call(.listen, listener, 5)
    kernel.call(.fcntl, listener, 6, process)
    kernel.call(.fcntl, listener, 4, 4 | Self.asynchronous)
    let client = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    #expect(kernel.call(.connect, client, address, count)?.value == 0)
    #expect(takesSignal(kernel))
    let accepted = try #require(kernel.call(.accept, listener, 0, 0)?.value)
    #expect(kernel.call(.fcntl, accepted, 5)?.value == process)
    kernel.call(.write, client, TestKernel.data, 1)
    #expect(takesSignal(kernel))
  }

  @Test func `the owner of a pipe's end is signalled`() throws {
    let kernel = try TestKernel()
    let process = child(kernel)
    kernel.call(.pipe2, TestKernel.data + 0x9F0, 4)
    let word = kernel.loadWord(TestKernel.data + 0x9F0)
    let (first, second) = (word & 0xFFFF_FFFF, word >> 32)
    kernel.call(.fcntl, first, 6, process)
    kernel.storeWord(1, at: TestKernel.data)
    #expect(kernel.call(.ioctl, first, 0x8004_667D, TestKernel.data)?.value == 0)
    kernel.call(.write, second, TestKernel.data, 1)
    #expect(takesSignal(kernel) && !takesSignal(kernel))
    // As on FreeBSD the end that has read is told that it can be written into.
    kernel.call(.read, first, TestKernel.data, 1)
    #expect(takesSignal(kernel))
    kernel.call(.close, second)
    #expect(takesSignal(kernel))
  }

  @Test func `a group is signalled, and who has ended is not`() throws {
    let kernel = try TestKernel()
    let process = child(kernel)
    let (first, second) = kernel.socketPair(.stream)
    #expect(kernel.call(.setpgid, 0, 0)?.value == 0)
    let other = kernel.fork()
    #expect(kernel.call(.fcntl, second, 6, 0 &- process)?.value == 0)
    kernel.call(.fcntl, second, 4, 4 | Self.asynchronous)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(takesSignal(kernel))
    kernel.run(other)
    #expect(takesSignal(kernel))
    kernel.exit()
    kernel.run(Int(process))
    #expect(kernel.call(.fcntl, second, 6, UInt64(other))?.errno == .esrch || kernel.wait(other).0 == other)
    let third = kernel.fork()
    #expect(kernel.call(.fcntl, second, 6, UInt64(third))?.value == 0)
    #expect(kernel.call(.fcntl, second, 5)?.value == UInt64(third))
    kernel.run(third)
    kernel.exit()
    kernel.run(Int(process))
    _ = kernel.wait(third)
    #expect(kernel.call(.fcntl, second, 5)?.value == 0)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(!takesSignal(kernel))
  }

  @Test func `who named the owner may not signal it any more`() throws {
    let kernel = try TestKernel()
    let process = child(kernel)
    let (first, second) = kernel.socketPair(.stream)
    #expect(kernel.call(.setresuid, 7, 7, 0)?.value == 0)
    #expect(kernel.call(.fcntl, second, 6, process)?.value == 0)
    kernel.call(.fcntl, second, 4, 4 | Self.asynchronous)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(takesSignal(kernel))
    #expect(kernel.call(.setresuid, 0, 0, 0)?.value == 0)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(!takesSignal(kernel))
  }

  // MARK: Who is woken

  @Test func `a connection wakes one of those who wait for it, in the order in which they came`() throws {
    let kernel = try TestKernel()
    let listener = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    let (address, count) = kernel.socketAddress("/tmp/one")
    kernel.call(.bind, listener, address, count)
    kernel.call(.listen, listener, 5)
    var waiters: [Int] = []
    for _ in 0..<3 {
      let child = kernel.fork()
      kernel.run(child)
      kernel.call(.accept, listener, 0, 0)
      kernel.run(1)
      waiters.append(child)
    }
    func isAsleep(_ child: Int) -> Bool {
      guard let thread = kernel.thread(of: Int32(child)) else { return false }
      return !kernel.kernel.inspectedProcesses.scheduler.isReady(thread.slot)
    }
    #expect(waiters.allSatisfy(isAsleep))
    for index in 0..<3 {
      let client = try #require(kernel.call(.socket, 1, 1, 0)?.value)
      #expect(kernel.call(.connect, client, address, count)?.value == 0)
      for (other, waiter) in waiters.enumerated() where other >= index { #expect(isAsleep(waiter) == (other > index)) }
      kernel.run(waiters[index])
      kernel.exit()
      kernel.run(1)
      _ = kernel.wait(waiters[index])
    }
  }

  @Test(arguments: [false, true]) func `a waiter that goes away passes the connection on`(isStopped: Bool) throws {
    let kernel = try TestKernel()
    let listener = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    let (address, count) = kernel.socketAddress("/tmp/one")
    kernel.call(.bind, listener, address, count)
    kernel.call(.listen, listener, 5)
    var waiters: [Int] = []
    for _ in 0..<2 {
      let child = kernel.fork()
      kernel.run(child)
      kernel.call(.accept, listener, 0, 0)
      kernel.run(1)
      waiters.append(child)
    }
    let client = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    kernel.call(.connect, client, address, count)
    // The first was woken, but is not to run.
    kernel.call(.kill, UInt64(waiters[0]), isStopped ? 17 : 9)
    for _ in 0..<50 where kernel.identifier != waiters[1] { kernel.call(.schedYield) }
    #expect(kernel.identifier == waiters[1])
    kernel.exit()
    kernel.run(1)
    if isStopped { kernel.call(.kill, UInt64(waiters[0]), 9) }
    for waiter in waiters { _ = kernel.wait(waiter) }
  }

  // MARK: sysctl(3)

  private func control(
    _ kernel: TestKernel, _ name: String, set value: UInt64? = nil, byteCount: UInt64 = 8
  ) -> UInt64? {
    let text = kernel.string(name, at: TestKernel.data + 0x100)
    kernel.storeWord(8, at: TestKernel.data + 0x200)
    kernel.storeWord(0, at: TestKernel.data + 0x208)
    if let value { kernel.storeWord(value, at: TestKernel.data + 0x210) }
    let result = kernel.call(
      .sysctlbyname, text, UInt64(name.utf8.count), TestKernel.data + 0x208, TestKernel.data + 0x200,
      value == nil ? 0 : TestKernel.data + 0x210, value == nil ? 0 : byteCount)
    return result?.failed == false ? kernel.loadWord(TestKernel.data + 0x208) : nil
  }

  @Test func `what sockets may take is told and set`() throws {
    let kernel = try TestKernel()
    for (name, value) in [
      ("net.local.stream.sendspace", 8192), ("net.local.stream.recvspace", 8192), ("net.local.dgram.maxdgram", 8192),
      ("net.local.dgram.recvspace", 16_384), ("net.local.seqpacket.maxseqpacket", 8192),
      ("net.local.seqpacket.recvspace", 8192), ("net.local.deferred", 0), ("kern.ipc.soacceptqueue", 128),
      ("kern.ipc.somaxconn", 128), ("kern.ipc.numopensockets", 0), ("kern.ipc.maxsockbuf", 2_097_152),
      ("kern.ipc.sockbuf_waste_factor", 8),
    ] as [(String, UInt64)] {
      #expect(control(kernel, name) == value, "\(name)")
    }
    #expect(control(kernel, "net.local.stream.sendspace", set: 4096) == 8192)
    let (first, _) = kernel.socketPair(.stream)
    #expect(kernel.option(first, 0x1001) == 4096 && kernel.option(first, 0x1002) == 8192)
    #expect(control(kernel, "kern.ipc.numopensockets") == 2)
    #expect(control(kernel, "kern.ipc.soacceptqueue", set: 0, byteCount: 4) == nil && kernel.result.errno == .einval)
    #expect(control(kernel, "kern.ipc.soacceptqueue", set: 5, byteCount: 4) == 128)
    #expect(control(kernel, "kern.ipc.somaxconn") == 5)
    #expect(control(kernel, "kern.ipc.maxsockbuf", set: 2303) == nil && kernel.result.errno == .einval)
    #expect(control(kernel, "kern.ipc.maxsockbuf", set: 4608) != nil)
    // Larger than a buffer may be by now.
    #expect(kernel.call(.socketpair, 1, 1, 0, TestKernel.data + 0x9F0)?.errno == .enobufs)
    #expect(control(kernel, "kern.ipc.sockbuf_waste_factor", set: 9) == nil && kernel.result.errno == .eperm)
    #expect(control(kernel, "kern.ipc.maxsockets", set: 1, byteCount: 4) == nil && kernel.result.errno == .einval)
    kernel.call(.setuid, 7)
    #expect(control(kernel, "net.local.stream.sendspace", set: 1) == nil && kernel.result.errno == .eperm)
  }

  @Test func `a process is told how many descriptors it has`() throws {
    let kernel = try TestKernel()
    _ = kernel.socketPair(.stream)
    kernel.store(TestKernel.words([1, 14, 43, 0]), at: TestKernel.data)
    kernel.storeWord(8, at: TestKernel.data + 0x200)
    let (value, length) = (TestKernel.data + 0x208, TestKernel.data + 0x200)
    #expect(kernel.call(.sysctl, TestKernel.data, 4, value, length, 0, 0)?.value == 0)
    #expect(kernel.loadWord(value) & 0xFFFF_FFFF == 5)
    kernel.store(TestKernel.words([1, 14, 43, 1]), at: TestKernel.data)
    #expect(kernel.call(.sysctl, TestKernel.data, 4, value, length, 0, 0)?.errno == .einval)
  }
}
