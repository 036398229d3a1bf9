// Records of frames are made when they are needed: a start costs what there is of groups, and holes cost nothing.
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Groups of frames") struct FrameGroupTests {
  /// A memory system with its table from frame 16 on, whose records are not zero before they are made.
  private func system(
    frames: UInt32, available: [FrameRange], holes: [FrameRange] = []
  ) -> (SimulatedMemory, MemorySystem) {
    let memory = SimulatedMemory(frameCount: Int(frames))
    let table = FrameNumber(16)
    let byteCount = Int(FrameTable.byteCount(frameCount: frames))
    memory.setBytes([UInt8](repeating: 0xA5, count: byteCount), at: table.address.raw)
    let clock = SimulatedClock()
    let processor = SimulatedProcessor(memoryUnit: SoftwareMMU(memory: memory, seed: 1), clock: clock)
    let system = MemorySystem(
      memory.physical, KernelServices(processor), frameTable: table.address, frameCount: frames,
      available: available.span, holes: holes.span, kernelRoot: FrameNumber(1))
    return (memory, system)
  }

  private func states(_ system: MemorySystem, _ groups: Range<UInt32>) -> [BuddyAllocator.GroupState] {
    groups.map { system.buddy.state(of: FrameNumber($0 << 12)) }
  }

  @Test func `a group that is free as a whole has no records until a frame of it is taken`() throws {
    let (memory, system) = system(frames: 4 << 12, available: [FrameRange(start: 1000, end: 4 << 12)])
    defer { extendLifetime(memory) }
    #expect(states(system, 0..<4) == [.made, .untouched, .untouched, .untouched])
    #expect(system.freeFrameCount == (4 << 12) - 1000 && system.managedFrameCount == system.freeFrameCount)
    #expect(system.inspect(FrameNumber(5000)).state == .freeTail && system.inspect(FrameNumber(1 << 12)).state == .free)
    #expect(system.inspect(FrameNumber(999)).state == .reserved)
    // All of it can be taken, and comes back in whole groups.
    var taken: [FrameNumber] = []
    while let frame = system.allocateKernelFrame(.reserve) { taken.append(frame) }
    #expect(taken.count == (4 << 12) - 1000 && Set(taken.map(\.raw)).count == taken.count)
    #expect(states(system, 0..<4) == [.made, .made, .made, .made])
    for frame in taken { system.freeKernelFrame(frame) }
    #expect(system.buddy.blockCount(order: 12) == 3 && system.freeFrameCount == taken.count)
  }

  @Test func `a group of which only a part is memory, or free, has all of its records`() {
    let (memory, system) = system(
      frames: (3 << 12) + 50,
      available: [
        FrameRange(start: 1000, end: 4100), FrameRange(start: 4200, end: 8191),
        FrameRange(start: 3 << 12, end: (3 << 12) + 50),
      ])
    defer { extendLifetime(memory) }
    #expect(states(system, 0..<4) == [.made, .made, .unused, .made])
    #expect(
      system.inspect(FrameNumber(4150)).state == .reserved && system.inspect(FrameNumber(9000)).state == .reserved)
    #expect(system.freeFrameCount == 3100 + 3991 + 50)
  }

  @Test func `what the table has for whole groups without memory is handed out`() {
    let hole = FrameRange(start: 4096 - 10, end: 3 * 4096 + 10)
    let (memory, system) = system(
      frames: 4 << 12,
      available: [FrameRange(start: 1000, end: hole.start), FrameRange(start: hole.end, end: 4 << 12)],
      holes: [hole])
    defer { extendLifetime(memory) }
    #expect(states(system, 0..<4) == [.made, .unused, .unused, .made])
    // 48 bytes for each of 4096 frames are 48 frames.
    #expect(system.freeFrameCount == 3086 + 4086 + 2 * 48)
    let first = FrameNumber(16 + 48)
    #expect(system.inspect(first).state == .free && system.inspect(FrameNumber(first.raw - 1)).state == .reserved)
    #expect(system.inspect(FrameNumber(first.raw + 96)).state == .reserved)
    var taken: [FrameNumber] = []
    while let frame = system.allocateKernelFrame(.reserve) {
      memory.setBytes([UInt8](repeating: 0xFF, count: 4096), at: frame.address.raw)
      taken.append(frame)
    }
    for frame in taken { system.freeKernelFrame(frame) }
    #expect(system.freeFrameCount == taken.count)
  }
}
