// Every call that the kernel's table has is drawn by the random scripts, known to the reference model, and part of the
// exhaustive failures: a call added to the table and not to the simulation fails here.
import ABI
import Simulation
import Testing

@testable import SystemCalls

@Suite struct SimulationCoverageTests {
  /// The numbers of the calls that exist.
  /// All but vfork(2): the steps of a script are those of one process at a time, whose call returns (LendingTests.swift); and
  /// cap_enter(2), after which most steps would be refused (CapabilityTests.swift).
  private static let existing: Set<UInt32> = {
    let table = SystemCallTable()
    let numbers = (0..<SystemCallTable.count).filter { table.exists($0) }
    return Set(numbers.map { UInt32($0) }).subtracting([
      SystemCallNumber.vfork.rawValue, SystemCallNumber.capEnter.rawValue,
    ])
  }()

  @Test func `every call that exists is part of the exhaustive failures`() {
    let covered = FailureCase.all.flatMap { $0.operation.systemCalls.map(\.rawValue) }
    #expect(Self.existing.count > 70)
    #expect(Self.existing.subtracting(covered).sorted() == [])
  }

  @Test func `every call that exists is drawn by random scripts and compared`() {
    var missing = Self.existing
    for seed in 1...80 as ClosedRange<UInt64> where !missing.isEmpty {
      let summary = RandomSimulation(.calls, seed: seed).run(
        stepCount: 300,
        observer: { step in
          for call in step.operation.systemCalls { missing.remove(call.rawValue) }
        })
      #expect(summary.failure == nil, "seed \(seed)")
    }
    #expect(missing.sorted() == [])
  }
}
