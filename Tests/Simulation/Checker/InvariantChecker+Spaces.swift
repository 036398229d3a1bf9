// Maps and page tables of every address space.
import ABI
import Memory
import Primitives

extension InvariantChecker {
  func checkSpaces() {
    for space in spaces {
      let entries = checkEntries(space)
      checkTables(space, entries)
    }
    for entry in pendingEntries {
      if let object = entry.object {
        let identifier = note(object)
        objects[identifier]?.references += 1
        if entry.countsAsWritable { objects[identifier]?.writableBytes += entry.end - entry.start }
      }
    }
  }

  private func checkEntries(_ space: AddressSpace) -> [MapEntryInspection] {
    var entries: [MapEntryInspection] = []
    space.inspectEntries { entries.append($0) }
    var last: UInt64 = 0x1000
    var bytes: UInt64 = 0
    for entry in entries {
      expect(
        entry.start >= last && entry.end > entry.start && entry.end <= 1 << 46 && (entry.start | entry.end) & 4095 == 0,
        "map entry \(hexadecimal(entry.start)) out of order")
      last = entry.end
      if !entry.isGuard { bytes += entry.end - entry.start }
      expect(
        !entry.isGuard || entry.object == nil && entry.charge == 0 && entry.protection.isEmpty,
        "guard \(hexadecimal(entry.start)) is more than a guard")
      expect(entry.maximum.isSuperset(of: entry.protection), "map entry \(hexadecimal(entry.start)) beyond its maximum")
      if let object = entry.object {
        let identifier = note(object)
        objects[identifier]?.references += 1
        if entry.countsAsWritable { objects[identifier]?.writableBytes += entry.end - entry.start }
      }
      expect(!entry.needsCopy || entry.object != nil, "map entry \(hexadecimal(entry.start)) wants to copy nothing")
      checkCharge(entry)
    }
    expect(entries.count == space.entryCount, "\(space.entryCount) map entries counted, \(entries.count) found")
    expect(bytes == space.virtualByteCount, "\(space.virtualByteCount) bytes counted as mapped, \(bytes) found")
    return entries
  }

  /// What a program may store to in private has its pages reserved (spec shm.md 2.6); what it shares, the object has.
  private func checkCharge(_ entry: MapEntryInspection) {
    let pages = (entry.end - entry.start) / 4096
    let isCharged = entry.charge == pages
    let mustBeCharged = !entry.isShared && entry.protection.contains(.write)
    expect(
      isCharged || entry.charge == 0 && !mustBeCharged,
      "map entry \(hexadecimal(entry.start)) has \(entry.charge) of \(pages) pages reserved")
    expect(!entry.isShared || entry.charge == 0, "shared map entry \(hexadecimal(entry.start)) with a reservation")
  }

  private func checkTables(_ space: AddressSpace, _ entries: [MapEntryInspection]) {
    var present = 0
    var used: [UInt32: Int] = [:]
    var leaves: [(slot: UInt64, address: UInt64, pages: UInt64, entry: UInt64)] = []
    var tables: [(frame: UInt32, address: UInt64)] = [(space.inspectedRoot.raw, 0)]
    space.inspectTables { slot, address, level, entry in
      used[slot.frame.raw, default: 0] += 1
      if level == 0 || HardwareEntry(raw: entry).isLarge {
        let pages = UInt64(1) << (9 * UInt64(level))
        leaves.append((slot.raw, address, pages, entry))
        present += Int(pages)
      } else {
        tables.append((UInt32(entry >> 12 & 0xFF_FFFF_FFFF), address))
      }
    }
    expect(present == space.residentPageCount, "\(space.residentPageCount) pages counted as mapped, \(present) found")
    for (frame, address) in tables {
      let record = system.inspect(FrameNumber(frame))
      expect(record.state == .pageTable && record.space === space, "table in frame \(frame) is not the space's own")
      expect(record.index == address, "table in frame \(frame) covers another range than its record says")
      expect(record.count == used[frame, default: 0], "table in frame \(frame) has another count than its record says")
    }
    var next = 0
    for leaf in leaves {
      let first = UInt32(leaf.entry >> 12 & 0xFF_FFFF_FFFF)
      let mask = UInt32(leaf.pages - 1)
      expect(first & mask == 0, "\(hexadecimal(leaf.address)) maps a run of frames that is not aligned")
      if leaf.pages == 1 { frameLeaves[first, default: 0] += 1 }
      for block in 0..<UInt32(leaf.pages >> 9) { blockLeaves[first >> 9 + block, default: 0] += 1 }
      for page in 0..<leaf.pages {
        let address = leaf.address + page << 12
        while next < entries.count && entries[next].end <= address { next += 1 }
        guard next < entries.count, entries[next].start <= address else {
          problems.append("\(hexadecimal(address)) is in the page table but not mapped")
          continue
        }
        let frame = first + UInt32(page)
        let mapping = Mapping(slot: leaf.slot, frame: frame)
        expect(mapped.updateValue(space, forKey: mapping) == nil, "one page-table entry seen twice")
        checkLeaf(address, HardwareEntry(raw: leaf.entry), frame, entries[next])
      }
    }
  }

  private func checkLeaf(
    _ address: UInt64, _ leaf: HardwareEntry, _ frame: UInt32, _ entry: MapEntryInspection
  ) {
    let place = hexadecimal(address)
    expect(leaf.isUser && !leaf.isGlobal, "\(place) has an entry of another kind")
    expect(!entry.protection.isEmpty, "\(place) is reachable without any right")
    expect(!leaf.isWritable || entry.protection.contains(.write), "\(place) is writable against its map entry")
    expect(leaf.isNoExecute || entry.protection.contains(.execute), "\(place) is executable against its map entry")
    expect(!leaf.isWritable || !entry.needsCopy, "\(place) is writable before it was copied")
    let record = system.inspect(FrameNumber(frame))
    guard record.state == .object, let owner = record.object else {
      problems.append("\(place) maps frame \(frame), which is no page of an object (\(record.state))")
      return
    }
    expect(record.flags.isDisjoint(with: [.busy, .failed]), "\(place) maps frame \(frame), which is being transferred")
    var object = entry.object
    var index = entry.offset + (address - entry.start) / 4096
    var isTop = true
    while let current = object {
      if let page = current.inspectPage(at: index) {
        expect(
          page == .resident(FrameNumber(frame)) && owner === current, "\(place) maps another page than its object's")
        expect(isTop || !leaf.isWritable, "\(place) is writable in an object behind")
        return
      }
      isTop = false
      guard let backing = current.inspectedBacking else { break }
      index += backing.offset
      object = backing.object
    }
    problems.append("\(place) maps frame \(frame), which its objects do not hold")
  }
}
