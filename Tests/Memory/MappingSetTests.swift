// The set of leaves that map a frame: exact in whatever order they come and go, and never deep.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Mappings of a frame") struct MappingSetTests {
  private let machine = SimulatedHardware(frameCount: 4096)
  private var system: MemorySystem { machine.system }

  private func makeFrame() throws -> FrameNumber {
    let frame = try #require(system.allocateKernelFrame())
    system.frames[frame].mappings = MappingSet()
    system.frames[frame].mappingRoot = .none
    return frame
  }

  private func mappings(of frame: FrameNumber) -> [UInt64] {
    var found: [UInt64] = []
    system.forEachMapping(of: frame, system.frames) {
      found.append($0.raw)
      return true
    }
    return found.sorted()
  }

  /// Entries at the same place of many tables, as children have them, and of one table, as one process can.
  private func entries(_ count: Int, inOneTable: Bool) -> [UInt64] {
    (0..<UInt64(count)).map { inOneTable ? 0x40_0000 + $0 * 8 : $0 * 4096 + 0x128 }
  }

  /// First in, first out; last in, first out; any.
  @Test(arguments: [0, 1, 2], [false, true])
  func `mappings go in any order, and those that are left stay known`(order: Int, inOneTable: Bool) throws {
    let frame = try makeFrame()
    let all = entries(1000, inOneTable: inOneTable)
    for (index, entry) in all.enumerated() {
      #expect(system.addMapping(PhysicalAddress(entry), to: frame, system.frames))
      #expect(system.furtherMappingCount(of: frame, system.frames) == index && system.mappingNodes.count == index)
    }
    #expect(mappings(of: frame) == all.sorted() && system.mappingTreeHeight(of: frame) <= 30)
    var left = all
    var generator = SeededGenerator(seed: 7)
    while !left.isEmpty {
      let position = order == 0 ? 0 : order == 1 ? left.count - 1 : generator.number(below: left.count)
      system.removeMapping(PhysicalAddress(left.remove(at: position)), from: frame, system.frames)
      if left.count % 97 == 0 { #expect(mappings(of: frame) == left.sorted()) }
      #expect(system.furtherMappingCount(of: frame, system.frames) == max(0, left.count - 1))
    }
    #expect(system.frames[frame].mappings.isEmpty && system.mappingNodes.count == 0)
    system.freeKernelFrame(frame)
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
  func `whatever comes, goes and is replaced, the set is what it should be`(seed: UInt64) throws {
    let frame = try makeFrame()
    var generator = SeededGenerator(seed: seed)
    var model: Set<UInt64> = []
    for _ in 0..<2000 {
      let entry = UInt64(1 + generator.number(below: 40)) * 4096 + UInt64(generator.number(below: 3)) * 8
      switch (model.contains(entry), generator.number(below: 3)) {
      case (false, 0), (false, 1):
        #expect(system.addMapping(PhysicalAddress(entry), to: frame, system.frames))
        model.insert(entry)
      case (true, 0), (true, 1):
        system.removeMapping(PhysicalAddress(entry), from: frame, system.frames)
        model.remove(entry)
      case (false, _):
        guard let old = model.randomElement(using: &generator) else { continue }
        system.replaceMapping(PhysicalAddress(old), by: PhysicalAddress(entry), of: frame, system.frames)
        model.remove(old)
        model.insert(entry)
      default: break
      }
      #expect(mappings(of: frame) == model.sorted())
      #expect(system.furtherMappingCount(of: frame, system.frames) == max(0, model.count - 1))
      #expect(system.mappingNodes.count == max(0, model.count - 1))
    }
    for entry in model { system.removeMapping(PhysicalAddress(entry), from: frame, system.frames) }
    system.freeKernelFrame(frame)
  }

  /// A page that one space maps many times.
  private struct Page: ~Copyable {
    let space: AddressSpace
    let object: VMObjectReference
    let frame: FrameNumber
  }

  /// Maps the one page of an object so many times, each for storing.
  private func mapOften(_ count: UInt64) throws -> Page {
    let space = try AddressSpace.make(system)
    let object = try VMObject.make(system, .sharedMemory, pageCount: 1)
    for index in 0..<count {
      // (A page lies between any two, or they would not be mappings of their own.)
      let address = 0x10_0000 + index * 8192
      _ = try space.map(request(address, pages: 1, sharing: .shared, object: object.copy()))
      #expect(space.store(1, at: address))
    }
    guard case .frame(let frame) = object.object.page(at: 0, for: .read) else { throw Errno.efault }
    return Page(space: space, object: object, frame: frame)
  }

  @Test
  func `a look at a page with many mappings sees a part of them, and the next looks see the others`() throws {
    let page = try mapOften(2000)
    var marked = 2000
    var looks = 0
    while system.takeMark(.referenced, page.frame) {
      let before = marked
      marked = 0
      system.forEachMapping(of: page.frame, system.frames) { slot in
        if system.physical.load(slot) & PageTableEntry.accessed != 0 { marked += 1 }
        return true
      }
      #expect(before - marked <= 3 * MappingSet.batch)
      looks += 1
    }
    #expect(looks >= 8 && marked < 1000)
    #expect(system.hasMark(.dirty, page.frame))
    page.space.retire()
    _ = consume page
    machine.drain()
  }

  @Test func `a page that is mapped two thousand times leaves its object in steps`() throws {
    let page = try mapOften(2000)
    let (space, object) = (page.space, page.object.object)
    guard case .complete = object.beginShrinking(toByteCount: 0) else { throw Errno.efault }
    var steps = 0
    var position: UInt64 = 0
    var isDone = false
    while !isDone {
      let before = space.residentPageCount
      var budget = 100
      isDone = object.continueShrinking(toPageCount: 0, &position, &budget)
      #expect(before - space.residentPageCount <= MappingSet.batch)
      steps += 1
    }
    #expect(steps == 8 && space.residentPageCount == 0 && object.pageCount == 0)
    let state = system.frames[page.frame].state
    #expect(state == .free || state == .freeTail)
    space.retire()
    _ = consume page
    machine.drain()
  }
}
