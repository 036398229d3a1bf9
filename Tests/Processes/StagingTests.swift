// The strings of execve(2) on their way: how many bytes there may be (execve(2): E2BIG beyond ARG_MAX).
import ABI
import Memory
import Simulation
import Testing

@testable import Processes

@Suite struct StagingTests {
  @Test func `strings may take all of ARG_MAX and not a byte more`() throws {
    let hardware = SimulatedHardware(HardwareConfiguration())
    let free = hardware.system.freeFrameCount
    do {
      let staging = ArgumentStaging(hardware.system)
      let piece = [UInt8](repeating: 0x61, count: 512)
      for _ in 0..<InterfaceLimits.argumentByteCount / 512 { try staging.append(piece.span, count: 512) }
      #expect(throws: Errno.e2big) { try staging.append(piece.span, count: 1) }
      #expect(staging.byteCount == InterfaceLimits.argumentByteCount)
      #expect(free - hardware.system.freeFrameCount == InterfaceLimits.argumentByteCount / 4096)
    }
    #expect(hardware.system.freeFrameCount == free)
  }
}
