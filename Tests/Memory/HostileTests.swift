// What a hostile program tries against the data structures of memory: trees that lean, lists that grow.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Hostile use of memory")
struct HostileMemoryTests {
  private func map(_ space: AddressSpace, _ address: UInt64, _ object: VMObject? = nil) throws {
    let reference = object.map { VMObjectReference($0) }
    _ = try space.map(request(address, pages: 1, sharing: object == nil ? .private : .shared, object: reference))
  }

  /// The height of the leanest AVL tree with so many entries.
  private func highest(_ count: Int) -> Int {
    var height = 0
    var (fewest, next) = (0, 1)
    while next <= count {
      height += 1
      (fewest, next) = (next, fewest + next + 1)
    }
    return height
  }

  /// Orders of mapping that make a tree lean: ascending, descending, and by the numbers of a generator that starts in the
  /// same way in every process.
  @Test(arguments: [0, 1, 2])
  func `no order of mapping makes the map deep`(order: Int) throws {
    let machine = SimulatedHardware(frameCount: 2048)
    let space = try AddressSpace.make(machine.system)
    let count = 2000
    var numbers: [UInt32] = []
    var state: UInt32 = 0x9E37_79B9
    for index in 0..<count {
      state ^= state << 13
      state ^= state >> 17
      state ^= state << 5
      numbers.append(order == 0 ? UInt32(index) : order == 1 ? UInt32(count - index) : state)
    }
    let sorted = numbers.sorted()
    let addresses = numbers.map { number in 0x10_0000 + UInt64(sorted.firstIndex(of: number)!) * 8192 }
    for address in addresses { try map(space, address) }
    #expect(space.treeHeight <= highest(count))
    var left = count
    for address in addresses.dropLast(100) {
      try space.unmap(try #require(AddressRange(covering: VirtualAddress(address), byteCount: 4096)))
      left -= 1
      #expect(space.find(address) == nil)
      if left % 250 == 0 { #expect(space.treeHeight <= highest(left)) }
    }
    for address in addresses.suffix(100) { #expect(space.find(address) != nil) }
    #expect(space.entryCount == 100)
    space.retire()
    machine.drain()
  }

  /// The tree of a child's map is put together, not grown entry by entry.
  @Test
  func `a child's map is a tree in order, however many mappings there are, and in however many steps it is made`()
    throws
  {
    let machine = SimulatedHardware(frameCount: 2048)
    let parent = try AddressSpace.make(machine.system)
    for count in 0..<140 {
      let child = try AddressSpace.make(machine.system)
      var position = ForkPosition()
      var isDone = false
      while !isDone {
        var budget = count % 3 == 0 ? 1 : 50
        isDone = try parent.copy(into: child, from: &position, &budget)
        #expect(child.treeIsInOrder)
      }
      #expect(child.entryCount == count && child.treeHeight <= highest(count))
      for index in 0..<UInt64(count) { #expect(child.find(0x10_0000 + index * 8192) != nil) }
      #expect(child.find(0x10_1000) == nil && child.virtualByteCount == parent.virtualByteCount)
      // It can be changed like any other.
      for index in 0..<UInt64(count) where index % 5 == 1 {
        try child.unmap(try #require(AddressRange(covering: VirtualAddress(0x10_0000 + index * 8192), byteCount: 4096)))
        #expect(child.treeIsInOrder)
      }
      try map(child, 0x10_1000)
      #expect(child.treeIsInOrder)
      child.retire()
      try map(parent, 0x10_0000 + UInt64(count) * 8192)
    }
    parent.retire()
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `a page that is mapped a thousand times stays mapped everywhere, and shows the same`() throws {
    let machine = SimulatedHardware(frameCount: 2048)
    let space = try AddressSpace.make(machine.system)
    space.activate()
    do {
      let reference = try VMObject.make(machine.system, .sharedMemory, pageCount: 1)
      let count: UInt64 = 1000
      // Each in a lowest table of its own for some, neighbours for the others.
      var addresses: [UInt64] = []
      for index in 0..<count {
        let table: UInt64 = (index % 10) << 22
        addresses.append(0x10_0000 + table + (index / 10) * 4096)
      }
      for address in addresses { try map(space, address, reference.object) }
      for (index, address) in addresses.enumerated() {
        #expect(space.store(UInt8(truncatingIfNeeded: index), at: address))
        #expect(space.load(addresses[(index * 7 + 3) % addresses.count]) == UInt8(truncatingIfNeeded: index))
      }
      guard case .frame(let frame) = reference.object.page(at: 0, for: .read) else {
        Issue.record("the page is gone")
        return
      }
      #expect(machine.system.furtherMappingCount(of: frame, machine.system.frames) == Int(count) - 1)
      #expect(space.residentPageCount == Int(count))
      for address in addresses {
        try space.unmap(try #require(AddressRange(covering: VirtualAddress(address), byteCount: 4096)))
      }
      #expect(machine.system.anyMapping(of: frame, machine.system.frames) == nil)
    }
    space.retire()
    #expect(machine.leakedFrames == 0)
  }
}
