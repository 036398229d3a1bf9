// Mappings at their edges: no room, limits of protection, failures half-way, and what the processor may still know.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Mappings at their edges")
struct MappingTests {
  /// Whether the processor itself lets a program do this now.
  private func permits(_ machine: SimulatedHardware, _ address: UInt64, _ access: MemoryAccess) -> Bool {
    (try? machine.processor.memoryUnit.translate(address, access)) != nil
  }

  private func finish(_ machine: SimulatedHardware, _ spaces: AddressSpace...) {
    for space in spaces { space.retire() }
    #expect(machine.leakedFrames == 0)
    #expect(machine.system.accounting.reserved == 0)
    #expect(machine.system.counters.liveObjects == 0)
    #expect(machine.processor.memoryUnit.violations.isEmpty)
  }

  @Test
  func `a mapping without an address goes behind the hint, or else anywhere, or nowhere`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    let end = UserSpace.end
    func place(_ hint: UInt64, _ pages: UInt64) -> UInt64? {
      (try? space.map(request(hint, pages: pages, [], placement: .anywhere)))?.raw
    }
    #expect(place(end - 4096, 1) == end - 4096)
    // Nothing is left behind the hint.
    #expect(place(end - 4096, 1) == UserSpace.start)
    #expect(place(end, 1) == UserSpace.start + 4096)
    #expect(place(end - 8192, 2) == UserSpace.start + 8192)
    let rest = (end - 4096 - UserSpace.start - 16384) >> 12
    #expect(place(0, rest + 1) == nil)
    #expect(place(0, end >> 12) == nil)
    #expect(place(0, rest) == UserSpace.start + 16384)
    #expect(place(0, 1) == nil)
    finish(machine, space)
  }

  @Test
  func `an aligned mapping finds the first aligned gap`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    func place(_ hint: UInt64, _ pages: UInt64, alignment: UInt64) -> UInt64? {
      var wanted = request(hint, pages: pages, [], placement: .anywhere)
      wanted.alignment = alignment
      return try? space.map(wanted).raw
    }
    #expect(place(0x10_0000, 1, alignment: 4096) == 0x10_0000)
    #expect(place(0x10_0000, 1, alignment: 2 << 20) == 0x20_0000)
    #expect(place(0x10_0000, 512, alignment: 2 << 20) == 0x40_0000)
    #expect(place(0x10_0000, 1, alignment: 1 << 16) == 0x11_0000)
    #expect(place(0, 1, alignment: UserSpace.end) == nil)
    finish(machine, space)
  }

  @Test
  func `fixed mappings outside user space are refused, and so is what does not fit in front of another`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    for (address, pages) in [(0, 1), (UserSpace.end, 1), (UserSpace.end - 4096, 2)] as [(UInt64, UInt64)] {
      #expect(throws: Errno.enomem) { try space.map(request(address, pages: pages)) }
      #expect(throws: Errno.enomem) { try space.map(request(address, pages: pages, placement: .exclusive)) }
    }
    _ = try space.map(request(0x10_2000, pages: 1))
    #expect(throws: Errno.enomem) { try space.map(request(0x10_0000, pages: 3, placement: .exclusive)) }
    _ = try space.map(request(0x10_0000, pages: 2, placement: .exclusive))
    _ = try space.map(request(0x10_3000, pages: 2, placement: .exclusive))
    #expect(space.entryCount == 1 && space.virtualByteCount == 5 << 12)
    finish(machine, space)
  }

  @Test
  func `a shared mapping without an object is shared with children from the first fork on`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    _ = try space.map(request(0x10_0000, pages: 2, sharing: .shared))
    #expect(machine.system.counters.liveObjects == 1 && machine.system.accounting.reserved == 2)
    let child = try space.fork()
    #expect(child.store(7, at: 0x10_1000))
    #expect(space.load(0x10_1000) == 7)
    machine.system.setOvercommit(1)
    #expect(throws: Errno.enomem) { try space.map(request(0x20_0000, pages: 2, sharing: .shared)) }
    #expect(space.find(0x20_0000) == nil)
    finish(machine, space, child)
  }

  @Test
  func `protection is bounded by the maximum, which can only be lowered`() throws {
    // shows: shm 3.14.eacces, 3.14.prot-max
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    space.activate()
    _ = try space.map(request(0x10_0000, pages: 1, [.read], maximum: [.read, .write]))
    _ = try space.map(request(0x10_1000, pages: 1, [.read], maximum: [.read]))
    func protect(_ pages: UInt64, _ protection: Protection, _ maximum: Protection? = nil) -> Errno? {
      do throws(Errno) {
        try space.protect(range(0x10_0000, pages: pages), protection, maximum: maximum)
        return nil
      } catch { return error }
    }
    // All or nothing.
    #expect(protect(2, [.read, .write]) == .eacces)
    #expect(!space.store(1, at: 0x10_0000))
    #expect(protect(1, [.read, .execute]) == .eacces)
    #expect(protect(1, [.read], [.read, .execute]) == .eacces)
    #expect(protect(1, [.read, .write]) == nil)
    #expect(space.store(1, at: 0x10_0000) && permits(machine, 0x10_0000, .write))
    #expect(protect(1, [.read], [.read]) == nil)
    #expect(!space.store(1, at: 0x10_0000) && !permits(machine, 0x10_0000, .write))
    #expect(protect(1, [.read, .write]) == .eacces)
    #expect(protect(2, []) == nil)
    #expect(space.load(0x10_0000) == nil && !permits(machine, 0x10_0000, .read))
    #expect(protect(2, [.read]) == nil)
    #expect(space.load(0x10_0000) == 1 && space.load(0x10_1000) == 0)
    finish(machine, space)
  }

  @Test
  func `memory that may only be stored to, or only be executed, cannot be loaded from`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    space.activate()
    _ = try space.map(request(0x10_0000, pages: 2))
    #expect(space.store(5, at: 0x10_0000) && space.store(6, at: 0x10_1000))
    try space.protect(range(0x10_0000, pages: 2), .write, maximum: nil)
    // The tables do not show it any more; the fault decides, and stores go on.
    #expect(!permits(machine, 0x10_0000, .read))
    #expect(space.load(0x10_0000) == nil)
    #expect(space.store(8, at: 0x10_0000))
    try space.protect(range(0x10_0000, pages: 1), [.read], maximum: nil)
    #expect(space.load(0x10_0000) == 8)
    finish(machine, space)
  }

  @Test(arguments: [10, 100] as [UInt64])
  func `taking the right to execute away takes effect at once`(pages: UInt64) throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    space.activate()
    _ = try space.map(request(0x10_0000, pages: pages, [.read, .write, .execute]))
    for page in 0..<pages {
      #expect(space.store(1, at: 0x10_0000 + page << 12))
      #expect(permits(machine, 0x10_0000 + page << 12, .fetch))
    }
    try space.protect(range(0x10_0000, pages: pages), [.read], maximum: nil)
    for page in 0..<pages {
      #expect(!permits(machine, 0x10_0000 + page << 12, .fetch))
      #expect(!permits(machine, 0x10_0000 + page << 12, .write))
      #expect(permits(machine, 0x10_0000 + page << 12, .read))
    }
    finish(machine, space)
  }

  @Test(arguments: [20, 100] as [UInt64])
  func `what is unmapped the processor forgets, with few words about many pages`(pages: UInt64) throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    space.activate()
    _ = try space.map(request(0x10_0000, pages: 200))
    for page in 0..<200 as Range<UInt64> { #expect(space.store(1, at: 0x10_0000 + page << 12)) }
    for page in 0..<200 as Range<UInt64> { #expect(permits(machine, 0x10_0000 + page << 12, .write)) }
    let before = machine.processor.invalidationCount
    try space.unmap(range(0x10_0000, pages: pages))
    #expect(machine.processor.invalidationCount - before == (pages > 32 ? 1 : Int(pages)))
    for page in 0..<200 as Range<UInt64> {
      #expect(permits(machine, 0x10_0000 + page << 12, .read) == (page >= pages))
    }
    // The last page takes the tables with it.
    let free = machine.system.freeFrameCount
    try space.unmap(range(0x10_0000, pages: 200))
    #expect(!permits(machine, 0x10_0000 + 199 << 12, .read))
    machine.drain()
    // The object's pages, and three levels of tables, which are kept for the next.
    #expect(machine.system.freeSpareTables() == 3)
    #expect(machine.system.freeFrameCount - free >= Int(200 - pages) + 3)
    finish(machine, space)
  }

  @Test
  func `tables that are kept are frames that can be had, also when nothing else could be reclaimed before`() throws {
    let machine = SimulatedHardware()
    let system = machine.system
    let object = try VMObject.make(system, .sharedMemory, pageCount: 1)
    let space = try AddressSpace.make(system)
    _ = try space.map(request(0x4000_0000, pages: 1, sharing: .shared, object: object.copy()))
    #expect(space.store(1, at: 0x4000_0000))
    var taken: [FrameNumber] = []
    // As few as there can be without a shortage, which would give the tables back at once.
    let left = max(30, system.queues.lowWater - system.allocationFloor)
    while system.freeFrameCount > system.allocationFloor + left, let frame = system.allocateKernelFrame() {
      taken.append(frame)
    }
    #expect(!system.isShort)
    #expect(system.makeAvailable(left + 2) == .exhausted)
    // The object keeps its page: only the tables become free.
    try space.unmap(range(0x4000_0000, pages: 1))
    #expect(system.freeFrameCount == system.allocationFloor + left)
    #expect(system.makeAvailable(left + 2) == .ready)
    for frame in taken { system.freeKernelFrame(frame) }
    _ = consume object
    finish(machine, space)
  }

  @Test
  func `an object's pages leave every table, also tables that this empties`() throws {
    let machine = SimulatedHardware()
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 300)
    let spaces = [try AddressSpace.make(machine.system), try AddressSpace.make(machine.system)]
    for space in spaces { _ = try space.map(request(0x4000_0000, pages: 300, sharing: .shared, object: object.copy())) }
    spaces[1].activate()
    for page in 0..<300 as Range<UInt64> {
      #expect(spaces[0].store(1, at: 0x4000_0000 + page << 12) && spaces[1].load(0x4000_0000 + page << 12) == 1)
    }
    // A part of a leaf of the index, and whole ones.
    object.object.removePages(from: 10, to: 150, machine.system)
    #expect(object.object.allocatedPageCount == 160)
    for page in 0..<300 as Range<UInt64> {
      let isGone = (10..<150).contains(page)
      #expect(permits(machine, 0x4000_0000 + page << 12, .read) == !isGone)
      #expect(object.object.isPresent(page) == !isGone)
    }
    #expect(spaces[0].load(0x4000_0000 + 10 << 12) == 0 && spaces[0].load(0x4000_0000 + 9 << 12) == 1)
    object.object.removePages(from: 0, to: 300, machine.system)
    #expect(object.object.allocatedPageCount == 0)
    #expect(spaces[1].residentPageCount == 0 && spaces[0].residentPageCount == 0)
    _ = consume object
    finish(machine, spaces[0], spaces[1])
  }

  @Test
  func `two entries cut from one share what lies behind them, and stores stay private`() throws {
    let machine = SimulatedHardware()
    let parent = try AddressSpace.make(machine.system)
    _ = try parent.map(request(0x10_0000, pages: 3))
    for page in 0..<3 as Range<UInt64> { #expect(parent.store(UInt8(page + 1), at: 0x10_0000 + page << 12)) }
    let child = try parent.fork()
    #expect(child.store(9, at: 0x10_0000))
    try child.protect(range(0x10_2000, pages: 1), [.read], maximum: nil)
    #expect(child.entryCount == 2)
    // The page is shown from behind first, then copied while two entries refer to the front.
    #expect(child.load(0x10_1000) == 2 && parent.load(0x10_1000) == 2)
    #expect(child.store(8, at: 0x10_1000))
    #expect(child.load(0x10_1000) == 8 && parent.load(0x10_1000) == 2)
    #expect(parent.store(7, at: 0x10_1000) && child.load(0x10_1000) == 8)
    #expect(child.load(0x10_2000) == 3 && child.load(0x10_0000) == 9 && parent.load(0x10_0000) == 1)
    finish(machine, parent, child)
  }

  @Test(arguments: [0, 2] as [UInt64])
  func `what nobody can see any more of an object behind is freed when the chain is shortened`(hole: UInt64) throws {
    let machine = SimulatedHardware()
    let parent = try AddressSpace.make(machine.system)
    _ = try parent.map(request(0x10_0000, pages: 3))
    for page in 0..<3 as Range<UInt64> { #expect(parent.store(UInt8(page + 1), at: 0x10_0000 + page << 12)) }
    let child = try parent.fork()
    try child.unmap(range(0x10_0000 + hole << 12, pages: 1))
    // The window of the object in front begins or ends one page inside the one behind.
    #expect(child.store(9, at: 0x10_1000))
    parent.retire()
    machine.drain()
    let front = try #require(child.find(0x10_1000).flatMap { machine.system.entries[$0].objectOrNil })
    #expect(front.backingObject == nil && front.allocatedPageCount == 2 && front.residentCount == 2)
    #expect(machine.system.counters.liveObjects == 1)
    #expect(child.load(0x10_1000) == 9)
    #expect(child.load(hole == 0 ? 0x10_2000 : 0x10_0000) == (hole == 0 ? 3 : 1))
    finish(machine, child)
  }

  @Test
  func `a chain keeps its place when the one in the middle goes, and when it is passed by`() throws {
    let machine = SimulatedHardware()
    let first = try AddressSpace.make(machine.system)
    _ = try first.map(request(0x10_0000, pages: 6))
    for page in 0..<6 as Range<UInt64> { #expect(first.store(UInt8(page + 1), at: 0x10_0000 + page << 12)) }
    // Every generation sees one page less in front, so each object lies one page further inside the next.
    let second = try first.fork()
    try second.unmap(range(0x10_0000, pages: 1))
    #expect(second.store(22, at: 0x10_1000))
    let third = try second.fork()
    try third.unmap(range(0x10_1000, pages: 1))
    #expect(third.store(33, at: 0x10_2000))
    second.retire()
    machine.drain()
    let values = { (space: AddressSpace) in (0..<6 as Range<UInt64>).map { space.load(0x10_0000 + $0 << 12) } }
    #expect(values(third) == [nil, nil, 33, 4, 5, 6])
    #expect(values(first) == [1, 2, 3, 4, 5, 6])
    for page in 3..<6 as Range<UInt64> { #expect(third.store(UInt8(page + 40), at: 0x10_0000 + page << 12)) }
    machine.drain()
    #expect(values(third) == [nil, nil, 33, 43, 44, 45])
    #expect(values(first) == [1, 2, 3, 4, 5, 6])
    finish(machine, first, third)
  }

  @Test
  func `an address that wraps is a bad address`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    let bytes = [UInt8](repeating: 1, count: 16)
    for address in [UInt64.max - 7, UInt64.max, UserSpace.end, 0] {
      var progress = 0
      guard
        case .fault = space.copyOut(RawSpan(_elements: bytes.span), to: VirtualAddress(address), progress: &progress)
      else {
        Issue.record("no fault at \(address)")
        continue
      }
      #expect(progress == 0)
    }
    var progress = 9
    guard
      case .fault = space.copyOut(
        RawSpan(_elements: bytes.span), to: VirtualAddress(UInt64.max - 7), progress: &progress)
    else {
      Issue.record("the rest of a transfer wrapped")
      return
    }
    finish(machine, space)
  }

  /// Maps single pages until the next entry needs a frame of its own.
  private func fillEntries(_ machine: SimulatedHardware, _ space: AddressSpace) throws {
    var address: UInt64 = 0x100_0000_0000
    let frames = machine.system.entries.frameCount
    while machine.system.entries.frameCount == frames {
      _ = try space.map(request(address, pages: 1, []))
      address += 8192
    }
    // One frame has just been begun: fill it as well.
    let perFrame = machine.system.entries.count / machine.system.entries.frameCount
    for _ in 0..<4 * perFrame {
      machine.system.services.failures.fail(.frame, number: 1)
      let isFull = (try? space.map(request(address, pages: 1, []))) == nil
      machine.system.services.failures.disarm()
      if isFull { return }
      address += 8192
    }
    Issue.record("the pool of entries does not fill up")
  }

  @Test
  func `fork, map and unmap that find no room for an entry change nothing`() throws {
    let machine = SimulatedHardware(frameCount: 2048)
    let system = machine.system
    let space = try AddressSpace.make(system)
    _ = try space.map(request(0x10_0000, pages: 3))
    #expect(space.store(4, at: 0x10_1000))
    try fillEntries(machine, space)
    let entries = space.entryCount
    let reserved = system.accounting.reserved
    func refused(_ body: () throws -> Void) {
      system.services.failures.fail(.frame, number: 1)
      #expect(throws: Errno.enomem) { try body() }
      system.services.failures.disarm()
      #expect(space.entryCount == entries && system.accounting.reserved == reserved)
      #expect(space.load(0x10_1000) == 4)
    }
    refused { _ = try space.map(request(0x40_0000, pages: 1)) }
    refused { try space.unmap(range(0x10_1000, pages: 1)) }
    refused { try space.protect(range(0x10_1000, pages: 1), [.read], maximum: nil) }
    // With room for one: the new entry takes it, and cutting the old one finds none.
    try space.unmap(range(0x100_0000_0000, pages: 1))
    system.services.failures.fail(.frame, number: 1)
    #expect(throws: Errno.enomem) { try space.map(request(0x10_1000, pages: 1)) }
    system.services.failures.disarm()
    #expect(system.accounting.reserved == reserved && space.load(0x10_1000) == 4)
    // fork: the child is given back whole.
    for number in 1...8 as ClosedRange<UInt32> {
      system.services.failures.fail(.frame, number: number)
      let child = try? space.fork()
      let hasFailed = system.services.failures.count(.frame) >= number
      system.services.failures.disarm()
      #expect((child == nil) == hasFailed, "\(number)")
      child?.retire()
      machine.drain()
      #expect(system.accounting.reserved == reserved)
    }
    system.setOvercommit(1)
    #expect(throws: Errno.enomem) { _ = try space.fork() }
    system.setOvercommit(0)
    finish(machine, space)
  }
}
