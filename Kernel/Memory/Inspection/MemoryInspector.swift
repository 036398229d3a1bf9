// Checks every invariant of this module against the real state, as a part of the inspection of the whole kernel
// (Kernel+Inspection.swift): in the simulation after every step, booted on demand.
//
// The caller visits each live address space and each reference held outside of this module, then calls `finish`. The
// walk allocates nothing and changes nothing but marks of its own. It looks at everything, so its cost is the machine's
// size.
import ABI
public import Primitives

/// One inspection of a memory system.
public struct MemoryInspector: ~Copyable {
  let system: MemorySystem
  /// Marks what this inspection has visited.
  public let generation: UInt32
  /// What was found wrong first; nil when all is well so far.
  public private(set) var violation: String?
  /// A number that helps with `violation`: a frame, an address, an index.
  public private(set) var detail: UInt64 = 0
  var tableFrames = 0
  var objectFrames = 0
  var mappings = 0
  private var blocks = 0
  private var charges: UInt64 = 0
  private var entryCount = 0
  private var spaceCount = 0
  private var objectCount = 0
  private var countedReferences = 0
  private var foundReferences = 0
  var indexNodeCount = 0
  var mappingRecordCount = 0
  /// Reserved blocks found that are not full.
  var partialReservations = 0
  /// Bytes of the heap that objects take which were reached.
  public private(set) var heapByteCount = 0
  /// Frames handed out to the machine and the kernel; known after `finish`.
  public internal(set) var kernelFrameCount = 0
  /// Frames cut into records; known after `finish`.
  public internal(set) var poolFrameCount = 0
  /// Threads that frames are kept for; known after `finish`.
  public internal(set) var waiterCount = 0

  /// Starts an inspection.
  public init(_ system: MemorySystem) {
    self.system = system
    system.inspections &+= 1
    generation = system.inspections
    system.accounts.forEach {
      $0.inspectedPageCount = 0
      $0.inspectedKernelByteCount = 0
      $0.inspectedNameCount = 0
      $0.inspectedPipeByteCount = 0
    }
  }

  /// Counts a name of an account's object, and what it takes.
  public mutating func countName(kernelByteCount: Int, of account: UserAccount?) {
    account?.inspectedNameCount += 1
    count(kernelByteCount: kernelByteCount, of: account)
  }

  /// Counts the capacity of an account's pipe.
  public mutating func countPipe(byteCapacity: Int, of account: UserAccount?) {
    account?.inspectedPipeByteCount += byteCapacity
  }

  /// Counts kernel memory that an account pays for.
  public mutating func count(kernelByteCount: Int, of account: UserAccount?) {
    account?.inspectedKernelByteCount += kernelByteCount
  }

  /// Notes the first condition that does not hold.
  public mutating func require(_ condition: Bool, _ message: String, _ detail: UInt64) {
    if !condition && violation == nil {
      violation = message
      self.detail = detail
    }
  }

  /// Counts an object on the heap that is reached once.
  public mutating func count(_ object: AnyObject) {
    heapByteCount += system.services.heap?.byteCount(of: object) ?? 0
  }

  /// Visits what remains of a change of an address space.
  public mutating func visit(_ remainder: MemoryContinuation) {
    if case .removeSwap(let removal) = remainder { count(removal) }
    guard case .map(let pending, _) = remainder else { return }
    count(pending)
    guard let entry = pending.inspected else { return }
    entryCount += 1
    charges += entry.charge
    if pending.inspectedGap != nil { entryCount += 1 }
    if let object = entry.object { visit(object) }
  }

  /// Counts a reference that somebody outside holds.
  public mutating func visit(_ reference: borrowing VMObjectReference) {
    visit(reference.object)
  }

  /// Counts the reference that somebody outside holds to an object.
  public mutating func visitHeld(_ object: VMObject) { visit(object) }

  /// Checks an address space: its map, its tables, and that they agree.
  public mutating func visit(_ space: AddressSpace) {
    // Several processes may run in it.
    if space.inspection == generation { return }
    space.inspection = generation
    spaceCount += 1
    count(space)
    visitEntries(space)
    var resident = 0
    let tablesBefore = tableFrames
    let root = space.tables.root
    visitTable(space, root, level: PageTableEntry.rootLevel, base: 0, below: nil, &resident)
    require(space.tableCount == tableFrames - tablesBefore, "page tables of a space", UInt64(space.tableCount))
    count(kernelByteCount: space.kernelByteCount, of: space.account)
    require(resident == space.residentPageCount, "resident pages differ from present entries", UInt64(resident))
    require(space.tables.processors.isEmpty == (system.loadedRoot != root), "loaded root", UInt64(root.raw))
  }

  /// Visits what waits for teardown, then compares the sums.
  public mutating func finish() {
    var owner = system.teardown.first
    while let current = owner {
      if let space = current as? AddressSpace {
        // A retired space keeps what its steps have not reached.
        visit(space)
      } else if let object = current as? VMObject, object.inspection != generation {
        visitContent(object)
      }
      owner = current.nextOwner
    }
    require(foundReferences == countedReferences, "references that nothing holds", UInt64(countedReferences))
    require(objectCount == system.counters.liveObjects, "live objects that nothing reaches", UInt64(objectCount))
    require(spaceCount == system.counters.liveSpaces, "live address spaces that nothing reaches", UInt64(spaceCount))
    var accountBytes = 0
    system.accounts.forEach { account in
      accountBytes += system.services.heap?.byteCount(of: account) ?? 0
      require(
        account.objectPageCount == account.inspectedPageCount, "pages that a user pays for", UInt64(account.user))
      require(
        account.kernelByteCount == account.inspectedKernelByteCount, "kernel memory that a user pays for",
        UInt64(account.user))
      require(account.nameCount == account.inspectedNameCount, "names of a user", UInt64(account.user))
      require(account.pipeByteCount == account.inspectedPipeByteCount, "pipes of a user", UInt64(account.user))
    }
    heapByteCount += accountBytes
    require(charges == system.accounting.reserved, "reserved swap differs from the charges", charges)
    require(entryCount == system.entries.count, "map entries that nothing reaches", UInt64(entryCount))
    if let swap = system.swap {
      let taken = swap.takenCount
      require(taken == blocks + orphanBlocks(), "swap blocks that nothing owns", UInt64(taken))
    }
    checkFrames()
  }

  private mutating func visitEntries(_ space: AddressSpace) {
    var handle = space.first
    var previousEnd = UserSpace.start
    var count = 0
    var bytes: UInt64 = 0
    while !handle.isNone {
      let start = system.entries[handle].start
      let end = system.entries[handle].end
      require(previousEnd <= start && start < end && end <= UserSpace.end, "map entries overlap", start)
      require((start | end) & Page.offsetMask == 0, "map entry not page-aligned", start)
      let protection = system.entries[handle].protection
      require(system.entries[handle].maximum.isSuperset(of: protection), "protection beyond its maximum", start)
      charges += system.entries[handle].charge
      if let object = system.entries[handle].objectOrNil { visit(object) }
      previousEnd = end
      bytes += system.entries[handle].countedByteCount
      count += 1
      handle = system.entries[handle].next
    }
    entryCount += count
    require(space.treeIsInOrder, "the map's tree", 0)
    require(count == space.entryCount && bytes == space.virtualByteCount, "map entry counts", UInt64(count))
  }

  private mutating func visitTable(
    _ space: AddressSpace, _ table: FrameNumber, level: Int, base: UInt64, below parent: FrameNumber?,
    _ resident: inout Int
  ) {
    tableFrames += 1
    let record = system.frames[table]
    require(
      record.state == .pageTable && record.owner.space === space, "page table owned by another", UInt64(table.raw))
    require(
      record.index == base && Int(record.order) == level && (parent == nil || record.parentTable == parent),
      "page table at the wrong place", base)
    var used = 0
    let slots: UInt64 = parent == nil ? 128 : 512
    for index in 0..<slots {
      let slot = table.address + index * 8
      let entry = system.physical.load(slot)
      guard entry & PageTableEntry.present != 0 else { continue }
      used += 1
      let address = base + index * PageTableEntry.coverage(level: level)
      let frame = PageTableEntry.frame(entry)
      guard PageTableEntry.isLeaf(entry, level: level) else {
        visitTable(space, frame, level: level - 1, base: address, below: table, &resident)
        continue
      }
      let frameCount = PageSize(level: level).frameCount
      if level == 0 {
        visitMapping(slot, of: frame, system.frames, address)
      } else {
        for block in frame.block.raw..<frame.block.raw + frameCount >> 9 {
          visitMapping(slot, of: FrameNumber(block), system.blocks, address)
        }
      }
      for offset in 0..<frameCount {
        resident += 1
        visitTranslation(space, entry, FrameNumber(frame.raw + offset), address + UInt64(offset) * Page.byteCount)
      }
    }
    require(used == Int(record.count), "page table's count of entries", UInt64(table.raw))
  }

  private mutating func visitMapping(
    _ slot: PhysicalAddress, of frame: FrameNumber, _ table: FrameTable, _ address: UInt64
  ) {
    mappings += 1
    var listed = 0
    system.forEachMapping(of: frame, table) { mapping in
      if mapping == slot { listed += 1 }
      return true
    }
    require(listed == 1, "translation not in its frame's list exactly once", address)
  }

  private mutating func visitTranslation(
    _ space: AddressSpace, _ entry: UInt64, _ frame: FrameNumber, _ address: UInt64
  ) {
    let record = system.frames[frame]
    require(record.state == .object, "translation of a frame that is no page", address)
    require(record.flags.isDisjoint(with: .withoutContent), "translation of a page in transfer", address)
    guard let handle = space.findFirst(endingAfter: address), system.entries[handle].start <= address else {
      // Only a space under teardown may have translations without entries.
      require(false, "translation without a map entry", address)
      return
    }
    let isWritable = entry & PageTableEntry.writable != 0
    let protection = system.entries[handle].protection
    require(!isWritable || protection.contains(.write), "writable beyond the map entry", address)
    require(!isWritable || !system.entries[handle].needsCopy, "writable although it needs a copy", address)
    require(
      entry & PageTableEntry.noExecute != 0 || protection.contains(.execute), "executable beyond the map entry", address
    )
    var object = system.entries[handle].objectOrNil
    var index = system.entries[handle].index(of: address)
    let top = object
    while let current = object {
      if case .resident(frame) = current.pages.lookup(index, system.indexNodes) {
        require(!isWritable || current === top, "writable page of a backing object", address)
        return
      }
      require(
        current.pages.lookup(index, system.indexNodes) == .empty, "translation hidden by a nearer page", address)
      index += current.backingOffset
      object = current.backingObject
    }
    require(false, "translation of a page that the map does not show", address)
  }

  private mutating func visit(_ object: VMObject) {
    if object.inspection != generation { visitContent(object) }
    count(object)
  }

  private mutating func count(_ object: VMObject) {
    object.inspectedReferences += 1
    foundReferences += 1
    require(Int(object.inspectedReferences) <= object.referenceCount, "more references than counted", 0)
  }

  /// Checks an object at its first visit, and the ones behind it.
  private mutating func visitContent(_ first: VMObject) {
    var next: VMObject? = first
    while let object = next {
      object.inspection = generation
      object.inspectedReferences = 0
      objectCount += 1
      count(object as AnyObject)
      charges += object.charge
      countedReferences += object.referenceCount
      if object !== first { count(object) }
      checkPages(object)
      next = object.backingObject
      if let behind = next, behind.inspection == generation {
        count(behind)
        next = nil
      }
    }
  }

  private mutating func checkPages(_ object: VMObject) {
    var resident = 0
    var swapped = 0
    var owned = 0
    var position: UInt64 = 0
    while let (index, entry) = object.pages.next(from: position, system.indexNodes) {
      switch entry {
      case .resident(let frame):
        resident += 1
        objectFrames += 1
        let record = system.frames[frame]
        require(
          record.state == .object && record.owner.object === object && record.index == index,
          "page's frame belongs to another", index)
        if record.swapBlock != .none {
          owned += 1
          checkBlock(record.swapBlock, object, index)
        }
        require(!record.flags.contains(.dirty) || record.swapBlock == .none, "dirty page with a swap block", index)
      case .swapped(let block):
        swapped += 1
        owned += 1
        checkBlock(block, object, index)
      case .empty: require(false, "empty entry found", index)
      }
      let mayBeBeyond = object.kind == .anonymous || object.hasPagesBeyondEnd
      require(mayBeBeyond || index < object.pageCount, "page beyond the object's end", index)
      position = index + 1
    }
    require(
      resident == object.residentCount && swapped == object.swappedCount && owned == object.blockCount,
      "object's page counts", UInt64(resident))
    blocks += owned
    let nodes = object.pages.nodeCount(system.indexNodes)
    indexNodeCount += nodes
    object.account?.inspectedPageCount += resident + swapped
    count(
      kernelByteCount: object.kernelByteCount + nodes * MemoryLayout<IndexNode>.stride, of: object.account)
  }

  /// Checks a block that an object owns.
  private mutating func checkBlock(_ block: SwapBlock, _ object: VMObject, _ index: UInt64) {
    guard let swap = system.swap, swap.has(block) else { return require(false, "page's swap block is free", index) }
    let owner = swap.pager(of: block).owner(of: block)
    require(owner.owner == OwnerReference(object) && owner.index == index, "swap block's owner", UInt64(block.raw))
  }

  /// Whether a device is reading or writing a frame.
  public func isUnderWay(_ frame: FrameNumber) -> Bool { system.frames[frame].flags.contains(.busy) }

  private func orphanBlocks() -> Int {
    var count = 0
    for raw in 0..<system.frames.count where system.buddy.state(of: FrameNumber(raw)) == .made {
      let record = system.frames[FrameNumber(raw)]
      if record.state == .orphan && record.swapBlock != .none { count += 1 }
    }
    return count
  }
}
