// Processes that act at once, and every order of the steps of small scenarios (issue 3, "Interleavings"). `make simulate
// KIND=concurrent` and `KIND=orders` go further.
import Simulation
import Testing

@Suite struct SimulationConcurrencyTests {
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `processes that act at once keep every invariant`(seed: UInt64) {
    var simulation = ConcurrentSimulation(seed: seed)
    let result = simulation.run(stepCount: 300)
    #expect(result.problem == nil, "seed \(seed)")
  }

  @Test(arguments: share(of: Scenario.all.indices))
  func `every order of a small scenario looks like an order of whole actions`(index: Int) throws {
    let scenario = Scenario.all[index]
    let allowed = try scenario.sequentialOutcomes()
    // What threads that wait for each other see does not depend on the order.
    let endsAlike =
      scenario.usesThread || ["exit", "stop", "kill", "of a pipe"].contains { scenario.name.contains($0) }
    #expect(allowed.count > 1 || endsAlike, "\(scenario.name)")
    let length = scenario.length / 2 + 1
    var orderCount = 1
    for _ in 0..<length { orderCount *= 3 }
    for order in 0..<orderCount {
      let problem = scenario.run(order: order, length: length, allowed: allowed)
      #expect(problem == nil)
    }
  }

  @Test(arguments: share(of: 1..<24))
  func `two threads see what an order of whole actions gives`(seed: Int) {
    let seed = UInt64(seed)
    #expect(Scenario.drawn(seed: seed).problem(orderCount: 6, seed: seed) == nil)
  }
}
