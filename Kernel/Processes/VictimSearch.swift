// Whom to kill when memory has run out (DESIGN, "Running out of memory"), chosen in bounded steps.
//
// The order: first the user, then the process. Of the users other than the superuser the one goes first whose programs take
// most in all (`UserAccount.totalPageCount`: objects, even those that only a name holds, and kernel memory), so that many
// small processes hide nothing; of that user's processes the one that holds most (ProcessSize.swift). The superuser's
// processes come after those of all others, its children of process 1 (a shell, a session) after its other ones. Users whose
// programs take less than is kept for the superuser come later still: their end would not help, and it is the superuser who
// has taken the rest. Then those that procctl(2) protects; process 1 is never chosen. A process is the superuser's when its
// real user is.
//
// Invariants
// - A step looks at a bounded number of processes, mappings and descriptors. Between two steps processes may come and go:
//   what is remembered of one is its slot with its identifier.
// - Who is about to end is not chosen again.

import ABI
import Files
import Memory
import Primitives

/// Among whom a victim is looked for.
public enum VictimScope: Equatable, BitwiseCopyable, Sendable {
  /// The unprotected processes of users other than the superuser who take more than is kept for that.
  case users
  /// The processes of one user.
  case user(UInt32)
  /// All processes but process 1.
  case anybody
}

/// What a step of the search came to.
public enum VictimOutcome {
  /// There is more to look at.
  case again
  /// This process was killed.
  case killed(Process)
  /// There is nobody to kill.
  case nobody
}

/// How late a process is killed.
private enum VictimRank: UInt8 {
  /// A process of a user other than the superuser.
  case user
  /// A process of the superuser.
  case superuser
  /// A child of process 1 that is the superuser's.
  case session
  /// A process of a user who takes little.
  case small
  /// A process that procctl(2) protects.
  case protected
}

/// A search under way.
public struct VictimSearch: BitwiseCopyable {
  /// Among whom.
  public let scope: VictimScope
  /// Whether the rank and the user are known, and processes are being measured.
  fileprivate var isMeasuring = false
  /// The slot that is next, or being measured.
  fileprivate var slot = 0
  fileprivate var rank: UInt8?
  fileprivate var user: UInt32 = 0
  fileprivate var userPageCount = -1
  // The process that is being measured.
  fileprivate var identifier: Int32 = 0
  fileprivate var position = SizePosition()
  fileprivate var descriptor = 0
  fileprivate var pageCount = 0
  // The largest so far.
  fileprivate var victim: Int32 = 0
  fileprivate var largest = -1

  /// A search that has not begun.
  public init(_ scope: VictimScope) { self.scope = scope }
}

extension ProcessSystem {
  /// Goes on with a search; takes the processes, mappings, objects and descriptors that it looks at off `budget`.
  public func step(_ search: inout VictimSearch, budget: inout Int) -> VictimOutcome {
    if !search.isMeasuring {
      guard rank(&search, &budget) else { return .again }
      guard search.rank != nil else { return .nobody }
      search.isMeasuring = true
      search.slot = 0
    }
    while case let slot = usedSlots.next(from: search.slot), slot < slots.count {
      search.slot = slot
      if budget <= 0 { return .again }
      budget -= 1
      guard let process = slots[search.slot], isCandidate(process, in: search.scope), isChosen(process, search) else {
        search.identifier = 0
        search.slot += 1
        continue
      }
      guard measure(process, &search, &budget) else { return .again }
      if search.pageCount > search.largest {
        search.largest = search.pageCount
        search.victim = process.identifier
      }
      search.identifier = 0
      search.slot += 1
    }
    guard let victim = process(search.victim), isCandidate(victim, in: search.scope) else {
      // It has ended meanwhile, which helped or not.
      search = VictimSearch(search.scope)
      return .again
    }
    post(.sigkill, to: victim)
    return .killed(victim)
  }

  /// Whether there are processes of others than the superuser, zombies included.
  public var hasUserProcesses: Bool {
    processCount + pendingForkCount > memory.accounts.existingAccount(of: 0)?.processCount ?? 0
  }

  /// Whether a process that was killed has something to give back yet.
  public func isEnding(_ identifier: Int32) -> Bool { livingProcess(identifier) != nil }

  // MARK: Who

  private func isCandidate(_ process: Process, in scope: VictimScope) -> Bool {
    guard process.slot != .initial, process.state == .running, !process.pendingSignals.contains(.sigkill) else {
      return false
    }
    // Who waits for the child that runs in its memory could not end before it: it is the child's turn.
    if hasThread(process, where: { if case .process(.lend) = $0.continuation { true } else { false } }) { return false }
    switch scope {
    case .anybody: return true
    case .users: return rank(of: process) == .user
    case .user(let user): return process.credentials.account.user == user
    }
  }

  private func rank(of process: Process) -> VictimRank {
    if process.isProtected { return .protected }
    let account = process.credentials.account
    if account.user != 0 { return account.totalPageCount > memory.privilegedFrameCount ? .user : .small }
    return process.parent == .initial ? .session : .superuser
  }

  /// Finds the lowest rank and, among users, the one who has most; whether every process was looked at.
  private func rank(_ search: inout VictimSearch, _ budget: inout Int) -> Bool {
    while case let slot = usedSlots.next(from: search.slot), slot < slots.count {
      if budget <= 0 { return false }
      budget -= 1
      search.slot = slot + 1
      guard let process = slots[slot], isCandidate(process, in: search.scope) else { continue }
      let rank = rank(of: process).rawValue
      let account = process.credentials.account
      if let best = search.rank, rank > best || rank == best && account.totalPageCount <= search.userPageCount {
        continue
      }
      search.rank = rank
      search.user = account.user
      search.userPageCount = account.totalPageCount
    }
    return true
  }

  /// Whether a process is one of those among whom the largest is looked for. What its user takes may have changed meanwhile.
  private func isChosen(_ process: Process, _ search: VictimSearch) -> Bool {
    guard search.rank == VictimRank.user.rawValue || search.rank == VictimRank.small.rawValue else {
      return rank(of: process).rawValue == search.rank
    }
    return !process.isProtected && process.credentials.account.user == search.user
  }

  // MARK: How large

  /// Goes on measuring a process; whether it is done.
  private func measure(_ process: Process, _ search: inout VictimSearch, _ budget: inout Int) -> Bool {
    if search.identifier != process.identifier {
      search.identifier = process.identifier
      search.position = SizePosition()
      search.descriptor = 0
      search.pageCount = fixedPageCount(of: process)
      memory.beginSize()
    }
    if let space = process.addressSpace {
      search.pageCount += space.countSize(from: &search.position, &budget)
      guard search.position.isComplete else { return false }
    }
    guard let files = process.files else { return true }
    while let descriptor = files.lowestUsed(from: search.descriptor) {
      if budget <= 0 { return false }
      budget -= 1
      search.descriptor = descriptor + 1
      search.pageCount += files.countSize(at: descriptor, &budget)
    }
    return true
  }

  /// What the kernel has of a process, and of a child that is being made, which goes with its parent; in pages.
  private func fixedPageCount(of process: Process) -> Int {
    var byteCount = KernelMemoryCost.process + (process.addressSpace?.kernelByteCount ?? 0)
    if let files = process.files { byteCount += files.nodeByteCount + files.count * KernelMemoryCost.openFile }
    byteCount += max(0, process.threadCount - 1) * KernelMemoryCost.thread
    var slot = process.firstThread
    while let thread = threads[slot] {
      slot = thread.next
      switch thread.continuation {
      case .process(.fork(let pending)):
        byteCount +=
          KernelMemoryCost.process + (pending.space?.kernelByteCount ?? 0) + (pending.files?.nodeByteCount ?? 0)
      case .process(.execute(let execution)):
        byteCount += (execution.space?.kernelByteCount ?? 0) + execution.staging.frameCount * Int(Page.byteCount)
      default: break
      }
    }
    return byteCount / Int(Page.byteCount)
  }
}
