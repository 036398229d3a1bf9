// Whether the process that was killed because memory had run out is the one that had to go, found by looking at everybody: of
// the users the one who has most, of that user's processes the one that holds most (DESIGN, "Running out of memory").
//
// Sizes are sums over sets of objects here, while the kernel measures in steps and marks what it has counted.

import ABI
import Files
import Memory
import Processes
public import SystemCalls

/// What every process holds, at the moment of a kill.
public struct VictimCheck {
  /// A process that could have been chosen.
  private struct Candidate {
    let identifier: Int32
    let rank: Int
    let user: UInt32
    let userPageCount: Int
    let pageCount: Int
  }

  /// Pages of records and tables, which are not counted here.
  private static let slack = 12

  private var candidates: [Candidate] = []

  /// Looks at everybody who could be killed now; the victim may have been killed already.
  ///
  /// - Parameter reserve: the frames that are kept for the superuser.
  public init(_ kernel: Kernel, reserve: Int, victim: Int32? = nil) {
    kernel.inspectedProcesses.inspectProcesses { process in
      guard process.identifier != 1, process.state == .running else { return }
      guard process.identifier == victim || !process.pendingSignals.contains(.sigkill) else { return }
      var waitsForChild = false
      kernel.inspectedProcesses.forEachThread(of: process) { thread in
        if case .process(.lend) = thread.continuation { waitsForChild = true }
      }
      if waitsForChild { return }
      candidates.append(
        Candidate(
          identifier: process.identifier, rank: Self.rank(process, reserve: reserve),
          user: process.credentials.account.user,
          userPageCount: process.credentials.account.totalPageCount, pageCount: Self.pageCount(process)))
    }
  }

  /// Who could be killed.
  public var identifiers: [Int32] { candidates.map(\.identifier) }

  /// What is wrong about the choice of `victim`, or nil.
  public func problem(_ identifier: Int32) -> String? {
    guard let victim = candidates.first(where: { $0.identifier == identifier }) else {
      return "process \(identifier) was killed, which could not be chosen"
    }
    for other in candidates where other.identifier != identifier {
      if other.rank < victim.rank {
        return "process \(identifier) was killed before \(other.identifier), which comes first"
      }
      guard other.rank == victim.rank else { continue }
      let isOfUser = victim.rank == 0 || victim.rank == 3
      if isOfUser && other.userPageCount > victim.userPageCount {
        return "a process of user \(victim.user), who has \(victim.userPageCount) pages, was killed while user "
          + "\(other.user) has \(other.userPageCount)"
      }
      if (!isOfUser || other.user == victim.user) && other.pageCount > victim.pageCount + Self.slack {
        return
          "process \(identifier), which holds \(victim.pageCount) pages, was killed while \(other.identifier) holds "
          + "\(other.pageCount)"
      }
    }
    return nil
  }

  /// 0: a user's, 1: the superuser's, 2: the superuser's and a child of process 1, 3: that of a user who takes little, 4:
  /// protected.
  private static func rank(_ process: Process, reserve: Int) -> Int {
    if process.isProtected { return 4 }
    let account = process.credentials.account
    if account.user != 0 { return account.totalPageCount > reserve ? 0 : 3 }
    return process.parent == .initial ? 2 : 1
  }

  /// Pages, in memory and in swap, of all objects that a process reaches, each once.
  private static func pageCount(_ process: Process) -> Int {
    var reached: [ObjectIdentifier: VMObject] = [:]
    func reach(_ object: VMObject) {
      var next: VMObject? = object
      while let current = next, reached.updateValue(current, forKey: ObjectIdentifier(current)) == nil {
        next = current.inspectedBacking?.object
      }
    }
    process.addressSpace?.inspectEntries { if let object = $0.object { reach(object) } }
    process.files?.inspectFiles { _, file in
      if let file = file as? SharedMemoryFile2008 { reach(file.object.vmObject) }
    }
    return reached.values.reduce(0) { $0 + $1.inspectedCounts.resident + $1.inspectedCounts.swapped }
  }
}
