// An ELF64 executable for tests: one page of text and 64 KiB of writable memory, a quarter of it from the file.

/// Images of executables, good and bad.
enum TestProgram {
  static let entry: UInt64 = 0x40_0100

  static func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int, in bytes: inout [UInt8]) {
    for index in 0..<(Value.bitWidth / 8) {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * index))
    }
  }

  static func programHeader(
    _ index: Int, type: UInt32 = 1, flags: UInt32, offset: UInt64, address: UInt64, fileByteCount: UInt64,
    memoryByteCount: UInt64, in bytes: inout [UInt8]
  ) {
    let start = 64 + 56 * index
    put(type, at: start, in: &bytes)
    put(flags, at: start + 4, in: &bytes)
    put(offset, at: start + 8, in: &bytes)
    put(address, at: start + 16, in: &bytes)
    put(address, at: start + 24, in: &bytes)
    put(fileByteCount, at: start + 32, in: &bytes)
    put(memoryByteCount, at: start + 40, in: &bytes)
    put(UInt64(4096), at: start + 48, in: &bytes)
  }

  static let image: [UInt8] = {
    var bytes = [UInt8](repeating: 0, count: 4096 + 16384)
    bytes.replaceSubrange(0..<8, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 9])
    put(UInt16(2), at: 16, in: &bytes)
    put(UInt16(62), at: 18, in: &bytes)
    put(UInt32(1), at: 20, in: &bytes)
    put(entry, at: 24, in: &bytes)
    put(UInt64(64), at: 32, in: &bytes)
    put(UInt16(64), at: 52, in: &bytes)
    put(UInt16(56), at: 54, in: &bytes)
    put(UInt16(2), at: 56, in: &bytes)
    programHeader(
      0, flags: 5, offset: 0, address: 0x40_0000, fileByteCount: 4096, memoryByteCount: 4096, in: &bytes)
    programHeader(
      1, flags: 6, offset: 4096, address: TestKernel.data, fileByteCount: 16384, memoryByteCount: 65536, in: &bytes)
    for index in 0..<16384 { bytes[4096 + index] = UInt8(truncatingIfNeeded: index * 7) }
    return bytes
  }()
}
