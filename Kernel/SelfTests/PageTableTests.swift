// The kernel's own page tables, walked as the processor walks them (DESIGN, "Address space").

internal import ABI
internal import Memory
internal import Primitives

var pageTableTests: [SelfTest] {
  [
    SelfTest(name: "page tables: the lower half of the kernel's root is empty", body: lowerHalfIsEmpty),
    SelfTest(
      name: "page tables: nothing of the kernel is both writable and executable", body: nothingWritableExecutable),
    SelfTest(name: "page tables: nothing of the kernel is reachable from ring 3", body: nothingForPrograms),
    SelfTest(name: "page tables: nothing in the direct map is executable", body: directMapNotExecutable),
    SelfTest(name: "page tables: kernel pages are global", body: pagesAreGlobal),
  ]
}

private let present: UInt64 = 1
private let writable: UInt64 = 2
private let forPrograms: UInt64 = 4
private let large: UInt64 = 1 << 7
private let global: UInt64 = 1 << 8
private let noExecute: UInt64 = 1 << 63
private let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000

private func lowerHalfIsEmpty(_ memory: MemorySystem) -> UInt32? {
  for slot in UInt64(0)..<128 {
    if let line = expect(memory.physical.load(memory.kernelRoot.address + slot * 8) == 0) { return line }
  }
  return nil
}

/// Calls `body` with each leaf entry and its root slot, all upper levels' permissions applied; stops when it objects.
private func forEachLeaf(_ memory: MemorySystem, _ body: (UInt64, UInt64) -> UInt32?) -> UInt32? {
  for slot in UInt64(128)..<512 {
    let entry = memory.physical.load(memory.kernelRoot.address + slot * 8)
    if entry & present == 0 { continue }
    if let line = walk(memory, entry, level: 3, slot, body) { return line }
  }
  return nil
}

private func walk(
  _ memory: MemorySystem, _ upper: UInt64, level: Int, _ slot: UInt64, _ body: (UInt64, UInt64) -> UInt32?
) -> UInt32? {
  for index in UInt64(0)..<512 {
    var entry = memory.physical.load(PhysicalAddress(upper & addressMask) + index * 8)
    if entry & present == 0 { continue }
    entry &= upper | ~(writable | forPrograms)
    entry |= upper & noExecute
    if level == 1 || entry & large != 0 && level < 3 {
      if let line = body(entry, slot) { return line }
    } else if let line = walk(memory, entry, level: level - 1, slot, body) {
      return line
    }
  }
  return nil
}

private func nothingWritableExecutable(_ memory: MemorySystem) -> UInt32? {
  forEachLeaf(memory) { entry, _ in expect(entry & writable == 0 || entry & noExecute != 0) }
}

/// But for the one page that handlers of signals begin and end with, which holds nothing of the kernel, and cannot be written.
private func nothingForPrograms(_ memory: MemorySystem) -> UInt32? {
  var count = 0
  let line = forEachLeaf(memory) { entry, slot in
    if entry & forPrograms == 0 { return nil }
    count += 1
    return expect(slot == UserSpace.signalTrampoline >> 39 && entry & writable == 0)
  }
  return line ?? expect(count == 1)
}

private func directMapNotExecutable(_ memory: MemorySystem) -> UInt32? {
  var count = 0
  let line = forEachLeaf(memory) { entry, slot in
    if slot == 128 { count += 1 }
    return expect(slot != 128 || entry & noExecute != 0)
  }
  return line ?? expect(count > 0)
}

private func pagesAreGlobal(_ memory: MemorySystem) -> UInt32? {
  forEachLeaf(memory) { entry, _ in expect(entry & global != 0) }
}
