// Objects of 2 MiB pages (SHM_LARGEPAGE; spec shm.md, 2.4 and 3.11).
//
// Invariants
// - Such an object has pages in groups of 512, each of which is one block of physical memory aligned to its size. They are in
//   memory from the beginning and stay there: they are in no queue, have no swap and no charge. They go when the object goes.
// - Pages of the group at `pageCount`, behind the end, are being made: the first `preparedPageCount` − 1 of them are zeros.
//   Nobody sees them before all are.
// - Leaves that show it map whole groups: mappings begin and end between two (AddressSpace+Large.swift).
import ABI
import Primitives

/// What an attempt to add a large page came to.
public enum LargeGrowth: Sendable {
  /// There is one more.
  case complete
  /// The budget is used up; there is more to do.
  case again
  /// There is no block of memory for it.
  case noMemory
}

extension VMObject {
  /// Small pages in a large one.
  public static var largePageCount: UInt64 { 512 }
  /// Bytes of a large page.
  public static var largeByteCount: UInt64 { 512 << Page.shift }
  private static let largeOrder = 9
  /// Filling a page with zeros takes as long as so many units of other work on pages.
  private static let unitsPerZeroedPage = 4

  /// The object, which has no pages yet, is one of large pages.
  public func becomeLarge() {
    precondition(pageCount == 0 && !hasLargePages)
    hasLargePages = true
    hasPagesBeyondEnd = true
    system.largeObjectCount += 1
  }

  /// Goes on adding a large page of zeros at the end, in steps that are taken off `budget`.
  public func growByLargePage(_ budget: inout Int) -> LargeGrowth {
    precondition(hasLargePages)
    if preparedPageCount == 0 {
      guard takeBlock() else { return .noMemory }
      preparedPageCount = 1
    }
    while UInt64(preparedPageCount) <= VMObject.largePageCount {
      if budget <= 0 { return .again }
      budget -= VMObject.unitsPerZeroedPage
      guard case .resident(let frame) = pages.lookup(pageCount + UInt64(preparedPageCount) - 1, system.indexNodes)
      else {
        preconditionFailure("a large page with a hole")
      }
      system.physical.zero(frame)
      preparedPageCount += 1
    }
    preparedPageCount = 0
    pageCount += VMObject.largePageCount
    return .complete
  }

  /// Takes a block of memory and puts its frames behind the end. Returns whether there was one, and memory for the index.
  private func takeBlock() -> Bool {
    guard !system.services.isToFail(.pageFrame),
      system.freeFrameCount >= Int(VMObject.largePageCount) + system.largeBlockFloor,
      let block = system.allocateKernelBlock(order: VMObject.largeOrder)
    else { return false }
    for offset in 0..<UInt32(VMObject.largePageCount) {
      let frame = FrameNumber(block.raw + offset)
      guard
        pages.insert(
          pageCount + UInt64(offset), .resident(frame), system.indexNodes, system, paidBy: payerReference)
      else {
        for added in 0..<UInt64(offset) {
          _ = pages.remove(pageCount + added, system.indexNodes, system, paidBy: payerReference)
        }
        for given in 0..<UInt32(VMObject.largePageCount) { system.giveBack(FrameNumber(block.raw + given)) }
        return false
      }
      system.frames[frame].state = .object
      adopt(frame, pageCount + UInt64(offset), system)
    }
    residentCount += Int(VMObject.largePageCount)
    countPages(Int(VMObject.largePageCount))
    return true
  }
}

extension MemorySystem {
  /// Frames that a large page leaves free.
  fileprivate var largeBlockFloor: Int { max(allocationFloor, reserveFrameCount) + privilegedFrameCount }

  /// Gives a frame of a block back that has not become a page.
  fileprivate func giveBack(_ frame: FrameNumber) {
    frames[frame].owner = OwnerReference()
    frames[frame].state = .kernel
    free(frame)
  }
}
