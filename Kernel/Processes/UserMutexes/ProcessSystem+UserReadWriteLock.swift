// Locks for one writer or many readers in user memory (spec signals.md section 3.4).
//
// Invariants
// - `rw_blocked_readers` and `rw_blocked_writers` count the threads that sleep on the lock or are about to try again; each of
//   them has its mark (`UserSleepMark`). While one of them is not 0 the bit of its kind is set in the state, so that whoever
//   unlocks calls.

import ABI
public import Memory
public import Primitives

/// The threads that wait for a lock of one kind.
enum UserLockLine {
  case readers
  case writers
}

extension ProcessSystem {
  private func field(_ address: VirtualAddress, _ offset: UInt64) -> VirtualAddress {
    VirtualAddress(address.raw &+ offset)
  }

  /// Locks for reading; nil when it is done, otherwise what to sleep on, with the mark set.
  ///
  /// - Parameter prefersReaders: whether writers who wait do not count.
  ///
  /// Throws EAGAIN when there are as many readers as can be counted, EFAULT.
  public func lockForReading(
    _ thread: Thread, at address: VirtualAddress, prefersReaders: Bool, in space: AddressSpace
  ) throws(WordFailure) -> WaitChannel? {
    let flags = try space.load(UInt32.self, at: field(address, UserReadWriteLock.flagsOffset))
    let state = try space.load(UInt32.self, at: address)
    var obstacles = UserReadWriteLock.writeOwner
    if !prefersReaders && flags & UserReadWriteLock.prefersReaders == 0 { obstacles |= UserReadWriteLock.writeWaiters }
    if state & obstacles == 0 {
      guard state & UserReadWriteLock.maximumReaders < UserReadWriteLock.maximumReaders else { throw .error(.eagain) }
      try space.store(state &+ 1, at: address)
      return nil
    }
    let key = try WaitChannel.userSleep(.readers, at: address, UserSharing(flags: flags), in: space)
    try joinLine(thread, .reader, state | UserReadWriteLock.readWaiters, at: address, in: space)
    return key
  }

  /// Locks for writing; nil when it is done, otherwise what to sleep on, with the mark set. Throws EFAULT.
  public func lockForWriting(
    _ thread: Thread, at address: VirtualAddress, in space: AddressSpace
  ) throws(WordFailure) -> WaitChannel? {
    let flags = try space.load(UInt32.self, at: field(address, UserReadWriteLock.flagsOffset))
    let state = try space.load(UInt32.self, at: address)
    if state & (UserReadWriteLock.writeOwner | UserReadWriteLock.maximumReaders) == 0 {
      try space.store(state | UserReadWriteLock.writeOwner, at: address)
      return nil
    }
    let key = try WaitChannel.userSleep(.writers, at: address, UserSharing(flags: flags), in: space)
    try joinLine(thread, .writer, state | UserReadWriteLock.writeWaiters, at: address, in: space)
    return key
  }

  /// Whether a lock could be had for writing. Throws EFAULT.
  public func canLockForWriting(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) -> Bool {
    let state = try space.load(UInt32.self, at: address)
    return state & (UserReadWriteLock.writeOwner | UserReadWriteLock.maximumReaders) == 0
  }

  /// Counts a thread among those who wait, unless it is already.
  private func joinLine(
    _ thread: Thread, _ mark: UserSleepMark, _ state: UInt32, at address: VirtualAddress, in space: AddressSpace
  ) throws(WordFailure) {
    let place = field(
      address,
      mark == .reader ? UserReadWriteLock.blockedReadersOffset : UserReadWriteLock.blockedWritersOffset)
    if thread.frame.value.userSleep.mark == .none {
      let blocked = try space.load(UInt32.self, at: place)
      try space.prepareStore(of: 4, at: address)
      try space.store(blocked &+ 1, at: place)
      thread.frame.value.userSleep.mark = mark
      thread.frame.value.userSleep.address = address
    }
    try space.store(state, at: address)
  }

  /// Counts a thread no more; the last takes the bit of its kind back, and a writer who leaves without the lock lets the readers
  /// in whom it had kept waiting.
  func leaveLine(of line: UserLockLine, at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) {
    let isReader = line == .readers
    let place = field(
      address, isReader ? UserReadWriteLock.blockedReadersOffset : UserReadWriteLock.blockedWritersOffset)
    let blocked = try space.load(UInt32.self, at: place)
    let state = try space.load(UInt32.self, at: address)
    try space.prepareStore(of: 4, at: place)
    if blocked <= 1 {
      try space.store(
        state & ~(isReader ? UserReadWriteLock.readWaiters : UserReadWriteLock.writeWaiters), at: address)
    }
    try space.store(blocked == 0 ? 0 : blocked &- 1, at: place)
  }

  /// Whom a writer wakes that gives up, if there is somebody.
  public func readersBehindWriter(
    at address: VirtualAddress, in space: AddressSpace
  ) throws(WordFailure) -> WaitChannel? {
    let flags = try space.load(UInt32.self, at: field(address, UserReadWriteLock.flagsOffset))
    let state = try space.load(UInt32.self, at: address)
    let blocked = try space.load(UInt32.self, at: field(address, UserReadWriteLock.blockedReadersOffset))
    guard state & (UserReadWriteLock.writeOwner | UserReadWriteLock.writeWaiters) == 0, blocked != 0 else {
      return nil
    }
    return try .userSleep(.readers, at: address, UserSharing(flags: flags), in: space)
  }

  /// Unlocks, for whichever it was locked. Gives the readers that are to be woken, if it is they.
  ///
  /// Throws EPERM when it is not locked, EFAULT.
  public func unlockReadWrite(at address: VirtualAddress, in space: AddressSpace) throws(WordFailure) -> WaitChannel? {
    let flags = try space.load(UInt32.self, at: field(address, UserReadWriteLock.flagsOffset))
    var state = try space.load(UInt32.self, at: address)
    if state & UserReadWriteLock.writeOwner != 0 {
      state &= ~UserReadWriteLock.writeOwner
    } else if state & UserReadWriteLock.maximumReaders != 0 {
      state &-= 1
    } else {
      throw .error(.eperm)
    }
    let readersWait = state & UserReadWriteLock.readWaiters != 0
    let writersWait = state & UserReadWriteLock.writeWaiters != 0
    guard readersWait || writersWait else {
      try space.store(state, at: address)
      return nil
    }
    let wakesReaders = readersWait && (!writersWait || flags & UserReadWriteLock.prefersReaders != 0)
    let key = try WaitChannel.userSleep(
      wakesReaders ? .readers : .writers, at: address, UserSharing(flags: flags), in: space)
    try space.store(state, at: address)
    if wakesReaders { return key }
    wakeSleepers(key, atMost: 1)
    return nil
  }
}
