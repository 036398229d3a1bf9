// _umtx_op(2): what threads do on words of their memory when they have to wait for each other (spec signals.md section 3).
//
// A call that sleeps is in the queue of its key, and parked; when it has its next turn it is in the queue no more if it was
// woken (`UserSleepQueue`). What it does then is in UserMutexCalls+Sleep.swift.

import ABI
import Files
import Memory
import Primitives
import Processes

extension SystemCallTable {
  mutating func declareUserMutexCalls() {
    declare(.umtxOp, "_umtx_op", [.pointer, .integer, .bits, .pointer, .pointer], .asks(HeapCost.keyedObject)) {
      call throws(Errno) in try call.userMutex()
    }
  }
}

extension SystemCall {
  /// Where the word or structure of the call lies.
  var object: VirtualAddress { arguments.first.address }

  /// What the call is about.
  var userMutexOperation: UserMutexOperation? {
    UserMutexOperation(rawValue: arguments.second.integer)
  }

  fileprivate func userMutex() throws(Errno) -> Answer {
    // What is called most often, first.
    if arguments.second.word == UInt32(UserMutexOperation.wakePrivate.rawValue) {
      let space = spaceReference.borrow { $0.number }
      return try wakeWord(.userSleep(.word, at: object, inSpace: space))
    }
    if arguments.second.word == UInt32(UserMutexOperation.wake.rawValue) {
      return try withWords { () throws(WordFailure) in
        let key = try WaitChannel.userSleep(.word, at: object, .byMapping, in: space)
        return try refusing { () throws(Errno) in try wakeWord(key) }
      }
    }
    return try userMutexThatWaits()
  }

  /// Wakes up to so many that wait for a word to change, but one at least.
  @inline(__always)
  private func wakeWord(_ key: WaitChannel) throws(Errno) -> Answer {
    let count = Int(max(1, arguments.third.integer))
    if count > ProcessLimits.wakesPerTurn { return try wake(key, atMost: count, then: .returns) }
    kernel.processes.wakeSleepers(key, atMost: count)
    return .value(0)
  }

  @inline(never)
  private func userMutexThatWaits() throws(Errno) -> Answer {
    guard let operation = userMutexOperation else {
      throw UserMutexOperation.isObsolete(arguments.second.integer) ? .eopnotsupp : .einval
    }
    return try withWords { () throws(WordFailure) in try perform(operation) }
  }

  private func perform(_ operation: UserMutexOperation) throws(WordFailure) -> Answer {
    switch operation {
    case .wait: try waitForWord(.byMapping, isLong: true)
    case .waitWord: try waitForWord(.byMapping, isLong: false)
    case .waitWordPrivate: try waitForWord(.isPrivate, isLong: false)
    case .mutexTryLock, .mutexLock, .mutexUnlock, .mutexWait, .mutexWake, .mutexWakeByFlags, .setCeiling:
      try performOnMutex(operation)
    default: try performOther(operation)
    }
  }

  private func performOther(_ operation: UserMutexOperation) throws(WordFailure) -> Answer {
    switch operation {
    case .conditionWait: return try waitForCondition()
    case .conditionSignal:
      try kernel.processes.signalCondition(at: object, in: space)
      return .value(0)
    case .conditionBroadcast: return try broadcast()
    case .readLock, .writeLock: return try lockReadWrite()
    case .readWriteUnlock:
      guard let key = try kernel.processes.unlockReadWrite(at: object, in: space) else { return .value(0) }
      return try wakeAll(key)
    case .semaphoreWait: return try waitForSemaphore()
    case .semaphoreWake:
      try kernel.processes.wakeSemaphore(at: object, in: space)
      return .value(0)
    case .wakeManyPrivate: return try wakeMany()
    case .robustLists: return try setRobustLists()
    case .sharedMemory: return try sharedMemory()
    case .getMinimumTimeout:
      try space.store(process.minimumSleepNanoseconds, at: arguments.fourth.address)
      return .value(0)
    case .setMinimumTimeout:
      guard arguments.third.long >= 0 else { throw .error(.einval) }
      process.minimumSleepNanoseconds = arguments.third.raw
      return .value(0)
    default: throw .error(.einval)
    }
  }

  // MARK: Words

  private func waitForWord(_ sharing: UserSharing, isLong: Bool) throws(WordFailure) -> Answer {
    guard try takeDeadline() else { return .restart }
    let space = space
    let key = try WaitChannel.userSleep(.word, at: object, sharing, in: space)
    let value =
      isLong ? try space.load(UInt64.self, at: object) : UInt64(try space.load(UInt32.self, at: object))
    if value != arguments.third.raw { return .value(0) }
    return try sleep(on: key, .fails)
  }

  /// UMTX_OP_NWAKE_PRIVATE: the words lie in an array; who was woken already is not there any more when the call is cut.
  private func wakeMany() throws(WordFailure) -> Answer {
    do throws(WordFailure) {
      return try wakeSomeOfMany()
    } catch {
      if case .error = error { thread.frame.value.userSleep.progress = 0 }
      throw error
    }
  }

  private func wakeSomeOfMany() throws(WordFailure) -> Answer {
    let space = space
    var budget = ProcessLimits.wakesPerTurn
    while thread.frame.value.userSleep.progress < arguments.third.raw {
      guard budget > 0 else { return goOnLater(.phase(.whole)) }
      let place = VirtualAddress(object.raw &+ 8 &* thread.frame.value.userSleep.progress)
      let word = try space.load(UInt64.self, at: place)
      let key = try WaitChannel.userSleep(.word, at: VirtualAddress(word), .isPrivate, in: space)
      let woken = kernel.processes.wakeSleepers(key, atMost: budget)
      budget -= max(1, woken)
      if budget > 0 { thread.frame.value.userSleep.progress += 1 }
    }
    thread.frame.value.userSleep.progress = 0
    return .value(0)
  }

  // MARK: Mutexes

  private func performOnMutex(_ operation: UserMutexOperation) throws(WordFailure) -> Answer {
    let processes = kernel.processes
    switch operation {
    case .mutexLock, .mutexWait:
      guard try takeDeadline() else { return .restart }
      return try lockMutex(nil)
    case .mutexTryLock:
      let space = space
      let mutex = try UserMutexReference(thread, space, object)
      try mutex.check()
      _ = try processes.lock(mutex, in: space, .tryLock)
    case .mutexUnlock:
      let space = space
      let mutex = try UserMutexReference(thread, space, object)
      try mutex.check()
      try processes.unlock(mutex, in: space)
    case .mutexWake:
      let space = space
      try processes.wake(try UserMutexReference(thread, space, object), in: space)
    case .mutexWakeByFlags:
      let mutex = UserMutexReference(thread, object, flags: arguments.third.word)
      try mutex.check()
      guard let key = try processes.wakeAfterUnlock(mutex, in: space) else { return .value(0) }
      return try refusing { () throws(Errno) in try wake(key, atMost: .max, then: .fails) }
    default: return try setCeiling(nil)
    }
    return .value(0)
  }

  /// Locks a mutex or waits until it can be, for the first time or after a sleep that ended like this.
  func lockMutex(_ end: UserSleepEnd?) throws(WordFailure) -> Answer {
    let space = space
    let waits = userMutexOperation == .mutexWait
    let mutex = try UserMutexReference(thread, space, object)
    try mutex.check()
    guard let key = try kernel.processes.lock(mutex, in: space, waits ? .wait : .lock) else { return .value(0) }
    if let error = end?.error { throw .error(error) }
    guard thread.frame.value.userSleep.deadline == nil else { return try sleep(on: key, .concludes) }
    return try sleep(on: key, waits ? .restartsIfAsked : .restarts)
  }

  /// The same for a change of its ceiling.
  func setCeiling(_ end: UserSleepEnd?) throws(WordFailure) -> Answer {
    let space = space
    let mutex = try UserMutexReference(thread, space, object)
    // The old one first: what has been changed is not changed again.
    let place = arguments.fourth
    if !place.isNull { try space.prepareStore(of: 4, at: place.address) }
    thread.frame.value.userSleep.deadline = nil
    let outcome = try kernel.processes.setCeiling(mutex, arguments.third.word, in: space)
    if outcome.sleeps {
      if let error = end?.error { throw .error(error) }
      return try sleep(on: outcome.key, .restartsIfAsked)
    }
    if !place.isNull { try space.store(outcome.old, at: place.address) }
    return try wakeAll(outcome.key)
  }

  // MARK: Condition variables

  private func waitForCondition() throws(WordFailure) -> Answer {
    guard try takeConditionDeadline() else { return .restart }
    let key = try kernel.processes.beginConditionWait(
      thread, at: object, mutexAt: arguments.fourth.address, in: space)
    return try sleep(on: key, .concludes)
  }

  private func broadcast() throws(WordFailure) -> Answer {
    let space = space
    let key = try kernel.processes.conditionKey(at: object, in: space)
    do throws(WordFailure) {
      try space.store(UInt32(0), at: object)
    } catch {
      if case .wait = error { throw error }
      return try refusing { () throws(Errno) in try wake(key, atMost: .max, then: .fails) }
    }
    return try wakeAll(key)
  }

  // MARK: Locks for readers and writers

  private func lockReadWrite() throws(WordFailure) -> Answer {
    guard try takeDeadline() else { return .restart }
    return try lockReadWrite(nil)
  }

  /// Locks for reading or writing, for the first time or after a sleep that ended like this. Who tries again is not among those
  /// who wait while it does.
  func lockReadWrite(_ end: UserSleepEnd?) throws(WordFailure) -> Answer {
    let (processes, space) = (kernel.processes, space)
    try processes.takeMarkBack(thread, in: space)
    let reads = userMutexOperation == .readLock
    if reads, let error = end?.error { throw .error(error) }
    let prefersReaders = arguments.third.raw & UInt64(UserReadWriteLock.prefersReaders) != 0
    if let error = end?.error { return try giveUpWriting(error) }
    let key =
      reads
      ? try processes.lockForReading(thread, at: object, prefersReaders: prefersReaders, in: space)
      : try processes.lockForWriting(thread, at: object, in: space)
    guard let key else { return .value(0) }
    return try sleep(on: key, .concludes)
  }

  /// A writer whose time is over tries once more, and otherwise lets in the readers that it has kept waiting.
  private func giveUpWriting(_ error: Errno) throws(WordFailure) -> Answer {
    let (processes, space) = (kernel.processes, space)
    if try processes.canLockForWriting(at: object, in: space) {
      _ = try processes.lockForWriting(thread, at: object, in: space)
      return .value(0)
    }
    if let key = try processes.readersBehindWriter(at: object, in: space) {
      processes.wakeSleepers(key, atMost: .max)
    }
    throw .error(error)
  }

  // MARK: Semaphores

  private func waitForSemaphore() throws(WordFailure) -> Answer {
    guard try takeDeadline() else { return .restart }
    guard let key = try kernel.processes.waitForSemaphore(at: object, in: space) else { return .value(0) }
    let isRelative = thread.frame.value.userSleep.deadline?.isRelative ?? false
    return try sleep(on: key, isRelative ? .concludes : .restartsIfAsked)
  }

  // MARK: Shared memory

  /// UMTX_OP_SHM: an object of one page that goes with a word.
  private func sharedMemory() throws(WordFailure) -> Answer {
    let place = arguments.fourth.address
    switch arguments.third.raw {
    case UserSharedMemory.isAlive:
      if try space.showsDestroyedObject(at: place) { throw .error(.enotty) }
      return .value(0)
    case UserSharedMemory.destroy:
      let key = try space.sharedPlace(of: place)
      try refusing { () throws(Errno) in try kernel.files.destroyKeyedObject(at: key) }
      return .value(0)
    case UserSharedMemory.create, UserSharedMemory.lookUp:
      let key = try space.sharedPlace(of: place)
      guard hasReserve() else { return .restart }
      let creates = arguments.third.raw == UserSharedMemory.create
      let limit = process.limit(.sharedLocks).soft
      let (files, table) = (kernel.files, table)
      let descriptor = try refusing { () throws(Errno) in
        try files.openKeyedObject(at: key, creates: creates, limit: limit, process.credentials, into: table)
      }
      return .value(UInt64(descriptor))
    default: throw .error(.einval)
    }
  }

  // MARK: Robust mutexes

  /// UMTX_OP_ROBUST_LISTS: where the thread will say which robust mutexes it owns.
  private func setRobustLists() throws(WordFailure) -> Answer {
    let byteCount = arguments.third.raw
    guard byteCount <= UInt64(RobustLists.byteCount) else { throw .error(.einval) }
    let isThere = try refusing { () throws(Errno) in try fetch(arguments.fourth.range(Int(byteCount))) }
    guard isThere else { return .restart }
    zero(from: Int(byteCount), RobustLists.byteCount - Int(byteCount))
    thread.frame.value.robustWalk = RobustWalk()
    thread.frame.value.robustWalk.lists = RobustLists(decoding: thread.frame.value.buffer.span)
    return .value(0)
  }
}
