// Messages that are sent and received at once, and the same messages step by step: nobody can tell which (spec sockets.md sections
// 4, 5 and 8). What makes the difference is whether the piece is described in one page.

import ABI
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct ShortMessageTests {
  /// A kernel with a pair of sockets and a few files, and where what belongs to a message lies in its program's memory.
  private final class Script {
    static let header = TestKernel.data + 0xA00
    static let bytes = TestKernel.data + 0xA80
    /// Bytes that cross a page.
    static let farBytes = TestKernel.data + 0x3FFE
    static let byteRoom = 320
    static let control = TestKernel.data + 0x2000
    static let controlRoom = 1100
    static let unreachable: UInt64 = 0x10
    /// The last descriptor that is looked at.
    static let descriptorLimit = 140

    let kernel: TestKernel
    let first: UInt64
    let second: UInt64
    let piece: UInt64

    /// - Parameter isCrowded: whether the first 64 descriptors are taken.
    init(_ type: SocketType, stepByStep: Bool, isCrowded: Bool) throws {
      kernel = try TestKernel()
      (first, second) = kernel.socketPair(type)
      piece = TestKernel.data + (stepByStep ? 0x1000 - 8 : 0xA40)
      // Descriptors 5 to 9: an object, the same limited, a queue, the console, a socket.
      kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
      kernel.call(.dup, 5)
      let rights: CapabilityRights = [.read, .seek]
      kernel.storeWord(rights.words.0, at: TestKernel.data)
      kernel.storeWord(rights.words.1, at: TestKernel.data + 8)
      kernel.call(.capRightsLimit, 6, TestKernel.data)
      kernel.call(.kqueue)
      kernel.call(.dup, 0)
      kernel.call(.dup, second)
      if isCrowded { for _ in 0..<60 { kernel.call(.dup, 0) } }
    }

    private func describe(_ byteCount: Int, at address: UInt64, control: UInt64, _ controlByteCount: Int) {
      kernel.storeWord(address, at: piece)
      kernel.storeWord(UInt64(byteCount), at: piece + 8)
      // What is between the members is not zero.
      let words = [0, 0xAAAA_AAAA_0000_0007, piece, 0xBBBB_BBBB_0000_0001, control, UInt64(controlByteCount)]
      for (index, word) in words.enumerated() { kernel.storeWord(word, at: Self.header + UInt64(8 * index)) }
    }

    func send(_ bytes: [UInt8], at address: UInt64, control: [UInt8], at place: UInt64, flags: UInt64) -> CallResult? {
      if address != Self.unreachable { kernel.store(bytes, at: address) }
      if place != Self.unreachable && place != 0 { kernel.store(control, at: place) }
      describe(bytes.count, at: address, control: place, control.count)
      return kernel.call(.sendmsg, first, Self.header, flags)
    }

    func receive(_ room: Int, at address: UInt64, control: Int, at place: UInt64, flags: UInt64) -> CallResult? {
      for place in [Self.bytes, Self.farBytes] {
        kernel.store([UInt8](repeating: 0xEE, count: Self.byteRoom), at: place)
      }
      kernel.store([UInt8](repeating: 0xEE, count: Self.controlRoom), at: Self.control)
      describe(room, at: address, control: place, control)
      return kernel.call(.recvmsg, second, Self.header, flags)
    }

    /// Everything that a call can have changed: memory but the address of the piece, descriptors, and what waits.
    func state() -> [[UInt8]] {
      var descriptors: [UInt8] = []
      for descriptor in 0..<UInt64(Self.descriptorLimit) {
        let flags = kernel.call(.fcntl, descriptor, 1)
        descriptors.append(flags?.failed == false ? UInt8(flags?.value ?? 0) : 0xFF)
      }
      var header = kernel.load(Self.header, 48) ?? []
      header.removeSubrange(16..<24)
      return [
        descriptors, header, kernel.load(Self.bytes, Self.byteRoom) ?? [],
        kernel.load(Self.farBytes, Self.byteRoom) ?? [], kernel.load(Self.control - 16, Self.controlRoom) ?? [],
      ]
    }
  }

  /// What is sent and received, drawn from a seed.
  private struct Draw {
    var random: SeededGenerator

    mutating func pick<Value>(_ values: [Value]) -> Value { values[random.number(below: values.count)] }

    mutating func descriptors(_ count: Int) -> [UInt32] {
      (0..<count).map { _ in random.chance(oneIn: 12) ? pick([UInt32.max, 7, 30]) : pick([5, 5, 6, 8, 9, 3]) }
    }

    /// Control messages: mostly descriptors as they should be.
    mutating func control() -> [UInt8] {
      switch random.number(below: 12) {
      case 0: return []
      case 1: return TestKernel.controlMessage(1)
      case 2: return TestKernel.controlMessage(3)
      case 3:
        let rights = TestKernel.controlMessage(1, TestKernel.words(descriptors(2)))
        return rights + TestKernel.controlMessage(1, TestKernel.words(descriptors(1)))
      case 4: return TestKernel.controlMessage(1, TestKernel.words(descriptors(pick([19, 20, 21, 40, 254, 255]))))
      case 5:
        return TestKernel.controlMessage(1, TestKernel.words(descriptors(1)), length: pick([0, 15, 18, 23, 25, 99]))
      case 6:
        return Array(TestKernel.controlMessage(1, TestKernel.words(descriptors(1))).prefix(pick([4, 12, 16, 20])))
      case 7: return TestKernel.controlMessage(pick([2, 7, 8]), TestKernel.words([5, 5]))
      default: return TestKernel.controlMessage(1, TestKernel.words(descriptors(pick([1, 1, 1, 2, 3]))))
      }
    }
  }

  @Test(arguments: [SocketType.stream, .sequencedPacket], 1...10)
  func `every message is what it would be step by step`(_ type: SocketType, _ seed: UInt64) throws {
    var draw = Draw(random: SeededGenerator(seed: seed))
    let scripts = try [false, true].map { try Script(type, stepByStep: $0, isCrowded: seed % 2 == 0) }
    let flags: [UInt64] = [0, 0, 0, 0x80, 8, 1, 0x2_0000]
    let receiveFlags: [UInt64] = [0, 0, 0, 0x80, 2, 0x40, 0x10, 0x4_0000, 0x4_0000, 1]
    for step in 0..<120 {
      let what = draw.random.number(below: 10)
      let location = draw.random.number(below: 30)
      let place = location == 1 ? Script.unreachable : location < 6 ? Script.farBytes : Script.bytes
      let controlPlace =
        location == 7 ? Script.unreachable : location == 8 ? 0 : location == 9 ? Script.control - 12 : Script.control
      var results: [CallResult?] = []
      if what < 4 {
        let bytes = [UInt8](repeating: UInt8(step), count: draw.pick([1, 1, 1, 5, 192, 193, 300, 0]))
        let (control, flag) = (draw.control(), draw.pick(flags))
        results = scripts.map {
          $0.send(bytes, at: place, control: control, at: control.isEmpty ? 0 : controlPlace, flags: flag)
        }
      } else if what < 8 {
        let (room, control) = (draw.pick([1, 1, 5, 300, 0]), draw.pick([0, 20, 23, 24, 32, 56, 96, 1024]))
        let flag = draw.pick(receiveFlags)
        results = scripts.map { $0.receive(room, at: place, control: control, at: controlPlace, flags: flag) }
      } else if what == 8 {
        let descriptor = UInt64(draw.random.number(in: 10...Script.descriptorLimit))
        results = scripts.map { $0.kernel.call(.close, descriptor) }
      } else {
        // Room for no descriptor, for a few, or for many more than the first 64.
        let limit = draw.pick([UInt64(10), 12, 64, 72, 500, 500])
        results = scripts.map { $0.kernel.setLimit(8, limit) }
      }
      #expect(results[0] == results[1], "step \(step)")
      #expect(scripts[0].state() == scripts[1].state(), "step \(step)")
    }
    for script in scripts { script.kernel.expectSound() }
  }

  // MARK: What waits

  @Test(arguments: [SocketType.stream, .sequencedPacket])
  func `a receive that waits gets what comes, with its descriptors`(_ type: SocketType) throws {
    let kernel = try TestKernel()
    let (first, second) = kernel.socketPair(type, flags: 0)
    kernel.call(.shmOpen2, .anonymousObject, .readWriteFile, 0, 0, 0)
    let file = UInt32(kernel.result.value)
    let main = try #require(kernel.current)
    let waiting = [try kernel.newThread(), try kernel.newThread()]
    // Each has a structure, a piece, a byte and a control message of its own.
    for (index, thread) in waiting.enumerated() {
      let base = TestKernel.data + 0x2000 + UInt64(0x100 * index)
      let words = [0, 0, base + 0x40, 1, base + 0x60, 24]
      for (index, word) in words.enumerated() { kernel.storeWord(word, at: base + UInt64(8 * index)) }
      kernel.storeWord(base + 0x50, at: base + 0x40)
      kernel.storeWord(1, at: base + 0x48)
      kernel.sleep(thread, .recvmsg, second, base, 0x4_0000)
      kernel.run(main)
    }
    kernel.expectSound()
    let control = TestKernel.controlMessage(1, TestKernel.words([file]))
    #expect(kernel.sendMessage(first, [7], control: control)?.value == 1)
    #expect(kernel.sendMessage(first, [8], control: control)?.value == 1)
    for thread in waiting {
      kernel.run(thread)
      #expect(kernel.result == CallResult(value: 1, failed: false))
    }
    kernel.run(main)
    for index in waiting.indices {
      let base = TestKernel.data + 0x2000 + UInt64(0x100 * index)
      #expect(kernel.load(base + 0x50, 1) == [UInt8(7 + index)])
      #expect(kernel.loadWord(base + 40) == 0x4_0000 << 32 | 24)
      let received = kernel.loadWord(base + 0x70)
      #expect(received == UInt64(file) + 1 + UInt64(index))
      #expect(kernel.call(.fcntl, received, 1)?.value == 1)
    }
    kernel.expectSound()
  }

  // MARK: Layouts

  @Test func `the structure of a message in memory has the layout of the interface`() {
    #expect(MemoryLayout<MessageHeader>.size == MessageHeader.byteCount)
    #expect(MemoryLayout<MessageHeader>.offset(of: \.nameByteCount) == 8)
    #expect(MemoryLayout<MessageHeader>.offset(of: \.pieces) == 16)
    #expect(MemoryLayout<MessageHeader>.offset(of: \.pieceCount) == 24)
    #expect(MemoryLayout<MessageHeader>.offset(of: \.control) == 32)
    #expect(MemoryLayout<MessageHeader>.offset(of: \.controlByteCount) == 40)
    #expect(MemoryLayout<MessageHeader>.offset(of: \.flags) == 44)
  }
}
