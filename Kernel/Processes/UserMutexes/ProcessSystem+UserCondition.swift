// Condition variables and semaphores in user memory (spec signals.md section 3.4).

import ABI
public import Memory
public import Primitives

extension ProcessSystem {
  // MARK: Condition variables

  /// The key of a condition variable. Throws EFAULT.
  public func conditionKey(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) -> WaitChannel {
    let flags = try space.load(UInt32.self, at: VirtualAddress(address.raw &+ UserCondition.flagsOffset))
    return try .userSleep(.condition, at: address, UserSharing(flags: flags), in: space)
  }

  /// Notes that a condition variable has waiters, and unlocks the mutex. Gives what to sleep on, with the mark set. Nobody can
  /// have woken the caller in between.
  ///
  /// Throws what unlocking throws, EFAULT; then the caller does not sleep.
  public func beginConditionWait(
    _ thread: Thread, at address: VirtualAddress, mutexAt mutexAddress: VirtualAddress, in space: AddressSpace
  ) throws(WordFailure) -> WaitChannel {
    let key = try conditionKey(at: address, in: space)
    if try space.load(UInt32.self, at: address) == 0 { try space.store(UInt32(1), at: address) }
    let mutex = try UserMutexReference(thread, space, mutexAddress)
    try mutex.check()
    try unlock(mutex, in: space)
    thread.frame.value.userSleep.mark = .condition
    thread.frame.value.userSleep.address = address
    return key
  }

  /// Wakes one that waits for a condition variable. Throws EFAULT.
  public func signalCondition(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) {
    let key = try conditionKey(at: address, in: space)
    if sleepers.count(on: key, atMost: 2) < 2 {
      do throws(WordFailure) {
        try space.store(UInt32(0), at: address)
      } catch {
        if case .error = error { wakeSleepers(key, atMost: 1) }
        throw error
      }
    }
    wakeSleepers(key, atMost: 1)
  }

  // MARK: Semaphores

  private func semaphoreKey(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) -> WaitChannel {
    let flags = try space.load(UInt32.self, at: VirtualAddress(address.raw &+ UserSemaphore.flagsOffset))
    return try .userSleep(.semaphore, at: address, UserSharing(flags: flags), in: space)
  }

  /// Looks whether a semaphore can be taken, which is left to the caller: nil when it can, otherwise what to sleep on. Throws
  /// EFAULT.
  public func waitForSemaphore(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) -> WaitChannel? {
    let key = try semaphoreKey(at: address, in: space)
    let count = try space.load(UInt32.self, at: address)
    if count & ~UserSemaphore.hasWaiters != 0 { return nil }
    if count == 0 { try space.store(UserSemaphore.hasWaiters, at: address) }
    return key
  }

  /// Wakes one that waits for a semaphore. Throws EFAULT.
  public func wakeSemaphore(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) {
    let key = try semaphoreKey(at: address, in: space)
    let sleeping = sleepers.count(on: key, atMost: 2)
    if sleeping == 0 { return }
    if sleeping == 1 {
      let count = try space.load(UInt32.self, at: address)
      if count & UserSemaphore.hasWaiters != 0 {
        try space.store(count & ~UserSemaphore.hasWaiters, at: address)
      }
    }
    wakeSleepers(key, atMost: 1)
  }
}
