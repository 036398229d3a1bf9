// What Memory's own tests share: machines of a given size, one with a slow device, and requests for mappings.
import ABI
import Simulation

@testable import Memory
import Primitives

extension SimulatedHardware {
  /// A machine with so many frames, those of its disk among them, whose device is never late, and perhaps with records for
  /// frames in which there is no memory.
  convenience init(frameCount: Int = 1024, swapBlocks: UInt32 = 0, recordCount: UInt32 = 0) {
    var configuration = HardwareConfiguration()
    configuration.frameCount = frameCount - Int(swapBlocks)
    configuration.swapBlockCount = swapBlocks
    configuration.recordCount = recordCount
    self.init(configuration)
  }

  func drain() {
    while !system.drainTeardown(budget: 7) {}
  }

  /// Frames in use beyond the initial state once everything was torn down and trimmed.
  var leakedFrames: Int {
    drain()
    system.trim()
    return initialFreeFrameCount - system.freeFrameCount
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
}
