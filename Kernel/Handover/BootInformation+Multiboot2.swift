// Multiboot2, section 3.6: tags of type and size, aligned to eight bytes.

extension BootInformation {
  private static let endTag: UInt64 = 0
  private static let commandLineTag: UInt64 = 1
  private static let loaderNameTag: UInt64 = 2
  private static let moduleTag: UInt64 = 3
  private static let basicMemoryTag: UInt64 = 4
  private static let memoryMapTag: UInt64 = 6
  private static let framebufferTag: UInt64 = 8

  mutating func readMultiboot2(
    _ memory: some LoaderMemory, _ address: UInt64
  ) throws(BootRefusal) {
    let total = try memory.word32(at: address)
    guard total <= HandoverLimits.informationByteCount else { throw .damagedTable }
    guard memory.isReadable(address, total) else { throw .unreadableTable }
    let end = address + total
    occupied = ByteRange(start: address, end: end)
    try reserveModules(moduleCount(memory, address, end: end))
    var basic: (lower: UInt64, upper: UInt64)?
    var tag = address + 8
    while let (type, size) = try BootInformation.tag(memory, tag, end: end) {
      switch type {
      case BootInformation.commandLineTag: commandLine = try memory.text(at: tag + 8, limit: tag + size)
      case BootInformation.loaderNameTag: loaderName = try memory.text(at: tag + 8, limit: tag + size)
      case BootInformation.moduleTag:
        guard size >= 16 else { throw .damagedTable }
        try addModule(
          memory.word32(at: tag + 8), memory.word32(at: tag + 12), memory.text(at: tag + 16, limit: tag + size))
      case BootInformation.basicMemoryTag:
        guard size >= 16 else { throw .damagedTable }
        basic = try (memory.word32(at: tag + 8), memory.word32(at: tag + 12))
      case BootInformation.memoryMapTag:
        guard size >= 16 else { throw .damagedTable }
        try readMap(memory, tag + 16, end: tag + size, entrySize: memory.word32(at: tag + 8))
      case BootInformation.framebufferTag:
        guard size >= 31 else { throw .damagedTable }
        screen = LoaderScreen(framebufferType: memory.byte(at: tag + 29))
      default: break
      }
      tag += (size + 7) & ~7
    }
    if available.isEmpty, let basic { try addBasicRegions(lower: basic.lower, upper: basic.upper) }
  }

  /// Type and size of the tag at an address; nil behind the last.
  private static func tag(
    _ memory: some LoaderMemory, _ address: UInt64, end: UInt64
  ) throws(BootRefusal) -> (type: UInt64, size: UInt64)? {
    guard address < end else { return nil }
    guard end - address >= 8 else { throw .damagedTable }
    let type = try memory.word32(at: address)
    if type == endTag { return nil }
    let size = try memory.word32(at: address + 4)
    guard size >= 8, size <= end - address else { throw .damagedTable }
    return (type, size)
  }

  private func moduleCount(
    _ memory: some LoaderMemory, _ address: UInt64, end: UInt64
  ) throws(BootRefusal) -> UInt64 {
    var count: UInt64 = 0
    var tag = address + 8
    while let (type, size) = try BootInformation.tag(memory, tag, end: end) {
      if type == BootInformation.moduleTag { count += 1 }
      tag += (size + 7) & ~7
    }
    return count
  }

  private mutating func readMap(
    _ memory: some LoaderMemory, _ start: UInt64, end: UInt64, entrySize: UInt64
  ) throws(BootRefusal) {
    guard entrySize >= 24 else { throw .damagedTable }
    var entry = start
    while entry + entrySize <= end {
      try addRegion(memory.word64(at: entry), memory.word64(at: entry + 8), type: memory.word32(at: entry + 16))
      entry += entrySize
    }
  }
}
