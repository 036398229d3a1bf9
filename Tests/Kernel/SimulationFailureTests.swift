// Exhaustive failure: for every operation that allocates or transfers, its 1st, 2nd, … nth allocation fails until it
// succeeds untouched; each time the error is one of the specification's, the model agrees, and nothing leaks.
import Memory
import Primitives
import Testing

@testable import Simulation

@Suite struct SimulationFailureTests {
  @Test(arguments: share(of: FailureCase.all.indices), FailurePoint.allCases)
  func `an operation whose nth allocation fails leaves everything as it was`(
    index: Int, point: FailurePoint
  ) {
    let test = FailureCase.all[index]
    for isSlow in point.isTransfer ? [false, true] : [false] {
      let result = ExhaustiveFailure(test, point, isSlow: isSlow)
      if let failure = result.failure {
        Issue.record("\(test.name), \(point) \(result.failureCount + 1), slow device \(isSlow): \(failure)")
      }
    }
  }

  @Test(arguments: FailureCase.all.filter { $0.name.contains("refused") || $0.name.contains("too many") }.indices)
  func `what vm.overcommit refuses to begin with is refused`(index: Int) throws {
    let refused = FailureCase.all.filter { $0.name.contains("refused") || $0.name.contains("too many") }
    #expect(refused.count > 6)
    let runner = ScriptRunner(try KernelMachine(HardwareConfiguration()))
    for step in refused[index].setup { try runner.perform(step) }
    #expect(runner.refusalCount == 0)
    try runner.perform(ScriptStep(1, refused[index].operation))
    #expect(runner.refusalCount == 1)
    try runner.finish()
  }

  /// A case for every fail point that must meet it.
  private static let meetings: [(point: FailurePoint, name: String)] = [
    (.frame, "fork"), (.pageFrame, "first store"), (.pageTable, "fork"), (.kernelFrame, "execute"),
    (.heapReserve, "fork"), (.indexNode, "store into a private copy"),
    (.mappingRecord, "load a page that a child mapped"), (.mapEntry, "map"),
    (.nameRecord, "create"), (.descriptorNode, "dup2 beyond the first leaf"), (.threadRecord, "fork"),
    (.processSlot, "fork"), (.openFile, "open"), (.swapReservation, "grow"), (.transfer, "load from swap"),
    (.transferRead, "load from swap"),
  ]

  @Test(arguments: meetings.indices)
  func `each fail point is met by an operation`(index: Int) throws {
    let (point, name) = Self.meetings[index]
    let test = try #require(FailureCase.all.first { $0.name == name })
    #expect(ExhaustiveFailure(test, point, isSlow: false).failureCount > 0)
  }
}
