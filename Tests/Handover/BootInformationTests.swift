// The tables of boot loaders: what is read from them, what is refused, and that nothing in them can make the kernel fail.

import Handover
import Simulation
import Testing

@Suite struct BootInformationTests {
  private static let usual = LoaderDescription(
    commandLine: "kernel.elf swap=8M quiet", modules: [("/tmp/first a b", 5000), ("second", 0), ("x/third", 4096)])

  private func images(_ description: LoaderDescription) -> [LoaderImage] {
    [description.multiboot1(), description.multiboot2()]
  }

  private func refusals(_ description: LoaderDescription) -> [BootRefusal?] {
    images(description).map { image in
      do throws(BootRefusal) {
        _ = try MemoryMap(image.information(), image: LoaderDescription.kernel)
        return nil
      } catch { return error }
    }
  }

  @Test func `both formats say the same`() throws {
    for image in images(Self.usual) {
      let information = try image.information()
      #expect(String(decoding: information.commandLine, as: UTF8.self) == "kernel.elf swap=8M quiet")
      #expect(information.isLoadedByEmulator)
      #expect(
        information.modules.map(\.name).map { String(decoding: $0, as: UTF8.self) } == ["first", "second", "third"])
      #expect(information.modules.map(\.content.start) == [0x40_0000, 0x40_2000, 0x40_2000])
      #expect(information.modules.map { $0.content.end - $0.content.start } == [5000, 0, 4096])
      #expect(information.available.count == 2 && information.unavailable.count == 4)
      #expect(LoaderCheck.problem(with: image) == nil)
    }
    #expect(refusals(Self.usual) == [nil, nil])
  }

  @Test func `memory without a map is what the old fields say`() throws {
    var description = Self.usual
    description.map = []
    for image in images(description) {
      let information = try image.information()
      #expect(
        information.available == [
          ByteRange(start: 0, end: 639 << 10), ByteRange(start: 1 << 20, end: (1 << 20) + 130_048 << 10),
        ])
    }
    description.basic = nil
    #expect(refusals(description) == [.noMemory, .noMemory])
  }

  @Test func `the screen is text, or points, or not spoken of`() throws {
    for (type, screen) in [(nil, .unsaid), (0, .graphics), (1, .graphics), (2, .text), (3, .graphics)]
      as [(UInt64?, LoaderScreen)]
    {
      var description = Self.usual
      description.framebufferType = type
      for image in images(description) { #expect(try image.information().screen == screen) }
    }
  }

  @Test func `every module up to the limit is there and one more is refused`() throws {
    for count in [64, 65, 200, 512] {
      let description = LoaderDescription(commandLine: "", modules: (1...count).map { ("m\($0)", 100) })
      for image in images(description) {
        let information = try image.information()
        #expect(information.modules.count == count)
        #expect(information.modules.last?.name == Array("m\(count)".utf8))
        #expect(LoaderCheck.problem(with: image) == nil)
      }
      #expect(refusals(description) == [nil, nil])
    }
    let more = LoaderDescription(commandLine: "", modules: (1...513).map { ("m\($0)", 100) })
    #expect(refusals(more) == [.tooManyModules, .tooManyModules])
  }

  @Test func `a second module of the same name is refused`() {
    let twice = LoaderDescription(commandLine: "", modules: [("a/same 1", 10), ("other", 10), ("/b/same 2", 10)])
    #expect(refusals(twice) == Array(repeating: .moduleNameTwice(Array("same".utf8)), count: 2))
    let similar = LoaderDescription(commandLine: "", modules: [("same", 10), ("some", 10), ("sam", 10), ("asame", 10)])
    #expect(refusals(similar) == [nil, nil])
  }

  @Test func `a module that is larger than memory is refused`() {
    let large = LoaderDescription(commandLine: "", modules: [("small", 10), ("large", 200 << 20)])
    #expect(refusals(large) == Array(repeating: .moduleOutsideMemory(Array("large".utf8)), count: 2))
    // Up to the last byte of memory there is room.
    let exact = LoaderDescription(commandLine: "", modules: [("exact", 0x7FE_0000 - 0x40_0000)])
    #expect(refusals(exact) == [nil, nil])
    let over = LoaderDescription(commandLine: "", modules: [("over", 0x7FE_0000 - 0x40_0000 + 1)])
    #expect(refusals(over) == Array(repeating: .moduleOutsideMemory(Array("over".utf8)), count: 2))
  }

  @Test func `a module where something else lies is refused`() {
    var description = Self.usual
    let name = Array("first".utf8)
    for (start, end) in [(0x2F_F000, 0x30_0001), (0x10_0000, 0x10_0001), (0x20_0000, 0x20_1000)] as [(UInt64, UInt64)] {
      description.modules[0].start = start
      description.modules[0].end = end
      #expect(refusals(description) == Array(repeating: .moduleOverlaps(name), count: 2), "\(start)")
    }
    // Right behind the kernel there is room.
    description.modules[0].start = 0x30_0000
    description.modules[0].end = 0x30_0001
    #expect(refusals(description) == [nil, nil])
    description.modules[2].start = 0x30_0000
    description.modules[2].end = 0x30_1000
    #expect(refusals(description) == Array(repeating: .moduleOverlaps(Array("third".utf8)), count: 2))
    for (start, end) in [(0x50_0001, 0x50_0002), (0x50_1000, 0x50_0000)] as [(UInt64, UInt64)] {
      description.modules[0].start = start
      description.modules[0].end = end
      #expect(refusals(description) == Array(repeating: .moduleMisplaced(name), count: 2))
    }
  }

  @Test func `texts without an end and texts that are too long are refused`() {
    var long = Self.usual
    long.commandLine = String(repeating: "x", count: 4096)
    #expect(refusals(long) == [nil, nil])
    long.commandLine += "x"
    #expect(refusals(long) == [.textTooLong, .textTooLong])
    let many = (1...20).map { ("m\($0) " + String(repeating: "y", count: 4000), 1 as UInt64) }
    #expect(refusals(LoaderDescription(commandLine: "", modules: many)) == [.textTooLong, .textTooLong])
    // The first format's texts end somewhere in memory, the second's at the latest where their tag does.
    var image = LoaderDescription(commandLine: "").multiboot1()
    let end = LoaderImage.start + UInt64(image.bytes.count)
    image.bytes += Array("no end".utf8)
    for offset in 0..<4 { image.bytes[16 + offset] = UInt8(truncatingIfNeeded: end >> UInt64(8 * offset)) }
    let endless = image
    #expect(throws: BootRefusal.unreadableTable) { _ = try endless.information() }
  }

  @Test func `a map with too many entries is refused`() {
    var description = Self.usual
    let region = LoaderDescription.Region(start: 1 << 40, byteCount: 4096, type: 2)
    description.map += Array(repeating: region, count: 250)
    #expect(refusals(description) == [nil, nil])
    description.map.append(region)
    #expect(refusals(description) == [.tooManyRegions, .tooManyRegions])
    // Entries without a byte do not count, but they have an end too.
    description.map = Self.usual.map + Array(repeating: .init(start: 0, byteCount: 0, type: 1), count: 1000)
    #expect(refusals(description) == [nil, nil])
    description.map += Array(repeating: .init(start: 0, byteCount: 0, type: 1), count: 60_000)
    #expect(refusals(description) == [.tooManyRegions, .damagedTable])
  }

  @Test func `every byte of the tables may be anything without a failure`() {
    var description = Self.usual
    description.framebufferType = 2
    for image in images(description) {
      for position in image.bytes.indices {
        for value in [0, 1, 0x7F, 0x80, 0xFF, image.bytes[position] ^ 0x10, image.bytes[position] &+ 1] as [UInt8] {
          var damaged = image
          damaged.bytes[position] = value
          #expect(LoaderCheck.problem(with: damaged) == nil, "byte \(position) is \(value)")
        }
      }
      for count in image.bytes.indices {
        #expect(LoaderCheck.problem(with: LoaderImage(bytes: Array(image.bytes[..<count]), magic: image.magic)) == nil)
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `damaged tables are refused or sound`(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<3000 {
      var image = random.pick(images(Self.usual)) ?? Self.usual.multiboot1()
      for _ in 0..<(1 + random.number(below: 6)) {
        let position = random.number(below: image.bytes.count - 4)
        let word = random.pick([0, 1, 0xFFFF_FFFF, 0xFFFF_FFF8, 0x7FFF_FFFF, 0x9000, 24, 16] as [UInt32]) ?? 0
        let value = random.chance(oneIn: 2) ? word : UInt32(truncatingIfNeeded: random.next())
        for offset in 0..<4 { image.bytes[position + offset] = UInt8(truncatingIfNeeded: value >> UInt32(8 * offset)) }
      }
      #expect(LoaderCheck.problem(with: image) == nil, "\(image.bytes)")
    }
  }
}
