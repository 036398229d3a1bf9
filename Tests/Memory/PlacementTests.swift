// Where mappings without an address of their own go: below a limit, and into gaps that alignment makes smaller.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Placement of mappings")
struct PlacementTests {
  private func map(
    _ space: AddressSpace, _ address: UInt64, pages: UInt64, _ placement: Placement = .fixed,
    alignment: UInt64 = Page.byteCount, limit: UInt64 = UserSpace.end
  ) -> UInt64? {
    var wanted = request(address, pages: pages, [], placement: placement)
    wanted.alignment = alignment
    wanted.limit = limit
    return try? space.map(wanted).raw
  }

  @Test
  func `a mapping ends at the limit, too`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    let limit: UInt64 = 1 << 31
    let taken = (limit - UserSpace.start) >> 12 - 2
    #expect(map(space, UserSpace.start, pages: taken) != nil)
    #expect(map(space, 0, pages: 3, .anywhere, limit: limit) == nil)
    #expect(map(space, 0, pages: 2, .anywhere, limit: limit) == limit - 8192)
    #expect(map(space, 0, pages: 1, .anywhere, limit: limit) == nil)
    #expect(map(space, 0, pages: 1, .anywhere) == limit)
    space.retire()
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `a gap that has room, but not behind an aligned address, is passed over`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    // Two pages are free behind 0x11_1000, and then everything from 0x13_0000 on.
    #expect(map(space, 0x10_0000, pages: 0x11) != nil)
    #expect(map(space, 0x11_3000, pages: 0x1D) != nil)
    #expect(map(space, 0x10_0000, pages: 2, .anywhere, alignment: 1 << 16) == 0x13_0000)
    #expect(map(space, 0x10_0000, pages: 2, .anywhere) == 0x11_1000)
    #expect(space.entryCount == 1 && space.virtualByteCount == 0x32 << 12)
    space.retire()
    #expect(machine.leakedFrames == 0)
  }
}
