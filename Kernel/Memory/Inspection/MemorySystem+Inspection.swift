// Read-only views of what the memory system holds, for invariant checkers (simulated and booted). Nothing here changes
// state or allocates.
public import ABI
public import Primitives

/// What a frame's record says.
public struct FrameInspection {
  /// What the frame is used for.
  public let state: FrameState
  /// The object it is a page of (state `.object`).
  public let object: VMObject?
  /// The address space it is a table of (state `.pageTable`).
  public let space: AddressSpace?
  /// The page index in the object, or the first address that the table covers.
  public let index: UInt64
  /// Entries or slots in use (states `.pageTable` and `.pool`).
  public let count: Int
  /// The swap block that holds the same content, or `.none`.
  public let swapBlock: SwapBlock
  /// Conditions of a page.
  public let flags: FrameFlags
  /// The paging queue it stands in.
  public let queue: PageQueue
  /// Parked threads that have had no turn since.
  public let waiterCount: Int
  /// Pages wired by programs.
  public let wireCount: Int
}

extension FrameInspection {
  /// A frame that nobody has used yet.
  fileprivate init(state: FrameState) {
    self.init(
      state: state, object: nil, space: nil, index: 0, count: 0, swapBlock: .none, flags: FrameFlags(rawValue: 0),
      queue: .none,
      waiterCount: 0, wireCount: 0)
  }
}

/// What a pool holds.
public struct PoolInspection {
  /// Records in use.
  public let recordCount: Int
  /// Frames held.
  public let frameCount: Int
}

extension MemorySystem {
  /// Frames that hold this module's records.
  public var recordFrameCount: Int { indexNodes.frameCount + mappingNodes.frameCount + entries.frameCount }
  /// How many free frames reclaim aims for: with fewer, memory is short.
  public var inspectedFreeFrameGoal: Int { queues.highWater }
  /// Frames that have a record.
  public var inspectedFrameCount: UInt32 { frames.count }

  /// Calls `body` with every account.
  public func inspectAccounts(_ body: (UserAccount) -> Void) { accounts.forEach(body) }

  /// The record of a frame.
  public func inspect(_ frame: FrameNumber) -> FrameInspection {
    switch buddy.state(of: frame) {
    case .made: break
    case .untouched: return FrameInspection(state: frame.raw.trailingZeroBitCount >= 12 ? .free : .freeTail)
    case .unused: return FrameInspection(state: .reserved)
    }
    let record = frames[frame]
    return FrameInspection(
      state: record.state, object: record.state == .object ? record.owner.object : nil,
      space: record.state == .pageTable ? record.owner.space : nil, index: record.index, count: Int(record.count),
      swapBlock: record.swapBlock,
      flags: FrameFlags(
        rawValue: record.flags.rawValue | (record.state == .object ? blocks[frame.block].flags.rawValue : 0)),
      queue: record.queue, waiterCount: Int(record.waiterCount),
      wireCount: Int(record.wireCount))
  }

  /// The physical addresses of the page-table entries that the records of a page and its block list.
  public func inspectMappings(of frame: FrameNumber, _ body: (PhysicalAddress) -> Void) {
    forEachMapping(of: frame, frames) { entry in
      body(entry)
      return true
    }
    forEachMapping(of: frame.block, blocks) { entry in
      body(entry)
      return true
    }
  }

  /// Whether a page differs from its swap block, or from zeros.
  func inspectIsDirty(_ frame: FrameNumber) -> Bool {
    inspect(frame).flags.contains(.dirty) || hasMark(.dirty, frame)
  }

  /// The nodes of all page indexes.
  public var inspectedIndexNodes: PoolInspection {
    PoolInspection(recordCount: indexNodes.count, frameCount: indexNodes.frameCount)
  }

  /// The records of pages that are mapped more than once.
  public var inspectedMappingNodes: PoolInspection {
    PoolInspection(recordCount: mappingNodes.count, frameCount: mappingNodes.frameCount)
  }

  /// The map entries of all address spaces.
  public var inspectedMapEntries: PoolInspection {
    PoolInspection(recordCount: entries.count, frameCount: entries.frameCount)
  }

  /// Swap blocks that are taken, or nil without swap.
  public var inspectedSwapBlockCount: Int? {
    swap.map { $0.takenCount }
  }

  /// Swap blocks that are free on devices in use.
  public var inspectedFreeSwapBlockCount: Int { swap?.freeCount ?? 0 }

  /// Whether a swap block is taken.
  public func inspectIsTaken(_ block: SwapBlock) -> Bool { swap?.has(block) ?? false }
}

/// A page of an object.
public enum PageInspection: Equatable {
  /// In memory.
  case resident(FrameNumber)
  /// In swap only.
  case swapped(SwapBlock)
}

extension VMObject {
  /// Every page that is in memory or in swap, by ascending index.
  public func inspectPages(_ body: (_ index: UInt64, _ page: PageInspection) -> Void) {
    let system = system
    var position: UInt64 = 0
    while let (index, entry) = pages.next(from: position, system.indexNodes) {
      switch entry {
      case .resident(let frame): body(index, .resident(frame))
      case .swapped(let block): body(index, .swapped(block))
      case .empty: break
      }
      position = index + 1
    }
  }

  /// The page at an index.
  public func inspectPage(at index: UInt64) -> PageInspection? {
    switch pages.lookup(index, system.indexNodes) {
    case .resident(let frame): .resident(frame)
    case .swapped(let block): .swapped(block)
    case .empty: nil
    }
  }

  /// The object behind this one and the page of it that page 0 looks through to.
  public var inspectedBacking: (object: VMObject, offset: UInt64)? {
    backingObject.map { ($0, backingOffset) }
  }

  /// The counts that the object keeps of its own pages and dependants.
  public var inspectedCounts: (resident: Int, swapped: Int, blocks: Int, shadows: Int, charge: UInt64) {
    (residentCount, swappedCount, blockCount, Int(shadowCount), charge)
  }
}

extension VMObject {
  /// Whose reservation the object's charge is.
  public var inspectedAccount: UserAccount? { account }
}

/// A mapping.
public struct MapEntryInspection {
  /// The first address.
  public let start: UInt64
  /// The first address behind.
  public let end: UInt64
  /// What is mapped; nil while nothing was touched.
  public let object: VMObject?
  /// The page of the object at `start`.
  public let offset: UInt64
  /// What may be done.
  public let protection: Protection
  /// What may ever be allowed.
  public let maximum: Protection
  /// Whether it is a guard.
  public let isGuard: Bool
  /// Whether stores reach the object.
  public let isShared: Bool
  /// Whether the object is shadowed before the first store.
  public let needsCopy: Bool
  /// Whether it blocks `F_SEAL_WRITE`.
  public let countsAsWritable: Bool
  /// Pages of swap reserved.
  public let charge: UInt64
  /// Whose reservation that is.
  public let account: UserAccount?
}

extension AddressSpace {
  /// The frame of the top-level table.
  public var inspectedRoot: FrameNumber { tables.root }

  /// Every mapping, by ascending address.
  public func inspectEntries(_ body: (MapEntryInspection) -> Void) {
    var handle = first
    while !handle.isNone {
      body(inspect(handle))
      handle = system.entries[handle].next
    }
  }

  func inspect(_ handle: Handle<MapEntry>) -> MapEntryInspection {
    MapEntryInspection(
      start: system.entries[handle].start, end: system.entries[handle].end,
      object: system.entries[handle].objectOrNil, offset: system.entries[handle].offset,
      protection: system.entries[handle].protection, maximum: system.entries[handle].maximum,
      isGuard: system.entries[handle].isGuard, isShared: system.entries[handle].sharing == .shared,
      needsCopy: system.entries[handle].needsCopy,
      countsAsWritable: system.entries[handle].countsAsWritable, charge: system.entries[handle].charge,
      account: system.entries[handle].account)
  }

  /// Every page-table entry in use of the user half: its physical address, the first address that it covers, its level
  /// (0 is the lowest) and its value.
  public func inspectTables(
    _ body: (_ slot: PhysicalAddress, _ address: UInt64, _ level: Int, _ entry: UInt64) -> Void
  ) {
    inspectTable(tables.root, 0, level: PageTableEntry.rootLevel, body)
  }

  private func inspectTable(
    _ table: FrameNumber, _ base: UInt64, level: Int,
    _ body: (_ slot: PhysicalAddress, _ address: UInt64, _ level: Int, _ entry: UInt64) -> Void
  ) {
    for index in 0..<UInt64(table == tables.root ? 128 : 512) {
      let slot = table.address + index * 8
      let entry = system.physical.load(slot)
      if entry & PageTableEntry.present == 0 { continue }
      let address = base + index * PageTableEntry.coverage(level: level)
      body(slot, address, level, entry)
      if !PageTableEntry.isLeaf(entry, level: level) {
        inspectTable(PageTableEntry.frame(entry), address, level: level - 1, body)
      }
    }
  }
}
