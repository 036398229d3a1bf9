// Mistakes with sockets, planted by touching the kernel's state: the inspection has to notice each of them.

import ABI
import Memory
import Primitives
import Processes
import Simulation
import Testing

@testable import Files
@testable import SystemCalls

@Suite struct SocketInspectionTests {
  private func file(_ kernel: TestKernel, _ descriptor: UInt64) throws -> SocketFile {
    let table = try #require(kernel.kernel.inspectedProcesses.process(1)?.files)
    return try #require(try table.file(at: Int32(descriptor)) as? SocketFile)
  }

  private func rights(_ descriptor: UInt64) -> [UInt8] {
    TestKernel.controlMessage(1, TestKernel.words([UInt32(descriptor)]))
  }

  @Test func `nothing is found when nothing is planted`() throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(.stream)
    kernel.sendMessage(first, control: rights(first) + TestKernel.controlMessage(3))
    kernel.sendMessage(second, control: rights(first))
    #expect(kernel.kernel.inspect() == nil)
    kernel.call(.close, first)
    kernel.call(.close, second)
    #expect(kernel.kernel.inspect() == nil)
  }

  @Test func `a reference that is lost in flight`() throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(.datagram)
    for _ in 0..<2 { kernel.sendMessage(first, control: rights(second)) }
    let socket = try file(kernel, second).socket
    socket.flightCount -= 1
    #expect(kernel.kernel.inspect()?.message == "messages that have a socket")
    socket.flightCount += 1
    #expect(kernel.kernel.inspect() == nil)
  }

  @Test func `a file in flight that is not counted`() throws {
    let kernel = try TestKernel()
    let (first, _) = kernel.socketPair(.stream)
    kernel.sendMessage(first, control: rights(0))
    kernel.kernel.inspectedFiles.sockets.flightCount -= 1
    #expect(kernel.kernel.inspect()?.message == "descriptors in messages")
    kernel.kernel.inspectedFiles.sockets.flightCount += 1
  }

  @Test func `a socket that is given up although it can be reached`() throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(.sequencedPacket)
    kernel.sendMessage(first, control: rights(second))
    let socket = try file(kernel, second).socket
    socket.isUnreachable = true
    #expect(kernel.kernel.inspect()?.message == "a socket given up that can be reached")
    socket.isUnreachable = false
  }

  @Test func `a wake-up of a poller that is forgotten`() throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(.stream)
    let child = kernel.fork()
    kernel.storeWord(second | 1 << 32, at: TestKernel.data + 0x500)
    kernel.call(.poll, TestKernel.data + 0x500, 1, UInt64(UInt32.max))
    #expect(kernel.identifier == child)
    #expect(kernel.kernel.inspect() == nil)
    let file = try file(kernel, second)
    let watchers = file.watchers
    file.watchers.firstPoll = .none
    kernel.call(.write, first, TestKernel.data, 1)
    #expect(kernel.kernel.inspect()?.message == "a call that sleeps beside what it waits for")
    file.watchers = watchers
    kernel.call(.write, first, TestKernel.data, 1)
    kernel.exit()
    #expect(kernel.result == CallResult(value: 1, failed: false))
  }

  @Test func `a note that its file does not know, and so would survive it`() throws {
    let kernel = try TestKernel()
    let (_, second) = kernel.socketPair(.stream)
    let queue = try #require(kernel.call(.kqueue)?.value)
    // EVFILT_READ, EV_ADD.
    kernel.storeWord(second, at: TestKernel.data + 0x500)
    kernel.storeWord(0x1_FFFF, at: TestKernel.data + 0x508)
    for offset in stride(from: UInt64(16), to: 64, by: 8) { kernel.storeWord(0, at: TestKernel.data + 0x500 + offset) }
    #expect(kernel.call(.kevent, queue, TestKernel.data + 0x500, 1, 0, 0, 0)?.value == 0)
    #expect(kernel.kernel.inspect() == nil)
    let file = try file(kernel, second)
    let watchers = file.watchers
    file.watchers.first = .none
    #expect(kernel.kernel.inspect()?.message == "notes that their files do not know")
    file.watchers = watchers
  }
}
