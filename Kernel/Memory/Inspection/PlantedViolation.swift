// Breaking invariants on purpose, so that a test can see the inspection find them (kernel option `inspect-test`).

import Primitives

extension MemorySystem {
  /// Breaks the invariant with this name. Returns false when there is none of that name.
  public func plantViolation(_ name: Span<UInt8>) -> Bool {
    if name.spells("charge") {
      // Nobody has these reserved pages.
      plantCharge()
    } else if name.spells("frame") {
      _ = allocateKernelFrame()
    } else if name.spells("swap-block") {
      _ = swap?.allocate()
    } else if name.spells("object") {
      // It counts as alive, but nothing refers to it.
      counters.liveObjects += 1
    } else if name.spells("record") {
      _ = mappingNodes.allocate(MappingNode(PhysicalAddress(0)), self)
    } else {
      return services.heap?.plantDamage(name) ?? false
    }
    return true
  }
}
