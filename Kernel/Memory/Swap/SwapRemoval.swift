// swapoff(2): bringing everything back that is on a swap device, in bounded steps (spec vm.md section 8).
//
// Invariants
// - While there is one, its device is `closing`: nothing more goes there, and its blocks only become fewer. So one walk over the
//   blocks is enough, but for those whose transfers are under way.
// - When it is given up, for an error or because its caller is killed, the device is in use as before; what was brought back is in
//   memory, and nothing is lost.

public import ABI
public import Primitives

/// A swapoff(2) under way.
public final class SwapRemoval {
  /// Words of the bitmap of blocks that are looked at for a unit of work.
  private static let wordsPerUnit = 16

  private let system: MemorySystem
  private let pager: SwapPager
  private let isForced: Bool
  private var hasBegun = false
  private var position: UInt32 = 0

  /// The removal of a device.
  ///
  /// - Parameter isForced: whether it begins although there may be too little memory (SWAPOFF_FORCE).
  public init(_ system: MemorySystem, _ pager: SwapPager, isForced: Bool) {
    self.system = system
    self.pager = pager
    self.isForced = isForced
  }

  deinit { if hasBegun { system.startSwap(pager) } }

  /// Goes on; takes pages off `budget`.
  ///
  /// - Throws: `EINVAL` when the device is not in use; `ENOMEM` when what is on it might not fit into what is free elsewhere;
  ///   `EIO` when a page cannot be read. The device is in use then.
  public func step(_ budget: inout Int) throws(Errno) -> Progress {
    if !hasBegun, let progress = try begin() { return progress }
    while budget > 0 {
      budget -= 1
      let found = pager.nextTaken(from: position, wordLimit: SwapRemoval.wordsPerUnit)
      position = found.next
      if let block = found.block {
        if let wait = try bringBack(block, &budget) { return .wait(wait) }
      } else if pager.takenCount == 0 {
        hasBegun = false
        pager.state = .off
        return .complete
      } else if position >= pager.device.blockCount {
        position = 0
      }
    }
    return .again
  }

  /// Nil when the walk can begin.
  private func begin() throws(Errno) -> Progress? {
    // One at a time: what somebody else is taking out of use may yet be in use.
    if system.isRemovingSwap { return .again }
    guard pager.state == .inUse else { throw .einval }
    let room = system.freeFrameCount + (system.swap?.freeCount ?? 0)
    guard isForced || room >= pager.usableCount + SwapLimits.spareForRemoval else { throw .enomem }
    hasBegun = true
    system.closeSwap(pager)
    return nil
  }

  /// Brings the page of a block back; nil when that is done, or what to wait for.
  private func bringBack(_ block: SwapBlock, _ budget: inout Int) throws(Errno) -> Wait? {
    let owner = pager.owner(of: block)
    guard let object = owner.owner.object else {
      // Only a transfer holds it: its frame is noted in place of a page.
      return .page(FrameNumber(UInt32(truncatingIfNeeded: owner.index)))
    }
    if object.referenceCount == 0 {
      // It is being torn down, with all its blocks.
      _ = system.drainTeardown(budget: budget)
      budget = 0
      return nil
    }
    budget -= SwapLimits.unitsForPage
    switch object.bringBack(owner.index, block, system) {
    case .complete: return nil
    case .wait(let wait): return wait
    case .failed:
      hasBegun = false
      system.startSwap(pager)
      throw .eio
    }
  }
}

extension VMObject {
  /// Makes a page stay in memory whose block is to be free.
  fileprivate func bringBack(_ index: UInt64, _ block: SwapBlock, _ system: MemorySystem) -> PageOutcome {
    let found: PageLookup
    switch pages.lookup(index, system.indexNodes) {
    case .resident(let frame): found = readyFrame(frame, system)
    case .swapped: found = pageIn(index, block, system)
    case .empty: preconditionFailure("a swap block of a page that is nowhere")
    }
    switch found {
    case .frame(let frame):
      system.markDirty(frame)
      return .complete
    case .wait(let wait): return .wait(wait)
    case .failed, .absent: return .failed
    }
  }
}

extension MemorySystem {
  /// Whether a swapoff(2) is under way.
  var isRemovingSwap: Bool {
    guard let swap else { return false }
    return swap.pagers.contains { $0.state == .closing }
  }

  /// Lets nothing more go to a device.
  func closeSwap(_ pager: SwapPager) {
    pager.state = .closing
    noteSwapTotal()
  }

  /// Takes a device into use, again or for the first time. What no other would take may find room now.
  func startSwap(_ pager: SwapPager) {
    pager.state = .inUse
    noteSwapTotal()
    queues.unswappableRetryCount = queues.unswappable.count
    releaseCount &+= 1
  }

  private func noteSwapTotal() { accounting.swapTotal = UInt64(swap?.usableCount ?? 0) }

  /// The swap device with this path, in use or not.
  public func swapDevice(at path: Span<UInt8>) -> SwapPager? { swap?.pager(at: path) }

  /// swapon(2) of a device.
  ///
  /// - Throws: `EBUSY` when it is in use.
  public func startSwap(device pager: SwapPager) throws(Errno) {
    guard pager.state == .off else { throw .ebusy }
    startSwap(pager)
  }
}
