// Pages of ordinary objects that lie and are mapped as one of 2 MiB: reservations, promotion, splitting, and what ends them.
import ABI
import Primitives
import Simulation
import Testing

@testable import Memory

/// A machine with blocks of 2 MiB, an object of three of them, and spaces that show it.
final class SuperpageMachine {
  static let twoMiB: UInt64 = 2 << 20
  let machine: SimulatedHardware
  let object: VMObjectReference
  var system: MemorySystem { machine.system }

  init(frames: Int = 8192, swapBlocks: UInt32 = 0, pages: UInt64 = 1536) throws {
    machine = SimulatedHardware(frameCount: frames, swapBlocks: swapBlocks)
    object = try VMObject.make(machine.system, .sharedMemory, pageCount: pages)
  }

  func space() throws -> AddressSpace {
    let space = try AddressSpace.make(system)
    space.activate()
    return space
  }

  func map(
    _ space: AddressSpace, at address: UInt64 = 1 << 30, pages: UInt64 = 1536,
    _ protection: Protection = [.read, .write],
    sharing: Sharing = .shared
  ) throws {
    _ = try space.map(request(address, pages: pages, protection, sharing: sharing, object: object.copy()))
  }

  /// Stores a value to each of some pages.
  func fill(_ space: AddressSpace, _ pages: Range<UInt64>, _ value: UInt8, at address: UInt64 = 1 << 30) {
    space.activate()
    for page in pages where !space.store(value, at: address + page << 12) { Issue.record("a store of \(page) failed") }
  }

  func problems(_ spaces: [AddressSpace]) -> [String] {
    InvariantChecker.problems(machine, spaces: spaces, holding: [object.object], withContents: true)
      + inspection(spaces) + machine.processor.memoryUnit.staleEntries().map { "\($0)" }
  }

  /// What the kernel's own inspection finds.
  private func inspection(_ spaces: [AddressSpace]) -> [String] {
    var inspector = MemoryInspector(system)
    for space in spaces { inspector.visit(space) }
    inspector.visit(object)
    inspector.finish()
    return inspector.violation.map { ["\($0): \(inspector.detail)"] } ?? []
  }

  func leaves(_ space: AddressSpace) -> Int { space.tables.largeLeafCount }
}

@Suite("Pages of 2 MiB for ordinary objects") struct SuperpageTests {
  private let twoMiB = SuperpageMachine.twoMiB
  private let base: UInt64 = 1 << 30

  @Test func `an object that is filled is mapped by large leaves, and the next to use it needs one fault for each`()
    throws
  {
    let machine = try SuperpageMachine()
    let (first, second) = (try machine.space(), try machine.space())
    try machine.map(first)
    try machine.map(second)
    machine.fill(first, 0..<1535, 7)
    #expect(machine.leaves(first) == 2 && machine.system.counters.promotions == 2)
    #expect(machine.problems([first, second]) == [])
    let faults = machine.system.counters.faults
    machine.fill(second, 3..<4, 9)
    #expect(machine.leaves(second) == 1 && second.residentPageCount == 512)
    machine.fill(second, 4..<900, 9)
    #expect(machine.leaves(second) == 2 && machine.system.counters.faults - faults == 2)
    first.activate()
    #expect(first.load(base + 899 << 12) == 9 && first.load(base + 900 << 12) == 7)
    #expect(machine.problems([first, second]) == [])
    first.retire()
    second.retire()
  }

  @Test func `private memory that begins anywhere has its large leaves where the address wants them`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    let start = base - 77 << 12
    _ = try space.map(request(start, pages: 1200))
    machine.fill(space, 0..<1200, 5, at: start)
    #expect(machine.leaves(space) == 2)
    #expect(machine.problems([space]) == [])
    try space.unmap(range(start + 300 << 12, pages: 1))
    #expect(machine.leaves(space) == 1 && space.load(start + 299 << 12) == 5 && space.load(start + 300 << 12) == nil)
    #expect(machine.problems([space]) == [])
    space.retire()
  }

  @Test func `what is shown at an address that does not fit stays small`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    try machine.map(space, at: base + 4096)
    machine.fill(space, 0..<1536, 5, at: base + 4096)
    #expect(machine.leaves(space) == 0 && space.residentPageCount == 1536)
    #expect(machine.problems([space]) == [])
    space.retire()
  }

  @Test func `an object of 2 MiB or more is put where large leaves can show it, unless the caller has a wish`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    func place(_ pages: UInt64, offset: UInt64 = 0, isWish: Bool = false) throws -> UInt64 {
      var wanted = request(
        0x10_0000, pages: pages, sharing: .shared, placement: .anywhere, object: machine.object.copy())
      wanted.offset = offset
      wanted.isWish = isWish
      return try space.map(wanted).raw
    }
    #expect(try place(511) == 0x10_0000)
    #expect(try place(512) == 4 << 20)
    #expect(try place(1000, offset: 100) == 6 << 20 + 100 << 12)
    // Of these pages no whole block lies together.
    #expect(try place(600, offset: 400) % twoMiB != 400 << 12)
    let last = try place(1024, isWish: true)
    #expect(last % (2 << 20) != 0)
    space.retire()
  }

  @Test func `pages that were only read are shown as a whole where nobody may store, and stay clean`() throws {
    let machine = try SuperpageMachine()
    let (reader, writer) = (try machine.space(), try machine.space())
    try machine.map(reader, [.read])
    try machine.map(writer)
    reader.activate()
    for page in 0..<512 as Range<UInt64> { #expect(reader.load(base + page << 12) == 0) }
    #expect(machine.leaves(reader) == 1)
    writer.activate()
    for page in 0..<512 as Range<UInt64> { #expect(writer.load(base + page << 12) == 0) }
    #expect(machine.leaves(writer) == 0)
    machine.fill(writer, 100..<101, 1)
    #expect(machine.problems([reader, writer]) == [])
    // Nothing but one page differs from zeros: all the others could go without a place in swap.
    reader.retire()
    writer.retire()
    machine.machine.drain()
    var dirty: [UInt64] = []
    for page in 0..<512 as Range<UInt64> {
      guard case .resident(let frame) = machine.object.object.inspectPage(at: page) else { continue }
      if machine.system.inspectIsDirty(frame) { dirty.append(page) }
    }
    #expect(dirty == [100] && machine.object.object.residentCount == 512)
  }

  @Test func `a child sees large leaves too, and what either stores goes to a copy`() throws {
    let machine = try SuperpageMachine()
    let parent = try machine.space()
    _ = try parent.map(request(base, pages: 1024))
    machine.fill(parent, 0..<1024, 3)
    #expect(machine.leaves(parent) == 2)
    do {
      let child = try parent.fork()
      child.activate()
      #expect(child.load(base + 5 << 12) == 3 && machine.leaves(child) == 1)
      #expect(child.store(4, at: base + 6 << 12))
      #expect(child.load(base + 6 << 12) == 4 && child.load(base + 7 << 12) == 3 && machine.leaves(child) == 0)
      parent.activate()
      #expect(parent.load(base + 6 << 12) == 3 && machine.leaves(parent) == 2)
      #expect(parent.store(8, at: base + 600 << 12))
      child.activate()
      #expect(child.load(base + 600 << 12) == 3)
      #expect(machine.problems([parent, child]) == [])
      child.retire()
    }
    machine.machine.drain()
    parent.activate()
    let faults = machine.system.counters.faults
    // The block that nobody has stored to was taken over as it is.
    machine.fill(parent, 0..<512, 9)
    #expect(machine.system.counters.faults - faults == 1 && machine.leaves(parent) == 1)
    #expect(parent.load(base + 600 << 12) == 8)
    #expect(machine.problems([parent]) == [])
    parent.retire()
  }

  @Test func `a hole in a block ends its leaves in every space, and filling it makes new ones`() throws {
    let machine = try SuperpageMachine()
    let (first, second) = (try machine.space(), try machine.space())
    try machine.map(first)
    try machine.map(second)
    machine.fill(first, 0..<1024, 7)
    machine.fill(second, 0..<1024, 8)
    #expect(machine.leaves(first) == 2 && machine.leaves(second) == 2)
    machine.object.object.removePages(from: 512, to: 514, machine.system)
    #expect(machine.leaves(first) == 1 && machine.leaves(second) == 1)
    #expect(machine.problems([first, second]) == [])
    first.activate()
    #expect(first.load(base + 513 << 12) == 0 && first.load(base + 514 << 12) == 8)
    machine.fill(first, 512..<1024, 2)
    #expect(machine.leaves(first) == 2)
    second.activate()
    #expect(second.load(base + 513 << 12) == 2)
    #expect(machine.problems([first, second]) == [])
    first.retire()
    second.retire()
  }

  @Test func `unused frames of reserved blocks are free, and go to others when nothing else is left`() throws {
    let machine = try SuperpageMachine(frames: 4096, pages: 1 << 20)
    let space = try machine.space()
    try machine.map(space, pages: 1 << 20)
    let before = machine.system.freeFrameCount
    for group in 0..<6 as Range<UInt64> { machine.fill(space, group * 512..<group * 512 + 1, 1) }
    #expect(machine.system.partialReservations.count > 0)
    #expect(before - machine.system.freeFrameCount < 60)
    var taken: [FrameNumber] = []
    while let frame = machine.system.allocateKernelFrame(.reserve) { taken.append(frame) }
    #expect(machine.system.freeFrameCount == 0 && machine.system.partialReservations.count == 0)
    #expect(Set(taken.map(\.raw)).count == taken.count && machine.system.counters.reservationsBroken > 0)
    for frame in taken { machine.system.freeKernelFrame(frame) }
    #expect(machine.problems([space]) == [])
    space.retire()
  }

  @Test func `what is written out leaves its block, and comes back as it was`() throws {
    let machine = try SuperpageMachine(frames: 4096, swapBlocks: 2048)
    let space = try machine.space()
    try machine.map(space)
    for page in 0..<1536 as Range<UInt64> { machine.fill(space, page..<page + 1, UInt8(truncatingIfNeeded: page)) }
    #expect(machine.leaves(space) > 0)
    machine.system.forgetFutility()
    _ = machine.system.makeAvailable(1200)
    #expect(machine.system.counters.swapPagesOut > 500)
    #expect(machine.problems([space]) == [])
    for page in 0..<1536 as Range<UInt64> { #expect(space.load(base + page << 12) == UInt8(truncatingIfNeeded: page)) }
    #expect(machine.problems([space]) == [])
    space.retire()
  }

  @Test func `wired pages are small, and a leaf is split for them`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    try machine.map(space)
    machine.fill(space, 0..<512, 7)
    #expect(machine.leaves(space) == 1)
    var pending = PendingWiring(range(base + 8 << 12, pages: 2))
    var budget = Int.max
    _ = try space.wire(&pending, &budget)
    #expect(machine.leaves(space) == 0 && space.residentPageCount == 512)
    #expect(machine.problems([space]) == [])
    space.retire()
  }

  @Test func `everything comes back when object and spaces go`() throws {
    let machine = SimulatedHardware(frameCount: 8192)
    do {
      let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 1536)
      let space = try AddressSpace.make(machine.system)
      _ = try space.map(request(base, pages: 1536, sharing: .shared, object: object.copy()))
      space.activate()
      for page in 0..<1100 as Range<UInt64> { #expect(space.store(1, at: base + page << 12)) }
      space.retire()
    }
    #expect(machine.leakedFrames == 0)
    #expect(machine.system.partialReservations.isEmpty && machine.system.counters.reservationsFreed == 3)
  }

  // MARK: Faults that are planted

  @Test func `a leaf over a block of which one page is another's is noticed`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    defer { space.retire() }
    try machine.map(space)
    machine.fill(space, 0..<511, 7)
    guard case .resident(let frame) = machine.object.object.pages.lookup(0, machine.system.indexNodes) else { return }
    // As if the block had been taken for full.
    let first = frame.block.firstOfBlock
    let isEntered = space.tables.enter(first, at: base, .large, allowing: .read, for: .read, machine.system)
    #expect(isEntered && !machine.problems([space]).isEmpty)
  }

  @Test func `a split that forgets what was stored is noticed`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    defer { space.retire() }
    try machine.map(space)
    machine.fill(space, 0..<512, 7)
    try space.unmap(range(base, pages: 1))
    let dirty = PageTableEntry.dirty
    var slots: [PhysicalAddress] = []
    space.inspectTables { slot, address, level, _ in if level == 0 && address == base + 4096 { slots.append(slot) } }
    for slot in slots { _ = machine.system.physical.clear(bits: dirty, at: slot) }
    machine.machine.processor.memoryUnit.invalidateAll()
    #expect(slots.count == 1)
    #expect(machine.problems([space]).contains { $0.contains("is clean") || $0.contains("clean page") })
  }

  @Test func `a large leaf that goes without a word to the processor is noticed`() throws {
    let machine = try SuperpageMachine()
    let space = try machine.space()
    defer { space.retire() }
    try machine.map(space)
    machine.fill(space, 0..<512, 7)
    _ = try? machine.machine.processor.memoryUnit.translate(base + 0x5000, .read)
    space.inspectTables { slot, address, level, entry in
      if PageTableEntry.isLeaf(entry, level: level) && level == 1 { machine.system.physical.store(0, at: slot) }
    }
    #expect(!machine.machine.processor.memoryUnit.staleEntries().isEmpty)
  }
}
