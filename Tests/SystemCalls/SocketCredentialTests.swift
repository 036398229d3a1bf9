// Who sent a message and when (spec sockets.md section 6): SCM_CREDS, LOCAL_CREDS and its like, SCM_TIMESTAMP and its like.

import ABI
import Processes
import Simulation
import SystemCalls
import Testing

@Suite struct SocketCredentialTests {
  private static let types: [SocketType] = [.stream, .datagram, .sequencedPacket]
  private typealias Local = LocalSocketOption

  /// A process of user 11 with effective user 22, of group 33, effective group 44 and supplementary groups 55 and 66.
  private func kernel() throws -> TestKernel {
    let kernel = try TestKernel()
    kernel.store(TestKernel.words([44, 55, 66]), at: TestKernel.data)
    #expect(kernel.call(.setgroups, 3, TestKernel.data)?.value == 0)
    #expect(kernel.call(.setresgid, 33, 44, 44)?.value == 0)
    #expect(kernel.call(.setresuid, 11, 22, 22)?.value == 0)
    return kernel
  }

  private let messageCredentials = TestKernel.controlMessage(
    3, TestKernel.words([1, 11, 22, 33, 3, 44, 55, 66] + Array(repeating: 0, count: 13)))
  private let socketCredentials = TestKernel.controlMessage(3, TestKernel.words([11, 22, 33, 44, 3, 44, 55, 66]))
  private let extendedCredentials = TestKernel.controlMessage(
    8, TestKernel.words([0, 1, 11, 22, 33, 44, 3, 44, 55, 66]))
  private let request = TestKernel.controlMessage(3)

  @Test(arguments: types) func `a sender that asks for it tells who it is, in the kernel's words`(
    _ type: SocketType
  ) throws {
    let kernel = try kernel()
    let (first, second) = kernel.socketPair(type)
    for payload in [[], [UInt8](repeating: 9, count: 84)] {
      #expect(kernel.sendMessage(first, control: TestKernel.controlMessage(3, payload))?.integer == 1)
      let message = try #require(kernel.receiveMessage(second))
      #expect(message.control == messageCredentials)
      // A length of 100 in 104 bytes.
      #expect(message.control.count == 104 && message.control[0] == 100)
    }
  }

  @Test(arguments: types) func `LOCAL_CREDS tells once, of datagrams always, and replaces what was asked for`(
    _ type: SocketType
  ) throws {
    let kernel = try kernel()
    let (first, second) = kernel.socketPair(type)
    #expect(kernel.setOption(second, level: 0, UInt64(Local.credentials), 1)?.value == 0)
    let rights = TestKernel.controlMessage(1, TestKernel.words([UInt32(second)]))
    kernel.sendMessage(first, control: request + rights + request)
    let message = try #require(kernel.receiveMessage(second))
    #expect(Array(message.control.prefix(socketCredentials.count)) == socketCredentials)
    #expect(message.control.count == socketCredentials.count + 24)
    let isDatagram = type == .datagram
    #expect(kernel.option(second, level: 0, UInt64(Local.credentials)) == (isDatagram ? 1 : 0))
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(kernel.receiveMessage(second)?.control == (isDatagram ? socketCredentials : []))
  }

  @Test func `a send of nothing over a stream tells who sends`() throws {
    let kernel = try kernel()
    let (first, second) = kernel.socketPair(.stream)
    kernel.setOption(second, level: 0, UInt64(Local.credentials), 1)
    #expect(kernel.call(.write, first, TestKernel.data, 0)?.value == 0)
    #expect(kernel.receiveMessage(second) == ReceivedMessage(control: socketCredentials))
    #expect(kernel.receiveMessage(second) == nil && kernel.result.errno == .eagain)
  }

  @Test(arguments: types) func `LOCAL_CREDS_PERSISTENT tells of every message and keeps what the sender asked for`(
    _ type: SocketType
  ) throws {
    let kernel = try kernel()
    let (first, second) = kernel.socketPair(type)
    #expect(kernel.setOption(second, level: 0, UInt64(Local.persistentCredentials), 1)?.value == 0)
    #expect(kernel.setOption(second, level: 0, UInt64(Local.credentials), 1)?.errno == .einval)
    kernel.sendMessage(first, [1], control: request)
    kernel.call(.write, first, TestKernel.data, 2)
    kernel.call(.write, first, TestKernel.data, 3)
    #expect(kernel.receiveMessage(second)?.control == extendedCredentials + messageCredentials)
    // A stream has a record for each send.
    for count in [2, 3] {
      let message = try #require(kernel.receiveMessage(second))
      #expect(message.control == extendedCredentials && message.bytes.count == count)
    }
    kernel.setOption(second, level: 0, UInt64(Local.persistentCredentials), 0)
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(kernel.receiveMessage(second)?.control == [])
  }

  @Test func `an accepted socket has the wish of the listening one`() throws {
    let kernel = try kernel()
    let listener = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    let (address, count) = kernel.socketAddress("/tmp/wish")
    #expect(kernel.call(.bind, listener, address, count)?.value == 0)
    kernel.setOption(listener, level: 0, UInt64(Local.credentials), 1)
    kernel.call(.listen, listener, 5)
    let client = try #require(kernel.call(.socket, 1, 1, 0)?.value)
    #expect(kernel.call(.connect, client, address, count)?.value == 0)
    kernel.call(.write, client, TestKernel.data, 1)
    let accepted = try #require(kernel.call(.accept, listener, 0, 0)?.value)
    #expect(kernel.receiveMessage(accepted)?.control == socketCredentials)
  }

  @Test func `the credentials are those of the sender when it sent, whatever becomes of it`() throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(.sequencedPacket)
    kernel.setOption(second, level: 0, UInt64(Local.persistentCredentials), 1)
    let child = kernel.fork()
    kernel.run(child)
    kernel.call(.setresuid, 7, 7, 7)
    kernel.call(.write, first, TestKernel.data, 1)
    kernel.call(.setresuid, 7, 7, 7)
    kernel.exit()
    kernel.run(1)
    _ = kernel.wait(child)
    let message = try #require(kernel.receiveMessage(second))
    let words: [UInt32] = [0, UInt32(child), 7, 7, 0, 0, 1, 0]
    #expect(message.control == TestKernel.controlMessage(8, TestKernel.words(words)))
  }

  @Test func `sixteen groups are told`() throws {
    let kernel = try TestKernel()
    kernel.store(TestKernel.words((0..<20).map { 100 + $0 }), at: TestKernel.data)
    #expect(kernel.call(.setgroups, 20, TestKernel.data)?.value == 0)
    let (first, second) = kernel.socketPair(.datagram)
    kernel.setOption(second, level: 0, UInt64(Local.credentials), 1)
    kernel.call(.write, first, TestKernel.data, 1)
    let groups = (0..<16).map { 100 + UInt32($0) }
    #expect(
      kernel.receiveMessage(second)?.control
        == TestKernel.controlMessage(3, TestKernel.words([0, 0, 0, 100, 16] + groups)))
  }

  @Test(arguments: types) func `times are those of the send`(_ type: SocketType) throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(type)
    let types: [UInt32] = [2, 4, 5, 6]
    let control = types.flatMap { TestKernel.controlMessage($0) }
    kernel.hardware.clock.advance(by: 1_234_567_891)
    kernel.sendMessage(first, control: control)
    let uptime = kernel.hardware.clock.nanoseconds
    kernel.hardware.clock.advance(by: 5_000_000_000)
    let message = try #require(kernel.receiveMessage(second))
    #expect(message.control.count == 4 * 32)
    var times: [(UInt64, UInt64)] = []
    for (index, type) in types.enumerated() {
      let part = Array(message.control[32 * index..<32 * index + 32])
      #expect(Array(part.prefix(16)) == TestKernel.words([32, 0xFFFF, type, 0]))
      func word(_ offset: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(part[offset + $1]) << UInt64(8 * $1) } }
      times.append((word(16), word(24)))
    }
    let nanoseconds = times[2].1
    #expect(times.prefix(3).allSatisfy { $0.0 == times[2].0 })
    #expect(times[0].1 == nanoseconds / 1000)
    #expect(times[1].1 == nanoseconds * 18_446_744_073)
    let monotonic = times[3].0 * 1_000_000_000 + times[3].1
    #expect(monotonic <= uptime && monotonic + 1_000_000_000 > uptime)
  }

  @Test func `what is no request is refused, and what does not fit is cut`() throws {
    let kernel = try kernel()
    let (first, second) = kernel.socketPair(.stream)
    for type: UInt32 in [0, 7, 8, 9, 100] {
      #expect(kernel.sendMessage(first, control: TestKernel.controlMessage(type))?.errno == .einval, "\(type)")
    }
    // The order of the messages decides what is told first.
    let bad = TestKernel.controlMessage(1, TestKernel.words([99]))
    #expect(kernel.sendMessage(first, control: request + bad + TestKernel.controlMessage(8))?.errno == .ebadf)
    #expect(kernel.sendMessage(first, control: TestKernel.controlMessage(8) + bad)?.errno == .einval)
    #expect(kernel.receiveMessage(second) == nil && kernel.result.errno == .eagain)
    for (room, parts) in [(103, 0), (104, 1), (135, 1), (136, 2)] {
      kernel.sendMessage(first, control: request + TestKernel.controlMessage(2))
      let message = try #require(kernel.receiveMessage(second, controlRoom: room))
      #expect(message.control.count == [0, 104, 136][parts], "\(room)")
      #expect(message.flags == (parts < 2 ? 0x20 : 0), "\(room)")
    }
    // Looking only shows nothing of it, and takes nothing.
    kernel.sendMessage(first, control: request)
    #expect(kernel.receiveMessage(second, flags: 2)?.control == [])
    #expect(kernel.receiveMessage(second)?.control == messageCredentials)
  }

  @Test func `credentials are charged to the queue`() throws {
    // 105 bytes and 512 of cost for each message: 65536 / 512 messages.
    for (control, count) in [(request, 79), ([], 8192)] {
      let kernel = try TestKernel()
      let (first, _) = kernel.socketPair(.stream)
      var sent = 0
      while kernel.sendMessage(first, control: control)?.integer == 1 { sent += 1 }
      #expect(kernel.result.errno == .eagain)
      #expect(sent == count)
    }
  }
}
