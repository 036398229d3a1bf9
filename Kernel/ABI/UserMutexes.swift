// The structures and numbers of _umtx_op(2) (spec signals.md section 3).

/// What _umtx_op(2) does.
public enum UserMutexOperation: Int32, Sendable {
  /// UMTX_OP_WAIT
  case wait = 2
  /// UMTX_OP_WAKE
  case wake = 3
  /// UMTX_OP_MUTEX_TRYLOCK
  case mutexTryLock = 4
  /// UMTX_OP_MUTEX_LOCK
  case mutexLock = 5
  /// UMTX_OP_MUTEX_UNLOCK
  case mutexUnlock = 6
  /// UMTX_OP_SET_CEILING
  case setCeiling = 7
  /// UMTX_OP_CV_WAIT
  case conditionWait = 8
  /// UMTX_OP_CV_SIGNAL
  case conditionSignal = 9
  /// UMTX_OP_CV_BROADCAST
  case conditionBroadcast = 10
  /// UMTX_OP_WAIT_UINT
  case waitWord = 11
  /// UMTX_OP_RW_RDLOCK
  case readLock = 12
  /// UMTX_OP_RW_WRLOCK
  case writeLock = 13
  /// UMTX_OP_RW_UNLOCK
  case readWriteUnlock = 14
  /// UMTX_OP_WAIT_UINT_PRIVATE
  case waitWordPrivate = 15
  /// UMTX_OP_WAKE_PRIVATE
  case wakePrivate = 16
  /// UMTX_OP_MUTEX_WAIT
  case mutexWait = 17
  /// UMTX_OP_MUTEX_WAKE
  case mutexWake = 18
  /// UMTX_OP_NWAKE_PRIVATE
  case wakeManyPrivate = 21
  /// UMTX_OP_MUTEX_WAKE2
  case mutexWakeByFlags = 22
  /// UMTX_OP_SEM2_WAIT
  case semaphoreWait = 23
  /// UMTX_OP_SEM2_WAKE
  case semaphoreWake = 24
  /// UMTX_OP_SHM
  case sharedMemory = 25
  /// UMTX_OP_ROBUST_LISTS
  case robustLists = 26
  /// UMTX_OP_GET_MIN_TIMEOUT
  case getMinimumTimeout = 27
  /// UMTX_OP_SET_MIN_TIMEOUT
  case setMinimumTimeout = 28

  /// The operations of FreeBSD's first locks and of its semaphores before 10: a kernel without compatibility with those
  /// answers EOPNOTSUPP.
  public static func isObsolete(_ number: Int32) -> Bool { number == 0 || number == 1 || number == 19 || number == 20 }
}

/// `struct umutex`, 32 bytes.
public enum UserMutex {
  /// m_owner: 0, or a thread, with `contested` if others may wait.
  public static let ownerOffset: UInt64 = 0
  /// m_flags
  public static let flagsOffset: UInt64 = 4
  /// m_ceilings[0]
  public static let ceilingOffset: UInt64 = 8
  /// m_rb_lnk: the next mutex of a robust list.
  public static let linkOffset: UInt64 = 16
  /// The size of the structure.
  public static let byteCount = 32

  /// UMUTEX_CONTESTED
  public static let contested: UInt32 = 0x8000_0000
  /// UMUTEX_RB_OWNERDEAD: the owner has ended.
  public static let ownerDead: UInt32 = 0x8000_0010
  /// UMUTEX_RB_NOTRECOV: and nobody has put right what it protects.
  public static let notRecoverable: UInt32 = 0x8000_0011

  /// The highest ceiling (RTP_PRIO_MAX).
  public static let maximumCeiling: UInt32 = 31
}

/// m_flags of `struct umutex`; bit 0 of the flags of every structure is USYNC_PROCESS_SHARED.
public struct UserMutexFlags: OptionSet, BitwiseCopyable, Sendable {
  /// The bits.
  public let rawValue: UInt32
  /// Wraps the bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// USYNC_PROCESS_SHARED
  public static let isShared = UserMutexFlags(rawValue: 1)
  /// UMUTEX_PRIO_INHERIT
  public static let inheritsPriority = UserMutexFlags(rawValue: 4)
  /// UMUTEX_PRIO_PROTECT
  public static let protectsPriority = UserMutexFlags(rawValue: 8)
  /// UMUTEX_ROBUST
  public static let isRobust = UserMutexFlags(rawValue: 0x10)
  /// UMUTEX_NONCONSISTENT
  public static let isInconsistent = UserMutexFlags(rawValue: 0x20)
}

/// `struct ucond`, 16 bytes.
public enum UserCondition {
  /// c_has_waiters
  public static let hasWaitersOffset: UInt64 = 0
  /// c_flags
  public static let flagsOffset: UInt64 = 4
  /// c_clockid
  public static let clockOffset: UInt64 = 8
  /// The size of the structure.
  public static let byteCount = 16

  /// CVWAIT_ABSTIME
  public static let isAbsolute: UInt64 = 2
  /// CVWAIT_CLOCKID
  public static let hasClock: UInt64 = 4
}

/// `struct urwlock`, 32 bytes.
public enum UserReadWriteLock {
  /// rw_state
  public static let stateOffset: UInt64 = 0
  /// rw_flags
  public static let flagsOffset: UInt64 = 4
  /// rw_blocked_readers
  public static let blockedReadersOffset: UInt64 = 8
  /// rw_blocked_writers
  public static let blockedWritersOffset: UInt64 = 12
  /// The size of the structure.
  public static let byteCount = 32

  /// URWLOCK_WRITE_OWNER
  public static let writeOwner: UInt32 = 0x8000_0000
  /// URWLOCK_WRITE_WAITERS
  public static let writeWaiters: UInt32 = 0x4000_0000
  /// URWLOCK_READ_WAITERS
  public static let readWaiters: UInt32 = 0x2000_0000
  /// URWLOCK_MAX_READERS, and the bits that count them.
  public static let maximumReaders: UInt32 = 0x1fff_ffff
  /// URWLOCK_PREFER_READER
  public static let prefersReaders: UInt32 = 2
}

/// `struct _usem2`, 8 bytes.
public enum UserSemaphore {
  /// _count
  public static let countOffset: UInt64 = 0
  /// _flags
  public static let flagsOffset: UInt64 = 4
  /// The size of the structure.
  public static let byteCount = 8

  /// USEM_HAS_WAITERS; the rest is the count.
  public static let hasWaiters: UInt32 = 0x8000_0000
}

/// `struct _umtx_time`: a timespec, flags, a clock.
public enum UserMutexTime {
  /// The size of the structure.
  public static let byteCount = 24
  /// _flags
  public static let flagsOffset = 16
  /// _clockid
  public static let clockOffset = 20
  /// UMTX_ABSTIME
  public static let isAbsolute: UInt32 = 1
}

/// `struct umtx_robust_lists_params`: where a thread says which robust mutexes it owns.
public struct RobustLists: BitwiseCopyable, Sendable {
  /// Where the first of the shared ones is named; 0: nowhere.
  public var shared: UInt64 = 0
  /// Where the first of the private ones is named; 0: nowhere.
  public var own: UInt64 = 0
  /// Where the one is named that is being locked or unlocked; 0: nowhere.
  public var inAction: UInt64 = 0

  /// No lists.
  public init() {}

  /// The size of the structure.
  public static let byteCount = 24

  /// Whether there are none.
  public var isEmpty: Bool { shared | own | inAction == 0 }

  /// Reads the structure from the start of `bytes`.
  public init(decoding bytes: Span<UInt8>) {
    shared = bytes.loadUInt64(at: 0)
    own = bytes.loadUInt64(at: 8)
    inAction = bytes.loadUInt64(at: 16)
  }
}

/// The flags of UMTX_OP_SHM.
public enum UserSharedMemory {
  /// UMTX_SHM_CREAT
  public static let create: UInt64 = 1
  /// UMTX_SHM_LOOKUP
  public static let lookUp: UInt64 = 2
  /// UMTX_SHM_DESTROY
  public static let destroy: UInt64 = 4
  /// UMTX_SHM_ALIVE
  public static let isAlive: UInt64 = 8
}
