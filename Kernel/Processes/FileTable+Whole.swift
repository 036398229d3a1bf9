// Whole descriptor tables, in the bounded steps that the end of a process is made of.

import ABI
import Files

extension FileTable {
  /// Closes some descriptors; whether none is left.
  func closeSome() -> Bool {
    var budget = FileLimits.descriptorsPerStep
    return closeAll(budget: &budget)
  }
}
