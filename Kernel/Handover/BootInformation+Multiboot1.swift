// Multiboot 0.6.96, section 3.3: the boot information format.

extension BootInformation {
  private static let byteCount: UInt64 = 120
  private static let hasBasicMemory: UInt64 = 1 << 0
  private static let hasCommandLine: UInt64 = 1 << 2
  private static let hasModules: UInt64 = 1 << 3
  private static let hasMemoryMap: UInt64 = 1 << 6
  private static let hasLoaderName: UInt64 = 1 << 9
  private static let hasFramebuffer: UInt64 = 1 << 12
  private static let framebufferTypeOffset: UInt64 = 109
  private static let moduleByteCount: UInt64 = 16

  mutating func readMultiboot1(
    _ memory: some LoaderMemory, _ address: UInt64
  ) throws(BootRefusal) {
    guard memory.isReadable(address, BootInformation.byteCount) else { throw .unreadableTable }
    occupied = ByteRange(start: address, end: address + BootInformation.byteCount)
    let flags = try memory.word32(at: address)
    if flags & BootInformation.hasCommandLine != 0 {
      commandLine = try memory.text(at: memory.word32(at: address + 16), limit: .max)
    }
    if flags & BootInformation.hasLoaderName != 0 {
      loaderName = try memory.text(at: memory.word32(at: address + 64), limit: .max)
    }
    if flags & BootInformation.hasFramebuffer != 0 {
      screen = LoaderScreen(framebufferType: memory.byte(at: address + BootInformation.framebufferTypeOffset))
    }
    if flags & BootInformation.hasModules != 0 {
      try readModules(memory, memory.word32(at: address + 24), count: memory.word32(at: address + 20))
    }
    if flags & BootInformation.hasMemoryMap != 0 {
      try readMap(memory, memory.word32(at: address + 48), byteCount: memory.word32(at: address + 44))
    } else if flags & BootInformation.hasBasicMemory != 0 {
      try addBasicRegions(lower: memory.word32(at: address + 4), upper: memory.word32(at: address + 8))
    }
  }

  private mutating func readModules(
    _ memory: some LoaderMemory, _ list: UInt64, count: UInt64
  ) throws(BootRefusal) {
    try reserveModules(count)
    for index in 0..<count {
      let entry = list + index * BootInformation.moduleByteCount
      let text = try memory.word32(at: entry + 8)
      try addModule(
        memory.word32(at: entry), memory.word32(at: entry + 4), text == 0 ? [] : memory.text(at: text, limit: .max))
    }
  }

  /// Entries are a size, which does not count itself, then base, length and type.
  private mutating func readMap(
    _ memory: some LoaderMemory, _ start: UInt64, byteCount: UInt64
  ) throws(BootRefusal) {
    guard byteCount <= HandoverLimits.mapByteCount else { throw .tooManyRegions }
    guard memory.isReadable(start, byteCount) else { throw .unreadableTable }
    var entry = start
    while entry < start + byteCount {
      guard entry + 24 <= start + byteCount else { throw .damagedTable }
      let size = try memory.word32(at: entry)
      guard size >= 20 else { throw .damagedTable }
      try addRegion(
        memory.word64(at: entry + 4), memory.word64(at: entry + 12), type: memory.word32(at: entry + 20))
      entry += size + 4
    }
  }
}
