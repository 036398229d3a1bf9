// Shared memory behind private copies: it keeps its references, however many of its pages are hidden.
import ABI
import Simulation
import Testing

@testable import Memory

@Suite("Chains that end in shared memory")
struct ChainTests {
  @Test
  func `a chain does not grow with the children who keep its links alive, if each link hides the one behind`() throws {
    let machine = SimulatedHardware(frameCount: 4096)
    let parent = try AddressSpace.make(machine.system)
    _ = try parent.map(request(0x10_0000, pages: 8))
    for page in 0..<8 as Range<UInt64> { #expect(parent.store(1, at: 0x10_0000 + page << 12)) }
    var children: [AddressSpace] = []
    for number in 0..<100 as Range<UInt8> {
      #expect(parent.store(number, at: 0x10_0000) && parent.store(number, at: 0x10_1000))
      children.append(try parent.fork())
      machine.drain()
      #expect(chainLength(parent) <= 4)
    }
    for (number, child) in children.enumerated() {
      #expect(child.load(0x10_0000) == UInt8(number) && child.load(0x10_1000) == UInt8(number))
      #expect(child.load(0x10_2000) == 1 && chainLength(child) <= 4)
    }
    for child in children { child.retire() }
    machine.drain()
    #expect(parent.load(0x10_0000) == 99 && parent.load(0x10_7000) == 1)
    parent.retire()
    #expect(machine.leakedFrames == 0 && machine.system.counters.liveObjects == 0)
  }

  /// Objects behind one another that a space's only mapping shows.
  private func chainLength(_ space: AddressSpace) -> Int {
    var length = 0
    var object = space.system.entries[space.first].objectOrNil
    while let next = object {
      length += 1
      object = next.backingObject
    }
    return length
  }

  @Test
  func `shared memory is not passed by, although private copies hide all of it`() throws {
    let machine = SimulatedHardware()
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 3)
    let parent = try AddressSpace.make(machine.system)
    _ = try parent.map(request(0x10_0000, pages: 3, object: object.copy()))
    for page in 0..<3 as Range<UInt64> { #expect(parent.store(1, at: 0x10_0000 + page << 12)) }
    let child = try parent.fork()
    for page in 0..<3 as Range<UInt64> { #expect(child.store(2, at: 0x10_0000 + page << 12)) }
    // The child's copies take over those of the parent, and would be free to look past the object.
    parent.retire()
    machine.drain()
    #expect(machine.system.counters.liveObjects == 2)
    // What fstat(2) shows as the number of links (spec shm.md 3.8).
    #expect(object.object.referenceCount == 2)
    for page in 0..<3 as Range<UInt64> { #expect(child.load(0x10_0000 + page << 12) == 2) }
    child.retire()
    _ = consume object
    #expect(machine.leakedFrames == 0 && machine.system.counters.liveObjects == 0)
  }
}
