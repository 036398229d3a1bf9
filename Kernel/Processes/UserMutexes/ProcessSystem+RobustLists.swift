// Robust mutexes of a thread that ends: each is unlocked, and who locks it next is told that its owner is dead (spec signals.md
// section 3.5).
//
// The program's lists may be anything: so many mutexes are looked at and no more, a few in each step, and whatever is not as it
// should be ends the walk.

public import ABI
public import Memory
import Primitives

/// How far the walk through the lists of a thread is. What is left of the lists is in `lists`: a list that was begun is 0 there.
public struct RobustWalk: BitwiseCopyable {
  /// The lists.
  public var lists = RobustLists()
  /// The next mutex of the list that has been begun; 0: none.
  var next: UInt64 = 0
  /// Mutexes that were looked at in that list.
  var count = 0
  /// Whether the mutex that was being locked or unlocked is known.
  var knowsAction = false
  /// It, until it has been dealt with.
  var action: UInt64 = 0

  /// Nothing to walk through.
  public init() {}

  /// Whether there is nothing to do.
  public var isDone: Bool { lists.isEmpty && next == 0 && action == 0 }
}

extension ProcessSystem {
  /// Mutexes of a list that are looked at before others have a turn.
  private static let mutexesPerStep = 64

  /// Does some of what the end of a thread means for the robust mutexes that it owns. False when there is more to do.
  ///
  /// Throws only `WordFailure.wait`.
  public func releaseRobustMutexes(_ thread: Thread, in space: AddressSpace) throws(WordFailure) -> Bool {
    var budget = ProcessSystem.mutexesPerStep
    while !thread.frame.value.robustWalk.isDone {
      guard budget > 0 else { return false }
      budget -= 1
      do throws(WordFailure) {
        try stepRobustWalk(thread, space)
      } catch {
        if case .wait = error { throw error }
        // What cannot be read or unlocked ends the list.
        abandonList(thread)
      }
    }
    thread.frame.value.robustWalk = RobustWalk()
    return true
  }

  private func abandonList(_ thread: Thread) {
    if !thread.frame.value.robustWalk.knowsAction {
      thread.frame.value.robustWalk.knowsAction = true
      thread.frame.value.robustWalk.lists.inAction = 0
    } else if thread.frame.value.robustWalk.next != 0 {
      if thread.frame.value.robustWalk.next == thread.frame.value.robustWalk.action {
        thread.frame.value.robustWalk.action = 0
      }
      thread.frame.value.robustWalk.next = 0
    } else if thread.frame.value.robustWalk.lists.shared != 0 {
      thread.frame.value.robustWalk.lists.shared = 0
    } else if thread.frame.value.robustWalk.lists.own != 0 {
      thread.frame.value.robustWalk.lists.own = 0
    } else {
      thread.frame.value.robustWalk.action = 0
    }
  }

  private func stepRobustWalk(_ thread: Thread, _ space: AddressSpace) throws(WordFailure) {
    var walk = thread.frame.value.robustWalk
    if !walk.knowsAction {
      if walk.lists.inAction != 0 {
        walk.action = try space.load(UInt64.self, at: VirtualAddress(walk.lists.inAction))
      }
      walk.lists.inAction = 0
      walk.knowsAction = true
    } else if walk.next != 0 {
      let mutex = walk.next
      let isInAction = mutex == walk.action
      let link = VirtualAddress(mutex &+ UserMutex.linkOffset)
      let next = try space.load(UInt64.self, at: link)
      try release(VirtualAddress(mutex), thread, space, isInAction: isInAction)
      if isInAction { walk.action = 0 }
      walk.count += 1
      walk.next = walk.count < ProcessLimits.robustMutexCount ? next : 0
    } else if walk.lists.shared != 0 {
      walk.next = try space.load(UInt64.self, at: VirtualAddress(walk.lists.shared))
      walk.lists.shared = 0
      walk.count = 0
    } else if walk.lists.own != 0 {
      walk.next = try space.load(UInt64.self, at: VirtualAddress(walk.lists.own))
      walk.lists.own = 0
      walk.count = 0
    } else {
      try release(VirtualAddress(walk.action), thread, space, isInAction: true)
      walk.action = 0
    }
    thread.frame.value.robustWalk = walk
  }

  /// Unlocks a mutex of a list, whose owner is dead.
  ///
  /// Throws EINVAL when it is not robust, or another's, which is no wonder of the one that was being unlocked.
  private func release(
    _ address: VirtualAddress, _ thread: Thread, _ space: AddressSpace, isInAction: Bool
  ) throws(WordFailure) {
    let mutex = try UserMutexReference(thread, space, address)
    guard mutex.flags.contains(.isRobust) else { throw .error(.einval) }
    let owner = try space.load(UInt32.self, at: address)
    guard owner & ~UserMutex.contested == mutex.owner else {
      if isInAction { return }
      throw .error(.einval)
    }
    try unlock(mutex, in: space, isDead: true)
  }
}
