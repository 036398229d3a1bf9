// The page tables by themselves: what is entered, translated, removed and restricted at every size of page, and what the
// processor is told of it.
import ABI
import Primitives
import Simulation
import Testing

@testable import Memory

/// A space whose tables are used directly, and runs of frames that no object has.
final class TableMachine {
  let machine: SimulatedHardware
  let space: AddressSpace
  var system: MemorySystem { machine.system }
  var unit: SoftwareMMU { machine.processor.memoryUnit }
  /// Where a page of any size can be mapped.
  let base: UInt64 = 0x40_0000_0000

  /// Records for `gibibytes` besides the machine's own memory: frames from 262,144 on, in which there is no memory.
  init(gibibytes: UInt32 = 0) throws {
    machine =
      gibibytes == 0
      ? SimulatedHardware(frameCount: 4096) : SimulatedHardware(frameCount: 16384, recordCount: (gibibytes + 1) << 18)
    space = try AddressSpace.make(machine.system)
    space.activate()
  }

  /// An aligned run of frames for a page of this size, mapped nowhere.
  func run(_ size: PageSize) -> FrameNumber {
    let first =
      size == .huge ? FrameNumber(1 << 18) : system.allocateKernelBlock(order: 9 * size.rawValue) ?? FrameNumber(0)
    if size == .huge { system.frames.make(first.raw..<first.raw + size.frameCount) }
    for offset in 0..<size.frameCount {
      let frame = FrameNumber(first.raw + offset)
      system.frames[frame].state = .object
      system.frames[frame].owner = OwnerReference()
      system.frames[frame].mappings = MappingSet()
      system.frames[frame].mappingRoot = .none
      system.frames[frame].flags = []
      system.frames[frame].swapBlock = .none
    }
    return first
  }

  func enter(
    _ frame: FrameNumber, _ size: PageSize = .small, at address: UInt64? = nil,
    _ protection: Protection = [.read, .write], for access: AccessType = .read
  ) -> Bool {
    space.tables.enter(frame, at: address ?? base, size, allowing: protection, for: access, system)
  }

  @discardableResult
  func remove(_ address: UInt64, _ byteCount: UInt64, budget: Int = Int.max) -> UInt64 {
    var budget = budget
    return space.tables.remove(AddressRange(uncheckedStart: address, end: address + byteCount), &budget, system)
  }

  func restrict(_ address: UInt64, _ byteCount: UInt64, taking lost: Protection) {
    var budget = Int.max
    let range = AddressRange(uncheckedStart: address, end: address + byteCount)
    let position = space.tables.restrict(range, taking: lost, &budget, system)
    #expect(position == range.end)
  }

  /// Where the kernel finds an address, and leaves the marks of a processor.
  func translate(_ address: UInt64, _ access: AccessType) -> UInt64? {
    space.tables.translate(address, access, system)?.raw
  }

  func promote(_ address: UInt64) -> Bool { space.tables.promote(address, system) }

  /// Where the tables and the processor say that an address lies: both have to agree, unless the processor has to fault first.
  func place(_ address: UInt64, _ access: AccessType = .read) -> UInt64? {
    let place = translate(address, access)
    #expect((try? unit.translate(address, access == .write ? .write : .read)) == place)
    return place
  }

  /// Whether the processor fetches instructions there.
  func fetches(_ address: UInt64) -> Bool { (try? unit.translate(address, .fetch)) != nil }

  /// The words that the processor was told during `body`.
  func invalidations(_ body: () throws -> Void) rethrows -> Int {
    let before = machine.processor.invalidationCount
    try body()
    #expect(unit.staleEntries() == [])
    return machine.processor.invalidationCount - before
  }

  /// Nothing is left of what was mapped.
  func finish() {
    remove(UserSpace.start, UserSpace.end - UserSpace.start)
    #expect(space.tables.tableCount == 1 && space.residentPageCount == 0 && space.tables.largeLeafCount == 0)
    #expect(system.mappingNodes.count == 0)
    #expect(unit.staleEntries() == [] && unit.violations == [])
    space.retire()
    machine.drain()
  }
}

@Suite("Page tables") struct PageTablesTests {
  @Test(arguments: [PageSize.small, .large, .huge])
  func `what was entered is translated until it is removed`(size: PageSize) throws {
    let tables = try TableMachine(gibibytes: size == .huge ? 1 : 0)
    let frame = tables.run(size)
    let last = tables.base + size.byteCount - 1
    #expect(tables.enter(frame, size, [.read]))
    #expect(tables.space.residentPageCount == Int(size.frameCount))
    #expect(tables.space.tableCount == 4 - size.rawValue)
    #expect(tables.place(tables.base + 5) == frame.address.raw + 5)
    #expect(tables.place(last) == frame.address.raw + size.byteCount - 1)
    #expect(tables.place(last, .write) == nil && !tables.fetches(last))
    #expect(tables.place(last + 1) == nil && tables.place(tables.base - 1) == nil)
    // The same page again, with more rights.
    #expect(tables.enter(frame, size, [.read, .write, .execute], for: .write))
    #expect(tables.place(last, .write) != nil && tables.fetches(tables.base))
    #expect(tables.space.residentPageCount == Int(size.frameCount))
    let told = tables.invalidations { #expect(tables.remove(tables.base, size.byteCount) == last + 1) }
    #expect(told == 1)
    #expect(tables.place(tables.base) == nil && tables.place(last) == nil)
    #expect(tables.space.tableCount == 1)
    for offset in [0, size.frameCount - 1] {
      let part = FrameNumber(frame.raw + offset)
      tables.system.settleMarks(of: part)
      let flags = tables.system.frames[part].flags
      #expect(!tables.system.isMapped(part) && flags.isSuperset(of: [.dirty, .referenced]))
    }
    tables.finish()
  }

  @Test(arguments: [PageSize.small, .large, .huge])
  func `rights are taken from a page of any size, and the processor is told once`(size: PageSize) throws {
    let tables = try TableMachine(gibibytes: size == .huge ? 1 : 0)
    #expect(tables.enter(tables.run(size), size, .all, for: .write))
    let middle = tables.base + size.byteCount / 2 + 8
    #expect(tables.place(middle, .write) != nil && tables.fetches(middle))
    #expect(tables.invalidations { tables.restrict(tables.base, size.byteCount, taking: .write) } == 1)
    #expect(tables.place(middle, .write) == nil && tables.place(middle) != nil && tables.fetches(middle))
    #expect(tables.invalidations { tables.restrict(tables.base, size.byteCount, taking: [.write, .execute]) } == 1)
    #expect(!tables.fetches(middle) && tables.place(middle) != nil)
    #expect(tables.invalidations { tables.restrict(tables.base, size.byteCount, taking: .all) } == 0)
    #expect(tables.space.tables.largeLeafCount == (size == .small ? 0 : 1))
    tables.finish()
  }

  @Test func `an access for storing marks the page dirty, any marks it used`() throws {
    let tables = try TableMachine()
    let frame = tables.run(.small)
    #expect(tables.enter(frame))
    // (The processor may walk there at any moment, and mark it again.)
    #expect(tables.system.takeMark(.referenced, frame) && !tables.system.hasMark(.dirty, frame))
    #expect(tables.translate(tables.base, .read) != nil)
    #expect(tables.system.hasMark(.referenced, frame) && !tables.system.hasMark(.dirty, frame))
    #expect(tables.translate(tables.base, .write) != nil)
    #expect(tables.system.takeMark(.dirty, frame) && !tables.system.takeMark(.dirty, frame))
    // The processor has to find the mark gone, too.
    #expect(tables.place(tables.base, .write) != nil)
    #expect(tables.system.hasMark(.dirty, frame))
    tables.finish()
  }

  @Test func `the processor hears of up to 32 pages one by one, of more or of distant ones in one word`() throws {
    let tables = try TableMachine()
    for (pages, distance, words) in [(1, 1, 1), (32, 1, 32), (33, 1, 1), (3, 8, 3), (2, 63, 2), (2, 64, 1)] {
      for page in 0..<UInt64(pages) {
        let address = tables.base + page * UInt64(distance) << 12
        #expect(tables.enter(tables.run(.small), at: address) && tables.place(address, .write) != nil)
      }
      let range = UInt64(pages * distance) << 12
      #expect(tables.invalidations { tables.restrict(tables.base, range, taking: .write) } == words)
      #expect(tables.invalidations { tables.remove(tables.base, range) } == words)
    }
    tables.finish()
  }

  @Test func `nobody is told of tables that no processor uses`() throws {
    let tables = try TableMachine()
    let other = try AddressSpace.make(tables.system)
    #expect(tables.space.tables.processors == .first && other.tables.processors.isEmpty)
    other.activate()
    #expect(other.tables.processors == .first && tables.space.tables.processors.isEmpty)
    #expect(tables.system.loadedRoot == other.tables.root)
    let told = tables.invalidations {
      #expect(tables.enter(tables.run(.small)) && tables.enter(tables.run(.small)))
      tables.restrict(tables.base, 4096, taking: .write)
      tables.remove(tables.base, 4096)
    }
    #expect(told == 0)
    other.retire()
    #expect(tables.system.loadedRoot == tables.system.kernelRoot)
    tables.space.activate()
    tables.finish()
  }

  @Test func `a removal goes on where its budget ended`() throws {
    let tables = try TableMachine()
    for page in 0..<100 as Range<UInt64> { #expect(tables.enter(tables.run(.small), at: tables.base + page << 13)) }
    #expect(tables.enter(tables.run(.large), .large, at: tables.base + 4 << 21))
    var position = tables.base
    var steps = 0
    while position < tables.base + 5 << 21 {
      let left = tables.space.residentPageCount
      position = tables.remove(position, tables.base + 5 << 21 - position, budget: 10)
      let gone = left - tables.space.residentPageCount
      #expect(gone <= 18 || gone >= 512 && gone <= 512 + 18)
      steps += 1
    }
    #expect(steps >= 6 && tables.space.residentPageCount == 0 && tables.space.tableCount == 1)
    tables.finish()
  }
}
