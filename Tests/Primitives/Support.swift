// What the floor's own tests share.
import Primitives
import Simulation

/// The services of a kernel, on a processor that nothing runs on.
final class TestMachine {
  let processor = SimulatedProcessor(
    memoryUnit: SoftwareMMU(memory: SimulatedMemory(frameCount: 4), seed: 1), clock: SimulatedClock())
  let services: KernelServices

  init() { services = KernelServices(processor) }
}
