// How many of many alike cases the host tests try: those that are drawn from seeds, and those that `make simulate` tries too.

import Foundation

/// The cases that a test tries: all of them, or one in as many as SIMULATION_SHARE says (`make test`; `make test-all` tries them
/// all).
public func share(of cases: Range<Int>) -> [Int] {
  let share = ProcessInfo.processInfo.environment["SIMULATION_SHARE"].flatMap { Int($0) } ?? 1
  return cases.filter { $0 % max(1, share) == 0 }
}
