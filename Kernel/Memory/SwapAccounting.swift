// Reservation of swap for memory that may have to be paged out (spec shm.md section 2.6).
//
// Invariant: `reserved` is the sum of the charges of all VM objects and of the map entries that have no object yet.
import ABI

/// The counters and the policy. All numbers are pages.
public struct SwapAccounting: BitwiseCopyable, Sendable {
  /// `vm.overcommit`: bit 0 refuses reservations beyond the swap total, bit 2 adds physical memory to that total.
  public var overcommit: UInt32 = 0
  /// Pages reserved.
  public private(set) var reserved: UInt64 = 0
  /// Pages of swap.
  public internal(set) var swapTotal: UInt64 = 0
  /// Physical pages that bit 2 of `overcommit` counts.
  var physicalTotal: UInt64 = 0

  init() {}

  /// Reserves `pages`.
  ///
  /// - Throws: `ENOMEM` when `vm.overcommit` forbids it, or the sum cannot be represented.
  mutating func reserve(_ pages: UInt64) throws(Errno) {
    let (sum, overflow) = reserved.addingReportingOverflow(pages)
    if overflow { throw .enomem }
    if overcommit & 1 != 0 {
      let limit = swapTotal + (overcommit & 4 != 0 ? physicalTotal : 0)
      if sum > limit { throw .enomem }
    }
    reserved = sum
  }

  mutating func release(_ pages: UInt64) {
    precondition(pages <= reserved)
    reserved -= pages
  }

  /// Reserves a page for nobody (PlantedViolation.swift).
  mutating func plantCharge() { reserved += 1 }
}
