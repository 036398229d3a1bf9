// The invariant checker inside the kernel names what is wrong, and is content with what is right.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Memory inspector")
struct InspectorTests {
  private let address: UInt64 = 0x10_0000

  /// What the inspector says about one space with a page that can be stored to and one that can only be read.
  private func violation(
    _ plant: (SimulatedHardware, AddressSpace) -> Void, undo: (SimulatedHardware, AddressSpace) -> Void = { _, _ in }
  )
    throws -> String?
  {
    let machine = SimulatedHardware(swapBlocks: 20)
    let space = try AddressSpace.make(machine.system)
    for (page, protection) in [(0, [.read, .write]), (1, .read)] as [(UInt64, Protection)] {
      _ = try space.map(request(address + page << 12, pages: 1, protection))
      #expect(space.load(address + page << 12) == 0)
    }
    #expect(space.store(3, at: address))
    func inspect() -> String? {
      var inspector = MemoryInspector(machine.system)
      inspector.visit(space)
      inspector.finish()
      return inspector.violation.map { "\($0)" }
    }
    #expect(inspect() == nil)
    plant(machine, space)
    let result = inspect()
    undo(machine, space)
    #expect(inspect() == nil)
    space.retire()
    #expect(machine.leakedFrames == 0)
    return result
  }

  /// The page-table entry of an address.
  private func slot(_ space: AddressSpace, _ address: UInt64) -> PhysicalAddress {
    PageTableEntry.slot(space.tables.find(address, space.system)!.table, address, level: 0)
  }

  private func frame(_ machine: SimulatedHardware, _ space: AddressSpace) -> FrameNumber {
    PageTableEntry.frame(machine.system.physical.load(slot(space, address)))
  }

  @Test
  func `rights beyond the map entry`() throws {
    let second = address + 4096
    #expect(
      try violation(
        { machine, space in machine.system.physical.set(bits: PageTableEntry.writable, at: slot(space, second)) },
        undo: { machine, space in
          _ = machine.system.physical.clear(bits: PageTableEntry.writable, at: slot(space, second))
        }) == "writable beyond the map entry")
    #expect(
      try violation(
        { machine, space in _ = machine.system.physical.clear(bits: PageTableEntry.noExecute, at: slot(space, second))
        },
        undo: { machine, space in
          machine.system.physical.set(bits: PageTableEntry.noExecute, at: slot(space, second))
        }) == "executable beyond the map entry")
  }

  @Test
  func `a translation that its frame does not know of`() throws {
    #expect(
      try violation(
        { machine, space in
          machine.system.removeMapping(slot(space, address), from: frame(machine, space), machine.system.frames)
        },
        undo: { machine, space in
          _ = machine.system.addMapping(
            slot(space, address), to: frame(machine, space), machine.system.frames)
        })
        == "translation not in its frame's list exactly once")
  }

  @Test
  func `a translation that no map entry covers`() throws {
    var removed = Handle<MapEntry>.none
    #expect(
      try violation(
        { machine, space in
          removed = space.find(address)!
          space.remove(removed)
          // The counts are left to whoever releases the entry.
          space.entryCount -= 1
          space.virtualByteCount -= 4096
        },
        undo: { machine, space in
          space.insert(removed)
        }) == "translation without a map entry")
  }

  @Test
  func `a translation of a page that the entry's object does not have`() throws {
    let third = address + 2 * 4096
    #expect(
      try violation(
        { machine, space in
          _ = try? space.map(request(third, pages: 1, .read))
          let stranger = frame(machine, space)
          machine.system.physical.set(
            bits: machine.system.physical.load(slot(space, address + 4096)) & ~PageTableEntry.addressMask
              | stranger.address.raw, at: slot(space, third))
          _ = machine.system.addMapping(slot(space, third), to: stranger, machine.system.frames)
        },
        undo: { machine, space in
          machine.system.removeMapping(slot(space, third), from: frame(machine, space), machine.system.frames)
          _ = machine.system.physical.clear(bits: UInt64.max, at: slot(space, third))
        }) == "translation of a page that the map does not show")
  }

  @Test
  func `a page table that is not where its record says, or is not the space's`() throws {
    func change(_ machine: SimulatedHardware, _ space: AddressSpace, _ body: (inout PageFrame) -> Void) {
      body(&machine.system.frames[space.tables.find(address, machine.system)!.table])
    }
    let wrongPlace = "page table at the wrong place"
    #expect(
      try violation(
        { machine, space in change(machine, space) { $0.index += 4096 } },
        undo: { machine, space in change(machine, space) { $0.index -= 4096 } }) == wrongPlace)
    #expect(
      try violation(
        { machine, space in change(machine, space) { $0.order += 1 } },
        undo: { machine, space in change(machine, space) { $0.order -= 1 } }) == wrongPlace)
    #expect(
      try violation(
        { machine, space in change(machine, space) { $0.owner = OwnerReference() } },
        undo: { machine, space in change(machine, space) { $0.owner = OwnerReference(space) } })
        == "page table owned by another")
  }

  @Test
  func `charges that do not add up`() throws {
    let found = try violation(
      { machine, space in try? machine.system.reserve(1, for: nil) },
      undo: { machine, space in machine.system.release(1, of: nil) })
    #expect(found?.contains("charge") == true || found?.contains("reserv") == true, "\(found ?? "nothing")")
  }

  @Test
  func `a swap block that nobody owns`() throws {
    var block: SwapBlock?
    let found = try violation(
      { machine, _ in block = machine.system.swap?.allocate() },
      undo: { machine, _ in machine.system.swap?.free(block!) })
    #expect(found?.contains("block") == true, "\(found ?? "nothing")")
  }

  @Test
  func `a frame that nobody owns, and a page that is counted twice`() throws {
    var lost: FrameNumber?
    let found = try violation(
      { machine, _ in lost = machine.system.allocateFrame(.object) },
      undo: { machine, _ in machine.system.free(lost!) })
    #expect(found != nil)
    #expect(
      try violation(
        { machine, space in machine.system.entries[space.find(address)!].objectOrNil!.residentCount += 1 },
        undo: { machine, space in machine.system.entries[space.find(address)!].objectOrNil!.residentCount -= 1 }) != nil
    )
  }

  /// What the inspector says about a machine without programs on which this violation was planted, and by how much the frames
  /// that belong to the kernel have grown.
  private func planted(_ name: String) -> (violation: String?, kernelFrames: Int, known: Bool) {
    let machine = SimulatedHardware(swapBlocks: 20)
    func inspect() -> (String?, Int) {
      var inspector = MemoryInspector(machine.system)
      inspector.finish()
      return (inspector.violation, inspector.kernelFrameCount)
    }
    let before = inspect()
    #expect(before.0 == nil)
    let known = machine.system.plantViolation(Array(name.utf8).span)
    let after = inspect()
    return (after.0, after.1 - before.1, known)
  }

  @Test(arguments: [
    ("charge", "reserved swap differs from the charges"), ("swap-block", "swap blocks that nothing owns"),
    ("object", "live objects that nothing reaches"), ("record", "mapping records that no page has"),
  ])
  func `each violation that can be planted is the one that is found`(name: String, message: String) {
    let result = planted(name)
    #expect(result.violation == message && result.known)
  }

  @Test
  func `a planted frame belongs to the kernel, and an unknown name plants nothing`() {
    // Whose frame it is only the whole kernel knows.
    let frame = planted("frame")
    #expect(frame.violation == nil && frame.kernelFrames == 1 && frame.known)
    let unknown = planted("frames")
    #expect(unknown.violation == nil && unknown.kernelFrames == 0 && !unknown.known)
  }
}
