// What the boot loader says, copied out of its memory: the memory map, the modules, the command line.
//
// Sources: Multiboot 0.6.96 section 3.3, Multiboot2 section 3.6. Everything is read through the boot stub's identity map of
// the first 4 GiB; addresses and lengths that leave it are refused.

internal import MachineSupport
internal import Memory
internal import SystemCalls

/// A part of physical memory, in bytes.
struct ByteRange {
  var start: UInt64
  var end: UInt64
  var isEmpty: Bool { start >= end }
}

/// The boot loader's information.
struct BootInformation {
  /// Memory that the loader says is usable.
  var available: [ByteRange] = []
  /// Memory that it says is not.
  var unavailable: [ByteRange] = []
  /// The modules, in the loader's order.
  var modules: [BootModule] = []
  /// The kernel's command line.
  var commandLine: [UInt8] = []
  /// Where the information itself and the modules lie.
  var occupied: [ByteRange] = []

  /// Limits that keep a damaged table from filling the boot heap.
  static let maximumRangeCount = 256
  static let maximumModuleCount = 64
  static let maximumStringLength = 4096
  private static let identityMapEnd: UInt64 = 1 << 32
  private static let multiboot1: UInt64 = 0x2BAD_B002

  /// Reads the information of either loader. The stub has checked the magic.
  static func read() -> BootInformation {
    let record = boot_record_address()
    let information = memory_read64(record + 8)
    var result = BootInformation()
    if memory_read64(record + 16) == multiboot1 {
      result.readMultiboot1(information)
    } else {
      result.readMultiboot2(information)
    }
    return result
  }

  /// Whether the identity map holds the range.
  static func isReadable(_ address: UInt64, _ byteCount: UInt64) -> Bool {
    address <= identityMapEnd && byteCount <= identityMapEnd - address
  }

  /// A string that ends with a zero byte, cut at the limit.
  static func string(at address: UInt64, limit: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var next = address
    while bytes.count < maximumStringLength, next < limit, isReadable(next, 1) {
      let byte = memory_read8(next)
      if byte == 0 { break }
      bytes.append(byte)
      next += 1
    }
    return bytes
  }

  mutating func addRegion(_ start: UInt64, _ byteCount: UInt64, type: UInt32) {
    let (end, overflow) = start.addingReportingOverflow(byteCount)
    guard byteCount > 0, !overflow, available.count + unavailable.count < BootInformation.maximumRangeCount else {
      return
    }
    if type == 1 {
      available.append(ByteRange(start: start, end: end))
    } else {
      unavailable.append(ByteRange(start: start, end: end))
    }
  }

  mutating func addModule(_ start: UInt64, _ end: UInt64, _ commandLine: [UInt8]) {
    guard start <= end, BootInformation.isReadable(start, end - start), start & Page.offsetMask == 0,
      modules.count < BootInformation.maximumModuleCount
    else {
      logLine("a module that does not start on a page or does not lie below 4 GiB is ignored")
      return
    }
    modules.append(
      BootModule(commandLine: commandLine, start: PhysicalAddress(start), byteCount: end - start))
    occupied.append(ByteRange(start: start, end: end))
  }
}
