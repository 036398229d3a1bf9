// Page tables of an address space: finding and making them, and entering translations.
import ABI
import Primitives

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
        guard admitsKernelMemory, let new = system.takeTable() else { return nil }
        count(tables: 1)
        system.frames[new].owner = OwnerReference(self)
        system.frames[new].index = address & ~(PageTableEntry.coverage(level: level) - 1)
        system.frames[new].count = 0
        system.frames[new].usedGroups = 0
        system.frames[new].order = UInt8(truncatingIfNeeded: level - 1)
        physical.store(
          new.address.raw | PageTableEntry.present | PageTableEntry.writable | PageTableEntry.user, at: slot)
        system.frames[table].count += 1
        system.frames[table].usedGroups |= PageTableEntry.group(address, level: level)
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
      system.frames[table].usedGroups |= PageTableEntry.group(address, level: 0)
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
}
