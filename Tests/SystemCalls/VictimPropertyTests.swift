// The killed process holds the memory: random populations, and every choice compared with a look at everybody.

import ABI
import Memory
import Processes
import Simulation
import Testing

@testable import SystemCalls

@Suite struct VictimPropertyTests {
  private let area: UInt64 = 0x1_0000_0000
  private let nobody = UInt64.max

  /// What a process does to hold memory.
  private func hold(_ kernel: TestKernel, _ random: inout SeededGenerator) {
    for piece in 0..<UInt64(random.number(in: 1...3)) {
      let pages = UInt64(random.number(in: 1...40))
      let address = area + piece << 24
      switch random.number(below: 4) {
      case 0:
        kernel.call(.mmap, address, pages * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
        for page in 0..<pages { kernel.store([1], at: address + page * 4096) }
      case 1:
        // Reserved and not touched: it holds nothing.
        kernel.call(.mmap, address, 4000 * 4096, .readWrite, .fixedPrivateMemory, nobody, 0)
      default:
        let isNamed = random.chance(oneIn: 2)
        let name = isNamed ? kernel.string("/\(kernel.identifier)/\(piece)", at: TestKernel.data + 64) : 1
        let descriptor = kernel.call(.shmOpen2, name, .createReadWrite, 0o600, 0, 0)?.value ?? 0
        kernel.call(.ftruncate, descriptor, pages * 4096)
        for page in 0..<pages { kernel.call(.pwrite, descriptor, TestKernel.data, 1, page * 4096) }
        if random.chance(oneIn: 2) {
          kernel.call(.mmap, address, pages * 4096, .readWrite, .fixedSharedFile, descriptor, 0)
        }
        // Only the name holds it.
        if isNamed && random.chance(oneIn: 3) { kernel.call(.close, descriptor) }
      }
    }
  }

  @Test(arguments: 1...24 as ClosedRange<UInt64>) func `the killed process holds the memory`(seed: UInt64) throws {
    let kernel = try TestKernel(frames: 4096)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<random.number(in: 2...6) {
      kernel.run(1)
      let child = kernel.fork()
      kernel.run(child)
      if random.chance(oneIn: 8) {
        // PROC_SPROTECT for itself.
        kernel.storeWord(1, at: TestKernel.data)
        kernel.call(.procctl, 0, 0, 1, TestKernel.data)
      }
      let user = UInt64(random.pick([0, 5, 5, 6, 7]) ?? 0)
      hold(kernel, &random)
      if user != 0 { kernel.call(.setuid, user) }
      hold(kernel, &random)
      // Children hold what their parents do.
      for _ in 0..<random.number(below: 3) {
        let grandchild = kernel.fork()
        if random.chance(oneIn: 2) {
          kernel.run(grandchild)
          hold(kernel, &random)
          kernel.run(child)
        }
      }
    }
    var count = 0
    // Choices that would have been wrong.
    var refused = 0
    while true {
      let check = VictimCheck(kernel.kernel, reserve: kernel.hardware.system.privilegedFrameCount)
      guard let victim = kernel.kernel.processes.killLargest() else {
        #expect(check.identifiers.isEmpty)
        break
      }
      let problem = check.problem(victim.identifier)
      #expect(problem == nil)
      count += 1
      refused += check.identifiers.count { $0 != victim.identifier && check.problem($0) != nil }
      // Sometimes it is gone before the next one is chosen.
      if random.chance(oneIn: 2) { for _ in 0..<20 { kernel.call(.schedYield) } }
    }
    #expect(count >= 2 && refused > 0)
  }
}
