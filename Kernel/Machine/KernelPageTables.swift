// The final page tables: the kernel's half of every address space. Intel SDM volume 3, section 4.5.
//
// Invariants
// - The image's text is executable and not writable, its constants neither, its data and stacks writable and not executable;
//   the pages round the stacks are absent. No frame of the image is in the direct map, so there is no second, writable way
//   to it.
// - The direct map holds memory only, never executable; large pages where 2 MiB lie wholly in memory, 4 KiB at the edges.
// - Device memory is uncached and never executable; its tables are made here so that mapping a device later takes no frame.
// - Nothing is mapped for ring 3 but one page that it can execute and not write (`mapTrampoline`), and nothing in the lower half: the identity map ends when `load()` returns.

internal import Handover
internal import MachineSupport
internal import Memory
internal import Primitives

/// Builds and loads the kernel's page tables.
struct KernelPageTables {
  /// The root, whose upper half every address space shares.
  let root: FrameNumber
  private let deviceDirectories: UInt64
  private let protections: Protections

  private struct Protections {
    let noExecute: UInt64
    let global: UInt64
  }

  /// What every entry has: nobody looks at marks here, so the processor need not set them.
  private static var always: UInt64 { PageTableEntry.present | PageTableEntry.accessed | PageTableEntry.dirty }
  private static var writable: UInt64 { always | PageTableEntry.writable }
  private static let deviceByteCount: UInt64 = 1 << 32

  /// Builds the tables in frames taken from `map`, through the boot stub's identity map.
  init(_ map: inout MemoryMap, _ features: ProcessorFeatures) {
    protections = Protections(
      noExecute: features.hasNoExecute ? PageTableEntry.noExecute : 0,
      global: features.hasGlobalPages ? PageTableEntry.global : 0)
    root = KernelPageTables.takeTable(&map)
    let directories = KernelPageTables.takeTables(&map, count: 5)
    deviceDirectories = directories + Page.byteCount
    memory_write64(root.address.raw + AddressLayout.deviceSlot * 8, directories | KernelPageTables.writable)
    for index in 0..<UInt64(4) {
      memory_write64(directories + index * 8, (deviceDirectories + index * Page.byteCount) | KernelPageTables.writable)
    }
    mapImage(&map)
    mapMemory(&map)
    mapTrampoline(&map)
  }

  private static func takeTable(_ map: inout MemoryMap) -> FrameNumber {
    FrameNumber(UInt32(truncatingIfNeeded: takeTables(&map, count: 1) >> Page.shift))
  }

  /// Zeroed, contiguous tables; their physical address.
  private static func takeTables(_ map: inout MemoryMap, count: UInt64) -> UInt64 {
    guard let first = map.take(frameCount: count, .low) else {
      HostReport.refuseStart("too little memory below 4 GiB for the kernel's page tables")
    }
    zeroMemory(first.address.raw, byteCount: count * Page.byteCount)
    return first.address.raw
  }

  /// The table below `entry`, made if it is absent.
  private func table(at entry: UInt64, _ map: inout MemoryMap) -> UInt64 {
    let value = memory_read64(entry)
    if value & PageTableEntry.present != 0 { return value & PageTableEntry.addressMask }
    let made = KernelPageTables.takeTables(&map, count: 1)
    memory_write64(entry, made | KernelPageTables.writable)
    return made
  }

  /// The directory entry of a virtual address.
  private func directoryEntry(_ virtual: UInt64, _ map: inout MemoryMap) -> UInt64 {
    let pointers = table(at: root.address.raw + PageTableEntry.index(virtual, level: 3) * 8, &map)
    let directory = table(at: pointers + PageTableEntry.index(virtual, level: 2) * 8, &map)
    return directory + PageTableEntry.index(virtual, level: 1) * 8
  }

  private func mapPage(_ virtual: UInt64, _ physical: UInt64, _ flags: UInt64, _ map: inout MemoryMap) {
    let pages = table(at: directoryEntry(virtual, &map), &map)
    memory_write64(pages + PageTableEntry.index(virtual, level: 0) * 8, physical | flags)
  }

  private func mapImage(_ map: inout MemoryMap) {
    let always = KernelPageTables.always | protections.global
    let data = KernelPageTables.writable | protections.global | protections.noExecute
    mapImage(image_text_start_address(), image_constants_start_address(), always, &map)
    mapImage(image_constants_start_address(), image_data_start_address(), always | protections.noExecute, &map)
    mapImage(image_data_start_address(), image_stacks_start_address(), data, &map)
    let stacks = KernelStack.all
    for index in stacks.indices { mapImage(stacks[index].bottom, stacks[index].top, data, &map) }
  }

  private func mapImage(_ start: UInt64, _ end: UInt64, _ flags: UInt64, _ map: inout MemoryMap) {
    var page = start
    while page < end {
      mapPage(page, page - AddressLayout.imageBase, flags, &map)
      page += Page.byteCount
    }
  }

  /// The direct map: all memory but the image, whose first frame starts and whose last ends a stretch of small pages.
  private func mapMemory(_ map: inout MemoryMap) {
    let image = AddressLayout.image
    let hole = FrameRange(start: UInt32(image.start >> Page.shift), end: UInt32(image.end >> Page.shift))
    for range in map.memory {
      mapMemory(range.start, min(range.end, hole.start), &map)
      mapMemory(max(range.start, hole.end), range.end, &map)
    }
  }

  private func mapMemory(_ start: UInt32, _ end: UInt32, _ map: inout MemoryMap) {
    let flags = KernelPageTables.writable | protections.global | protections.noExecute
    let large = PageSize.large.frameCount
    var frame = start
    while frame < end {
      let physical = UInt64(frame) << Page.shift
      let virtual = AddressLayout.directMapBase + physical
      if frame & (large - 1) == 0, end - frame >= large {
        memory_write64(directoryEntry(virtual, &map), physical | flags | PageTableEntry.large)
        frame += large
      } else {
        mapPage(virtual, physical, flags, &map)
        frame += 1
      }
    }
  }

  /// What handlers of signals begin and end with (spec signals.md section 1.14): call the handler, whose address is where %rsp
  /// points; sigreturn(2) with the context 16 bytes above; should that return, hlt for ever.
  private static let trampoline: [3 of UInt64] = [
    0x1024_7c8d_4824_14ff,  // call *(%rsp); lea 16(%rsp), %rdi
    0x0001_a1c0_c748_006a,  // push $0; mov $417, %rax (its last byte follows)
    0x0000_fdeb_f405_0f00,  // syscall; 1: hlt; jmp 1b
  ]

  /// The page with that code, in tables of its own, for every address space.
  private func mapTrampoline(_ map: inout MemoryMap) {
    let frames = KernelPageTables.takeTables(&map, count: 4)
    let page = frames + 3 * Page.byteCount
    let link = KernelPageTables.writable | PageTableEntry.user
    memory_write64(root.address.raw + AddressLayout.trampolineSlot * 8, frames | link)
    memory_write64(frames, (frames + Page.byteCount) | link)
    memory_write64(frames + Page.byteCount, (frames + 2 * Page.byteCount) | link)
    memory_write64(
      frames + 2 * Page.byteCount, page | KernelPageTables.always | PageTableEntry.user | protections.global)
    for index in 0..<3 { memory_write64(page + UInt64(index) * 8, KernelPageTables.trampoline[index]) }
  }

  /// Makes these tables the processor's; the boot stub's are gone.
  func load() {
    write_control3(root.address.raw)
  }

  /// Maps the 2 MiB round a device register below 4 GiB and gives the register's virtual address, or nil above.
  func mapDevice(_ physical: UInt64) -> UInt64? {
    guard physical < KernelPageTables.deviceByteCount else { return nil }
    let entry = AddressLayout.directMapBase + deviceDirectories + physical / PageSize.large.byteCount * 8
    let flags =
      KernelPageTables.writable | PageTableEntry.large | PageTableEntry.uncached | PageTableEntry.writeThrough
      | protections.global | protections.noExecute
    memory_write64(entry, physical & ~(PageSize.large.byteCount - 1) | flags)
    return AddressLayout.deviceBase + physical
  }
}

/// Fills memory with zeros.
func zeroMemory(_ address: UInt64, byteCount: UInt64) {
  // SAFETY: callers name frames they have just taken from the memory map, which nothing else uses yet.
  guard let start = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)) else { return }
  _ = unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: Int(byteCount))
}
