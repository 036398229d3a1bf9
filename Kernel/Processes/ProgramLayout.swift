// What an ELF64 file asks for, checked before anything is done for it (spec abi.md section 13; execve(2)).
//
// Every refusal is ENOEXEC: not an ELF file, another class, machine or operating system, headers outside the first page or
// the file, content outside the file (a truncated file), addresses outside user space, and programs that need an interpreter.

import ABI
import Memory
public import Primitives

/// The bytes of an executable file, contiguous in physical memory.
public struct ExecutableImage: BitwiseCopyable, Sendable {
  /// Where the content starts.
  public let start: PhysicalAddress
  /// The length of the content.
  public let byteCount: UInt64

  /// Describes a file's content.
  public init(start: PhysicalAddress, byteCount: UInt64) {
    self.start = start
    self.byteCount = byteCount
  }
}

/// One part of a program in memory.
struct ProgramSegment: BitwiseCopyable {
  /// The first address, base included.
  let address: UInt64
  /// Bytes in memory.
  let memoryByteCount: UInt64
  /// Where the content lies in the file.
  let fileOffset: UInt64
  /// Bytes that come from the file; the rest is zero.
  let fileByteCount: UInt64
  let protection: Protection

  var firstPage: UInt64 { address & ~Page.offsetMask }
  var end: UInt64 { address + memoryByteCount }
  var endPage: UInt64 { (end + Page.offsetMask) & ~Page.offsetMask }
}

/// A checked executable.
struct ProgramLayout {
  /// Where a position independent executable is loaded (FreeBSD without address randomisation).
  private static let positionIndependentBase: UInt64 = 0x0102_1000

  let image: ExecutableImage
  private let physical: PhysicalMemory
  private let header: ExecutableHeader
  private let base: UInt64
  /// Where the program headers lie in memory, or 0.
  private(set) var headersAddress: UInt64 = 0
  /// The start of the lowest segment.
  private(set) var startAddress: UInt64 = 0
  /// Where the data segment is: the last one without instructions, or nothing behind the last one.
  private var data: (start: UInt64, end: UInt64) = (0, 0)

  var entry: UInt64 { header.entry + base }
  var headerCount: Int { Int(header.programHeaderCount) }
  var flags: UInt32 { header.flags }
  /// Where the program lies in memory.
  var extent: ProgramExtent {
    var extent = ProgramExtent()
    extent.start = startAddress & ~Page.offsetMask
    extent.dataStart = data.start & ~Page.offsetMask
    extent.dataEnd = (data.end + Page.offsetMask) & ~Page.offsetMask
    return extent
  }

  /// Checks a file. `limit` is the first address that segments must leave alone.
  init(_ image: ExecutableImage, _ physical: PhysicalMemory, limit: UInt64) throws(Errno) {
    guard image.byteCount >= UInt64(ExecutableHeader.byteCount) else { throw .enoexec }
    self.image = image
    self.physical = physical
    var bytes = [64 of UInt8](repeating: 0)
    ProgramLayout.read(image, physical, 0, 64, &bytes)
    header = ExecutableHeader(decoding: bytes.span)
    guard header.isSupported else { throw .enoexec }
    base = header.type == ExecutableHeader.typeShared ? ProgramLayout.positionIndependentBase : 0
    let tableByteCount = UInt64(header.programHeaderCount) * UInt64(ProgramHeader.byteCount)
    guard header.programHeaderOffset <= Page.byteCount, header.programHeaderOffset & 7 == 0,
      header.programHeaderOffset + tableByteCount <= min(Page.byteCount, image.byteCount)
    else { throw .enoexec }
    guard header.entry < limit - base else { throw .enoexec }
    try check(limit: limit)
  }

  private mutating func check(limit: UInt64) throws(Errno) {
    var previousEnd: UInt64 = UserSpace.start
    var hasSegment = false
    for index in 0..<headerCount {
      let header = programHeader(index)
      if header.type == ProgramHeader.typeInterpreter { throw .enoexec }
      if header.type == ProgramHeader.typeProgramHeaders { headersAddress = header.virtualAddress &+ base }
      guard header.type == ProgramHeader.typeLoad, header.memoryByteCount > 0 else { continue }
      guard header.fileByteCount <= header.memoryByteCount, header.fileOffset <= image.byteCount,
        header.fileByteCount <= image.byteCount - header.fileOffset
      else { throw .enoexec }
      guard header.virtualAddress < limit - base, header.virtualAddress + base >= previousEnd,
        header.memoryByteCount <= limit - base - header.virtualAddress
      else { throw .enoexec }
      previousEnd = header.virtualAddress + base + header.memoryByteCount
      if !hasSegment { startAddress = header.virtualAddress + base }
      hasSegment = true
      if !header.protection.contains(.execute) { data = (header.virtualAddress + base, previousEnd) }
      if headersAddress == 0 && header.fileOffset == 0 && holdsHeaders(header) {
        headersAddress = header.virtualAddress + base + self.header.programHeaderOffset
      }
    }
    guard hasSegment else { throw .enoexec }
    if data.end == 0 {
      let end = (previousEnd + Page.offsetMask) & ~Page.offsetMask
      data = (end, end)
    }
  }

  private func holdsHeaders(_ segment: ProgramHeader) -> Bool {
    let end = header.programHeaderOffset + UInt64(header.programHeaderCount) * UInt64(ProgramHeader.byteCount)
    return segment.fileByteCount >= end
  }

  /// The segment that the program header at `index` describes, if it describes one.
  func segment(_ index: Int) -> ProgramSegment? {
    let header = programHeader(index)
    guard header.type == ProgramHeader.typeLoad, header.memoryByteCount > 0 else { return nil }
    return ProgramSegment(
      address: header.virtualAddress + base, memoryByteCount: header.memoryByteCount, fileOffset: header.fileOffset,
      fileByteCount: header.fileByteCount, protection: header.protection)
  }

  private func programHeader(_ index: Int) -> ProgramHeader {
    var bytes = [64 of UInt8](repeating: 0)
    let offset = header.programHeaderOffset + UInt64(index * ProgramHeader.byteCount)
    ProgramLayout.read(image, physical, offset, ProgramHeader.byteCount, &bytes)
    return ProgramHeader(decoding: bytes.span)
  }

  private static func read(
    _ image: ExecutableImage, _ physical: PhysicalMemory, _ offset: UInt64, _ count: Int,
    _ bytes: inout [64 of UInt8]
  ) {
    var span = bytes.mutableSpan
    var raw = MutableRawSpan(_elements: &span)
    physical.read(image.start + offset, into: &raw, at: 0, byteCount: count)
  }
}
