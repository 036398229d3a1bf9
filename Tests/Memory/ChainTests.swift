// Shared memory behind private copies: it keeps its references, however many of its pages are hidden.
import ABI
import Simulation
import Testing

@testable import Memory

@Suite("Chains that end in shared memory")
struct ChainTests {
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
