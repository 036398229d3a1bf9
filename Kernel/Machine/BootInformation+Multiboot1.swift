// Multiboot 0.6.96, section 3.3: the boot information format.

internal import MachineSupport

extension BootInformation {
  private static let hasCommandLine: UInt32 = 1 << 2
  private static let hasModules: UInt32 = 1 << 3
  private static let hasMemoryMap: UInt32 = 1 << 6

  mutating func readMultiboot1(_ information: UInt64) {
    guard BootInformation.isReadable(information, 120) else { return }
    func field(_ offset: UInt64) -> UInt64 { UInt64(memory_read32(information + offset)) }
    occupied.append(ByteRange(start: information, end: information + 120))
    let flags = memory_read32(information)
    if flags & BootInformation.hasCommandLine != 0 {
      commandLine = BootInformation.string(at: field(16), limit: .max)
    }
    if flags & BootInformation.hasModules != 0 {
      let count = min(field(20), UInt64(BootInformation.maximumModuleCount))
      let list = field(24)
      guard BootInformation.isReadable(list, count * 16) else { return }
      for index in 0..<count {
        let entry = list + index * 16
        addModule(
          UInt64(memory_read32(entry)), UInt64(memory_read32(entry + 4)),
          BootInformation.string(at: UInt64(memory_read32(entry + 8)), limit: .max))
      }
    }
    if flags & BootInformation.hasMemoryMap != 0 {
      readMap(field(48), byteCount: field(44))
    } else {
      addRegion(0, field(4) << 10, type: 1)
      addRegion(1 << 20, field(8) << 10, type: 1)
    }
  }

  /// Entries are a size, which does not count itself, then base, length and type.
  private mutating func readMap(_ start: UInt64, byteCount: UInt64) {
    guard BootInformation.isReadable(start, byteCount) else { return }
    var entry = start
    while entry + 24 <= start + byteCount {
      let size = UInt64(memory_read32(entry))
      guard size >= 20 else { return }
      addRegion(memory_read64(entry + 4), memory_read64(entry + 12), type: memory_read32(entry + 20))
      entry += size + 4
    }
  }
}
