// Reservation of swap for memory that may have to be paged out (spec shm.md section 2.6).
//
// Invariant: `reserved` is the sum of the charges of all VM objects and of the map entries that have no object yet; each
// account's `reservedPageCount` the sum of those that are charged to it.
import ABI
import Primitives

/// The counters and the policy. All numbers are pages.
public struct SwapAccounting: BitwiseCopyable, Sendable {
  /// `vm.overcommit`: bit 0 refuses reservations beyond the swap total, bit 1 those beyond the caller's RLIMIT_SWAP, bit 2
  /// adds the physical memory that is neither wired nor kept in reserve to the swap total.
  public var overcommit: UInt32 = 0
  /// Pages reserved.
  public fileprivate(set) var reserved: UInt64 = 0
  /// Pages of swap.
  public internal(set) var swapTotal: UInt64 = 0

  init() {}

  /// Whether `vm.overcommit` refuses what there is no swap for.
  public var refusesOvercommit: Bool { overcommit & 1 != 0 }
}

extension MemorySystem {
  /// Reserves `pages` for an account; nil: for nobody in particular.
  ///
  /// - Throws: `ENOMEM` when `vm.overcommit` forbids it, or the sum cannot be represented.
  @inline(__always)
  func reserve(_ pages: UInt64, for account: UserAccount?) throws(Errno) {
    if pages == 0 { return }
    if services.isToFail(.swapReservation) { throw .enomem }
    let (sum, overflow) = accounting.reserved.addingReportingOverflow(pages)
    if overflow { throw .enomem }
    if accounting.overcommit & 3 != 0 { try checkPolicy(sum, pages, account) }
    accounting.reserved = sum
    account?.reservedPageCount &+= pages
  }

  /// Takes back what was reserved before and given up between two steps of a call, whatever the policy says by now. Returns
  /// false, and reserves nothing, when the sum cannot be represented.
  func reserveAgain(_ pages: UInt64, for account: UserAccount?) -> Bool {
    let (sum, overflow) = accounting.reserved.addingReportingOverflow(pages)
    if overflow { return false }
    accounting.reserved = sum
    account?.reservedPageCount &+= pages
    return true
  }

  private func checkPolicy(_ sum: UInt64, _ pages: UInt64, _ account: UserAccount?) throws(Errno) {
    let caller = services.caller.instance
    if caller?.isPrivileged ?? false { return }
    if accounting.overcommit & 1 != 0 {
      let physical = accounting.overcommit & 4 != 0 ? pageableFrameCount : 0
      if sum > accounting.swapTotal + physical { throw .enomem }
    }
    if accounting.overcommit & 2 != 0, let caller, let account, account.reservedPageCount + pages > caller.pageLimit {
      throw .enomem
    }
  }

  /// The frames that programs' pages have or can have: all but those that the kernel keeps (FreeBSD's wired) and the reserve.
  private var pageableFrameCount: UInt64 {
    let pages = queues.pageCount
    let busy = queues.pendingWriteCount + queues.pendingReadCount
    return UInt64(max(0, freeFrameCount + pages + busy - reserveFrameCount))
  }

  /// Gives back what `reserve` reserved for the same account.
  @inline(__always)
  func release(_ pages: UInt64, of account: UserAccount?) {
    precondition(pages <= accounting.reserved)
    accounting.reserved &-= pages
    if let account {
      precondition(pages <= account.reservedPageCount)
      account.reservedPageCount &-= pages
    }
  }

  /// Reserves a page for nobody (PlantedViolation.swift).
  func plantCharge() { accounting.reserved += 1 }
}
