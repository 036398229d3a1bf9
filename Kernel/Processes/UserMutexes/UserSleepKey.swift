// What a sleeper on a word of user memory is known by: a type, so that a wake reaches only its own kind, and a place, which is an
// address of one address space, or a place in an object that several show (spec signals.md section 3.2).

import ABI
public import Memory
public import Primitives

/// What sleepers wait for.
public enum UserSleepType: UInt8, Sendable {
  /// A word of any meaning.
  case word
  /// A mutex.
  case mutex
  /// A mutex that lends its owner the priority of who waits (PI).
  case inheritingMutex
  /// A mutex with a ceiling (PP).
  case protectingMutex
  /// A robust one of these.
  case robustInheritingMutex
  /// The same.
  case robustProtectingMutex
  /// A condition variable.
  case condition
  /// The right to read.
  case readers
  /// The right to write.
  case writers
  /// A semaphore.
  case semaphore
}

/// Who is meant by the same word.
public enum UserSharing: Sendable {
  /// The threads that run in one address space.
  case isPrivate
  /// All that show the same place of an object.
  case isShared
  /// As children inherit the mapping.
  case byMapping

  /// What bit 0 of a structure's flags says (USYNC_PROCESS_SHARED).
  public init(flags: UInt32) { self = flags & 1 != 0 ? .isShared : .isPrivate }
}

extension WaitChannel {
  // Keys are no channels of the scheduler: theirs are numbers of their own.
  private static let firstKind: UInt8 = 128

  @inline(__always)
  private static func kind(_ type: UserSleepType, isShared: Bool) -> Kind {
    Kind(firstKind + type.rawValue << 1 + (isShared ? 1 : 0))
  }

  /// Whether the call of whoever sleeps on it is over when somebody wakes the sleeper: it does not look again at the word.
  @inline(__always)
  var endsCalls: Bool {
    let type = (kindNumber &- WaitChannel.firstKind) &>> 1
    return type == UserSleepType.word.rawValue || type == UserSleepType.condition.rawValue
      || type == UserSleepType.semaphore.rawValue
  }

  /// The key of a place. A private one is a name only: nothing is looked up, and there need be nothing.
  ///
  /// Throws EFAULT when a shared place is not in a mapping that can be written.
  @inline(__always)
  public static func userSleep(
    _ type: UserSleepType, at address: VirtualAddress, _ sharing: UserSharing, in space: AddressSpace
  ) throws(WordFailure) -> WaitChannel {
    if sharing != .isPrivate {
      let place = try space.sharedPlace(of: address)
      if sharing == .isShared || place.isInherited {
        return WaitChannel(kind(type, isShared: true), place.objectNumber, offset: place.offset)
      }
    }
    return userSleep(type, at: address, inSpace: space.number)
  }

  /// The private key of an address in the space with this number.
  @inline(__always)
  public static func userSleep(
    _ type: UserSleepType, at address: VirtualAddress, inSpace number: UInt64
  ) -> WaitChannel {
    WaitChannel(kind(type, isShared: false), number, offset: address.raw)
  }

  /// Where a thread is parked that sleeps on a word, or in thr_suspend(2): it alone.
  static func userSleep(slot: ThreadSlot) -> WaitChannel { WaitChannel(Kind(19), UInt64(slot.raw)) }
}
