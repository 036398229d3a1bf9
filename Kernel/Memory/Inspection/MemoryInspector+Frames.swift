// The part of an inspection that looks at every frame and every block: whose they are, and who maps them.
import ABI
import Primitives

extension MemoryInspector {
  /// Compares the states of all frames with what was reached.
  mutating func checkFrames() {
    var free = 0
    var tables = 0
    var pages = 0
    var spares = 0
    var stored = 0
    var listed = 0
    var queued = 0
    for raw in 0..<system.frames.count {
      let frame = FrameNumber(raw)
      let state = system.buddy.state(of: frame)
      if state == .untouched { free += 1 }
      guard state == .made else { continue }
      let record = system.frames[frame]
      waiterCount += Int(record.waiterCount)
      switch record.state {
      case .free: free += 1 << Int(record.order)
      case .pageTable: tables += 1
      case .spareTable: spares += 1
      case .store: stored += 1
      case .pool: poolFrameCount += 1
      case .kernel: kernelFrameCount += 1
      case .object:
        pages += 1
        if record.queue != .none { queued += 1 }
        require(record.queue != .unswappable || record.flags.contains(.refused), "unswappable page", UInt64(raw))
        listed += count(mappingsOf: frame, system.frames)
        require(
          record.queue != .unswappable || !system.isMapped(frame), "unswappable page that is mapped", UInt64(raw))
      default: break
      }
    }
    for block in 0..<system.blocks.count where system.buddy.state(of: FrameNumber(block << 9)) == .made {
      listed += count(mappingsOf: FrameNumber(block), system.blocks)
      free += checkReservation(FrameNumber(block))
    }
    require(partialReservations == system.partialReservations.count, "reserved blocks that are not full", 0)
    require(free == system.freeFrameCount, "free frames differ from the count", UInt64(free))
    require(
      spares == system.spareTables.tables.count + system.spareTables.roots.count, "spare page tables", UInt64(spares))
    require(stored == (system.compressedStore?.counts.frames ?? 0), "frames of compressed pages", UInt64(stored))
    require(system.compressedStore?.isSound() ?? true, "the store of compressed pages", 0)
    require(tables == tableFrames, "page-table frames that nothing reaches", UInt64(tables))
    require(pages == objectFrames, "page frames that nothing reaches", UInt64(pages))
    require(listed == mappings, "mappings that no page table has", UInt64(listed))
    require(indexNodeCount == system.indexNodes.count, "index nodes that no object has", UInt64(indexNodeCount))
    require(
      mappingRecordCount == system.mappingNodes.count, "mapping records that no page has", UInt64(mappingRecordCount))
    let queues = system.queues
    require(
      queued == queues.pageCount, "paging queues", UInt64(queued))
  }

  /// Counts the mappings in the set of a frame or a block.
  private mutating func count(mappingsOf frame: FrameNumber, _ table: FrameTable) -> Int {
    var own = 0
    system.forEachMapping(of: frame, table) { _ in
      own += 1
      return true
    }
    mappingRecordCount += max(0, own - 1)
    require(
      system.furtherMappingCount(of: frame, table) == max(0, own - 1), "page's count of mappings", UInt64(frame.raw))
    return own
  }

  /// Checks a block that may be reserved. Returns how many of its frames count as free for that.
  private mutating func checkReservation(_ block: FrameNumber) -> Int {
    let record = system.blocks[block]
    guard record.population > 0 else {
      require(record.owner.object == nil, "an owner of a block that is not reserved", UInt64(block.raw))
      return 0
    }
    var pages = 0
    for place in 0..<512 as Range<UInt32> {
      let frame = system.frames[FrameNumber(block.raw << 9 | place)]
      if frame.state == .freeTail { continue }
      pages += 1
      let colour = UInt64(record.owner.object?.colour ?? 0)
      require(
        frame.state == .object && frame.owner == record.owner && frame.swapBlock == .none
          && frame.flags.isDisjoint(with: .withoutContent)
          && frame.index &+ colour == record.index << 9 | UInt64(place), "frame of a reserved block", UInt64(block.raw))
      require(
        !record.isAllDirty || system.inspectIsDirty(FrameNumber(block.raw << 9 | place)),
        "a clean page of a block that is dirty", UInt64(block.raw))
    }
    require(pages == record.population, "pages of a reserved block", UInt64(block.raw))
    if pages < 512 { partialReservations += 1 }
    return 512 - pages
  }
}
