// The final page tables: the kernel's half of every address space. Intel SDM volume 3, section 4.5.
//
// Invariants
// - The image's text is executable and not writable, its constants neither, its data and stacks writable and not executable;
//   the pages round the stacks are absent. No frame of the image is in the direct map, so there is no second, writable way
//   to it.
// - The direct map holds memory only, never executable; large pages where 2 MiB lie wholly in memory, 4 KiB at the edges.
// - Device memory is uncached and never executable; its tables are made here so that mapping a device later takes no frame.
// - Nothing is mapped for ring 3, and nothing in the lower half: the identity map ends when `load()` returns.

internal import Handover
internal import MachineSupport
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

  private static let present: UInt64 = 1 << 0
  private static let writable: UInt64 = 1 << 1
  private static let writeThrough: UInt64 = 1 << 3
  private static let uncached: UInt64 = 1 << 4
  private static let accessedDirty: UInt64 = 3 << 5
  private static let large: UInt64 = 1 << 7
  private static let addressMask: UInt64 = 0x000F_FFFF_FFFF_F000
  private static let largeFrameCount: UInt32 = 512
  private static let deviceByteCount: UInt64 = 1 << 32

  /// Builds the tables in frames taken from `map`, through the boot stub's identity map.
  init(_ map: inout MemoryMap, _ features: ProcessorFeatures) {
    protections = Protections(
      noExecute: features.hasNoExecute ? 1 << 63 : 0, global: features.hasGlobalPages ? 1 << 8 : 0)
    root = KernelPageTables.takeTable(&map)
    let directories = KernelPageTables.takeTables(&map, count: 5)
    deviceDirectories = directories + Page.byteCount
    let upper = KernelPageTables.present | KernelPageTables.writable | KernelPageTables.accessedDirty
    memory_write64(root.address.raw + AddressLayout.deviceSlot * 8, directories | upper)
    for index in 0..<UInt64(4) {
      memory_write64(directories + index * 8, (deviceDirectories + index * Page.byteCount) | upper)
    }
    mapImage(&map)
    mapMemory(&map)
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
    if value & KernelPageTables.present != 0 { return value & KernelPageTables.addressMask }
    let made = KernelPageTables.takeTables(&map, count: 1)
    memory_write64(
      entry, made | KernelPageTables.present | KernelPageTables.writable | KernelPageTables.accessedDirty)
    return made
  }

  /// The directory entry of a virtual address.
  private func directoryEntry(_ virtual: UInt64, _ map: inout MemoryMap) -> UInt64 {
    let pointers = table(at: root.address.raw + (virtual >> 39 & 511) * 8, &map)
    let directory = table(at: pointers + (virtual >> 30 & 511) * 8, &map)
    return directory + (virtual >> 21 & 511) * 8
  }

  private func mapPage(_ virtual: UInt64, _ physical: UInt64, _ flags: UInt64, _ map: inout MemoryMap) {
    let pages = table(at: directoryEntry(virtual, &map), &map)
    memory_write64(pages + (virtual >> 12 & 511) * 8, physical | flags)
  }

  private func mapImage(_ map: inout MemoryMap) {
    let always = KernelPageTables.present | KernelPageTables.accessedDirty | protections.global
    let data = always | KernelPageTables.writable | protections.noExecute
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
    let flags =
      KernelPageTables.present | KernelPageTables.writable | KernelPageTables.accessedDirty | protections.global
      | protections.noExecute
    var frame = start
    while frame < end {
      let physical = UInt64(frame) << Page.shift
      let virtual = AddressLayout.directMapBase + physical
      if frame & (KernelPageTables.largeFrameCount - 1) == 0, end - frame >= KernelPageTables.largeFrameCount {
        memory_write64(directoryEntry(virtual, &map), physical | flags | KernelPageTables.large)
        frame += KernelPageTables.largeFrameCount
      } else {
        mapPage(virtual, physical, flags, &map)
        frame += 1
      }
    }
  }

  /// Makes these tables the processor's; the boot stub's are gone.
  func load() {
    write_control3(root.address.raw)
  }

  /// Maps the 2 MiB round a device register below 4 GiB and gives the register's virtual address, or nil above.
  func mapDevice(_ physical: UInt64) -> UInt64? {
    guard physical < KernelPageTables.deviceByteCount else { return nil }
    let entry = AddressLayout.directMapBase + deviceDirectories + (physical >> 21) * 8
    let flags =
      KernelPageTables.present | KernelPageTables.writable | KernelPageTables.accessedDirty | KernelPageTables.large
      | KernelPageTables.uncached | KernelPageTables.writeThrough | protections.global | protections.noExecute
    memory_write64(entry, physical & ~0x1F_FFFF | flags)
    return AddressLayout.deviceBase + physical
  }
}

/// Fills memory with zeros.
func zeroMemory(_ address: UInt64, byteCount: UInt64) {
  // SAFETY: callers name frames they have just taken from the memory map, which nothing else uses yet.
  guard let start = unsafe UnsafeMutableRawPointer(bitPattern: UInt(address)) else { return }
  _ = unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: Int(byteCount))
}
