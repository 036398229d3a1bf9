// Random scripts on the whole kernel and on the memory system alone, compared with the reference model step by step, all
// invariants checked after every step.
//
// SIMULATION_SEEDS, SIMULATION_STEPS and SIMULATION_FIRST change what runs; a failure prints its seed and the shrunk script.
import Foundation
import Simulation
import Testing

private func setting(_ name: String, _ otherwise: Int) -> Int {
  ProcessInfo.processInfo.environment["SIMULATION_\(name)"].flatMap { Int($0) } ?? otherwise
}

// Unoptimised code is some twenty times slower: `make simulate` runs the many seeds.
#if DEBUG
  private let seedCount = setting("SEEDS", 8)
  private let stepCount = setting("STEPS", 150)
#else
  private let seedCount = setting("SEEDS", 200)
  private let stepCount = setting("STEPS", 1000)
#endif

/// Seeds are run in blocks, so that blocks run in parallel and a test's name still tells where it failed.
private let blockSize = 4
private let blocks = Array(0..<(seedCount + blockSize - 1) / blockSize)

@Suite struct SimulationRandomTests {
  private func run(_ kind: SimulationKind, block: Int) {
    let first = UInt64(setting("FIRST", 1) + block * blockSize)
    for seed in first..<first + UInt64(blockSize) {
      let simulation = RandomSimulation(kind, seed: seed)
      guard let failure = simulation.run(stepCount: stepCount).failure else { continue }
      let small = simulation.shrink(failure)
      Issue.record("seed \(seed): \(failure.reason)\nshrunk, \(kind): \(small)")
      return
    }
  }

  @Test(arguments: blocks) func `the kernel does what the reference model says`(block: Int) {
    run(.kernel, block: block)
  }

  @Test(arguments: blocks) func `the memory system does what the reference model says`(block: Int) {
    run(.memory, block: block)
  }
}
