// What one real user has of what is counted per user: processes (RLIMIT_NPROC) and reserved swap (RLIMIT_SWAP).
//
// Invariants
// - There is at most one account of a user; credentials, objects and map entries with a reservation keep it alive, and it
//   leaves the table when the last of them goes.
// - `reservedPageCount` is the sum of the charges of all VM objects and map entries whose account it is.

/// The account of one real user.
public final class UserAccount {
  /// The user.
  public let user: UInt32
  /// Processes of the user, zombies and children that are being made included.
  public var processCount = 0
  /// Pages of swap reserved by the user.
  public internal(set) var reservedPageCount: UInt64 = 0
  private let accounts: UserAccounts
  fileprivate var next = BackReference<UserAccount>()
  fileprivate var previous = BackReference<UserAccount>()

  fileprivate init(_ user: UInt32, _ accounts: UserAccounts) {
    self.user = user
    self.accounts = accounts
  }

  deinit { accounts.remove(user, next, previous) }
}

/// All accounts, by user. Owns none of them.
public final class UserAccounts {
  private static let bucketCount = 256
  private var buckets = [BackReference<UserAccount>](repeating: BackReference(), count: UserAccounts.bucketCount)
  /// Accounts alive.
  public private(set) var count = 0

  init() {}

  private func bucket(_ user: UInt32) -> Int { Int(truncatingIfNeeded: (user &* 0x9E37_79B1) >> 24) }

  /// The account of a user, made if there is none. The caller has made sure of the heap's reserve.
  public func account(of user: UInt32) -> UserAccount {
    let bucket = bucket(user)
    var place = buckets[bucket]
    while let account = place.instance {
      if account.user == user { return account }
      place = account.next
    }
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
