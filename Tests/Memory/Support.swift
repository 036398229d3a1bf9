// A bare machine for Memory's own tests: physical memory from the host, a processor that remembers what it was told.
import Memory

@safe
final class HostMemory {
  let physical: PhysicalMemory
  private let base: UnsafeMutableRawPointer

  init(frameCount: UInt32) {
    let count = Int(frameCount) * 4096
    unsafe base = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 4096)
    unsafe base.initializeMemory(as: UInt8.self, repeating: 0xA5, count: count)
    physical = unsafe PhysicalMemory(base: base, byteCount: UInt64(count))
  }

  deinit { unsafe base.deallocate() }
}

final class TestProcessor: Processor {
  var root = FrameNumber.none
  var invalidated: [VirtualAddress] = []
  var fullInvalidations = 0
  var nanoseconds: UInt64 = 0
  let realTimeOffsetNanoseconds: UInt64 = 0
  func loadPageTable(root: FrameNumber) { self.root = root }
  func invalidate(page: VirtualAddress) { invalidated.append(page) }
  func invalidateAll() { fullInvalidations += 1 }
  func writeConsole(_ bytes: RawSpan) {}
}

struct Generator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A memory system on `frameCount` frames; frame 0 and the frame table are reserved, frame 1 is the kernel's root.
final class TestMachine {
  let host: HostMemory
  let processor = TestProcessor()
  let system: MemorySystem
  let disk: RAMDisk?
  let initialFree: Int

  init(frameCount: UInt32 = 1024, swapBlocks: UInt32 = 0) {
    host = HostMemory(frameCount: frameCount)
    host.physical.zero(FrameNumber(1))
    let tableFrames = UInt32((FrameTable.byteCount(frameCount: frameCount) + 4095) / 4096)
    let start = 2 + tableFrames
    let end = frameCount - swapBlocks
    let available = [FrameRange(start: start, end: end)]
    system = MemorySystem(
      host.physical, processor, frameTable: FrameNumber(2).address, frameCount: frameCount, available: available.span,
      kernelRoot: FrameNumber(1))
    if swapBlocks > 0 {
      let disk = RAMDisk(host.physical, at: FrameNumber(end).address, blockCount: swapBlocks)
      self.disk = disk
      precondition(system.attachSwap(disk))
    } else {
      disk = nil
    }
    initialFree = system.freeFrameCount
  }

  func drain() {
    while !system.drainTeardown(budget: 7) {}
  }

  /// Frames in use beyond the initial state once everything was torn down and trimmed.
  var leakedFrames: Int {
    drain()
    system.trim()
    return initialFree - system.freeFrameCount
  }
}

extension AddressSpace {
  /// Stores a byte as a program would, through faults; false when it gets a signal.
  func store(_ value: UInt8, at address: UInt64) -> Bool {
    let bytes: [UInt8] = [value]
    var progress = 0
    while true {
      switch copyOut(RawSpan(_elements: bytes.span), to: VirtualAddress(address), progress: &progress) {
      case .complete: return true
      case .wait(.frames):
        guard system.makeAvailable(8) == .ready else { return false }
      default: return false
      }
    }
  }

  /// Loads a byte as a program would, through faults; nil when it gets a signal.
  func load(_ address: UInt64) -> UInt8? {
    var byte: [UInt8] = [0]
    var progress = 0
    while true {
      var span = byte.mutableSpan
      var bytes = MutableRawSpan(_elements: &span)
      switch copyIn(from: VirtualAddress(address), into: &bytes, progress: &progress) {
      case .complete: return byte[0]
      case .wait(.frames):
        guard system.makeAvailable(8) == .ready else { return nil }
      default: return nil
      }
    }
  }
}
