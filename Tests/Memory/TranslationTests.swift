// What the processor may remember and what the tables must: invalidations and dirty marks when rights and pages change.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Translations")
struct TranslationTests {
  private let area: UInt64 = 0x10_0000

  private func permits(_ machine: SimulatedHardware, page: UInt64, _ access: MemoryAccess) -> Bool {
    (try? machine.processor.memoryUnit.translate(area + page << 12, access)) != nil
  }

  @Test(arguments: [10, 32, 33, 100])
  func `up to 32 pages that lose a right are forgotten one by one, more all at once`(pages: Int) throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    space.activate()
    _ = try space.map(request(area, pages: UInt64(pages)))
    for page in 0..<UInt64(pages) { #expect(space.store(1, at: area + page << 12)) }
    let before = machine.processor.invalidationCount
    try space.protect(range(area, pages: UInt64(pages)), [.read], maximum: nil)
    #expect(machine.processor.invalidationCount - before == (pages > 32 ? 1 : pages))
    // Nothing to take, nothing to say.
    try space.protect(range(area, pages: UInt64(pages)), [.read, .write], maximum: nil)
    #expect(machine.processor.invalidationCount - before == (pages > 32 ? 1 : pages))
    space.retire()
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `a page that leaves its object is forgotten by the processor`() throws {
    let machine = SimulatedHardware()
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 4)
    let space = try AddressSpace.make(machine.system)
    space.activate()
    _ = try space.map(request(area, pages: 4, sharing: .shared, object: object.copy()))
    for page in 0..<4 as Range<UInt64> { #expect(space.store(1, at: area + page << 12)) }
    for page in 0..<4 as Range<UInt64> { #expect(permits(machine, page: page, .write)) }
    let before = machine.processor.invalidationCount
    try object.object.resize(toPageCount: 1)
    #expect(machine.processor.invalidationCount - before == 3)
    for page in (0..<4 as Range<UInt64>).reversed() { #expect(permits(machine, page: page, .read) == (page == 0)) }
    space.retire()
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `a page keeps its dirty mark when a fault only adds a right to its translation`() throws {
    let machine = SimulatedHardware(swapBlocks: 20)
    let space = try AddressSpace.make(machine.system)
    _ = try space.map(request(area, pages: 1))
    #expect(space.store(42, at: area))
    try space.protect(range(area, pages: 1), [.read, .execute], maximum: nil)
    // The page is there, without the right to execute: the fault enters the same frame once more.
    guard case .resolved = space.resolveFault(at: VirtualAddress(area), .execute) else {
      Issue.record("the fetch did not succeed")
      return
    }
    _ = machine.system.makeAvailable(machine.system.managedFrameCount)
    #expect(machine.system.usedSwapBlockCount == 1 && space.residentPageCount == 0)
    #expect(space.load(area) == 42)
    space.retire()
    #expect(machine.leakedFrames == 0)
  }
}
