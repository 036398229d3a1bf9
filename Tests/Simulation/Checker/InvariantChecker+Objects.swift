// Objects and frames: each page in one place, each count right, nothing alive that nothing reaches.
import Memory
import Primitives

extension InvariantChecker {
  func checkObjects() {
    for object in outsideObjects { _ = note(object) }
    for use in objects.values {
      let object = use.object
      let wanted = use.references + outsideReferences[ObjectIdentifier(object), default: 0]
      expect(
        hasTeardown || object.referenceCount == wanted,
        "object counts \(object.referenceCount) references, has \(wanted)")
      expect(
        hasTeardown || object.writableMappingByteCount == use.writableBytes,
        "object counts \(object.writableMappingByteCount) writable bytes, has \(use.writableBytes)")
      checkPages(object)
    }
  }

  private func checkPages(_ object: VMObject) {
    var resident = 0
    var swapped = 0
    var owned = 0
    var wrong: [String] = []
    var taken: [SwapBlock] = []
    object.inspectPages { index, page in
      // (That none lies beyond the end, but what was wired, the kernel's own inspection requires.)
      switch page {
      case .resident(let frame):
        resident += 1
        let record = system.inspect(frame)
        if record.state != .object || record.object !== object || record.index != index {
          wrong.append("page \(index) is in frame \(frame.raw), whose record says something else")
        }
        if record.swapBlock != .none { taken.append(record.swapBlock) }
      case .swapped(let block):
        swapped += 1
        taken.append(block)
      }
    }
    for block in taken {
      owned += 1
      if !blocks.insert(block.raw).inserted { wrong.append("swap block \(block.raw) has two owners") }
      if !system.inspectIsTaken(block) { wrong.append("swap block \(block.raw) is used but free") }
    }
    problems += wrong
    let counts = object.inspectedCounts
    expect(
      counts.resident == resident && counts.swapped == swapped && counts.blocks == owned,
      "object counts \(counts) pages, has \(resident) in memory, \(swapped) in swap, \(owned) blocks")
    if object.kind == .sharedMemory {
      expect(object.inspectedBacking == nil, "shared memory with a backing")
      expect(counts.charge == object.pageCount, "\(counts.charge) pages charged for an object of \(object.pageCount)")
    }
  }

  func checkFrames(withContents: Bool) {
    var free = 0
    var pool = 0
    var listed = 0
    var orphans: [SwapBlock] = []
    for number in 0..<system.inspectedFrameCount {
      let frame = FrameNumber(number)
      let record = system.inspect(frame)
      switch record.state {
      case .free, .freeTail: free += 1
      case .pool: pool += 1
      case .object: listed += checkPage(frame, record, withContents)
      case .orphan:
        expect(record.flags.contains(.busy), "frame \(number) left its object although nothing uses it")
        if record.swapBlock != .none { orphans.append(record.swapBlock) }
      case .spareTable: checkSpareTable(frame)
      case .pageTable, .kernel, .store, .reserved: break
      }
    }
    for block in orphans {
      expect(blocks.insert(block.raw).inserted, "swap block \(block.raw) has two owners")
    }
    expect(free == system.freeFrameCount, "\(system.freeFrameCount) frames counted as free, \(free) found")
    let pools = [system.inspectedIndexNodes, system.inspectedMappingNodes, system.inspectedMapEntries]
    let pooled = pools.reduce(0) { $0 + $1.frameCount }
    expect(pool >= pooled, "\(pooled) frames counted as records, \(pool) found")
    expect(hasTeardown || listed == mapped.count, "frames list \(listed) mappings, page tables have \(mapped.count)")
  }

  /// A spare table has no entry of its own: it is zero, or equals the kernel's in the half that all share.
  private func checkSpareTable(_ frame: FrameNumber) {
    let bytes = hardware.memory.bytes(at: frame.address.raw, byteCount: 4096)
    let kernel = hardware.memory.bytes(at: system.kernelRoot.address.raw, byteCount: 4096)
    expect(
      bytes[..<1024].allSatisfy { $0 == 0 }
        && (bytes[1024...].allSatisfy { $0 == 0 } || bytes[1024...] == kernel[1024...]),
      "frame \(frame.raw), a spare page table, is not empty")
  }

  /// Checks a page of an object and returns how many mappings its record lists.
  private func checkPage(_ frame: FrameNumber, _ record: FrameInspection, _ withContents: Bool) -> Int {
    let name = "frame \(frame.raw)"
    guard let object = record.object else {
      problems.append("\(name) is a page of no object")
      return 0
    }
    expect(
      hasTeardown || objects[ObjectIdentifier(object)] != nil, "\(name) belongs to an object that nothing reaches")
    expect(object.inspectPage(at: record.index) == .resident(frame), "\(name) is not where its record says")
    var slots: [UInt64] = []
    system.inspectMappings(of: frame) { slots.append($0.raw) }
    var isDirty = record.flags.contains(.dirty)
    for slot in slots {
      expect(
        hasTeardown || mapped[Mapping(slot: slot, frame: frame.raw)] != nil,
        "\(name) lists a mapping that does not map it")
      isDirty = isDirty || HardwareEntry(raw: hardware.memory.word(at: slot)).isDirty
    }
    expect(Set(slots).count == slots.count, "\(name) lists a mapping twice")
    let isMoving = !record.flags.isDisjoint(with: [.busy, .failed])
    expect(!isMoving || slots.isEmpty, "\(name) is mapped while it is transferred")
    expect((record.queue == .none) == (isMoving || record.wireCount > 0), "\(name) is in the wrong queue")
    if withContents && !isDirty && !isMoving { checkClean(frame, record) }
    return slots.count
  }

  /// A clean page equals its swap block, or is all zeros when it has none.
  private func checkClean(_ frame: FrameNumber, _ record: FrameInspection) {
    let bytes = hardware.memory.bytes(at: frame.address.raw, byteCount: 4096)
    if record.swapBlock == .none {
      expect(
        bytes == ModelObject.zeroPage || isPageOfModule(bytes),
        "frame \(frame.raw) is clean, has no swap block and is not zero")
    } else if let stored = hardware.content(of: record.swapBlock) {
      expect(bytes == stored, "frame \(frame.raw) is clean and differs from swap block \(record.swapBlock.raw)")
    }
  }

  /// Whether a file of /bin has such a page.
  private func isPageOfModule(_ bytes: [UInt8]) -> Bool {
    hardware.modules.contains { module in
      stride(from: 0, to: module.byteCount, by: 4096).contains { offset in
        let count = min(4096, module.byteCount - offset)
        let page = hardware.memory.bytes(at: module.start.raw + UInt64(offset), byteCount: count)
        return bytes.starts(with: page) && bytes.dropFirst(count).allSatisfy { $0 == 0 }
      }
    }
  }

  func checkTotals() {
    if let taken = system.inspectedSwapBlockCount {
      expect(
        hasTeardown || taken == blocks.count, "\(taken) swap blocks counted as taken, \(blocks.count) have an owner")
    }
    if hasTeardown { return }
    expect(
      system.counters.liveObjects == objects.count,
      "\(system.counters.liveObjects) objects are alive, \(objects.count) are reachable")
    expect(
      system.counters.liveSpaces == spaces.count,
      "\(system.counters.liveSpaces) address spaces are alive, \(spaces.count) are known")
    var charges: UInt64 = objects.values.reduce(0) { $0 + $1.object.inspectedCounts.charge }
    var accounts: [ObjectIdentifier: (account: UserAccount, pages: UInt64)] = [:]
    func charge(_ account: UserAccount?, _ pages: UInt64) {
      guard let account else { return }
      accounts[ObjectIdentifier(account), default: (account, 0)].pages += pages
    }
    for use in objects.values { charge(use.object.inspectedAccount, use.object.inspectedCounts.charge) }
    var entryCount = 0
    for space in spaces {
      entryCount += space.entryCount
      space.inspectEntries {
        charges += $0.charge
        charge($0.account, $0.charge)
      }
    }
    entryCount += pendingEntries.count
    for entry in pendingEntries {
      charges += entry.charge
      charge(entry.account, entry.charge)
    }
    for (account, pages) in accounts.values {
      expect(
        account.reservedPageCount == pages,
        "\(account.reservedPageCount) pages reserved by user \(account.user), charges sum to \(pages)")
    }
    expect(
      charges == system.accounting.reserved, "\(system.accounting.reserved) pages reserved, charges sum to \(charges)")
    expect(entryCount == system.inspectedMapEntries.recordCount, "a map entry that no space holds")
    let extra = [frameLeaves, blockLeaves].reduce(0) { $0 + $1.values.reduce(0) { $0 + $1 - 1 } }
    expect(
      extra == system.inspectedMappingNodes.recordCount,
      "mapping records: \(system.inspectedMappingNodes.recordCount), needed: \(extra)")
  }
}
