// The physical page allocator, the pools, the swap block allocator and the page index against naive models.
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Buddy allocator")
struct BuddyAllocatorTests {
  @Test(arguments: [1, 2, 3, 4, 5])
  func `blocks are aligned, never overlap, and merge back to the initial blocks`(seed: UInt64) {
    let machine = SimulatedHardware(frameCount: 700)
    let system = machine.system
    let initial = (0...12).map { system.buddy.blockCount(order: $0) }
    var generator = SeededGenerator(seed: seed)
    var held: [(UInt32, Int)] = []
    var owned = Set<UInt32>()
    for _ in 0..<4000 {
      if Bool.random(using: &generator) || held.isEmpty {
        let order = Int.random(in: 0...4, using: &generator)
        guard let block = system.buddy.allocate(order: order, system.frames) else { continue }
        #expect(block.raw % (1 << UInt32(order)) == 0)
        for frame in block.raw..<block.raw + (1 << UInt32(order)) {
          #expect(owned.insert(frame).inserted)
          system.frames[FrameNumber(frame)].state = .kernel
        }
        held.append((block.raw, order))
      } else {
        let (block, order) = held.remove(at: Int.random(in: 0..<held.count, using: &generator))
        for frame in block..<block + (1 << UInt32(order)) {
          owned.remove(frame)
          system.frames[FrameNumber(frame)].state = .freeTail
        }
        system.buddy.free(FrameNumber(block), order: order, system.frames)
      }
      #expect(system.freeFrameCount + owned.count == machine.initialFreeFrameCount)
    }
    for (block, order) in held {
      for frame in block..<block + (1 << UInt32(order)) { system.frames[FrameNumber(frame)].state = .freeTail }
      system.buddy.free(FrameNumber(block), order: order, system.frames)
    }
    #expect((0...12).map { system.buddy.blockCount(order: $0) } == initial)
  }

  @Test
  func `normal allocations leave the reserve to calls that release`() {
    let machine = SimulatedHardware(frameCount: 300)
    var taken = 0
    while machine.system.allocateKernelFrame() != nil { taken += 1 }
    #expect(machine.system.freeFrameCount == machine.system.reserveFrameCount)
    #expect(taken == machine.initialFreeFrameCount - machine.system.reserveFrameCount)
    #expect(machine.system.allocateKernelFrame(.reserve) != nil)
  }
}

@Suite("Pool")
struct PoolTests {
  struct Record: BitwiseCopyable {
    var value: UInt64
    var more: UInt64 = 0
    var last: UInt64 = 0
  }

  @Test
  func `records keep their values, and the frames come back`() {
    let machine = SimulatedHardware()
    let pool = Pool<Record>(machine.memory.physical, .indexNode)
    var generator = SeededGenerator(seed: 11)
    var held: [(Handle<Record>, UInt64)] = []
    for step in 0..<5000 {
      if UInt8.random(in: 0..<10, using: &generator) < 6 || held.isEmpty {
        let value = UInt64(step)
        guard let handle = pool.allocate(Record(value: value), machine.system) else { continue }
        held.append((handle, value))
      } else {
        let (handle, value) = held.remove(at: Int.random(in: 0..<held.count, using: &generator))
        #expect(pool.take(handle, machine.system).value == value)
      }
      #expect(pool.count == held.count)
    }
    for (handle, value) in held {
      #expect(pool[handle].value == value)
      _ = pool.take(handle, machine.system)
    }
    #expect(pool.frameCount <= 1)
    pool.trim(machine.system)
    #expect(machine.leakedFrames == 0)
  }

  @Test
  func `running out of frames is an answer`() {
    let machine = SimulatedHardware(frameCount: 100)
    let pool = Pool<Record>(machine.memory.physical, .indexNode)
    var handles: [Handle<Record>] = []
    while let handle = pool.allocate(Record(value: 1), machine.system) { handles.append(handle) }
    #expect(handles.count == pool.frameCount * (4096 / 32))
    for handle in handles { _ = pool.take(handle, machine.system) }
    pool.trim(machine.system)
    #expect(machine.leakedFrames == 0)
  }
}

@Suite("Swap block allocator")
struct SwapBlockAllocatorTests {
  @Test(arguments: [2, 3, 63, 64, 65, 128, 4095, 4096, 4097, 5000] as [UInt32])
  func `hands out every block but 0 exactly once`(count: UInt32) {
    let memory = SimulatedMemory(frameCount: 8)
    defer { extendLifetime(memory) }
    memory.physical.zero(PhysicalAddress(0), byteCount: 8192)
    var allocator = SwapBlockAllocator(memory.physical, at: PhysicalAddress(0), blockCount: count)
    var seen = Set<UInt32>()
    while let block = allocator.allocate() {
      #expect(block > 0 && block < count)
      #expect(seen.insert(block).inserted)
    }
    #expect(seen.count == Int(count) - 1)
    for block in seen.sorted(by: >) { allocator.free(block) }
    #expect(allocator.freeCount == allocator.usableCount)
    let again = allocator.allocate()
    #expect(again != nil)
  }

  @Test(arguments: 7...12 as ClosedRange<UInt64>)
  func `random use agrees with a set`(seed: UInt64) {
    let memory = SimulatedMemory(frameCount: 8)
    defer { extendLifetime(memory) }
    memory.physical.zero(PhysicalAddress(0), byteCount: 8192)
    var allocator = SwapBlockAllocator(memory.physical, at: PhysicalAddress(0), blockCount: 300)
    var generator = SeededGenerator(seed: seed)
    var held = Set<UInt32>()
    for _ in 0..<5000 {
      if Bool.random(using: &generator) {
        let limit = Int.random(in: 1...70, using: &generator)
        guard let run = allocator.allocateRun(upTo: limit) else {
          #expect(held.count == 299)
          continue
        }
        let blocks = Set(run.first..<run.first + UInt32(run.count))
        #expect(run.count > 0 && run.count <= limit && run.first > 0 && blocks.isDisjoint(with: held))
        held.formUnion(blocks)
        // It ends where it had to.
        if run.count < limit, let last = blocks.max(), last + 1 < 300 { #expect(held.contains(last + 1)) }
      } else {
        for _ in 0..<Int.random(in: 1...30, using: &generator) {
          guard let block = held.randomElement(using: &generator) else { break }
          held.remove(block)
          #expect(!allocator.isFree(block))
          allocator.free(block)
          #expect(allocator.isFree(block))
        }
      }
      #expect(Int(allocator.freeCount) == 299 - held.count)
      let start = UInt32.random(in: 0..<300, using: &generator)
      #expect(allocator.nextTaken(from: start, wordLimit: 5).block == held.filter { $0 >= start }.min())
    }
  }
}

@Suite("Page index")
struct PageIndexTests {
  @Test(arguments: [1, 2, 3, 4])
  func `agrees with a dictionary, in order, at every size`(seed: UInt64) {
    let machine = SimulatedHardware(frameCount: 4096)
    let nodes = machine.system.indexNodes
    var index = PageIndex()
    var model: [UInt64: UInt32] = [:]
    var generator = SeededGenerator(seed: seed)
    for step in 0..<6000 {
      let bits = UInt64.random(in: 0...51, using: &generator)
      let key = seed % 2 == 0 ? UInt64.random(in: 0..<300, using: &generator) : generator.next() & ((1 << bits) - 1)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0, 1:
        if model[key] == nil {
          let frame = UInt32(step)
          if index.insert(key, .resident(FrameNumber(frame)), nodes, machine.system) { model[key] = frame }
        } else {
          index.replace(key, with: .resident(FrameNumber(UInt32(step))), nodes)
          model[key] = UInt32(step)
        }
      case 2:
        let victim = model.keys.randomElement(using: &generator) ?? key
        let expected = model.removeValue(forKey: victim).map { IndexEntry.resident(FrameNumber($0)) } ?? .empty
        let removed = index.remove(victim, nodes, machine.system)
        #expect(removed == expected)
      default:
        let expected = model[key].map { IndexEntry.resident(FrameNumber($0)) } ?? .empty
        #expect(index.lookup(key, nodes) == expected)
        #expect(index.next(from: key, nodes)?.index == model.keys.filter { $0 >= key }.min())
      }
    }
    var position: UInt64 = 0
    for key in model.keys.sorted() {
      let found = index.next(from: position, nodes)
      #expect(found?.index == key)
      position = key + 1
    }
    for key in model.keys { _ = index.remove(key, nodes, machine.system) }
    #expect(index.isEmpty && nodes.count == 0)
    #expect(machine.leakedFrames == 0)
  }

  @Test(arguments: 1...12 as ClosedRange<UInt32>)
  func `an insertion that fails for lack of memory changes nothing`(number: UInt32) {
    let machine = SimulatedHardware()
    let system = machine.system
    var index = PageIndex()
    let first = index.insert(5, .resident(FrameNumber(1)), system.indexNodes, system)
    #expect(first)
    let before = system.indexNodes.count
    system.services.failures.fail(.frame, number: number)
    let far: UInt64 = 1 << 51
    var inserted = 0
    for offset: UInt64 in 0..<64 {
      let key = far + offset << 40
      if index.insert(key, .swapped(SwapBlock(9)), system.indexNodes, system) {
        inserted += 1
      } else {
        #expect(index.lookup(key, system.indexNodes) == .empty)
        #expect(index.lookup(5, system.indexNodes) == .resident(FrameNumber(1)))
      }
    }
    system.services.failures.disarm()
    for offset: UInt64 in 0..<64 { _ = index.remove(far + offset << 40, system.indexNodes, system) }
    let removed = index.remove(5, system.indexNodes, system)
    #expect(removed == .resident(FrameNumber(1)))
    #expect(system.indexNodes.count == 0 && before >= 1 && inserted > 0)
  }

  @Test(arguments: 1...18 as ClosedRange<UInt32>)
  func `an insertion that lacks one of its nodes gives the others back`(number: UInt32) {
    let machine = SimulatedHardware()
    let system = machine.system
    var index = PageIndex()
    for key in [5, 6] as [UInt64] {
      let inserted = index.insert(key, .resident(FrameNumber(1)), system.indexNodes, system)
      #expect(inserted)
    }
    let before = system.indexNodes.count
    system.services.failures.fail(.indexNode, number: number)
    let inserted = index.insert(1 << 51, .swapped(SwapBlock(9)), system.indexNodes, system)
    system.services.failures.disarm()
    // Eight levels above the one that is there, and as many below the new root.
    #expect(inserted == (number > 16))
    #expect(inserted || system.indexNodes.count == before)
    #expect(index.lookup(5, system.indexNodes) == .resident(FrameNumber(1)))
    for key in [5, 6, 1 << 51] as [UInt64] { _ = index.remove(key, system.indexNodes, system) }
    #expect(system.indexNodes.count == 0)
  }
}
