// Why the kernel does not start on what the boot loader handed over. The machine says it, with what it is about, and stops
// (Machine/HostReport.swift): nothing that was asked for is ignored, and no damaged table is guessed at.

/// A reason not to start.
public enum BootRefusal: Error, Equatable {
  // The loader's tables
  /// The information, a list or a text does not lie where it can be read.
  case unreadableTable
  /// A table contradicts itself: a size that is too small, or reaches beyond what holds it.
  case damagedTable
  /// The memory map has more regions than `HandoverLimits.regionCount`.
  case tooManyRegions
  /// There is no memory in the map.
  case noMemory
  /// There is less memory than `HandoverLimits.leastFrameCount`.
  case tooLittleMemory
  /// The map has no memory where the kernel lies.
  case kernelOutsideMemory
  /// A command line is longer than `HandoverLimits.textByteCount`, or all of them than `allTextByteCount`.
  case textTooLong
  // Modules
  /// There are more modules than `HandoverLimits.moduleCount`.
  case tooManyModules
  /// The module does not start on a page, or ends before it starts.
  case moduleMisplaced([UInt8])
  /// The module lies, at least in part, where the machine has no memory: it is larger than the memory.
  case moduleOutsideMemory([UInt8])
  /// The module shares a page with the kernel or with another module.
  case moduleOverlaps([UInt8])
  /// A module before it has the same name.
  case moduleNameTwice([UInt8])
  // Options
  /// The kernel has no such option.
  case unknownOption([UInt8])
  /// The option's value is missing, is no value of it, or too large to be one.
  case wrongValue([UInt8])
  /// A quotation mark has no partner.
  case openQuotation
  /// There is not enough memory for the swap device.
  case swapTooLarge

  /// What is wrong, in words.
  public var reason: StaticString {
    switch self {
    case .unreadableTable: "the boot loader's tables lie where they cannot be read"
    case .damagedTable: "the boot loader's tables are damaged"
    case .tooManyRegions: "the boot loader's memory map has too many entries (256 are the most)"
    case .noMemory: "the boot loader's memory map has no memory"
    case .tooLittleMemory: "too little memory (32 MiB is the least)"
    case .kernelOutsideMemory: "the boot loader's memory map has no memory where the kernel lies"
    case .textTooLong: "a command line is too long (4096 bytes are the most, 65536 for all modules together)"
    case .tooManyModules: "too many modules (512 are the most)"
    case .moduleMisplaced: "a module does not begin on a page, or ends before it begins: "
    case .moduleOutsideMemory: "the machine has too little memory for a module: "
    case .moduleOverlaps: "a module overlaps the kernel or another module: "
    case .moduleNameTwice: "two modules have the same name: "
    case .unknownOption: "unknown kernel option: "
    case .wrongValue: "wrong value of a kernel option: "
    case .openQuotation: "the kernel options have a quotation mark without a partner"
    case .swapTooLarge: "not enough memory in one piece for the swap device"
    }
  }

  /// What it is about: bytes of a command line; empty when the reason says it all.
  public var subject: [UInt8] {
    switch self {
    case .moduleMisplaced(let text), .moduleOutsideMemory(let text), .moduleOverlaps(let text),
      .moduleNameTwice(let text), .unknownOption(let text), .wrongValue(let text):
      text
    default: []
    }
  }
}
