// Chains of shadows become short even while their pages are on the way to the device or from it.

import Simulation
import Testing

@testable import Memory
import Primitives

@Suite struct CollapseTests {
  /// Reads the first byte of a page, waiting for the device as often as it takes.
  private func firstByte(_ object: VMObject, _ index: UInt64, _ hardware: SimulatedHardware) -> UInt8? {
    for _ in 0..<10 {
      switch object.page(at: index, for: .read) {
      case .frame(let frame): return hardware.memory.bytes(at: frame.address.raw, byteCount: 1)[0]
      case .absent: return 0
      case .failed: return nil
      case .wait: hardware.completeTransfers()
      }
    }
    return nil
  }

  @Test(arguments: [false, true]) func `pages in transfer move to the shadow`(isReading: Bool) throws {
    let hardware = SimulatedHardware.withSlowDevice()
    // Each page by itself, so that all of them are on their way or gone.
    hardware.swap?.mostPagesPerTransfer = 1
    let system = hardware.system
    let below = VMObject(system, .anonymous, pageCount: 8)
    var reference: VMObjectReference? = VMObjectReference(below)
    for index in 0..<UInt64(4) {
      guard case .frame(let frame) = below.page(at: index, for: .write) else { throw Errors.noFrame }
      hardware.memory.setBytes([UInt8(index + 1)], at: frame.address.raw)
    }
    let top = VMObject(system, .anonymous, pageCount: 8)
    let topReference = VMObjectReference(top)
    top.attachBacking(VMObjectReference(below), offset: 0)
    // One page of its own hides one of those behind.
    guard case .frame(let own) = top.page(at: 2, for: .write) else { throw Errors.noFrame }
    hardware.memory.setBytes([99], at: own.address.raw)
    _ = system.makeAvailable(system.managedFrameCount)
    #expect(system.hasTransfers)
    if isReading {
      hardware.completeTransfers()
      guard case .wait = below.page(at: 1, for: .read) else { throw Errors.noFrame }
      #expect(system.hasTransfers)
    }
    // The shadow is all that can see the object now.
    reference = nil
    _ = consume reference
    while !system.drainTeardown(budget: 7) {}
    #expect(top.inspectedBacking == nil)
    #expect(system.counters.liveObjects == 1)
    #expect(system.hasTransfers)
    hardware.completeTransfers()
    for index in 0..<UInt64(4) { #expect(firstByte(top, index, hardware) == (index == 2 ? 99 : UInt8(index + 1))) }
    #expect(hardware.violations.isEmpty)
    _ = consume topReference
    while !system.drainTeardown(budget: 7) {}
    hardware.completeTransfers()
    #expect(system.counters.liveObjects == 0)
    #expect(system.usedSwapBlockCount == 0)
  }

  private enum Errors: Error {
    case noFrame
  }
}
