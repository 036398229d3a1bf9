// Little-endian integers in byte buffers, every access checked: what the layouts of this module are read and written with.
//
// Layouts are read from `Span<UInt8>` because the library offers no checked load from a `RawSpan`; an `InlineArray` of bytes
// gives both: `buffer.span` to decode, and for encoding or copying user memory in `var elements = buffer.mutableSpan`
// followed by `var bytes = MutableRawSpan(_elements: &elements)` (strict memory safety rejects `mutableBytes`).

extension Span where Element == UInt8 {
  /// The 16-bit integer at `offset`, little endian. Traps when it does not lie inside.
  @inlinable
  public func loadUInt16(at offset: Int) -> UInt16 {
    precondition(offset >= 0 && offset < count - 1)
    return UInt16(self[offset]) | UInt16(self[offset &+ 1]) << 8
  }

  /// The 32-bit integer at `offset`, little endian. Traps when it does not lie inside.
  @inlinable
  public func loadUInt32(at offset: Int) -> UInt32 {
    // One comparison, and one load.
    precondition(offset >= 0 && offset < count - 3)
    return UInt32(self[offset]) | UInt32(self[offset &+ 1]) << 8 | UInt32(self[offset &+ 2]) << 16
      | UInt32(self[offset &+ 3]) << 24
  }

  /// The 64-bit integer at `offset`, little endian. Traps when it does not lie inside.
  @inlinable
  public func loadUInt64(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset < count - 7)
    let low =
      UInt64(self[offset]) | UInt64(self[offset &+ 1]) << 8 | UInt64(self[offset &+ 2]) << 16
      | UInt64(self[offset &+ 3]) << 24
    let high =
      UInt64(self[offset &+ 4]) | UInt64(self[offset &+ 5]) << 8 | UInt64(self[offset &+ 6]) << 16
      | UInt64(self[offset &+ 7]) << 24
    return low | high << 32
  }

  /// The signed 64-bit integer at `offset`, little endian. Traps when it does not lie inside.
  @inlinable
  public func loadInt64(at offset: Int) -> Int64 {
    Int64(bitPattern: loadUInt64(at: offset))
  }
}

extension MutableRawSpan {
  /// Stores `value` at `offset`, little endian. Traps when it does not fit.
  @inlinable
  public mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
  }
}

extension InlineArray where Element == UInt8 {
  /// Stores `value` at `offset`, little endian. Traps when it does not fit.
  @inline(__always)
  public mutating func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
    var span = mutableSpan
    var bytes = MutableRawSpan(_elements: &span)
    bytes.store(value, at: offset)
  }
}
