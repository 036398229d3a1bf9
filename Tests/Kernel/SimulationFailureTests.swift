// Exhaustive failure: for every operation that allocates or transfers, its 1st, 2nd, … nth allocation fails until it
// succeeds untouched; each time the error is one of the specification's, the model agrees, and nothing leaks.
import Simulation
import Testing

@Suite struct SimulationFailureTests {
  @Test(arguments: FailureCase.all.indices, InjectedFailure.Kind.allCases)
  func `an operation whose nth allocation fails leaves everything as it was`(
    index: Int, kind: InjectedFailure.Kind
  ) {
    let test = FailureCase.all[index]
    for isSlow in kind.isTransfer ? [false, true] : [false] {
      let result = ExhaustiveFailure(test, kind, isSlow: isSlow)
      if let failure = result.failure {
        Issue.record("\(test.name), \(kind) \(result.failureCount + 1), slow device \(isSlow): \(failure)")
      }
    }
  }
}
