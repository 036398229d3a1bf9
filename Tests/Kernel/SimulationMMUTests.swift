// The simulated processor's memory management unit by itself: what it honours, what it marks, and what it keeps too long.
import Simulation
import Testing

/// A memory with one address space built by hand: root in frame 1, tables in 2, 3, 4, data from frame 8 on.
private struct HandMadeSpace {
  let memory = SimulatedMemory(frameCount: 32)
  let unit: SoftwareMMU
  static let present: UInt64 = 1
  static let writable: UInt64 = 2
  static let user: UInt64 = 4
  static let accessed: UInt64 = 32
  static let dirty: UInt64 = 64
  static let global: UInt64 = 256
  static let noExecute: UInt64 = 1 << 63
  static let all = present | writable | user

  init() {
    unit = SoftwareMMU(memory: memory, seed: 1)
    for frame in 1...4 { memory.setBytes([UInt8](repeating: 0, count: 4096), at: UInt64(frame) << 12) }
    memory.setWord(2 << 12 | Self.all, at: 1 << 12)
    memory.setWord(3 << 12 | Self.all, at: 2 << 12)
    memory.setWord(4 << 12 | Self.all, at: 3 << 12)
    unit.loadRoot(1 << 12)
  }

  func entry(_ page: UInt64) -> UInt64 { memory.word(at: 4 << 12 + page * 8) }
  func set(_ page: UInt64, _ entry: UInt64) { memory.setWord(entry, at: 4 << 12 + page * 8) }
}

@Suite struct SimulationMMUTests {
  private let space = HandMadeSpace()

  private func fault(_ address: UInt64, _ access: MemoryAccess) -> PageFaultCode? {
    do throws(PageFault) {
      _ = try space.unit.translate(address, access)
      return nil
    } catch {
      #expect(error.address == address)
      return error.code
    }
  }

  @Test func `a read marks every level accessed and nothing dirty`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    #expect(try space.unit.translate(0x5123, .read) == 9 << 12 | 0x123)
    #expect(space.entry(5) & HandMadeSpace.accessed != 0)
    #expect(space.entry(5) & HandMadeSpace.dirty == 0)
    #expect(space.memory.word(at: 1 << 12) & HandMadeSpace.accessed != 0)
    #expect(space.memory.word(at: 3 << 12) & HandMadeSpace.accessed != 0)
  }

  @Test func `a write after a read sets the dirty bit`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    _ = try space.unit.translate(0x5000, .read)
    _ = try space.unit.translate(0x5000, .write)
    #expect(space.entry(5) & HandMadeSpace.dirty != 0)
  }

  @Test func `error codes name the access and whether a translation existed`() {
    #expect(fault(0x5000, .read) == [.user])
    #expect(fault(0x5000, .write) == [.user, .write])
    space.set(5, 9 << 12 | HandMadeSpace.present | HandMadeSpace.user | HandMadeSpace.noExecute)
    #expect(fault(0x5000, .write) == [.user, .write, .present])
    #expect(fault(0x5000, .fetch) == [.user, .fetch, .present])
    #expect(fault(0x5000, .read) == nil)
    space.set(6, 9 << 12 | HandMadeSpace.present | HandMadeSpace.writable)
    #expect(fault(0x6000, .read) == [.user, .present])
    #expect(fault(1 << 47, .read) == [.user])
  }

  @Test func `rights are those of all levels together`() {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    space.memory.setWord(4 << 12 | HandMadeSpace.present | HandMadeSpace.user, at: 3 << 12)
    #expect(fault(0x5000, .read) == nil)
    #expect(fault(0x5000, .write) == [.user, .write, .present])
  }

  @Test func `a translation stays until it is invalidated`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    _ = try space.unit.translate(0x5000, .write)
    space.set(5, 0)
    #expect(try space.unit.translate(0x5000, .write) == 9 << 12)
    #expect(space.unit.staleEntries().count == 1)
    space.unit.invalidate(page: 0x5000)
    #expect(fault(0x5000, .write) == [.user, .write])
    #expect(space.unit.staleEntries().isEmpty)
  }

  @Test func `a dirty bit cleared without invalidation is not set again`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    _ = try space.unit.translate(0x5000, .write)
    space.set(5, space.entry(5) & ~HandMadeSpace.dirty)
    _ = try space.unit.translate(0x5000, .write)
    #expect(space.entry(5) & HandMadeSpace.dirty == 0)
    #expect(space.unit.staleEntries().count == 1)
  }

  @Test func `a cached table is walked until it is invalidated`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    space.set(6, 10 << 12 | HandMadeSpace.all)
    _ = try space.unit.translate(0x5000, .read)
    space.memory.setWord(0, at: 3 << 12)
    #expect(try space.unit.translate(0x6000, .read) == 10 << 12)
    #expect(!space.unit.staleEntries().isEmpty)
    space.unit.invalidate(page: 0x5000)
    #expect(fault(0x6000, .read) == nil)
    #expect(fault(0x7000, .read) == [.user])
  }

  @Test func `a root load keeps global translations only`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    space.set(6, 10 << 12 | HandMadeSpace.all | HandMadeSpace.global)
    _ = try space.unit.translate(0x5000, .read)
    _ = try space.unit.translate(0x6000, .read)
    space.set(5, 0)
    space.set(6, 0)
    space.unit.loadRoot(1 << 12)
    #expect(fault(0x5000, .read) == [.user])
    #expect(fault(0x6000, .read) == nil)
    space.unit.invalidateAll()
    #expect(fault(0x6000, .read) == [.user])
  }

  @Test func `speculation fills valid entries and marks them accessed only`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    for _ in 0..<50 { space.unit.speculate() }
    #expect(space.entry(5) & HandMadeSpace.accessed != 0)
    #expect(space.entry(5) & HandMadeSpace.dirty == 0)
    #expect(space.unit.staleEntries().isEmpty)
  }

  @Test func `a walk through something that is no table is reported`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.all)
    _ = try space.unit.translate(0x5000, .read)
    space.unit.isPageTable = { $0 < 4 << 12 }
    space.unit.invalidate(page: 0x5000)
    #expect(space.unit.violations.count == 1)
  }

  @Test func `a rights fault from a stale translation comes at most once`() throws {
    space.set(5, 9 << 12 | HandMadeSpace.present | HandMadeSpace.user)
    _ = try space.unit.translate(0x5000, .read)
    space.set(5, 9 << 12 | HandMadeSpace.all)
    #expect(fault(0x5000, .write) == [.user, .write, .present])
    #expect(fault(0x5000, .write) == nil)
  }
}
