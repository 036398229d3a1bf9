// Swap: the allocator's climb through its levels, devices that do not fit, transfers that fail, and running out of blocks.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

/// A device of any size that holds nothing.
private final class EmptyDevice: BlockDevice {
  let blockCount: UInt32
  let mostPagesPerTransfer = 1
  let takesMemory = false
  let writeCost = 1
  init(blockCount: UInt32) { self.blockCount = blockCount }
  func transfer(
    _ direction: TransferDirection, block: UInt32, frames: Span<FrameNumber>
  ) -> TransferStatus { .failed }
  func discard(block: UInt32) {}
}

@Suite("Swap")
struct SwapTests {
  @Test(arguments: [100, 4097, 300_000] as [UInt32])
  func `a lone free block is found from wherever the search stands`(count: UInt32) {
    let frames = Int(SwapBlockAllocator.byteCount(blockCount: count) / 4096) + 2
    let memory = SimulatedMemory(frameCount: frames)
    defer { extendLifetime(memory) }
    var allocator = SwapBlockAllocator(memory.physical, at: PhysicalAddress(0), blockCount: count)
    for _ in 1..<count { _ = allocator.allocate() }
    #expect(allocator.allocate() == nil && allocator.freeCount == 0)
    // The search starts behind the block that was found last.
    let last = count - 1
    for block in [last, 1, 64, last / 2, last / 2 - 1, 63, last, 65, 2, last - 64] {
      allocator.free(block)
      #expect(allocator.isFree(block) && allocator.freeCount == 1)
      #expect(allocator.allocate() == block)
      #expect(!allocator.isFree(block))
    }
    #expect(allocator.allocate() == nil)
    // Of two, the one behind the last found comes first.
    allocator.free(last)
    #expect(allocator.allocate() == last)
    for block in [3, last] { allocator.free(block) }
    #expect(allocator.allocate() == 3)
    #expect(allocator.allocate() == last)
  }

  @Test
  func `up to eight swap devices are attached, each only if it has blocks and its tables fit`() {
    let machine = SimulatedHardware()
    #expect(machine.system.usedSwapBlockCount == 0 && !machine.system.inspectIsTaken(SwapBlock(1)))
    #expect(!machine.system.attachSwap(EmptyDevice(blockCount: 1)))
    #expect(!machine.system.attachSwap(EmptyDevice(blockCount: UInt32.max)))
    #expect(machine.system.freeFrameCount == machine.initialFreeFrameCount && machine.system.accounting.swapTotal == 0)
    // The bitmap of 100,000 blocks takes four frames, the table of their owners 391.
    #expect(machine.system.attachSwap(EmptyDevice(blockCount: 100_000)))
    #expect(machine.initialFreeFrameCount - machine.system.freeFrameCount == 395)
    #expect(machine.system.accounting.swapTotal == 99_999)
    for count in 1..<8 {
      #expect(machine.system.attachSwap(EmptyDevice(blockCount: 100)))
      #expect(machine.system.accounting.swapTotal == UInt64(99_999 + count * 99))
    }
    #expect(!machine.system.attachSwap(EmptyDevice(blockCount: 100)))
  }

  @Test
  func `a RAM disk keeps its blocks apart and refuses what lies behind its end`() {
    let machine = SimulatedHardware(frameCount: 200)
    let disk = RAMDisk(machine.memory.physical, at: FrameNumber(180).address, blockCount: 10)
    let frames = [FrameNumber(100), FrameNumber(101), FrameNumber(102)]
    for (index, frame) in frames.enumerated() {
      machine.memory.setBytes([UInt8](repeating: UInt8(index + 1), count: 4096), at: frame.address.raw)
    }
    func move(_ direction: TransferDirection, _ block: UInt32, _ frames: FrameNumber...) -> TransferStatus {
      disk.transfer(direction, block: block, frames: frames.span)
    }
    #expect(move(.write, 9, frames[1], frames[0]) == .failed)
    #expect(move(.write, 0, frames[0]) == .done)
    #expect(move(.write, 9, frames[1]) == .done)
    #expect(move(.write, 10, frames[2]) == .failed)
    #expect(move(.read, UInt32.max, frames[2]) == .failed)
    #expect(machine.memory.byte(at: frames[2].address.raw) == 3)
    #expect(move(.read, 9, frames[2]) == .done)
    #expect(machine.memory.bytes(at: frames[2].address.raw, byteCount: 4096) == [UInt8](repeating: 2, count: 4096))
    #expect(move(.read, 0, frames[2]) == .done)
    #expect(machine.memory.byte(at: frames[2].address.raw + 4095) == 1)
  }

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

  /// Looks for frames until the pages have had their second chance.
  private func pageOut(_ machine: SimulatedHardware) {
    _ = machine.system.makeAvailable(machine.system.freeFrameCount)
  }

  @Test
  func `a page that cannot be written out stays in memory, dirty, and its block is free again`() throws {
    let machine = SimulatedHardware(swapBlocks: 20)
    let system = machine.system
    let object = try filled(machine, 1)
    // The frame was used a moment ago: the first look takes note, the second writes.
    system.services.failures.fail(.transfer, number: 1)
    pageOut(machine)
    #expect(system.services.failures.count(.transfer) >= 1)
    system.services.failures.disarm()
    #expect(system.counters.swapPagesOut <= 1)
    #expect(content(machine, object.object, 0) == 1)
    pageOut(machine)
    #expect(object.object.swappedCount == 1 && system.usedSwapBlockCount == 1)
    #expect(content(machine, object.object, 0) == 1)
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0)
  }

  @Test
  func `a page that cannot be read stays in swap, and the next who asks may be luckier`() throws {
    // shows: shm 3.12.swap-error
    let machine = SimulatedHardware(swapBlocks: 20)
    machine.swap?.mostPagesPerTransfer = 1
    let system = machine.system
    let object = try filled(machine, 2)
    pageOut(machine)
    #expect(object.object.swappedCount == 2)
    let free = system.freeFrameCount
    system.services.failures.fail(.transfer, number: 1)
    guard case .failed = object.object.page(at: 1, for: .write) else {
      Issue.record("the read did not fail")
      return
    }
    #expect(system.freeFrameCount == free && object.object.swappedCount == 2 && object.object.residentCount == 0)
    #expect(content(machine, object.object, 1) == 2)
    let space = try AddressSpace.make(system)
    _ = try space.map(request(0x10_0000, pages: 2, sharing: .shared, object: object.copy()))
    system.services.failures.disarm()
    system.services.failures.fail(.transfer, number: 1)
    // A program gets SIGBUS, an object error, and only for this access.
    guard case .signal(.sigbus, .busObject) = space.resolveFault(at: VirtualAddress(0x10_0000), .read) else {
      Issue.record("no SIGBUS")
      return
    }
    guard case .resolved = space.resolveFault(at: VirtualAddress(0x10_0000), .read) else {
      Issue.record("still no page")
      return
    }
    #expect(space.load(0x10_0000) == 1)
    space.retire()
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0)
  }

  @Test
  func `a page that somebody waits for stays until he has had it`() throws {
    let machine = SimulatedHardware(swapBlocks: 20)
    let object = try filled(machine, 2)
    guard case .frame(let frame) = object.object.page(at: 1, for: .read) else {
      Issue.record("no page")
      return
    }
    machine.system.beginWait(frame)
    for _ in 0..<3 { pageOut(machine) }
    #expect(object.object.residentCount == 1 && object.object.swappedCount == 1)
    guard case .frame(frame) = object.object.page(at: 1, for: .read) else {
      Issue.record("another page")
      return
    }
    machine.system.endWait(frame)
    pageOut(machine)
    #expect(object.object.residentCount == 0 && object.object.swappedCount == 2)
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `a page that somebody waits for while it is written stays for him`() throws {
    let hardware = SimulatedHardware.withSlowDevice()
    let system = hardware.system
    let object = try VMObject.make(system, .anonymous, pageCount: 1)
    guard case .frame(let frame) = object.object.page(at: 0, for: .write) else {
      Issue.record("no page")
      return
    }
    _ = system.makeAvailable(system.managedFrameCount)
    guard case .wait(.page(frame)) = object.object.page(at: 0, for: .read) else {
      Issue.record("the page is not on its way")
      return
    }
    system.beginWait(frame)
    hardware.completeTransfers()
    guard case .frame(frame) = object.object.page(at: 0, for: .read) else {
      Issue.record("another page")
      return
    }
    system.endWait(frame)
    _ = consume object
    while !system.drainTeardown(budget: 7) {}
    #expect(system.usedSwapBlockCount == 0)
  }

  @Test
  func `pages wait in the laundry while there is no block, and are written when there is one again`() throws {
    // shows: shm 3.20.pages
    let machine = SimulatedHardware(swapBlocks: 4)
    let system = machine.system
    let object = try filled(machine, 6)
    pageOut(machine)
    #expect(object.object.swappedCount == 3 && object.object.residentCount == 3)
    #expect(system.queues.laundry.count == 3)
    for index in 0..<6 as Range<UInt64> { #expect(content(machine, object.object, index) != nil) }
    // Reading a page in keeps its block; writing gives it up.
    #expect(system.swap?.freeCount == 0)
    for index in 0..<6 as Range<UInt64> { _ = object.object.page(at: index, for: .write) }
    #expect(system.swap?.freeCount == 3)
    pageOut(machine)
    #expect(object.object.swappedCount == 3)
    for index in 0..<6 as Range<UInt64> { #expect(content(machine, object.object, index) == UInt8(index + 1)) }
    _ = consume object
    #expect(machine.leakedFrames == 0 && system.usedSwapBlockCount == 0)
  }

  @Test
  func `a block that may not be had is no reason to lose a page`() throws {
    let machine = SimulatedHardware(swapBlocks: 20)
    let object = try filled(machine, 1)
    machine.system.services.failures.fail(.swapBlock, number: 1)
    pageOut(machine)
    #expect(machine.system.services.failures.count(.swapBlock) >= 1)
    machine.system.services.failures.disarm()
    #expect(content(machine, object.object, 0) == 1)
    _ = consume object
    #expect(machine.leakedFrames == 0 && machine.system.usedSwapBlockCount == 0)
  }

  @Test
  func `reservations are refused beyond swap, or beyond swap and memory, or when they cannot be counted`() throws {
    let machine = SimulatedHardware(frameCount: 1024, swapBlocks: 101)
    let object = try filled(machine, 20)
    let start = machine.system.accounting.reserved
    // What the kernel keeps for itself, and the reserve, are not for programs (shm.md 2.6); what they have is.
    let physical = UInt64(machine.system.freeFrameCount + 20 - machine.system.reserveFrameCount)
    #expect(physical + 8 < machine.system.managedFrameCount)
    func reserve(_ pages: UInt64) -> Bool { (try? machine.system.reserve(pages, for: nil)) != nil }
    machine.system.setOvercommit(1)
    #expect(!reserve(101 - start) && reserve(100 - start) && !reserve(1))
    machine.system.setOvercommit(5)
    #expect(!reserve(physical + 1) && reserve(physical) && !reserve(1))
    machine.system.setOvercommit(0)
    let reserved = machine.system.accounting.reserved
    #expect(reserved == 100 + physical)
    #expect(!reserve(UInt64.max - reserved + 1) && reserve(UInt64.max - reserved))
    machine.system.release(UInt64.max - start, of: nil)
    _ = consume object
    #expect(machine.leakedFrames == 0 && machine.system.accounting.reserved == 0)
  }

  @Test
  func `reclaim leaves the pages of an object that is being torn down to the teardown`() throws {
    let machine = SimulatedHardware(frameCount: 256, swapBlocks: 64)
    let reference = try VMObject.make(machine.system, .sharedMemory, pageCount: 8)
    for index in 0..<UInt64(8) {
      guard case .frame = reference.object.page(at: index, for: .write) else {
        Issue.record("no frame for page \(index)")
        return
      }
    }
    _ = consume reference
    let free = machine.system.freeFrameCount
    let blocks = machine.system.usedSwapBlockCount
    _ = machine.system.makeAvailable(machine.system.managedFrameCount)
    #expect(machine.system.freeFrameCount == free && machine.system.usedSwapBlockCount == blocks)
    #expect(machine.leakedFrames == 0)
  }
}
