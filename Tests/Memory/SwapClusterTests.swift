// Neighbours that go out and come in together: how many transfers that saves, and that an error of one of them is nobody else's.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Swap clusters")
struct SwapClusterTests {
  /// A shared object whose pages hold their numbers.
  private func filled(_ machine: SimulatedHardware, _ pages: UInt64) throws -> VMObjectReference {
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: pages)
    for index in 0..<pages {
      guard case .frame(let frame) = object.object.page(at: index, for: .write) else {
        Issue.record("no page")
        return object
      }
      machine.memory.setByte(UInt8(index + 1), at: frame.address.raw)
    }
    return object
  }

  private func content(_ machine: SimulatedHardware, _ object: VMObject, _ index: UInt64) -> UInt8? {
    guard case .frame(let frame) = object.page(at: index, for: .read) else { return nil }
    return machine.memory.byte(at: frame.address.raw)
  }

  /// What a program finds that asks again when it has waited.
  private func read(_ machine: SimulatedHardware, _ object: VMObject, _ index: UInt64) -> UInt8? {
    while true {
      switch object.page(at: index, for: .read) {
      case .frame(let frame): return machine.memory.byte(at: frame.address.raw)
      case .wait: machine.completeTransfers()
      case .absent, .failed: return nil
      }
    }
  }

  private func pageOut(_ machine: SimulatedHardware) {
    _ = machine.system.makeAvailable(machine.system.managedFrameCount)
    machine.completeTransfers()
    _ = machine.system.makeAvailable(machine.system.managedFrameCount)
  }

  @Test
  func `pages in order go out 32 at a time and come in 16 at a time`() throws {
    // shows: shm 3.12.read-around
    let machine = SimulatedHardware(frameCount: 4096, swapBlocks: 1024)
    let system = machine.system
    let object = try filled(machine, 128)
    pageOut(machine)
    #expect(object.object.swappedCount == 128 && system.counters.swapPagesOut == 128)
    #expect(system.counters.swapWrites == 4 && machine.swap?.transferCounts.writes == 4)
    for index in 0..<128 as Range<UInt64> { #expect(content(machine, object.object, index) == UInt8(index + 1)) }
    #expect(system.counters.swapPagesIn == 128)
    #expect(system.counters.swapReads == 8 && machine.swap?.transferCounts.reads == 8)
    // What was only read goes without a transfer.
    pageOut(machine)
    #expect(object.object.swappedCount == 128 && system.counters.swapWrites == 4)
    // In the other direction, too.
    for index in (0..<128 as Range<UInt64>).reversed() {
      #expect(content(machine, object.object, index) == UInt8(index + 1))
    }
    #expect(system.counters.swapReads == 16)
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0 && machine.violations.isEmpty)
  }

  @Test
  func `while memory is short a page is read alone`() throws {
    let machine = SimulatedHardware(frameCount: 1024, swapBlocks: 256)
    let system = machine.system
    let object = try filled(machine, 32)
    pageOut(machine)
    var taken: [FrameNumber] = []
    while !system.isShort, let frame = system.allocateKernelFrame() { taken.append(frame) }
    let reads = system.counters.swapReads
    #expect(content(machine, object.object, 3) == 4 && object.object.residentCount == 1)
    #expect(system.counters.swapReads == reads + 1)
    for frame in taken { system.freeKernelFrame(frame) }
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `pages that were used lately, wired or waited for do not go along`() throws {
    let machine = SimulatedHardware(frameCount: 1024, swapBlocks: 256)
    let system = machine.system
    let object = try filled(machine, 16)
    // One look at each takes note that they were used.
    system.reclaim(budget: 0)
    guard case .frame(let waited) = object.object.page(at: 5, for: .read) else { throw Errors.noFrame }
    system.beginWait(waited)
    pageOut(machine)
    #expect(object.object.residentCount == 1 && object.object.swappedCount == 15)
    #expect(object.object.inspectPage(at: 5) == .resident(waited))
    system.endWait(waited)
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test(arguments: [false, true])
  func `a block that cannot be read fails nobody but who needs its page`(isSlow: Bool) throws {
    let machine = SimulatedHardware(frameCount: 1024, swapBlocks: 256)
    let system = machine.system
    let object = try filled(machine, 16)
    pageOut(machine)
    guard case .swapped(let bad) = object.object.inspectPage(at: 7) else { throw Errors.noFrame }
    machine.swap?.behaviour.badBlocks = [bad.raw]
    if isSlow { machine.swap?.behaviour.immediateOneIn = Int.max }
    for index in 0..<16 as Range<UInt64> {
      #expect(read(machine, object.object, index) == (index == 7 ? nil : UInt8(index + 1)))
    }
    #expect(object.object.residentCount == 15 && object.object.swappedCount == 1)
    // It is an error of the moment: the page is still there when the block can be read.
    machine.swap?.behaviour.badBlocks = []
    #expect(read(machine, object.object, 7) == 8)
    _ = consume object
    machine.drain()
    machine.completeTransfers()
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0 && machine.violations.isEmpty)
  }

  @Test(arguments: [false, true])
  func `pages whose write fails stay, changed as they are`(isSlow: Bool) throws {
    let machine = SimulatedHardware(frameCount: 1024, swapBlocks: 256)
    let system = machine.system
    let object = try filled(machine, 48)
    machine.swap?.behaviour.failsWrites = true
    if isSlow { machine.swap?.behaviour.immediateOneIn = Int.max }
    pageOut(machine)
    machine.completeTransfers()
    #expect(object.object.residentCount == 48 && system.usedSwapBlockCount == 0 && system.counters.swapPagesOut == 0)
    machine.swap?.behaviour.failsWrites = false
    machine.swap?.behaviour.immediateOneIn = 1
    system.forgetFutility()
    pageOut(machine)
    #expect(object.object.swappedCount == 48)
    for index in 0..<48 as Range<UInt64> { #expect(content(machine, object.object, index) == UInt8(index + 1)) }
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0 && machine.violations.isEmpty)
  }

  @Test
  func `the laundry writes ahead as many pages as were reclaimed, and they go without a transfer then`() throws {
    let machine = SimulatedHardware(frameCount: 2048, swapBlocks: 512)
    let system = machine.system
    let object = try filled(machine, 200)
    // Nothing was reclaimed yet.
    #expect(!system.launder(budget: 1000) && system.counters.swapWrites == 0)
    // The first hundred or so go, the others had their second chance.
    _ = system.makeAvailable(system.freeFrameCount - system.reserveFrameCount + 40)
    let freed = 200 - object.object.residentCount
    let writes = system.counters.swapPagesOut
    #expect(freed > 0)
    while system.launder(budget: 64) {}
    let ahead = system.counters.swapPagesOut - writes
    #expect(ahead <= freed + 32)
    let transfers = system.counters.swapWrites
    _ = system.makeAvailable(system.freeFrameCount - system.reserveFrameCount + min(8, ahead))
    #expect(system.counters.swapWrites == transfers || ahead == 0)
    for index in 0..<200 as Range<UInt64> { #expect(content(machine, object.object, index) == UInt8(index + 1)) }
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0)
  }

  private enum Errors: Error { case noFrame }
}
