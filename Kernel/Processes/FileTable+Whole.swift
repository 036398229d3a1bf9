// Whole descriptor tables, in the bounded steps that the end of a process and fork are made of.

import ABI
import Files

extension FileTable {
  /// Closes some descriptors; whether none is left.
  func closeSome() -> Bool {
    var budget = ProcessLimits.descriptorsPerTurn
    return closeAll(budget: &budget)
  }

  /// A table with the same files, for a child. Throws ENOMEM.
  func fork() throws(Errno) -> FileTable {
    let child = FileTable(fileSystem)
    do throws(Errno) {
      var budget = Int.max
      _ = try child.copy(from: self, budget: &budget)
    } catch {
      child.empty()
      throw error
    }
    return child
  }

  /// Closes everything, because the table is about to be dropped.
  func empty() {
    var budget = Int.max
    _ = closeAll(budget: &budget)
  }
}
