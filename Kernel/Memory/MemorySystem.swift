// The memory of one kernel: frames, record pools, paging queues, swap, and the list of work that releases leave behind.
//
// Invariants
// - Every frame from the boot memory map is free, or has exactly one owner named by its record's state.
// - `reserveFrameCount` frames are only handed out with priority `.reserve`: to calls that release, and to page-out.
// - `privilegedFrameCount` frames more are only handed out to the superuser, so that what users take leaves something to
//   undo it with: `allocationFloor` says how many have to stay free for whoever's event is being handled.

public import Primitives

/// Who may take the last frames.
public enum AllocationPriority: Sendable {
  /// Work that can be refused or wait.
  case normal
  /// Work that releases memory.
  case reserve
}

/// All memory state of a kernel.
public final class MemorySystem: Nameable {
  /// Physical memory.
  public let physical: PhysicalMemory
  /// The processor, the heap, fail points: what is not memory. (The heap needs this instance for its frames, and comes later.)
  public let services: KernelServices

  /// Pages at the low end of a new stack that stay a guard: `security.bsd.stack_guard_page`.
  public var stackGuardPageCount: UInt64 = 1

  /// The records of all frames.
  let frames: FrameTable
  /// The records of all blocks of 512 frames (FrameBlock.swift).
  let blocks: FrameTable
  var buddy: BuddyAllocator
  let indexNodes: Pool<IndexNode>
  let mappingNodes: Pool<MappingNode>
  let entries: Pool<MapEntry>
  /// The block that a page was taken from last, if it is reserved.
  var lastReservation = FrameNumber.none
  /// Reserved blocks that are not full, in the order of their last use.
  var partialReservations = FrameList()
  var queues = PagingQueues()
  /// The swap devices, if there are any.
  var swap: SwapSpace?
  /// The swap device that keeps pages compressed, if there is one.
  public internal(set) var compressedStore: CompressedStore?
  /// See `takeLongWork`.
  public internal(set) var hasWorkedLong = false
  var teardown = TeardownList()
  var spareTables = SpareTables()
  /// Counts what can make a page reclaimable: frames and swap blocks given back, transfers and waits that ended.
  var releaseCount: UInt64 = 0
  /// The last futile look at every page, if nothing was found since.
  var futility: Futility?
  /// The look at every page that is under way, if there is one.
  var search: ReclaimSearch?
  /// What is counted per user.
  public let accounts = UserAccounts()
  /// Reserved swap (spec shm.md 2.6).
  public internal(set) var accounting = SwapAccounting()
  /// The address space whose translations the processor uses; none: only the kernel's.
  var loadedSpace = BackReference<AddressSpace>()
  /// The page-table root that maps the kernel only.
  public let kernelRoot: FrameNumber
  /// Frames that the boot memory map made available, the frame table's own excluded.
  public private(set) var managedFrameCount = 0
  /// Frames kept for priority `.reserve`.
  public let reserveFrameCount: Int
  /// Frames kept for the superuser besides.
  public let privilegedFrameCount: Int
  /// Frames that the current caller leaves free.
  private(set) var allocationFloor: Int
  /// What is kept for others than the current caller: reclaim begins and ends by so much earlier.
  private(set) var keptFrameCount = 0
  /// Below this many free frames, reclaim starts for the current caller.
  private(set) var lowWater: Int
  /// The real user of the current caller, and whether it is the superuser.
  private var callingUser: UInt32 = 0
  private var isCallerPrivileged = true
  /// The user whose programs have met a limit of kernel memory where nothing can be refused, since that was last asked for
  /// (`takeUserOverLimit`).
  private var userOverLimit: UInt32?
  /// Numbers the processes that are being measured (ProcessSize.swift).
  var sizeNumber: UInt32 = 0
  /// Counts that only grow, and live instances.
  public internal(set) var counters = MemoryCounters()
  var inspections: UInt32 = 0
  /// Pages of mappings that programs keep in memory (mlock(2)): `vm.stats.vm.v_user_wire_count`.
  public internal(set) var wiredPageCount: UInt64 = 0
  /// The most of them that there may be: `vm.max_user_wired`.
  public var mostWiredPageCount: UInt64 = 0
  /// Objects of 2 MiB pages.
  public internal(set) var largeObjectCount = 0
  /// Counts the looks at pages with many mappings, of which each sees a part.
  var mappingTurn: UInt64 = 0
  /// Counts the shrinkings of objects, to number them.
  var shrinkCount: UInt32 = 0
  /// Counts the objects that were named to sleepers, to number them (`VMObject.placeNumber`).
  var lastPlaceNumber: UInt64 = 0
  /// Who wants to know when an object goes that was named to somebody.
  public var placeWatcher = BackReference<PlaceWatcher>()

  /// Takes over the machine's memory.
  ///
  /// - Parameters:
  ///   - frameTable: where the frame records go; outside `available`, `FrameTable.byteCount(frameCount:)` bytes.
  ///   - frameCount: frames from physical address 0 to the end of memory.
  ///   - available: what the allocator may hand out, ascending and without overlap.
  ///   - holes: where there is no memory, and never will be: what the table has for it is handed out too.
  ///   - kernelRoot: a page-table root whose upper half (entries 128 to 511) every address space shares.
  public init(
    _ physical: PhysicalMemory, _ services: KernelServices, frameTable: PhysicalAddress, frameCount: UInt32,
    available: Span<FrameRange>, holes: Span<FrameRange>, kernelRoot: FrameNumber
  ) {
    self.physical = physical
    self.services = services
    self.kernelRoot = kernelRoot
    frames = FrameTable(physical: physical, at: frameTable, frameCount: frameCount)
    blocks = frames.blocks
    buddy = BuddyAllocator(frameCount: frameCount)
    indexNodes = Pool(physical, .indexNode)
    mappingNodes = Pool(physical, .mappingRecord)
    entries = Pool(physical, .mapEntry)
    for index in available.indices { buddy.add(available[index].start, available[index].end, frames) }
    for index in holes.indices {
      let unused = frames.frames(recording: holes[index], of: frameTable)
      buddy.add(unused.start, unused.end, frames)
    }
    let total = buddy.freeCount
    managedFrameCount = total
    // FreeBSD: four fifths.
    mostWiredPageCount = UInt64(total) * 4 / 5
    reserveFrameCount = min(64, max(8, total / 256))
    privilegedFrameCount = min(1024, max(8, total / 32))
    allocationFloor = reserveFrameCount
    lowWater = 0
    accounts.kernelPageLimit = max(64, total / 4)
    queues.setTargets(managed: total, reserve: reserveFrameCount)
    lowWater = queues.lowWater
  }

  /// Frames nobody uses.
  @inline(__always)
  public var freeFrameCount: Int { buddy.freeCount }

  /// Takes one frame for the machine or the heap; its content is arbitrary.
  public func allocateKernelFrame(_ priority: AllocationPriority = .normal) -> FrameNumber? {
    allocateFrame(.kernel, priority)
  }

  /// Takes 2^order contiguous frames for the machine; their content is arbitrary.
  public func allocateKernelBlock(order: Int) -> FrameNumber? {
    guard let block = takeBlock(order: order) else { return nil }
    for offset in 0..<UInt32(1 << order) { frames[FrameNumber(block.raw + offset)].state = .kernel }
    return block
  }

  /// Gives back a frame taken with `allocateKernelFrame`.
  public func freeKernelFrame(_ frame: FrameNumber) {
    precondition(frames[frame].state == .kernel)
    free(frame)
  }

  /// Takes one frame; its content is arbitrary.
  @inline(__always)
  func allocateFrame(_ state: FrameState, _ priority: AllocationPriority = .normal) -> FrameNumber? {
    if priority == .normal && buddy.freeCount <= allocationFloor { return nil }
    if services.failures.isArmed && frameIsToFail(state) { return nil }
    guard let frame = takeBlock(order: 0) else { return nil }
    frames[frame].state = state
    return frame
  }

  /// Whether a frame for this use is to fail.
  @inline(never)
  private func frameIsToFail(_ state: FrameState) -> Bool {
    if services.isToFail(.frame) { return true }
    switch state {
    case .object: return services.isToFail(.pageFrame)
    case .pageTable: return services.isToFail(.pageTable)
    case .kernel: return services.isToFail(.kernelFrame)
    default: return false
    }
  }

  /// Takes one frame filled with zeros.
  @inline(__always)
  func allocateZeroedFrame(_ state: FrameState, _ priority: AllocationPriority = .normal) -> FrameNumber? {
    guard let frame = allocateFrame(state, priority) else { return nil }
    physical.zero(frame)
    return frame
  }

  /// Gives a frame back. It must be in use by its caller, unmapped and in no queue.
  @inline(__always)
  func free(_ frame: FrameNumber) {
    precondition(frames[frame].state.rawValue > FrameState.freeTail.rawValue, "frame freed twice")
    releaseCount &+= 1
    counters.framesFreed &+= 1
    buddy.free(frame, order: 0, frames)
  }

  /// Whether a few small objects can be made; fills the heap's reserve if need be.
  @inline(__always)
  var hasHeapReserve: Bool { services.hasHeapReserve }

  /// Makes the processor forget the translation of one page of the current address space.
  @inline(__always)
  func invalidate(page: VirtualAddress) { services.invalidate(page: page) }

  /// Makes the processor forget every translation that is not global.
  @inline(__always)
  func invalidateAll() { services.invalidateAll() }

  /// Wakes every thread parked on `channel`.
  func wake(_ channel: WaitChannel) { services.wake(channel) }

  /// Keeps a frame from being reclaimed while a parked thread waits for its turn with it.
  public func beginWait(_ frame: FrameNumber) {
    frames[frame].waiterCount += 1
  }

  /// Ends what `beginWait` began.
  public func endWait(_ frame: FrameNumber) {
    precondition(frames[frame].waiterCount > 0)
    frames[frame].waiterCount -= 1
    releaseCount &+= 1
  }

  /// Does at most `budget` units of the work that releases left behind. Returns whether none is left.
  public func drainTeardown(budget: Int) -> Bool {
    var left = budget
    drainTeardown(&left)
    return teardown.isEmpty
  }

  private func drainTeardown(_ budget: inout Int) {
    while budget > 0, let owner = teardown.removeFirst() {
      budget -= 1
      // One that owns what has an owner may have got more meanwhile.
      if !owner.tearDown(&budget, self) && !owner.isQueued { teardown.putBack(owner) }
    }
  }

  /// Puts an owner that got so many units of work on the list of what is to be torn down.
  public func tearDown(_ owner: AnyOwner, unitCount: Int) { teardown.append(owner, unitCount: unitCount) }

  /// Units of work that releases left behind since this was asked last.
  @inline(__always)
  public func takeNewTeardown() -> Int { teardown.takeNewUnits() }

  /// Does at most `budget` units of work for somebody who owes `debt` of them. Returns what is still owed: nothing when no
  /// work is left.
  public func payTeardown(_ debt: Int, budget: Int) -> Int {
    let wanted = min(debt, budget)
    var left = wanted
    drainTeardown(&left)
    let more = teardown.takeNewUnits()
    return teardown.isEmpty ? 0 : max(0, debt - (wanted - left) + more)
  }

  /// Enters an owner of another module in the list of what is torn down, unless it is there.
  public func tearDownLater(_ owner: AnyOwner) { teardown.append(owner) }

  /// Whether releases left work behind.
  @inline(__always)
  public var hasTeardown: Bool { !teardown.isEmpty }

  /// Says for whom frames are taken from now on, and kernel memory is made.
  @inline(__always)
  public func setCaller(isPrivileged: Bool, user: UInt32) {
    keptFrameCount = isPrivileged ? 0 : privilegedFrameCount
    allocationFloor = reserveFrameCount &+ keptFrameCount
    lowWater = queues.lowWater &+ keptFrameCount
    isCallerPrivileged = isPrivileged
    callingUser = user
  }

  /// Frames that somebody has to leave free.
  @inline(__always)
  public func frameFloor(isPrivileged: Bool) -> Int {
    isPrivileged ? reserveFrameCount : reserveFrameCount &+ privilegedFrameCount
  }

  /// Whether the superuser had to begin with what is kept for it: a quarter of it is gone.
  @inline(__always)
  public var isPrivilegedReserveTouched: Bool {
    buddy.freeCount < reserveFrameCount &+ privilegedFrameCount &- privilegedFrameCount / 4
  }

  /// Whether the current caller may make more kernel memory that an account pays for. If not, the caller's user is noted: it is
  /// the caller that cannot go on, and who pays may have no processes.
  func admitsKernelMemory(for account: UserAccount) -> Bool {
    if account.mayMakeKernelMemory || isCallerPrivileged { return true }
    userOverLimit = callingUser
    return false
  }

  /// Whether a user's programs have met a limit of kernel memory where nothing can be refused.
  @inline(__always)
  public var hasUserOverLimit: Bool { userOverLimit != nil }

  /// That user; asked once.
  public func takeUserOverLimit() -> UInt32? { userOverLimit.take() }

  /// Gives back every frame that is only kept for speed, so that frames can be counted exactly.
  public func trim() {
    freeSpareTables()
    indexNodes.trim(self)
    mappingNodes.trim(self)
    entries.trim(self)
    services.heap?.trim()
  }
}

/// Counts that tests and `sysctl` read.
public struct MemoryCounters: BitwiseCopyable, Sendable {
  /// Pages read from swap since start.
  public internal(set) var swapPagesIn = 0
  /// Pages written to swap since start.
  public internal(set) var swapPagesOut = 0
  /// Transfers from swap that were started.
  public internal(set) var swapReads = 0
  /// Transfers to swap that were started.
  public internal(set) var swapWrites = 0
  /// VM objects alive.
  public internal(set) var liveObjects = 0
  /// Address spaces alive.
  public internal(set) var liveSpaces = 0
  /// Pages that were looked at to see whether they can be reclaimed.
  public internal(set) var pagesExamined = 0
  /// Page faults resolved.
  public internal(set) var faults = 0
  /// Faults that found a page on its way.
  public internal(set) var transitFaults = 0
  /// Pages that were copied because somebody stored to them.
  public internal(set) var pagesCopied = 0
  /// Pages of zeros that were made because somebody reached for them.
  public internal(set) var pagesZeroed = 0
  /// Pages that were looked at to be reclaimed and found in use.
  public internal(set) var pagesReactivated = 0
  /// Pages that were reclaimed.
  public internal(set) var pagesReclaimed = 0
  /// How often reclaim began to look for some.
  public internal(set) var reclaimRuns = 0
  /// Frames that were given back.
  public internal(set) var framesFreed = 0
  /// Pages that went with their objects.
  public internal(set) var pagesEnded = 0
  /// VM objects that were made in resolving faults.
  public internal(set) var objectsMadeByFaults = 0
  /// Reserved blocks that were given back because nothing in them was in use: `vm.reserv.freed`.
  public internal(set) var reservationsFreed = 0
  /// Reserved blocks that became ordinary ones before they were full: `vm.reserv.broken`.
  public internal(set) var reservationsBroken = 0
  /// Tables that became one leaf: `vm.pmap.pde.promotions`.
  public internal(set) var promotions = 0
  /// Tables that could have, if all in them had been alike: `vm.pmap.pde.p_failures`.
  public internal(set) var promotionFailures = 0
  /// Leaves that were split: `vm.pmap.pde.demotions`.
  public internal(set) var demotions = 0
  /// Large leaves that a fault entered: `vm.pmap.pde.mappings`.
  public internal(set) var largeMappings = 0
}
