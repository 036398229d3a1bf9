// Multiboot2, section 3.6: tags of type and size, aligned to eight bytes.

internal import MachineSupport

extension BootInformation {
  private static let endTag: UInt32 = 0
  private static let commandLineTag: UInt32 = 1
  private static let moduleTag: UInt32 = 3
  private static let memoryMapTag: UInt32 = 6

  mutating func readMultiboot2(_ information: UInt64) {
    guard BootInformation.isReadable(information, 8) else { return }
    let total = UInt64(memory_read32(information))
    guard BootInformation.isReadable(information, total) else { return }
    let end = information + total
    occupied.append(ByteRange(start: information, end: end))
    var tag = information + 8
    while tag + 8 <= end {
      let type = memory_read32(tag)
      let size = UInt64(memory_read32(tag + 4))
      guard size >= 8, type != BootInformation.endTag, tag + size <= end else { return }
      switch type {
      case BootInformation.commandLineTag:
        commandLine = BootInformation.string(at: tag + 8, limit: tag + size)
      case BootInformation.moduleTag where size > 16:
        addModule(
          UInt64(memory_read32(tag + 8)), UInt64(memory_read32(tag + 12)),
          BootInformation.string(at: tag + 16, limit: tag + size))
      case BootInformation.memoryMapTag where size >= 16:
        readMap(tag + 16, end: tag + size, entrySize: UInt64(memory_read32(tag + 8)))
      default:
        break
      }
      tag += (size + 7) & ~7
    }
  }

  private mutating func readMap(_ start: UInt64, end: UInt64, entrySize: UInt64) {
    guard entrySize >= 24 else { return }
    var entry = start
    while entry + entrySize <= end {
      addRegion(memory_read64(entry), memory_read64(entry + 8), type: memory_read32(entry + 16))
      entry += entrySize
    }
  }
}
