// What one real user has of what is counted per user: processes (RLIMIT_NPROC), reserved swap (RLIMIT_SWAP), pages of
// objects, and the kernel memory that the user's programs make.
//
// Who pays: a page belongs to the account of its object, which is the real user's that made the object, whoever holds it by
// a mapping, a descriptor or a name. Records and tables of an address space or a descriptor table belong to the real user of
// the process that owns it, and move with setuid(2); a name, and the nodes of an index of pages, to the object's account.
//
// Invariants
// - There is at most one account of a user; credentials, objects and map entries with a reservation keep it alive, and it
//   leaves the table when the last of them goes.
// - `reservedPageCount` is the sum of the charges of all VM objects and map entries whose account it is.
// - `objectPageCount` is the sum of the pages, in memory and in swap, of all VM objects whose account it is.
// - `pipeByteCount` is the sum of the capacities of the user's pipes.
// - `nameCount` is the number of names whose object's account it is.
// - `kernelByteCount` is the sum of what these objects take with their indexes, their names, and the address spaces and
//   descriptor tables whose account it is.

public import Primitives

/// The account of one real user.
public final class UserAccount: Nameable {
  /// The user.
  public let user: UInt32
  /// Processes of the user, zombies and children that are being made included.
  public var processCount = 0
  /// Pages of swap reserved by the user.
  public internal(set) var reservedPageCount: UInt64 = 0
  /// Pages of the user's objects, in memory and in swap.
  public internal(set) var objectPageCount = 0
  /// Bytes of kernel memory that the user's programs have made, those of whole processes (`processCount`) left out.
  public private(set) var kernelByteCount = 0
  /// Queues of events that are the user's (RLIMIT_KQUEUES).
  public var eventQueueCount = 0
  /// Names of shared memory objects that are the user's.
  public var nameCount = 0
  /// Objects of the user that are found by a place in another (RLIMIT_UMTXP).
  public var keyedObjectCount = 0
  /// Bytes of buffers of pipes that are the user's (RLIMIT_PIPEBUF).
  public var pipeByteCount = 0
  /// Bytes that the buffers of the user's sockets may hold (RLIMIT_SBSIZE).
  public var socketByteCount = 0
  /// What the inspection in progress found of these.
  var inspectedPageCount = 0
  var inspectedKernelByteCount = 0
  var inspectedNameCount = 0
  var inspectedPipeByteCount = 0
  private let accounts: UserAccounts
  fileprivate var next = BackReference<UserAccount>()
  fileprivate var previous = BackReference<UserAccount>()

  fileprivate init(_ user: UInt32, _ accounts: UserAccounts) {
    self.user = user
    self.accounts = accounts
  }

  deinit { accounts.remove(user, next, previous) }

  /// Counts kernel memory that was made for the user, or, negative, that is gone.
  @inline(__always)
  public func countKernelMemory(_ byteCount: Int) { kernelByteCount &+= byteCount }

  /// Whether the user's programs may make more kernel memory: so much of the machine's frames and no more, so that a user
  /// cannot take all of them with what cannot be paged out. The superuser may.
  @inline(__always)
  public var mayMakeKernelMemory: Bool { user == 0 || kernelPageCount < accounts.kernelPageLimit }

  /// The same for a process more, which will need some more itself.
  public var mayMakeProcess: Bool {
    user == 0 || kernelPageCount < accounts.kernelPageLimit - accounts.kernelPageLimit / 8
  }

  /// Pages of memory and swap that the user's programs take in all: what the choice of a victim goes by.
  public var totalPageCount: Int { objectPageCount + kernelPageCount }

  /// Pages of kernel memory that the user's programs have made.
  public var kernelPageCount: Int {
    (kernelByteCount + processCount * KernelMemoryCost.process) >> Int(Page.shift)
  }
}

/// What things of programs take of the kernel's memory, in bytes; the sizes of records are the pools'.
public enum KernelMemoryCost {
  /// A process: the frame of its thread, and the objects of process, thread, descriptors and address space.
  public static let process = 4096 + 2304
  /// A further thread of a process.
  public static let thread = 4096 + 256
  /// An object of pages.
  public static let object = 192
  /// What a shared memory object has besides.
  public static let sharedMemoryObject = 128
  /// What an object has besides that is found by a place in another.
  public static let keyedObject = 64
  /// The limits of a descriptor.
  public static let descriptorLimits = 96
  /// A list of requests of ioctl(2) that some are limited to.
  public static let requestList = 1088
  /// An open file, which is counted with the process that has the descriptor.
  public static let openFile = 128
}

/// All accounts, by user. Owns none of them.
public final class UserAccounts {
  private static let bucketCount = 256
  private var buckets = [BackReference<UserAccount>](repeating: BackReference(), count: UserAccounts.bucketCount)
  /// Accounts alive.
  public private(set) var count = 0
  /// Pages of kernel memory that the programs of one user other than the superuser may make.
  public var kernelPageLimit = Int.max

  init() {}

  private func bucket(_ user: UInt32) -> Int { Int(truncatingIfNeeded: (user &* 0x9E37_79B1) >> 24) }

  /// The account of a user, if there is one.
  public func existingAccount(of user: UInt32) -> UserAccount? {
    var place = buckets[bucket(user)]
    while let account = place.instance {
      if account.user == user { return account }
      place = account.next
    }
    return nil
  }

  /// The account of a user, made if there is none. The caller has made sure of the heap's reserve.
  public func account(of user: UInt32) -> UserAccount {
    if let account = existingAccount(of: user) { return account }
    let bucket = bucket(user)
    let account = UserAccount(user, self)
    account.next = buckets[bucket]
    account.next.instance?.previous = BackReference(account)
    buckets[bucket] = BackReference(account)
    count += 1
    return account
  }

  /// Calls `body` with every account.
  func forEach(_ body: (UserAccount) -> Void) {
    for bucket in buckets.indices {
      var place = buckets[bucket]
      while let account = place.instance {
        body(account)
        place = account.next
      }
    }
  }

  /// Forgets an account that goes.
  fileprivate func remove(_ user: UInt32, _ next: BackReference<UserAccount>, _ previous: BackReference<UserAccount>) {
    if let account = previous.instance { account.next = next } else { buckets[bucket(user)] = next }
    next.instance?.previous = previous
    count -= 1
  }
}
