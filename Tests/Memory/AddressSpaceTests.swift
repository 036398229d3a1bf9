// Mapping, unmapping, protecting, faulting, forking and paging, against byte-array models.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Address space")
struct AddressSpaceTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6])
  func `the map agrees with an array of pages`(seed: UInt64) throws {
    let machine = SimulatedHardware(frameCount: 2048)
    let space = try AddressSpace.make(machine.system)
    var generator = SeededGenerator(seed: seed)
    let base: UInt64 = 0x10_0000
    let pageCount = 200
    var model = [Protection?](repeating: nil, count: pageCount)
    for _ in 0..<1500 {
      let start = Int.random(in: 0..<pageCount, using: &generator)
      let count = Int.random(in: 1...min(20, pageCount - start), using: &generator)
      let address = base + UInt64(start) << 12
      let range = try #require(
        AddressRange(covering: VirtualAddress(address), byteCount: UInt64(count) << 12))
      let protection: Protection = [[.read], [.read, .write], [], [.read, .execute]].randomElement(using: &generator)!
      switch Int.random(in: 0..<5, using: &generator) {
      case 0:
        _ = try space.map(request(address, pages: UInt64(count), protection))
        for page in start..<start + count { model[page] = protection }
      case 1:
        try space.unmap(range)
        for page in start..<start + count { model[page] = nil }
      case 2:
        try space.protect(range, protection, maximum: nil)
        for page in start..<start + count where model[page] != nil { model[page] = protection }
      case 3:
        let found = try space.map(
          request(address, pages: UInt64(count), protection, placement: .anywhere))
        let page = Int((found.raw - base) >> 12)
        #expect(page >= start)
        // The first gap at or behind the hint that is large enough.
        var expected = start
        while !(expected..<expected + count).allSatisfy({ $0 >= pageCount || model[$0] == nil }) { expected += 1 }
        #expect(page == expected)
        for mapped in page..<page + count where mapped < pageCount { model[mapped] = protection }
        if page + count > pageCount {
          try space.unmap(
            try #require(
              AddressRange(covering: VirtualAddress(base + UInt64(pageCount) << 12), byteCount: UInt64(count) << 12)))
        }
      default:
        let stored = space.store(7, at: address)
        #expect(stored == (model[start]?.contains(.write) ?? false))
        #expect((space.load(address) != nil) == (model[start]?.contains(.read) ?? false))
      }
      #expect(space.virtualByteCount == UInt64(model.filter { $0 != nil }.count) << 12)
      for page in 0..<pageCount {
        #expect((space.find(base + UInt64(page) << 12) != nil) == (model[page] != nil))
      }
    }
    #expect(
      machine.system.accounting.reserved
        == (0..<pageCount).reduce(0) { sum, page in
          guard let handle = space.find(base + UInt64(page) << 12) else { return sum }
          return sum + (machine.system.entries[handle].charge > 0 ? 1 : 0)
        })
    space.retire()
    #expect(machine.leakedFrames == 0)
    #expect(machine.system.accounting.reserved == 0)
    #expect(machine.system.counters.liveObjects == 0)
  }

  @Test
  func `a hundred thousand mappings stay logarithmic and are torn down in steps`() throws {
    let machine = SimulatedHardware(frameCount: 8192)
    let space = try AddressSpace.make(machine.system)
    for index in 0..<100_000 as Range<UInt64> {
      _ = try space.map(request(0x10_0000 + index << 13, pages: 1))
    }
    #expect(space.entryCount == 100_000)
    #expect(space.find(0x10_0000 + 77_777 << 13) != nil)
    #expect(space.find(0x10_0000 + 77_777 << 13 + 4096) == nil)
    space.retire()
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `exclusive placement refuses what is taken, and nothing leaks`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    _ = try space.map(request(0x4000, pages: 2))
    #expect(throws: Errno.enomem) { try space.map(request(0x5000, pages: 1, placement: .exclusive)) }
    _ = try space.map(request(0x6000, pages: 1, placement: .exclusive))
    space.retire()
    #expect(machine.leakedFrames == 0)
  }

  @Test(arguments: 1...6)
  func `stores of parent and child are apart after fork, stores to shared mappings are not`(seed: UInt64) throws {
    let machine = SimulatedHardware(frameCount: 1200, swapBlocks: seed % 2 == 0 ? 400 : 0)
    let system = machine.system
    var generator = SeededGenerator(seed: seed)
    struct Image {
      let space: AddressSpace
      var priv: [UInt8]
    }
    let pages = 24
    var shared = [UInt8](repeating: 0, count: pages)
    let object = try VMObject.make(system, .sharedMemory, pageCount: UInt64(pages))
    var images = [Image(space: try AddressSpace.make(system), priv: [UInt8](repeating: 0, count: pages))]
    _ = try images[0].space.map(request(0x10_0000, pages: UInt64(pages)))
    _ = try images[0].space.map(request(0x20_0000, pages: UInt64(pages), sharing: .shared, object: object.copy()))
    for step in 0..<3000 {
      let who = Int.random(in: 0..<images.count, using: &generator)
      let page = Int.random(in: 0..<pages, using: &generator)
      let offset = UInt64(page) << 12 + UInt64(step % 4096)
      let value = UInt8.random(in: 0...255, using: &generator)
      images[who].space.activate()
      switch Int.random(in: 0..<12, using: &generator) {
      case 0 where images.count < 6:
        images.append(Image(space: try images[who].space.fork(), priv: images[who].priv))
      case 1 where images.count > 1:
        images[who].space.retire()
        images.remove(at: who)
      case 2: system.reclaim(budget: 16)
      case 3...6:
        #expect(images[who].space.store(value, at: 0x10_0000 + UInt64(page) << 12))
        images[who].priv[page] = value
      case 7:
        #expect(images[who].space.store(value, at: 0x20_0000 + UInt64(page) << 12))
        shared[page] = value
      default:
        #expect(images[who].space.load(0x10_0000 + UInt64(page) << 12) == images[who].priv[page])
        #expect(images[who].space.load(0x20_0000 + UInt64(page) << 12) == shared[page])
      }
      _ = offset
      if step % 3 == 0 { _ = system.drainTeardown(budget: 5) }
      guard step % 40 == 0 else { continue }
      var inspector = MemoryInspector(system)
      for image in images { inspector.visit(image.space) }
      inspector.visit(object)
      inspector.finish()
      if let violation = inspector.violation {
        Issue.record("step \(step): \(violation) \(inspector.detail)")
        return
      }
    }
    machine.drain()
    // Chains stay short: with n images there are never more than n + a few objects.
    #expect(system.counters.liveObjects <= 2 * images.count + 2)
    for image in images {
      for page in 0..<pages {
        #expect(image.space.load(0x10_0000 + UInt64(page) << 12) == image.priv[page])
      }
      image.space.retire()
    }
    _ = consume object
    #expect(machine.leakedFrames == 0)
    #expect(system.accounting.reserved == 0)
    #expect(system.counters.liveObjects == 0)
    #expect(system.swap.map { $0.freeCount == $0.usableCount } ?? true)
  }

  @Test
  func `more memory than there are frames goes to swap and comes back unharmed`() throws {
    let machine = SimulatedHardware(frameCount: 400, swapBlocks: 900 / 4)
    let system = machine.system
    let pages = machine.initialFreeFrameCount + 60
    let object = try VMObject.make(system, .sharedMemory, pageCount: UInt64(pages))
    let space = try AddressSpace.make(system)
    _ = try space.map(request(0x10_0000, pages: UInt64(pages), sharing: .shared, object: object.copy()))
    space.activate()
    for page in 0..<pages {
      if system.isShort { system.reclaim(budget: 64) }
      #expect(space.store(UInt8(truncatingIfNeeded: page * 7), at: 0x10_0000 + UInt64(page) << 12 + 5))
    }
    for page in 0..<pages {
      if system.isShort { system.reclaim(budget: 64) }
      #expect(space.load(0x10_0000 + UInt64(page) << 12 + 5) == UInt8(truncatingIfNeeded: page * 7))
    }
    #expect(system.counters.swapPagesOut > 0 && system.counters.swapPagesIn > 0)
    #expect(object.object.allocatedPageCount == pages)
    space.retire()
    _ = consume object
    #expect(machine.leakedFrames == 0)
    #expect(system.swap!.freeCount == system.swap!.usableCount)
  }

  @Test
  func `a shrunk object's pages are gone from every mapping and read as zeros after growth`() throws {
    let machine = SimulatedHardware()
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 4)
    let one = try AddressSpace.make(machine.system)
    let two = try AddressSpace.make(machine.system)
    _ = try one.map(request(0x10_0000, pages: 4, sharing: .shared, object: object.copy()))
    _ = try two.map(request(0x30_0000, pages: 4, sharing: .shared, object: object.copy()))
    for page in 0..<4 as Range<UInt64> { #expect(one.store(9, at: 0x10_0000 + page << 12)) }
    #expect(two.load(0x30_3000) == 9)
    try object.object.resize(toPageCount: 2)
    #expect(one.load(0x10_2000) == nil && two.load(0x30_3000) == nil)
    #expect(two.load(0x30_1000) == 9)
    try object.object.resize(toPageCount: 4)
    #expect(one.load(0x10_2000) == 0 && two.load(0x30_3000) == 0)
    one.retire()
    two.retire()
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `an object of eight exbibytes with three pages costs three pages`() throws {
    let machine = SimulatedHardware()
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 1 << 51)
    for index: UInt64 in [0, 1 << 30, 1 << 51 - 1] {
      guard case .frame = object.object.page(at: index, for: .write) else {
        Issue.record("no page")
        return
      }
    }
    #expect(object.object.allocatedPageCount == 3)
    #expect(machine.initialFreeFrameCount - machine.system.freeFrameCount < 3 + 27)
    try object.object.resize(toPageCount: 1)
    #expect(object.object.allocatedPageCount == 1)
    _ = consume object
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `overcommit bit 0 refuses reservations beyond the swap total`() throws {
    let machine = SimulatedHardware(frameCount: 1024, swapBlocks: 101)
    machine.system.accounting.overcommit = 1
    let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 60)
    #expect(throws: Errno.enomem) { _ = try VMObject.make(machine.system, .sharedMemory, pageCount: 41) }
    try object.object.resize(toPageCount: 100)
    #expect(throws: Errno.enomem) { try object.object.resize(toPageCount: 101) }
    #expect(object.object.pageCount == 100)
    _ = consume object
    machine.drain()
    #expect(machine.system.accounting.reserved == 0)
  }

  @Test(arguments: 1...40 as ClosedRange<UInt32>)
  func `every allocation of map, fault, fork and unmap may fail without leaking`(number: UInt32) throws {
    let machine = SimulatedHardware()
    let system = machine.system
    system.services.failures.fail(.frame, number: number)
    if let space = try? AddressSpace.make(system) {
      var children: [AddressSpace] = []
      for round in 0..<6 as Range<UInt64> {
        let address = 0x10_0000 + round << 30
        if (try? space.map(request(address, pages: 3))) != nil {
          _ = space.store(1, at: address)
          _ = space.store(2, at: address + 4096)
        }
        if let child = try? space.fork() {
          _ = child.store(3, at: address)
          children.append(child)
        }
        if let range = AddressRange(covering: VirtualAddress(address + 4096), byteCount: 4096) {
          try? space.unmap(range)
        }
      }
      for child in children { child.retire() }
      space.retire()
    }
    system.services.failures.disarm()
    #expect(machine.leakedFrames == 0)
    #expect(system.accounting.reserved == 0)
    #expect(system.counters.liveObjects == 0)
  }
}
