// What the boot loader says, copied out of its memory: the memory map, the modules, the command line.
//
// Sources: Multiboot 0.6.96 section 3.3, Multiboot2 section 3.6. Any bytes may stand where the tables should: what cannot be
// read, or contradicts itself, is refused.
//
// Invariant: nothing here is larger than `HandoverLimits` says, and every address is below 4 GiB but those of the memory map.

/// A part of physical memory, in bytes.
public struct ByteRange: Equatable, Sendable {
  /// The first byte.
  public var start: UInt64
  /// The byte behind the last.
  public var end: UInt64

  /// Makes the range `start ..< end`.
  public init(start: UInt64, end: UInt64) {
    self.start = start
    self.end = end
  }

  /// Whether it has no byte.
  public var isEmpty: Bool { start >= end }
}

/// A file that the boot loader placed in memory.
public struct LoadedModule: Equatable, Sendable {
  /// Its string, as the loader gives it.
  public let commandLine: [UInt8]
  /// Where its content lies; starts on a page.
  public let content: ByteRange

  /// The name under which it appears in /bin.
  public var name: [UInt8] { Array(commandLine[ModuleWords(commandLine).name]) }
}

/// What the boot loader left on the screen.
public enum LoaderScreen: Equatable, Sendable {
  /// It does not say.
  case unsaid
  /// Text.
  case text
  /// A picture of points, in memory of its own.
  case graphics

  /// What a table's type of framebuffer means; 2 is text, everything else points.
  init(framebufferType type: UInt8) { self = type == 2 ? .text : .graphics }
}

/// The boot loader's information.
public struct BootInformation {
  /// Memory that the loader says is usable.
  public private(set) var available: [ByteRange] = []
  /// Memory that it says is not.
  public private(set) var unavailable: [ByteRange] = []
  /// The modules, in the loader's order.
  public private(set) var modules: [LoadedModule] = []
  /// The kernel's command line.
  public internal(set) var commandLine: [UInt8] = []
  /// What the loader calls itself.
  public internal(set) var loaderName: [UInt8] = []
  /// What it left on the screen.
  public internal(set) var screen = LoaderScreen.unsaid
  /// Where the information itself lies.
  public internal(set) var occupied = ByteRange(start: 0, end: 0)
  private var textByteCount = 0

  /// What stands in %eax when a loader of the first specification starts the kernel.
  public static let multiboot1: UInt64 = 0x2BAD_B002
  /// The same of the second.
  public static let multiboot2: UInt64 = 0x36D7_6289

  /// Reads the information at an address.
  ///
  /// - Parameter magic: which specification it follows.
  public init(
    from memory: some LoaderMemory, at address: UInt64, magic: UInt64
  ) throws(BootRefusal) {
    switch magic {
    case BootInformation.multiboot1: try readMultiboot1(memory, address)
    case BootInformation.multiboot2: try readMultiboot2(memory, address)
    default: throw .damagedTable
    }
    if available.isEmpty { throw .noMemory }
    try checkNames()
  }

  /// Whether QEMU itself is the loader, whose command line begins with the path of the kernel's file.
  public var isLoadedByEmulator: Bool { loaderName == Array("qemu".utf8) }

  mutating func reserveModules(_ count: UInt64) throws(BootRefusal) {
    guard count <= UInt64(HandoverLimits.moduleCount) else { throw .tooManyModules }
    modules.reserveCapacity(Int(count))
  }

  mutating func addModule(_ start: UInt64, _ end: UInt64, _ text: [UInt8]) throws(BootRefusal) {
    guard modules.count < HandoverLimits.moduleCount else { throw .tooManyModules }
    textByteCount += text.count
    guard textByteCount <= HandoverLimits.allTextByteCount else { throw .textTooLong }
    let module = LoadedModule(commandLine: text, content: ByteRange(start: start, end: end))
    guard start <= end, start & 4095 == 0 else { throw .moduleMisplaced(module.name) }
    modules.append(module)
  }

  /// Adds an entry of the memory map. What is no memory up to the end of all addresses may be said by a length that
  /// overflows; memory may not.
  mutating func addRegion(_ start: UInt64, _ byteCount: UInt64, type: UInt64) throws(BootRefusal) {
    let (end, overflow) = start.addingReportingOverflow(byteCount)
    guard byteCount > 0 else { return }
    guard available.count + unavailable.count < HandoverLimits.regionCount else { throw .tooManyRegions }
    if type == BootInformation.availableType {
      guard !overflow else { throw .damagedTable }
      available.append(ByteRange(start: start, end: end))
    } else {
      unavailable.append(ByteRange(start: start, end: overflow ? .max : end))
    }
  }

  static let availableType: UInt64 = 1

  /// The old way to say how much memory there is, in KiB: from 0 and from 1 MiB.
  mutating func addBasicRegions(lower: UInt64, upper: UInt64) throws(BootRefusal) {
    try addRegion(0, lower << 10, type: BootInformation.availableType)
    try addRegion(1 << 20, upper << 10, type: BootInformation.availableType)
  }

  /// Two files of one name: the second could never be opened.
  private func checkNames() throws(BootRefusal) {
    var names: [Range<Int>] = []
    names.reserveCapacity(modules.count)
    for index in modules.indices {
      let name = ModuleWords(modules[index].commandLine).name
      for other in 0..<index where names[other].count == name.count {
        // From the end: names of many modules differ by a number there.
        var rest = name.count
        while rest > 0,
          modules[index].commandLine[name.lowerBound + rest - 1]
            == modules[other].commandLine[names[other].lowerBound + rest - 1]
        { rest -= 1 }
        if rest == 0 { throw .moduleNameTwice(modules[index].name) }
      }
      names.append(name)
    }
  }
}
