// What happens when memory has run out: who waits is woken when there is some, and who takes most is killed when there will
// not be (DESIGN, "Running out of memory").
//
// The killer acts when
// - nobody can run and nothing can be reclaimed, or threads have waited for a second in which nothing could be: anybody but
//   process 1 may go, in the order of VictimSearch.swift;
// - nothing can be reclaimed and the superuser has had to begin with the frames that are kept for it: a process of another
//   user goes, and the superuser's calls wait for what it leaves;
// - a program needs kernel memory where nothing can be refused, and who pays has all that one may have: a process of the
//   program's user goes.
//
// Invariants
// - There is at most one search for a victim, of which each `next()` does a bounded step.
// - Nobody is chosen for the superuser's sake, or for a limit, while the last victim still has something to give back.

import ABI
import Memory
import Primitives
import Processes

/// When memory is reclaimed next.
struct Room {
  /// Frames that were free when it was done last: if there are fewer, somebody has taken some.
  var freeFrameCount = 0
  /// When it is due although nobody has, in nanoseconds since boot.
  var dueNanoseconds: UInt64 = 0
}

/// What is going on about memory that has run out.
struct Shortage {
  /// Since when threads have been waiting for frames while nothing could be reclaimed, in nanoseconds since boot.
  var starvedSinceNanoseconds: UInt64?
  /// Whether every page is being looked at once more before somebody is killed.
  var isLookingForLastTime = false
  /// The search for whom to kill.
  var search: VictimSearch?
  /// Whether that is done because nobody can run, and process 1 goes if there is nobody else.
  var isLastResort = false
  /// The identifier of who was killed last; 0: nobody.
  var victim: Int32 = 0
  /// When that was, in nanoseconds since boot.
  var killedNanoseconds: UInt64 = 0
  /// Whether the last search found nobody, since the last tick.
  var hasNoVictim = false
}

extension Kernel {
  /// Whether there is something to do about a shortage.
  @inline(__always)
  var hasShortage: Bool {
    processes.scheduler.frameWaiterCount > 0 || shortage.search != nil || memory.hasUserOverLimit
      || shortage.starvedSinceNanoseconds != nil
  }

  /// Does a step of what is due about a shortage.
  func serveShortage() {
    if shortage.search != nil { goOnSearching() }
    if processes.scheduler.frameWaiterCount > 0 { serveFrameWaiters() }
  }

  /// Wakes those who wait for frames once there are some.
  func wakeForFreeFrames() {
    let scheduler = processes.scheduler
    if scheduler.frameWaiterCount == 0 { return shortage.starvedSinceNanoseconds = nil }
    let userFloor = memory.frameFloor(isPrivileged: false)
    let floor = memory.frameFloor(isPrivileged: true)
    let batch = SystemCallLimits.frameBatch
    if memory.freeFrameCount > userFloor + batch { return wakeFrameWaiters() }
    if scheduler.privilegedFrameWaiterCount > 0 && memory.freeFrameCount > floor + batch {
      scheduler.wake(.privilegedFrames)
    }
  }

  /// Makes frames for those who wait for some.
  private func serveFrameWaiters() {
    let scheduler = processes.scheduler
    if memory.hasTeardown { return workOffTeardown() }
    switch makeFramesForWaiters(looks: SystemCallLimits.reclaimLooks) {
    case .ready: wakeFrameWaiters()
    case .unfinished:
      if shortage.starvedSinceNanoseconds == nil { shortage.starvedSinceNanoseconds = services.nanoseconds }
    case .pending: shortage.starvedSinceNanoseconds = nil
    case .exhausted:
      if shortage.starvedSinceNanoseconds == nil { shortage.starvedSinceNanoseconds = services.nanoseconds }
      if scheduler.privilegedFrameWaiterCount > 0 { _ = expectsFrames() }
    }
  }

  private func wakeFrameWaiters() {
    processes.scheduler.wake(.privilegedFrames)
    processes.scheduler.wake(.frames)
    shortage.starvedSinceNanoseconds = nil
  }

  /// Somebody has to go because of a limit of kernel memory. Who was killed in a call that cannot finish within it ends without
  /// finishing it.
  func guardLimit() {
    guard let user = memory.takeUserOverLimit(), !processes.endKilledWaiter(of: user), shortage.search == nil,
      !victimHasMore
    else { return }
    shortage.search = VictimSearch(.user(user))
  }

  /// Looks whether somebody has to go because of the superuser's reserve. Called at every tick; a call or a fault of the
  /// superuser that finds no frame does not wait for that.
  func guardReserve() {
    guard memory.isPrivilegedReserveTouched, processes.hasUserProcesses else { return }
    if memory.hasTeardown { return workOffTeardown() }
    let found = memory.makeAvailable(
      0, above: memory.frameFloor(isPrivileged: false), looks: SystemCallLimits.reclaimLooks)
    if case .exhausted = found { _ = expectsFrames() }
  }

  /// Those who wait for frames must not wait for ever because somebody else always runs: after a second in which nothing
  /// could be reclaimed, somebody goes, as it would be if nobody ran. Called at every tick.
  func endStarvation(now: UInt64) {
    shortage.hasNoVictim = false
    guard let start = shortage.starvedSinceNanoseconds, now &- start >= SystemCallLimits.starvationLimitNanoseconds
    else {
      shortage.isLookingForLastTime = false
      return
    }
    if !shortage.isLookingForLastTime { memory.forgetFutility() }
    shortage.isLookingForLastTime = true
    let found = makeFramesForWaiters(looks: SystemCallLimits.lastReclaimLooks)
    if case .unfinished = found { return }
    shortage.isLookingForLastTime = false
    shortage.starvedSinceNanoseconds = now
    guard case .exhausted = found, !memory.hasTeardown, shortage.search == nil else { return }
    if processes.endKilledWaiter() { return }
    shortage.search = VictimSearch(.anybody)
  }

  /// Reclaims for those who wait.
  private func makeFramesForWaiters(looks: Int) -> FrameAvailability {
    let scheduler = processes.scheduler
    let isPrivileged = scheduler.privilegedFrameWaiterCount == scheduler.frameWaiterCount
    return memory.makeAvailable(
      SystemCallLimits.frameBatch, above: memory.frameFloor(isPrivileged: isPrivileged), looks: looks)
  }

  /// Nobody is ready, and somebody waits for frames: wakes those who do, or kills. False when that has been done; true when
  /// transfers are under way that bring frames.
  func waitsForTransfers() -> Bool {
    switch makeFramesForWaiters(looks: SystemCallLimits.reclaimLooks) {
    case .ready: wakeFrameWaiters()
    case .unfinished: break
    case .pending: return true
    case .exhausted:
      if processes.endKilledWaiter() { return false }
      // The last resort: nothing can run and nothing can be reclaimed.
      shortage.search = VictimSearch(.anybody)
      shortage.isLastResort = true
    }
    return false
  }

  // MARK: The killer

  /// Whether frames are to be expected for the superuser, who has found none, because a process of a user is going or is
  /// being chosen to go.
  func expectsFrames() -> Bool {
    // Who was killed in a call that cannot finish without frames ends without finishing it.
    if shortage.victim != 0 && processes.endKilledWaiter() { return true }
    if shortage.search != nil || victimHasMore { return true }
    guard !shortage.hasNoVictim, processes.hasUserProcesses else { return false }
    shortage.search = VictimSearch(.users)
    return true
  }

  /// Whether the last victim has something to give back yet. Nobody waits for that longer than for frames at all.
  private var victimHasMore: Bool {
    guard shortage.victim != 0, processes.isEnding(shortage.victim) || memory.hasTeardown else { return false }
    return services.nanoseconds &- shortage.killedNanoseconds < SystemCallLimits.starvationLimitNanoseconds
  }

  private func goOnSearching() {
    guard var search = shortage.search else { return }
    var budget = SystemCallLimits.victimSearchUnits
    let outcome = processes.step(&search, budget: &budget)
    if case .again = outcome {
      shortage.search = search
      return
    }
    let isLastResort = shortage.isLastResort
    shortage.search = nil
    shortage.isLastResort = false
    if case .killed(let victim) = outcome {
      shortage.victim = victim.identifier
      shortage.killedNanoseconds = services.nanoseconds
      report(victim.identifier, " killed: out of memory")
    } else if isLastResort, !processes.scheduler.hasReady, let initial = processes[.initial] {
      processes.beginExit(initial, .terminated(.sigbus))
      report(initial.identifier, " ended: out of memory")
    } else if case .user = search.scope {
      // Whoever it was for has ended meanwhile.
    } else {
      shortage.hasNoVictim = true
      // Whoever counted on it is to be refused.
      processes.scheduler.wake(.privilegedFrames)
    }
  }
}
