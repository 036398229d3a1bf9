// Reserved swap (spec shm.md section 2.6): counted anew each time from what exists, and what vm.overcommit refuses.
//
// Reserved are all pages of every object, by whoever made it, whoever keeps it; and every page of private memory that may be
// written or once might, by whoever made it so, or whose child got it.
import ABI

/// Pages of swap that are reserved: in all, and by every real user that has any.
struct SwapReservation: Equatable {
  var total: UInt64 = 0
  var ofUsers: [UInt32: UInt64] = [:]

  mutating func add(_ pages: UInt64, for user: UInt32) {
    if pages == 0 { return }
    total += pages
    ofUsers[user, default: 0] += pages
  }

  /// What another has more than it, in all and of each user.
  func shortfall(against other: SwapReservation) -> SwapReservation {
    var missing = SwapReservation()
    missing.total = other.total - min(total, other.total)
    missing.ofUsers = other.ofUsers.reduce(into: [:]) { missing, entry in
      let own = ofUsers[entry.key, default: 0]
      if own < entry.value { missing[entry.key] = entry.value - own }
    }
    return missing
  }
}

extension ReferenceModel {
  /// What is reserved now.
  var reservation: SwapReservation {
    var count = SwapReservation()
    // For a file of /bin nothing is.
    var seen = Set(programObjects.values.map { ObjectIdentifier($0) })
    func add(_ object: ModelObject) {
      if seen.insert(ObjectIdentifier(object)).inserted { count.add(UInt64(object.pageCount), for: object.creator) }
    }
    for object in names.values { add(object) }
    for file in openFiles {
      if let object = file.object { add(object) }
      if let end = file.pipe { count.add(UInt64(end.capacity) / 4096, for: end.creator) }
    }
    for process in processes.values where process.state == .running {
      var ofUsers: [UInt32: UInt64] = [:]
      var last: ModelObject?
      for view in process.memory.values {
        if let object = view.object, object !== last {
          add(object)
          last = object
        }
        if let user = view.chargedUser { ofUsers[user, default: 0] += 1 }
      }
      for (user, pages) in ofUsers { count.add(pages, for: user) }
      count.add(stackPageCount(process), for: process.stackUser)
    }
    return count
  }

  private func stackPageCount(_ process: ModelProcess) -> UInt64 { facts.isWhole ? process.stackByteCount / 4096 : 0 }

  /// Pages that are reserved for the private memory of a process: what a child needs, and the parent for what ceases to be
  /// shared (minherit(2)).
  func reservation(of process: ModelProcess) -> UInt64 {
    process.memory.values.reduce(stackPageCount(process)) { $0 + $1.forkReservation }
  }

  /// Whether a shared mapping without a name or descriptor that fork(2) was to copy (minherit(2)) is only seen through copies
  /// any more: with one of those the kernel may have made one object of both, and let go of what was reserved for the other.
  private var hasOrphanedObject: Bool {
    var shared = Set(programObjects.values.map { ObjectIdentifier($0) })
    var copied: Set<ObjectIdentifier> = []
    for object in names.values { shared.insert(ObjectIdentifier(object)) }
    for file in openFiles { if let object = file.object { shared.insert(ObjectIdentifier(object)) } }
    for process in processes.values where process.state == .running {
      for view in process.memory.values {
        guard let object = view.object else { continue }
        if view.isShared { shared.insert(ObjectIdentifier(object)) } else { copied.insert(ObjectIdentifier(object)) }
      }
    }
    return !copied.isSubset(of: shared)
  }

  /// Compares the kernel's count.
  func check(_ kernel: SwapReservation) throws(Difference) {
    let wanted = reservation
    let isLess = kernel != wanted && kernel.total <= wanted.total && hasOrphanedObject
    letGo = isLess ? kernel.shortfall(against: wanted) : SwapReservation()
    if isLess { return }
    if kernel.total != wanted.total {
      throw Difference("\(kernel.total) pages of swap are reserved, expected \(wanted.total)")
    }
    if facts.isWhole && kernel.ofUsers != wanted.ofUsers {
      throw Difference("the users' reservations are \(kernel.ofUsers), expected \(wanted.ofUsers)")
    }
  }

  // MARK: Refusals

  /// Takes note of how many frames could be paged out before and after an operation. During it the kernel may have held some
  /// more for itself: tables and records of a child that is refused in the end.
  func notePageableFrames(_ before: UInt64, _ after: UInt64) {
    let (low, high) = (min(before, after), max(before, after))
    pageableFrameCounts = low - min(low, Self.frameSlack)...high + Self.frameSlack
  }

  private static var frameSlack: UInt64 { 6 }

  /// Whether vm.overcommit forbids `process` to have so many pages more reserved for a user. Where that depends on frames that
  /// came and went meanwhile, the kernel knows.
  func isRefused(_ pages: UInt64, for user: UInt32, by process: ModelProcess) -> Bool {
    if pages == 0 || overcommit & 3 == 0 || process.credentials.effectiveUser == 0 { return false }
    let now = letGo.shortfall(against: reservation)
    let limit = process.limits[12].soft
    if overcommit & 2 != 0 && limit != ModelLimit.infinity
      && now.ofUsers[user, default: 0] + pages > UInt64(max(0, limit)) / 4096
    {
      return noteRefusal()
    }
    guard overcommit & 1 != 0 else { return false }
    let beyondSwap = now.total + pages
    if overcommit & 4 == 0 { return beyondSwap > swapPageCount ? noteRefusal() : false }
    if beyondSwap > swapPageCount + pageableFrameCounts.upperBound { return noteRefusal() }
    if beyondSwap <= swapPageCount + pageableFrameCounts.lowerBound { return false }
    return observed == .error(Errno.enomem.rawValue)
  }

  private func noteRefusal() -> Bool {
    refusalCount += 1
    return true
  }

  /// Whether vm.overcommit forbids an object to grow; the reservation is its creator's.
  func isGrowthRefused(_ object: ModelObject, to length: Int64, by process: ModelProcess) -> Bool {
    let count = ModelObject.pages(length)
    return count > object.pageCount && isRefused(UInt64(count - object.pageCount), for: object.creator, by: process)
  }
}

extension ModelView {
  /// Pages of swap that fork(2) reserves for it.
  fileprivate var forkReservation: UInt64 {
    let isWritable = protection & 2 != 0
    switch inheritance {
    case 2: return 0
    case 3 where isShared: return isWritable ? 1 : 0
    case 1 where isShared: return isWritable ? 2 : 0
    default: return chargedUser != nil ? 1 : 0
    }
  }
}
