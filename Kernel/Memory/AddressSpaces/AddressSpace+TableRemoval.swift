// Taking translations out of the page tables of an address space, or rights from them, and giving tables back; in bounded
// steps where a range may be large.
import ABI
import Primitives

/// What becomes of tables in which nothing is left.
enum EmptyTables {
  /// They go.
  case giveBack
  /// They stay until the mapping goes.
  case keep
}

extension AddressSpace {
  /// Removes the translations of a range, about `budget` of them at most, which are taken off it; tables that become empty
  /// are given back after the processor forgot them. Returns where to go on, `range.end` when none is left.
  func removeTranslations(
    _ range: AddressRange, emptyTables: EmptyTables = .giveBack, _ budget: inout Int
  ) -> UInt64 {
    noteResidentPages()
    var empty = FrameList()
    var removed = 0
    let position = visitTranslations(range, &budget) { slot, table, address, _ in
      let cost = removeTranslation(slot, table)
      removed += 1
      if removed <= AddressSpace.singleInvalidations && isLoaded {
        system.invalidate(page: VirtualAddress(address))
      }
      return cost
    } leaving: { table, address in
      guard emptyTables == .giveBack && system.frames[table].count == 0 else { return 0 }
      detachTables(covering: address, &empty)
      return 1
    }
    if isLoaded && removed > AddressSpace.singleInvalidations && empty.isEmpty { system.invalidateAll() }
    free(&empty)
    return position
  }

  /// Takes rights away from the present translations of a range: `clear` bits go, `set` bits come. Looks at about `budget`
  /// of them at most, and returns where to go on, `range.end` when all are done.
  func restrictTranslations(_ range: AddressRange, clear: UInt64, set: UInt64, _ budget: inout Int) -> UInt64 {
    var changed = 0
    let position = visitTranslations(range, &budget) { slot, _, address, entry in
      guard entry & clear != 0 || entry & set != set else { return 0 }
      if clear != 0 { _ = system.physical.clear(bits: clear, at: slot) }
      if set != 0 { system.physical.set(bits: set, at: slot) }
      changed += 1
      if changed <= AddressSpace.singleInvalidations && isLoaded {
        system.invalidate(page: VirtualAddress(address))
      }
      return 0
    } leaving: { table, _ in
      system.frames[table].count == 0 ? 1 : 0
    }
    if changed > AddressSpace.singleInvalidations && isLoaded { system.invalidateAll() }
    return position
  }

  /// Up to so many pages are invalidated one by one; more, all at once.
  private static var singleInvalidations: Int { 32 }

  @inline(__always)
  private func removeTranslation(_ slot: PhysicalAddress, _ table: FrameNumber) -> Int {
    let old = system.physical.exchange(0, at: slot)
    let frame = PageTableEntry.frame(old)
    let cost = system.removeMapping(slot, from: frame)
    system.gather(old, frame)
    system.frames[table].count &-= 1
    residentPageCount &-= 1
    return cost
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
    if tables.isEmpty { return }
    if isLoaded { system.invalidateAll() }
    count(tables: -tables.count)
    while !tables.isEmpty {
      let table = tables.first
      tables.remove(table, system.frames)
      system.giveTable(table)
    }
  }

  /// Releases the tables of a space that the processor does not use, a unit of budget for each table and each present
  /// entry. Returns whether none is left but the root.
  func releaseTables(_ budget: inout Int) -> Bool {
    precondition(!isLoaded)
    forgetCachedTable()
    var empty = FrameList()
    while budget > 0 && system.frames[root].count > 0 {
      var address: UInt64 = 0
      guard let (table, level) = nextTable(&address, UserSpace.end) else { preconditionFailure("a table out of reach") }
      if level == 0 {
        let range = AddressRange(uncheckedStart: address, end: address &+ PageTableEntry.coverage(level: 1))
        _ = visitTranslations(range, &budget) { slot, table, _, _ in
          removeTranslation(slot, table)
        } leaving: { _, _ in
          0
        }
        if system.frames[table].count > 0 { break }
      }
      budget -= 1
      detachTables(covering: system.frames[table].index, from: level, &empty)
    }
    forgetCachedTable()
    free(&empty)
    return system.frames[root].count == 0
  }
}

extension MemorySystem {
  /// Notes what the processor recorded in an entry that is gone.
  @inline(__always)
  func gather(_ entry: UInt64, _ frame: FrameNumber) {
    if entry & PageTableEntry.dirty != 0 { markDirty(frame) }
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
      space.noteResidentPages()
      space.residentPageCount &-= 1
      if frames[slot.frame].count == 0 { space.releaseEmptyTables(covering: frames[slot.frame].index) }
    }
  }

  /// Makes the processor forget the translation that an entry describes, if it can have it.
  func invalidateMapping(_ slot: PhysicalAddress) {
    guard frames[slot.frame].owner == frames[loadedRoot].owner else { return }
    invalidate(page: VirtualAddress(frames[slot.frame].index + slot.pageOffset / 8 * Page.byteCount))
  }
}
