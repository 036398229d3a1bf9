// A short form of `make skq`: the tail of one queue for each thread against that of a queue which knows threads apart.
import QueueExperiment
import Testing

@Suite struct QueueExperimentTests {
  private func run(
    _ workload: Workload, _ sharing: String, load: Double, seconds: Double, seed: UInt64 = 1
  ) throws -> Outcome {
    let chosen = try #require(Sharing.named(sharing))
    return try QueueExperiment(workload, chosen, load: load, seed: seed, seconds: seconds).run()
  }

  @Test func `stealing takes the tail away from requests behind long ones`() throws {
    let own = try run(.database, "1:1", load: 0.2, seconds: 0.5)
    let stolen = try run(.database, "cpu2+ws", load: 0.2, seconds: 0.5)
    #expect(own.percentile(0.99) >= 20 * stolen.percentile(0.99))
    #expect(own.servedCount == stolen.servedCount)
  }

  @Test(arguments: Sharing.all.map(\.name)) func `every way to share serves what is asked for`(_ name: String) throws {
    let outcome = try run(.exponential, name, load: 0.5, seconds: 0.02)
    #expect(abs(Double(outcome.completedCount) / Double(outcome.offeredCount) - 1) < 0.05)
    #expect(outcome.eventCount <= outcome.servedCount * 2 && outcome.latencies.count > 100)
  }

  @Test func `the same seed gives the same, and another does not`() throws {
    let runs = try [1, 1, 2].map { try run(.bimodal, "best2+ws", load: 0.4, seconds: 0.02, seed: $0) }
    #expect(runs[0].fingerprint == runs[1].fingerprint && runs[0].fingerprint != runs[2].fingerprint)
  }
}
