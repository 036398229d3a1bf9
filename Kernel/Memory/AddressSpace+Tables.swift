// Page tables of an address space: finding, making, entering, removing, and giving tables back.
import ABI

extension AddressSpace {
  /// The lowest-level table that covers `address`, if it exists.
  @inline(__always)
  func table(covering address: UInt64) -> FrameNumber? {
    let base = address & ~(PageTableEntry.coverage(level: 1) - 1)
    if base == cachedTableBase { return cachedTable }
    let physical = system.physical
    var table = root
    var level = 3
    while level > 0 {
      let entry = physical.load(table.address + PageTableEntry.index(address, level: level) &* 8)
      if entry & PageTableEntry.present == 0 { return nil }
      table = PageTableEntry.frame(entry)
      level &-= 1
    }
    cachedTableBase = base
    cachedTable = table
    return table
  }

  /// The lowest-level table that covers `address`, made if need be; nil when memory cannot be had (tables made on the way
  /// stay, empty, until they are used or the space goes).
  func makeTable(covering address: UInt64) -> FrameNumber? {
    if let table = table(covering: address) { return table }
    let physical = system.physical
    var table = root
    var level = 3
    while level > 0 {
      let slot = table.address + PageTableEntry.index(address, level: level) &* 8
      let entry = physical.load(slot)
      if entry & PageTableEntry.present != 0 {
        table = PageTableEntry.frame(entry)
      } else {
        guard let new = system.allocateZeroedFrame(.pageTable) else { return nil }
        system.frames[new].owner = OwnerReference(self)
        system.frames[new].index = address & ~(PageTableEntry.coverage(level: level) - 1)
        system.frames[new].count = 0
        system.frames[new].order = UInt8(truncatingIfNeeded: level - 1)
        physical.store(
          new.address.raw | PageTableEntry.present | PageTableEntry.writable | PageTableEntry.user, at: slot)
        system.frames[table].count += 1
        table = new
      }
      level -= 1
    }
    return table
  }

  /// Maps `frame` at `address` with `rights`, in place of what the page table says now. Returns false, and changes
  /// nothing visible, when memory cannot be had.
  func enter(_ frame: FrameNumber, at address: UInt64, rights: UInt64) -> Bool {
    guard let table = makeTable(covering: address) else { return false }
    let physical = system.physical
    let slot = table.address + PageTableEntry.index(address, level: 0) &* 8
    let new = frame.address.raw | rights | PageTableEntry.present | PageTableEntry.user | PageTableEntry.accessed
    let old = physical.load(slot)
    if old & PageTableEntry.present == 0 {
      guard system.addMapping(slot, to: frame) else { return enterAgain(frame, at: address, rights: rights) }
      physical.store(new, at: slot)
      system.frames[table].count &+= 1
      residentPageCount &+= 1
      return true
    }
    let oldFrame = PageTableEntry.frame(old)
    if oldFrame == frame {
      let replaced = physical.exchange(new, at: slot)
      if replaced & PageTableEntry.dirty != 0 { physical.set(bits: PageTableEntry.dirty, at: slot) }
    } else {
      guard system.addMapping(slot, to: frame) else { return enterAgain(frame, at: address, rights: rights) }
      let replaced = physical.exchange(new, at: slot)
      system.removeMapping(slot, from: oldFrame)
      system.gather(replaced, oldFrame)
    }
    if isLoaded { system.invalidate(page: VirtualAddress(address)) }
    return true
  }

  /// Maps a frame that could not be mapped because it is mapped too often: its other mappings go first, and with them
  /// perhaps tables of this space, so everything is looked up again. Returns false when the reason was another.
  private func enterAgain(_ frame: FrameNumber, at address: UInt64, rights: UInt64) -> Bool {
    guard system.hasLongestList(frame) else { return false }
    system.removeAllMappings(of: frame)
    return enter(frame, at: address, rights: rights)
  }

  /// Removes the translations of a range; tables that become empty are given back after the processor forgot them.
  func removeTranslations(_ range: AddressRange) {
    var empty = FrameList()
    var removed = 0
    forEachTable(range) { table, start, end in
      var address = start
      while address < end && system.frames[table].count > 0 {
        let slot = table.address + PageTableEntry.index(address, level: 0) &* 8
        if system.physical.load(slot) & PageTableEntry.present != 0 {
          removeTranslation(slot, table)
          removed += 1
          if removed <= 32 && isLoaded { system.invalidate(page: VirtualAddress(address)) }
        }
        address &+= Page.byteCount
      }
      if system.frames[table].count == 0 { detachTables(covering: start, &empty) }
    }
    if isLoaded && removed > 32 && empty.isEmpty { system.invalidateAll() }
    free(&empty)
  }

  /// Takes rights away from the present translations of a range: `clear` bits go, `set` bits come.
  func restrictTranslations(_ range: AddressRange, clear: UInt64, set: UInt64) {
    var changed = 0
    forEachTable(range) { table, start, end in
      var address = start
      var left = Int(system.frames[table].count)
      while address < end && left > 0 {
        let slot = table.address + PageTableEntry.index(address, level: 0) &* 8
        let entry = system.physical.load(slot)
        if entry & PageTableEntry.present != 0 {
          left -= 1
          if entry & clear != 0 || entry & set != set {
            if clear != 0 { _ = system.physical.clear(bits: clear, at: slot) }
            if set != 0 { system.physical.set(bits: set, at: slot) }
            changed += 1
            if changed <= 32 && isLoaded { system.invalidate(page: VirtualAddress(address)) }
          }
        }
        address &+= Page.byteCount
      }
    }
    if changed > 32 && isLoaded { system.invalidateAll() }
  }

  /// Calls `body` with every lowest-level table in a range and the part of the range that it covers; ranges without
  /// tables are skipped in steps as large as what is missing.
  private func forEachTable(
    _ range: AddressRange, _ body: (_ table: FrameNumber, _ start: UInt64, _ end: UInt64) -> Void
  ) {
    var address = range.start
    while address < range.end {
      let (found, level) = lowestTable(address)
      let covered = PageTableEntry.coverage(level: level + 1)
      let end = min(range.end, (address & ~(covered - 1)) + covered)
      if level == 0 {
        body(found, address, end)
        address = end
      } else {
        // The entry of `found` for this address is empty: skip what it would cover.
        let skipped = PageTableEntry.coverage(level: level)
        address = (address & ~(skipped - 1)) + skipped
      }
    }
  }

  /// The table closest to the bottom on the way to `address`, and its level.
  private func lowestTable(_ address: UInt64) -> (table: FrameNumber, level: Int) {
    if let table = table(covering: address) { return (table, 0) }
    var table = root
    var level = 3
    while level > 0 {
      let entry = system.physical.load(table.address + PageTableEntry.index(address, level: level) &* 8)
      if entry & PageTableEntry.present == 0 { return (table, level) }
      table = PageTableEntry.frame(entry)
      level -= 1
    }
    return (table, 0)
  }

  @inline(__always)
  private func removeTranslation(_ slot: PhysicalAddress, _ table: FrameNumber) {
    let old = system.physical.exchange(0, at: slot)
    let frame = PageTableEntry.frame(old)
    system.removeMapping(slot, from: frame)
    system.gather(old, frame)
    system.frames[table].count &-= 1
    residentPageCount &-= 1
  }

  /// Unlinks the empty table of `level` that covers `address`, and every table above that becomes empty by it, into
  /// `list`. The caller makes the processor forget them before it frees them.
  private func detachTables(covering address: UInt64, from level: Int = 0, _ list: inout FrameList) {
    var path = [4 of FrameNumber](repeating: root)
    var current = 3
    while current > level {
      let entry = system.physical.load(path[current].address + PageTableEntry.index(address, level: current) &* 8)
      guard entry & PageTableEntry.present != 0 else { return }
      path[current - 1] = PageTableEntry.frame(entry)
      current -= 1
    }
    while current < 3 && system.frames[path[current]].count == 0 {
      if path[current] == cachedTable { forgetCachedTable() }
      list.append(path[current], system.frames)
      current += 1
      system.physical.store(0, at: path[current].address + PageTableEntry.index(address, level: current) &* 8)
      system.frames[path[current]].count -= 1
    }
  }

  /// Gives back the empty lowest table that covers `address`, and the ones above that become empty by it.
  func releaseEmptyTables(covering address: UInt64) {
    var empty = FrameList()
    detachTables(covering: address, &empty)
    free(&empty)
  }

  /// Frees tables that were detached, after the processor forgot them.
  private func free(_ tables: inout FrameList) {
    if isLoaded && !tables.isEmpty { system.invalidateAll() }
    while !tables.isEmpty {
      let table = tables.first
      tables.remove(table, system.frames)
      system.free(table)
    }
  }

  private func forgetCachedTable() {
    cachedTableBase = UInt64.max
    cachedTable = .none
  }

  /// Releases the tables of a space that the processor does not use, from `position` on, one table per unit of budget
  /// and one per present entry. Returns where to go on.
  func releaseTables(from position: UInt64, _ budget: inout Int) -> UInt64 {
    precondition(!isLoaded)
    forgetCachedTable()
    var address = position
    while budget > 0 && system.frames[root].count > 0 {
      let (table, level) = lowestTable(address)
      forgetCachedTable()
      if level > 0 && system.frames[table].count > 0 {
        // Nothing at this address, but something elsewhere in the table.
        let step = PageTableEntry.coverage(level: level)
        address = (address & ~(step - 1)) + step
        if address >= UserSpace.end { address = 0 }
        continue
      }
      var index: UInt64 = 0
      while index < 512 && system.frames[table].count > 0 && level == 0 && budget > 0 {
        let slot = table.address + index &* 8
        if system.physical.load(slot) & PageTableEntry.present != 0 {
          removeTranslation(slot, table)
          budget -= 1
        }
        index += 1
      }
      if system.frames[table].count > 0 { return address }
      var list = FrameList()
      let base = system.frames[table].index
      detachTables(covering: base, from: level, &list)
      budget -= list.count
      free(&list)
    }
    return address
  }
}

extension MemorySystem {
  /// Notes what the processor recorded in an entry that is gone.
  @inline(__always)
  func gather(_ entry: UInt64, _ frame: FrameNumber) {
    if entry & PageTableEntry.dirty != 0, !frames[frame].flags.contains(.dirty),
      let object = frames[frame].owner.object
    {
      object.markDirty(frame, self)
    }
    if entry & PageTableEntry.accessed != 0 { frames[frame].flags.insert(.referenced) }
  }

  /// Removes every translation of a frame, in whatever address spaces.
  func removeAllMappings(of frame: FrameNumber) {
    while let slot = anyMapping(of: frame) {
      let old = physical.exchange(0, at: slot)
      invalidateMapping(slot)
      removeMapping(slot, from: frame)
      gather(old, frame)
      frames[slot.frame].count &-= 1
      guard let space = frames[slot.frame].owner.space else { continue }
      space.residentPageCount &-= 1
      if frames[slot.frame].count == 0 { space.releaseEmptyTables(covering: frames[slot.frame].index) }
    }
  }

  /// Makes the processor forget the translation that an entry describes, if it can have it.
  func invalidateMapping(_ slot: PhysicalAddress) {
    guard let space = frames[slot.frame].owner.space, space.isLoaded else { return }
    invalidate(page: VirtualAddress(frames[slot.frame].index + slot.pageOffset / 8 * Page.byteCount))
  }
}
