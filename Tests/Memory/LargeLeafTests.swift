// Large leaves of page tables: what concerns a part of one, splitting and promoting, and what a frame in the middle knows.
import ABI
import Primitives
import Simulation
import Testing

@testable import Memory

@Suite("Large leaves") struct LargeLeafTests {
  private let twoMiB = PageSize.large.byteCount

  @Test func `removing a part splits the leaf, and the rest stays as it was`() throws {
    let tables = try TableMachine()
    let frame = tables.run(.large)
    #expect(tables.enter(frame, .large, .all, for: .write))
    for page in [0, 5, 9, 511] as [UInt64] { #expect(tables.place(tables.base + page << 12, .write) != nil) }
    // One word for the split leaf, which begins at page 0, and one for each page that goes.
    #expect(tables.invalidations { tables.remove(tables.base + 5 << 12, 5 << 12) } == 6)
    #expect(tables.space.residentPageCount == 507 && tables.space.tables.largeLeafCount == 0)
    #expect(tables.space.tableCount == 4)
    for page in 0..<512 as Range<UInt64> {
      let place = tables.place(tables.base + page << 12, .write)
      #expect(place == ((5..<10).contains(page) ? nil : frame.address.raw + page << 12))
      #expect(tables.system.hasMark(.dirty, FrameNumber(frame.raw + UInt32(page))) == !(5..<10).contains(page))
      #expect(tables.fetches(tables.base + page << 12) == !(5..<10).contains(page))
    }
    #expect(tables.system.frames[FrameNumber(frame.raw + 7)].flags.contains(.dirty))
    tables.finish()
  }

  @Test func `rights of a part are taken from that part only`() throws {
    let tables = try TableMachine()
    #expect(tables.enter(tables.run(.large), .large, .all, for: .write))
    for page in 0..<8 as Range<UInt64> { #expect(tables.place(tables.base + page << 12, .write) != nil) }
    _ = tables.invalidations { tables.restrict(tables.base - twoMiB, twoMiB + 4 << 12, taking: .write) }
    for page in 0..<512 as Range<UInt64> {
      #expect((tables.place(tables.base + page << 12, .write) != nil) == (page >= 4))
      #expect(tables.place(tables.base + page << 12) != nil)
    }
    #expect(tables.space.residentPageCount == 512)
    tables.finish()
  }

  @Test func `one page of a gibibyte splits twice`() throws {
    let tables = try TableMachine(gibibytes: 1)
    let frame = tables.run(.huge)
    #expect(tables.enter(frame, .huge))
    let hole = tables.base + 300 * twoMiB + 7 << 12
    _ = tables.invalidations { tables.remove(hole, 4096) }
    #expect(tables.space.tables.largeLeafCount == 511 && tables.space.residentPageCount == 1 << 18 - 1)
    #expect(tables.place(hole) == nil)
    for page in [0, 1, 300 * 512 + 6, 300 * 512 + 8, 301 * 512, 1 << 18 - 1] as [UInt64] {
      #expect(tables.place(tables.base + page << 12, .write) == frame.address.raw + page << 12)
      #expect(tables.system.hasMark(.dirty, FrameNumber(frame.raw + UInt32(page))))
    }
    tables.finish()
  }

  @Test(arguments: [false, true])
  func `without memory to split it the whole leaf goes, and nothing is lost`(isRestriction: Bool) throws {
    let tables = try TableMachine()
    let frame = tables.run(.large)
    #expect(tables.enter(frame, .large, .all, for: .write))
    #expect(tables.place(tables.base, .write) != nil)
    tables.system.services.failures.fail(.frame, number: 1)
    _ = tables.invalidations {
      if isRestriction {
        tables.restrict(tables.base + 4096, 4096, taking: .write)
      } else {
        tables.remove(tables.base + 4096, 4096)
      }
    }
    tables.system.services.failures.disarm()
    #expect(tables.space.residentPageCount == 0 && tables.space.tables.largeLeafCount == 0)
    for page in [0, 1, 2, 511] as [UInt32] {
      #expect(tables.place(tables.base + UInt64(page) << 12) == nil)
      #expect(tables.system.inspect(FrameNumber(frame.raw + page)).flags.contains(.dirty))
    }
    // Entering a small page where the leaf was, and a small page into a leaf, needs the same memory and changes nothing.
    #expect(tables.enter(frame, .large))
    tables.system.services.failures.fail(.frame, number: 1)
    #expect(!tables.enter(frame, at: tables.base + 4096))
    tables.system.services.failures.disarm()
    #expect(tables.space.tables.largeLeafCount == 1 && tables.place(tables.base + 4096, .write) != nil)
    tables.finish()
  }

  @Test func `a small page takes the place of a part, and a large one the place of small ones`() throws {
    let tables = try TableMachine()
    let (run, other, small) = (tables.run(.large), tables.run(.large), tables.run(.small))
    #expect(tables.enter(run, .large))
    for page in [0, 3] as [UInt64] { #expect(tables.place(tables.base + page << 12, .write) != nil) }
    _ = tables.invalidations { #expect(tables.enter(small, at: tables.base + 3 << 12, [.read])) }
    #expect(tables.place(tables.base + 3 << 12) == small.address.raw)
    #expect(tables.place(tables.base + 3 << 12, .write) == nil)
    #expect(tables.place(tables.base + 4 << 12, .write) == (run.address + 4 << 12).raw)
    #expect(!tables.system.isMapped(FrameNumber(run.raw + 3)))
    _ = tables.invalidations { #expect(tables.enter(other, .large)) }
    #expect(tables.space.tables.largeLeafCount == 1 && tables.space.residentPageCount == 512)
    #expect(tables.space.tableCount == 3)
    #expect(tables.place(tables.base + 3 << 12, .write) == (other.address + 3 << 12).raw)
    // One large leaf in the place of another.
    _ = tables.invalidations { #expect(tables.enter(run, .large)) }
    #expect(tables.place(tables.base + 3 << 12, .write) == (run.address + 3 << 12).raw)
    #expect(!tables.system.isMapped(FrameNumber(other.raw + 3)))
    tables.finish()
  }

  @Test func `a frame in the middle knows the leaf, and takes all of it away`() throws {
    let tables = try TableMachine()
    let other = try AddressSpace.make(tables.system)
    let run = tables.run(.large)
    let middle = FrameNumber(run.raw + 100)
    #expect(tables.enter(run, .large))
    let isEntered = other.tables.enter(middle, at: 0x5000, allowing: .read, for: .read, tables.system)
    #expect(isEntered)
    #expect(tables.place(tables.base + 100 << 12, .write) != nil)
    #expect(tables.system.hasMark(.dirty, middle))
    _ = tables.invalidations { #expect(tables.system.takeMark(.dirty, middle)) }
    #expect(!tables.system.hasMark(.dirty, run))
    #expect(tables.place(tables.base + 100 << 12, .write) != nil && tables.system.hasMark(.dirty, run))
    _ = tables.invalidations { tables.system.removeAllMappings(of: middle) }
    #expect(tables.space.residentPageCount == 0 && other.residentPageCount == 0)
    #expect(tables.space.tableCount == 1 && other.tableCount == 1)
    #expect(tables.system.frames[run].flags.contains(.dirty))
    other.retire()
    tables.space.activate()
    tables.finish()
  }

  @Test func `a second leaf for which there is no record is not entered, and leaves nothing behind`() throws {
    let tables = try TableMachine()
    let run = tables.run(.large)
    #expect(tables.enter(run, .large))
    tables.system.services.failures.fail(.mappingRecord, number: 1)
    #expect(!tables.enter(run, .large, at: tables.base + twoMiB))
    tables.system.services.failures.disarm()
    #expect(tables.system.mappingCount(of: run) == 1 && tables.space.tables.largeLeafCount == 1)
    #expect(tables.place(tables.base + twoMiB) == nil)
    tables.finish()
  }

  @Test func `a full table becomes a leaf if all of it is alike, and comes back by splitting`() throws {
    let tables = try TableMachine()
    let run = tables.run(.large)
    func fill(_ access: AccessType = .write) {
      for page in 0..<512 as Range<UInt64> {
        #expect(tables.enter(FrameNumber(run.raw + UInt32(page)), at: tables.base + page << 12, for: access))
      }
    }
    func promote() -> Bool { tables.promote(tables.base + 0x1234) }
    #expect(!promote())
    fill()
    // One with fewer rights, one without a mark, one missing, one of another run.
    tables.restrict(tables.base + 9 << 12, 4096, taking: .write)
    #expect(!promote())
    fill()
    _ = tables.system.takeMark(.referenced, FrameNumber(run.raw + 511))
    #expect(!promote())
    fill()
    tables.remove(tables.base + 77 << 12, 4096)
    #expect(!promote())
    fill()
    #expect(tables.enter(tables.run(.small), at: tables.base + 77 << 12, for: .write) && !promote())
    fill()
    for page in 0..<40 as Range<UInt64> { #expect(tables.place(tables.base + page << 12, .write) != nil) }
    var isPromoted = false
    #expect(tables.invalidations { isPromoted = promote() } == 1)
    #expect(isPromoted)
    #expect(tables.space.tables.largeLeafCount == 1 && tables.space.residentPageCount == 512)
    #expect(tables.space.tableCount == 3 && !promote())
    #expect(tables.place(tables.base + 0x1F_F123, .write) == run.address.raw + 0x1F_F123)
    tables.remove(tables.base + 4096, 4096)
    #expect(tables.place(tables.base, .write) == run.address.raw && tables.place(tables.base + 4096) == nil)
    // Only to be loaded from, and never stored to: there is no dirty mark to come.
    tables.remove(tables.base, twoMiB)
    for page in 0..<512 as Range<UInt64> {
      #expect(tables.enter(FrameNumber(run.raw + UInt32(page)), at: tables.base + page << 12, [.read]))
    }
    #expect(promote() && tables.place(tables.base, .write) == nil)
    tables.finish()
  }

  @Test func `a run that does not begin at a multiple of its size stays small`() throws {
    let tables = try TableMachine()
    let (run, next) = (tables.run(.large), tables.run(.large))
    guard next.raw == run.raw + 512 || run.raw == next.raw + 512 else { return }
    let first = min(run.raw, next.raw) + 1
    for page in 0..<512 as Range<UInt64> {
      #expect(tables.enter(FrameNumber(first + UInt32(page)), at: tables.base + page << 12, for: .write))
    }
    #expect(!tables.promote(tables.base))
    tables.finish()
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func `whatever is done to pages of both sizes, in part and without memory, the tables show what they should`(
    seed: UInt64
  ) throws {
    let tables = try TableMachine()
    var generator = SeededGenerator(seed: seed)
    let runs = (0..<3).map { _ in tables.run(.large) }
    // What has been entered: page by page, the frame and whether it may be stored to.
    var shown: [UInt64: (frame: UInt32, isWritable: Bool)] = [:]
    for _ in 0..<400 {
      let slot = UInt64(generator.number(below: 2))
      let page = slot * 512 + UInt64(generator.number(below: 512))
      let count = UInt64(generator.number(below: 3) == 0 ? 600 : 1 + generator.number(below: 40))
      let range = page..<min(page + count, 1024)
      let run = runs[generator.number(below: runs.count)]
      let fails = generator.chance(oneIn: 6)
      if fails { tables.system.services.failures.fail(.frame, number: 1 + UInt32(generator.number(below: 2))) }
      switch generator.number(below: 6) {
      case 0:
        if tables.enter(run, .large, at: tables.base + slot * twoMiB, for: .write) {
          for part in 0..<512 as Range<UInt64> { shown[slot * 512 + part] = (run.raw + UInt32(part), true) }
        }
      case 1, 2:
        let frame = run.raw + UInt32(page % 512)
        if tables.enter(FrameNumber(frame), at: tables.base + page << 12) { shown[page] = (frame, true) }
      case 3:
        tables.remove(tables.base + page << 12, UInt64(range.count) << 12)
        for page in range { shown[page] = nil }
      case 4:
        tables.restrict(tables.base + page << 12, UInt64(range.count) << 12, taking: .write)
        for page in range { shown[page]?.isWritable = false }
      default: _ = tables.promote(tables.base + page << 12)
      }
      tables.system.services.failures.disarm()
      #expect(tables.unit.staleEntries() == [])
      for _ in 0..<6 {
        let page = UInt64(generator.number(below: 1024))
        let (place, stored) = (tables.place(tables.base + page << 12), tables.place(tables.base + page << 12, .write))
        // Nothing but what should be shown, and, unless memory was missing, all of it.
        #expect(place == nil || place == shown[page].map { UInt64($0.frame) << 12 })
        #expect(stored == nil || shown[page]?.isWritable == true)
      }
    }
    #expect(tables.unit.violations == [])
    tables.finish()
  }
}
