// How many of the cases that `make simulate` tries optimised the host tests try again, not optimised.

import Foundation

/// The cases that a test tries: all of them, or one in as many as SIMULATION_SHARE says (`make test`, whose simulation part
/// tries them all).
func share(of cases: Range<Int>) -> [Int] {
  let share = ProcessInfo.processInfo.environment["SIMULATION_SHARE"].flatMap { Int($0) } ?? 1
  return cases.filter { $0 % max(1, share) == 0 }
}
