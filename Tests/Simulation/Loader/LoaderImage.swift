// The tables of a boot loader, as bytes: made from a description in either format, to be damaged by tests and the fuzzer.

public import Handover

/// Memory with a loader's tables, which begin at its start; nothing else can be read.
public struct LoaderImage: LoaderMemory, Sendable {
  /// Where the first byte lies.
  public static let start: UInt64 = 0x9000
  /// The tables.
  public var bytes: [UInt8]
  /// What the kernel finds in %eax.
  public var magic: UInt64

  /// Wraps bytes.
  public init(bytes: [UInt8], magic: UInt64) {
    self.bytes = bytes
    self.magic = magic
  }

  /// Whether the image holds these bytes.
  public func isReadable(_ address: UInt64, _ byteCount: UInt64) -> Bool {
    let end = Self.start + UInt64(bytes.count)
    return address >= Self.start && address <= end && byteCount <= end - address
  }

  /// A byte of the image; anything else traps.
  public func byte(at address: UInt64) -> UInt8 { bytes[Int(address - Self.start)] }

  /// What the kernel makes of it.
  public func information() throws(BootRefusal) -> BootInformation {
    try BootInformation(from: self, at: Self.start, magic: magic)
  }

  fileprivate mutating func put(_ value: UInt64, byteCount: Int, at offset: Int) {
    for index in 0..<byteCount { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }

  fileprivate mutating func append(_ value: UInt64, byteCount: Int) {
    bytes += (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  /// Adds a text with its end; its address.
  fileprivate mutating func append(text: String) -> UInt64 {
    let address = Self.start + UInt64(bytes.count)
    bytes += Array(text.utf8) + [0]
    return address
  }

  fileprivate mutating func align() { while bytes.count % 8 != 0 { bytes.append(0) } }
}

/// What a loader hands over.
public struct LoaderDescription: Sendable {
  /// A module.
  public struct Module: Sendable {
    /// Its string.
    public var text: String
    /// Its content.
    public var start: UInt64, end: UInt64

    /// Describes a module.
    public init(text: String, start: UInt64, end: UInt64) {
      self.text = text
      self.start = start
      self.end = end
    }
  }

  /// An entry of the memory map.
  public struct Region: Sendable {
    /// Where it is, and 1 for memory.
    public var start: UInt64, byteCount: UInt64, type: UInt64

    /// Describes an entry.
    public init(start: UInt64, byteCount: UInt64, type: UInt64) {
      self.start = start
      self.byteCount = byteCount
      self.type = type
    }
  }

  /// The kernel's command line.
  public var commandLine = ""
  /// The loader's name.
  public var loaderName: String? = "qemu"
  /// The modules.
  public var modules: [Module] = []
  /// The memory map; empty: there is none.
  public var map: [Region] = []
  /// KiB of memory from 0 and from 1 MiB.
  public var basic: (lower: UInt64, upper: UInt64)?

  /// The type of the framebuffer: 0 and 1 for points, 2 for text.
  public var framebufferType: UInt64?

  /// Nothing.
  public init() {}

  /// A PC of 128 MiB with these modules behind each other, each of so many bytes, from 4 MiB on.
  public init(commandLine: String, modules: [(String, UInt64)] = []) {
    self.commandLine = commandLine
    basic = (639, 130_048)
    map = [
      Region(start: 0, byteCount: 0x9_FC00, type: 1), Region(start: 0x9_FC00, byteCount: 0x400, type: 2),
      Region(start: 0xF_0000, byteCount: 0x1_0000, type: 2), Region(start: 0x10_0000, byteCount: 0x7EE_0000, type: 1),
      Region(start: 0x7FE_0000, byteCount: 0x2_0000, type: 2), Region(start: 0xFFFC_0000, byteCount: 0x4_0000, type: 2),
    ]
    var next: UInt64 = 0x40_0000
    for (text, byteCount) in modules {
      self.modules.append(Module(text: text, start: next, end: next + byteCount))
      next = (next + byteCount + 4095) & ~4095
    }
  }

  /// Where the kernel lies in tests: from 1 MiB to below 4 MiB.
  public static let kernel = ByteRange(start: 0x10_0000, end: 0x30_0000)

  /// In the format of Multiboot 0.6.96.
  public func multiboot1() -> LoaderImage {
    var image = LoaderImage(bytes: [UInt8](repeating: 0, count: 120), magic: BootInformation.multiboot1)
    var flags: UInt64 = 1 << 2
    image.put(image.append(text: commandLine), byteCount: 4, at: 16)
    if let basic {
      flags |= 1
      image.put(basic.lower, byteCount: 4, at: 4)
      image.put(basic.upper, byteCount: 4, at: 8)
    }
    if let loaderName {
      flags |= 1 << 9
      image.put(image.append(text: loaderName), byteCount: 4, at: 64)
    }
    if !modules.isEmpty {
      flags |= 1 << 3
      let texts = modules.map { image.append(text: $0.text) }
      image.align()
      image.put(UInt64(modules.count), byteCount: 4, at: 20)
      image.put(LoaderImage.start + UInt64(image.bytes.count), byteCount: 4, at: 24)
      for (module, text) in zip(modules, texts) {
        for value in [module.start, module.end, text, 0] { image.append(value, byteCount: 4) }
      }
    }
    if !map.isEmpty {
      flags |= 1 << 6
      image.put(UInt64(24 * map.count), byteCount: 4, at: 44)
      image.put(LoaderImage.start + UInt64(image.bytes.count), byteCount: 4, at: 48)
      for region in map {
        image.append(20, byteCount: 4)
        image.append(region.start, byteCount: 8)
        image.append(region.byteCount, byteCount: 8)
        image.append(region.type, byteCount: 4)
      }
    }
    if let framebufferType {
      flags |= 1 << 12
      image.put(framebufferType, byteCount: 1, at: 109)
    }
    image.put(flags, byteCount: 4, at: 0)
    return image
  }

  /// In the format of Multiboot2.
  public func multiboot2() -> LoaderImage {
    var image = LoaderImage(bytes: [UInt8](repeating: 0, count: 8), magic: BootInformation.multiboot2)
    func tag(_ type: UInt64, _ fill: (inout LoaderImage) -> Void) {
      image.align()
      let start = image.bytes.count
      image.append(type, byteCount: 8)
      fill(&image)
      image.put(UInt64(image.bytes.count - start), byteCount: 4, at: start + 4)
    }
    tag(1) { _ = $0.append(text: commandLine) }
    if let loaderName { tag(2) { _ = $0.append(text: loaderName) } }
    for module in modules {
      tag(3) {
        $0.append(module.start, byteCount: 4)
        $0.append(module.end, byteCount: 4)
        _ = $0.append(text: module.text)
      }
    }
    if let basic {
      tag(4) {
        $0.append(basic.lower, byteCount: 4)
        $0.append(basic.upper, byteCount: 4)
      }
    }
    if !map.isEmpty {
      tag(6) {
        $0.append(24, byteCount: 4)
        $0.append(0, byteCount: 4)
        for region in map {
          for value in [region.start, region.byteCount, region.type] { $0.append(value, byteCount: 8) }
        }
      }
    }
    if let framebufferType {
      tag(8) {
        // Address, bytes in a row, columns, rows, bits of a cell.
        for (value, byteCount) in [(0xB8000, 8), (160, 4), (80, 4), (25, 4), (16, 1)] {
          $0.append(UInt64(value), byteCount: byteCount)
        }
        $0.append(framebufferType, byteCount: 1)
        $0.append(0, byteCount: 1)
      }
    }
    tag(0) { _ in }
    image.put(UInt64(image.bytes.count), byteCount: 4, at: 0)
    return image
  }
}
