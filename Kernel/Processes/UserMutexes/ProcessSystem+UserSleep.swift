// Sleeping on words of user memory, and waking who does.

public import Memory
public import Primitives

extension ProcessSystem {
  /// Whether a thread sleeps on a word and nobody has woken it.
  public func isAsleep(_ thread: Thread) -> Bool { sleepers.contains(thread.slot) }

  /// A thread begins to sleep; the caller parks it.
  public func beginUserSleep(_ thread: Thread, on key: WaitChannel) {
    thread.frame.value.userSleep.wasLast = false
    sleepers.append(thread.slot, on: key)
  }

  /// A thread sleeps no more: it was woken, or leaves for another reason.
  public func endUserSleep(_ thread: Thread) {
    guard sleepers.contains(thread.slot) else { return }
    if thread.frame.value.userSleep.mark == .condition {
      thread.frame.value.userSleep.wasLast = sleepers.isAlone(thread.slot)
    }
    sleepers.remove(thread.slot)
  }

  /// How many threads sleep on a key; counts no further than asked.
  public func sleeperCount(_ key: WaitChannel, atMost count: Int) -> Int { sleepers.count(on: key, atMost: count) }

  /// Wakes sleepers in the order in which they came, at most so many.
  @discardableResult
  @inline(__always)
  public func wakeSleepers(_ key: WaitChannel, atMost count: Int) -> Int {
    sleepers.mayContain(key) ? wakeThoseThere(key, atMost: count) : 0
  }

  @inline(never)
  private func wakeThoseThere(_ key: WaitChannel, atMost count: Int) -> Int {
    var woken = 0
    while woken < count, let slot = sleepers.removeFirst(on: key) {
      if key.endsCalls { endCall(of: slot) }
      scheduler.unpark(slot)
      woken += 1
    }
    return woken
  }

  /// The call of a sleeper that has nothing more to do than to return 0 is over when it is woken.
  private func endCall(of slot: ThreadSlot) {
    guard let thread = threads[slot] else { preconditionFailure("a sleeper that is no thread") }
    thread.frame.value.userSleep.mark = .none
    thread.context.setSuccess()
    thread.continuation = .none
  }

  /// Where a thread is parked that sleeps.
  public func userSleepWait(_ thread: Thread) -> Wait { Wait(.userSleep(slot: thread.slot)) }

  /// Takes the mark of a sleeper back that leaves without the lock it wanted, or unwoken. May be repeated until it does not
  /// throw.
  public func takeMarkBack(_ thread: Thread, in space: AddressSpace) throws(WordFailure) {
    let sleep = thread.frame.value.userSleep
    switch sleep.mark {
    case .none: return
    case .condition: if sleep.wasLast { try space.store(UInt32(0), at: sleep.address) }
    case .reader: try leaveLine(of: .readers, at: sleep.address, in: space)
    case .writer: try leaveLine(of: .writers, at: sleep.address, in: space)
    }
    thread.frame.value.userSleep.mark = .none
  }
}
