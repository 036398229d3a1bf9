// What Memory's own tests share: a bare machine (simulated memory and processor, and a RAM disk), one with a slow device, and
// requests for mappings.
import ABI
import Simulation

@testable import Memory
import Primitives

/// A memory system on `frameCount` frames; frame 0 and the frame table are reserved, frame 1 is the kernel's root.
final class TestMachine {
  let memory: SimulatedMemory
  let processor: SimulatedProcessor
  let system: MemorySystem
  let disk: RAMDisk?
  let initialFree: Int

  init(frameCount: UInt32 = 1024, swapBlocks: UInt32 = 0) {
    memory = SimulatedMemory(frameCount: Int(frameCount))
    processor = SimulatedProcessor(memoryUnit: SoftwareMMU(memory: memory, seed: 1), clock: SimulatedClock())
    memory.physical.zero(FrameNumber(1))
    let tableFrames = UInt32((FrameTable.byteCount(frameCount: frameCount) + 4095) / 4096)
    let start = 2 + tableFrames
    let end = frameCount - swapBlocks
    let available = [FrameRange(start: start, end: end)]
    system = MemorySystem(
      memory.physical, KernelServices(processor), frameTable: FrameNumber(2).address, frameCount: frameCount,
      available: available.span,
      kernelRoot: FrameNumber(1))
    if swapBlocks > 0 {
      let disk = RAMDisk(memory.physical, at: FrameNumber(end).address, blockCount: swapBlocks)
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

/// A request for pages: of private memory that can be loaded from and stored to, at that very address, unless it says
/// something else.
func request(
  _ address: UInt64, pages: UInt64, _ protection: Protection = [.read, .write], maximum: Protection = .all,
  sharing: Sharing = .private, placement: Placement = .fixed, object: consuming VMObjectReference? = nil
) -> MapRequest {
  MapRequest(
    address: address, byteCount: pages << 12, placement: placement, protection: protection, maximum: maximum,
    sharing: sharing, object: object)
}

/// The addresses of pages.
func range(_ address: UInt64, pages: UInt64) -> AddressRange {
  AddressRange(uncheckedStart: address, end: address + pages << 12)
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

extension SimulatedHardware {
  /// A machine on which hardly a transfer is over at once.
  static func withSlowDevice() -> SimulatedHardware {
    var configuration = HardwareConfiguration()
    configuration.immediateTransferOneIn = 1_000_000
    return SimulatedHardware(configuration)
  }

  /// Lets time pass until nothing is under way any more.
  func completeTransfers() {
    while let next = swap?.nextCompletion {
      clock.advance(to: next)
      _ = deliverTransfers()
    }
  }
}
