// The memory in which a boot loader left its tables, and careful reading from it. The machine reads through the boot stub's
// identity map; tests and the fuzzer give bytes of their own.

/// Physical memory before the final page tables exist.
public protocol LoaderMemory {
  /// Whether these bytes can be read.
  func isReadable(_ address: UInt64, _ byteCount: UInt64) -> Bool
  /// A byte that can be read.
  func byte(at address: UInt64) -> UInt8
}

extension LoaderMemory {
  /// The 32-bit integer at an address of any alignment. Throws `unreadableTable`.
  func word32(at address: UInt64) throws(BootRefusal) -> UInt64 {
    guard isReadable(address, 4) else { throw .unreadableTable }
    var value: UInt64 = 0
    for offset in 0..<UInt64(4) { value |= UInt64(byte(at: address + offset)) << (8 * offset) }
    return value
  }

  /// The 64-bit integer at an address of any alignment. Throws `unreadableTable`.
  func word64(at address: UInt64) throws(BootRefusal) -> UInt64 {
    guard isReadable(address, 8) else { throw .unreadableTable }
    return try word32(at: address) | word32(at: address + 4) << 32
  }

  /// A text that ends with a zero byte or at `limit`. Throws `unreadableTable`, and `textTooLong` beyond the limit of one.
  func text(at address: UInt64, limit: UInt64) throws(BootRefusal) -> [UInt8] {
    // Measured first: arrays that grow would cost the heap at start several times their size.
    var count = 0
    while address + UInt64(count) < limit {
      guard isReadable(address + UInt64(count), 1) else { throw .unreadableTable }
      if byte(at: address + UInt64(count)) == 0 { break }
      guard count < HandoverLimits.textByteCount else { throw .textTooLong }
      count += 1
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for offset in 0..<UInt64(count) { bytes.append(byte(at: address + offset)) }
    return bytes
  }
}
