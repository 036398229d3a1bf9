// Which frames are free: odd maps, machines of every size, and what is taken before the allocator exists.

import Handover
import Memory
import Primitives
import Simulation
import Testing

@Suite struct MemoryMapTests {
  private func map(_ regions: [(UInt64, UInt64, UInt64)], kernel: ByteRange = LoaderDescription.kernel) throws
    -> MemoryMap
  {
    var description = LoaderDescription()
    description.map = regions.map { LoaderDescription.Region(start: $0.0, byteCount: $0.1, type: $0.2) }
    return try MemoryMap(description.multiboot2().information(), image: kernel)
  }

  private func pairs(_ ranges: [FrameRange]) -> [[UInt32]] { ranges.map { [$0.start, $0.end] } }

  @Test func `overlaps holes and half pages leave whole free frames`() throws {
    // Memory that is said twice, touches, begins and ends inside pages; what is no memory wins.
    let odd = try map([
      (0x30_0800, 0x100_0000, 1), (0x10_0000, 0x20_0800, 1), (0x20_0000, 0x400_0000, 1), (0x500_0000, 0x10_0000, 1),
      (0x410_0001, 1, 2), (0x60_0000, 0, 1), (0x70_0000, 0, 2),
    ])
    #expect(pairs(odd.memory) == [[0x100, 0x4100], [0x4101, 0x4200], [0x5000, 0x5100]])
    #expect(odd.physicalFrameCount == 0x40FF + 0x100 - 0xFF + 0xFF)
    #expect(pairs(odd.ranges) == [[0x300, 0x4100], [0x4101, 0x4200], [0x5000, 0x5100]])
    #expect(odd.frameCount == 0x5100)
  }

  @Test func `regions at the end of all addresses are no trap`() throws {
    let top = try map([
      (0x10_0000, 64 << 20, 1), (UInt64.max - 10, 100, 2), (UInt64.max, 1, 2), (UInt64.max - 4096, 4096, 1),
      (1 << 52, 1 << 51, 1), (0x200_0000, UInt64.max, 2),
    ])
    #expect(pairs(top.memory) == [[0x100, 0x2000]] && top.isCut)
    #expect(throws: BootRefusal.damagedTable) { _ = try map([(0x10_0000, UInt64.max, 1)]) }
  }

  @Test func `the kernel has to lie in memory from its first byte to its last`() throws {
    #expect(throws: BootRefusal.kernelOutsideMemory) { _ = try map([(0x20_0000, 64 << 20, 1)]) }
    #expect(throws: BootRefusal.kernelOutsideMemory) { _ = try map([(0x10_0000, 64 << 20, 1), (0x2F_F000, 1, 2)]) }
    #expect(throws: BootRefusal.tooLittleMemory) { _ = try map([(0x10_0000, 24 << 20 - 4096, 1)]) }
    // A kernel that begins and ends inside pages keeps all of both, whatever gaps it has between its parts.
    let inside = try map([(0x10_0000, 64 << 20, 1)], kernel: ByteRange(start: 0x10_0010, end: 0x2F_F001))
    #expect(pairs(inside.ranges) == [[0x300, 0x4100]])
  }

  @Test(arguments: [64, 128, 256, 1024, 4096] as [UInt64])
  func `the table of frames finds its place in every machine`(gigabytes: UInt64) throws {
    // QEMU's PC: 3 GiB below 4 GiB, the rest above.
    var machine = try map([(0x10_0000, 3 << 30 - 0x12_0000, 1), (1 << 32, (gigabytes - 3) << 30, 1)])
    #expect(machine.isCut == (gigabytes > 1023))
    let byteCount = FrameTable.byteCount(frameCount: machine.frameCount)
    let place = machine.take(frameCount: Page.count(covering: byteCount), .anywhere)
    let table = try #require(place)
    #expect(UInt64(table.raw) << 12 + byteCount <= UInt64(machine.frameCount) << 12)
    let pageTables = machine.take(frameCount: 600, .low)
    #expect(pageTables != nil)
  }

  @Test func `low frames are low and the rest anywhere`() throws {
    var machine = try map([(0x10_0000, 32 << 20, 1), (1 << 32, 1 << 30, 1)])
    func take(_ frameCount: UInt64, _ place: MemoryMap.Place) -> UInt32? {
      machine.take(frameCount: frameCount, place)?.raw
    }
    let taken = [
      take(16 << 8, .low), take(16 << 8, .low), take(16 << 8, .anywhere), take(2 << 18, .anywhere),
      take(UInt64.max, .anywhere), take(0, .low),
    ]
    #expect(taken == [0x300, nil, 1 << 20, nil, nil, nil])
    machine.release(ByteRange(start: 0x10_0000, end: 0x30_0000))
    #expect(pairs(machine.ranges) == [[0x100, 0x300], [0x1300, 0x2100], [0x10_1000, 0x14_0000]])
  }
}
