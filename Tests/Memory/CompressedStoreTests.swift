// The store of compressed pages against a model: what it holds, how little memory it takes for that, and that it works when there is
// none.
import ABI
import Simulation
import Testing

@testable import Memory
import Primitives

@Suite("Compressed store")
struct CompressedStoreTests {
  private func machine(_ frameCount: Int, pages: UInt32) -> (SimulatedHardware, CompressedStore) {
    let machine = SimulatedHardware(frameCount: frameCount)
    #expect(machine.system.attachCompressedSwap(blockCount: pages))
    return (machine, machine.system.compressedStore!)
  }

  private func isSound(_ system: MemorySystem) -> Bool {
    var inspector = MemoryInspector(system)
    inspector.finish()
    if let violation = inspector.violation { Issue.record("\(violation) \(inspector.detail)") }
    return inspector.violation == nil
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `random use agrees with a table, and the memory is dense`(seed: UInt64) {
    let (machine, store) = machine(1200, pages: 400)
    let system = machine.system
    guard let frame = system.allocateKernelFrame() else { return }
    var generator = SeededGenerator(seed: seed)
    var held: [UInt32: [UInt8]] = [:]
    func move(_ direction: TransferDirection, _ block: UInt32) -> TransferStatus {
      store.transfer(direction, block: block, frames: [frame].span)
    }
    for step in 0..<1500 {
      let block = UInt32.random(in: 1..<400, using: &generator)
      // Now it grows, now it shrinks.
      switch Int.random(in: 0..<((step / 300) % 2 == 0 ? 4 : 8), using: &generator) {
      case 0, 1:
        let kind = PageContent.allCases.randomElement(using: &generator)!
        let content = kind.make(&generator)
        machine.memory.setBytes(content, at: frame.address.raw)
        switch move(.write, block) {
        case .done: held[block] = content
        case .refused:
          #expect(kind != .zeros && kind != .text && kind != .oneByte && kind != .counter)
          held[block] = nil
        case .failed, .pending: Issue.record("not stored")
        }
      case 2:
        machine.memory.setBytes([UInt8](repeating: 0x77, count: 4096), at: frame.address.raw)
        #expect(move(.read, block) == (held[block] == nil ? .failed : .done))
        if let content = held[block] {
          #expect(machine.memory.bytes(at: frame.address.raw, byteCount: 4096) == content)
        }
      default:
        store.discard(block: block)
        held[block] = nil
      }
      if step % 50 == 0 { #expect(store.isSound()) }
    }
    #expect(store.counts.pages == held.count && store.isSound())
    // Less than a frame for each class beside what is in them; each page is rounded up, and has four bytes more.
    let most = (store.counts.bytes + store.counts.pages * 131) / 4096 + 1 + 24 + 1
    #expect(store.counts.frames <= most)
    for block in 1..<400 as Range<UInt32> { store.discard(block: block) }
    #expect(store.counts.pages == 0 && store.counts.bytes == 0 && store.counts.frames == 1 && store.isSound())
    system.freeKernelFrame(frame)
  }

  @Test func `a page of zeros takes nothing, and one of noise is refused`() {
    let (machine, store) = machine(600, pages: 64)
    let system = machine.system
    guard let frame = system.allocateKernelFrame() else { return }
    let free = system.freeFrameCount
    machine.memory.setBytes([UInt8](repeating: 0, count: 4096), at: frame.address.raw)
    for block in 1..<64 as Range<UInt32> {
      #expect(store.transfer(.write, block: block, frames: [frame].span) == .done)
    }
    #expect(system.freeFrameCount == free && store.counts.zeroPages == 63)
    var generator = SeededGenerator(seed: 1)
    machine.memory.setBytes(PageContent.noise.make(&generator), at: frame.address.raw)
    #expect(store.transfer(.write, block: 5, frames: [frame].span) == .refused)
    // What the block held before is gone, and only that.
    #expect(store.transfer(.read, block: 5, frames: [frame].span) == .failed)
    #expect(store.transfer(.read, block: 6, frames: [frame].span) == .done)
    #expect(store.transfer(.read, block: 64, frames: [frame].span) == .failed)
    #expect(store.counts.refusals == 1 && store.counts.zeroPages == 62 && store.isSound())
  }

  /// An object of pages of a kind, made while reclaim makes room; what each holds.
  private func fill(
    _ machine: SimulatedHardware, _ object: VMObject, _ kind: PageContent, _ generator: inout SeededGenerator
  ) -> [[UInt8]] {
    var contents: [[UInt8]] = []
    for index in 0..<object.pageCount {
      var content = kind.make(&generator)
      content[0] = UInt8(truncatingIfNeeded: index)
      while true {
        if machine.system.isShort { machine.system.reclaim(budget: 64) }
        if case .frame(let frame) = object.page(at: index, for: .write) {
          machine.memory.setBytes(content, at: frame.address.raw)
          break
        }
        guard machine.system.makeAvailable(2) == .ready else { return contents }
      }
      contents.append(content)
    }
    return contents
  }

  private func agrees(_ machine: SimulatedHardware, _ object: VMObject, _ contents: [[UInt8]]) -> Bool {
    for (index, content) in contents.enumerated() {
      while true {
        if case .frame(let frame) = object.page(at: UInt64(index), for: .read) {
          if machine.memory.bytes(at: frame.address.raw, byteCount: 4096) != content { return false }
          break
        }
        guard machine.system.makeAvailable(2) == .ready else { return false }
      }
    }
    return true
  }

  @Test(arguments: [PageContent.text, .words, .zeros, .runs])
  func `a machine holds more than its memory`(kind: PageContent) throws {
    let (machine, store) = machine(300, pages: 1024)
    let system = machine.system
    let reference = try VMObject.make(system, .sharedMemory, pageCount: kind == .words ? 270 : 450)
    var generator = SeededGenerator(seed: 8)
    let contents = fill(machine, reference.object, kind, &generator)
    #expect(contents.count == Int(reference.object.pageCount))
    // Text and the like more than there are frames at all.
    #expect(kind == .words || contents.count > system.managedFrameCount)
    for _ in 0..<2 { #expect(agrees(machine, reference.object, contents)) }
    #expect(store.isSound())
    _ = consume reference
    machine.drain()
    #expect(store.counts.pages == 0 && system.usedSwapBlockCount == 0 && store.counts.frames == 1)
  }

  @Test func `each page that is compressed or brought back lets interrupts in, and one step of reclaim compresses one`()
    throws
  {
    let (machine, store) = machine(900, pages: 256)
    let system = machine.system
    let reference = try VMObject.make(system, .sharedMemory, pageCount: 20)
    var generator = SeededGenerator(seed: 2)
    let contents = fill(machine, reference.object, .text, &generator)
    #expect(!system.takeLongWork())
    var steps = 0
    while store.counts.pages < 20 && steps < 2000 {
      let before = store.counts.stores
      _ = system.makeAvailable(system.managedFrameCount, looks: 64)
      #expect(store.counts.stores - before <= 1)
      #expect(system.takeLongWork() == (store.counts.stores > before) && !system.takeLongWork())
      steps += 1
    }
    #expect(store.counts.pages == 20)
    #expect(agrees(machine, reference.object, contents) && system.takeLongWork())
    _ = consume reference
    machine.drain()
    #expect(store.counts.pages == 0)
  }

  @Test func `page-out never leaves fewer frames free, not even when there is none`() throws {
    let (machine, store) = machine(400, pages: 1024)
    let system = machine.system
    let reference = try VMObject.make(system, .sharedMemory, pageCount: 120)
    var generator = SeededGenerator(seed: 4)
    let contents = fill(machine, reference.object, .words, &generator)
    var taken: [FrameNumber] = []
    while let frame = system.allocateKernelFrame(.reserve) { taken.append(frame) }
    #expect(system.freeFrameCount == 0)
    var free = 0
    for _ in 0..<2000 {
      system.reclaim(budget: 2)
      #expect(system.freeFrameCount >= free)
      free = system.freeFrameCount
    }
    #expect(free > 20 && store.counts.pages > 60 && store.isSound())
    for frame in taken { system.freeKernelFrame(frame) }
    #expect(agrees(machine, reference.object, contents))
    _ = consume reference
    machine.drain()
    #expect(store.counts.frames == 1 && store.counts.pages == 0)
  }

  @Test
  func
    `pages that do not compress stay, are not tried again until they change, and go elsewhere if there is elsewhere`()
    throws
  {
    let (machine, store) = machine(900, pages: 256)
    let system = machine.system
    let reference = try VMObject.make(system, .sharedMemory, pageCount: 20)
    let object = reference.object
    var generator = SeededGenerator(seed: 9)
    let contents = fill(machine, object, .noise, &generator)
    func search() { for _ in 0..<3 { _ = system.makeAvailable(system.managedFrameCount) } }
    search()
    #expect(store.counts.refusals == 20 && object.residentCount == 20 && system.queues.unswappable.count == 20)
    system.forgetFutility()
    search()
    #expect(store.counts.refusals == 20 && isSound(system, reference))
    // One is read, another becomes text.
    #expect(agrees(machine, object, Array(contents.prefix(1))))
    guard case .frame(let frame) = object.page(at: 7, for: .write) else { return }
    let text = PageContent.text.make(&generator)
    machine.memory.setBytes(text, at: frame.address.raw)
    system.forgetFutility()
    search()
    #expect(store.counts.refusals == 20 && object.swappedCount == 1 && store.counts.pages == 1)
    // A disk takes them all.
    let disk = SimulatedSwap(memory: machine.memory, clock: machine.clock, blockCount: 64, seed: 1)
    #expect(system.attachSwap(disk))
    search()
    #expect(object.swappedCount == 20 && disk.movedPageCounts.written == 19 && isSound(system, reference))
    var now = contents
    now[7] = text
    #expect(agrees(machine, object, now))
    _ = consume reference
    machine.drain()
    #expect(system.usedSwapBlockCount == 0 && disk.violations.isEmpty)
  }

  private func isSound(_ system: MemorySystem, _ reference: borrowing VMObjectReference) -> Bool {
    var inspector = MemoryInspector(system)
    inspector.visit(reference)
    inspector.finish()
    if let violation = inspector.violation { Issue.record("\(violation) \(inspector.detail)") }
    return inspector.violation == nil
  }

  @Test func `a damaged chunk is an error of its page, and the inspection finds it`() throws {
    let (machine, store) = machine(900, pages: 256)
    let system = machine.system
    let reference = try VMObject.make(system, .sharedMemory, pageCount: 8)
    var generator = SeededGenerator(seed: 9)
    let contents = fill(machine, reference.object, .text, &generator)
    for _ in 0..<3 { _ = system.makeAvailable(system.managedFrameCount) }
    #expect(reference.object.swappedCount == 8 && store.isSound())
    for raw in 0..<system.inspectedFrameCount where system.inspect(FrameNumber(raw)).state == .store {
      let address = FrameNumber(raw).address.raw
      if machine.memory.byte(at: address) == 0 { continue }
      machine.memory.setBytes([0xFF, 0xFF, 0xFF, 0xFF], at: address)
    }
    #expect(!store.isSound())
    var failed = 0
    for index in 0..<8 as Range<UInt64> {
      switch reference.object.page(at: index, for: .read) {
      case .failed: failed += 1
      case .frame(let frame):
        #expect(machine.memory.bytes(at: frame.address.raw, byteCount: 4096) == contents[Int(index)])
      case .absent, .wait: Issue.record("page \(index)")
      }
    }
    #expect(failed > 0)
  }
}
