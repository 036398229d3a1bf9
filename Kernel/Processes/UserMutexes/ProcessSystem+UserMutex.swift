// Mutexes in user memory (spec signals.md sections 3.4 and 3.5): who locks and unlocks in user mode calls only where others wait.
//
// Invariant: a mutex on which somebody sleeps has its contested bit set, so that whoever unlocks it calls.

import ABI
public import Memory
public import Primitives

/// What is wanted of a mutex.
public enum UserMutexWant: Sendable {
  /// To lock it.
  case lock
  /// To lock it if that can be done at once.
  case tryLock
  /// To know when it can be locked.
  case wait
}

/// One mutex, for the thread that asks.
public struct UserMutexReference: BitwiseCopyable {
  /// The thread's identifier, by which it owns mutexes.
  let owner: UInt32
  let address: VirtualAddress
  let flags: UserMutexFlags

  /// Looks at the flags of a mutex.
  @inline(__always)
  public init(_ thread: Thread, _ space: AddressSpace, _ address: VirtualAddress) throws(WordFailure) {
    owner = UInt32(bitPattern: thread.identifier)
    self.address = address
    flags = UserMutexFlags(
      rawValue: try space.load(UInt32.self, at: VirtualAddress(address.raw &+ UserMutex.flagsOffset)))
  }

  /// The same, by flags that are known.
  public init(_ thread: Thread, _ address: VirtualAddress, flags: UInt32) {
    owner = UInt32(bitPattern: thread.identifier)
    self.address = address
    self.flags = UserMutexFlags(rawValue: flags)
  }

  @inline(__always)
  var type: UserSleepType {
    if flags.isDisjoint(with: [.inheritsPriority, .protectsPriority]) { return .mutex }
    let inherits = flags.contains(.inheritsPriority)
    guard flags.contains(.isRobust) else { return inherits ? .inheritingMutex : .protectingMutex }
    return inherits ? .robustInheritingMutex : .robustProtectingMutex
  }

  @inline(__always)
  func key(in space: AddressSpace) throws(WordFailure) -> WaitChannel {
    try .userSleep(type, at: address, UserSharing(flags: flags.rawValue), in: space)
  }

  /// Throws EINVAL for flags that exclude each other.
  public func check() throws(WordFailure) {
    if flags.isSuperset(of: [.inheritsPriority, .protectsPriority]) { throw .error(.einval) }
  }
}

extension ProcessSystem {
  /// Locks a mutex, or makes sure that whoever unlocks it wakes; nil when it is done, otherwise what to sleep on before it is
  /// tried again.
  ///
  /// Throws EBUSY when it cannot be locked at once and that is wanted, EOWNERDEAD when it is locked but its last owner ended,
  /// ENOTRECOVERABLE, EDEADLK for a PI mutex that the thread owns, EINVAL for a ceiling above the highest, EFAULT.
  @inline(__always)
  public func lock(
    _ mutex: UserMutexReference, in space: AddressSpace, _ want: UserMutexWant
  ) throws(WordFailure) -> WaitChannel? {
    let owner = try space.load(UInt32.self, at: mutex.address)
    if owner & ~UserMutex.contested == 0 {
      if want == .wait { return nil }
      if mutex.flags.contains(.protectsPriority) { try checkCeiling(mutex, space) }
      try space.store(owner | mutex.owner, at: mutex.address)
      return nil
    }
    return try lockOwned(mutex, owner, in: space, want)
  }

  @inline(never)
  private func lockOwned(
    _ mutex: UserMutexReference, _ owner: UInt32, in space: AddressSpace, _ want: UserMutexWant
  ) throws(WordFailure) -> WaitChannel? {
    if owner == UserMutex.ownerDead || owner == UserMutex.notRecoverable {
      if want == .wait { return nil }
      if owner == UserMutex.notRecoverable { throw .error(.enotrecoverable) }
      try space.store(mutex.owner | UserMutex.contested, at: mutex.address)
      throw .error(.eownerdead)
    }
    if mutex.flags.contains(.protectsPriority) && want != .wait { try checkCeiling(mutex, space) }
    if mutex.flags.contains(.inheritsPriority) && owner & ~UserMutex.contested == mutex.owner {
      throw .error(.edeadlk)
    }
    if want == .tryLock { throw .error(.ebusy) }
    let key = try mutex.key(in: space)
    if owner & UserMutex.contested == 0 { try space.store(owner | UserMutex.contested, at: mutex.address) }
    return key
  }

  private func checkCeiling(_ mutex: UserMutexReference, _ space: AddressSpace) throws(WordFailure) {
    let ceiling = try space.load(
      UInt32.self, at: VirtualAddress(mutex.address.raw &+ UserMutex.ceilingOffset))
    if ceiling > UserMutex.maximumCeiling { throw .error(.einval) }
  }

  /// Unlocks a mutex and wakes one who sleeps on it.
  ///
  /// - Parameter isDead: whether its owner has ended.
  ///
  /// Throws EPERM when the thread does not own it, EFAULT.
  @inline(__always)
  public func unlock(
    _ mutex: UserMutexReference, in space: AddressSpace, isDead: Bool = false
  ) throws(WordFailure) {
    let owner = try space.load(UInt32.self, at: mutex.address)
    guard owner & ~UserMutex.contested == mutex.owner else { throw .error(.eperm) }
    var free: UInt32 =
      isDead ? UserMutex.ownerDead : mutex.flags.contains(.isInconsistent) ? UserMutex.notRecoverable : 0
    if mutex.flags.contains(.protectsPriority) { free |= UserMutex.contested }
    guard owner & UserMutex.contested != 0 else { return try space.store(free, at: mutex.address) }
    let key = try mutex.key(in: space)
    if sleepers.count(on: key, atMost: 2) > 1 { free |= UserMutex.contested }
    try space.store(free, at: mutex.address)
    wakeSleepers(key, atMost: 1)
  }

  /// UMTX_OP_MUTEX_WAKE: wakes one who sleeps on a mutex that is free.
  public func wake(_ mutex: UserMutexReference, in space: AddressSpace) throws(WordFailure) {
    let owner = try space.load(UInt32.self, at: mutex.address)
    let isDead = owner == UserMutex.ownerDead || owner == UserMutex.notRecoverable
    guard owner & ~UserMutex.contested == 0 || isDead else { return }
    let key = try mutex.key(in: space)
    if !isDead, owner == UserMutex.contested, sleepers.count(on: key, atMost: 2) < 2 {
      try space.store(UInt32(0), at: mutex.address)
    }
    wakeSleepers(key, atMost: 1)
  }

  /// UMTX_OP_MUTEX_WAKE2: the same for a mutex whose owner has unlocked it in user mode, whoever has locked it since. Gives the
  /// key when nobody can tell from the word, so that all are to be woken and the call fails.
  public func wakeAfterUnlock(_ mutex: UserMutexReference, in space: AddressSpace) throws(WordFailure) -> WaitChannel? {
    let key = try mutex.key(in: space)
    let count = sleepers.count(on: key, atMost: 2)
    do throws(WordFailure) {
      let owner = try space.load(UInt32.self, at: mutex.address)
      guard count > 0 else { return nil }
      let isFree =
        owner & ~UserMutex.contested == 0 || owner == UserMutex.ownerDead || owner == UserMutex.notRecoverable
      if owner & UserMutex.contested == 0, count > 1 || !isFree {
        try space.store(owner | UserMutex.contested, at: mutex.address)
      }
      if isFree { wakeSleepers(key, atMost: 1) }
      return nil
    } catch {
      if case .wait = error { throw error }
      return key
    }
  }

  /// UMTX_OP_SET_CEILING: gives a PP mutex another ceiling while it is locked. What to sleep on, or nil and the old ceiling.
  ///
  /// Throws EINVAL for another kind of mutex or a ceiling above the highest, EOWNERDEAD, ENOTRECOVERABLE, EFAULT.
  public func setCeiling(
    _ mutex: UserMutexReference, _ ceiling: UInt32, in space: AddressSpace
  ) throws(WordFailure) -> (key: WaitChannel, sleeps: Bool, old: UInt32) {
    guard mutex.flags.contains(.protectsPriority), ceiling <= UserMutex.maximumCeiling else { throw .error(.einval) }
    let key = try mutex.key(in: space)
    let place = VirtualAddress(mutex.address.raw &+ UserMutex.ceilingOffset)
    let old = try space.load(UInt32.self, at: place)
    let owner = try space.load(UInt32.self, at: mutex.address)
    if owner == UserMutex.ownerDead { throw .error(.eownerdead) }
    if owner == UserMutex.notRecoverable { throw .error(.enotrecoverable) }
    let holder = owner & ~UserMutex.contested
    guard holder == 0 || holder == mutex.owner else {
      try space.store(owner | UserMutex.contested, at: mutex.address)
      return (key, true, old)
    }
    try space.prepareStore(of: 4, at: mutex.address)
    try space.store(ceiling, at: place)
    if holder == 0 { try space.store(UserMutex.contested, at: mutex.address) }
    return (key, false, old)
  }
}
