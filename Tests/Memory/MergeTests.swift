// Neighbours that have become alike are one entry again (spec shm.md 3.14).
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Map entries that become alike merge")
struct MergeTests {
  private let base: UInt64 = 0x10_0000

  private func finish(_ machine: SimulatedHardware, _ spaces: AddressSpace...) {
    for space in spaces { space.retire() }
    #expect(machine.leakedFrames == 0)
    #expect(machine.system.accounting.reserved == 0)
    #expect(machine.system.counters.liveObjects == 0)
    #expect(machine.processor.memoryUnit.violations.isEmpty)
  }

  private func page(_ index: UInt64) -> UInt64 { base + index << 12 }

  @Test
  func `a page that is protected and unprotected leaves one entry, and so does a collector's round`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    do {
      let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 64)
      _ = try space.map(request(base, pages: 64, sharing: .shared, object: object.copy()))
      #expect(object.object.referenceCount == 2)
      try space.protect(range(page(2), pages: 1), .read, maximum: nil)
      #expect(object.object.referenceCount == 4)
      try space.protect(range(page(2), pages: 1), [.read, .write], maximum: nil)
      #expect(object.object.referenceCount == 2)
      for index in stride(from: UInt64(0), to: 64, by: 2) {
        try space.protect(range(page(index), pages: 1), .read, maximum: nil)
      }
      #expect(space.entryCount == 64)
      for index in stride(from: UInt64(0), to: 64, by: 2) {
        try space.protect(range(page(index), pages: 1), [.read, .write], maximum: nil)
      }
      #expect(space.entryCount == 1 && object.object.referenceCount == 2 && space.treeIsInOrder)
      // A change that changes nothing.
      try space.protect(range(page(3), pages: 1), [.read, .write], maximum: nil)
      #expect(space.entryCount == 1)
    }
    finish(machine, space)
  }

  @Test(arguments: [false, true])
  func `private memory stays one entry whatever is touched between protecting and unprotecting`(isTouchedBefore: Bool)
    throws
  {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    _ = try space.map(request(base, pages: 16))
    if isTouchedBefore { #expect(space.store(1, at: page(0))) }
    try space.protect(range(page(4), pages: 4), .read, maximum: nil)
    #expect(space.store(2, at: page(1)) && space.load(page(5)) == 0 && space.store(3, at: page(12)))
    try space.protect(range(page(4), pages: 4), [.read, .write], maximum: nil)
    #expect(space.entryCount == 1 && machine.system.counters.liveObjects == 1)
    #expect(machine.system.accounting.reserved == 16)
    #expect(space.load(page(1)) == 2 && space.load(page(12)) == 3 && space.load(page(0)) == (isTouchedBefore ? 1 : 0))
    finish(machine, space)
  }

  @Test
  func `neighbouring anonymous mappings are one entry with one object, in whatever state they are`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    for index in UInt64(0)..<32 {
      _ = try space.map(request(page(index), pages: 1, placement: .exclusive))
      if index % 3 == 0 { #expect(space.store(UInt8(index + 1), at: page(index))) }
    }
    #expect(space.entryCount == 1 && machine.system.counters.liveObjects == 1)
    #expect(machine.system.accounting.reserved == 32 && space.virtualByteCount == 32 << 12)
    for index in UInt64(0)..<32 { #expect(space.load(page(index)) == (index % 3 == 0 ? UInt8(index + 1) : 0)) }
    // Memory that is not there yet joins from below too.
    _ = try space.map(request(page(100), pages: 1, placement: .exclusive))
    _ = try space.map(request(page(99), pages: 1, placement: .exclusive))
    #expect(space.entryCount == 2)
    finish(machine, space)
  }

  @Test
  func `what is mapped page by page, forwards, backwards or into a hole, is one entry if the pages follow one another`()
    throws
  {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    do {
      let object = try VMObject.make(machine.system, .sharedMemory, pageCount: 16)
      func map(_ index: UInt64, showing offset: UInt64) throws {
        var wanted = request(page(index), pages: 1, sharing: .shared, object: object.copy())
        wanted.offset = offset
        wanted.countsAsWritable = true
        _ = try space.map(wanted)
      }
      for isForwards in [true, false] {
        _ = try space.map(request(base, pages: 16, []))
        for index in UInt64(0)..<16 {
          try map(isForwards ? index : 15 - index, showing: isForwards ? index : 15 - index)
        }
        #expect(space.entryCount == 1 && object.object.referenceCount == 2)
        #expect(object.object.writableMappingByteCount == 16 << 12)
        try space.unmap(range(page(8), pages: 1))
        #expect(object.object.referenceCount == 3)
        try map(8, showing: 8)
        #expect(object.object.referenceCount == 2)
        try map(8, showing: 0)
        #expect(object.object.referenceCount == 4 && object.object.writableMappingByteCount == 16 << 12)
        try space.unmap(range(base, pages: 16))
        #expect(object.object.referenceCount == 1 && object.object.writableMappingByteCount == 0)
      }
    }
    finish(machine, space)
  }

  @Test
  func `entries that differ in anything stay two`() throws {
    let machine = SimulatedHardware()
    let system = machine.system
    let space = try AddressSpace.make(system)
    _ = try space.map(request(base, pages: 1))
    func expectTwo(_ wanted: consuming MapRequest, _ what: String) throws {
      _ = try space.map(wanted)
      #expect(space.entryCount == 2, "\(what)")
      try space.unmap(range(page(1), pages: 8))
    }
    try expectTwo(request(page(1), pages: 1, .read), "protection")
    try expectTwo(request(page(1), pages: 1, maximum: [.read, .write]), "maximum")
    try expectTwo(request(page(1), pages: 1, sharing: .shared), "sharing")
    try expectTwo(request(page(2), pages: 1), "a hole between them")
    do {
      let object = try VMObject.make(system, .sharedMemory, pageCount: 8)
      try expectTwo(request(page(1), pages: 1, object: object.copy()), "an object")
    }
    // Whose reservation it is.
    do {
      let own = space.account
      space.account = system.accounts.account(of: 7)
      try expectTwo(request(page(1), pages: 1), "account")
      space.account = own
    }
    // A reservation that one has and the other has not.
    _ = try space.map(request(page(3), pages: 1, .read))
    _ = try space.map(request(page(4), pages: 1))
    try space.protect(range(page(4), pages: 1), .read, maximum: nil)
    #expect(space.entryCount == 3)
    try space.protect(range(page(3), pages: 1), [.read, .write], maximum: nil)
    try space.protect(range(page(4), pages: 1), [.read, .write], maximum: nil)
    #expect(space.entryCount == 2 && system.accounting.reserved == 3)
    // Copy-on-write after a fork.
    #expect(space.store(1, at: base))
    let child = try space.fork()
    try expectTwoAfterFork(space)
    finish(machine, space, child)
  }

  private func expectTwoAfterFork(_ space: AddressSpace) throws {
    let count = space.entryCount
    _ = try space.map(request(page(1), pages: 1))
    #expect(space.entryCount == count + 1)
    #expect(space.load(page(1)) == 0)
  }

  @Test
  func `what an object still holds behind an entry is not what is mapped there next`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    _ = try space.map(request(base, pages: 8))
    for index in UInt64(0)..<8 { #expect(space.store(9, at: page(index))) }
    let child = try space.fork()
    // The child may still see these pages, so the object keeps them.
    try space.unmap(range(page(4), pages: 4))
    child.retire()
    machine.drain()
    #expect(space.store(1, at: base))
    _ = try space.map(request(page(4), pages: 4, placement: .exclusive))
    for index in UInt64(4)..<8 { #expect(space.load(page(index)) == 0) }
    #expect(space.load(page(3)) == 9)
    finish(machine, space)
  }

  @Test
  func `a reservation moves with its entry, and what is unmapped afterwards gives back its own part`() throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    let account = machine.system.accounts.account(of: 5)
    space.account = account
    for index in UInt64(0)..<8 { _ = try space.map(request(page(index), pages: 1)) }
    #expect(space.entryCount == 1 && account.reservedPageCount == 8)
    try space.unmap(range(page(2), pages: 3))
    #expect(space.entryCount == 2 && account.reservedPageCount == 5)
    _ = try space.map(request(page(2), pages: 3))
    #expect(space.entryCount == 1 && account.reservedPageCount == 8)
    finish(machine, space)
    #expect(account.reservedPageCount == 0)
  }

  @Test
  func `a change of protection that is refused leaves the entry whole`() throws {
    // shows: shm 3.14.enomem
    let machine = SimulatedHardware()
    let system = machine.system
    let space = try AddressSpace.make(system)
    _ = try space.map(request(base, pages: 8, .read))
    system.setOvercommit(1)
    #expect(throws: Errno.enomem) { try space.protect(range(page(2), pages: 2), [.read, .write], maximum: nil) }
    system.setOvercommit(0)
    #expect(space.entryCount == 1 && system.accounting.reserved == 0)
    // The second cut finds no memory.
    for number in UInt32(1)...2 {
      system.services.failures.fail(.mapEntry, number: number)
      #expect(throws: Errno.enomem) { try space.protect(range(page(2), pages: 2), [.read, .write], maximum: nil) }
      system.services.failures.disarm()
      #expect(space.entryCount == 1 && system.accounting.reserved == 0, "\(number)")
    }
    finish(machine, space)
  }

  @Test(arguments: [1, 2, 3, 7, 1000])
  func `changing many entries in steps merges them, whatever the budget`(budget: Int) throws {
    let machine = SimulatedHardware()
    let space = try AddressSpace.make(machine.system)
    _ = try space.map(request(base, pages: 64))
    for index in UInt64(0)..<64 { #expect(space.store(UInt8(index), at: page(index))) }
    for index in stride(from: UInt64(1), to: 64, by: 2) {
      try space.protect(range(page(index), pages: 1), .read, maximum: nil)
    }
    #expect(space.entryCount == 64)
    var pending = PendingProtection(range(page(1), pages: 62), .read, maximum: nil)
    while true {
      var left = budget
      if case .complete = try space.protect(&pending, &left) { break }
    }
    // Page 63 is like them and joins them.
    #expect(space.entryCount == 2 && space.treeIsInOrder)
    pending = PendingProtection(range(base, pages: 64), [.read, .write], maximum: nil)
    while true {
      var left = budget
      if case .complete = try space.protect(&pending, &left) { break }
    }
    #expect(space.entryCount == 1 && machine.system.accounting.reserved == 64)
    for index in UInt64(0)..<64 { #expect(space.load(page(index)) == UInt8(index)) }
    finish(machine, space)
  }
}
